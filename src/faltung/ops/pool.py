"""Pooling over windows, and over all of space."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np

from faltung.errors import GeometryError, message
from faltung.geometry import PoolWindow
from faltung.geometry.padding import PaddingLike
from faltung.ops import dispatch
from faltung.ops.dtypes import compute_dtype
from faltung.ops.operator import (
    EVERYTHING,
    AbstractOperator,
    Array,
    Attribute,
    Cost,
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
from faltung.ops.pad import Pad, crop_nodes
from faltung.ops.windowed import axis_spans, hashable, known_space, onnx_padding, window_attributes
from faltung.ops.winners import winners


@dataclass(frozen=True)
class AbstractPool(AbstractOperator):
    """A window that slides over each channel by itself; ``stride=None`` means the kernel's size."""

    kernel_size: int | tuple[int, ...]
    stride: int | tuple[int, ...] | None = None
    padding: PaddingLike = 0
    dilation: int | tuple[int, ...] = 1
    ceil_mode: bool = False

    def __post_init__(self) -> None:
        for name in ("kernel_size", "stride", "padding", "dilation"):
            object.__setattr__(self, name, hashable(getattr(self, name)))

    def window(self, x_shape: Shape) -> PoolWindow:
        """Return the geometry, all of it explicit."""
        return PoolWindow.of(
            known_space(x_shape, self.subject),
            self.kernel_size,
            stride=self.stride,
            padding=self.padding,
            dilation=self.dilation,
            ceil=self.ceil_mode,
        )

    def out_shapes(self, in_shapes: Sequence[Shape]) -> tuple[Shape, ...]:
        """Return (N, C, *out)."""
        return ((*in_shapes[0][:2], *self.window(in_shapes[0]).out_shape[2:]),)

    def taps(
        self, in_shapes: Sequence[Shape], index: tuple[int, ...], output: int = 0
    ) -> tuple[Taps, ...]:
        """Return the window under one output."""
        axes = self.window(in_shapes[0]).axes
        space = (axis.taps(o) for axis, o in zip(axes, index[2:], strict=True))
        return ((point(index[0]), point(index[1]), *space),)

    def input_span(
        self, in_shapes: Sequence[Shape], spans: Spans, output: int = 0
    ) -> tuple[Spans, ...]:
        """Return the span of the windows under an interval of outputs."""
        return ((*spans[:2], *axis_spans(self.window(in_shapes[0]).axes, spans[2:])),)

    def cost(self, in_shapes: Sequence[Shape]) -> Cost:
        """Count the connections; pooling multiplies nothing."""
        window = self.window(in_shapes[0])
        inside = window.connections(padding=False)
        return Cost(0, window.batch * window.connections(), window.batch * inside)

    def to_onnx(
        self, inputs: tuple[str, ...], outputs: tuple[str, ...], in_shapes: Sequence[Shape]
    ) -> tuple[OnnxNode, ...]:
        """Write the pooling, behind a Pad where it crops or cannot pad by itself."""
        window = self._written_window(in_shapes[0])
        pads = ((0, 0), (0, 0), *window.pads)
        fill = self._padded_before(window)
        if fill is not None:
            before, padded = Pad(pads, value=fill), (f"{outputs[0]}.padded",)
            parts = before.to_onnx(inputs, padded, in_shapes)
            shapes = before.out_shapes(in_shapes)
            return *parts, *self._unpadded().to_onnx(padded, outputs, shapes)
        nodes, source = crop_nodes(pads, inputs[0], outputs[0], in_shapes)
        attributes = self.onnx_attributes(in_shapes)
        return *nodes, OnnxNode(self.onnx_type, (source,), outputs, attributes, opset=self.opset)

    @property
    def opset(self) -> int:
        """The operator set that first had all of this; 0 for any."""
        return 0

    def onnx_attributes(self, in_shapes: Sequence[Shape]) -> Mapping[str, Attribute]:
        """Return the geometry."""
        window = self._written_window(in_shapes[0])
        attributes = window_attributes(window, self.padding)
        attributes["ceil_mode"] = int(any(axis.overhang for axis in window.axes))
        return attributes

    def _padded_before(self, window: PoolWindow) -> float | None:
        """Return what stands on the padding, where a node of its own has to put it there."""
        return None

    def _unpadded(self) -> Self:
        """Return this pooling behind that node."""
        return replace(self, padding=0)

    def _written_window(self, x_shape: Shape) -> PoolWindow:
        """Return a window that is also right where ceil mode keeps a window past the input.

        Versions of ONNX differ there. Without what no window reaches, there is none to keep.
        """
        window = self.window(x_shape)
        if not any(axis.overhang for axis in window.axes):
            return window
        axes = (replace(axis, pad_hi=axis.pad_hi - axis.dropped) for axis in window.axes)
        return replace(window, axes=tuple(axes))


def _is_wide(window: PoolWindow) -> bool:
    return any(max(axis.pad_lo, axis.pad_hi) >= axis.kernel for axis in window.axes)


