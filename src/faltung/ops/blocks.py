"""Operators that move values between channels and space: DepthToSpace, SpaceToDepth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from faltung.errors import GeometryError, message
from faltung.geometry import Interval
from faltung.ops.moved import AbstractMover, Source, check_room, kept
from faltung.ops.operator import (
    EVERYTHING,
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
    integers,
)

MODES = ("DCR", "CRD")


@dataclass(frozen=True)
class AbstractBlocks(AbstractMover):
    """A block of ``blocksize`` squared pixels of C channels is one pixel of C blocksize² channels.

    In the many channels the place in the block comes before the channel ("DCR") or after it
    ("CRD").
    """

    blocksize: int
    mode: str

    def __post_init__(self) -> None:
        if self.blocksize < 1 or self.mode not in MODES:
            values = {"blocksize": self.blocksize, "mode": self.mode}
            rule = "blocksize must be positive, mode 'DCR' or 'CRD'"
            raise GeometryError(message(self.subject, rule, values))

    def _known(self, shape: Shape) -> tuple[int, int, int]:
        if len(shape) != 4:
            rule = "the input must have a batch, channels and two axes of space"
            raise GeometryError(message(self.subject, rule, {"shape": tuple(shape)}))
        c, height, width = integers(shape[1:], self.subject)
        return c, height, width

    def _split(self, size: int, by: int, name: str) -> int:
        if size % by:
            values = {name: size, "by": by}
            raise GeometryError(message(self.subject, f"{name} must be divisible", values))
        return size // by

    def _spread(self, x: Array) -> Array:
        """Move channels into space."""
        n, c, height, width = x.shape
        b = self.blocksize
        if self.mode == "DCR":
            parts = x.reshape(n, b, b, c // (b * b), height, width).transpose(0, 3, 4, 1, 5, 2)
        else:
            parts = x.reshape(n, c // (b * b), b, b, height, width).transpose(0, 1, 4, 2, 5, 3)
        return parts.reshape(n, c // (b * b), height * b, width * b)

    def _gathered(self, x: Array) -> Array:
        """Move space into channels: the way back."""
        n, c, height, width = x.shape
        b = self.blocksize
        parts = x.reshape(n, c, height // b, b, width // b, b)
        order = (0, 3, 5, 1, 2, 4) if self.mode == "DCR" else (0, 1, 3, 5, 2, 4)
        return parts.transpose(order).reshape(n, c * b * b, height // b, width // b)

    def onnx_attributes(self, in_shapes: Sequence[Shape]) -> Mapping[str, Attribute]:
        """Return block and order."""
        return {"blocksize": self.blocksize, "mode": self.mode}

    @classmethod
    def from_onnx(cls, node: OnnxNode) -> tuple[Self, tuple[str, ...]]:
        """Read block and order."""
        make: Any = cls
        return make(node.integer("blocksize", 1), node.text("mode", "DCR")), node.inputs


@dataclass(frozen=True)
class DepthToSpace(AbstractBlocks):
    """Make of each pixel a block of pixels with fewer channels.

    Source: Shi et al., *Real-time single image and video super-resolution using an efficient
    sub-pixel convolutional neural network* (2016), equation 4 (there in "CRD").
    """

    onnx_type: ClassVar[str] = "DepthToSpace"
    blocksize: int
    mode: str = "DCR"

    def out_shapes(self, in_shapes: Sequence[Shape]) -> tuple[Shape, ...]:
        """Return fewer channels and more pixels."""
        c, height, width = self._known(in_shapes[0])
        b = self.blocksize
        channels = self._split(c, b * b, "channels")
        return ((in_shapes[0][0], channels, height * b, width * b),)

    def forward(
        self, inputs: Sequence[Array], *, training: bool = False, key: Key | None = None
    ) -> Result:
        """Move channels into space."""
        self.out_shapes([inputs[0].shape])
        return (self._spread(inputs[0]),), {}, None

    def backward(self, saved: Any, douts: Sequence[Array]) -> tuple[Array | None, ...]:
        """Move space into channels."""
        return (self._gathered(douts[0]),)

    def sources(self, shape: Shape, output: int = 0) -> tuple[Source, ...]:
        """Return which channel, and which pixel, each pixel was."""
        channels, height, width = integers(self.out_shapes([shape])[0][1:], self.subject)
        check_room((channels * height * width,), self.subject)
        b = self.blocksize
        c, y, x = np.ogrid[:channels, :height, :width]
        place = y % b * b + x % b
        table = place * channels + c if self.mode == "DCR" else c * (b * b) + place
        rows, columns = np.arange(height) // b, np.arange(width) // b
        return kept(0), ((1, 2, 3), table), ((2,), rows), ((3,), columns)

    def input_span(
        self, in_shapes: Sequence[Shape], spans: Spans, output: int = 0
    ) -> tuple[Spans, ...]:
        """Return the pixels that hold a box, and the channels, without listing them."""
        sizes = integers(self.out_shapes(in_shapes)[0][1:], self.subject)
        box = [_clipped(span, size) for span, size in zip(spans[1:], sizes, strict=True)]
        rows, columns = (_divided(span, self.blocksize) for span in box[1:])
        return ((spans[0], self._channels(box, sizes[0]), rows, columns),)

    def _channels(self, box: list[AxisSpan], many: int) -> AxisSpan:
        """Return the span of the channels that a box of channels and pixels was."""
        known = [span for span in box if isinstance(span, Interval)]
        if len(known) < len(box):
            return EVERYTHING
        if any(span.empty for span in known):
            return Interval(0, 0)
        (least_y, most_y), (least_x, most_x) = (_residues(s, self.blocksize) for s in known[1:])
        b, channels = self.blocksize, known[0]
        least, most = least_y * b + least_x, most_y * b + most_x
        if self.mode == "DCR":
            return Interval(least * many + channels.lo, most * many + channels.hi)
        return Interval(channels.lo * b * b + least, (channels.hi - 1) * b * b + most + 1)

    @classmethod
    def examples(cls) -> list[Example]:
        """Return both orders, and several blocks."""
        return [
            Example(cls(2), ((2, 8, 2, 3),)),
            Example(cls(2, "CRD"), ((2, 8, 3, 2),)),
            Example(cls(3), ((1, 9, 1, 2),)),
            Example(cls(1), ((2, 3, 2, 2),)),
        ]


@dataclass(frozen=True)
class SpaceToDepth(AbstractBlocks):
    """Make of each block of pixels one pixel with more channels."""

    onnx_type: ClassVar[str] = "SpaceToDepth"
    blocksize: int
    mode: str = "DCR"

    def out_shapes(self, in_shapes: Sequence[Shape]) -> tuple[Shape, ...]:
        """Return more channels and fewer pixels."""
        c, height, width = self._known(in_shapes[0])
        b = self.blocksize
        rows, columns = self._split(height, b, "height"), self._split(width, b, "width")
        return ((in_shapes[0][0], c * b * b, rows, columns),)

    def forward(
        self, inputs: Sequence[Array], *, training: bool = False, key: Key | None = None
    ) -> Result:
        """Move space into channels."""
        self.out_shapes([inputs[0].shape])
        return (self._gathered(inputs[0]),), {}, None

    def backward(self, saved: Any, douts: Sequence[Array]) -> tuple[Array | None, ...]:
        """Move channels into space."""
        return (self._spread(douts[0]),)

    def sources(self, shape: Shape, output: int = 0) -> tuple[Source, ...]:
        """Return which channel, and which pixel, each channel of a pixel was."""
        channels, _, _ = self._known(shape)
        _, many, height, width = (int(n) for n in self.out_shapes([(1, *shape[1:])])[0])
        check_room((4 * many * max(height, width),), self.subject)
        b = self.blocksize
        each = np.arange(many)
        place, c = divmod(each, channels) if self.mode == "DCR" else divmod(each, b * b)[::-1]
        rows = np.arange(height)[None, :] * b + (place // b)[:, None]
        columns = np.arange(width)[None, :] * b + (place % b)[:, None]
        return kept(0), ((1,), c), ((1, 2), rows), ((1, 3), columns)

    def to_onnx(
        self, inputs: tuple[str, ...], outputs: tuple[str, ...], in_shapes: Sequence[Shape]
    ) -> tuple[OnnxNode, ...]:
        """Write the node; another order than "DCR" needs operator set 28."""
        attributes: dict[str, Attribute] = {"blocksize": self.blocksize}
        opset = 0
        if self.mode != "DCR":
            attributes["mode"], opset = self.mode, 28
        return (OnnxNode("SpaceToDepth", inputs, outputs, attributes, opset=opset),)

    @classmethod
    def examples(cls) -> list[Example]:
        """Return two blocks, and both orders."""
        return [
            Example(cls(2), ((2, 2, 4, 6),)),
            Example(cls(3), ((1, 2, 3, 6),)),
            Example(cls(2, "CRD"), ((2, 3, 2, 4),)),
        ]


def _clipped(span: AxisSpan, size: int) -> AxisSpan:
    if isinstance(span, Everything):
        return span
    inside = span.clip(0, size)
    return Interval(0, 0) if inside.empty else inside


def _divided(span: AxisSpan, by: int) -> AxisSpan:
    if isinstance(span, Everything) or span.empty:
        return span
    return Interval(span.lo // by, (span.hi - 1) // by + 1)


def _residues(span: Interval, by: int) -> tuple[int, int]:
    """Return the least and the greatest remainder of an interval's positions."""
    if span.lo // by != (span.hi - 1) // by:
        return 0, by - 1
    return span.lo % by, (span.hi - 1) % by
