"""LpPool: the p-norm of what is under each window."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, ClassVar, Self

import numpy as np

from faltung.errors import GeometryError, message
from faltung.geometry import PoolWindow
from faltung.ops.operator import Array, Attribute, Example, Key, OnnxNode, Result, Shape
from faltung.ops.pad import Pads, pad, pad_backward
from faltung.ops.pool import AbstractPool
from faltung.ops.windowed import onnx_padding


@dataclass(frozen=True)
class LpPool(AbstractPool):
    """``y = (sum |x|**p) ** (1 / p)`` under each window; padding adds nothing.

    The gradient is 0 where the whole window is 0.
    """

    onnx_type: ClassVar[str] = "LpPool"
    p: int = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.p < 1:
            raise GeometryError(message(self.subject, "p must be at least 1", {"p": self.p}))

    def forward(
        self, inputs: Sequence[Array], *, training: bool = False, key: Key | None = None
    ) -> Result:
        """Add up powers, one tap of the window after the other."""
        x = inputs[0]
        window = self.window(x.shape)
        with np.errstate(over="ignore"):
            powers = pad(np.abs(x) ** self.p, _frame(window))
            total = np.zeros((*x.shape[:2], *window.out_shape[2:]), x.dtype)
            for place in _places(window):
                total += powers[place]
        y = np.asarray(total ** x.dtype.type(1 / self.p))
        return (y,), {}, (window, x, y)

    def backward(self, saved: Any, douts: Sequence[Array]) -> tuple[Array | None, ...]:
        """Return ``dout y**(1 - p) |x|**(p - 1) sign(x)``, summed over the windows."""
        window, x, y = saved
        with np.errstate(all="ignore"):
            share = np.where(y > 0, douts[0] * y ** x.dtype.type(1 - self.p), 0).astype(x.dtype)
        frame = _frame(window)
        sizes = [n + lo + hi for n, (lo, hi) in zip(x.shape, frame, strict=True)]
        spread = np.zeros(sizes, x.dtype)
        for place in _places(window):
            spread[place] += share
        spread = pad_backward(spread, x.shape, frame)
        return (np.asarray(spread * np.abs(x) ** (self.p - 1) * np.sign(x), x.dtype),)

    def _padded_before(self, window: PoolWindow) -> float | None:
        """ONNX Runtime wants less padding than the kernel is long."""
        wide = any(max(axis.pad_lo, axis.pad_hi) >= axis.kernel for axis in window.axes)
        return 0.0 if wide else None

    @property
    def opset(self) -> int:
        """The operator set that first had dilation and ceil mode."""
        return 18

    def onnx_attributes(self, in_shapes: Sequence[Shape]) -> Mapping[str, Attribute]:
        """Return the geometry and the power."""
        return {**super().onnx_attributes(in_shapes), "p": self.p}

    @classmethod
    def from_onnx(cls, node: OnnxNode) -> tuple[Self, tuple[str, ...]]:
        """Read the geometry and the power."""
        kernel = node.ints("kernel_shape")
        if kernel is None:
            raise GeometryError(message("LpPool", "kernel_shape must be given"))
        operator = cls(
            kernel,
            node.ints("strides") or 1,
            onnx_padding(node),
            node.ints("dilations") or 1,
            node.integer("ceil_mode", 0) == 1,
            node.integer("p", 2),
        )
        return operator, node.inputs

    @classmethod
    def examples(cls) -> list[Example]:
        """Return three powers, with padding and ceil mode, on 1 to 3 axes."""
        return [
            Example(cls(2), ((2, 3, 6, 5),)),
            Example(cls(3, stride=2, padding=1, ceil_mode=True, p=3), ((1, 2, 4, 6),)),
            Example(cls(2, stride=1, dilation=2, p=1), ((2, 1, 6),)),
            Example(cls(2, stride=2, padding=((1, 0), (0, 1), (1, 1))), ((1, 1, 3, 4, 5),)),
        ]


def _frame(window: PoolWindow) -> Pads:
    """Return the padding of each axis, with what ceil mode needs past the end."""
    space = ((axis.pad_lo, axis.pad_hi + axis.overhang) for axis in window.axes)
    return ((0, 0), (0, 0), *space)


def _places(window: PoolWindow) -> Iterator[tuple[slice, ...]]:
    """Return, for each tap of the window, where all outputs find it on the padded input."""
    for taps in product(*(range(axis.kernel) for axis in window.axes)):
        pairs = zip(window.axes, taps, strict=True)
        starts = [(axis, k * axis.dilation) for axis, k in pairs]
        space = (
            slice(at, at + max((axis.out_size - 1) * axis.stride + 1, 0), axis.stride)
            if axis.out_size
            else slice(0, 0)
            for axis, at in starts
        )
        yield (slice(None), slice(None), *space)
