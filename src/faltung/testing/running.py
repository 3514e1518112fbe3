"""How checks run an operator: one forward and one backward, strict about what comes back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from faltung.ops.operator import Array, Key
from faltung.testing.cases import Case
from faltung.testing.compare import require

KEY: Key = (20, 7)
"""What seeds chance in the checks."""


class Run(NamedTuple):
    """What a forward gave: the inputs it had, its outputs, the next state, what it saved."""

    case: Case
    inputs: tuple[Array, ...]
    outputs: tuple[Array, ...]
    state: Mapping[int, Array]
    saved: Any

    def gradients(self, douts: Sequence[Array]) -> tuple[Array | None, ...]:
        """Run the backward: one gradient, or None, for each input."""
        grads = self.case.operator.backward(self.saved, list(douts))
        count = len(self.inputs)
        require(len(grads) == count, f"backward gives {len(grads)} gradients for {count} inputs")
        return tuple(grads)


def run(
    case: Case, inputs: Sequence[Array], *, training: bool = False, key: Key | None = KEY
) -> Run:
    """Run the forward of a case on these inputs."""
    result = case.operator.forward(list(inputs), training=training, key=key)
    outputs, state, saved = result
    require(isinstance(outputs, tuple), "forward must give a tuple of outputs")
    return Run(case, tuple(inputs), outputs, state, saved)


@contextmanager
def strict() -> Iterator[None]:
    """Raise where arithmetic on finite numbers overflows, divides by 0, or makes a NaN."""
    with np.errstate(over="raise", divide="raise", invalid="raise", under="ignore"):
        yield


@contextmanager
def naming(check: str, case: Case) -> Iterator[None]:
    """Say, in front of whatever fails, which check of which case it was."""
    try:
        yield
    except AssertionError as error:
        raise AssertionError(f"{check}: {case}: {error}") from error
    except Exception as error:
        error.add_note(f"in {check} of {case}")
        raise