def _onnx_fields(node: OnnxNode) -> dict[str, Any]:
    kernel = node.ints("kernel_shape")
    if kernel is None:
        raise GeometryError(message(node.op_type, "kernel_shape must be given"))
    return {
        "kernel_size": kernel,
        "stride": node.ints("strides") or 1,
        "padding": onnx_padding(node),
        "dilation": node.ints("dilations") or 1,
        "ceil_mode": bool(node.integer("ceil_mode", 0)),
    }


@dataclass(frozen=True)
class MaxPool(AbstractPool):
    """The largest value under each window; padding never wins, NaN always does.

    Of equal values the first, in row-major order of the window, takes all of the gradient. With
    ``indices`` a second output counts where each value stands in x: ``"rows"`` with the last axis
    running fastest, ``"columns"`` with the first of space.
    """

    onnx_type: ClassVar[str] = "MaxPool"
    indices: str = ""

    def out_shapes(self, in_shapes: Sequence[Shape]) -> tuple[Shape, ...]:
        """Return (N, C, *out), for the indices as well."""
        return super().out_shapes(in_shapes) * (2 if self.indices else 1)

    def out_dtypes(self, in_dtypes: Sequence[np.dtype[Any]]) -> tuple[np.dtype[Any], ...]:
        """Return the dtype of x, and that of positions."""
        return (in_dtypes[0], np.dtype(np.int64))[: 2 if self.indices else 1]

    def forward(
        self, inputs: Sequence[Array], *, training: bool = False, key: Key | None = None
    ) -> Result:
        """Run the kernel."""
        x = inputs[0]
        window = self.window(x.shape)
        # Every kernel takes floats; 32 bits hold the integers that ONNX pools.
        wide = x if x.dtype.kind == "f" else x.astype(compute_dtype("MaxPool", x.dtype))
        y = dispatch.max_pool(window, wide)
        if y.dtype != x.dtype:
            least = 0 if x.dtype.kind == "b" else np.iinfo(x.dtype).min
            y = np.maximum(y, least).astype(x.dtype)
        if not self.indices:
            return (y,), {}, (window, x)
        return (y, winners(window, x, self.indices == "columns")), {}, (window, x)

    def backward(self, saved: Any, douts: Sequence[Array]) -> tuple[Array | None, ...]:
        """Hand each ``dout`` to the winner of its window."""
        window, x = saved
        return (dispatch.max_pool_dx(window, x, douts[0]),)

    def _padded_before(self, window: PoolWindow) -> float | None:
        """ONNX Runtime wants less padding than the kernel is long, dilated or not."""
        return -math.inf if _is_wide(window) else None

    @classmethod
    def from_onnx(cls, node: OnnxNode) -> tuple[Self, tuple[str, ...]]:
        """Read the geometry, and whether the indices are asked for."""
        asked = len(node.outputs) > 1 and bool(node.outputs[1])
        order = "columns" if node.integer("storage_order", 0) else "rows"
        return cls(**_onnx_fields(node), indices=order if asked else ""), node.inputs

    def onnx_attributes(self, in_shapes: Sequence[Shape]) -> Mapping[str, Attribute]:
        """Return the geometry, and how indices count."""
        attributes = super().onnx_attributes(in_shapes)
        if self.indices != "columns":
            return attributes
        return {**attributes, "storage_order": 1}

    @classmethod
    def examples(cls) -> list[Example]:
        """Return plain, overlapping, padded, dilated and ceiled windows on 1 to 3 axes."""
        return [
            Example(cls(2), ((2, 3, 6, 5),)),
            Example(cls(3, stride=2, padding=1), ((1, 2, 7, 6),)),
            Example(cls((2, 3), stride=(2, 1), ceil_mode=True), ((1, 2, 5, 6),)),
            Example(cls(2, stride=1, dilation=2), ((2, 1, 6),)),
            Example(cls(2, padding="same", stride=2), ((1, 1, 3, 4, 5),)),
        ]


