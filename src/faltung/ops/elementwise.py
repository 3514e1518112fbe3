"""Operators that work on each value by itself: activations and arithmetic.

Gradients are written from the outputs where that is shorter: ``y' = y (1 - y)`` for the logistic
function, ``1 - y**2`` for the hyperbolic tangent.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Self, TypeAlias

import numpy as np

from faltung.errors import GeometryError, message
from faltung.geometry import Interval
from faltung.ops import dispatch
from faltung.ops.operator import (
    AbstractOperator,
    Array,
    Attribute,
    Dim,
    Example,
    Key,
    OnnxNode,
    Result,
    Shape,
    Spans,
    Taps,
    point,
)

Steps: TypeAlias = tuple[tuple[Any, ...], ...]
"""A chain, as `faltung.kernels.chain` has it."""


class AbstractElementwise(AbstractOperator):
    """A function of one array, value by value."""

    def out_shapes(self, in_shapes: Sequence[Shape]) -> tuple[Shape, ...]:
        """Return the shape of the input."""
        return (in_shapes[0],)

    def taps(
        self, in_shapes: Sequence[Shape], index: tuple[int, ...], output: int = 0
    ) -> tuple[Taps, ...]:
        """Return the one position."""
        return (tuple(point(i) for i in index),)

    def input_span(
        self, in_shapes: Sequence[Shape], spans: Spans, output: int = 0
    ) -> tuple[Spans, ...]:
        """Return the spans themselves."""
        return (tuple(spans),)

    @classmethod
    def examples(cls) -> list[Example]:
        """Return arrays of several ranks, a number and an empty one among them."""
        return [Example(cls(), (shape,)) for shape in ((2, 3, 4, 5), (7,), (), (2, 0))]


class Identity(AbstractElementwise):
    """``y = x``."""

    onnx_type: ClassVar[str] = "Identity"
    onnx_kinds: ClassVar[str] = "fiub"

    def forward(
        self, inputs: Sequence[Array], *, training: bool = False, key: Key | None = None
    ) -> Result:
        """Return the input."""
        return (inputs[0],), {}, None

    def backward(self, saved: Any, douts: Sequence[Array]) -> tuple[Array | None, ...]:
        """Return ``dout``."""
        return (douts[0],)


class Relu(AbstractElementwise):
    """``y = max(x, 0)``; NaN stays NaN; the gradient at 0 is 0."""

    onnx_type: ClassVar[str] = "Relu"

    def forward(
        self, inputs: Sequence[Array], *, training: bool = False, key: Key | None = None
    ) -> Result:
        """Compute ``max(x, 0)``."""
        y = dispatch.chained((("load", 0), ("relu", 0)), inputs[0])
        if y is None:
            y = np.asarray(np.maximum(inputs[0], 0))
        return (y,), {}, y

    def backward(self, saved: Any, douts: Sequence[Array]) -> tuple[Array | None, ...]:
        """Return ``dout`` where ``x > 0``."""
        steps = (("load", 0), ("load", 1), ("positive", 1), ("mul", 0, 2))
        dx = dispatch.chained(steps, douts[0], saved)
        return (np.asarray(douts[0] * (saved > 0)) if dx is None else dx,)


@dataclass(frozen=True)
class LeakyRelu(AbstractElementwise):
    """``y = x`` for ``x >= 0``, ``y = alpha x`` below; the gradient at 0 is alpha's."""

    onnx_type: ClassVar[str] = "LeakyRelu"
    alpha: float = 0.01

    @property
    def steps(self) -> Steps:
        """What computes it."""
        return (("load", 0), ("leaky_relu", 0, float(self.alpha)))

    @property
    def steps_dx(self) -> Steps:
        """What computes the gradient, of that of the output and the input."""
        slope = ("number", float(self.alpha))
        return (("load", 0), ("load", 1), slope, ("mul", 0, 2), ("where", 1, 0, 3))

    def forward(
        self, inputs: Sequence[Array], *, training: bool = False, key: Key | None = None
    ) -> Result:
        """Compute ``x`` or ``alpha x``."""
        x = inputs[0]
        y = dispatch.chained(self.steps, x)
        if y is None:
            y = np.where(x >= 0, x, x * x.dtype.type(self.alpha))
        return (y,), {}, x

    def backward(self, saved: Any, douts: Sequence[Array]) -> tuple[Array | None, ...]:
        """Return ``dout`` where ``x > 0``, else ``alpha dout``."""
        dout = douts[0]
        dx = dispatch.chained(self.steps_dx, dout, saved)
        if dx is None:
            dx = np.where(saved > 0, dout, dout * dout.dtype.type(self.alpha))
        return (dx,)

    def onnx_attributes(self, in_shapes: Sequence[Shape]) -> Mapping[str, Attribute]:
        """Return the slope."""
        return {"alpha": float(self.alpha)}

    @classmethod
    def from_onnx(cls, node: OnnxNode) -> tuple[Self, tuple[str, ...]]:
        """Read the slope."""
        return cls(alpha=node.real("alpha", 0.01)), node.inputs

    @classmethod
    def examples(cls) -> list[Example]:
        """Return two slopes."""
        return [Example(cls(), ((2, 3, 4),)), Example(cls(alpha=0.25), ((3, 5),))]


