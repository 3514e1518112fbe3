"""Weights into the order in which a kernel reads them: panels of output channels.

A kernel takes `width` output channels at a time and reads their weights term by term: the `width`
numbers that one input number is multiplied with lie side by side. A table says where the terms of
a panel's first channel are in the array as given; those of its neighbours follow at one distance::

    packed[panel, term, j] = w[start[panel] + places[term] + j * step]

Zeros fill up the last panel, and terms whose place is negative.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from faltung.kernels import memory
from faltung.kernels.compiled import kernel
from faltung.kernels.isa import Isa
from faltung.kernels.launch import launch
from faltung.kernels.simd import INT, INTS, Code, Int, Pointer

Array = NDArray[Any]

PART: Final = 1 << 14
"""Numbers that a thread packs at a time: for fewer it is not worth waking another."""

FIELDS: Final = (
    *("x", "packed", "places", "terms", "step", "panels", "channels", "group_step"),
    *("part", "total"),
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
        "scratch_size": 0,
    }
    arrays = {"x": np.ascontiguousarray(w), "packed": packed, "places": places}
    blocks = -(-groups * panels // part)
    launch(pack_panels, isa, FIELDS, sizes, arrays, blocks, width=width)
    return packed
