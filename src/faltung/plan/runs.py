"""What runs steps one after the other, and where it has the addresses of inputs and outputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from typing import NamedTuple

import numpy as np

from faltung.kernels.program import Program, Words
from faltung.ops.operator import Array
from faltung.plan.room import Step
from faltung.plan.values import Layout

Bound = Sequence[tuple[Program, Words]]
"""Where programs have an array's address."""


class Run(NamedTuple):
    """Neighbouring steps as one program, or one step that is called.

    Parameters
    ----------
    call
        The program, or what computes the step.
    steps
        Of each launch of a program the number of its step; of what is called its own.
    """

    call: Program | Callable[[], object]
    steps: tuple[int, ...]


def runs_of(steps: Sequence[Step]) -> list[Run]:
    """Return what runs steps: neighbours that are launches alone together, in one program."""
    runs: list[Run] = []
    for is_compiled, group in groupby(enumerate(steps), key=lambda item: item[1].run is None):
        if not is_compiled:
            runs += [Run(step.run, (at,)) for at, step in group if step.run is not None]
            continue
        found = [(at, launch, step.is_parallel) for at, step in group for launch in step.launches]
        if found:
            numbers, launches, parallel = zip(*found, strict=True)
            runs.append(Run(Program(launches, parallel), numbers))
    return runs


def bound_in(layout: Layout, arrays: Mapping[str, Array], runs: Sequence[Run]) -> dict[str, Bound]:
    """Return where the addresses of inputs and outputs stand, of those that can be moved.

    An input is moved if only programs read it, an output if only programs know it.

    Parameters
    ----------
    layout
        When each value is needed.
    arrays
        Where it is.
    runs
        What runs the steps.
    """
    found: dict[str, Bound] = {}
    root, needs = layout.places.root, layout.places.needs
    ends = [*(value.name for value in layout.graph.inputs), *layout.graph.outputs]
    roots = [root(name) for name in ends]
    for name, whole in zip(ends, roots, strict=True):
        is_alone = roots.count(whole) == 1 and whole in needs
        if not is_alone or not 0 < arrays[name].nbytes == arrays[whole].nbytes:
            continue
        knowing = {
            at
            for at, stage in enumerate(layout.order)
            if whole in map(root, (*stage.inputs, *stage.outputs))
        }
        if any(not isinstance(r.call, Program) and r.steps[0] in knowing for r in runs):
            continue
        first, last = needs[whole].first, needs[whole].last
        found[name] = [
            (run.call, run.call.words(arrays[whole], _within(run.steps, first, last)))
            for run in runs
            if isinstance(run.call, Program)
        ]
    return found


def _within(steps: Sequence[int], first: int, last: int) -> range:
    numbers = np.array(steps)
    inside = np.flatnonzero((first <= numbers) & (numbers <= last))
    return range(int(inside[0]), int(inside[-1]) + 1) if len(inside) else range(0)
