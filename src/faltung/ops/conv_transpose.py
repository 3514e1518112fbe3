"""Transposed convolution: the adjoint of `Conv`, the record that owns its rule and defaults."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np

from faltung.errors import GeometryError, message
from faltung.geometry import AxisTransposed, Interval, TransposedWindow, per_axis
from faltung.geometry.padding import PaddingLike
from faltung.ops import dispatch
from faltung.ops.operator import (
    AbstractOperator,
    Array,
    Attribute,
    AxisSpan,
    Cost,
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
from faltung.ops.pad import Pad, Pads, pad
from faltung.ops.shape import Reshape
from faltung.ops.windowed import (
    axis_spans,
    bias_gradient,
    channel_span,
    channel_taps,
    check_bias,
    hashable,
    known_space,
    onnx_padding,
)


@dataclass(frozen=True)
class ConvTranspose(AbstractOperator):
    """The transpose of `Conv`: ``x (N, I, *space)``, ``w (I, O/groups, *kernel)``.

    Each input value lays a scaled copy of the kernel into the output; copies that overlap add.
    ``output_padding`` extends the region that is computed at its end, it is no border of zeros.
    """

    onnx_type: ClassVar[str] = "ConvTranspose"
    arity: ClassVar[tuple[int, int]] = (2, 3)
    stride: int | tuple[int, ...] = 1
    padding: PaddingLike = 0
    output_padding: int | tuple[int, ...] = 0
    dilation: int | tuple[int, ...] = 1
    groups: int = 1
    exact: bool = False

    def __post_init__(self) -> None:
        for name in ("stride", "padding", "dilation", "output_padding"):
            object.__setattr__(self, name, hashable(getattr(self, name)))

    @property
    def subject(self) -> str:
        """The operator's name in messages."""
        return "ConvTranspose"

    def window(self, x_shape: Shape, w_shape: Shape) -> TransposedWindow:
        """Return the geometry, all of it explicit."""
        return TransposedWindow.of(
            known_space(x_shape, self.subject),
            integers(w_shape, self.subject),
            stride=self.stride,
            padding=self.padding,
            output_padding=self.output_padding,
            dilation=self.dilation,
            groups=self.groups,
        )

    def out_shapes(self, in_shapes: Sequence[Shape]) -> tuple[Shape, ...]:
        """Return (N, O, *out)."""
        window = self.window(in_shapes[0], in_shapes[1])
        check_bias(in_shapes, window.out_channels, self.subject)
        return ((in_shapes[0][0], *window.out_shape[1:]),)

    def forward(
        self, inputs: Sequence[Array], *, training: bool = False, key: Key | None = None
    ) -> Result:
        """Run the data gradient of the convolution that this is the transpose of.

        What ONNX writes as several nodes is computed as these are: a file gives the same bits.
        """
        x, w = inputs[0], inputs[1]
        window = self.window(x.shape, w.shape)
        check_bias([a.shape for a in inputs], window.out_channels, self.subject)
        adjoint = window.adjoint
        b = inputs[2] if len(inputs) > 2 else None
        if _is_one_node(window) or 0 in window.out_shape:
            y = dispatch.conv_dx(adjoint, x, w, b, exact=self.exact, prepared=False)
        else:
            y = self._in_steps(window, x, w, b)
        return (y,), {}, (adjoint, x, w, len(inputs) > 2)

    def _in_steps(self, window: TransposedWindow, x: Array, w: Array, b: Array | None) -> Array:
        """Return the whole output, cropped and extended, and then the bias: see `to_onnx`."""
        whole = replace(self, padding=0, output_padding=0).window(x.shape, w.shape).adjoint
        y = dispatch.conv_dx(whole, x, w, exact=self.exact, prepared=False)
        y = np.ascontiguousarray(pad(y, _margins(window)))
        if b is not None:
            y += b.reshape(-1, *(1 for _ in window.axes))
        return y

    def backward(self, saved: Any, douts: Sequence[Array]) -> tuple[Array | None, ...]:
        """Return dx (a plain convolution), dw and, where there is a bias, db."""
        adjoint, x, w, biased = saved
        dx = dispatch.conv(adjoint, douts[0], w, None, exact=self.exact, prepared=True)
        dw = dispatch.conv_dw(adjoint, douts[0], x, exact=self.exact)
        return (dx, dw, bias_gradient(douts[0])) if biased else (dx, dw)

    def taps(
        self, in_shapes: Sequence[Shape], index: tuple[int, ...], output: int = 0
    ) -> tuple[Taps, ...]:
        """Return the inputs whose kernel copy covers one output, and the entries that do."""
        window = self.window(in_shapes[0], in_shapes[1])
        n, co, *position = index
        per_out, per_in = window.out_channels // self.groups, window.in_channels // self.groups
        channels = channel_taps(co, per_out, per_in)
        pairs = list(zip(window.axes, position, strict=True))
        x = (point(n), channels, *(axis.taps(o) for axis, o in pairs))
        w = (channels, point(co % per_out), *(ascending(a.kernel_taps(o)) for a, o in pairs))
        return (x, w, (point(co),))[: len(in_shapes)]

    def input_span(
        self, in_shapes: Sequence[Shape], spans: Spans, output: int = 0
    ) -> tuple[Spans, ...]:
        """Return the inputs whose kernel copies reach an interval of outputs."""
        window = self.window(in_shapes[0], in_shapes[1])
        per_out, per_in = window.out_channels // self.groups, window.in_channels // self.groups
        channels = channel_span(spans[1], per_out, per_in)
        x = (spans[0], channels, *axis_spans(window.axes, spans[2:]))
        kernel = tuple(
            span if isinstance(span, Everything) else _kernel_span(axis, span)
            for axis, span in zip(window.axes, spans[2:], strict=True)
        )
        w = (channels, _within_group(spans[1], per_out), *kernel)
        return (x, w, (spans[1],))[: len(in_shapes)]

    def cost(self, in_shapes: Sequence[Shape]) -> Cost:
        """Count: the work grows with the input positions."""
        window = self.window(in_shapes[0], in_shapes[1])
        connections = window.batch * window.connections()
        return Cost(window.macs, connections, connections)

    def to_onnx(
        self, inputs: tuple[str, ...], outputs: tuple[str, ...], in_shapes: Sequence[Shape]
    ) -> tuple[OnnxNode, ...]:
        """Write a ConvTranspose, or its whole output, padded, where ONNX cannot add positions.

        It has no negative padding, and ONNX Runtime no output_padding past the stride. What they
        add holds the bias alone, so that this comes last.
        """
        window = self.window(in_shapes[0], in_shapes[1])
        if _is_one_node(window):
            return super().to_onnx(inputs, outputs, in_shapes)
        whole = replace(self, padding=0, output_padding=0)
        y = outputs[0]
        names = (f"{y}.whole", f"{y}.padded" if len(inputs) > 2 else y)
        nodes = whole.to_onnx(inputs[:2], names[:1], in_shapes[:2])
        shape = whole.out_shapes(in_shapes[:2])
        nodes += Pad(_margins(window)).to_onnx(names[:1], names[1:], shape)
        return nodes + _bias_nodes(names[1], inputs[2:], y, window)

    def onnx_attributes(self, in_shapes: Sequence[Shape]) -> Mapping[str, Attribute]:
        """Return all of the geometry, explicit."""
        window = self.window(in_shapes[0], in_shapes[1])
        axes = window.axes
        return {
            "kernel_shape": tuple(a.kernel for a in axes),
            "strides": tuple(a.stride for a in axes),
            "dilations": tuple(a.dilation for a in axes),
            "pads": tuple(a.pad_lo for a in axes) + tuple(a.pad_hi for a in axes),
            "output_padding": tuple(a.output_padding for a in axes),
            "group": self.groups,
        }

    @classmethod
    def from_onnx(cls, node: OnnxNode) -> tuple[Self, tuple[str, ...]]:
        """Read the geometry; output_shape and auto_pad become the amounts that they stand for."""
        padding, added = _amounts(node)
        operator = cls(
            stride=node.ints("strides") or 1,
            padding=padding,
            output_padding=added,
            dilation=node.ints("dilations") or 1,
            groups=node.integer("group", 1),
        )
        return operator, node.inputs

    @classmethod
    def examples(cls) -> list[Example]:
        """Return plain, strided, padded, dilated and grouped uses on 1 to 3 axes."""
        return [
            Example(cls(), ((2, 3, 4, 3), (3, 2, 3, 2), (2,))),
            Example(cls(stride=2, padding=1, output_padding=1), ((1, 2, 3, 4), (2, 3, 3, 3), (3,))),
            Example(cls(stride=(3, 2), padding=((1, 0), (0, 2))), ((2, 2, 3, 3), (2, 1, 2, 3))),
            Example(cls(stride=2, dilation=2, groups=2), ((1, 4, 3), (4, 3, 3), (6,))),
            Example(cls(stride=2, padding=1), ((1, 1, 2, 3, 2), (1, 2, 3, 2, 3))),
        ]


