"""Depthwise convolution: each output plane is made from one input plane, or from a few.

One block of work is some rows of some output planes. For each, the addresses of all input rows that
are needed are written into a table, that of a row of zeros for what is above, below, before or
behind the input; then `depthwise_rows` slides over them, a few output rows at a time. Nothing is
copied. Rows are short, and no CPU guesses how all of them go on: each time, what lies behind them
is asked for. The last rows of a plane are taken together with some that are done: those are not
written again.
"""

from __future__ import annotations

from typing import Any, Final

from faltung.kernels.compiled import kernel
from faltung.kernels.depthwise_rows import slide_rows
from faltung.kernels.simd import I64, INT, INTS, Code, Int, Pointer
from faltung.kernels.strips import zeros

FIELDS: Final = (
    *("x", "w", "bias", "y", "residual", "scratch"),
    *("depth", "height", "width", "out_depth", "out_rows", "out_width"),
    *("out_channel", "out_plane", "out_pitch", "out_first"),
    *("out_channels", "group_in", "group_out"),
    *("kernel_depth", "stride_depth", "stride_y", "dilation_depth"),
    *("pad_depth", "pad_y", "lead", "span", "strips", "units", "together"),
    *("zeros_offset", "scratch_size"),
)
"""What a block is told, in this order.

A *unit* is a strip of rows of one output plane; ``together`` of them are one block. In the output
``out_channel``, ``out_plane`` and ``out_pitch`` are the distances of channels, planes and rows, and
``out_first`` that of the first number; a strip needs ``span`` rows of the input.
"""


def field(arguments: Pointer, name: str) -> Int:
    """Read one of the `FIELDS`."""
    return arguments[FIELDS.index(name)]


@kernel(arguments=INTS, table=INTS, source=INT, first_z=INT, first_row=INT, nothing=INT)
def fill_table(
    code: Code,
    arguments: Pointer,
    table: Pointer,
    source: Int,
    first_z: Int,
    first_row: Int,
    nothing: Int,
) -> None:
    """Write the addresses of the rows that a strip needs, for all planes that it sums over."""

    def of(name: str) -> Int:
        return field(arguments, name)

    span, planes = of("span"), of("kernel_depth")
    with code.loop(of("group_in")) as c, code.loop(planes) as kz, code.loop(span) as r:
        z, at = first_z + kz * of("dilation_depth"), first_row + r
        is_plane = code.build.and_(z >= 0, z < of("depth"))
        is_row = code.build.and_(at >= 0, at < of("height"))
        row = source + ((c * of("depth") + z) * of("height") + at) * of("width") * code.itemsize
        address = code.choose(code.build.and_(is_plane, is_row), row, nothing)
        place = table + ((c * planes + kz) * span + r)
        code.build.store(address.value, place.value, align=8)


def fetch(code: Code, place: Pointer, count: Int, *, writes: bool = False) -> None:
    """Tell the CPU that so many numbers are needed soon."""
    with code.loop(count, step=64 // code.itemsize) as at:
        code.prefetch(place + at, writes=writes)


@kernel(slide_rows, fill_table, arguments=INTS, block=INT, thread=INT)
def depthwise_block(
    code: Code,
    arguments: Pointer,
    block: Int,
    thread: Int,
    *,
    shape: tuple[Any, ...],
    activation: tuple[str, float, float],
    adds: bool,
) -> None:
    """Some units: for each a table of rows, then its rows of output, a few at a time."""

    def of(name: str) -> Int:
        return field(arguments, name)

    scratch = code.address(of("scratch")) + thread * of("scratch_size")
    nothing = scratch + of("zeros_offset")
    zeros(code, nothing, of("width"))
    table, empty = code.ints(scratch), Int(code.build, code.build.ptrtoint(nothing.value, I64))
    rows, step = shape[0], shape[3]
    weights = of("group_in") * of("kernel_depth") * (shape[1] * shape[2])
    first_unit = block * of("together")
    last_unit = (first_unit + of("together")).at_most(of("units"))
    with code.loop(last_unit, start=first_unit) as unit:
        strip, rest = unit % of("strips"), unit // of("strips")
        z, rest = rest % of("out_depth"), rest // of("out_depth")
        channel, image = rest % of("out_channels"), rest // of("out_channels")
        first = strip * of("out_rows") // of("strips")
        count = (strip + 1) * of("out_rows") // of("strips") - first
        groups = of("out_channels") // of("group_out")
        plane = (image * groups + channel // of("group_out")) * of("group_in")
        volume = of("depth") * of("height") * of("width")
        source = of("x") + plane * volume * code.itemsize
        from_z = z * of("stride_depth") - of("pad_depth")
        from_y = first * of("stride_y") - of("pad_y")
        fill_table.call(code, arguments, table, source, from_z, from_y, empty)
        place = rest * of("out_channel") + z * of("out_plane") + first * of("out_pitch")
        y = code.address(of("y")) + (of("out_first") + place)
        residual = code.address(of("residual")) + (of("out_first") + place)
        w = code.address(of("w")) + channel * weights
        bias = code.address(of("bias")) + channel
        # What the next unit reads and writes lies behind what this one does.
        from_z, from_y = z * of("stride_depth"), (first + count) * of("stride_y")
        soon = code.address(source) + (from_z * of("height") + from_y) * of("width")
        with code.loop(count, step=rows) as r:
            fetch(code, soon + r * step * of("width"), rows * step * of("width"))
            fetch(code, y + (count + r) * of("out_pitch"), rows * of("out_pitch"), writes=True)
            # The last rows of a strip overlap those before; a strip has at least so many.
            start = r.at_most(count - rows)
            offset = start * of("out_pitch")
            slide_rows.call(
                code,
                *(table + start * step, w, bias, y + offset, residual + offset),
                *(of("width"), of("out_width"), of("out_pitch"), r - start, of("lead")),
                *(of("group_in") * of("kernel_depth"), of("span")),
                block=shape,
                activation=activation,
                adds=adds,
            )
