"""Dense layers: matrix products."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from faltung.errors import GeometryError, message
from faltung.geometry import Interval
from faltung.ops import dispatch
from faltung.ops.elementwise import broadcast, summed_to
from faltung.ops.operator import (
    EVERYTHING,
    AbstractOperator,
    Array,
    Attribute,
    Cost,
    Dim,
    Example,
    Key,
    OnnxNode,
    Result,
    Shape,
    Spans,
    Taps,
    integers,
    point,
    whole,
)


def _check_inner(subject: str, a: Dim, b: Dim, shapes: Sequence[Shape]) -> None:
    if a != b:
        rule = "the inner sizes must be equal"
        raise GeometryError(message(subject, rule, {"a": shapes[0], "b": shapes[1]}))


@dataclass(frozen=True)
class Gemm(AbstractOperator):
    """``y = alpha a b + beta c`` with either matrix transposed: a dense layer.

    A dense layer holds its weights as (out_features, in_features), so ``trans_b=True``.
    """

    onnx_type: ClassVar[str] = "Gemm"
    arity: ClassVar[tuple[int, int]] = (2, 3)
    alpha: float = 1.0
    beta: float = 1.0
    trans_a: bool = False
    trans_b: bool = False

    def _sides(self, shapes: Sequence[Shape]) -> tuple[Shape, Shape]:
        """Return the shapes of both factors as they are multiplied."""
        if len(shapes[0]) != 2 or len(shapes[1]) != 2:
            values = {"a": shapes[0], "b": shapes[1]}
            cure = "Flatten the input first"
            raise GeometryError(
                message(self.subject, "both factors must be matrices", values, cure)
            )
        a = tuple(shapes[0])[::-1] if self.trans_a else tuple(shapes[0])
        b = tuple(shapes[1])[::-1] if self.trans_b else tuple(shapes[1])
        return a, b

    def out_shapes(self, in_shapes: Sequence[Shape]) -> tuple[Shape, ...]:
        """Return (rows, columns)."""
        a, b = self._sides(in_shapes)
        _check_inner(self.subject, a[1], b[0], in_shapes)
        out = (a[0], b[1])
        if len(in_shapes) > 2 and broadcast([out, in_shapes[2]], self.subject) != out:
            values = {"c": in_shapes[2], "out": out}
            raise GeometryError(message(self.subject, "c must fit the output", values))
        return (out,)

    def forward(
        self, inputs: Sequence[Array], *, training: bool = False, key: Key | None = None
    ) -> Result:
        """Multiply, scale, add."""
        self.out_shapes([x.shape for x in inputs])
        a, b = inputs[0], inputs[1]
        y = dispatch.matmul(a.T if self.trans_a else a, b.T if self.trans_b else b)
        if self.alpha != 1.0:
            y *= y.dtype.type(self.alpha)
        if len(inputs) > 2:
            y += inputs[2] if self.beta == 1.0 else inputs[2] * y.dtype.type(self.beta)
        return (y,), {}, tuple(inputs)

    def backward(self, saved: Any, douts: Sequence[Array]) -> tuple[Array | None, ...]:
        """Return ``dout b'``, ``a' dout`` and the sum over the batch."""
        a, b = saved[0], saved[1]
        dout = douts[0]
        scaled = dout if self.alpha == 1.0 else dout * dout.dtype.type(self.alpha)
        # Each is computed as it is stored: to turn round a large matrix takes as long as this.
        if self.trans_a:
            da = dispatch.matmul(b.T if self.trans_b else b, scaled.T)
        else:
            da = dispatch.matmul(scaled, b if self.trans_b else b.T)
        if self.trans_b:
            db = dispatch.matmul(scaled.T, a.T if self.trans_a else a)
        else:
            db = dispatch.matmul(a if self.trans_a else a.T, scaled)
        grads = [da, db]
        if len(saved) > 2:
            dc = summed_to(dout, saved[2].shape)
            grads.append(dc if self.beta == 1.0 else np.asarray(dc * dout.dtype.type(self.beta)))
        return tuple(np.asarray(g, order="C") for g in grads)

    def taps(
        self, in_shapes: Sequence[Shape], index: tuple[int, ...], output: int = 0
    ) -> tuple[Taps, ...]:
        """Return a row, a column, and an entry of c."""
        inner = whole(self._sides(in_shapes)[0][1])
        a, b = (point(index[0]), inner), (inner, point(index[1]))
        c = _repeated(in_shapes, tuple(point(i) for i in index), point(0))
        return (a[::-1] if self.trans_a else a, b[::-1] if self.trans_b else b, *c)

    def input_span(
        self, in_shapes: Sequence[Shape], spans: Spans, output: int = 0
    ) -> tuple[Spans, ...]:
        """Return everything along the inner axis."""
        a: Spans = (spans[0], EVERYTHING)
        b: Spans = (EVERYTHING, spans[1])
        c = _repeated(in_shapes, tuple(spans), Interval(0, 1))
        return (a[::-1] if self.trans_a else a, b[::-1] if self.trans_b else b, *c)

    def cost(self, in_shapes: Sequence[Shape]) -> Cost:
        """Count one multiply-accumulate for each row, column and inner position."""
        a, b = self._sides(in_shapes)
        rows = a[0] if isinstance(a[0], int) else 1
        macs = rows * math.prod(integers((a[1], b[1]), self.subject))
        return Cost(macs, macs, macs)

    def onnx_attributes(self, in_shapes: Sequence[Shape]) -> Mapping[str, Attribute]:
        """Return both factors and which sides are transposed."""
        return {
            "alpha": float(self.alpha),
            "beta": float(self.beta),
            "transA": int(self.trans_a),
            "transB": int(self.trans_b),
        }

    @classmethod
    def from_onnx(cls, node: OnnxNode) -> tuple[Self, tuple[str, ...]]:
        """Read both factors and which sides are transposed."""
        operator = cls(
            alpha=node.real("alpha", 1.0),
            beta=node.real("beta", 1.0),
            trans_a=bool(node.integer("transA", 0)),
            trans_b=bool(node.integer("transB", 0)),
        )
        return operator, node.inputs

    @classmethod
    def examples(cls) -> list[Example]:
        """Return a dense layer, all transpositions, and scaled sums, one with a number."""
        return [
            Example(cls(trans_b=True), ((4, 3), (5, 3), (5,))),
            Example(cls(), ((4, 3), (3, 5))),
            Example(cls(alpha=0.5, beta=2.0, trans_a=True), ((3, 4), (3, 5), (4, 1))),
            Example(cls(beta=-1.0, trans_a=True, trans_b=True), ((3, 2), (4, 3), ())),
        ]


def _repeated(in_shapes: Sequence[Shape], at: tuple[Any, ...], first: Any) -> tuple[Any, ...]:
    """Return where c is read, its repeated axes at their first position; nothing without c."""
    if len(in_shapes) < 3:
        return ()
    shape = in_shapes[2]
    ends = at[len(at) - len(shape) :]
    return (tuple(first if n == 1 else here for n, here in zip(shape, ends, strict=True)),)


class MatMul(AbstractOperator):
    """``y = a b`` over the last two axes, broadcasting the axes before them.

    A vector is a row on the left and a column on the right, whose axis the product does not have.
    """

    onnx_type: ClassVar[str] = "MatMul"
    arity: ClassVar[tuple[int, int]] = (2, 2)

    def out_shapes(self, in_shapes: Sequence[Shape]) -> tuple[Shape, ...]:
        """Return the broadcast axes, rows and columns."""
        a, b = self._matrices(in_shapes)
        _check_inner(self.subject, a[-1], b[-2], in_shapes)
        rows = a[-2:-1] if len(in_shapes[0]) > 1 else ()
        columns = b[-1:] if len(in_shapes[1]) > 1 else ()
        return ((*broadcast([a[:-2], b[:-2]], self.subject), *rows, *columns),)

    def _matrices(self, in_shapes: Sequence[Shape]) -> tuple[Shape, Shape]:
        """Return the shapes of both factors, a vector's as the matrix that it stands for."""
        a, b = (tuple(s) for s in in_shapes)
        if not a or not b:
            values = {"a": a, "b": b}
            raise GeometryError(message(self.subject, "both factors need an axis", values))
        return (a if len(a) > 1 else (1, *a)), (b if len(b) > 1 else (*b, 1))

    def _vectors(self, in_shapes: Sequence[Shape]) -> tuple[int, ...]:
        """Return the axes, counted from the end, that vectors take from the product."""
        left, right = len(in_shapes[0]) == 1, len(in_shapes[1]) == 1
        return (*((-2,) if left else ()), *((-1,) if right else ()))

    def forward(
        self, inputs: Sequence[Array], *, training: bool = False, key: Key | None = None
    ) -> Result:
        """Multiply."""
        shapes = [x.shape for x in inputs]
        out = integers(self.out_shapes(shapes)[0], self.subject)
        a, b = (
            x.reshape(integers(shape, self.subject))
            for x, shape in zip(inputs, self._matrices(shapes), strict=True)
        )
        return (dispatch.matmul(a, b).reshape(out),), {}, (a, b, shapes)

    def backward(self, saved: Any, douts: Sequence[Array]) -> tuple[Array | None, ...]:
        """Return ``dout b'`` and ``a' dout``, summed over the axes that were repeated."""
        a, b, shapes = saved
        dout = np.expand_dims(douts[0], self._vectors(shapes))
        da = dispatch.matmul(dout, np.swapaxes(b, -1, -2))
        db = dispatch.matmul(np.swapaxes(a, -1, -2), dout)
        pairs = ((da, a, shapes[0]), (db, b, shapes[1]))
        return tuple(summed_to(grad, x.shape).reshape(shape) for grad, x, shape in pairs)

    def taps(
        self, in_shapes: Sequence[Shape], index: tuple[int, ...], output: int = 0
    ) -> tuple[Taps, ...]:
        """Return a row and a column."""
        at = tuple(point(i) for i in index)
        return self._read(in_shapes, at, whole(in_shapes[0][-1]), point(0))

    def _read(
        self, in_shapes: Sequence[Shape], at: tuple[Any, ...], inner: Any, first: Any
    ) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        """Return where both factors are read: rows, columns, and repeated axes at their first."""
        vectors, rest = self._vectors(in_shapes), list(at)
        column = first if -1 in vectors else rest.pop()
        row = first if -2 in vectors else rest.pop()
        shapes = self._matrices(in_shapes)
        a = (*_lead(shapes[0], tuple(rest), first), row, inner)
        b = (*_lead(shapes[1], tuple(rest), first), inner, column)
        return a[-len(in_shapes[0]) :], b[: len(in_shapes[1])]

    def input_span(
        self, in_shapes: Sequence[Shape], spans: Spans, output: int = 0
    ) -> tuple[Spans, ...]:
        """Return everything along the inner axis."""
        return self._read(in_shapes, tuple(spans), EVERYTHING, Interval(0, 1))

    def cost(self, in_shapes: Sequence[Shape]) -> Cost:
        """Count one multiply-accumulate for each output and inner position."""
        shape = self.out_shapes(in_shapes)[0]
        sizes = integers((*shape[1:], in_shapes[0][-1]), self.subject)
        batch = shape[0] if shape and isinstance(shape[0], int) else 1
        macs = math.prod(sizes) * batch
        return Cost(macs, macs, macs)

    @classmethod
    def examples(cls) -> list[Example]:
        """Return matrices, stacks of them, one repeated over a stack, and vectors."""
        return [
            Example(cls(), ((4, 3), (3, 5))),
            Example(cls(), ((2, 1, 4, 3), (3, 3, 2))),
            Example(cls(), ((3,), (2, 3, 4))),
            Example(cls(), ((2, 4, 3), (3,))),
            Example(cls(), ((3,), (3,))),
        ]


def _lead(shape: Shape, at: tuple[Any, ...], first: Any) -> tuple[Any, ...]:
    """Return where a factor is read along the axes before its last two."""
    lead = shape[:-2]
    ends = at[len(at) - len(lead) :]
    return tuple(first if n == 1 else here for n, here in zip(lead, ends, strict=True))
