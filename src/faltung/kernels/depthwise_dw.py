"""The weight gradient of depthwise convolution: pixels in the lanes, one sum for each weight.

::

    dw[co, ky, kx] = sum over n, oy, ox of  dout[n, co, oy, ox] * x[n, ci, oy*s + ky*d - p, ...]

`products_rows` goes once over some rows of one plane for some kernel rows and columns, and keeps a
vector of sums for each of these weights in registers: a few rows of `dout` are loaded, then each
row of x serves all of them. Both are read by tables of row addresses, as in `depthwise`; a row of
zeros stands for what is outside. A large kernel takes several passes over the plane.

One block of work is a *run* of strips of one output channel, which are added in their order; the
runs' sums are added in theirs, in float64. What a run is follows from the geometry.
"""

from __future__ import annotations

from typing import Any, Final

from faltung.kernels.compiled import kernel
from faltung.kernels.depthwise_rows import Group
from faltung.kernels.phases import dealt, inside
from faltung.kernels.simd import I64, INT, INTS, POINTER, Code, Int, Pointer, Variable, Vector
from faltung.kernels.strips import zeros

FIELDS: Final = (
    *("x", "dout", "partial", "passes", "scratch"),
    *("depth", "height", "width", "out_depth", "out_height", "out_width"),
    *("in_channels", "out_channels", "group_out", "kernel_depth"),
    *("stride_depth", "dilation_depth", "pad_depth", "stride_y", "pad_y", "lead"),
    *("span", "strips", "steps", "runs", "pass_count", "sums_size", "most_rows"),
    *("dout_table", "zeros_offset", "zeros_size", "scratch_size"),
)
"""What a block is told, in this order. ``passes`` holds, for each pass, the kernel's plane, and how
many rows and columns of the input its first row and column are from the kernel's own."""


def field(arguments: Pointer, name: str) -> Int:
    """Read one of the `FIELDS`."""
    return arguments[FIELDS.index(name)]


@kernel(
    rows=INTS,
    douts=INTS,
    sums=POINTER,
    count=INT,
    width=INT,
    out_width=INT,
    lead=INT,
)
def products_rows(
    code: Code,
    rows: Pointer,
    douts: Pointer,
    sums: Pointer,
    count: Int,
    width: Int,
    out_width: Int,
    lead: Int,
    *,
    together: int,
    height: int,
    step: int,
    dilation: int,
    stride: int,
    groups: tuple[Any, ...],
) -> None:
    """Add to the sums of ``height`` kernel rows and the groups' columns those of so many rows.

    Kernel row j meets output row r at number ``r * step + j * dilation`` of the table of rows.
    ``douts`` has rows of zeros behind the last one.
    """
    own = [Group(*group) for group in groups]
    taps = sum(len(group.taps) for group in own)
    total = [[code.variable(code.constant(0.0)) for _ in range(taps)] for _ in range(height)]

    def one_vector(first: Int, q: Int, is_whole: bool) -> None:
        out_mask = None if is_whole else inside(code, q, out_width)
        gradients = [_read(code, douts[first + a], q, out_mask) for a in range(together)]
        for group in own:
            at = q * stride - lead + group.offset
            starts = range(0, group.parts * code.lanes, code.lanes)
            masks = [None if is_whole else inside(code, at + start, width) for start in starts]
            for r, users in _users(together, height, step, dilation):
                row = rows[first * step + r]
                read = zip(starts, masks, strict=True)
                parts = [_read(code, row, at + start, mask) for start, mask in read]
                for phase, _, tap in group.taps:
                    _add(code, dealt(code, parts, phase), gradients, users, total, tap)

    with code.loop(count, step=together) as first, code.loop(out_width, step=code.lanes) as q:
        at = q * stride - lead
        high = max(group.offset + group.parts * code.lanes for group in own)
        is_read = code.build.and_(at >= 0, at + high <= width)
        is_whole = code.build.and_(is_read, q + code.lanes <= out_width)
        with code.either(is_whole) as (whole, border):
            with whole:
                one_vector(first, q, is_whole=True)
            with border:
                one_vector(first, q, is_whole=False)
    found = [variable.get() for row in total for variable in row]
    found += [code.constant(0.0)] * (-len(found) % code.lanes)
    for start in range(0, len(found), code.lanes):
        place = sums + start
        code.store(place, code.load(place) + code.lane_sums(found[start : start + code.lanes]))


