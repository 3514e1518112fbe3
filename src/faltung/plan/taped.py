"""A tape made ready to run: its values placed in one piece of memory, its work as programs.

Each piece of work is called once on the arrays that it will have, and what it launches is noted,
not run. Memory that it took meanwhile, for weights in the order of a kernel or for sums, lies in a
second piece, which all works take in turn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from itertools import groupby
from typing import NamedTuple

import numpy as np

from faltung.kernels.memory import LINE, line
from faltung.kernels.program import Program, moved, noted
from faltung.kernels.replay import Launch, Recorder
from faltung.ops.operator import Array
from faltung.plan.arena import Need, Placement, placed
from faltung.plan.tape import Arrays, Tape, Work

Runs = Sequence[Program | Callable[[], object]]
"""What runs some of the work, one after the other."""


class Recorded(NamedTuple):
    """A piece of work as it runs.

    Parameters
    ----------
    work
        What it is.
    launches
        What it launches, if that is all that it does.
    made
        Memory that the launches take beside the tape's values.
    run
        Does the work, if there are no launches.
    """

    work: Work
    launches: tuple[Launch, ...]
    made: tuple[Array, ...]
    run: Callable[[], object] | None


class Placed(NamedTuple):
    """Where values lie: which are views of others, and where the others begin."""

    roots: Mapping[str, str]
    offsets: Placement


def placed_values(tape: Tape, fixed: Iterable[str]) -> Placed:
    """Place what a tape computes, so that values needed at one time do not overlap.

    Parameters
    ----------
    tape
        Its inputs are needed from the first step on, and its outputs until the way back begins.
    fixed
        Values that lie elsewhere.
    """
    elsewhere, turn = set(fixed), len(tape.forward)
    roots = {name: _root(tape, name) for name in tape.values}
    works = dict(enumerate(tape.forward))
    works |= dict(enumerate((*tape.backward, *tape.settling), start=turn + 1))
    uses = [(value.name, 0) for value in tape.graph.inputs]
    uses += [(name, at) for at, work in works.items() for name in (*work.reads, *work.writes)]
    uses += [(name, turn) for name in (*tape.graph.outputs, *tape.handed)]
    needs: dict[str, Need] = {}
    for name, at in uses:
        root = roots[name]
        old = needs.get(root, Need(tape.values[root].nbytes, at, at))
        needs[root] = Need(old.nbytes, min(old.first, at), max(old.last, at))
    for at, work in works.items():
        for new, before in work.over:
            one, other = roots[new], roots[before]
            if not elsewhere & {one, other} and _follow(needs[other], needs[one], at):
                roots |= {name: other for name, root in roots.items() if root == one}
                needs[other] = needs[other]._replace(last=needs.pop(one).last)
    own = {name: need for name, need in needs.items() if name not in elsewhere}
    return Placed(roots, placed(own))


def _follow(one: Need, other: Need, at: int) -> bool:
    """Whether a value is needed no more when another of its size comes to be."""
    return one.nbytes == other.nbytes and one.last == at == other.first


def arrays_of(
    tape: Tape, places: Placed, fixed: Mapping[str, Array], memory: Array
) -> dict[str, Array]:
    """Return every value of a tape as an array.

    Parameters
    ----------
    tape, places
        As `placed_values` placed it.
    fixed
        Values that lie elsewhere.
    memory
        Bytes, from a cache line on.
    """
    arrays = dict(fixed)
    for name, value in tape.values.items():
        root = places.roots[name]
        if name in arrays:
            continue
        if root in fixed:
            arrays[name] = fixed[root].reshape(value.shape)
        elif root in places.offsets.offsets:
            begin = places.offsets.offsets[root]
            room = memory[begin : begin + value.nbytes]
            arrays[name] = room.view(value.dtype).reshape(value.shape)
    return arrays


def recorded(works: Sequence[Work], arrays: Arrays, known: Sequence[Array]) -> list[Recorded]:
    """Note what each piece of work launches.

    Parameters
    ----------
    works
        In their order.
    arrays
        Every value.
    known
        All memory that these lie in, which stays.
    """
    return [_recorded(work, arrays, known) for work in works]


def temporary_bytes(works: Iterable[Recorded]) -> int:
    """Return how much memory works take beside values, one at a time."""
    return max((sum(_room(array) for array in work.made) for work in works), default=0)


def runs_of(works: Sequence[Recorded], temporary: Array) -> Runs:
    """Return what runs works: neighbours that are launches alone as one program.

    Parameters
    ----------
    works
        In their order.
    temporary
        Memory that they take in turn.
    """
    runs: list[Program | Callable[[], object]] = []
    for is_compiled, group in groupby(works, key=lambda work: work.run is None):
        if not is_compiled:
            runs += [work.run for work in group if work.run is not None]
            continue
        found = [(x, work.work.is_parallel) for work in group for x in _there(work, temporary)]
        if found:
            launches, parallel = zip(*found, strict=True)
            runs.append(Program(launches, parallel))
    return runs


def _root(tape: Tape, name: str) -> str:
    while name in tape.inside:
        name = tape.inside[name]
    return name


def _recorded(work: Work, arrays: Arrays, known: Sequence[Array]) -> Recorded:
    run = partial(_run, work, arrays)
    if not work.is_launched:
        return Recorded(work, (), (), run)
    with noted(is_dry=True) as recorder, np.errstate(all="ignore"):
        result = work.call(arrays)
    y = arrays[work.writes[0]]
    if not recorder.launches or not _lasts(recorder, y if result is None else result, known):
        return Recorded(work, (), (), run)
    launches, made = recorder.launches, recorder.made
    if result is not None and result is not y:
        launches = [moved(launch, result, y) for launch in launches]
        made = [array for array in made if not np.may_share_memory(array, result)]
    return Recorded(work, tuple(launches), tuple(made), None)


def _lasts(recorder: Recorder, result: Array, known: Sequence[Array]) -> bool:
    """Whether launches do all that was done, and read and write nothing made for one call."""
    there = [*known, *recorder.made, *recorder.zeros]
    given = [array for launch in recorder.launches for array in launch.arrays.values()]
    return any(np.may_share_memory(array, result) for array in given) and all(
        not array.flags.writeable
        or not array.size
        or any(np.may_share_memory(array, other) for other in there)
        for array in given
    )


def _room(array: Array) -> int:
    """Return how many bytes an array takes where its place in a cache line is kept."""
    return line(array.nbytes) + LINE


def _there(work: Recorded, temporary: Array) -> list[Launch]:
    """Return a work's launches with their own memory in the place that all works share."""
    launches, begin = list(work.launches), 0
    for array in work.made:
        start = begin + (array.ctypes.data - temporary.ctypes.data - begin) % LINE
        place = temporary[start : start + array.nbytes].view(array.dtype)
        launches = [moved(launch, array, place) for launch in launches]
        begin += _room(array)
    return launches


def _run(work: Work, arrays: Arrays) -> None:
    """Do the work by Python."""
    result, y = work.call(arrays), arrays[work.writes[0]]
    if result is not None and result is not y:
        np.copyto(y, result)
