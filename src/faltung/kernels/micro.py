"""The register block with output channels in the lanes: everything else feeds it.

It computes a few pixels (or tiles) of a few vectors of output channels::

    out[i, j] = start[j] + sum over blocks b, channels l of a[offset[b] + i*step + l] * w[b, l, j]

A block is `length` input channels that lie side by side, at one tap; its place is an offset from
where the first pixel's input begins. So one table of offsets makes the same code a matrix product,
a 1x1 convolution, a strided, dilated or grouped one, and the products of Winograd's form.

For each input channel it loads `vectors` vectors of weights and broadcasts one number for each
pixel; every load of weights serves all pixels. With 14 pixels of 2 vectors the sums take 28 of 32
registers, and two multiplications start in each cycle.
"""

from __future__ import annotations

from typing import Final

from faltung.kernels.compiled import kernel
from faltung.kernels.isa import Isa
from faltung.kernels.simd import INT, INTS, POINTER, Code, Int, Pointer

ZEROS: Final = "zeros"
"""Sums begin at 0."""
START: Final = "start"
"""Sums begin at what `start` holds for each output channel: their bias."""
SUMS: Final = "sums"
"""Sums go on from what is in `out`."""
ADDED: Final = "added"
"""Sums begin at 0, and are added to what is in `out`: a long sum rounds less in several runs."""


@kernel(
    a=POINTER,
    w=POINTER,
    start=POINTER,
    out=POINTER,
    offsets=INTS,
    blocks=INT,
    pitch=INT,
    spread=INT,
    ahead=POINTER,
)
def panel(
    code: Code,
    a: Pointer,
    w: Pointer,
    start: Pointer,
    out: Pointer,
    offsets: Pointer,
    blocks: Int,
    pitch: Int,
    spread: Int,
    ahead: Pointer,
    *,
    pixels: int,
    vectors: int,
    length: int,
    step: int,
    begin: str = ZEROS,
    prefetches: bool = False,
    fetched: int = 0,
) -> None:
    """Sum over all blocks; ``out[i, j]`` is a vector at ``out + i * pitch + j * spread``.

    ``w`` holds `length * vectors` vectors for each block; `step` numbers lie between two pixels'
    inputs. With `prefetches`, as many numbers from `ahead` on as `w` has are fetched meanwhile, or
    only `fetched` vectors for each channel: where tiles take turns, each can fetch a share.
    """
    width = vectors * code.lanes
    rows, columns = range(pixels), range(vectors)
    places = [[out + pitch * i + spread * j for j in columns] for i in rows]

    def first(i: int, j: int) -> object:
        if begin == START:
            return code.load(start + j * code.lanes)
        return code.load(places[i][j]) if begin == SUMS else code.constant(0.0)

    total = [[code.variable(first(i, j)) for j in columns] for i in rows]  # type: ignore[arg-type]
    with code.loop(blocks) as b:
        inputs = a + offsets[b]
        weights = w + b * (length * width)
        soon = ahead + b * (length * width)
        # One channel at a time: of two, LLVM loads the second's weights before the first is done,
        # has no register left for them, and sums that go through memory take twice as long.
        with code.loop(length) as here:
            if prefetches:
                for j in columns:
                    code.prefetch(soon + (here * width + j * code.lanes))
            row = [code.load(weights + (here * width + j * code.lanes)) for j in columns]
            for i in rows:
                number = code.broadcast(inputs + (here + i * step))
                for j in columns:
                    total[i][j].set(code.fma(number, row[j], total[i][j].get()))
    for i in rows:
        for j in columns:
            sums = total[i][j].get()
            if begin == ADDED:
                sums = sums + code.load(places[i][j])
            code.store(places[i][j], sums)


WIDEST: Final = {32: ((14, 2), (28, 1)), 16: ((6, 2), (12, 1))}
"""Most pixels for each number of vectors whose sums fit so many registers, beside the weights."""


def pixels_together(isa: Isa, count: int, vectors: int) -> int:
    """Return how many pixels one register block takes, so that little is computed past the end.

    Parameters
    ----------
    isa
        The instruction set.
    count
        Pixels of a row, or tiles, that there are.
    vectors
        Of output channels.

    Examples
    --------
    >>> from faltung.kernels.isa import AVX512
    >>> [pixels_together(AVX512, count, 2) for count in (56, 49, 16, 7)]
    [14, 13, 8, 7]
    """
    most = next(m for m, v in WIDEST[32 if isa.registers >= 32 else 16] if v == vectors)
    return -(-count // -(-count // most))
