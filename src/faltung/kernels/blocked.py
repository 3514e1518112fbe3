"""Direct convolution with channels in the lanes, forward and of the input's gradient.

Arrays hold channel after channel; a register block wants them side by side. So one block of work
takes some rows (and columns) of one image: their input goes through a transpose into a strip in the
second-level cache, `panel` sums a few vectors of output channels after the other into a second
strip, and that one goes back through a transpose to the result. In a strip every tap of the kernel
is one distance, whatever stride, dilation and padding: a table of distances is all that `panel`
needs.

The gradient of the input has `stride` phases on each axis: its positions that are congruent modulo
the stride are a convolution of stride 1 of `dout`, with those taps alone that come to them. Phases
share the strip they read. Those that lie beside each other in a row are written to it in turn,
a `stride` apart, so that whole rows leave. A forward convolution is the case of one phase.

Long sums are taken in runs of `RUN` products, and these are added.
"""

from __future__ import annotations

from typing import Any, Final

from faltung.kernels.compiled import kernel
from faltung.kernels.interleave import row_from_lanes, row_to_lanes
from faltung.kernels.micro import ADDED, START, panel
from faltung.kernels.packing import pack_panel
from faltung.kernels.simd import INT, INTS, POINTER, Code, Int, Pointer

RUN: Final = 256
"""Products that are summed one after the other; the runs' sums are added."""

FIELDS: Final = (
    *("x", "w", "bias", "y", "residual", "scratch", "offsets", "phases", "planes"),
    *("depth", "height", "width", "out_depth", "out_height", "out_width"),
    *("groups", "group_in", "group_out", "in_blocks", "blocks"),
    *("step_z", "step_y", "step_x", "lead_z", "lead_y", "lead_x", "span_y"),
    *("phases_z", "phases_y", "phases_x", "plane_count", "plane_size", "pitch"),
    *("grid_depth", "grid_height", "grid_width", "strip_rows", "strips", "segment", "segments"),
    *("parts", "part_panels", "panels", "pixels", "wide_pixels", "out_offset", "scratch_size"),
    *("targets", "step", "group_step", "runs", "run", "run_step", "near_offset", "square_offset"),
)
"""What a block is told. A grid counts positions of one phase; `pixels` is a row's, filled up;
`wide_pixels` of them are in wide register blocks.

The last line is of weights as they are given: see `packing.pack_panel`.
"""


def field(arguments: Pointer, name: str) -> Int:
    """Read one of the `FIELDS`."""
    return arguments[FIELDS.index(name)]


@kernel(row_to_lanes, arguments=INTS, image=POINTER, strip=POINTER, z=INT, y=INT, x=INT, rows=INT)
def fill_strip(
    code: Code,
    arguments: Pointer,
    image: Pointer,
    strip: Pointer,
    z: Int,
    y: Int,
    x: Int,
    rows: Int,
    *,
    length: int,
) -> None:
    """Copy the input from (z, y, x) on, zeros outside: ``[block][plane][row][column]``."""

    def of(name: str) -> Int:
        return field(arguments, name)

    size, pitch = of("height") * of("width"), of("pitch")
    volume = of("depth") * size
    planes = code.ints(code.address(of("planes")))
    with code.loop(of("in_blocks")) as b, code.loop(of("plane_count")) as k:
        at_z = z + planes[k]
        is_plane = code.build.and_(at_z >= 0, at_z < of("depth"))
        channels = (of("group_in") - b * length).at_most(length)
        source = image + b * length * volume
        to = strip + (b * of("plane_count") + k) * of("plane_size")
        with code.loop(rows) as r:
            at_y = y + r
            is_row = code.build.and_(at_y >= 0, at_y < of("height"))
            # A row outside is one of no size: everything that is read of it is padding.
            width = code.choose(code.build.and_(is_plane, is_row), of("width"), code.integer(0))
            row = source + (at_z * size + at_y * of("width"))
            given = (to + r * pitch * code.lanes, volume, channels, x, width, pitch)
            row_to_lanes.call(code, row, *given)


