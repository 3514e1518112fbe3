"""Numbers kept as small integers: QuantizeLinear, DequantizeLinear."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np

from faltung.errors import DTypeError, GeometryError, message
from faltung.geometry import Interval
from faltung.ops.elementwise import summed_to
from faltung.ops.moved import known_axes
from faltung.ops.operator import (
    AbstractOperator,
    Array,
    Attribute,
    AxisSpan,
    Everything,
    Example,
    Key,
    OnnxNode,
    Result,
    Shape,
    Spans,
    Taps,
    integers,
    point,
)
from faltung.ops.power import NARROW, ONNX_DTYPES, narrow_limits, narrow_opset, onnx_dtype

QUANTIZED = ("uint8", "int8", "uint16", "int16", *NARROW)


class AbstractQuantization(AbstractOperator):
    """A scale and a zero point: of all values, of each position of ``axis``, or of each block.

    With ``block_size`` the scale has x's axes, and each of its positions along ``axis`` is for so
    many of x.
    """

    onnx_kinds: ClassVar[str] = "fiu"
    arity: ClassVar[tuple[int, int]] = (2, 3)
    axis: int
    block_size: int

    def _kind(self, shape: Shape, scale: Shape) -> tuple[int, int]:
        """Return the axis, and how many positions share a scale: 0 for all of them."""
        if not scale or (tuple(scale) == (1,) and not self.block_size):
            return 0, 0
        (axis,) = known_axes((self.axis,), len(shape), self.subject)
        each = self.block_size or 1
        size = integers((shape[axis],), self.subject)[0]
        wanted: Shape = (size,)
        if self.block_size:
            wanted = (*shape[:axis], -(-size // each), *shape[axis + 1 :])
        if tuple(scale) != wanted:
            values = {"x": tuple(shape), "scale": tuple(scale), "wanted": wanted}
            raise GeometryError(message(self.subject, "scale must fit x", values))
        return axis, each

    def out_shapes(self, in_shapes: Sequence[Shape]) -> tuple[Shape, ...]:
        """Return the shape of x."""
        x, scale, *zero = (tuple(shape) for shape in in_shapes)
        self._kind(x, scale)
        # ONNX's own cases have one scale without axes, and its zero point with one.
        if zero and zero[0] != scale and not {zero[0], scale} <= {(), (1,)}:
            values = {"scale": scale, "zero_point": zero[0]}
            rule = "zero point must be shaped like scale"
            raise GeometryError(message(self.subject, rule, values))
        return (x,)

    def _repeated(self, given: Array, shape: tuple[int, ...]) -> Array:
        """Return a scale or zero point so that it meets x."""
        axis, each = self._kind(shape, given.shape)
        if not each:
            return given.reshape(())
        if given.ndim == 1 and not self.block_size:
            return given.reshape(-1, *(1,) * (len(shape) - axis - 1))
        return np.repeat(given, each, axis=axis).take(np.arange(shape[axis]), axis=axis)

    def taps(
        self, in_shapes: Sequence[Shape], index: tuple[int, ...], output: int = 0
    ) -> tuple[Taps, ...]:
        """Return the value, and its scale and zero point."""
        axis, each = self._kind(in_shapes[0], in_shapes[1])
        x = tuple(point(i) for i in index)
        at = list(index) if self.block_size else [index[axis]] if index else []
        if each:
            at[axis if self.block_size else 0] = index[axis] // each
        scale = tuple(point(i) for i in at)
        return (x, *(scale if each else (point(0),) * len(shape) for shape in in_shapes[1:]))

    def input_span(
        self, in_shapes: Sequence[Shape], spans: Spans, output: int = 0
    ) -> tuple[Spans, ...]:
        """Return the spans, and those of scale and zero point."""
        axis, each = self._kind(in_shapes[0], in_shapes[1])
        if not each:
            return (tuple(spans), *((Interval(0, 1),) * len(shape) for shape in in_shapes[1:]))
        along = _blocks(spans[axis], each)
        scale = (*spans[:axis], along, *spans[axis + 1 :]) if self.block_size else (along,)
        return (tuple(spans), *(scale,) * (len(in_shapes) - 1))

    def to_onnx(
        self, inputs: tuple[str, ...], outputs: tuple[str, ...], in_shapes: Sequence[Shape]
    ) -> tuple[OnnxNode, ...]:
        """Write the node; blocks need operator set 21, an axis 13."""
        attributes: dict[str, Attribute] = {"axis": self.axis, **self.onnx_attributes(in_shapes)}
        if self.block_size:
            attributes["block_size"] = self.block_size
        newer = 21 if attributes.keys() - {"axis"} else 0
        return (OnnxNode(self.onnx_type, inputs, outputs, attributes, opset=newer),)


def _blocks(span: AxisSpan, each: int) -> AxisSpan:
    if isinstance(span, Everything) or span.empty:
        return span
    return Interval(span.lo // each, (span.hi - 1) // each + 1)


@dataclass(frozen=True)
class QuantizeLinear(AbstractQuantization):
    """``y = x / scale``, rounded to the nearest (half to even), plus the zero point, kept in range.

    The result has the zero point's dtype; without one, ``to``. Integers of 2 or 4 bits are held in
    8: then ``to`` says which they are, with a zero point too. NaN becomes the zero point. It has no
    gradient.
    """

    onnx_type: ClassVar[str] = "QuantizeLinear"
    axis: int = 1
    block_size: int = 0
    to: str = "uint8"

    def __post_init__(self) -> None:
        if self.to not in QUANTIZED:
            rule = "to must be an integer of 2 to 16 bits"
            raise DTypeError(message(self.subject, rule, {"to": self.to}))

    def out_dtypes(self, in_dtypes: Sequence[np.dtype[Any]]) -> tuple[np.dtype[Any], ...]:
        """Return the zero point's dtype, or ``to``."""
        if self.to in NARROW:
            return (np.dtype(NARROW[self.to]),)
        return (in_dtypes[2] if len(in_dtypes) > 2 else np.dtype(self.to),)

    def _limits(self, dtype: np.dtype[Any]) -> tuple[int, int]:
        if self.to in NARROW:
            return narrow_limits(self.to)
        if dtype.kind not in "iu":
            rule = "its zero point must be an integer"
            raise DTypeError(message(self.subject, rule, {"dtype": dtype}))
        return int(np.iinfo(dtype).min), int(np.iinfo(dtype).max)

    def forward(
        self, inputs: Sequence[Array], *, training: bool = False, key: Key | None = None
    ) -> Result:
        """Divide, round, shift, clip."""
        x, scale, *zero = inputs
        self.out_shapes([a.shape for a in inputs])
        (dtype,) = self.out_dtypes([a.dtype for a in inputs])
        least, greatest = self._limits(dtype)
        with np.errstate(all="ignore"):
            steps = np.rint(x / self._repeated(scale, x.shape))
        steps = np.where(np.isnan(steps), 0, steps)
        if zero:
            steps = steps + self._repeated(zero[0], x.shape)
        return (np.clip(steps, least, greatest).astype(dtype),), {}, len(inputs)

    def backward(self, saved: Any, douts: Sequence[Array]) -> tuple[Array | None, ...]:
        """Return none: it goes in steps."""
        return (None,) * int(saved)

    def to_onnx(
        self, inputs: tuple[str, ...], outputs: tuple[str, ...], in_shapes: Sequence[Shape]
    ) -> tuple[OnnxNode, ...]:
        """Write the node; integers of 2 or 4 bits are of 8 before and behind it."""
        if self.to not in NARROW:
            return super().to_onnx(inputs, outputs, in_shapes)
        zero, cut = f"{outputs[0]}.zero", f"{outputs[0]}.cut"
        narrow, held = {"to": onnx_dtype(self.to)}, {"to": onnx_dtype(NARROW[self.to])}
        casts = [OnnxNode("Cast", inputs[2:], (zero,), narrow)] if len(inputs) > 2 else []
        read = (*inputs[:2], zero)[: len(inputs)]
        (node,) = super().to_onnx(read, (cut,), in_shapes)
        node = replace(node, opset=narrow_opset(self.to))
        return *casts, node, OnnxNode("Cast", (cut,), outputs, held)

    def onnx_attributes(self, in_shapes: Sequence[Shape]) -> Mapping[str, Attribute]:
        """Return the dtype where no zero point says it."""
        if self.to == "uint8":
            return {}
        return {"output_dtype": onnx_dtype(self.to)}

    @classmethod
    def from_onnx(cls, node: OnnxNode) -> tuple[Self, tuple[str, ...]]:
        """Read axis, blocks and dtype."""
        number = node.integer("output_dtype", 0) or 2
        to = ONNX_DTYPES.get(number, str(number))
        return cls(node.integer("axis", 1), node.integer("block_size", 0), to), node.inputs

    @classmethod
    def examples(cls) -> list[Example]:
        """Return one scale, one an axis, blocks, with and without a zero point."""
        return [
            Example(cls(), ((2, 3, 4), ()), (1,), ("float32", "float32")),
            Example(cls(-1), ((2, 3), (3,), (3,)), (1,), ("float32", "float32", "int8")),
            Example(cls(2), ((2, 1, 4), (4,), (4,)), (1,), ("float32", "float32", "uint8")),
            Example(cls(1, 2), ((2, 6), (2, 3)), (1,), ("float32", "float32")),
            Example(cls(to="int8"), ((2, 3), ()), (1,), ("float32", "float32")),
        ]


