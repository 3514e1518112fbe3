"""Weights into the order in which a kernel reads them: panels of output channels.

A kernel takes `width` output channels at a time and reads their weights term by term: the `width`
numbers that one input number is multiplied with lie side by side. A table says where the terms of
a panel's first channel are in the array as given; those of its neighbours follow at one distance::

    packed[panel, term, j] = w[start[panel] + places[term] + j * step]

Zeros fill up the last panel, and terms whose place is negative.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from faltung.kernels import memory
from faltung.kernels.compiled import kernel
from faltung.kernels.interleave import square_to_lanes, transposed
from faltung.kernels.isa import Isa
from faltung.kernels.launch import launch
from faltung.kernels.simd import INT, INTS, POINTER, Code, Int, Pointer

Array = NDArray[Any]

PART: Final = 1 << 14
"""Numbers that a thread packs at a time: for fewer it is not worth waking another."""

FIELDS: Final = (
    *("x", "packed", "places", "terms", "step", "panels", "channels", "group_step"),
    *("part", "total", "run", "run_step", "runs", "scratch", "scratch_size"),
)


@kernel(arguments=INTS, block=INT, thread=INT)
def pack_panels(code: Code, arguments: Pointer, block: Int, thread: Int, *, width: int) -> None:
    """Write the panels of one part."""

    def of(name: str) -> Int:
        return arguments[FIELDS.index(name)]

    terms, step, panels = of("terms"), of("step"), of("panels")
    places = code.ints(code.address(of("places")))
    first = block * of("part")
    with code.loop((first + of("part")).at_most(of("total")), start=first) as number:
        panel, group = number % panels, number // panels
        source = code.address(of("x")) + (group * of("group_step") + panel * step * width)
        packed = code.address(of("packed")) + number * terms * width
        count = (of("channels") - panel * width).at_most(width)
        with code.loop(terms) as t:
            place, to = places[t], packed + t * width
            there = code.choose(place >= 0, count, code.integer(0))
            with code.either(there >= width) as (whole, border):
                with whole:
                    for j in range(width):
                        number_at = (source + (place + step * j)).value
                        value = code.build.load(number_at, typ=code.element, align=code.itemsize)
                        code.store_number(to + j, value)
                with border, code.loop(width) as i:
                    value = code.load_number(source + (place + step * i), i < there)
                    code.store_number(to + i, value)


@kernel(
    square_to_lanes,
    source=POINTER,
    packed=POINTER,
    square=POINTER,
    places=INTS,
    channels=INT,
    step=INT,
    runs=INT,
    run=INT,
    run_step=INT,
    terms=INT,
)
def pack_panel(
    code: Code,
    source: Pointer,
    packed: Pointer,
    square: Pointer,
    places: Pointer,
    channels: Int,
    step: Int,
    runs: Int,
    run: Int,
    run_step: Int,
    terms: Int,
    *,
    width: int,
) -> None:
    """Write a panel of ``channels`` channels by transposes: their terms lie in runs, side by side.

    ``places`` says where each of them goes, run after run, and then which terms are zeros.
    """
    lanes = code.lanes
    for v in range(0, width, lanes):
        count = channels - v
        with code.loop(runs) as r, code.loop(run, step=lanes) as t:
            left, goes = run - t, places + (r * run + t)
            begin = source + (step * v + r * run_step + t)
            is_whole = code.build.and_(count >= lanes, left >= lanes)
            with code.either(is_whole) as (whole, border):
                with whole:
                    rows = [code.load(begin + step * i) for i in range(lanes)]
                    for k, vector in enumerate(transposed(code, rows)):
                        code.store(packed + (goes[k] * width + v), vector)
                with border:
                    square_to_lanes.call(code, begin, square, step, count, left)
                    with code.loop(left.at_most(lanes)) as i:
                        code.store(packed + (goes[i] * width + v), code.load(square + i * lanes))
        with code.loop(terms, start=runs * run) as t:
            code.store(packed + (places[t] * width + v), code.constant(0.0))


@kernel(pack_panel, arguments=INTS, block=INT, thread=INT)
def pack_squares(code: Code, arguments: Pointer, block: Int, thread: Int, *, width: int) -> None:
    """Write the panels of one part by transposes."""

    def of(name: str) -> Int:
        return arguments[FIELDS.index(name)]

    step, panels, terms = of("step"), of("panels"), of("terms")
    square = code.address(of("scratch")) + thread * of("scratch_size")
    first = block * of("part")
    with code.loop((first + of("part")).at_most(of("total")), start=first) as number:
        panel, group = number % panels, number // panels
        source = code.address(of("x")) + (group * of("group_step") + panel * step * width)
        packed = code.address(of("packed")) + number * terms * width
        places, channels = code.ints(code.address(of("places"))), of("channels") - panel * width
        given = (source, packed, square, places, channels, step)
        sizes = (of("runs"), of("run"), of("run_step"), terms)
        pack_panel.call_apart(code, *given, *sizes, width=width)


class Runs(NamedTuple):
    """Where a channel's terms lie: `runs` of a `size`, a `step` apart; where each term goes."""

    runs: int
    size: int
    step: int
    targets: Array