@kernel(
    panel, arguments=INTS, strip=POINTER, out=POINTER, w=POINTER, bias=POINTER, phase=INT, rows=INT
)
def sum_phase(
    code: Code,
    arguments: Pointer,
    strip: Pointer,
    out: Pointer,
    w: Pointer,
    bias: Pointer,
    phase: Int,
    rows: Int,
    *,
    pixels: int,
    uneven: bool,
    vectors: int,
    length: int,
    step: int,
    prefetches: bool,
) -> None:
    """Sum one phase of some rows for one panel of output channels, run after run.

    A run's weights stay in the first-level cache while all pixels pass over them. Where a row is
    `uneven`, the last register blocks have a pixel less than `pixels`.
    """

    def of(name: str) -> Int:
        return field(arguments, name)

    width, run = vectors * code.lanes, max(1, RUN // length)
    phases = code.ints(code.address(of("phases")))
    first, count = phases[phase * 2], phases[phase * 2 + 1]
    offsets = code.ints(code.address(of("offsets"))) + first
    weights = w + first * (length * width)
    across = of("phases_x") * width
    block = {"vectors": vectors, "length": length, "step": step}

    def sum_run(b: Int, blocks: Int, begin: str) -> None:
        here = weights + b * (length * width)
        ahead = here + blocks * (length * width)

        def sum_pixels(r: Int, q: Int, together: int) -> None:
            source = strip + (r * of("step_y") * of("pitch") * code.lanes + q * step)
            to = out + (r * of("pixels") + q) * across
            given = (source, here, bias, to, offsets + b, blocks, across)
            rest: dict[str, Any] = {"pixels": together, "begin": begin, "prefetches": prefetches}
            panel.call(code, *given, code.integer(code.lanes), ahead, **block, **rest)

        with code.loop(rows) as r:
            with code.loop(of("wide_pixels"), step=pixels) as q:
                sum_pixels(r, q, pixels)
            if uneven:
                with code.loop(of("pixels"), step=pixels - 1, start=of("wide_pixels")) as q:
                    sum_pixels(r, q, pixels - 1)

    sum_run(code.integer(0), count.at_most(run), START)
    with code.loop(count, run, start=run) as b:
        sum_run(b, (count - b).at_most(run), ADDED)


@kernel(
    row_from_lanes,
    arguments=INTS,
    out=POINTER,
    to=POINTER,
    residual=POINTER,
    channels=INT,
    count=INT,
)
def write_row(
    code: Code,
    arguments: Pointer,
    out: Pointer,
    to: Pointer,
    residual: Pointer,
    channels: Int,
    count: Int,
    *,
    vectors: int,
    **store: Any,
) -> None:
    """Write one row of a panel's output channels."""
    plane = field(arguments, "out_depth") * field(arguments, "out_height")
    plane = plane * field(arguments, "out_width")
    step = code.integer(vectors * code.lanes)
    for v in range(vectors):
        left = channels - v * code.lanes
        at = plane * (v * code.lanes)
        with code.when(left > 0):
            given = (out + v * code.lanes, step, to + at, plane, left, count, residual + at)
            row_from_lanes.call(code, *given, **store)


@kernel(fill_strip, sum_phase, write_row, pack_panel, arguments=INTS, block=INT, thread=INT)
def convolve_block(
    code: Code,
    arguments: Pointer,
    block: Int,
    thread: Int,
    *,
    vectors: int,
    is_packed: bool,
    activation: tuple[str, float, float],
    adds: bool,
    **form: Any,
) -> None:
    """Compute some rows and columns of one grid plane of one image, for a part of the panels.

    Weights that are as they were given are packed panel by panel, right before they are used.
    """

    def of(name: str) -> Int:
        return field(arguments, name)

    part, rest = block % of("parts"), block // of("parts")
    segment, rest = rest % of("segments"), rest // of("segments")
    strip_number, rest = rest % of("strips"), rest // of("strips")
    z, image = rest % of("grid_depth"), rest // of("grid_depth")
    group = image % of("groups")
    y, x = strip_number * of("strip_rows"), segment * of("segment")
    rows = of("strip_rows").at_most(of("grid_height") - y)
    strip = code.address(of("scratch")) + thread * of("scratch_size")
    volume = of("depth") * of("height") * of("width")
    source = code.address(of("x")) + image * of("group_in") * volume
    corner = [i * of(f"step_{n}") - of(f"lead_{n}") for i, n in ((z, "z"), (y, "y"), (x, "x"))]
    rows_read = (rows - 1) * of("step_y") + of("span_y")
    fill_strip.call(code, arguments, source, strip, *corner, rows_read, length=form["length"])
    out, width = strip + of("out_offset"), vectors * code.lanes
    first = part * of("part_panels")
    last = (first + of("part_panels")).at_most(of("panels"))
    form |= {"vectors": vectors}
    store = {"vectors": vectors, "activation": activation, "adds": adds}
    with code.loop(last, start=first) as p:
        number, terms = group * of("panels") + p, of("blocks") * form["length"]
        if is_packed:
            w = code.address(of("w")) + number * terms * width
        else:
            w, square = strip + of("near_offset"), strip + of("square_offset")
            given = code.address(of("w")) + (group * of("group_step") + p * of("step") * width)
            targets, channels = code.ints(code.address(of("targets"))), of("group_out") - p * width
            lie = (of("step"), of("runs"), of("run"), of("run_step"), terms)
            pack_panel.call_apart(code, given, w, square, targets, channels, *lie, width=width)
        bias = code.address(of("bias")) + number * width
        left = (of("group_out") - p * width).at_most(width)
        channel = image * of("group_out") + p * width
        with code.loop(of("phases_z")) as pz, code.loop(of("phases_y")) as py:
            with code.loop(of("phases_x")) as px:
                phase = (pz * of("phases_y") + py) * of("phases_x") + px
                to = out + px * width
                sum_phase.call(code, arguments, strip, to, w, bias, phase, rows, **form)
            at_z, at_x = z * of("phases_z") + pz, x * of("phases_x")
            end = ((x + of("segment")) * of("phases_x")).at_most(of("out_width"))
            with code.loop(rows) as r:
                at_y = (y + r) * of("phases_y") + py
                is_there = code.build.and_(at_z < of("out_depth"), at_y < of("out_height"))
                with code.when(is_there):
                    plane = (channel * of("out_depth") + at_z) * of("out_height")
                    at = (plane + at_y) * of("out_width") + at_x
                    row = out + r * of("pixels") * of("phases_x") * width
                    place = (code.address(of("y")) + at, code.address(of("residual")) + at)
                    write_row.call(code, arguments, row, *place, left, end - at_x, **store)
