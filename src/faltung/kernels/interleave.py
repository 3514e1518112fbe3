"""Between channel after channel, as arrays are, and channels side by side, as lanes want them.

A plane of an array holds one channel's pixels; a *row of lanes* holds a vector for each pixel, the
values of as many channels as there are lanes. One becomes the other by transposing squares of
`lanes` by `lanes` numbers in registers: log2(lanes) rounds that swap halves of ever smaller blocks.
"""

from __future__ import annotations

from collections.abc import Sequence

from faltung.kernels.compiled import kernel
from faltung.kernels.epilogue import activated
from faltung.kernels.simd import INT, POINTER, Code, Int, Pointer, Vector


def transposed(code: Code, rows: Sequence[Vector]) -> list[Vector]:
    """Return the columns of as many vectors as there are lanes."""
    lanes, half, square = code.lanes, 1, list(rows)
    while half < lanes:
        low = [j if not j & half else lanes + j - half for j in range(lanes)]
        high = [j + half if not j & half else lanes + j for j in range(lanes)]
        for i in range(lanes):
            if not i & half:
                a, b = square[i], square[i + half]
                square[i] = code.shuffle(a, b, low)
                square[i + half] = code.shuffle(a, b, high)
        half *= 2
    return square


@kernel(source=POINTER, out=POINTER, plane=INT, channels=INT, pixels=INT)
def square_to_lanes(
    code: Code, source: Pointer, out: Pointer, plane: Int, channels: Int, pixels: Int
) -> None:
    """Write `lanes` pixels; 0 for channels and pixels past those that there are."""
    lanes = range(code.lanes)
    rows = [code.variable(code.constant(0.0)) for _ in lanes]
    mask = code.first(pixels)
    with code.either(channels >= code.lanes) as (full, few):
        with full, code.either(pixels >= code.lanes) as (whole, end):
            with whole:
                for c in lanes:
                    rows[c].set(code.load(source + plane * c))
            with end:
                for c in lanes:
                    rows[c].set(code.load_some(mask, source + plane * c))
        with few:
            for c in lanes:
                with code.when(channels > c):
                    rows[c].set(code.load_some(mask, source + plane * c))
    for i, vector in enumerate(transposed(code, [row.get() for row in rows])):
        code.store(out + i * code.lanes, vector)


@kernel(
    square_to_lanes,
    source=POINTER,
    out=POINTER,
    plane=INT,
    channels=INT,
    first=INT,
    size=INT,
    count=INT,
)
def row_to_lanes(
    code: Code,
    source: Pointer,
    out: Pointer,
    plane: Int,
    channels: Int,
    first: Int,
    size: Int,
    count: Int,
) -> None:
    """Write the pixels ``first`` to ``first + count`` of a row of ``size``; 0 outside of it.

    ``channels`` of them lie a ``plane`` apart; lanes past them are 0. Up to `lanes` vectors of
    zeros are written past the last pixel: `out` has room for them.
    """
    lead = (0 - first).at_least(0).at_most(count)
    inside = (size - first).at_most(count).at_least(lead) - lead
    _zeros(code, out, lead)
    body = source + (first + lead)
    with code.loop(inside, step=code.lanes) as q:
        to = out + (lead + q) * code.lanes
        square_to_lanes.call(code, body + q, to, plane, channels, inside - q)
    done = lead + inside
    _zeros(code, out + done * code.lanes, count - done)


def _zeros(code: Code, out: Pointer, vectors: Int) -> None:
    with code.loop(vectors) as i:
        code.store(out + i * code.lanes, code.constant(0.0))


@kernel(
    source=POINTER,
    step=INT,
    out=POINTER,
    plane=INT,
    channels=INT,
    pixels=INT,
    residual=POINTER,
)
def square_from_lanes(
    code: Code,
    source: Pointer,
    step: Int,
    out: Pointer,
    plane: Int,
    channels: Int,
    pixels: Int,
    residual: Pointer,
    *,
    activation: tuple[str, float, float] = ("", 0.0, 0.0),
    adds: bool = False,
) -> None:
    """Write up to `lanes` pixels of up to `lanes` channels, and nothing else.

    Pixels are ``step`` numbers apart in `source`; all `lanes` of them are read. With `adds`,
    ``residual``, which lies as ``out`` does, is added; then comes the activation.
    """
    lanes = range(code.lanes)
    rows = transposed(code, [code.load(source + step * i) for i in lanes])
    mask = code.first(pixels)

    def write_some(c: int) -> None:
        at = plane * c
        vector = rows[c] + code.load_some(mask, residual + at) if adds else rows[c]
        code.store_some(mask, out + at, activated(code, vector, activation))

    with code.either(channels >= code.lanes) as (full, few):
        with full, code.either(pixels >= code.lanes) as (whole, end):
            with whole:
                for c in lanes:
                    vector = rows[c] + code.load(residual + plane * c) if adds else rows[c]
                    code.store(out + plane * c, activated(code, vector, activation))
            with end:
                for c in lanes:
                    write_some(c)
        with few:
            for c in lanes:
                with code.when(channels > c):
                    write_some(c)


@kernel(
    square_from_lanes,
    source=POINTER,
    step=INT,
    out=POINTER,
    plane=INT,
    channels=INT,
    count=INT,
    residual=POINTER,
)
def row_from_lanes(
    code: Code,
    source: Pointer,
    step: Int,
    out: Pointer,
    plane: Int,
    channels: Int,
    count: Int,
    residual: Pointer,
    *,
    activation: tuple[str, float, float] = ("", 0.0, 0.0),
    adds: bool = False,
) -> None:
    """Write ``count`` pixels of a row; up to `lanes` vectors past the last one are read."""
    with code.loop(count, step=code.lanes) as q:
        given = (source + step * q, step, out + q, plane, channels, count - q, residual + q)
        square_from_lanes.call(code, *given, activation=activation, adds=adds)
