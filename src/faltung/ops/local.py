"""Local connection: a convolution's window, but every output position has weights of its own.

It is the dense layer under one of the two constraints that make a convolution, locality without
translation invariance::

    y[n, co, o] = sum over ci, k of w[co, ci, pair(o, k)] x[n, ci, o stride + k dilation - pad_lo]

``pair(o, k)`` counts the taps that are positions of the image, output by output: there is no weight
on padding, so that the size of ``w`` is the number of parameters.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar, Self

import numpy as np

from faltung.errors import GeometryError, message
from faltung.geometry import AxisWindow, ConvWindow, Interval, per_axis
from faltung.geometry.padding import PaddingLike
from faltung.ops.operator import (
    EVERYTHING,
    AbstractOperator,
    Array,
    AxisSpan,
    Cost,
    Everything,
    Example,
    Key,
    OnnxFunction,
    OnnxNode,
    Result,
    Shape,
    Spans,
    Taps,
    point,
)
from faltung.ops.pairs import pairs_of, tap_table
from faltung.ops.windowed import axis_spans, hashable, known_space

ATTRIBUTES = ("kernel_shape", "strides", "dilations", "pads", "space")
BODY = (
    OnnxNode("Constant", (), ("one",), {"value_ints": (0, 0, 0, 1)}),
    OnnxNode("Flatten", ("x",), ("flat",), {"axis": 2}),
    OnnxNode("Pad", ("flat", "one"), ("padded",)),
    OnnxNode("Gather", ("padded", "taps"), ("gathered",), {"axis": 1}),
    OnnxNode("Shape", ("x",), ("images",), {"start": 0, "end": 2}),
    OnnxNode("Shape", ("taps",), ("windows",)),
    OnnxNode("Concat", ("images", "windows"), ("shape",), {"axis": 0}),
    OnnxNode("Reshape", ("gathered", "shape"), ("patches",), {"allowzero": 1}),
    OnnxNode("Constant", (), ("last",), {"value_ints": (0, 0, 0, 0, 0, 1)}),
    OnnxNode("Pad", ("w", "last"), ("wide",)),
    OnnxNode("Gather", ("wide", "places"), ("weights",), {"axis": 2}),
    OnnxNode(
        "Einsum", ("patches", "weights"), ("y",), {"equation": "nc...k,oc...k->no..."}
    ),
)  # fmt: skip
"""The operator in standard ones: a zero behind x and behind w stands for what is not there."""


@dataclass(frozen=True)
class LocallyConnected(AbstractOperator):
    """Cross-correlation of ``x (N, C, *space)`` with other weights at each output position.

    ``w`` is (O, C, pairs), one weight for each pair of an output position and a tap inside the
    image: in row-major order of the outputs, then of the taps.
    """

    onnx_type: ClassVar[str] = "LocallyConnected"
    onnx_domain: ClassVar[str] = "faltung"
    arity: ClassVar[tuple[int, int]] = (2, 2)
    kernel_size: int | tuple[int, ...]
    stride: int | tuple[int, ...] = 1
    padding: PaddingLike = 0
    dilation: int | tuple[int, ...] = 1

    def __post_init__(self) -> None:
        for name in ("kernel_size", "stride", "padding", "dilation"):
            object.__setattr__(self, name, hashable(getattr(self, name)))

    def window(self, x_shape: Shape, out_channels: int = 1) -> ConvWindow:
        """Return the geometry, all of it explicit: a convolution's."""
        shape = known_space(x_shape, self.subject)
        kernel = per_axis(self.kernel_size, len(shape) - 2, "kernel_size")
        return ConvWindow.of(
            shape,
            (out_channels, shape[1], *kernel),
            stride=self.stride,
            padding=self.padding,
            dilation=self.dilation,
        )

    def weight_shape(self, x_shape: Shape, out_channels: int) -> tuple[int, int, int]:
        """Return (out_channels, in_channels, pairs) for images of this shape."""
        window = self.window(x_shape, out_channels)
        return out_channels, window.in_channels, _count(window)

    def _checked(self, in_shapes: Sequence[Shape]) -> ConvWindow:
        w_shape = in_shapes[1]
        if len(w_shape) != 3 or not isinstance(w_shape[0], int):
            rule = "w must have shape (out_channels, in_channels, pairs)"
            raise GeometryError(message(self.subject, rule, {"w_shape": w_shape}, "", "local W1"))
        window = self.window(in_shapes[0], w_shape[0])
        wanted = (w_shape[0], window.in_channels, _count(window))
        if tuple(w_shape) != wanted:
            rule = "w must have a weight for each channel, output and tap inside the image"
            values = {"w_shape": tuple(w_shape), "wanted": wanted}
            cure = "The weights belong to one size of image"
            raise GeometryError(message(self.subject, rule, values, cure, "local W2"))
        return window

    def out_shapes(self, in_shapes: Sequence[Shape]) -> tuple[Shape, ...]:
        """Return (N, O, *out)."""
        return ((in_shapes[0][0], *self._checked(in_shapes).out_shape[1:]),)

    def forward(
        self, inputs: Sequence[Array], *, training: bool = False, key: Key | None = None
    ) -> Result:
        """Multiply, at each position, its patches by its weights."""
        x, w = inputs
        window = self._checked([x.shape, w.shape])
        patches, weights = _patches(window, x), _weights(window, w)
        # Infinities and NaN are results here, and BLAS raises flags for them as it pleases.
        with np.errstate(all="ignore"):
            y = np.matmul(patches, weights)
        return (_images(y, window),), {}, (window, patches, weights)

    def backward(self, saved: Any, douts: Sequence[Array]) -> tuple[Array | None, ...]:
        """Return dx, summed over the windows, and dw, summed over the batch."""
        window, patches, weights = saved
        positions = math.prod(window.out_space)
        dout = douts[0].reshape(window.batch, window.out_channels, positions)
        dout = np.ascontiguousarray(dout.transpose(2, 0, 1))
        with np.errstate(all="ignore"):
            dpatches = np.matmul(dout, weights.transpose(0, 2, 1))
            dweights = np.matmul(patches.transpose(0, 2, 1), dout)
        return _patches_backward(window, dpatches), _weights_backward(window, dweights)

    def taps(
        self, in_shapes: Sequence[Shape], index: tuple[int, ...], output: int = 0
    ) -> tuple[Taps, ...]:
        """Return the window under one output, and the weights of that output."""
        window = self._checked(in_shapes)
        n, co, *position = index
        channels = range(window.in_channels)
        space = (axis.taps(o) for axis, o in zip(window.axes, position, strict=True))
        first, last = (int(a[tuple(position)]) for a in _own(window))
        return (point(n), channels, *space), (point(co), channels, range(first, last))

    def input_span(
        self, in_shapes: Sequence[Shape], spans: Spans, output: int = 0
    ) -> tuple[Spans, ...]:
        """Return the span of the windows, and of the weights, of an interval of outputs."""
        window = self._checked(in_shapes)
        x = (spans[0], EVERYTHING, *axis_spans(window.axes, spans[2:]))
        return x, (spans[1], EVERYTHING, _weight_span(window, spans[2:]))

    def cost(self, in_shapes: Sequence[Shape]) -> Cost:
        """Count as a convolution does: the window is the same, the weights alone are more."""
        window = self._checked(in_shapes)
        pairs, inside = window.connections(), window.connections(padding=False)
        return Cost(window.macs, window.batch * pairs, window.batch * inside)

    def to_onnx(
        self, inputs: tuple[str, ...], outputs: tuple[str, ...], in_shapes: Sequence[Shape]
    ) -> tuple[OnnxNode, ...]:
        """Write one node, whose function has the positions of taps and weights as inputs."""
        window = self._checked(in_shapes)
        axes = window.axes
        attributes = {
            "kernel_shape": window.kernel,
            "strides": window.stride,
            "dilations": window.dilation,
            "pads": (*(a.pad_lo for a in axes), *(a.pad_hi for a in axes)),
            "space": window.space,
        }
        names = (f"{outputs[0]}.taps", f"{outputs[0]}.places")
        constants = dict(zip(names, _tables(axes), strict=True))
        node = OnnxNode(
            self.onnx_type, (*inputs, *names), outputs, attributes, constants, 0, self.onnx_domain
        )
        return (node,)

    @classmethod
    def onnx_function(cls) -> OnnxFunction:
        """Return the body that lets every runtime run it."""
        return OnnxFunction(cls.onnx_type, ("x", "w", "taps", "places"), ("y",), ATTRIBUTES, BODY)

    @classmethod
    def from_onnx(cls, node: OnnxNode) -> tuple[Self, tuple[str, ...]]:
        """Read the geometry; the positions that the file's function is given have to be its own."""
        kernel, stride, dilation, pads, space = (node.ints(name) or () for name in ATTRIBUTES)
        half = len(pads) // 2
        padding = tuple(zip(pads[:half], pads[half:], strict=True))
        operator = cls(kernel, stride, padding, dilation)
        axes = operator.window((1, 1, *space)).axes
        for position, what in enumerate(("taps", "places")):
            given = node.constant(2 + position, what)
            # Attributes may ask for tables of any size: the file has those that it has.
            sized = given is not None and given.shape == _table_shape(axes)
            if given is None or not sized or not np.array_equal(given, _tables(axes)[position]):
                rule = f"its {what} must be those of its attributes"
                raise GeometryError(message("LocallyConnected", rule, {}, "", "local W3"))
        return operator, node.inputs[:2]

    @classmethod
    def examples(cls) -> list[Example]:
        """Return plain, strided, dilated, cropped and padded uses on 1 to 3 axes."""
        uses: list[tuple[LocallyConnected, tuple[int, ...], int]] = [
            (cls(2), (2, 2, 3, 4), 3),
            (cls(3, padding=1), (2, 1, 4, 3), 2),
            (cls((2, 3), stride=(2, 1), padding=((1, 0), (0, 2))), (1, 2, 5, 4), 2),
            (cls(2, padding=((-1, 2),), dilation=2), (3, 2, 6), 2),
            (cls((2, 1, 2), stride=2, padding="same"), (1, 1, 3, 2, 4), 2),
        ]
        return [Example(op, (x, op.weight_shape(x, out))) for op, x, out in uses]


