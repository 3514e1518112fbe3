"""The gradient of the weights by direct sums: pixels in the lanes, one sum for each weight.

With the strip of `strips` and a copy of `dout` whose rows lie as far apart as the strip's, zeros in
the gaps, every weight's gradient is an inner product of the two, shifted by the tap's distance::

    dw[co, t] = sum over q of  dout[co, q] * strip[q + offset[t]]

`products` takes some output channels and some taps at a time: it loads both, and every load serves
several products. Strips are taken in a few *runs*, each in its order; the runs' sums are added in
theirs, in float64. How many runs there are follows from the geometry, never from threads.
"""

from __future__ import annotations

from typing import Final

from faltung.kernels.compiled import kernel
from faltung.kernels.simd import INT, INTS, POINTER, Code, Int, Pointer
from faltung.kernels.strips import copy, field, pack_planes, zeros

MORE: Final = (
    *("dout", "partial", "runs", "parts", "part_panels", "steps", "tap_panels"),
    *("dout_offset", "distance", "strip_size"),
)
"""What a block is told beside `strips.FIELDS`."""


@kernel(strip=POINTER, dout=POINTER, sums=POINTER, offsets=INTS, distance=INT)
def products(
    code: Code,
    strip: Pointer,
    dout: Pointer,
    sums: Pointer,
    offsets: Pointer,
    distance: Int,
    *,
    channels: int,
    taps: int,
) -> None:
    """Add to ``channels * taps`` sums their part of one strip; channels are `distance` apart."""
    places = [strip + offsets[t] for t in range(taps)]
    total = [[code.variable(code.constant(0.0)) for _ in range(taps)] for _ in range(channels)]
    with code.loop(distance, step=code.lanes) as q:
        gradients = [code.load(dout + (distance * c + q)) for c in range(channels)]
        for t, place in enumerate(places):
            pixels = code.load(place + q)
            for c, gradient in enumerate(gradients):
                total[c][t].set(code.fma(gradient, pixels, total[c][t].get()))
    found = [one.get() for row in total for one in row]
    found += [code.constant(0.0)] * (-len(found) % code.lanes)
    for first in range(0, len(found), code.lanes):
        place = sums + first
        code.store(place, code.load(place) + code.lane_sums(found[first : first + code.lanes]))


@kernel(arguments=INTS, source=POINTER, out=POINTER, rows=INT)
def pack_dout(code: Code, arguments: Pointer, source: Pointer, out: Pointer, rows: Int) -> None:
    """Copy one channel's rows, each as long as a row of the strip; zeros in the gaps."""
    width, pitch = field(arguments, "out_width"), field(arguments, "pitch")
    with code.loop(rows) as r:
        copy(code, source + r * width, out + r * pitch, width)
        zeros(code, out + (r * pitch + width), pitch - width)
    filled = rows * pitch
    zeros(code, out + filled, field(arguments, "distance", MORE) - filled)


@kernel(
    *(pack_planes, pack_dout, products),
    arguments=INTS,
    block=INT,
    thread=INT,
)
def gradient_block(
    code: Code,
    arguments: Pointer,
    block: Int,
    thread: Int,
    *,
    channels: int,
    taps: int,
    split: int,
) -> None:
    """One run of strips, for some of the output channels."""

    def of(name: str) -> Int:
        return field(arguments, name, MORE)

    part, run = block % of("parts"), block // of("parts")
    groups, strips, depth = of("groups"), of("strips"), of("out_depth")
    scratch = code.address(of("scratch")) + thread * of("scratch_size")
    gradients = scratch + of("dout_offset")
    # Behind the strip lies what products with the zeros behind dout read.
    used = of("group_in") * of("kernel_depth") * of("phase_count") * of("plane_rows") * of("pitch")
    zeros(code, scratch + used, of("strip_size") - used)
    panels = (of("group_out") + (channels - 1)) // channels
    first_panel = part * of("part_panels")
    last_panel = (first_panel + of("part_panels")).at_most(panels)
    first_channel = first_panel * channels
    count = (last_panel * channels).at_most(of("group_out")) - first_channel
    plane = of("depth") * of("height") * of("width")
    out_plane = depth * of("out_height") * of("out_width")
    packed = of("kernel_depth") * of("phase_count") * of("plane_rows") * of("pitch")
    sums_size = -(-channels * taps // code.lanes) * code.lanes
    steps = of("steps")
    first_step, last_step = run * steps // of("runs"), (run + 1) * steps // of("runs")
    with code.loop(groups) as group, code.loop(last_step, start=first_step) as step:
        strip, rest = step % strips, step // strips
        z, image = rest % depth, rest // depth
        first_row = strip * of("strip_rows")
        rows = of("strip_rows").at_most(of("out_height") - first_row)
        first_z = z * of("stride_depth") - of("pad_depth")
        source = code.address(of("x")) + (image * groups + group) * of("group_in") * plane
        with code.loop(of("group_in")) as c:
            place = (source + c * plane, scratch + c * packed)
            pack_planes.call(code, arguments, *place, first_z, first_row, split=split)
        channel = (image * groups + group) * of("group_out") + first_channel
        row = (z * of("out_height") + first_row) * of("out_width")
        dout = code.address(of("dout")) + (channel * out_plane + row)
        with code.loop(count) as c:
            to = gradients + c * of("distance")
            pack_dout.call(code, arguments, dout + c * out_plane, to, rows)
        # Channels that are not there have no gradient: the last panel may be filled up.
        filled = (last_panel - first_panel) * channels
        zeros(code, gradients + count * of("distance"), (filled - count) * of("distance"))
        offsets = code.ints(code.address(of("offsets")))
        partial = code.address(of("partial"))
        base = (run * groups + group) * panels
        with code.loop(last_panel, start=first_panel) as panel:
            own = gradients + (panel - first_panel) * channels * of("distance")
            with code.loop(of("tap_panels")) as t:
                sums = partial + ((base + panel) * of("tap_panels") + t) * sums_size
                given = (scratch, own, sums, offsets + t * taps, of("distance"))
                products.call(code, *given, channels=channels, taps=taps)
