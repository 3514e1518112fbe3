"""Direct convolution with pixels in the lanes: every stride, dilation, group, padding and size.

One block is some rows of one plane of one image's output, for one group. Its input is copied once
into working memory, zeros where there is padding, such that each tap of the kernel becomes one
fixed distance::

    y[q] = bias + sum over taps t of  w[t] * strip[q + offset[t]]

q counts positions of the rows *as they lie in the strip*, whose rows are wider than the output's;
what is computed for the positions between two rows is not copied out. With a stride, the strip is
split into phases: all columns that are congruent modulo the stride lie together (and rows alike),
so that neighbours in q stay neighbours in memory.

So there is one loop over taps, and all the work is in it: load `vectors` vectors of pixels, and add
them, times one weight each, to the sums of `channels` output channels. The sums stay in registers.
"""

from __future__ import annotations

from itertools import product
from math import prod
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from faltung.kernels.compiled import kernel
from faltung.kernels.simd import INT, INTS, POINTER, Code, Int, Pointer, Variable, Vector
from faltung.kernels.strips import copy, field, pack_planes

Array = NDArray[Any]

RUN: Final = 128
"""Taps that are summed one after the other. The sums of such runs are added: what is rounded off
grows with the length of a run and with their number, not with that of the taps."""


@kernel(strip=POINTER, w=POINTER, bias=POINTER, out=POINTER, offsets=INTS, taps=INT, pitch=INT)
def sums(
    code: Code,
    strip: Pointer,
    w: Pointer,
    bias: Pointer,
    out: Pointer,
    offsets: Pointer,
    taps: Int,
    pitch: Int,
    *,
    channels: int,
    vectors: int,
) -> None:
    """Some vectors of pixels of some output channels; ``w`` has their weights tap by tap."""
    rows, columns = range(channels), range(vectors)

    def added(first: Int | int, last: Int | int, start: list[Vector]) -> list[list[Variable]]:
        total = [[code.variable(start[c]) for _ in columns] for c in rows]
        with code.loop(last, start=first) as t:
            place = strip + offsets[t]
            pixels = [code.load(place + v * code.lanes) for v in columns]
            for c in rows:
                weight = code.broadcast(w + (t * channels + c))
                for v in columns:
                    total[c][v].set(code.fma(weight, pixels[v], total[c][v].get()))
        return total

    places = [[out + (pitch * c + v * code.lanes) for v in columns] for c in rows]
    total = added(0, taps.at_most(RUN), [code.broadcast(bias + c) for c in rows])
    for c, v in product(rows, columns):
        code.store(places[c][v], total[c][v].get())
    with code.loop(taps, RUN, start=RUN) as first:
        total = added(first, (first + RUN).at_most(taps), [code.constant(0)] * channels)
        for c, v in product(rows, columns):
            code.store(places[c][v], code.load(places[c][v]) + total[c][v].get())


@kernel(sums, pack_planes, arguments=INTS, block=INT, thread=INT)
def convolve_block(
    code: Code,
    arguments: Pointer,
    block: Int,
    thread: Int,
    *,
    channels: int,
    vectors: int,
    split: int,
) -> None:
    """One block: pack its strip, then for each few output channels sum, and copy the rows out."""

    def of(name: str) -> Int:
        return field(arguments, name)

    strips, groups, depth = of("strips"), of("groups"), of("out_depth")
    strip, rest = block % strips, block // strips
    group, rest = rest % groups, rest // groups
    z, image = rest % depth, rest // depth
    first_row = strip * of("strip_rows")
    rows = of("strip_rows").at_most(of("out_height") - first_row)
    scratch = code.address(of("scratch")) + thread * of("scratch_size")
    plane = of("depth") * of("height") * of("width")
    source = code.address(of("x")) + (image * groups + group) * of("group_in") * plane
    packed = of("kernel_depth") * of("phase_count") * of("plane_rows") * of("pitch")
    first_z = z * of("stride_depth") - of("pad_depth")
    with code.loop(of("group_in")) as c:
        place = (source + c * plane, scratch + c * packed)
        pack_planes.call(code, arguments, *place, first_z, first_row, split=split)
    out = scratch + of("out_offset")
    length = (rows - 1) * of("pitch") + of("out_width")
    offsets = code.ints(code.address(of("offsets")))
    out_plane = depth * of("out_height") * of("out_width")
    panels = (of("group_out") + (channels - 1)) // channels
    with code.loop(panels) as panel:
        number = group * panels + panel
        w = code.address(of("w")) + number * of("taps") * channels
        bias = code.address(of("bias")) + number * channels
        with code.loop(length, step=vectors * code.lanes) as q:
            given = (scratch + q, w, bias, out + q, offsets, of("taps"), of("out_pitch"))
            sums.call(code, *given, channels=channels, vectors=vectors)
        first = panel * channels
        left = (of("group_out") - first).at_most(channels)
        channel = (image * groups + group) * of("group_out") + first
        to = code.address(of("y")) + channel * out_plane
        to = to + (z * of("out_height") + first_row) * of("out_width")
        with code.loop(left) as c, code.loop(rows) as r:
            row = out + c * of("out_pitch") + r * of("pitch")
            copy(code, row, to + c * out_plane + r * of("out_width"), of("out_width"))


def packed_weights(w: Array, groups: int, channels: int) -> Array:
    """Return weights as `sums` reads them: for each few output channels, tap by tap.

    Parameters
    ----------
    w : array (out_channels, in_channels / groups, *kernel)
        The weights.
    groups
        How many.
    channels
        Output channels that are summed together; the last few are filled up with zeros.
    """
    group_out, taps = w.shape[0] // groups, prod(w.shape[1:])
    panels = -(-group_out // channels)
    filled = np.zeros((groups, panels * channels, taps), w.dtype)
    filled[:, :group_out] = w.reshape(groups, group_out, taps)
    by_panel = filled.reshape(groups * panels, channels, taps)
    return np.ascontiguousarray(by_panel.transpose(0, 2, 1))