@dataclass(frozen=True)
class DequantizeLinear(AbstractQuantization):
    """``y = (x - zero point) scale``, in the scale's dtype."""

    onnx_type: ClassVar[str] = "DequantizeLinear"
    axis: int = 1
    block_size: int = 0

    def out_dtypes(self, in_dtypes: Sequence[np.dtype[Any]]) -> tuple[np.dtype[Any], ...]:
        """Return the scale's dtype."""
        return (in_dtypes[1],)

    def forward(
        self, inputs: Sequence[Array], *, training: bool = False, key: Key | None = None
    ) -> Result:
        """Shift and multiply."""
        x, scale, *zero = inputs
        self.out_shapes([a.shape for a in inputs])
        steps = x.astype(scale.dtype)
        if zero:
            steps = steps - self._repeated(zero[0], x.shape).astype(scale.dtype)
        by = self._repeated(scale, x.shape)
        return (np.asarray(steps * by),), {}, (steps, scale.shape, by.shape, len(inputs))

    def backward(self, saved: Any, douts: Sequence[Array]) -> tuple[Array | None, ...]:
        """Return the gradient of the scale; integers have none."""
        steps, shape, repeated, count = saved
        dscale = summed_to(np.asarray(douts[0] * steps), repeated)
        if self.block_size:
            axis = self.axis % len(shape)
            starts = np.arange(0, repeated[axis], self.block_size)
            dscale = np.add.reduceat(dscale, starts, axis=axis)
        return (None, dscale.reshape(shape), *(None,) * (count - 2))

    @classmethod
    def from_onnx(cls, node: OnnxNode) -> tuple[Self, tuple[str, ...]]:
        """Read axis and blocks."""
        return cls(node.integer("axis", 1), node.integer("block_size", 0)), node.inputs

    @classmethod
    def examples(cls) -> list[Example]:
        """Return one scale, one an axis, blocks, with and without a zero point."""
        return [
            Example(cls(), ((2, 3, 4), ()), (1,), ("uint8", "float32")),
            Example(cls(-1), ((2, 3), (3,), (3,)), (1,), ("int8", "float32", "int8")),
            Example(cls(0, 2), ((6, 2), (3, 2), (3, 2)), (1,), ("uint8", "float32", "uint8")),
            Example(cls(), ((2, 3), ()), (1,), ("int32", "float32")),
        ]
