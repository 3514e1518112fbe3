"""The gradient of the weights by direct sums: pixels in the lanes, a vector of sums each weight.

Of x there is one copy for each kernel column, whose rows are as long as those of dout: so both are
one long row, whatever the padding and the stride, and dout is read where it is::

    dw[co, t] = sum over q of  dout[co, q] * strip[q + offset[t]]

`products` takes some output channels and some taps at a time: it loads both, and every load serves
several products. Their sums stay vectors until a run of strips is done; then lanes are added.

A block is a run of strips (some rows of an image, or some whole images) for some channels of x and
some of dout. Whoever finishes the last run of these adds the runs, in their order, in float64.
"""

from __future__ import annotations

from typing import Final

from faltung.kernels.compiled import kernel
from faltung.kernels.fold import is_last, narrowed, widened
from faltung.kernels.rectangle import rectangle, rows_inside
from faltung.kernels.simd import INT, INTS, POINTER, Code, Int, Pointer, Vector
from faltung.kernels.strips import zeros

FIELDS: Final = (
    *("x", "dout", "dw", "scratch", "shared", "counts", "offsets", "phases"),
    *("depth", "height", "width", "out_depth", "out_height", "out_width"),
    *("kernel_depth", "kernel_x", "stride_depth", "stride_y", "stride_x"),
    *("dilation_depth", "dilation_x", "pad_depth", "pad_y", "pad_x"),
    *("groups", "group_in", "group_out", "taps", "phase_count"),
    *("strip_rows", "strips", "strip_columns", "column_strips", "batch", "images", "units", "runs"),
    *("chunk_in", "chunks_in", "part_panels", "parts", "plane_rows", "strip_image"),
    *("sums_offset", "scratch_size", "shared_size"),
)
"""What a block is told, in this order: addresses, sizes, and how working memory lies."""


@kernel(
    strip=POINTER,
    dout=POINTER,
    sums=POINTER,
    offsets=INTS,
    images=INT,
    count=INT,
    strip_image=INT,
    dout_image=INT,
    distance=INT,
    left=INT,
    ahead=POINTER,
)
def products(
    code: Code,
    strip: Pointer,
    dout: Pointer,
    sums: Pointer,
    offsets: Pointer,
    images: Int,
    count: Int,
    strip_image: Int,
    dout_image: Int,
    distance: Int,
    left: Int,
    ahead: Pointer,
    *,
    channels: int,
    taps: int,
) -> None:
    """Add to ``channels * taps`` vectors of sums those of so many images, ``count`` pixels each.

    Channels of dout are a ``distance`` apart; where fewer are ``left``, the last one again stands
    for those that are not there. Meanwhile one channel's pixels from `ahead` on are fetched.
    """
    firsts = [strip + offsets[t] for t in range(taps)]
    starts = [dout + (left - 1).at_most(c) * distance for c in range(channels)]
    places = [sums + i * code.lanes for i in range(channels * taps)]
    total = [code.variable(code.load(place)) for place in places]

    def added(near: list[Pointer], far: list[Pointer], q: Int, mask: object) -> None:
        """Multiply each of the few vectors, which stay in registers, with each of the others."""

        def read(row: Pointer) -> Vector:
            return code.load(row + q) if mask is None else code.load_some(mask, row + q)

        kept = [read(row) for row in near]
        for i, row in enumerate(far):
            vector = read(row)
            for j, other in enumerate(kept):
                c, t = (i, j) if taps <= channels else (j, i)
                variable = total[c * taps + t]
                variable.set(code.fma(vector, other, variable.get()))

    with code.loop(images) as n:
        pixels = [first + n * strip_image for first in firsts]
        gradients = [start + n * dout_image for start in starts]
        near, far = (pixels, gradients) if taps <= channels else (gradients, pixels)
        whole = count // code.lanes * code.lanes
        soon = ahead + n * dout_image
        with code.loop(whole, step=code.lanes) as q:
            code.prefetch(soon + q)
            added(near, far, q, None)
        with code.when(count > whole):
            added(near, far, whole, code.first(count - whole))
    for place, variable in zip(places, total, strict=True):
        code.store(place, variable.get())


