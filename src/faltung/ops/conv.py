"""Convolution: the record that owns its rule, defaults and messages.

Like every deep-learning library's it is the *cross-correlation*, which does not flip::

    y[n, co, o] = b[co] + sum over ci, k of w[co, ci, k] x[n, ci, o stride + k dilation - pad_lo]
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar, Self

from faltung.geometry import ConvWindow
from faltung.geometry.border import check_mode
from faltung.geometry.padding import PaddingLike, Pads
from faltung.ops import dispatch
from faltung.ops.operator import (
    EVERYTHING,
    AbstractOperator,
    Array,
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
from faltung.ops.pad import Pad, pad, pad_backward
from faltung.ops.windowed import (
    axis_spans,
    bias_gradient,
    channel_span,
    channel_taps,
    check_bias,
    hashable,
    known_space,
    onnx_padding,
    window_attributes,
)


@dataclass(frozen=True)
class Conv(AbstractOperator):
    """Cross-correlation of ``x (N, C, *space)`` with ``w (O, C/groups, *kernel)``.

    With ``exact`` values and gradients keep to algorithms with the error of direct summation. It
    says how to compute, not what: files do not have it.
    """

    onnx_type: ClassVar[str] = "Conv"
    arity: ClassVar[tuple[int, int]] = (2, 3)
    stride: int | tuple[int, ...] = 1
    padding: PaddingLike = 0
    dilation: int | tuple[int, ...] = 1
    groups: int = 1
    padding_mode: str = "zeros"
    exact: bool = False

    def __post_init__(self) -> None:
        check_mode(self.padding_mode, self.subject)
        for name in ("stride", "padding", "dilation"):
            object.__setattr__(self, name, hashable(getattr(self, name)))

    def window(self, x_shape: Shape, w_shape: Shape) -> ConvWindow:
        """Return the geometry, all of it explicit; kept for the next call of the same shapes."""
        return _window(self, tuple(x_shape), tuple(w_shape))

    def out_shapes(self, in_shapes: Sequence[Shape]) -> tuple[Shape, ...]:
        """Return (N, O, *out)."""
        window = self.window(in_shapes[0], in_shapes[1])
        check_bias(in_shapes, window.out_channels, self.subject)
        return ((in_shapes[0][0], *window.out_shape[1:]),)

    def forward(
        self, inputs: Sequence[Array], *, training: bool = False, key: Key | None = None
    ) -> Result:
        """Pad as the mode says, then run the kernel."""
        x, w = inputs[0], inputs[1]
        window = self.window(x.shape, w.shape)
        b = inputs[2] if len(inputs) > 2 else None
        check_bias([a.shape for a in inputs], window.out_channels, self.subject)
        inner, padded = self.padded(window, x)
        y = dispatch.conv(inner, padded, w, b, exact=self.exact, prepared=True)
        return (y,), {}, (window, inner, padded, w, b is not None)

    def backward(self, saved: Any, douts: Sequence[Array]) -> tuple[Array | None, ...]:
        """Return dx, dw and, where there is a bias, db."""
        return self.backward_to((True, True, True), saved, douts)

    def backward_to(
        self, wanted: Sequence[bool], saved: Any, douts: Sequence[Array]
    ) -> tuple[Array | None, ...]:
        """Return the wanted ones of dx, dw and db; nobody wants dx of the first layer."""
        window, inner, padded, w, biased = saved
        dx = dw = None
        if wanted[0]:
            dx = dispatch.conv_dx(inner, douts[0], w, exact=self.exact)
            if inner is not window:
                dx = pad_backward(dx, window.x_shape, self._all_pads(window), self.padding_mode)
        if wanted[1]:
            dw = dispatch.conv_dw(inner, padded, douts[0], exact=self.exact)
        return (dx, dw, bias_gradient(douts[0])) if biased else (dx, dw)

    def _all_pads(self, window: ConvWindow) -> Pads:
        return ((0, 0), (0, 0), *window.pads)

    def is_laid_out(self, window: ConvWindow) -> bool:
        """Whether there is padding that no kernel has: of another mode than zeros, or below 0.

        Files have it in a node of its own, which gives the same bits only if this does as well.
        """
        amounts = [p for pair in window.pads for p in pair]
        return any(amounts) and (self.padding_mode != "zeros" or min(amounts) < 0)

    def padded(self, window: ConvWindow, x: Array) -> tuple[ConvWindow, Array]:
        """Zero padding is the kernel's own; what is not is laid out first."""
        if not self.is_laid_out(window):
            return window, x
        padded = pad(x, self._all_pads(window), self.padding_mode)
        inner = ConvWindow.of(
            padded.shape,
            window.w_shape,
            stride=self.stride,
            dilation=self.dilation,
            groups=self.groups,
        )
        return inner, padded

    def taps(
        self, in_shapes: Sequence[Shape], index: tuple[int, ...], output: int = 0
    ) -> tuple[Taps, ...]:
        """Return the window under one output, its group's channels, its filter, its bias."""
        window = self.window(in_shapes[0], in_shapes[1])
        n, co, *position = index
        channels = channel_taps(co, window.group_out, window.group_in)
        space = (axis.taps(o) for axis, o in zip(window.axes, position, strict=True))
        x = (point(n), channels, *space)
        w = (point(co), *(range(size) for size in window.w_shape[1:]))
        return (x, w, (point(co),))[: len(in_shapes)]

    def input_span(
        self, in_shapes: Sequence[Shape], spans: Spans, output: int = 0
    ) -> tuple[Spans, ...]:
        """Return the span of the windows under an interval of outputs."""
        window = self.window(in_shapes[0], in_shapes[1])
        channels = channel_span(spans[1], window.group_out, window.group_in)
        x = (spans[0], channels, *axis_spans(window.axes, spans[2:]))
        w = (spans[1], *(EVERYTHING for _ in window.w_shape[1:]))
        return (x, w, (spans[1],))[: len(in_shapes)]

    def cost(self, in_shapes: Sequence[Shape]) -> Cost:
        """Count the multiply-accumulates and connections."""
        window = self.window(in_shapes[0], in_shapes[1])
        # What the other modes put outside the image are values of the image.
        inside = window.connections(padding=self.padding_mode != "zeros")
        return Cost(window.macs, window.batch * window.connections(), window.batch * inside)

    def to_onnx(
        self, inputs: tuple[str, ...], outputs: tuple[str, ...], in_shapes: Sequence[Shape]
    ) -> tuple[OnnxNode, ...]:
        """Write a Conv, behind a Pad where ONNX's Conv cannot pad like this."""
        window = self.window(in_shapes[0], in_shapes[1])
        negative = any(p < 0 for pair in window.pads for p in pair)
        if not negative and self.padding_mode == "zeros":
            attributes = {**window_attributes(window, self.padding), "group": self.groups}
            return (OnnxNode("Conv", inputs, outputs, attributes),)
        padded = f"{outputs[0]}.padded"
        before = Pad(self._all_pads(window), self.padding_mode)
        nodes = before.to_onnx(inputs[:1], (padded,), in_shapes[:1])
        attributes = {**window_attributes(window, 0), "group": self.groups}
        return *nodes, OnnxNode("Conv", (padded, *inputs[1:]), outputs, attributes)

    @classmethod
    def from_onnx(cls, node: OnnxNode) -> tuple[Self, tuple[str, ...]]:
        """Read strides, dilations, group and either kind of padding."""
        operator = cls(
            stride=node.ints("strides") or 1,
            padding=onnx_padding(node),
            dilation=node.ints("dilations") or 1,
            groups=node.integer("group", 1),
        )
        return operator, node.inputs

    @classmethod
    def examples(cls) -> list[Example]:
        """Return plain, strided, dilated, grouped, depthwise, padded uses on 1 to 3 axes."""
        return [
            Example(cls(), ((2, 3, 5, 6), (4, 3, 3, 3), (4,))),
            Example(cls(stride=(2, 3), padding=((1, 0), (0, 2))), ((2, 2, 7, 8), (3, 2, 3, 2))),
            Example(cls(stride=2, padding="same"), ((1, 2, 6, 7), (2, 2, 3, 3), (2,))),
            Example(cls(dilation=2, groups=2, padding=2), ((2, 4, 6, 5), (6, 2, 3, 2))),
            Example(cls(groups=3, padding="full"), ((1, 3, 4), (3, 1, 3), (3,))),
            Example(cls(padding=((-1, 1), (2, -2))), ((1, 2, 6, 6), (2, 2, 2, 3))),
            Example(cls(stride=2, padding=1), ((1, 2, 3, 4, 5), (2, 2, 2, 3, 3), (2,))),
            *(
                Example(
                    cls(padding=((1, 2), (0, 1)), padding_mode=mode), ((2, 1, 4, 5), (2, 1, 3, 2))
                )
                for mode in ("reflect", "replicate", "circular")
            ),
        ]


@lru_cache(maxsize=4096)
def _window(operator: Conv, x_shape: Shape, w_shape: Shape) -> ConvWindow:
    return ConvWindow.of(
        known_space(x_shape, operator.subject),
        integers(w_shape, operator.subject),
        stride=operator.stride,
        padding=operator.padding,
        dilation=operator.dilation,
        groups=operator.groups,
    )
