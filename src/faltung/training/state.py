"""What a training run owns and changes: everything that the next step depends on."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from numpy.typing import NDArray

from faltung.plan.flat import flat_copies

Array: TypeAlias = NDArray[Any]
Moments: TypeAlias = dict[str, dict[str, Array]]


@dataclass(slots=True, eq=False, weakref_slot=True)
class TrainState:
    """Numbers of a run between two steps; it owns its arrays, which are copies, and writable.

    Arrays of one mapping lie in one piece of memory. They are changed in place: a plan of the step
    knows where they are.

    Together with the data and the settings it decides every later bit: chance is a function of
    ``seed``, ``epoch`` and ``batch`` (see `faltung.training.batches`), so no generator is kept.

    Parameters
    ----------
    params, state : mapping of name to array
        What is trained, and running statistics.
    moments : mapping of moment to mapping of name to array
        What the optimiser remembers; see `AbstractOptimiser.init`.
    seed : int
        The key of the run.
    step : int
        Steps taken so far.
    epoch, batch : int
        The next batch: its epoch, and its place there.
    best : mapping of word to mapping of name to array
        Numbers to come back to when stopping early, as ``{"params": ..., "state": ...}``; may be
        empty.

    Examples
    --------
    >>> import numpy as np
    >>> w = np.zeros((2, 2), np.float32)
    >>> run = TrainState({"w": w}, {}, {}, seed=7)
    >>> run.params["w"] += 1
    >>> float(w.max()), run.step
    (0.0, 0)
    """

    params: dict[str, Array]
    state: dict[str, Array]
    moments: Moments
    seed: int
    step: int = 0
    epoch: int = 0
    batch: int = 0
    best: dict[str, dict[str, Array]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.params = _owned(self.params)
        self.state = _owned(self.state)
        self.moments = {word: _owned(arrays) for word, arrays in self.moments.items()}
        self.best = {word: _owned(arrays) for word, arrays in self.best.items()}

    def copy(self) -> TrainState:
        """Return a state with the same numbers that shares none of the arrays."""
        return dataclasses.replace(self)


def _owned(arrays: Mapping[str, Array]) -> dict[str, Array]:
    return flat_copies(arrays).arrays
