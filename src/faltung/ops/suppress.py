"""NonMaxSuppression: of boxes that overlap, the one with the best score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

import numpy as np

from faltung.errors import GeometryError, message
from faltung.ops.operator import (
    EVERYTHING,
    AbstractOperator,
    Array,
    Attribute,
    Example,
    Key,
    OnnxNode,
    Result,
    Shape,
    Spans,
    Taps,
    whole,
)

INDEX = np.dtype(np.int64)


@dataclass(frozen=True)
class NonMaxSuppression(AbstractOperator):
    """Rows ``(image, class, box)`` of the boxes that stay: the best first, class by class.

    Boxes (N, boxes, 4) are two corners ``y, x, y, x``, or with ``center_point_box`` a centre and
    sizes ``x, y, width, height``; scores are (N, classes, boxes). A box goes where one of its class
    that stays overlaps it, intersection over union, by more than ``iou_threshold``; so do those
    whose score is not above ``score_threshold``. Of equal scores the earlier box comes first. How
    many stay, nobody knows before: the first size of the result has a name.
    """

    onnx_type: ClassVar[str] = "NonMaxSuppression"
    arity: ClassVar[tuple[int, int]] = (2, 2)
    most: int = 0
    iou_threshold: float = 0.0
    score_threshold: float | None = None
    center_point_box: bool = False
    selected: str = field(default="selected", compare=False, repr=False)
    """What the number of boxes that stay is called: two such numbers are not one."""

    def __post_init__(self) -> None:
        for name in ("iou_threshold", "score_threshold"):
            value = getattr(self, name)
            object.__setattr__(self, name, None if value is None else float(np.float32(value)))

    def out_shapes(self, in_shapes: Sequence[Shape]) -> tuple[Shape, ...]:
        """Return (selected, 3)."""
        boxes, scores = (tuple(shape) for shape in in_shapes)
        fit = len(boxes) == len(scores) == 3 and boxes[2] == 4
        if not fit or (boxes[0], boxes[1]) != (scores[0], scores[2]):
            values = {"boxes": boxes, "scores": scores}
            rule = "boxes must be (N, boxes, 4), scores (N, classes, boxes)"
            raise GeometryError(message(self.subject, rule, values))
        return ((self.selected, 3),)

    def out_dtypes(self, in_dtypes: Sequence[np.dtype[Any]]) -> tuple[np.dtype[Any], ...]:
        """Return int64."""
        return (INDEX,)

    def forward(
        self, inputs: Sequence[Array], *, training: bool = False, key: Key | None = None
    ) -> Result:
        """Go through each class of each image, the best box first."""
        boxes, scores = inputs
        self.out_shapes([boxes.shape, scores.shape])
        found = [np.zeros((0, 3), INDEX)]
        with np.errstate(all="ignore"):
            for n in range(boxes.shape[0]):
                corners = self._corners(boxes[n].astype(np.float64))
                for c in range(scores.shape[1]):
                    kept = self._kept(corners, scores[n, c])
                    found.append(np.array([(n, c, i) for i in kept], INDEX).reshape(-1, 3))
        return (np.concatenate(found),), {}, None

    def _corners(self, boxes: Array) -> Array:
        """Return lower and upper corners, (boxes, 2, 2)."""
        if self.center_point_box:
            centre, half = boxes[:, :2], boxes[:, 2:] / 2
            return np.stack([centre - half, centre + half], axis=1)
        pairs = boxes.reshape(-1, 2, 2)
        return np.stack([pairs.min(axis=1), pairs.max(axis=1)], axis=1)

    def _kept(self, corners: Array, scores: Array) -> list[int]:
        order = np.argsort(-scores, kind="stable")
        if self.score_threshold is not None:
            order = order[scores[order] > self.score_threshold]
        kept: list[int] = []
        for i in order:
            if len(kept) >= self.most:
                break
            if not kept or not np.any(_overlap(corners[i], corners[kept]) > self.iou_threshold):
                kept.append(int(i))
        return kept

    def backward(self, saved: Any, douts: Sequence[Array]) -> tuple[Array | None, ...]:
        """Return none: a choice does not move by degrees."""
        return None, None

    def taps(
        self, in_shapes: Sequence[Shape], index: tuple[int, ...], output: int = 0
    ) -> tuple[Taps, ...]:
        """Return everything: any value may decide."""
        return tuple(tuple(whole(n) for n in shape) for shape in in_shapes)

    def input_span(
        self, in_shapes: Sequence[Shape], spans: Spans, output: int = 0
    ) -> tuple[Spans, ...]:
        """Return everything."""
        return tuple((EVERYTHING,) * len(shape) for shape in in_shapes)

    def to_onnx(
        self, inputs: tuple[str, ...], outputs: tuple[str, ...], in_shapes: Sequence[Shape]
    ) -> tuple[OnnxNode, ...]:
        """Write the limits as constant inputs."""
        names = [f"{outputs[0]}.{name}" for name in ("most", "iou", "score")]
        constants: dict[str, Array] = {
            names[0]: np.array([self.most], np.int64),
            names[1]: np.array([self.iou_threshold], np.float32),
        }
        if self.score_threshold is not None:
            constants[names[2]] = np.array([self.score_threshold], np.float32)
        attributes: Mapping[str, Attribute] = {"center_point_box": int(self.center_point_box)}
        given = (*inputs, *constants)
        return (OnnxNode("NonMaxSuppression", given, outputs, attributes, constants),)

    @classmethod
    def from_onnx(cls, node: OnnxNode) -> tuple[Self, tuple[str, ...]]:
        """Read the limits; none are kept where their number is left out."""
        limits = [node.constant(i, what) for i, what in enumerate(("most", "iou", "score"), 2)]
        most, iou, score = (None if a is None or not a.size else a.ravel()[0] for a in limits)
        operator = cls(
            max(int(most or 0), 0),
            float(iou or 0.0),
            None if score is None else float(score),
            node.integer("center_point_box", 0) == 1,
            f"{node.outputs[0]}_selected" if any(node.outputs[:1]) else "selected",
        )
        return operator, node.inputs[:2]

    @classmethod
    def examples(cls) -> list[Example]:
        """Return corners and centres, with every limit changed."""
        shapes, floats = ((2, 6, 4), (2, 3, 6)), ("float32", "float32")
        return [
            Example(cls(3), shapes, (), floats),
            Example(cls(6, 0.125, -0.5), shapes, (), floats),
            Example(cls(2, 0.25, 0.5, True), ((1, 8, 4), (1, 2, 8)), (0,), floats),
            Example(cls(4, 0.0, 0.0, True), shapes, (0,), floats),
        ]


def _overlap(box: Array, others: Array) -> Array:
    """Return intersection over union; 0 where either has no area."""
    low, high = np.maximum(box[0], others[:, 0]), np.minimum(box[1], others[:, 1])
    shared = np.where((high > low).all(axis=1), (high - low).prod(axis=1), 0)
    own, area = (box[1] - box[0]).prod(), (others[:, 1] - others[:, 0]).prod(axis=1)
    union = own + area - shared
    positive = (shared > 0) & (own > 0) & (area > 0) & (union > 0)
    return np.asarray(np.where(positive, shared / np.where(positive, union, 1), 0))
