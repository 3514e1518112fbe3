"""What a lowering is given, and what it returns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, NamedTuple

import numpy as np

from faltung.kernels.choose import choose
from faltung.kernels.program import moved, noted
from faltung.kernels.registry import Row, Window
from faltung.kernels.replay import Launch, Recorder
from faltung.kernels.settings import settings
from faltung.ops.operator import Array
from faltung.plan.stages import Stage
from faltung.plan.values import Inside
from faltung.plan.weights import Weights


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
        Computes the stage's outputs; None where `launches` do, or nothing has to be done.
    launches
        Kernels that compute them, which a compiled loop can run without Python.
    is_parallel
        Whether there is enough to do for several threads.
    """

    stage: Stage
    kernel: str
    run: Callable[[], object] | None = None
    launches: tuple[Launch, ...] = ()
    is_parallel: bool = True


@dataclass
class Choices:
    """Which row runs each stage; all pieces of memory of one plan share it."""

    exact: bool
    imposed: Mapping[str, str] = field(default_factory=dict)
    taken: dict[str, str] = field(default_factory=dict)

    def row(self, stage: Stage, operation: str, window: Window, dtype: Any) -> Row:
        """Return the row for a stage; always the same one."""
        now = settings()
        imposed = now.kernel or self.taken.get(stage.name) or self.imposed.get(stage.name, "")
        exact, isa = self.exact or now.is_exact, now.isa
        row = choose(operation, window, dtype, imposed, isa, exact=exact, prepared=True)
        self.taken[stage.name] = row.name
        return row


OF_WEIGHTS: Final = frozenset({"w", "bias"})
"""Arguments of kernels that follow from the weights: they stay what they are."""


@dataclass(frozen=True)
class Room:
    """The arrays of one piece of memory, and the choices of its plan.

    Parameters
    ----------
    arrays
        Every value by name: views of the memory, and the network's constants.
    choices
        Rows.
    known
        The values that are constants.
    inside
        Values that lie where a concatenation of them will be, and in which.
    memory
        All of it, as bytes.
    """

    arrays: Mapping[str, Array]
    choices: Choices
    known: Weights
    inside: Mapping[str, Inside]
    memory: Array

    def row_step(
        self, stage: Stage, kernel: str, call: Callable[[], Array], *, is_parallel: bool = True
    ) -> Step:
        """Return what a row does as a step: its launches, if it does nothing else.

        Parameters
        ----------
        stage
            What is computed.
        kernel
            The row's name.
        call
            Calls the row on arrays of this room; gives the result, in the output's place or not.
        is_parallel
            Whether there is enough to do for several threads.
        """
        y = self.arrays[stage.output]
        with noted() as recorder:
            made = call()
        launches = self._lasting(recorder, made)
        if launches:
            here = tuple(moved(launch, made, y) for launch in launches)
            return Step(stage, kernel, None, here, is_parallel)
        return Step(stage, kernel, lambda: _into(y, call()))

    def step(
        self,
        stage: Stage,
        kernel: str,
        calls: Sequence[Callable[[], object]],
        *,
        is_parallel: bool = True,
    ) -> Step:
        """Return calls as a step: what they launch, if they do nothing else.

        Parameters
        ----------
        stage, kernel
            What is computed, and by what.
        calls
            Each works on arrays of this room alone.
        is_parallel
            Whether there is enough to do for several threads.
        """
        with noted() as recorder:
            for call in calls:
                call()
        launches = self._lasting(recorder, self.arrays[stage.output])
        if launches:
            return Step(stage, kernel, None, tuple(launches), is_parallel)
        return Step(stage, kernel, partial(_each, calls))

    def _lasting(self, recorder: Recorder, made: Array) -> list[Launch]:
        """Return the launches to run at each call; none if something was done without one.

        What is computed of the network's weights alone has been computed, and is kept.
        """
        kept, launches, values = self.known.held(), [], [self.memory, made]
        for launch in recorder.launches:
            given = list(launch.arrays.values())
            if any(_is_in(array, values) for array in given):
                launches.append(launch)
            elif all(_is_fixed(array, [*kept, *recorder.made]) for array in given):
                kept += given
            else:
                return []
        known = [*values, *kept]
        return launches if all(_stays(launch, known) for launch in launches) else []


def _each(calls: Sequence[Callable[[], object]]) -> None:
    for call in calls:
        call()


def _stays(launch: Launch, known: Sequence[Array]) -> bool:
    """Whether a launch does the same when it is run again: it reads nothing made for one call."""
    return all(
        name in OF_WEIGHTS or _is_fixed(array, known) for name, array in launch.arrays.items()
    )


def _is_fixed(array: Array, known: Sequence[Array]) -> bool:
    return not array.flags.writeable or not array.size or _is_in(array, known)


def _is_in(array: Array, others: Sequence[Array]) -> bool:
    return any(np.may_share_memory(array, other) for other in others)


def _into(y: Array, made: Array) -> None:
    if made is not y:
        np.copyto(y, made)


Lowering = Callable[[Stage, Room], Step | None]
