"""Two kernels as layers of a network, one after the other: padded, and with a ReLU between."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from faltung.definitions.agreement import Agreement, agreement, rounding
from faltung.signal import convolve, correlate

Array = NDArray[Any]


class Layers:
    """Both kernels as layers: cross-correlations, zero-padded so that the size stays."""

    def __init__(self, x: Array, k1: Array, k2: Array) -> None:
        self.x, self.k1, self.k2 = x, k1, k2
        self.pads = [_around(k) for k in (k1, k2)]
        both = [(a + c, b + d) for (a, b), (c, d) in zip(*self.pads, strict=True)]
        self.one = _layer(x, convolve(k1, k2), both)
        self.two = self.through(x)
        size = _layer(_layer(abs(x), abs(k1), self.pads[0]), abs(k2), self.pads[1])
        self.bound = rounding(size, k1.size + k2.size + convolve(k1, k2).size)

    def through(self, x: Array, *, relu: bool = False) -> Array:
        """Both layers, one after the other."""
        middle = _layer(x, self.k1, self.pads[0])
        return _layer(np.maximum(middle, 0) if relu else middle, self.k2, self.pads[1])

    def padded(self) -> Agreement:
        """One layer against two, all outputs."""
        return agreement("two padded layers = one", self.two, self.one, self.bound)

    def inside(self) -> Agreement:
        """One layer against two where the second sees no padding."""
        sizes = zip(self.pads[1], self.two.shape, strict=True)
        part = tuple(slice(lo, max(n - hi, lo)) for (lo, hi), n in sizes)
        claim = "two layers = one of K1*K2, inside"
        return agreement(claim, self.two[part], self.one[part], self.bound)

    def with_relu(self) -> Agreement:
        """One layer against two with a ReLU between them."""
        return agreement("with ReLU", self.through(self.x, relu=True), self.one, self.bound)

    def not_odd(self) -> int:
        """At how many outputs -x does not give -y, with the ReLU."""
        back = self.through(-self.x, relu=True)
        return int((abs(self.through(self.x, relu=True) + back) > self.bound).sum())


def _around(kernel: Array) -> list[tuple[int, int]]:
    return [((k - 1) // 2, k // 2) for k in kernel.shape]


def _layer(x: Array, kernel: Array, pads: list[tuple[int, int]]) -> Array:
    return correlate(np.pad(x, pads), kernel, "valid")