_WITH_ONE: Final = (("load", 0), ("load", 1), ("number", 1.0))


class Sigmoid(AbstractElementwise):
    """``y = 1 / (1 + exp(-x))``, without overflow on either side."""

    onnx_type: ClassVar[str] = "Sigmoid"
    steps: ClassVar[Steps] = (("load", 0), ("logistic", 0))
    steps_dx: ClassVar[Steps] = (*_WITH_ONE, ("mul", 0, 1), ("sub", 2, 1), ("mul", 3, 4))

    def forward(
        self, inputs: Sequence[Array], *, training: bool = False, key: Key | None = None
    ) -> Result:
        """Compute the logistic function as ``e / (1 + e)`` or ``1 / (1 + e)``, e = exp(-|x|).

        It is off by three units in the last place, at most, where a kernel computes it.
        """
        x = inputs[0]
        y = dispatch.chained(self.steps, x, as_numpy=False)
        if y is None:
            e = np.exp(-np.abs(x))
            y = np.asarray(np.where(x >= 0, 1, e) / (1 + e))
        return (y,), {}, y

    def backward(self, saved: Any, douts: Sequence[Array]) -> tuple[Array | None, ...]:
        """Return ``dout y (1 - y)``."""
        dx = dispatch.chained(self.steps_dx, douts[0], saved)
        return (np.asarray(douts[0] * saved * (1 - saved)) if dx is None else dx,)


class Tanh(AbstractElementwise):
    """``y = tanh(x)``."""

    onnx_type: ClassVar[str] = "Tanh"
    steps: ClassVar[Steps] = (("load", 0), ("tanh", 0))
    steps_dx: ClassVar[Steps] = (*_WITH_ONE, ("square", 1), ("sub", 2, 3), ("mul", 0, 4))

    def forward(
        self, inputs: Sequence[Array], *, training: bool = False, key: Key | None = None
    ) -> Result:
        """Compute the hyperbolic tangent, by a kernel within two units in the last place."""
        y = dispatch.chained(self.steps, inputs[0], as_numpy=False)
        if y is None:
            y = np.asarray(np.tanh(inputs[0]))
        return (y,), {}, y

    def backward(self, saved: Any, douts: Sequence[Array]) -> tuple[Array | None, ...]:
        """Return ``dout (1 - y**2)``."""
        dx = dispatch.chained(self.steps_dx, douts[0], saved)
        return (np.asarray(douts[0] * (1 - saved * saved)) if dx is None else dx,)


def _joined(a: Dim, b: Dim, shapes: Sequence[Shape], subject: str) -> Dim:
    if a == b or b == 1:
        return a
    if a == 1:
        return b
    rule = "the shapes must be equal, or 1, axis by axis from the last"
    raise GeometryError(message(subject, rule, {"a": shapes[0], "b": shapes[1]}))


def broadcast(shapes: Sequence[Shape], subject: str) -> Shape:
    """Return the shape that two shapes share under NumPy's rule.

    >>> broadcast([("batch", 3, 5), (3, 1)], "add")
    ('batch', 3, 5)
    """
    rank = max(len(s) for s in shapes)
    a, b = ((1,) * (rank - len(s)) + tuple(s) for s in shapes)
    return tuple(_joined(m, n, shapes, subject) for m, n in zip(a, b, strict=True))


def summed_to(grad: Array, shape: tuple[int, ...]) -> Array:
    """Sum a gradient over the axes that broadcasting repeated."""
    extra = grad.ndim - len(shape)
    axes = tuple(range(extra)) + tuple(
        extra + axis for axis, size in enumerate(shape) if size == 1 != grad.shape[extra + axis]
    )
    return np.asarray(grad.sum(axis=axes)).reshape(shape) if axes else grad