def _is_one_node(window: TransposedWindow) -> bool:
    """Whether ONNX's ConvTranspose can be asked for this, and ONNX Runtime computes it."""
    return all(min(a.pad_lo, a.pad_hi) >= 0 and a.output_padding < a.stride for a in window.axes)


def _margins(window: TransposedWindow) -> Pads:
    """Return what the whole output is cropped by, which is negative, and extended by."""
    ends = ((-a.pad_lo, a.output_padding - a.pad_hi) for a in window.axes)
    return ((0, 0), (0, 0), *ends)


def _bias_nodes(
    source: str, bias: tuple[str, ...], out: str, window: TransposedWindow
) -> tuple[OnnxNode, ...]:
    """Return what adds a bias to each channel, if there is one."""
    if not bias:
        return ()
    column = Reshape((window.out_channels, *(1 for _ in window.axes)))
    shaped = f"{out}.bias"
    nodes = column.to_onnx(bias, (shaped,), [(window.out_channels,)])
    return *nodes, OnnxNode("Add", (source, shaped), (out,))


def _amounts(node: OnnxNode) -> tuple[PaddingLike, int | tuple[int, ...]]:
    """Return padding and output padding, also where a node says how large the output shall be.

    The padding that ONNX's formula gives is parted in halves; what it lacks is added at the end.
    """
    added = node.ints("output_padding") or 0
    auto, wanted = node.text("auto_pad", "NOTSET"), node.ints("output_shape")
    if wanted is None and auto not in ("SAME_UPPER", "SAME_LOWER"):
        return onnx_padding(node), added
    sizes, kernel = _known_sizes(node)
    axes = len(kernel)
    strides, dilations = (per_axis(node.ints(n) or 1, axes, n) for n in ("strides", "dilations"))
    extra = per_axis(added, axes, "output_padding")
    outs = wanted or tuple(n * s for n, s in zip(sizes, strides, strict=True))
    totals = [
        (n - 1) * s + a + (k - 1) * d + 1 - out
        for n, s, a, k, d, out in zip(
            sizes, strides, extra, kernel, dilations, outs[-axes:], strict=True
        )
    ]
    upper = auto == "SAME_UPPER"
    pads = tuple(_halves(max(total, 0), upper) for total in totals)
    return pads, tuple(a + max(-total, 0) for a, total in zip(extra, totals, strict=True))


