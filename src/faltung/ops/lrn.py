"""Local response normalisation, across neighbouring channels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from faltung.errors import GeometryError, message
from faltung.geometry import Interval
from faltung.ops import dispatch
from faltung.ops.operator import (
    AbstractOperator,
    Array,
    Attribute,
    Everything,
    Example,
    Key,
    OnnxNode,
    Result,
    Shape,
    Spans,
    Taps,
    point,
)


@dataclass(frozen=True)
class LRN(AbstractOperator):
    """``y = x / (bias + alpha / size sum(x²))**beta``, summed over ``size`` channels around it.

    Of an even size there is one channel more after it than before.

    Source: Krizhevsky, Sutskever, Hinton, *ImageNet classification with deep convolutional neural
    networks* (2012), section 3.3 (there alpha is not divided).
    """

    onnx_type: ClassVar[str] = "LRN"
    size: int
    alpha: float = 1e-4
    beta: float = 0.75
    bias: float = 1.0

    def __post_init__(self) -> None:
        if self.size < 1:
            raise GeometryError(
                message(self.subject, "size must be at least 1", {"size": self.size})
            )

    def out_shapes(self, in_shapes: Sequence[Shape]) -> tuple[Shape, ...]:
        """Return the shape of x."""
        shape = tuple(in_shapes[0])
        if len(shape) < 2:
            rule = "the input must have a channel axis"
            raise GeometryError(message(self.subject, rule, {"shape": shape}))
        return (shape,)

    @property
    def before(self) -> int:
        """How many channels before each are summed."""
        return (self.size - 1) // 2

    def summed(self, x: Array, before: int) -> Array:
        """Sum over the channels of a window that starts so many before each."""
        # No window reaches further than from the last channel to the first.
        most = max(x.shape[1] - 1, 0)
        before, after = min(before, most), min(self.size - 1 - before, most)
        widths = [(before, after) if axis == 1 else (0, 0) for axis in range(x.ndim)]
        padded = np.pad(x, widths)
        total = np.zeros_like(x)
        for k in range(before + 1 + after):
            total += padded[:, k : k + x.shape[1]]
        return total

    def forward(
        self, inputs: Sequence[Array], *, training: bool = False, key: Key | None = None
    ) -> Result:
        """Divide by what the neighbours sum up to."""
        x = inputs[0]
        self.out_shapes([x.shape])
        y = dispatch.lrn(x, self.before, self.size, self.alpha, self.bias, self.beta)
        if y is None:
            _, power = self._powers(x)
            y = np.asarray(x * power)
        return (y,), {}, x

    def _powers(self, x: Array) -> tuple[Array, Array]:
        """Return what each value is divided by, before and after the power is taken."""
        kind = x.dtype.type
        base = kind(self.bias) + kind(self.alpha / self.size) * self.summed(x * x, self.before)
        return base, np.asarray(base ** kind(-self.beta))

    def backward(self, saved: Any, douts: Sequence[Array]) -> tuple[Array | None, ...]:
        """Return ``dout`` times the power, less what each value did to its neighbours."""
        x = saved
        base, power = self._powers(x)
        dout, kind = douts[0], x.dtype.type
        shared = self.summed(dout * x * power / base, self.size - 1 - self.before)
        factor = kind(2 * self.alpha * self.beta / self.size)
        return (np.asarray(dout * power - factor * x * shared),)

    def taps(
        self, in_shapes: Sequence[Shape], index: tuple[int, ...], output: int = 0
    ) -> tuple[Taps, ...]:
        """Return the window of channels."""
        start = index[1] - self.before
        rest = (point(i) for i in index[2:])
        return ((point(index[0]), range(start, start + self.size), *rest),)

    def input_span(
        self, in_shapes: Sequence[Shape], spans: Spans, output: int = 0
    ) -> tuple[Spans, ...]:
        """Return the windows of an interval of channels."""
        channels = spans[1]
        if not isinstance(channels, Everything) and channels.lo < channels.hi:
            lo = channels.lo - self.before
            channels = Interval(lo, channels.hi - self.before + self.size - 1)
        return ((spans[0], channels, *spans[2:]),)

    def onnx_attributes(self, in_shapes: Sequence[Shape]) -> Mapping[str, Attribute]:
        """Return the numbers of the formula."""
        return {
            "size": self.size,
            "alpha": float(self.alpha),
            "beta": float(self.beta),
            "bias": float(self.bias),
        }

    @classmethod
    def from_onnx(cls, node: OnnxNode) -> tuple[Self, tuple[str, ...]]:
        """Read the numbers of the formula."""
        numbers = [node.real(*pair) for pair in (("alpha", 1e-4), ("beta", 0.75), ("bias", 1.0))]
        return cls(node.integer("size", 0), *numbers), node.inputs

    @classmethod
    def examples(cls) -> list[Example]:
        """Return odd and even windows, wider than the channels too, and every number changed."""
        return [
            Example(cls(3), ((2, 4, 2, 3),)),
            Example(cls(2, alpha=0.5, beta=0.5, bias=2.0), ((2, 5, 2, 1),)),
            Example(cls(7, alpha=0.25), ((1, 3, 2, 2),)),
        ]
