"""The register block of depthwise convolution: some rows of one output plane, pixels in the lanes.

For each vector of output columns it sums, over input planes, kernel rows and kernel columns::

    y[r, q] = bias + sum of  w[plane, j, kx] * rows[plane, r * step + j * dilation][place(q, kx)]

An input row is loaded once for each kernel column, and serves all output rows that use it: with 7
output rows and a 3x3 kernel, 9 loads make 21 products. Rows are read by their addresses, so that a
row of zeros stands for all padding above and below. Beside the rows, masks leave out what is not
there: at the edges alone, as loads with masks are slower even where the CPU has them. Weights lie
as the caller has them, and nothing is copied.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from faltung.kernels.compiled import kernel
from faltung.kernels.epilogue import activated
from faltung.kernels.phases import dealt, inside, woven
from faltung.kernels.simd import INT, INTS, POINTER, Code, Int, Pointer, Variable

CHUNK: Final = 8
"""Kernel rows whose weights are in registers together."""


class Group(NamedTuple):
    """Kernel columns that are made from the same loads.

    Parameters
    ----------
    offset
        Where the loads begin, counted from the first output's first position.
    parts
        How many vectors are loaded, side by side: the input's stride.
    taps
        Of each: which phase of the loads it takes, which phase of the outputs it adds to, and the
        kernel's column.
    """

    offset: int
    parts: int
    taps: tuple[tuple[int, int, int], ...]


class Block(NamedTuple):
    """What the register block is compiled for.

    Parameters
    ----------
    rows
        Output rows that are summed together.
    kernel_y, kernel_x
        Size of the kernel.
    step, dilation
        Input rows between two output rows, and between two kernel rows.
    stride
        Input columns between two output columns.
    phases
        Of outputs: 2 where every other column has taps of its own.
    groups
        Of kernel columns.
    roll, roll_step
        Where `roll` is not 0, the first group stands for all, each ``roll`` kernel columns and
        ``roll_step`` input columns after the one before; a second one is for what is left.
    """

    rows: int
    kernel_y: int
    kernel_x: int
    step: int
    dilation: int
    stride: int
    phases: int
    groups: tuple[Any, ...]
    roll: int = 0
    roll_step: int = 0


@kernel(
    rows=INTS,
    w=POINTER,
    bias=POINTER,
    y=POINTER,
    residual=POINTER,
    width=INT,
    out_width=INT,
    pitch=INT,
    done=INT,
    lead=INT,
    planes=INT,
    span=INT,
)
def slide_rows(
    code: Code,
    rows: Pointer,
    w: Pointer,
    bias: Pointer,
    y: Pointer,
    residual: Pointer,
    width: Int,
    out_width: Int,
    pitch: Int,
    done: Int,
    lead: Int,
    planes: Int,
    span: Int,
    *,
    block: tuple[Any, ...],
    activation: tuple[str, float, float],
    adds: bool,
) -> None:
    """Write the rows of a `Block`, but the first ``done`` of them, which are there already.

    ``rows`` holds, for each plane, ``span`` addresses of input rows. Position ``-lead`` of a row is
    that of the first output's first tap. ``pitch`` numbers lie between two rows of output.
    """
    own = Block(*block)
    groups = [Group(*group) for group in own.groups]

    def one_vector(q: Int, is_whole: bool) -> None:
        total = [
            [code.variable(code.broadcast(bias)) for _ in range(own.phases)]
            for _ in range(own.rows)
        ]
        at = q * own.stride - lead
        with code.loop(planes) as plane:
            table, weights = rows + plane * span, w + plane * (own.kernel_y * own.kernel_x)
            for first, height in _chunks(code, own.kernel_y):
                place = (table + first * own.dilation, weights + first * own.kernel_x)
                for kx, shift, group in _turns(code, own, groups):
                    size = None if is_whole else width
                    _add(code, own, group, place, height, (at + shift, kx), size, total)
        for a, variables in enumerate(total):
            with code.when(done <= a):
                for p, vector in enumerate(woven(code, [v.get() for v in variables])):
                    column = q * own.phases + p * code.lanes
                    to = pitch * a + column
                    if is_whole:
                        found = vector + code.load(residual + to) if adds else vector
                        code.store(y + to, activated(code, found, activation))
                    else:
                        mask = inside(code, column, out_width)
                        found = vector + code.load_some(mask, residual + to) if adds else vector
                        code.store_some(mask, y + to, activated(code, found, activation))

    with code.loop((out_width + (own.phases - 1)) // own.phases, step=code.lanes) as q:
        is_inside = _is_whole(code, own, groups, q, lead, width, out_width)
        with code.either(is_inside) as (whole, border):
            with whole:
                one_vector(q, is_whole=True)
            with border:
                one_vector(q, is_whole=False)


def _is_whole(
    code: Code, own: Block, groups: list[Group], q: Int, lead: Int, width: Int, out_width: Int
) -> Any:
    """Return whether no lane of any load or store is outside its row."""
    first = q * own.stride - lead
    low = min((group.offset for group in groups), default=0)
    high = max((group.offset + group.parts * code.lanes for group in groups), default=0)
    high += max(0, own.kernel_x // own.roll - 1) * own.roll_step if own.roll else 0
    is_read = code.build.and_(first + low >= 0, first + high <= width)
    return code.build.and_(is_read, (q + code.lanes) * own.phases <= out_width)


def _chunks(code: Code, height: int) -> Iterator[tuple[Int | int, int]]:
    """Give the first kernel row of some, and how many; in a loop if there are many."""
    if height <= CHUNK:
        yield 0, height
        return
    whole = height // CHUNK * CHUNK
    with code.loop(whole, step=CHUNK) as first:
        yield first, CHUNK
    if height > whole:
        yield whole, height - whole


def _turns(
    code: Code, own: Block, groups: list[Group]
) -> Iterator[tuple[Int | int, Int | int, Group]]:
    """Give kernel columns and positions to add, and a group; in a loop where they roll."""
    if not own.roll:
        yield from ((0, 0, group) for group in groups)
        return
    with code.loop(own.kernel_x // own.roll) as turn:
        yield turn * own.roll, turn * own.roll_step, groups[0]
    yield from ((0, 0, group) for group in groups[1:])


def _add(
    code: Code,
    own: Block,
    group: Group,
    place: tuple[Pointer, Pointer],
    height: int,
    at: tuple[Int, Int | int],
    size: Int | None,
    total: list[list[Variable]],
) -> None:
    """Add some kernel rows of a group to the sums; rows of `size` are masked, of None whole."""
    table, w = place
    first, starts = at[0] + group.offset, range(0, group.parts * code.lanes, code.lanes)
    masks = [] if size is None else [inside(code, first + start, size) for start in starts]
    weights = [
        [code.broadcast(w + (at[1] + (j * own.kernel_x + kx))) for _, _, kx in group.taps]
        for j in range(height)
    ]
    for r, users in _users(own.rows, height, own.step, own.dilation):
        row = code.address(table[r]) + first
        if size is None:
            parts = [code.load(row + start) for start in starts]
        else:
            parts = [code.load_some(m, row + s) for m, s in zip(masks, starts, strict=True)]
        for t, (phase, out_phase, _) in enumerate(group.taps):
            pixels = dealt(code, parts, phase)
            for a, j in users:
                variable = total[a][out_phase]
                variable.set(code.fma(weights[j][t], pixels, variable.get()))


def _users(
    rows: int, height: int, step: int, dilation: int
) -> list[tuple[int, list[tuple[int, int]]]]:
    """Return each input row that is used, and the output and kernel rows that meet there."""
    found: dict[int, list[tuple[int, int]]] = {}
    for a in range(rows):
        for j in range(height):
            found.setdefault(a * step + j * dilation, []).append((a, j))
    return sorted(found.items())
