"""What convolution, its transpose and pooling share: spans of windows, and ONNX's attributes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

from faltung.errors import GeometryError, message
from faltung.geometry import AxisTransposed, AxisWindow, Interval
from faltung.geometry.padding import PaddingLike
from faltung.ops import dispatch
from faltung.ops.operator import (
    Array,
    Attribute,
    AxisSpan,
    Everything,
    OnnxNode,
    Shape,
    Spans,
    integers,
)

AUTO_PAD: Final = {"SAME_UPPER": "same", "SAME_LOWER": "same_lower", "VALID": "valid"}


def hashable(value: Any) -> Any:
    """Turn lists, at any depth, into tuples, so that a record can be a key."""
    return tuple(hashable(v) for v in value) if isinstance(value, (list, tuple)) else value


def known_space(shape: Shape, subject: str) -> tuple[int, ...]:
    """Return a shape whose batch may be a name (it counts as 1) and whose rest must be numbers."""
    batch = shape[0] if shape and isinstance(shape[0], int) else 1
    return (batch, *integers(shape[1:], subject))


def channel_taps(channel: int, per_group_out: int, per_group_in: int) -> range:
    """Return the input channels of the group that an output channel belongs to."""
    start = channel // per_group_out * per_group_in
    return range(start, start + per_group_in)


def channel_span(span: AxisSpan, per_group_out: int, per_group_in: int) -> AxisSpan:
    """Return the interval of input channels that an interval of output channels uses."""
    if isinstance(span, Everything) or span.lo >= span.hi:
        return span if isinstance(span, Everything) else Interval(0, 0)
    first, last = span.lo // per_group_out, (span.hi - 1) // per_group_out
    return Interval(first * per_group_in, (last + 1) * per_group_in)


def axis_spans(axes: Sequence[AxisWindow | AxisTransposed], spans: Spans) -> tuple[AxisSpan, ...]:
    """Return the input span of each space axis."""
    return tuple(
        span if isinstance(span, Everything) else axis.input_span(span)
        for axis, span in zip(axes, spans, strict=True)
    )


def bias_gradient(dout: Array) -> Array:
    """Return ``dout`` summed over batch and space, once; each row first, then over the batch."""
    sums = dispatch.channel_sums(dout)
    if sums is not None:
        return sums
    rows = dout.reshape(dout.shape[0], dout.shape[1], math.prod(dout.shape[2:])).sum(axis=2)
    total: Array = rows.sum(axis=0, dtype="float64").astype(dout.dtype)
    return total


def check_bias(in_shapes: Sequence[Shape], channels: int, subject: str) -> None:
    """Refuse a bias that does not have one value for each output channel."""
    if len(in_shapes) > 2 and tuple(in_shapes[2]) != (channels,):
        values = {"bias": in_shapes[2], "out_channels": channels}
        raise GeometryError(message(subject, "bias must be (out_channels,)", values))


def window_attributes(window: Any, padding: PaddingLike) -> dict[str, Attribute]:
    """Return ONNX's attributes of a window.

    With a stride the padding word is kept: its amounts depend on the size of the image. Not so
    where ONNX Runtime takes no word (dilation) or lets it crop (a stride past the kernel).
    """
    axes = window.axes
    attributes: dict[str, Attribute] = {
        "kernel_shape": tuple(a.kernel for a in axes),
        "strides": tuple(a.stride for a in axes),
        "dilations": tuple(a.dilation for a in axes),
    }
    words = {ours: theirs for theirs, ours in AUTO_PAD.items()}
    matters = isinstance(padding, str) and padding.startswith("same")
    matters = matters and any(a.stride > 1 for a in axes)
    if matters and all(a.dilation == 1 and a.stride <= a.kernel for a in axes):
        attributes["auto_pad"] = words[str(padding)]
    else:
        # Cropping is no part of ONNX's windows; a Pad before them does it.
        lo, hi = tuple(max(a.pad_lo, 0) for a in axes), tuple(max(a.pad_hi, 0) for a in axes)
        attributes["pads"] = lo + hi if padding != 0 else (0,) * (2 * len(axes))
    return attributes


def onnx_padding(node: OnnxNode) -> PaddingLike:
    """Return the padding of an ONNX node: a word, or all starts before all ends."""
    auto = node.text("auto_pad", "NOTSET")
    if auto != "NOTSET":
        if auto not in AUTO_PAD:
            values = {"auto_pad": auto}
            raise GeometryError(message(node.op_type, "auto_pad must be known", values))
        return AUTO_PAD[auto]
    amounts = node.ints("pads")
    if not amounts:
        return 0
    half = len(amounts) // 2
    return tuple(zip(amounts[:half], amounts[half:], strict=True))
