"""The register block with pixels in the lanes: sums that go straight to where they belong.

It computes a few output channels of a few vectors of neighbouring pixels::

    y[co, q] = activation(bias[co] + sum over taps t of w[t, co] * strip[offset[t] + q] + residual)

For each tap it loads `vectors` vectors of pixels, and reads one weight into all lanes for each
channel; the `channels * vectors` sums stay in registers until they are done. Weights are read as
they lie in memory, row after row of taps: nothing is put into another order.
"""

from __future__ import annotations

from itertools import product
from typing import Any, Final

from faltung.kernels.compiled import kernel
from faltung.kernels.epilogue import activated
from faltung.kernels.isa import Isa
from faltung.kernels.simd import INT, INTS, POINTER, Code, Int, Pointer, Vector

RUN: Final = 128
"""Taps that are summed one after the other. The sums of such runs are added: what is rounded off
grows with the length of a run and with their number, not with that of the taps."""

WIDE: Final = ((14, 2), (8, 3), (6, 4), (5, 5), (4, 6), (3, 7), (2, 8), (1, 8))
NARROW: Final = ((6, 2), (4, 3), (3, 3), (2, 5), (1, 6))
"""Output channels and vectors of pixels whose sums fit 32 and 16 registers, beside the pixels."""


@kernel(
    strip=POINTER,
    w=POINTER,
    bias=POINTER,
    offsets=INTS,
    taps=INT,
    partial=POINTER,
    to=POINTER,
    plane=INT,
    left=INT,
    count=INT,
    residual=POINTER,
)
def tile(
    code: Code,
    strip: Pointer,
    w: Pointer,
    bias: Pointer,
    offsets: Pointer,
    taps: Int,
    partial: Pointer,
    to: Pointer,
    plane: Int,
    left: Int,
    count: Int,
    residual: Pointer,
    *,
    channels: int,
    vectors: int,
    activation: tuple[str, float, float] = ("", 0.0, 0.0),
    adds: bool = False,
    masked: bool = False,
) -> None:
    """Write up to ``count`` pixels of up to ``left`` channels, a ``plane`` apart, nothing else.

    ``w`` and ``bias`` are those of the first channel; of channels past ``left`` nothing is read.
    ``partial`` has room for all sums; ``residual`` lies as ``to`` does. With `masked`, no pixel
    past ``count`` is read either.
    """
    cells = list(product(range(channels), range(vectors)))
    # Where there are fewer channels, the last one is computed again.
    channel = [(left - 1).at_most(c) for c in range(channels)]
    rows = [w + c * taps for c in channel]
    masks = [code.first(count - v * code.lanes) for v in range(vectors)]

    def summed(first: Int | int, last: Int, start: list[Vector]) -> list[Vector]:
        total = [code.variable(start[c]) for c, _ in cells]
        with code.loop(last, start=first) as t:
            place = strip + offsets[t]
            pixels = []
            for v in range(vectors):
                at = place + v * code.lanes
                pixels.append(code.load_some(masks[v], at) if masked else code.load(at))
            for c in range(channels):
                weight = code.broadcast(rows[c] + t)
                for v in range(vectors):
                    cell = total[c * vectors + v]
                    cell.set(code.fma(weight, pixels[v], cell.get()))
        return [cell.get() for cell in total]

    begin = [code.broadcast(bias + c) for c in channel]
    total = [code.variable(v) for v in summed(0, taps.at_most(RUN), begin)]
    with code.loop(taps, RUN, start=RUN) as first:
        for i, cell in enumerate(total):
            code.store(partial + i * code.lanes, cell.get())
        zeros = [code.constant(0.0)] * channels
        more = summed(first, (first + RUN).at_most(taps), zeros)
        for i, cell in enumerate(total):
            cell.set(code.load(partial + i * code.lanes) + more[i])

    def finished(i: int, rest: Vector | None) -> Vector:
        vector = total[i].get()
        return activated(code, vector if rest is None else vector + rest, activation)

    places = [plane * c + v * code.lanes for c, v in cells]
    is_whole = code.build.and_(left >= channels, count >= vectors * code.lanes)
    with code.either(is_whole) as (whole, border):
        with whole:
            for i, at in enumerate(places):
                rest = code.load(residual + at) if adds else None
                code.store(to + at, finished(i, rest))
        with border:
            for i, (c, v) in enumerate(cells):
                with code.when(left > c):
                    rest = code.load_some(masks[v], residual + places[i]) if adds else None
                    code.store_some(masks[v], to + places[i], finished(i, rest))


def channels_together(isa: Isa, out_channels: int) -> int:
    """Return how many output channels one register block takes, from their number alone.

    As few as possible are computed past the last one; but a block of few channels loads more than
    it multiplies.

    Examples
    --------
    >>> from faltung.kernels.isa import AVX512
    >>> [channels_together(AVX512, count) for count in (64, 20, 6, 3, 1)]
    [8, 5, 6, 3, 1]
    """

    def cost(block: tuple[int, int]) -> float:
        channels, vectors = block
        panels = -(-out_channels // channels)
        return panels * max(channels * vectors, channels + vectors) / vectors

    return min(_blocks(isa), key=lambda block: (cost(block), -block[0]))[0]


def vectors_together(isa: Isa, channels: int, rows: int, count: int, lanes: int) -> int:
    """Return how many vectors of pixels a block takes, for rows of so many pixels.

    Examples
    --------
    >>> from faltung.kernels.isa import AVX512
    >>> [vectors_together(AVX512, 8, 28, count, 16) for count in (224, 144, 28, 14)]
    [2, 3, 2, 1]
    """
    most = next(v for c, v in _blocks(isa) if c == channels)
    return min(range(1, most + 1), key=lambda v: (cycles(channels, v, rows, count, lanes), -v))


def cycles(channels: int, vectors: int, rows: int, count: int, lanes: int) -> float:
    """Return the cycles that a tap takes for so many rows of so many pixels.

    A CPU multiplies two vectors a cycle and loads two; and a product takes four cycles.
    """
    blocks = rows * -(-count // (vectors * lanes))
    return blocks * max(channels * vectors, channels + vectors, 8) / 2


def _blocks(isa: Isa) -> tuple[tuple[int, int], ...]:
    return WIDE if isa.registers >= 32 else NARROW


def block_constants(channels: int, vectors: int, epilogue: Any, **more: Any) -> dict[str, Any]:
    """Return what a kernel that calls `tile` is compiled with."""
    block = {"channels": channels, "vectors": vectors, "adds": epilogue.residual is not None}
    return {**block, **epilogue.constants, **more}
