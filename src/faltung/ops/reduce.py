"""Reductions: sums, means, products and extremes over some axes, or all of them."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from faltung.geometry import Interval
from faltung.ops.moved import known_axes
from faltung.ops.operator import (
    EVERYTHING,
    AbstractOperator,
    Array,
    Attribute,
    AxisSpan,
    Cost,
    Dim,
    Example,
    Key,
    OnnxNode,
    Result,
    Shape,
    Spans,
    Taps,
    point,
    whole,
)


def reduced_axes(axes: tuple[int, ...] | None, rank: int, subject: str) -> tuple[int, ...]:
    """Return the axes that are reduced, in their order: all of them where none are named."""
    return tuple(range(rank)) if axes is None else tuple(sorted(known_axes(axes, rank, subject)))


def reduced_shape(shape: Shape, axes: Sequence[int], keepdims: bool) -> Shape:
    """Return a shape whose reduced axes are of size 1, or gone."""
    if keepdims:
        return tuple(1 if axis in axes else n for axis, n in enumerate(shape))
    return tuple(n for axis, n in enumerate(shape) if axis not in axes)


def reduced_taps(shape: Shape, axes: Sequence[int], index: Sequence[int], keepdims: bool) -> Taps:
    """Return whole axes, and the position on the others."""
    stay = iter([i for axis, i in enumerate(index) if not (keepdims and axis in axes)])
    return tuple(whole(n) if axis in axes else point(next(stay)) for axis, n in enumerate(shape))


def reduced_spans(shape: Shape, axes: Sequence[int], spans: Spans, keepdims: bool) -> Spans:
    """Return everything along the reduced axes, and the spans of the others."""
    stay = iter([s for axis, s in enumerate(spans) if not (keepdims and axis in axes)])
    return tuple(_all_of(n) if axis in axes else next(stay) for axis, n in enumerate(shape))


def _all_of(size: Dim) -> AxisSpan:
    return Interval(0, 0) if size == 0 else EVERYTHING


@dataclass(frozen=True)
class AbstractReduction(AbstractOperator):
    """One number of many, over the axes named (all where ``axes`` is None, none where empty)."""

    onnx_kinds: ClassVar[str] = "fiu"
    axes: tuple[int, ...] | None
    keepdims: bool

    def __post_init__(self) -> None:
        if self.axes is not None:
            object.__setattr__(self, "axes", tuple(int(axis) for axis in self.axes))

    @abstractmethod
    def value(self, x: Array, axes: tuple[int, ...]) -> Array:
        """Reduce these axes; they stay, of size 1."""

    @abstractmethod
    def gradient(self, x: Array, y: Array, dout: Array, axes: tuple[int, ...]) -> Array:
        """Return the gradient of x; ``y`` and ``dout`` have all axes."""

    def _axes(self, rank: int) -> tuple[int, ...]:
        return reduced_axes(self.axes, rank, self.subject)

    def out_shapes(self, in_shapes: Sequence[Shape]) -> tuple[Shape, ...]:
        """Return the other axes, or all with the reduced ones of size 1."""
        shape = tuple(in_shapes[0])
        return (reduced_shape(shape, self._axes(len(shape)), self.keepdims),)

    def forward(
        self, inputs: Sequence[Array], *, training: bool = False, key: Key | None = None
    ) -> Result:
        """Reduce the axes."""
        x = inputs[0]
        axes = self._axes(x.ndim)
        with np.errstate(all="ignore"):
            y = np.asarray(self.value(x, axes)).astype(x.dtype, copy=False)
        shape = reduced_shape(x.shape, axes, self.keepdims)
        return (np.array(y.reshape(shape)),), {}, (x, y, axes)  # type: ignore[arg-type]

    def backward(self, saved: Any, douts: Sequence[Array]) -> tuple[Array | None, ...]:
        """Hand ``dout`` to the values that made it."""
        x, y, axes = saved
        if x.dtype.kind != "f":
            return (None,)
        dx = self.gradient(x, y, douts[0].reshape(y.shape), axes)
        return (np.array(np.broadcast_to(dx, x.shape), x.dtype),)

    def taps(
        self, in_shapes: Sequence[Shape], index: tuple[int, ...], output: int = 0
    ) -> tuple[Taps, ...]:
        """Return the reduced axes as a whole."""
        shape = in_shapes[0]
        return (reduced_taps(shape, self._axes(len(shape)), index, self.keepdims),)

    def input_span(
        self, in_shapes: Sequence[Shape], spans: Spans, output: int = 0
    ) -> tuple[Spans, ...]:
        """Return everything along the reduced axes."""
        shape = in_shapes[0]
        return (reduced_spans(shape, self._axes(len(shape)), spans, self.keepdims),)

    def cost(self, in_shapes: Sequence[Shape]) -> Cost:
        """Count each value once, as global pooling does; a named batch counts as one."""
        count = math.prod(n if isinstance(n, int) else 1 for n in in_shapes[0])
        return Cost(connections=count, connections_inside=count)

    def to_onnx(
        self, inputs: tuple[str, ...], outputs: tuple[str, ...], in_shapes: Sequence[Shape]
    ) -> tuple[OnnxNode, ...]:
        """Write the axes as a constant input, as operator set 18 has it for all reductions."""
        attributes: dict[str, Attribute] = {"keepdims": int(self.keepdims)}
        if self.axes is None:
            return (OnnxNode(self.onnx_type, inputs, outputs, attributes, opset=18),)
        if not self.axes:
            attributes["noop_with_empty_axes"] = 1
        name = f"{outputs[0]}.axes"
        constants = {name: np.array(self.axes, np.int64)}
        named = (inputs[0], name)
        return (OnnxNode(self.onnx_type, named, outputs, attributes, constants, opset=18),)

    @classmethod
    def from_onnx(cls, node: OnnxNode) -> tuple[Self, tuple[str, ...]]:
        """Read the axes, an attribute in older files; no axes mean all, or none if it says so."""
        given = node.constant(1, "axes")
        axes: Any = node.ints("axes") if given is None else tuple(given.ravel().tolist())
        if not axes:
            axes = () if node.integer("noop_with_empty_axes", 0) == 1 else None
        make: Any = cls
        return make(axes, bool(node.integer("keepdims", 1))), node.inputs[:1]

    @classmethod
    def examples(cls) -> list[Example]:
        """Return one axis, several, all, and none, kept and dropped; an empty batch."""
        make: Any = cls
        return [
            Example(make((1,)), ((2, 3, 4),)),
            Example(make((-1, 0), False), ((3, 4, 2),)),
            Example(make(), ((2, 3),)),
            Example(make(None, False), ((2, 3),)),
            Example(make(()), ((2, 3),)),
            Example(make((2, 3)), ((2, 3, 2, 2),)),
        ]


@dataclass(frozen=True)
class ReduceSum(AbstractReduction):
    """The sum; 0 of no values."""

    onnx_type: ClassVar[str] = "ReduceSum"
    axes: tuple[int, ...] | None = None
    keepdims: bool = True

    def value(self, x: Array, axes: tuple[int, ...]) -> Array:
        """Sum, floats in float64."""
        wide = np.float64 if x.dtype.kind == "f" else x.dtype
        return np.asarray(x.sum(axis=axes, keepdims=True, dtype=wide))

    def gradient(self, x: Array, y: Array, dout: Array, axes: tuple[int, ...]) -> Array:
        """Return ``dout`` for each term."""
        return dout


@dataclass(frozen=True)
class ReduceMean(AbstractReduction):
    """The mean; NaN of no values. The mean of integers is cut off towards 0."""

    onnx_type: ClassVar[str] = "ReduceMean"
    axes: tuple[int, ...] | None = None
    keepdims: bool = True

    def value(self, x: Array, axes: tuple[int, ...]) -> Array:
        """Average in float64."""
        total = np.asarray(x.sum(axis=axes, keepdims=True, dtype=np.float64))
        mean = np.asarray(total / np.float64(math.prod(x.shape[axis] for axis in axes)))
        return mean if x.dtype.kind == "f" else np.trunc(mean)

    def gradient(self, x: Array, y: Array, dout: Array, axes: tuple[int, ...]) -> Array:
        """Return ``dout`` divided by how many values were averaged."""
        count = max(math.prod(x.shape[axis] for axis in axes), 1)
        return np.asarray(dout / dout.dtype.type(count))


@dataclass(frozen=True)
class ReduceMax(AbstractReduction):
    """The maximum, NaN if there is one; the least number there is of no values.

    The first of equal values, in row-major order, takes the whole gradient.
    """

    onnx_type: ClassVar[str] = "ReduceMax"
    onnx_kinds: ClassVar[str] = "fiub"
    axes: tuple[int, ...] | None = None
    keepdims: bool = True

    def value(self, x: Array, axes: tuple[int, ...]) -> Array:
        """Take the largest."""
        return np.asarray(x.max(axis=axes, keepdims=True, initial=limits_of(x.dtype)[0]))

    def gradient(self, x: Array, y: Array, dout: Array, axes: tuple[int, ...]) -> Array:
        """Return ``dout`` at the first place where the result stands."""
        return _first_takes_all(x, y, dout, axes)


@dataclass(frozen=True)
class ReduceMin(AbstractReduction):
    """The minimum, NaN if there is one; the greatest number there is of no values.

    The first of equal values, in row-major order, takes the whole gradient.
    """

    onnx_type: ClassVar[str] = "ReduceMin"
    onnx_kinds: ClassVar[str] = "fiub"
    axes: tuple[int, ...] | None = None
    keepdims: bool = True

    def value(self, x: Array, axes: tuple[int, ...]) -> Array:
        """Take the smallest."""
        return np.asarray(x.min(axis=axes, keepdims=True, initial=limits_of(x.dtype)[1]))

    def gradient(self, x: Array, y: Array, dout: Array, axes: tuple[int, ...]) -> Array:
        """Return ``dout`` at the first place where the result stands."""
        return _first_takes_all(x, y, dout, axes)


@dataclass(frozen=True)
class ReduceProd(AbstractReduction):
    """The product; 1 of no values."""

    onnx_type: ClassVar[str] = "ReduceProd"
    axes: tuple[int, ...] | None = None
    keepdims: bool = True

    def value(self, x: Array, axes: tuple[int, ...]) -> Array:
        """Multiply."""
        return np.asarray(x.prod(axis=axes, keepdims=True, dtype=x.dtype))

    def gradient(self, x: Array, y: Array, dout: Array, axes: tuple[int, ...]) -> Array:
        """Return ``dout`` times the product of all others: what is before, and what is after."""
        rows, order, shape = _rows(x, axes)
        ones = np.ones((len(rows), 1), x.dtype)
        with np.errstate(all="ignore"):
            before = np.cumprod(np.concatenate([ones, rows[:, :-1]], axis=1), axis=1)
            after = np.cumprod(np.concatenate([ones, rows[:, :0:-1]], axis=1), axis=1)[:, ::-1]
            others = (before * after)[:, : rows.shape[1]]
        return np.asarray(dout * others.reshape(shape).transpose(np.argsort(order)))


def limits_of(dtype: np.dtype[Any]) -> tuple[Any, Any]:
    """Return the least and the greatest number of a dtype."""
    if dtype.kind == "f":
        return -math.inf, math.inf
    if dtype.kind == "b":
        return False, True
    return np.iinfo(dtype).min, np.iinfo(dtype).max


def _rows(x: Array, axes: tuple[int, ...]) -> tuple[Array, tuple[int, ...], tuple[int, ...]]:
    """Return x with what is reduced in rows, the order of axes for that, and the sizes in it."""
    order = (*(a for a in range(x.ndim) if a not in axes), *axes)
    moved = x.transpose(order)
    count = math.prod(x.shape[axis] for axis in axes)
    return moved.reshape(math.prod(moved.shape[: x.ndim - len(axes)]), count), order, moved.shape


def _first_takes_all(x: Array, y: Array, dout: Array, axes: tuple[int, ...]) -> Array:
    same, order, shape = _rows((x == y) | (np.isnan(x) & np.isnan(y)), axes)
    if not same.size:
        return np.zeros(x.shape, dout.dtype)
    first = np.zeros(same.shape, np.bool_)
    first[np.arange(len(same)), same.argmax(axis=1)] = True
    return np.where(first.reshape(shape).transpose(np.argsort(order)), dout, dout.dtype.type(0))
