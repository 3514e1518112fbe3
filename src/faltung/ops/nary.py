"""Operators on several arrays, value by value: Min, Max, Sum, Where, comparisons and logic.

All follow NumPy's broadcasting. Truth values have no gradient.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, ClassVar, Final

import numpy as np

from faltung.ops.elementwise import AbstractElementwise, broadcast, summed_to
from faltung.ops.moved import repeated_spans, repeated_taps
from faltung.ops.operator import (
    AbstractOperator,
    Array,
    Example,
    Key,
    Result,
    Shape,
    Spans,
    Taps,
)

BOOL: Final = np.dtype(np.bool_)
SHAPES: Final[tuple[tuple[tuple[int, ...], ...], ...]] = (
    ((2, 3, 4), (2, 3, 4)),
    ((2, 3, 4), (3, 1)),
    ((4,), (2, 3, 1)),
    ((3, 2), ()),
)
"""Shapes that are equal, and that repeat on either side."""


class AbstractBroadcast(AbstractOperator):
    """A function of several arrays, value by value."""

    onnx_kinds: ClassVar[str] = "fiu"
    arity: ClassVar[tuple[int, int]] = (2, 2)

    def out_shapes(self, in_shapes: Sequence[Shape]) -> tuple[Shape, ...]:
        """Return the shape that all share."""
        shapes = [tuple(shape) for shape in in_shapes]
        return (functools.reduce(lambda a, b: broadcast([a, b], self.subject), shapes),)

    def taps(
        self, in_shapes: Sequence[Shape], index: tuple[int, ...], output: int = 0
    ) -> tuple[Taps, ...]:
        """Return the position, 0 along repeated axes."""
        return tuple(repeated_taps(shape, index) for shape in in_shapes)

    def input_span(
        self, in_shapes: Sequence[Shape], spans: Spans, output: int = 0
    ) -> tuple[Spans, ...]:
        """Return the spans, [0, 1) along repeated axes."""
        return tuple(repeated_spans(shape, spans) for shape in in_shapes)


class AbstractMany(AbstractBroadcast):
    """A function of any number of arrays."""

    arity: ClassVar[tuple[int, int]] = (1, 1 << 30)

    @classmethod
    def examples(cls) -> list[Example]:
        """Return two arrays, three, and one."""
        two = [Example(cls(), shapes) for shapes in SHAPES]
        return [*two, Example(cls(), ((4, 3), (3,), (4, 3))), Example(cls(), ((2, 4),))]


class Sum(AbstractMany):
    """The sum of all arrays."""

    onnx_type: ClassVar[str] = "Sum"

    def forward(
        self, inputs: Sequence[Array], *, training: bool = False, key: Key | None = None
    ) -> Result:
        """Add them up, the first ones first."""
        shapes = [x.shape for x in inputs]
        self.out_shapes(shapes)
        y = functools.reduce(np.add, inputs)
        return (np.array(y),), {}, shapes

    def backward(self, saved: Any, douts: Sequence[Array]) -> tuple[Array | None, ...]:
        """Return ``dout`` for each."""
        return tuple(np.array(summed_to(douts[0], shape)) for shape in saved)


class AbstractExtreme(AbstractMany):
    """The extreme of all arrays; the first that has it takes the whole gradient."""

    pick: ClassVar[Any]

    def forward(
        self, inputs: Sequence[Array], *, training: bool = False, key: Key | None = None
    ) -> Result:
        """Take the extreme, NaN if there is one."""
        self.out_shapes([x.shape for x in inputs])
        y = np.array(functools.reduce(type(self).pick, inputs))
        return (y,), {}, (tuple(inputs), y)

    def backward(self, saved: Any, douts: Sequence[Array]) -> tuple[Array | None, ...]:
        """Return ``dout`` to the first array that has the value."""
        inputs, y = saved
        free = np.ones(y.shape, np.bool_)
        grads: list[Array | None] = []
        for x in inputs:
            own = free & ((x == y) | ((x != x) & (y != y)))
            free = free & ~own
            dx = np.where(own, douts[0], douts[0].dtype.type(0))
            grads.append(np.array(summed_to(dx, x.shape)) if x.dtype.kind == "f" else None)
        return tuple(grads)


class Max(AbstractExtreme):
    """The largest of all arrays' values."""

    onnx_type: ClassVar[str] = "Max"
    pick: ClassVar[Any] = np.maximum


class Min(AbstractExtreme):
    """The smallest of all arrays' values."""

    onnx_type: ClassVar[str] = "Min"
    pick: ClassVar[Any] = np.minimum


