"""Which algorithm filters an image or a signal: the quickest for its size.

It follows from sizes and dtype alone. The figures are nanoseconds of one thread of an AVX-512
machine; they need be right only relative to one another, and only near the crossovers:

- direct: 0.0086 for each product (float32; twice that in float64),
- Toom-Cook, from 15 taps on: 49/256 of the products of an image, 7/16 of those of a signal, and for
  each output 0.9 or 0.6 on the way to the points and back,
- transforms: what `fft.cost` says.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import prod
from typing import Final

from faltung.kernels import fft
from faltung.kernels.filter_cost import FOUR, SIZE

PRODUCT_NS: Final = {4: 0.0086, 8: 0.0172}
"""Nanoseconds of one product of a direct sum, by the bytes of a number."""
NUMPY_PRODUCT_NS: Final = 1.0
"""The same of NumPy, which sums along more than two axes."""
POINTS_NS: Final = {1: {4: 0.6, 8: 1.0}, 2: {4: 0.9, 8: 1.8}}
"""Those of an output on the way to Toom-Cook's points and back, for one axis and two."""
CALL_NS: Final = 60_000.0
"""What bringing a kernel to the points takes."""
LEAST_TAPS: Final = 15
"""Along each axis, from where on Toom-Cook is considered: below, its rounding is not worth it."""
DIRECT, TOOM, FFT = "direct", "toom", "fft"


def algorithm(out: Sequence[int], kernel: Sequence[int], itemsize: int) -> str:
    """Return which of `DIRECT`, `TOOM` and `FFT` is the quickest for floats.

    >>> [algorithm((2048, 2048), (k, k), 4) for k in (7, 15, 63, 400)]
    ['direct', 'toom', 'toom', 'fft']
    >>> [algorithm((1_000_000,), (k,), 4) for k in (12, 64, 256, 1024, 4096)]
    ['direct', 'direct', 'toom', 'toom', 'fft']
    """
    return _quickest(tuple(out), tuple(kernel), itemsize)


@lru_cache(1024)
def _quickest(out: tuple[int, ...], kernel: tuple[int, ...], itemsize: int) -> str:
    if 0 in out:
        return DIRECT
    product = PRODUCT_NS[itemsize] if len(out) <= 2 else NUMPY_PRODUCT_NS
    costs = {DIRECT: product * prod(out) * prod(kernel), FFT: fft.cost(out, kernel, itemsize)}
    if min(kernel) >= LEAST_TAPS and len(out) <= 2:
        # A block of outputs is computed whole.
        blocks = (64,) if len(out) == 1 else (32, 128)
        done = prod(-(-n // step) * step for n, step in zip(out, blocks, strict=True))
        groups = prod(-(-k // FOUR) for k in kernel)
        share = (SIZE / FOUR) ** len(out)
        costs[TOOM] = CALL_NS + done * (POINTS_NS[len(out)][itemsize] + share * product * groups)
    return min(costs, key=costs.__getitem__)