class AbstractBinary(AbstractOperator):
    """A function of two arrays, value by value, under NumPy's broadcasting."""

    arity: ClassVar[tuple[int, int]] = (2, 2)

    @abstractmethod
    def value(self, a: Array, b: Array) -> Array:
        """Compute the value."""

    @abstractmethod
    def partials(self, a: Array, b: Array, dout: Array) -> tuple[Array, Array]:
        """Return the gradients of both sides, before summing over repeated axes."""

    def out_shapes(self, in_shapes: Sequence[Shape]) -> tuple[Shape, ...]:
        """Return the shape that both inputs share."""
        return (broadcast(in_shapes, self.subject),)

    def forward(
        self, inputs: Sequence[Array], *, training: bool = False, key: Key | None = None
    ) -> Result:
        """Compute the value."""
        a, b = inputs
        self.out_shapes([a.shape, b.shape])
        return (self.value(a, b),), {}, (a, b)

    def backward(self, saved: Any, douts: Sequence[Array]) -> tuple[Array | None, ...]:
        """Return the partial gradients, summed over the axes that were repeated."""
        a, b = saved
        da, db = self.partials(a, b, douts[0])
        # NumPy turns the arithmetic of arrays without axes into numbers.
        return summed_to(np.asarray(da), a.shape), summed_to(np.asarray(db), b.shape)

    def taps(
        self, in_shapes: Sequence[Shape], index: tuple[int, ...], output: int = 0
    ) -> tuple[Taps, ...]:
        """Return the position, 0 along repeated axes."""
        return tuple(
            tuple(
                point(0 if n == 1 else i)
                for n, i in zip(s, index[len(index) - len(s) :], strict=True)
            )
            for s in in_shapes
        )

    def input_span(
        self, in_shapes: Sequence[Shape], spans: Spans, output: int = 0
    ) -> tuple[Spans, ...]:
        """Return the spans, [0, 1) along repeated axes."""
        return tuple(
            tuple(
                Interval(0, 1) if n == 1 else span
                for n, span in zip(s, spans[len(spans) - len(s) :], strict=True)
            )
            for s in in_shapes
        )

    @classmethod
    def examples(cls) -> list[Example]:
        """Return equal shapes, and shapes that repeat on either side."""
        return [
            Example(cls(), ((2, 3, 4), (2, 3, 4)), positive=(1,)),
            Example(cls(), ((2, 3, 4), (3, 1)), positive=(1,)),
            Example(cls(), ((4,), (2, 3, 1)), positive=(1,)),
            Example(cls(), ((2, 1, 3), ()), positive=(1,)),
        ]


class Add(AbstractBinary):
    """``a + b``."""

    onnx_type: ClassVar[str] = "Add"

    def value(self, a: Array, b: Array) -> Array:
        """Compute ``a + b``."""
        steps = (("load", 0), ("load", 1), ("add", 0, 1))
        y = dispatch.chained(steps, a, b) if a.shape == b.shape else None
        return np.asarray(a + b) if y is None else y

    def partials(self, a: Array, b: Array, dout: Array) -> tuple[Array, Array]:
        """Return ``dout`` twice."""
        return dout, dout


class Sub(AbstractBinary):
    """``a - b``."""

    onnx_type: ClassVar[str] = "Sub"

    def value(self, a: Array, b: Array) -> Array:
        """Compute ``a - b``."""
        return np.asarray(a - b)

    def partials(self, a: Array, b: Array, dout: Array) -> tuple[Array, Array]:
        """Return ``dout`` and ``-dout``."""
        return dout, -dout


class Mul(AbstractBinary):
    """``a * b``."""

    onnx_type: ClassVar[str] = "Mul"

    def value(self, a: Array, b: Array) -> Array:
        """Compute ``a * b``."""
        return np.asarray(a * b)

    def partials(self, a: Array, b: Array, dout: Array) -> tuple[Array, Array]:
        """Return ``dout b`` and ``dout a``."""
        return dout * b, dout * a


class Div(AbstractBinary):
    """``a / b``."""

    onnx_type: ClassVar[str] = "Div"

    def value(self, a: Array, b: Array) -> Array:
        """Compute ``a / b``; of integers the quotient towards zero."""
        with np.errstate(divide="ignore", invalid="ignore"):
            if a.dtype.kind not in "iu" or b.dtype.kind not in "iu":
                return np.asarray(a / b)
            down = a // b
            up = (down * b != a) & ((a < 0) != (b < 0))
            return np.asarray(down + up, dtype=down.dtype)

    def partials(self, a: Array, b: Array, dout: Array) -> tuple[Array, Array]:
        """Return ``dout / b`` and ``-dout a / b**2``."""
        da = dout / b
        return da, -da * (a / b)
