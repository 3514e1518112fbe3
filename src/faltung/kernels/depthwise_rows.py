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

from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

from faltung.kernels.compiled import kernel
from faltung.kernels.epilogue import activated
from faltung.kernels.phases import dealt, inside, picked, woven
from faltung.kernels.simd import INT, INTS, POINTER, Code, Int, Pointer, Variable, Vector

CHUNK: Final = 8
"""Kernel rows whose weights are in registers together."""
FEW: Final = 12
"""Weights that are all in registers together: then each input row is gone through once."""


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
                for kx, shift, some in _turns(code, own, groups):
                    size = None if is_whole else width
                    _add(code, own, some, place, height, (at + shift, kx), size, total)
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
    # What is shifted looks by itself whether there is a number before the row.
    lowest = groups[1:] if not own.roll and is_shifted(groups) else groups
    low = min((group.offset for group in lowest), default=0)
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
) -> Iterator[tuple[Int | int, Int | int, list[Group]]]:
    """Give kernel columns and positions to add, and groups; in a loop where they roll."""
    if not own.roll:
        are_few = min(own.kernel_y, CHUNK) * own.kernel_x <= FEW
        yield from ((0, 0, some) for some in ([groups] if are_few else [[g] for g in groups]))
        return
    with code.loop(own.kernel_x // own.roll) as turn:
        yield turn * own.roll, turn * own.roll_step, groups[:1]
    yield from ((0, 0, [group]) for group in groups[1:])


def _add(
    code: Code,
    own: Block,
    groups: list[Group],
    place: tuple[Pointer, Pointer],
    height: int,
    at: tuple[Int, Int | int],
    size: Int | None,
    total: list[list[Variable]],
) -> None:
    """Add some kernel rows of some groups to the sums; rows of `size` are masked, of None whole."""
    table, w = place
    loads = [_loads(code, group, at[0], size) for group in groups]
    weights = {
        (j, kx): code.broadcast(w + (at[1] + (j * own.kernel_x + kx)))
        for group in groups
        for _, _, kx in group.taps
        for j in range(height)
    }
    for r, users in _users(own.rows, height, own.step, own.dilation):
        row = code.address(table[r])
        for tap, pixels in _pixels(code, row, at[0], groups, loads, size is None):
            _, out_phase, kx = tap
            for a, j in users:
                variable = total[a][out_phase]
                variable.set(code.fma(weights[j, kx], pixels, variable.get()))


def _pixels(
    code: Code,
    row: Pointer,
    at: Int,
    groups: list[Group],
    loads: list[Callable[[Pointer], list[Vector]]],
    is_whole: bool,
) -> Iterator[tuple[tuple[int, int, int], Vector]]:
    """Give each tap of a row, in the order of columns, and its pixels."""
    if is_whole and is_shifted(groups):
        # The column before a pair's is the pair's second, one lane on, and one number more.
        parts = loads[1](row)
        place, (evens, odds) = at + groups[0].offset, _dealt(code, parts)
        number = code.broadcast(row + place.at_least(0))
        one = code.select(place >= 0, number, code.constant(0.0))
        before = [(1, 0), *((0, lane) for lane in range(code.lanes - 1))]
        vectors = (picked(code, [odds, one], before), evens, odds)
        yield from zip((groups[0].taps[0], *groups[1].taps), vectors, strict=True)
        groups, loads = groups[2:], loads[2:]
    for group, load in zip(groups, loads, strict=True):
        parts = load(row)
        for tap in group.taps:
            yield tap, dealt(code, parts, tap[0])


def _dealt(code: Code, parts: list[Vector]) -> list[Vector]:
    return [dealt(code, parts, phase) for phase in range(len(parts))]


def is_shifted(groups: list[Group]) -> bool:
    """Whether a single column stands before a pair of them, with a stride of 2."""
    return (
        len(groups) > 1
        and [len(group.taps) for group in groups[:2]] == [1, 2]
        and groups[0].parts == groups[1].parts == 2
        and groups[1].offset == groups[0].offset + 1
    )


def _loads(
    code: Code, group: Group, at: Int, size: Int | None
) -> Callable[[Pointer], list[Vector]]:
    """Return how a group's vectors are loaded from a row."""
    first, starts = at + group.offset, range(0, group.parts * code.lanes, code.lanes)
    if size is None:
        return lambda row: [code.load(row + first + start) for start in starts]
    masks = [inside(code, first + start, size) for start in starts]
    return lambda row: [
        code.load_some(mask, row + first + start) for mask, start in zip(masks, starts, strict=True)
    ]


def _users(
    rows: int, height: int, step: int, dilation: int
) -> list[tuple[int, list[tuple[int, int]]]]:
    """Return each input row that is used, and the output and kernel rows that meet there."""
    found: dict[int, list[tuple[int, int]]] = {}
    for a in range(rows):
        for j in range(height):
            found.setdefault(a * step + j * dilation, []).append((a, j))
    return sorted(found.items())