def _count(window: ConvWindow) -> int:
    """How many pairs of an output and a tap inside the image there are, of one channel."""
    return math.prod(axis.connections(padding=False) for axis in window.axes)


@lru_cache(maxsize=8)
def _flat_tables(axes: tuple[AxisWindow, ...]) -> tuple[Array, Array]:
    """Return, as (outputs, taps), which position of the image and which weight each tap meets.

    Where there is none, the position after the last: a zero stands there.
    """
    pairs = pairs_of(axes)
    taps = tap_table(axes, pairs.inputs, math.prod(a.size for a in axes))
    return taps, tap_table(axes, np.arange(len(pairs.inputs)), len(pairs.inputs))


def _tables(axes: tuple[AxisWindow, ...]) -> tuple[Array, Array]:
    """Return the same as (*out, taps)."""
    shape = _table_shape(axes)
    taps, places = _flat_tables(axes)
    return taps.reshape(shape), places.reshape(shape)


def _table_shape(axes: tuple[AxisWindow, ...]) -> tuple[int, ...]:
    return (*(a.out_size for a in axes), math.prod(a.kernel for a in axes))


def _with_zero(array: Array) -> Array:
    """Put a zero behind the last axis."""
    return np.concatenate([array, np.zeros((*array.shape[:-1], 1), array.dtype)], axis=-1)