def pack(
    w: Array,
    places: Array,
    isa: Isa,
    *,
    width: int,
    channels: int,
    step: int,
    groups: int = 1,
    group_step: int = 0,
    runs: Runs | None = None,
) -> Array:
    """Return weights in panels: an array (groups * panels, terms, width).

    Parameters
    ----------
    w : array, float32 or float64
        Weights, in any shape.
    places : array of int64
        Where a channel's terms are, from its first number on; negative for a term of zeros.
    isa
        The instruction set.
    width
        Channels of a panel.
    channels
        Of one group.
    step
        Numbers between two channels.
    groups, group_step
        How many groups, and the numbers between two.
    runs : Runs, optional
        What `runs_of` gave for the places; a panel is whole vectors then.
    """
    panels = -(-channels // width)
    packed = memory.empty((groups * panels, len(places), width), w.dtype)
    part = max(1, PART // max(1, len(places) * width))
    sizes = {
        "terms": len(places),
        "step": step,
        "panels": panels,
        "channels": channels,
        "group_step": group_step,
        "part": part,
        "total": groups * panels,
        **dict.fromkeys(("runs", "run", "run_step", "scratch_size"), 0),
    }
    arrays = {"x": np.ascontiguousarray(w), "packed": packed, "places": places}
    blocks = -(-groups * panels // part)
    if runs is None:
        launch(pack_panels, isa, FIELDS, sizes, arrays, blocks, width=width)
        return packed
    sizes |= {"runs": runs.runs, "run": runs.size, "run_step": runs.step}
    sizes["scratch_size"], arrays["places"] = isa.lanes(w.dtype.itemsize) ** 2, runs.targets
    launch(pack_squares, isa, FIELDS, sizes, arrays, blocks, width=width)
    return packed


def runs_of(places: Array, count: int, size: int, step: int) -> Runs | None:
    """Return where each number of so many runs goes, then which terms are zeros.

    None where some of the numbers go nowhere, or to several places, or are another channel's:
    weights can then not be packed by transposes.

    >>> runs_of(np.array([2, -1, 0, 1]), 1, 3, 3).targets.tolist()
    [2, 3, 0, 1]
    """
    used = np.flatnonzero(places >= 0)
    run, term = np.divmod(places[used], step)
    order = run * size + term
    if (term >= size).any() or not np.array_equal(np.sort(order), np.arange(count * size)):
        return None
    zeros = np.flatnonzero(places < 0)
    targets = np.concatenate([used[np.argsort(order)], zeros]).astype(np.int64)
    return Runs(count, size, step, memory.constant(targets))
