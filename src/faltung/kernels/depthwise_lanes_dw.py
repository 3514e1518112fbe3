"""The weight gradient of depthwise convolution with channels in the lanes: for small planes.

::

    dw[c, ky, kx] = sum over n, oy, ox of  dout[n, c, oy, ox] * x[n, c, oy*s + ky*d - p, ...]

As many channels as there are lanes are brought side by side, of x and of dout. Then a tap's sum is
one vector, which nothing has to be added up in; a few kernel rows' sums stay in registers over
whole strips, and numbers of x serve neighbouring outputs. Rows need not fill vectors.

A block is a run of strips (some rows of a plane) of one vector of channels. Who finishes the last
of its runs adds them up (`fold`).
"""

from __future__ import annotations

from typing import Final

from faltung.kernels.compiled import kernel
from faltung.kernels.fold import fold, is_last
from faltung.kernels.interleave import row_to_lanes
from faltung.kernels.simd import INT, INTS, POINTER, Code, Int, Pointer
from faltung.kernels.strips import zeros

FIELDS: Final = (
    *("x", "dout", "dw", "scratch", "shared", "counts"),
    *("height", "width", "out_height", "out_width", "channels"),
    *("kernel_y", "kernel_x", "stride_y", "dilation_y", "dilation_x", "pad_y", "pad_x"),
    *("strip_rows", "strips", "steps", "runs", "pitch"),
    *("pixels_offset", "dout_offset", "scratch_size", "shared_size"),
)
"""What a block is told, in this order: addresses, sizes, and how working memory lies."""


@kernel(
    x=POINTER,
    dout=POINTER,
    sums=POINTER,
    rows=INT,
    columns=INT,
    lap=INT,
    line=INT,
)
def products_of_lanes(
    code: Code,
    x: Pointer,
    dout: Pointer,
    sums: Pointer,
    rows: Int,
    columns: Int,
    lap: Int,
    line: Int,
    *,
    height: int,
    width: int,
    stride: int,
    dilation: int,
    together: int,
) -> None:
    """Add to ``height * width`` sums those of some rows of outputs, some `together`.

    Rows of x that two outputs below each other read are a ``lap`` apart, those of two kernel rows
    a ``line``.
    """
    lanes = code.lanes
    places = [sums + i * lanes for i in range(height * width)]
    total = [code.variable(code.load(place)) for place in places]

    def added(row: Pointer, gradients: Pointer, count: int) -> None:
        known = [code.load(gradients + t * lanes) for t in range(count)]
        reads: dict[int, list[tuple[int, int]]] = {}
        for t in range(count):
            for k in range(width):
                reads.setdefault(t * stride + k * dilation, []).append((t, k))
        for j in range(height):
            for at, users in sorted(reads.items()):
                vector = code.load(row + line * j + at * lanes)
                for t, k in users:
                    variable = total[j * width + k]
                    variable.set(code.fma(known[t], vector, variable.get()))

    with code.loop(rows) as y:
        row, gradients = x + y * lap, dout + y * columns * lanes
        whole = columns // together * together
        with code.loop(whole, step=together) as q:
            added(row + q * (stride * lanes), gradients + q * lanes, together)
        if together > 1:
            with code.loop(columns, start=whole) as q:
                added(row + q * (stride * lanes), gradients + q * lanes, 1)
    for place, variable in zip(places, total, strict=True):
        code.store(place, variable.get())


@kernel(*(row_to_lanes, products_of_lanes, fold), arguments=INTS, block=INT, thread=INT)
def depthwise_lanes_block(
    code: Code,
    arguments: Pointer,
    block: Int,
    thread: Int,
    *,
    height: int,
    width: int,
    stride: int,
    dilation: int,
    together: int,
) -> None:
    """One run of strips of one vector of channels."""

    def of(name: str) -> Int:
        return arguments[FIELDS.index(name)]

    lanes, zero = code.lanes, code.integer(0)
    run, vector = block % of("runs"), block // of("runs")
    channel = vector * lanes
    left = (of("channels") - channel).at_most(lanes)
    taps, pitch = of("kernel_y") * of("kernel_x"), of("pitch")
    plane, out_plane = of("height") * of("width"), of("out_height") * of("out_width")
    strip = code.address(of("scratch")) + thread * of("scratch_size")
    pixels, gradients = strip + of("pixels_offset"), strip + of("dout_offset")
    runs = code.address(of("shared")) + vector * of("runs") * taps * lanes
    sums = runs + run * taps * lanes
    zeros(code, sums, taps * lanes)
    # Columns around the input stay zeros from the first strip on.
    zeros(code, strip, of("pixels_offset"))
    lead = of("pad_x").at_least(0).at_most(pitch)
    end = (of("pad_x") + of("width")).at_least(lead).at_most(pitch)

    last = of("steps") * (run + 1) // of("runs")

    def copied(source: Pointer, row: Int, rows: Int) -> None:
        """Bring the rows of x that some outputs read side by side, zeros around them."""
        first = row * of("stride_y") - of("pad_y")
        count = (rows - 1) * of("stride_y") + (of("kernel_y") - 1) * of("dilation_y") + 1
        top = first.at_least(0).at_most(of("height"))
        bottom = (first + count).at_most(of("height")).at_least(top)
        length = (bottom - top) * of("width")
        given = (source + top * of("width"), pixels, plane, left, zero, length, length)
        row_to_lanes.call_apart(code, *given)
        with code.loop(count) as r:
            at, to = first + r, strip + r * pitch * lanes
            is_inside = code.build.and_(at >= top, at < bottom)
            with code.either(is_inside) as (inside, outside):
                with inside:
                    line = pixels + ((at - top) * of("width") - of("pad_x")) * lanes
                    with code.loop(end, start=lead) as q:
                        code.store(to + q * lanes, code.load(line + q * lanes))
                with outside, code.loop(end, start=lead) as q:
                    code.store(to + q * lanes, code.constant(0.0))

    with code.loop(last, start=of("steps") * run // of("runs")) as step:
        image, row = step // of("strips"), step % of("strips") * of("strip_rows")
        rows = (of("out_height") - row).at_most(of("strip_rows"))
        first = image * of("channels") + channel
        copied(code.address(of("x")) + first * plane, row, rows)
        source = code.address(of("dout")) + (first * out_plane + row * of("out_width"))
        length = rows * of("out_width")
        given = (source, gradients, out_plane, left, zero, length, length)
        row_to_lanes.call_apart(code, *given)
        lap, line = pitch * of("stride_y") * lanes, pitch * of("dilation_y") * lanes
        with (
            code.loop(of("kernel_y"), step=height) as ky,
            code.loop(of("kernel_x"), step=width) as kx,
        ):
            x = strip + (ky * line + kx * of("dilation_x") * lanes)
            to = sums + (ky * of("kernel_x") + kx) * lanes
            form = {"stride": stride, "dilation": dilation, "together": together}
            shape = (rows, of("out_width"), lap, line)
            products_of_lanes.call_apart(
                code, x, gradients, to, *shape, height=height, width=width, **form
            )
    finished = code.ints(code.address(of("counts"))) + vector
    with code.when(is_last(code, finished, of("runs"))):
        one, size = code.integer(1), taps * lanes
        dw = code.address(of("dw")) + channel * taps
        counts = (one, left, taps, code.integer(lanes), taps)
        fold.call_apart(code, runs, strip, dw, of("runs"), size, *counts)