def _read(code: Code, row: Int, at: Int, mask: Any) -> Vector:
    place = code.address(row) + at
    return code.load(place) if mask is None else code.load_some(mask, place)


def _add(
    code: Code,
    pixels: Vector,
    gradients: list[Vector],
    users: list[tuple[int, int]],
    total: list[list[Variable]],
    tap: int,
) -> None:
    for a, j in users:
        variable = total[j][tap]
        variable.set(code.fma(gradients[a], pixels, variable.get()))


def _users(
    together: int, height: int, step: int, dilation: int
) -> list[tuple[int, list[tuple[int, int]]]]:
    """Return each input row that is used, and the output and kernel rows that meet there."""
    found: dict[int, list[tuple[int, int]]] = {}
    for a in range(together):
        for j in range(height):
            found.setdefault(a * step + j * dilation, []).append((a, j))
    return sorted(found.items())


@kernel(out=INTS, source=INT, first=INT, size=INT, count=INT, width=INT, zero=INT)
def fill_rows(
    code: Code,
    out: Pointer,
    source: Int,
    first: Int,
    size: Int,
    count: Int,
    width: Int,
    zero: Int,
) -> None:
    """Write the addresses of so many rows of a plane from ``first`` on, of ``size`` that it has."""
    with code.loop(count) as r:
        at = first + r
        row = source + at * width * code.itemsize
        is_inside = code.build.and_(at >= 0, at < size)
        code.build.store(code.choose(is_inside, row, zero).value, (out + r).value, align=8)


@kernel(products_rows, fill_rows, arguments=INTS, block=INT, thread=INT)
def depthwise_dw_block(
    code: Code, arguments: Pointer, block: Int, thread: Int, **constants: Any
) -> None:
    """One run of strips of one output channel, in all passes."""

    def of(name: str) -> Int:
        return field(arguments, name)

    channel, run = block % of("out_channels"), block // of("out_channels")
    scratch = code.address(of("scratch")) + thread * of("scratch_size")
    nothing = scratch + of("zeros_offset")
    zeros(code, nothing, of("zeros_size"))
    zero = Int(code.build, code.build.ptrtoint(nothing.value, I64))
    table, douts = code.ints(scratch), code.ints(scratch) + of("dout_table")
    strips, depth, steps = of("strips"), of("out_depth"), of("steps")
    last_step, passes = (run + 1) * steps // of("runs"), code.ints(code.address(of("passes")))
    with code.loop(last_step, start=run * steps // of("runs")) as step:
        strip, rest = step % strips, step // strips
        z, image = rest % depth, rest // depth
        first = strip * of("out_height") // strips
        count = (strip + 1) * of("out_height") // strips - first
        out_row = ((image * of("out_channels") + channel) * depth + z) * of("out_height") + first
        dout = of("dout") + out_row * of("out_width") * code.itemsize
        plane = image * of("in_channels") + channel // of("group_out")
        most = of("most_rows")
        fill_rows.call(code, douts, dout, code.integer(0), count, most, of("out_width"), zero)
        with code.loop(of("kernel_depth")) as kz:
            at_z = z * of("stride_depth") + kz * of("dilation_depth") - of("pad_depth")
            is_inside = code.build.and_(at_z >= 0, at_z < of("depth"))
            height = code.choose(is_inside, of("height"), code.integer(0))
            row = (plane * of("depth") + at_z) * of("height") * of("width") * code.itemsize
            own, from_y = table + kz * of("span"), first * of("stride_y") - of("pad_y")
            place = (own, of("x") + row, from_y, height)
            fill_rows.call(code, *place, of("span"), of("width"), zero)
        sums = code.address(of("partial"))
        base = (run * of("out_channels") + channel) * of("pass_count")
        with code.loop(of("pass_count")) as p:
            rows = table + (passes[p * 3] * of("span") + passes[p * 3 + 1])
            given = (rows, douts, sums + (base + p) * of("sums_size"), count)
            lead = of("lead") - passes[p * 3 + 2]
            products_rows.call(code, *given, of("width"), of("out_width"), lead, **constants)
