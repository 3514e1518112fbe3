"""The register block with pixels in the lanes: sums that go straight to where they belong.

It computes a few output channels of a few vectors of neighbouring pixels::

    y[co, q] = activation(bias[co] + sum over taps t of w[t, co] * strip[offset[t] + q] + residual)

For each tap it loads `vectors` vectors of pixels, and reads one weight into all lanes for each
channel; the `channels * vectors` sums stay in registers until they are done. Weights are read as
they lie in memory, row after row of taps: nothing is put into another order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from faltung.kernels.compiled import kernel
from faltung.kernels.epilogue import Activation, activated
from faltung.kernels.isa import Isa
from faltung.kernels.simd import INT, INTS, POINTER, Code, Int, Pointer, Variable, Vector

RUN: Final = 256
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
    # Where there are fewer channels, the last one is computed again.
    channel = [(left - 1).at_most(c) for c in range(channels)]
    rows = [w + c * taps for c in channel]
    masks = [code.first(count - v * code.lanes) for v in range(vectors)]

    def pixels(t: Int) -> list[Vector]:
        place = strip + offsets[t]
        places = [place + v * code.lanes for v in range(vectors)]
        if not masked:
            return [code.load(place) for place in places]
        return [code.load_some(mask, place) for mask, place in zip(masks, places, strict=True)]

    sums = Sums(pixels, lambda c, t: rows[c] + t, partial, channels, vectors)
    cells = [(c, v) for c in range(channels) for v in range(vectors)]
    begin = [code.broadcast(bias + c) for c in channel]
    total = summed(code, sums, taps, [begin[c] for c, _ in cells])
    places = [plane * c + v * code.lanes for c, v in cells]
    finished_cells(code, total, places, masks, to, residual, left, count, activation, adds)


class Sums(NamedTuple):
    """What a register block sums: how it reads vectors of pixels, where a channel's weight is."""

    pixels: Callable[[Int], list[Vector]]
    weight: Callable[[int, Int], Pointer]
    partial: Pointer
    channels: int
    vectors: int


def summed(
    code: Code, sums: Sums, taps: Int, begin: Sequence[Vector], *, goes_on: bool = False
) -> list[Variable]:
    """Return sums over all taps, run after run, channel by channel.

    The first run begins at ``begin``; or, where the sums go on from there, it is added as all
    others are.
    """
    channels, vectors, partial = sums.channels, sums.vectors, sums.partial

    def one_run(first: Int | int, last: Int, start: Sequence[Vector]) -> list[Vector]:
        total = [code.variable(vector) for vector in start]
        with code.loop(last, start=first) as t:
            pixels = sums.pixels(t)
            for c in range(channels):
                weight = code.broadcast(sums.weight(c, t))
                for v in range(vectors):
                    cell = total[c * vectors + v]
                    cell.set(code.fma(weight, pixels[v], cell.get()))
        return [cell.get() for cell in total]

    begun = list(begin) if goes_on else one_run(0, taps.at_most(RUN), begin)
    total = [code.variable(vector) for vector in begun]
    with code.loop(taps, RUN, start=0 if goes_on else RUN) as first:
        for i, cell in enumerate(total):
            code.store(partial + i * code.lanes, cell.get())
        zeros = [code.constant(0.0)] * (channels * vectors)
        more = one_run(first, (first + RUN).at_most(taps), zeros)
        for i, cell in enumerate(total):
            cell.set(code.load(partial + i * code.lanes) + more[i])
    return total


def finished_cells(
    code: Code,
    total: Sequence[Variable],
    places: Sequence[Int],
    masks: Sequence[Any],
    to: Pointer,
    residual: Pointer,
    left: Int,
    count: Int,
    activation: Activation,
    adds: bool,
) -> None:
    """Add, activate and store a register block's sums, channel by channel, where they belong."""
    vectors = len(masks)

    def finished(i: int, rest: Vector | None) -> Vector:
        vector: Vector = total[i].get()
        return activated(code, vector if rest is None else vector + rest, activation)

    is_whole = code.build.and_(left * vectors >= len(total), count >= vectors * code.lanes)
    with code.either(is_whole) as (whole, border):
        with whole:
            for i, at in enumerate(places):
                rest = code.load(residual + at) if adds else None
                code.store(to + at, finished(i, rest))
        with border:
            for i, at in enumerate(places):
                c, v = divmod(i, vectors)
                with code.when(left > c):
                    rest = code.load_some(masks[v], residual + at) if adds else None
                    code.store_some(masks[v], to + at, finished(i, rest))


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

    return min(blocks_of(isa), key=lambda block: (cost(block), -block[0]))[0]


def vectors_together(isa: Isa, channels: int, rows: int, count: int, lanes: int) -> int:
    """Return how many vectors of pixels a block takes, for rows of so many pixels.

    Examples
    --------
    >>> from faltung.kernels.isa import AVX512
    >>> [vectors_together(AVX512, 8, 28, count, 16) for count in (224, 144, 28, 14)]
    [2, 3, 2, 1]
    """
    most = next(v for c, v in blocks_of(isa) if c == channels)
    return min(range(1, most + 1), key=lambda v: (cycles(channels, v, rows, count, lanes), -v))


def cycles(channels: int, vectors: int, rows: int, count: int, lanes: int) -> float:
    """Return the cycles that a tap takes for so many rows of so many pixels.

    A CPU multiplies two vectors a cycle and loads two; and a product takes four cycles.
    """
    blocks = rows * -(-count // (vectors * lanes))
    return blocks * max(channels * vectors, channels + vectors, 8) / 2


def blocks_of(isa: Isa) -> tuple[tuple[int, int], ...]:
    """Return register blocks whose sums fit: output channels, and most vectors of pixels."""
    return WIDE if isa.registers >= 32 else NARROW


def block_constants(channels: int, vectors: int, epilogue: Any, **more: Any) -> dict[str, Any]:
    """Return what a kernel that calls `tile` is compiled with."""
    block = {"channels": channels, "vectors": vectors, "adds": epilogue.residual is not None}
    return {**block, **epilogue.constants, **more}