def _known_sizes(node: OnnxNode) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the sizes of the image and of the kernel, which auto_pad and output_shape ask for."""
    kernel, image = node.ints("kernel_shape"), node.shape(0)
    w_shape = node.shape(1)
    if kernel is None and w_shape is not None:
        kernel = integers(w_shape[2:], "ConvTranspose")
    if kernel is None or image is None or not all(isinstance(n, int) for n in image[2:]):
        rule = "output_shape and auto_pad need an image and a kernel of known size"
        cure = "Give the input a shape of numbers, or write pads and output_padding"
        raise GeometryError(message("ConvTranspose", rule, {"image": image}, cure))
    return integers(image[2:], "ConvTranspose"), kernel


def _halves(total: int, upper: bool) -> tuple[int, int]:
    small, large = total // 2, total - total // 2
    return (small, large) if upper else (large, small)


def ascending(taps: range) -> range:
    """Return the same positions in ascending order."""
    return taps if taps.step > 0 else taps[::-1]


def _kernel_span(axis: AxisTransposed, span: Interval) -> AxisSpan:
    found = [k for o in range(span.lo, span.hi) for k in axis.kernel_taps(o)]
    return Interval(min(found), max(found) + 1) if found else Interval(0, 0)


def _within_group(span: AxisSpan, per_group: int) -> AxisSpan:
    """Return where an interval of channels falls inside its groups' filters."""
    if isinstance(span, Everything) or span.lo >= span.hi:
        return span
    if span.lo // per_group != (span.hi - 1) // per_group:
        inside = {channel % per_group for channel in range(span.lo, span.hi)}
        return Interval(min(inside), max(inside) + 1)
    return Interval(span.lo % per_group, (span.hi - 1) % per_group + 1)
