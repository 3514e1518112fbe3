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

from math import prod
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from faltung.kernels.compiled import kernel
from faltung.kernels.simd import INT, INTS, POINTER, Code, Int, Pointer

Array = NDArray[Any]

FIELDS: Final = (
    *("x", "w", "bias", "y", "scratch", "offsets", "phases"),
    *("depth", "height", "width", "out_depth", "out_height", "out_width"),
    *("kernel_depth", "stride_depth", "stride_y", "stride_x", "dilation_depth"),
    *("pad_depth", "pad_y", "pad_x"),
    *("groups", "group_in", "group_out", "taps", "phase_count"),
    *("strips", "strip_rows", "plane_rows", "pitch", "scratch_size", "out_offset", "out_pitch"),
)
"""What a block is told, in this order: addresses, sizes, and how the strip lies."""


def field(arguments: Pointer, name: str) -> Int:
    """Read one of the `FIELDS`."""
    return arguments[FIELDS.index(name)]


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
    start = [code.broadcast(bias + c) for c in rows]
    total = [[code.variable(start[c]) for _ in columns] for c in rows]
    with code.loop(taps) as t:
        place = strip + offsets[t]
        pixels = [code.load(place + v * code.lanes) for v in columns]
        for c in rows:
            weight = code.broadcast(w + (t * channels + c))
            for v in columns:
                total[c][v].set(code.fma(weight, pixels[v], total[c][v].get()))
    for c in rows:
        for v in columns:
            code.store(out + (pitch * c + v * code.lanes), total[c][v].get())


@kernel(source=POINTER, out=POINTER, first=INT, size=INT, count=INT, stride=INT)
def copy_row(
    code: Code,
    source: Pointer,
    out: Pointer,
    first: Int,
    size: Int,
    count: Int,
    stride: Int,
    *,
    dense: bool,
) -> None:
    """Copy ``count`` positions ``first + j * stride`` of a row, 0 where they are outside it."""
    if dense:
        lead = (0 - first).at_least(0).at_most(count)
        inside = (size - first).at_most(count).at_least(lead) - lead
        _zeros(code, out, lead)
        _copy(code, source + (first + lead), out + lead, inside)
        _zeros(code, out + (lead + inside), count - lead - inside)
        return
    with code.loop(count) as j:
        at = first + j * stride
        is_inside = code.build.and_(at >= 0, at < size)
        code.store_number(out + j, code.load_number(source + at, is_inside))


def _copy(code: Code, source: Pointer, out: Pointer, count: Int) -> None:
    whole = count // code.lanes * code.lanes
    with code.loop(whole, step=code.lanes) as i:
        code.store(out + i, code.load(source + i))
    rest = code.first(count - whole)
    code.store_some(rest, out + whole, code.load_some(rest, source + whole))


def _zeros(code: Code, out: Pointer, count: Int) -> None:
    zero = code.constant(0.0)
    with code.loop(count, step=code.lanes) as i:
        code.store_some(code.first(count - i), out + i, zero)


@kernel(copy_row, arguments=INTS, plane=POINTER, out=POINTER, z=INT, first_row=INT)
def pack_planes(
    code: Code,
    arguments: Pointer,
    plane: Pointer,
    out: Pointer,
    z: Int,
    first_row: Int,
    *,
    dense: bool,
) -> None:
    """Copy what the rows of one channel need, plane by plane, phase by phase."""

    def of(name: str) -> Int:
        return field(arguments, name)

    phases = code.ints(code.address(of("phases")))
    size = of("plane_rows") * of("pitch")
    with code.loop(of("kernel_depth")) as kz, code.loop(of("phase_count")) as p:
        at_z = z + kz * of("dilation_depth")
        py, px = phases[p * 2], phases[p * 2 + 1]
        to = out + (kz * of("phase_count") + p) * size
        with code.loop(of("plane_rows")) as r:
            at_y = (first_row + r) * of("stride_y") + py - of("pad_y")
            is_plane = code.build.and_(at_z >= 0, at_z < of("depth"))
            is_row = code.build.and_(at_y >= 0, at_y < of("height"))
            is_inside = code.build.and_(is_plane, is_row)
            # A row outside is one of no size: everything that is read of it is padding.
            width = code.choose(is_inside, of("width"), code.integer(0))
            row = plane + (at_z * of("height") + at_y) * of("width")
            row = code.choose_place(is_inside, row, plane)
            copy_row.call(
                code,
                *(row, to + r * of("pitch"), px - of("pad_x"), width),
                *(of("pitch"), of("stride_x")),
                dense=dense,
            )


@kernel(copy_row, sums, pack_planes, arguments=INTS, block=INT, thread=INT)
def convolve_block(
    code: Code,
    arguments: Pointer,
    block: Int,
    thread: Int,
    *,
    channels: int,
    vectors: int,
    dense: bool,
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
        pack_planes.call(code, arguments, *place, first_z, first_row, dense=dense)
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
            _copy(code, row, to + c * out_plane + r * of("out_width"), of("out_width"))


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