@kernel(sums=POINTER, out=POINTER, count=INT)
def lanes_added(code: Code, sums: Pointer, out: Pointer, count: Int, *, vectors: int) -> None:
    """Write the sums of ``count`` times so many vectors, each rounded up to whole vectors."""
    lanes = code.lanes
    size = -(-vectors // lanes) * lanes
    with code.loop(count) as i:
        for first in range(0, vectors, lanes):
            there = range(first, min(first + lanes, vectors))
            found = [code.load(sums + (i * vectors + v) * lanes) for v in there]
            found += [code.constant(0.0)] * (lanes - len(found))
            code.store(out + (i * size + first), code.lane_sums(found))


@kernel(sums=POINTER, runs=INT, run=INT, size=INT)
def runs_added(code: Code, sums: Pointer, runs: Int, run: Int, size: Int) -> None:
    """Add to the first run of ``size`` sums the others, in float64; they are a ``run`` apart."""
    with code.loop(size, step=code.lanes) as i:
        total = code.variable(widened(code, code.load(sums + i)))
        with code.loop(runs, start=1) as r:
            total.set(total.get() + widened(code, code.load(sums + (r * run + i))))
        code.store(sums + i, narrowed(code, total.get()))


@kernel(
    *(rectangle, products, lanes_added, runs_added),
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
    stride: int,
) -> None:
    """One block: for each few strips copy x, add the products of all pairs; add up at the end."""

    def of(name: str) -> Int:
        return arguments[FIELDS.index(name)]

    run, pair = block % of("runs"), block // of("runs")
    part, rest = pair % of("parts"), pair // of("parts")
    chunk, group = rest % of("chunks_in"), rest // of("chunks_in")
    first_in, first_out = chunk * of("chunk_in"), part * of("part_panels") * channels
    in_count = (of("group_in") - first_in).at_most(of("chunk_in"))
    out_count = (of("group_out") - first_out).at_most(of("part_panels") * channels)
    tap_count, panels = in_count * of("taps"), (out_count + (channels - 1)) // channels
    tap_panels = (tap_count + (taps - 1)) // taps
    most = (of("chunk_in") * of("taps") + (taps - 1)) // taps
    strip = code.address(of("scratch")) + thread * of("scratch_size")
    sums = strip + of("sums_offset")
    zeros(code, sums, panels * most * (channels * taps * code.lanes))
    in_plane = of("depth") * of("height") * of("width")
    out_plane = of("out_depth") * of("out_height") * of("out_width")
    pitch, offsets = of("strip_columns"), code.ints(code.address(of("offsets")))
    phases = code.ints(code.address(of("phases")))

    def copied(image: Int, to: Pointer, z: Int, row: Int, column: Int, columns: Int) -> None:
        """Copy what some outputs read of x: ``[kz][phase][channel][kx][row][column]``."""
        channel = (image * of("groups") + group) * of("group_in") + first_in
        source = code.address(of("x")) + channel * in_plane
        line = of("plane_rows") * pitch
        with code.loop(of("kernel_depth")) as kz, code.loop(of("phase_count")) as p:
            at_z = z * of("stride_depth") + kz * of("dilation_depth") - of("pad_depth")
            is_plane = code.build.and_(at_z >= 0, at_z < of("depth"))
            height = code.choose(is_plane, of("height"), code.integer(0))
            at_y = row * of("stride_y") + phases[p] - of("pad_y")
            top = source + (at_z * of("height") + at_y) * of("width")
            inside = rows_inside(at_y, of("plane_rows"), height, of("stride_y"))
            rows = (*inside, of("plane_rows"), of("stride_y") * of("width"))
            with code.loop(in_count) as c, code.loop(of("kernel_x")) as kx:
                # In this order: past a line's end numbers of the next one are written.
                number = ((kz * of("phase_count") + p) * of("chunk_in") + c) * of("kernel_x") + kx
                where = (top + c * in_plane, to + number * line)
                first = column * of("stride_x") + kx * of("dilation_x") - of("pad_x")
                line_of = (first, columns, of("width"), of("stride_x"), pitch)
                rectangle.call_apart(code, *where, *rows, *line_of, stride=stride)

    per_image = of("out_depth") * of("strips") * of("column_strips")

    def place(unit: Int) -> tuple[Int, Int, Int, Int]:
        """Return the first image, the plane, the first row and column of a strip."""
        column, rest = unit % of("column_strips") * pitch, unit // of("column_strips")
        row, z = rest % of("strips") * of("strip_rows"), rest // of("strips") % of("out_depth")
        return unit // per_image * of("images"), z, row, column

    def source_of(image: Int, z: Int, row: Int, column: Int) -> Pointer:
        """Return where a strip of dout begins, in the first channel of the part."""
        channel = (image * of("groups") + group) * of("group_out") + first_out
        corner = (z * of("out_height") + row) * of("out_width") + column
        return code.address(of("dout")) + (channel * out_plane + corner)

    first, last = of("units") * run // of("runs"), of("units") * (run + 1) // of("runs")
    dout_image = of("groups") * of("group_out") * out_plane
    with code.loop(last, start=first) as unit:
        where = image, z, row, column = place(unit)
        images = (of("batch") - image).at_most(of("images"))
        columns = (of("out_width") - column).at_most(pitch)
        count = (of("out_height") - row).at_most(of("strip_rows")) * columns
        with code.loop(images) as n:
            copied(image + n, strip + n * of("strip_image"), z, row, column, columns)
        dout, soon = source_of(*where), source_of(*place((unit + 1).at_most(last - 1)))
        with code.loop(panels) as panel:
            own, left = dout + panel * channels * out_plane, out_count - panel * channels
            after = own + channels * out_plane
            after = code.choose_place((panel + 1).equals(panels), soon, after)
            sizes = (images, count, of("strip_image"), dout_image, out_plane, left)
            with code.loop(tap_panels) as t:
                to = sums + (panel * most + t) * (channels * taps * code.lanes)
                # What is multiplied next is on its way meanwhile, a channel at a time.
                ahead = after + t % channels * out_plane
                given = (strip, own, to, offsets + t * taps, *sizes, ahead)
                products.call_apart(code, *given, channels=channels, taps=taps)
    size = -(-channels * taps // code.lanes) * code.lanes
    one_run = of("part_panels") * most * size
    runs = code.address(of("shared")) + pair * of("runs") * one_run
    lanes_added.call_apart(code, sums, runs + run * one_run, panels * most, vectors=channels * taps)
    finished = code.ints(code.address(of("counts"))) + pair
    with code.when(is_last(code, finished, of("runs"))):
        runs_added.call_apart(code, runs, of("runs"), one_run, panels * most * size)
        wide = of("group_in") * of("taps")
        channel = group * of("group_out") + first_out
        dw = code.address(of("dw")) + (channel * wide + first_in * of("taps"))
        with code.loop(out_count) as co, code.loop(tap_count) as t:
            at = (co // channels * most + t // taps) * size + (co % channels * taps + t % taps)
            number = code.build.load((runs + at).value, typ=code.element, align=code.itemsize)
            code.store_number(dw + (co * wide + t), number)