@dataclass(frozen=True)
class AveragePool(AbstractPool):
    """The mean under each window.

    Padding counts in the divisor with ``count_include_pad``; the overhang of ceil mode never does.
    """

    onnx_type: ClassVar[str] = "AveragePool"
    count_include_pad: bool = False

    def forward(
        self, inputs: Sequence[Array], *, training: bool = False, key: Key | None = None
    ) -> Result:
        """Run the kernel."""
        window = self.window(inputs[0].shape)
        return (dispatch.avg_pool(window, inputs[0], self.count_include_pad),), {}, window

    def backward(self, saved: Any, douts: Sequence[Array]) -> tuple[Array | None, ...]:
        """Spread each ``dout`` evenly over its window."""
        return (dispatch.avg_pool_dx(saved, douts[0], self.count_include_pad),)

    def _padded_before(self, window: PoolWindow) -> float | None:
        """Older versions of ONNX Runtime count the overhang of ceil mode as padding."""
        overhangs = any(axis.overhang for axis in window.axes)
        return 0.0 if self.count_include_pad and (overhangs or _is_wide(window)) else None

    def _unpadded(self) -> Self:
        """Return this pooling where all padding has become part of the image."""
        return replace(self, padding=0, count_include_pad=False)

    def onnx_attributes(self, in_shapes: Sequence[Shape]) -> Mapping[str, Attribute]:
        """Return the geometry and what the divisor counts."""
        attributes = dict(super().onnx_attributes(in_shapes))
        if not self.opset:
            del attributes["dilations"]
        return {**attributes, "count_include_pad": int(self.count_include_pad)}

    @property
    def opset(self) -> int:
        """The operator set that first had all of this: 19 for dilation."""
        return 19 if any(d != 1 for d in np.ravel(self.dilation)) else 0

    @classmethod
    def from_onnx(cls, node: OnnxNode) -> tuple[Self, tuple[str, ...]]:
        """Read the geometry and what the divisor counts."""
        include = bool(node.integer("count_include_pad", 0))
        return cls(**_onnx_fields(node), count_include_pad=include), node.inputs

    @classmethod
    def examples(cls) -> list[Example]:
        """Return both divisors, with padding and ceil mode, on 1 to 3 axes."""
        return [
            Example(cls(2), ((2, 3, 6, 5),)),
            *(
                Example(
                    cls(3, stride=2, padding=1, ceil_mode=True, count_include_pad=include),
                    ((1, 2, 4, 6),),
                )
                for include in (False, True)
            ),
            Example(cls(2, stride=1, dilation=2), ((2, 1, 6),)),
            Example(cls(2, stride=2, padding=((1, 0), (0, 1), (1, 1))), ((1, 1, 3, 4, 5),)),
        ]


class AbstractGlobalPool(AbstractOperator):
    """One value for each channel, from all of space, which is kept as axes of size 1."""

    def out_shapes(self, in_shapes: Sequence[Shape]) -> tuple[Shape, ...]:
        """Return (N, C, 1, ...)."""
        shape = in_shapes[0]
        if len(shape) < 3:
            rule = "the input must have space axes"
            raise GeometryError(message(self.subject, rule, {"shape": shape}))
        return ((*shape[:2], *(1 for _ in shape[2:])),)

    def taps(
        self, in_shapes: Sequence[Shape], index: tuple[int, ...], output: int = 0
    ) -> tuple[Taps, ...]:
        """Return all of space."""
        space = integers(in_shapes[0][2:], self.subject)
        return ((point(index[0]), point(index[1]), *(range(n) for n in space)),)

    def input_span(
        self, in_shapes: Sequence[Shape], spans: Spans, output: int = 0
    ) -> tuple[Spans, ...]:
        """Return everything, along each space axis."""
        return ((*spans[:2], *(EVERYTHING for _ in spans[2:])),)

    def cost(self, in_shapes: Sequence[Shape]) -> Cost:
        """Count one connection for each input value."""
        values = math.prod(known_space(in_shapes[0], self.subject))
        return Cost(0, values, values)

    @classmethod
    def examples(cls) -> list[Example]:
        """Return 1 to 3 axes."""
        return [Example(cls(), (s,)) for s in ((2, 3, 5), (2, 3, 4, 5), (1, 2, 3, 2, 4))]


class GlobalAveragePool(AbstractGlobalPool):
    """The mean over all of space."""

    onnx_type: ClassVar[str] = "GlobalAveragePool"

    def forward(
        self, inputs: Sequence[Array], *, training: bool = False, key: Key | None = None
    ) -> Result:
        """Compute the mean, summed in float64: an image has many pixels."""
        x = inputs[0]
        self.out_shapes([x.shape])
        means = dispatch.row_means(x)
        if means is not None:
            return (means,), {}, x.shape
        y = x.mean(axis=tuple(range(2, x.ndim)), keepdims=True, dtype=np.float64)
        return (y.astype(x.dtype, copy=False),), {}, x.shape

    def backward(self, saved: Any, douts: Sequence[Array]) -> tuple[Array | None, ...]:
        """Spread ``dout`` evenly."""
        share = douts[0] / douts[0].dtype.type(math.prod(saved[2:]))
        return (np.broadcast_to(share, saved).copy(),)


class GlobalMaxPool(AbstractGlobalPool):
    """The largest value of all of space; the first of equal ones takes the gradient."""

    onnx_type: ClassVar[str] = "GlobalMaxPool"

    def forward(
        self, inputs: Sequence[Array], *, training: bool = False, key: Key | None = None
    ) -> Result:
        """Compute the maximum."""
        x = inputs[0]
        self.out_shapes([x.shape])
        y = dispatch.row_largest(x)
        if y is None:
            y = x.max(axis=tuple(range(2, x.ndim)), keepdims=True)
        return (y,), {}, x

    def backward(self, saved: Any, douts: Sequence[Array]) -> tuple[Array | None, ...]:
        """Hand ``dout`` to the winner."""
        rows = saved.reshape(*saved.shape[:2], -1)
        dx = np.zeros(rows.shape, dtype=douts[0].dtype)
        winner = rows.argmax(axis=2)[..., None]
        np.put_along_axis(dx, winner, douts[0].reshape(*saved.shape[:2], 1), axis=2)
        return (dx.reshape(saved.shape),)
