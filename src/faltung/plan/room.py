"""What a lowering is given, and what it returns."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from faltung.kernels.choose import choose
from faltung.kernels.registry import Row, Window
from faltung.ops.operator import Array
from faltung.plan.stages import Stage
from faltung.plan.values import Inside


class Step(NamedTuple):
    """Something that runs on the arrays of one piece of memory.

    Parameters
    ----------
    stage
        What it computes.
    kernel
        The row of the registry; "interpreter" where the operator itself runs, "view" and "in
        place" where there is nothing to do.
    run
        Computes the stage's outputs.
    """

    stage: Stage
    kernel: str
    run: Callable[[], object]


@dataclass
class Choices:
    """Which row runs each stage, and the weights in the order in which the rows read them.

    All pieces of memory of one plan share them.
    """

    exact: bool
    imposed: Mapping[str, str] = field(default_factory=dict)
    taken: dict[str, str] = field(default_factory=dict)
    _packed: dict[tuple[str, str], Array] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def row(self, stage: Stage, operation: str, window: Window, dtype: Any) -> Row:
        """Return the row for a stage; always the same one."""
        imposed = self.taken.get(stage.name) or self.imposed.get(stage.name, "")
        row = choose(operation, window, dtype, imposed, exact=self.exact, prepared=True)
        self.taken[stage.name] = row.name
        return row

    def packed(self, stage: Stage, row: Row, make: Callable[[], Array]) -> Array:
        """Return a stage's weights for a row, made once."""
        with self._lock:
            key = (stage.name, row.name)
            if key not in self._packed:
                self._packed[key] = make()
            return self._packed[key]

    @property
    def nbytes(self) -> int:
        """How much room the weights take."""
        return sum(array.nbytes for array in self._packed.values())


@dataclass(frozen=True)
class Room:
    """The arrays of one piece of memory, and the choices of its plan.

    Parameters
    ----------
    arrays
        Every value by name: views of the memory, and the network's constants.
    choices
        Rows and weights.
    known
        Names of the values that are constants.
    inside
        Values that lie where a concatenation of them will be, and in which.
    """

    arrays: Mapping[str, Array]
    choices: Choices
    known: frozenset[str]
    inside: Mapping[str, Inside]


Lowering = Callable[[Stage, Room], Step | None]
