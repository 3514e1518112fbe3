"""What is timed: convolutions, filters and signals, read from text files, and their arrays."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Ints = tuple[int, ...]
HERE = Path(__file__).parent
COMMENT = "#"


@dataclass(frozen=True)
class Task:
    """One thing that candidates are timed at.

    ``kind`` is "conv", "transposed", "filter" or "signal"; ``what`` says what of a convolution:
    "prepared" or "plain" calls, or in training "forward", "dx" or "dw". Without channels (filters
    and signals) the shapes are those of the image and of the kernel alone. Of a "step" of training
    ``what`` is the network, and ``work`` its multiply-accumulates.
    """

    name: str
    listed: bool
    kind: str
    x_shape: Ints
    w_shape: Ints
    stride: Ints
    padding: Ints
    dilation: Ints
    groups: int = 1
    dtype: str = "float32"
    what: str = "plain"
    work: int = 0

    @property
    def space(self) -> Ints:
        return self.x_shape if self.kind in ("filter", "signal") else self.x_shape[2:]

    @property
    def kernel(self) -> Ints:
        return self.w_shape if self.kind in ("filter", "signal") else self.w_shape[2:]

    @property
    def out_channels(self) -> int:
        return self.w_shape[1] * self.groups if self.kind == "transposed" else self.w_shape[0]

    @property
    def y_shape(self) -> Ints:
        if self.kind in ("filter", "signal"):
            return self.x_shape
        sizes = zip(self.space, self.kernel, self.stride, self.padding, self.dilation, strict=True)
        if self.kind == "transposed":
            out = [(n - 1) * s - 2 * p + d * (k - 1) + 1 for n, k, s, p, d in sizes]
        else:
            out = [(n + 2 * p - d * (k - 1) - 1) // s + 1 for n, k, s, p, d in sizes]
        return (self.x_shape[0], self.out_channels, *out)

    @property
    def macs(self) -> int:
        """Multiply-accumulates of the direct algorithm."""
        if self.kind == "step":
            return self.work
        if self.kind in ("filter", "signal"):
            return prod(self.x_shape) * prod(self.w_shape)
        many = self.x_shape if self.kind == "transposed" else self.y_shape
        return many[0] * prod(many[2:]) * prod(self.w_shape)

    @property
    def bytes(self) -> int:
        """What must be read and written at least once."""
        if self.kind == "step":
            return prod(self.x_shape) * np.dtype(self.dtype).itemsize
        numbers = prod(self.x_shape) + prod(self.w_shape) + prod(self.y_shape)
        return numbers * np.dtype(self.dtype).itemsize

    @property
    def shape_text(self) -> str:
        """The shapes in one line, as people write them."""
        if self.kind == "step":
            return f"{'x'.join(map(str, self.x_shape[1:]))}, N={self.x_shape[0]}"
        space, kernel = ("x".join(map(str, sizes)) for sizes in (self.space, self.kernel))
        if self.kind in ("filter", "signal"):
            return f"{space}, {kernel}, {self.dtype}"
        parts = [f"{self.x_shape[1]}→{self.out_channels} {space}", kernel]
        parts += [f"s{self.stride[0]}"] * (self.stride[0] > 1)
        parts += [f"d{self.dilation[0]}"] * (self.dilation[0] > 1)
        parts += [f"g{self.groups}"] * (self.groups > 1)
        return ", ".join(parts + [f"N={self.x_shape[0]}"] * (self.x_shape[0] > 1))

    def arrays(self) -> tuple[Array, Array]:
        """Input and weights: the same numbers in every process."""
        rng = np.random.default_rng(0)
        if self.kind in ("filter", "signal"):
            return self._image(rng), self._kernel(rng)
        x, w = (rng.standard_normal(s).astype(self.dtype) for s in (self.x_shape, self.w_shape))
        return x, w

    def dout(self) -> Array:
        """The gradient that comes from above."""
        return np.random.default_rng(1).standard_normal(self.y_shape).astype(self.dtype)

    def _image(self, rng: np.random.Generator) -> Array:
        if self.dtype == "uint8":
            return rng.integers(0, 256, self.x_shape, np.uint8)
        return rng.standard_normal(self.x_shape).astype(self.dtype)

    def _kernel(self, rng: np.random.Generator) -> Array:
        """Of full rank, or a Gaussian; uint8 images get one whose outputs stay in their range."""
        if self.what == "gaussian":
            sides = (np.exp(-0.5 * (np.linspace(-2.5, 2.5, n) ** 2)) for n in self.w_shape)
            kernel = np.outer(*sides)
        else:
            kernel = rng.random(self.w_shape) if self.dtype == "uint8" else _normal(rng, self)
        kernel = kernel / np.abs(kernel).sum()
        return kernel.astype(np.float32 if self.dtype == "uint8" else self.dtype)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> Task:
        """Make a task of what `as_json` gave, after it went through a pipe."""
        made = {k: tuple(v) if isinstance(v, list) else v for k, v in fields.items()}
        return cls(**made)


def _normal(rng: np.random.Generator, task: Task) -> Array:
    return rng.standard_normal(task.w_shape)


def layers(path: Path = HERE / "layers.txt", what: str = "plain") -> list[Task]:
    """Read a table of convolutions."""
    return [_layer(words, what) for words in _rows(path)]


def filters(path: Path = HERE / "filters.txt") -> list[Task]:
    """Read a table of filters and signals."""
    return [_filter(words) for words in _rows(path)]


def _rows(path: Path) -> Iterator[list[str]]:
    for line in path.read_text(encoding="utf-8").splitlines():
        words = line.split()
        if words and not words[0].startswith(COMMENT):
            yield words


def _layer(words: list[str], what: str) -> Task:
    name, listed, kind, *numbers, space, kernel, stride, padding, dilation, groups = words
    batch, channels, out = map(int, numbers)
    sizes, taps = _sizes(space), _sizes(kernel)
    first, second = (channels, out) if kind == "transposed" else (out, channels)
    per_axis = (_sizes(text, len(sizes)) for text in (stride, padding, dilation))
    return Task(
        name,
        _is_listed(listed),
        _known(kind, ("conv", "transposed")),
        (batch, channels, *sizes),
        (first, second // int(groups), *taps),
        *per_axis,
        groups=int(groups),
        what=what,
    )


def _filter(words: list[str]) -> Task:
    name, listed, kind, dtype, size, taps, kernel = words
    x_shape, w_shape = _sizes(size), _sizes(taps)
    ones, zeros = (1,) * len(x_shape), (0,) * len(x_shape)
    is_listed, kind = _is_listed(listed), _known(kind, ("filter", "signal"))
    what = _known(kernel, ("dense", "gaussian"))
    return Task(name, is_listed, kind, x_shape, w_shape, ones, zeros, ones, 1, dtype, what)


def _sizes(text: str, axes: int = 1) -> Ints:
    """``"3x5"`` as (3, 5); one number stands for all axes."""
    sizes = tuple(int(word) for word in text.split("x"))
    return sizes * axes if len(sizes) == 1 else sizes


def _is_listed(word: str) -> bool:
    return _known(word, ("listed", "other")) == "listed"


def _known(word: str, words: tuple[str, ...]) -> str:
    if word not in words:
        raise ValueError(f"benchmarks: {word!r} is none of {', '.join(words)}")
    return word