class Where(AbstractBroadcast):
    """The second input where the first is true, else the third."""

    onnx_type: ClassVar[str] = "Where"
    onnx_kinds: ClassVar[str] = "fiub"
    arity: ClassVar[tuple[int, int]] = (3, 3)

    def out_dtypes(self, in_dtypes: Sequence[np.dtype[Any]]) -> tuple[np.dtype[Any], ...]:
        """Return that of the second input."""
        return (in_dtypes[1],)

    def forward(
        self, inputs: Sequence[Array], *, training: bool = False, key: Key | None = None
    ) -> Result:
        """Choose."""
        condition, a, b = inputs
        self.out_shapes([x.shape for x in inputs])
        chosen = np.where(condition, a, b).astype(a.dtype, copy=False)
        return (chosen,), {}, (condition.astype(BOOL), a.shape, b.shape)

    def backward(self, saved: Any, douts: Sequence[Array]) -> tuple[Array | None, ...]:
        """Return ``dout`` to what was chosen."""
        condition, a, b = saved
        dout, zero = douts[0], douts[0].dtype.type(0)
        if dout.dtype.kind != "f":
            return None, None, None
        da, db = np.where(condition, dout, zero), np.where(condition, zero, dout)
        return None, summed_to(da, a), summed_to(db, b)

    @classmethod
    def examples(cls) -> list[Example]:
        """Return equal shapes, and each input repeated."""
        dtypes = ("bool", "", "")
        shapes: tuple[tuple[tuple[int, ...], ...], ...] = (
            ((2, 3, 4), (2, 3, 4), (2, 3, 4)),
            ((3, 1), (2, 3, 4), ()),
            ((2, 3, 4), (4,), (2, 1, 1)),
        )
        return [Example(cls(), s, dtypes=dtypes) for s in shapes]


class AbstractTruth(AbstractBroadcast):
    """A function of two arrays that is true or false."""

    compare: ClassVar[Any]

    def out_dtypes(self, in_dtypes: Sequence[np.dtype[Any]]) -> tuple[np.dtype[Any], ...]:
        """Return bool."""
        return (BOOL,)

    def forward(
        self, inputs: Sequence[Array], *, training: bool = False, key: Key | None = None
    ) -> Result:
        """Compare them."""
        self.out_shapes([x.shape for x in inputs])
        return (np.array(type(self).compare(*inputs)),), {}, None

    def backward(self, saved: Any, douts: Sequence[Array]) -> tuple[Array | None, ...]:
        """Return none."""
        return None, None

    @classmethod
    def examples(cls) -> list[Example]:
        """Return equal shapes, and shapes that repeat; whole numbers as well."""
        whole = Example(cls(), ((3, 4), (4,)), dtypes=("int64", "int64"))
        return [*(Example(cls(), shapes) for shapes in SHAPES), whole]


class Equal(AbstractTruth):
    """``a == b``; NaN equals nothing."""

    onnx_type: ClassVar[str] = "Equal"
    onnx_kinds: ClassVar[str] = "fiub"
    compare: ClassVar[Any] = np.equal


class Greater(AbstractTruth):
    """``a > b``."""

    onnx_type: ClassVar[str] = "Greater"
    compare: ClassVar[Any] = np.greater


class GreaterOrEqual(AbstractTruth):
    """``a >= b``."""

    onnx_type: ClassVar[str] = "GreaterOrEqual"
    compare: ClassVar[Any] = np.greater_equal


class Less(AbstractTruth):
    """``a < b``."""

    onnx_type: ClassVar[str] = "Less"
    compare: ClassVar[Any] = np.less


class LessOrEqual(AbstractTruth):
    """``a <= b``."""

    onnx_type: ClassVar[str] = "LessOrEqual"
    compare: ClassVar[Any] = np.less_equal


class AbstractLogic(AbstractTruth):
    """A function of two truth values."""

    onnx_kinds: ClassVar[str] = "b"

    @classmethod
    def examples(cls) -> list[Example]:
        """Return equal shapes, and shapes that repeat."""
        return [Example(cls(), shapes, dtypes=("bool", "bool")) for shapes in SHAPES]


class And(AbstractLogic):
    """Whether both are true."""

    onnx_type: ClassVar[str] = "And"
    compare: ClassVar[Any] = np.logical_and


class Or(AbstractLogic):
    """Whether one is true, or both."""

    onnx_type: ClassVar[str] = "Or"
    compare: ClassVar[Any] = np.logical_or


class Xor(AbstractLogic):
    """Whether one is true, and not both."""

    onnx_type: ClassVar[str] = "Xor"
    compare: ClassVar[Any] = np.logical_xor


class Not(AbstractElementwise):
    """Whether it is false."""

    onnx_type: ClassVar[str] = "Not"
    onnx_kinds: ClassVar[str] = "b"

    def out_dtypes(self, in_dtypes: Sequence[np.dtype[Any]]) -> tuple[np.dtype[Any], ...]:
        """Return bool."""
        return (BOOL,)

    def forward(
        self, inputs: Sequence[Array], *, training: bool = False, key: Key | None = None
    ) -> Result:
        """Turn it round."""
        return (np.array(np.logical_not(inputs[0])),), {}, None

    def backward(self, saved: Any, douts: Sequence[Array]) -> tuple[Array | None, ...]:
        """Return none."""
        return (None,)

    @classmethod
    def examples(cls) -> list[Example]:
        """Return arrays of several ranks."""
        return [Example(cls(), (s,), dtypes=("bool",)) for s in ((2, 3, 4), (7,), (), (2, 0))]
