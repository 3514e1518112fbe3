"""Pooling whose windows tile the plane: no padding, no gap, no overlap, nothing dropped.

Every number belongs to one window, so one pass does everything in registers: load the numbers of
some windows, give them out so that each tap of the windows is one vector, and take the largest or
the sum. Backward the taps' vectors are made from those of the outputs, and put together again.

Where a row of outputs fills a vector, its windows' rows are loaded vector by vector. Where it does
not, several rows of outputs make one vector: the numbers of their windows lie one after the other,
also across planes, and a table of constants says which of them goes where.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product
from typing import Any, Final, NamedTuple

from faltung.kernels.compiled import kernel
from faltung.kernels.phases import dealt, picked, woven
from faltung.kernels.simd import INT, INTS, Code, Int, Pointer, Vector

MAX, MEAN, MAX_DX, MEAN_DX = "max", "mean", "max_dx", "mean_dx"
FIELDS: Final = ("x", "y", "dx", "scratch", "out_width", "rows", "together", "scratch_size")
"""What a block is told: ``rows`` of outputs in all planes, so many of them together in a block.
``y`` is `dout` for gradients."""


class Tile(NamedTuple):
    """What windows are, and how many rows of outputs, of a known width, make a vector: or 0."""

    height: int
    width: int
    rows: int = 0
    out_width: int = 0


Read = Callable[[Pointer, int], Vector]
Write = Callable[[Pointer, int, Vector], None]


@kernel(arguments=INTS, block=INT, thread=INT)
def tiles_block(
    code: Code, arguments: Pointer, block: Int, thread: Int, *, what: str, tile: tuple[Any, ...]
) -> None:
    """Some rows of outputs."""

    def of(name: str) -> Int:
        return arguments[FIELDS.index(name)]

    own = Tile(*tile)
    first, width = block * of("together"), of("out_width")
    last = (first + of("together")).at_most(of("rows"))
    x, y, dx = (code.address(of(name)) for name in ("x", "y", "dx"))
    area = own.height * own.width
    for at, count, read, write in _parts(code, own, first, last, width):
        outputs = y + at.out
        if what in (MAX, MEAN):
            taps = _taken(code, own, x + at.first, at.pitch, read)
            result = _largest(code, taps)[0] if what == MAX else _mean(code, taps)
            _store(code, outputs, count, result)
            continue
        dout = _load(code, outputs, count)
        if what == MAX_DX:
            _, wins = _largest(code, _taken(code, own, x + at.first, at.pitch, read))
            taps = [code.select(win, dout, code.constant(0.0)) for win in wins]
        else:
            taps = [dout / code.constant(area)] * area
        _given(code, own, dx + at.first, at.pitch, taps, write)


class Place(NamedTuple):
    """Where a vector of outputs is, where its windows begin, and how far rows are apart."""

    out: Int
    first: Int
    pitch: Int


def _parts(
    code: Code, own: Tile, first: Int, last: Int, width: Int
) -> Iterator[tuple[Place, Int | None, Read, Write]]:
    """Give vectors of outputs: place, how many (None for all), and how to read and write there."""
    lanes, across = code.lanes, width * own.width
    if own.rows:
        pixels = own.height * own.width * own.out_width
        with code.loop(last, step=own.rows, start=first) as r:
            at, rows = Place(r * own.out_width, r * pixels, across), last - r
            with code.either(rows >= own.rows) as (whole, border):
                for side, count in ((whole, code.integer(own.rows)), (border, rows)):
                    with side:
                        yield at, count * own.out_width, *_within(code, count * pixels)
        return
    with code.loop(last, start=first) as r, code.loop(width, step=lanes) as q:
        at = Place(r * width + q, r * own.height * across + q * own.width, across)
        with code.either(q + lanes <= width) as (whole, border):
            with whole:
                yield at, None, *_within(code, None)
            with border:
                yield at, width - q, *_within(code, (width - q) * own.width)


def _within(code: Code, count: Int | None) -> tuple[Read, Write]:
    """Return how to read and write vectors of so many numbers; None for whole ones."""

    def read(place: Pointer, part: int) -> Vector:
        return _load(code, place + part * code.lanes, _left(code, count, part))

    def write(place: Pointer, part: int, vector: Vector) -> None:
        _store(code, place + part * code.lanes, _left(code, count, part), vector)

    return read, write


def _left(code: Code, count: Int | None, part: int) -> Int | None:
    return None if count is None else count - part * code.lanes


def _load(code: Code, place: Pointer, count: Int | None) -> Vector:
    return code.load(place) if count is None else code.load_some(code.first(count), place)


def _store(code: Code, place: Pointer, count: Int | None, vector: Vector) -> None:
    if count is None:
        code.store(place, vector)
    else:
        code.store_some(code.first(count), place, vector)


def _taken(code: Code, own: Tile, place: Pointer, pitch: Int, read: Read) -> list[Vector]:
    """Return the windows' taps, in row-major order, each as a vector."""
    if not own.rows:
        found = []
        for ky in range(own.height):
            parts = [read(place + pitch * ky, p) for p in range(own.width)]
            found += [dealt(code, parts, kx) for kx in range(own.width)]
        return found
    parts = [read(place, p) for p in range(own.height * own.width)]
    return [picked(code, parts, _numbers_of(own, tap, code.lanes)) for tap in _taps(own)]


def _given(
    code: Code, own: Tile, place: Pointer, pitch: Int, taps: list[Vector], write: Write
) -> None:
    """Write the windows' numbers from their taps."""
    if not own.rows:
        for ky in range(own.height):
            row = taps[ky * own.width : (ky + 1) * own.width]
            for p, vector in enumerate(woven(code, row)):
                write(place + pitch * ky, p, vector)
        return
    came_from = {
        number: (t, lane)
        for t, tap in enumerate(_taps(own))
        for lane, number in enumerate(_numbers_of(own, tap, code.lanes))
        if lane < own.rows * own.out_width
    }
    for p in range(len(taps)):
        wanted = [came_from.get((p, lane), (0, lane)) for lane in range(code.lanes)]
        write(place, p, picked(code, taps, wanted))


def _taps(own: Tile) -> list[tuple[int, int]]:
    return list(product(range(own.height), range(own.width)))


def _numbers_of(own: Tile, tap: tuple[int, int], lanes: int) -> list[tuple[int, int]]:
    """Return which number of which loaded vector is a tap of each output of some rows."""
    (ky, kx), found = tap, []
    for lane in range(lanes):
        row, column = divmod(min(lane, own.rows * own.out_width - 1), own.out_width)
        line = row * own.height + ky
        number = line * own.width * own.out_width + column * own.width + kx
        found.append(divmod(number, lanes))
    return found


def _largest(code: Code, taps: list[Vector]) -> tuple[Vector, list[Any]]:
    """Return the largest tap, and masks of which is it: the first of equal ones, or first NaN."""
    best, numbers = taps[0], code.constant(0.0)
    for t, tap in enumerate(taps[1:], start=1):
        is_larger = code.build.fcmp_unordered(">", tap.value, best.value)
        is_open = code.build.fcmp_ordered("ord", best.value, best.value)
        wins = code.build.and_(is_larger, is_open)
        best = code.select(wins, tap, best)
        numbers = code.select(wins, code.constant(t), numbers)
    masks = [
        code.build.fcmp_ordered("==", numbers.value, code.constant(t).value)
        for t in range(len(taps))
    ]
    return best, masks


def _mean(code: Code, taps: list[Vector]) -> Vector:
    total = taps[0]
    for tap in taps[1:]:
        total = total + tap
    return total / code.constant(len(taps))
