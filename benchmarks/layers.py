"""The layers that are timed, and their arrays."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Layer:
    """One convolution of a real network."""

    name: str
    x_shape: tuple[int, ...]
    w_shape: tuple[int, ...]
    stride: int
    padding: int

    @property
    def macs(self) -> int:
        """Multiply-accumulates of the direct algorithm."""
        out = prod(
            (n + 2 * self.padding - k) // self.stride + 1
            for n, k in zip(self.x_shape[2:], self.w_shape[2:], strict=True)
        )
        return self.x_shape[0] * out * prod(self.w_shape)

    def arrays(self) -> tuple[np.ndarray, np.ndarray]:
        """The same numbers in every process."""
        rng = np.random.default_rng(0)
        x, w = (rng.standard_normal(s).astype(np.float32) for s in (self.x_shape, self.w_shape))
        return x, w


def read(path: Path) -> list[Layer]:
    """Read the table of layers."""
    lines = (line.split() for line in path.read_text(encoding="utf-8").splitlines())
    return [_layer(words) for words in lines if words and words[0] != "#"]


def _layer(words: list[str]) -> Layer:
    name, n, c, k, space, kernel, stride, padding = words
    sizes, taps = (tuple(int(v) for v in text.split("x")) for text in (space, kernel))
    x_shape, w_shape = (int(n), int(c), *sizes), (int(k), int(c), *taps)
    return Layer(name, x_shape, w_shape, int(stride), int(padding))