def _patches(window: ConvWindow, x: Array) -> Array:
    """Return what each position sees, (positions, N, C taps)."""
    taps, _ = _flat_tables(window.axes)
    flat = _with_zero(x.reshape(*x.shape[:2], math.prod(window.space)))
    patches = flat[:, :, taps].transpose(2, 0, 1, 3)
    return patches.reshape(len(taps), window.batch, window.reduction)


def _weights(window: ConvWindow, w: Array) -> Array:
    """Return the weights of each position, (positions, C taps, O)."""
    _, places = _flat_tables(window.axes)
    weights = _with_zero(w)[:, :, places].transpose(2, 1, 3, 0)
    return weights.reshape(len(places), window.reduction, window.out_channels)


def _images(y: Array, window: ConvWindow) -> Array:
    """Return (positions, N, O) as (N, O, *out)."""
    return np.ascontiguousarray(y.transpose(1, 2, 0)).reshape(window.out_shape)


def _patches_backward(window: ConvWindow, dpatches: Array) -> Array:
    taps, _ = _flat_tables(window.axes)
    size = math.prod(window.space)
    dx = np.zeros((window.batch, window.in_channels, size + 1), dpatches.dtype)
    by_tap = dpatches.reshape(len(taps), window.batch, window.in_channels, taps.shape[1])
    by_tap = by_tap.transpose(3, 1, 2, 0)
    for tap, part in enumerate(by_tap):  # no two outputs meet a position through the same tap
        dx[:, :, taps[:, tap]] += part
    return np.ascontiguousarray(dx[:, :, :size]).reshape(window.x_shape)


def _weights_backward(window: ConvWindow, dweights: Array) -> Array:
    pairs = pairs_of(window.axes)
    shape = (len(dweights), window.in_channels, math.prod(window.kernel), window.out_channels)
    picked = dweights.reshape(shape)[pairs.outputs, :, pairs.taps]
    return np.ascontiguousarray(picked.transpose(2, 1, 0))


def _own(window: ConvWindow) -> tuple[Array, Array]:
    """Return the first weight of each output position and the one after its last, as (*out,)."""
    count = math.prod(window.out_space)
    ends = np.cumsum(np.bincount(pairs_of(window.axes).outputs, minlength=count))
    starts = np.concatenate([[0], ends])[:count]
    return starts.reshape(window.out_space), ends[:count].reshape(window.out_space)


def _weight_span(window: ConvWindow, spans: Sequence[AxisSpan]) -> AxisSpan:
    if any(isinstance(span, Everything) for span in spans):
        return EVERYTHING
    box = tuple(slice(max(s.lo, 0), s.hi) for s in spans if isinstance(s, Interval))
    starts, ends = (a[box] for a in _own(window))
    some = starts < ends
    if not some.any():
        return Interval(0, 0)
    return Interval(int(starts[some].min()), int(ends[some].max()))
