"""The data gradient of depthwise convolution with channels in the lanes: for small planes.

Each number of dout is added to what it was made from, times the weights::

    dx[n, c, oy*s + ky*d - p, ox*s + kx*d - p] += dout[n, c, oy, ox] * w[c, ky, kx]

As many channels as there are lanes are brought side by side, so that a tap is one vector of weights
and one product, whatever the stride: no product is with a zero between the numbers of dout. Sums
lie in the nearest caches, as rows with all that padding cuts off, and what is inside goes back.
"""

from __future__ import annotations

from typing import Final

from faltung.kernels.compiled import kernel
from faltung.kernels.interleave import row_from_lanes, row_to_lanes
from faltung.kernels.simd import INT, INTS, POINTER, Code, Int, Pointer, Vector

FIELDS: Final = (
    *("dout", "w", "dx", "scratch"),
    *("height", "width", "out_height", "out_width", "channels", "batch", "images"),
    *("kernel_y", "stride_y", "dilation_y", "taps", "pitch", "size", "first", "begin"),
    *("dout_offset", "weights_offset", "scratch_size"),
)
"""What a block is told, in this order.

Rows of sums are ``pitch`` positions long, ``size`` numbers in all; the first position of dx is at
``first`` of them, the first that dout's first number is added to at ``begin``.
"""


@kernel(
    dout=POINTER,
    sums=POINTER,
    weights=POINTER,
    columns=INT,
    rows=INT,
    line=INT,
)
def spread_row(
    code: Code,
    dout: Pointer,
    sums: Pointer,
    weights: Pointer,
    columns: Int,
    rows: Int,
    line: Int,
    *,
    width: int,
    stride: int,
    dilation: int,
    together: int,
) -> None:
    """Add a row of dout, times the weights, to rows of sums that are a ``line`` apart.

    Some numbers of dout go `together`: a sum that several of them add to is read and written once.
    """
    lanes = code.lanes

    def added(gradients: Pointer, at: Pointer, own: list[Vector], count: int) -> None:
        known = [code.load(gradients + t * lanes) for t in range(count)]
        places: dict[int, list[tuple[int, int]]] = {}
        for t in range(count):
            for kx in range(width):
                places.setdefault(t * stride + kx * dilation, []).append((t, kx))
        for position, users in sorted(places.items()):
            total = code.load(at + position * lanes)
            for t, kx in users:
                total = code.fma(known[t], own[kx], total)
            code.store(at + position * lanes, total)

    with code.loop(rows) as ky:
        own = [code.load(weights + (ky * width + kx) * lanes) for kx in range(width)]
        row, whole = sums + ky * line, columns // together * together
        with code.loop(whole, step=together) as q:
            added(dout + q * lanes, row + q * (stride * lanes), own, together)
        if together > 1:
            with code.loop(columns, start=whole) as q:
                added(dout + q * lanes, row + q * (stride * lanes), own, 1)


@kernel(
    *(row_to_lanes, row_from_lanes, spread_row),
    arguments=INTS,
    block=INT,
    thread=INT,
)
def depthwise_lanes_dx_block(
    code: Code,
    arguments: Pointer,
    block: Int,
    thread: Int,
    *,
    width: int,
    stride: int,
    dilation: int,
    together: int,
) -> None:
    """Some images of one vector of channels."""

    def of(name: str) -> Int:
        return arguments[FIELDS.index(name)]

    lanes, zero = code.lanes, code.integer(0)
    vectors = (of("channels") + (lanes - 1)) // lanes
    channel, image = block % vectors * lanes, block // vectors * of("images")
    left = (of("channels") - channel).at_most(lanes)
    plane, out_plane = of("height") * of("width"), of("out_height") * of("out_width")
    sums = code.address(of("scratch")) + thread * of("scratch_size")
    pixels, weights = sums + of("dout_offset"), sums + of("weights_offset")
    taps, pitch = of("taps"), of("pitch") * lanes
    source = code.address(of("w")) + channel * taps
    row_to_lanes.call_apart(code, source, weights, taps, left, zero, taps, taps)
    with code.loop((image + of("images")).at_most(of("batch")), start=image) as n:
        first = n * of("channels") + channel
        dout = code.address(of("dout")) + first * out_plane
        row_to_lanes.call_apart(code, dout, pixels, out_plane, left, zero, out_plane, out_plane)
        with code.loop(of("size"), step=lanes) as i:
            code.store(sums + i, code.constant(0.0))
        with code.loop(of("out_height")) as y:
            to = sums + (of("begin") + y * of("stride_y") * pitch)
            row = pixels + y * of("out_width") * lanes
            given = (row, to, weights, of("out_width"), of("kernel_y"), of("dilation_y") * pitch)
            form = {"width": width, "stride": stride, "dilation": dilation, "together": together}
            spread_row.call_apart(code, *given, **form)
        # Rows of dx follow one another: all of them are one long row, in the place of dout's.
        with code.loop(of("height")) as y, code.loop(of("width")) as q:
            vector = code.load(sums + (of("first") + y * pitch + q * lanes))
            code.store(pixels + (y * of("width") + q) * lanes, vector)
        dx = code.address(of("dx")) + first * plane
        row_from_lanes.call_apart(code, pixels, code.integer(lanes), dx, plane, left, plane, dx)
