"""Dropout."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from faltung.errors import GeometryError, GraphError, message
from faltung.ops.elementwise import AbstractElementwise
from faltung.ops.operator import Array, Example, Key, OnnxNode, Result, Shape


@dataclass(frozen=True)
class Dropout(AbstractElementwise):
    """In training, set each value to 0 with probability ``ratio`` and divide the rest by 1 - ratio.

    Inference, and every file, has the identity. The key alone decides which values go. With
    ``mask`` there is a second output, which is true where values stayed.
    """

    onnx_type: ClassVar[str] = "Dropout"
    ratio: float = 0.5
    mask: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.ratio < 1:
            rule = "ratio must be at least 0 and below 1"
            raise GeometryError(message(self.subject, rule, {"ratio": self.ratio}))

    def out_shapes(self, in_shapes: Sequence[Shape]) -> tuple[Shape, ...]:
        """Return the shape of the input, for the mask as well."""
        return (in_shapes[0],) * (1 + self.mask)

    def out_dtypes(self, in_dtypes: Sequence[np.dtype[Any]]) -> tuple[np.dtype[Any], ...]:
        """Return the dtype of the input, and that of truth values."""
        return (in_dtypes[0], np.dtype(bool))[: 1 + self.mask]

    def forward(
        self, inputs: Sequence[Array], *, training: bool = False, key: Key | None = None
    ) -> Result:
        """Return the input, thinned out in training."""
        x = inputs[0]
        if not training or self.ratio == 0:
            return (x, np.ones(x.shape, dtype=bool))[: 1 + self.mask], {}, None
        factor = self.drawn(x, key)
        return (x * factor, factor > 0)[: 1 + self.mask], {}, factor

    def drawn(self, x: Array, key: Key | None) -> Array:
        """Return what each value is multiplied by in training: 0, or 1 / (1 - ratio)."""
        if key is None:
            raise GraphError(message("Dropout", "training needs a key", {}, "Pass key=(seed,)"))
        generator = np.random.Generator(np.random.Philox(np.random.SeedSequence(key)))
        kept = generator.random(x.shape, dtype=np.float32) >= self.ratio
        factor: Array = kept * x.dtype.type(1 / (1 - self.ratio))
        return factor

    def backward(self, saved: Any, douts: Sequence[Array]) -> tuple[Array | None, ...]:
        """Send ``dout`` through the values that stayed."""
        return (douts[0] if saved is None else douts[0] * saved,)

    def to_onnx(
        self, inputs: tuple[str, ...], outputs: tuple[str, ...], in_shapes: Sequence[Shape]
    ) -> tuple[OnnxNode, ...]:
        """Write the inference form, which keeps the ratio for whoever trains on."""
        name = f"{outputs[0]}.ratio"
        constants: dict[str, Array] = {name: np.array(self.ratio, dtype=np.float32)}
        return (OnnxNode("Dropout", (inputs[0], name), outputs, {}, constants),)

    @classmethod
    def from_onnx(cls, node: OnnxNode) -> tuple[Self, tuple[str, ...]]:
        """Read the ratio, an input since opset 12."""
        mode, ratio = node.constant(2, "training_mode"), node.constant(1, "ratio")
        # The shortest decimal that is the stored float32, so that 0.3 stays 0.3.
        value = node.real("ratio", 0.5) if ratio is None else float(str(np.float32(ratio)))
        if mode is not None and bool(mode) and value:
            cure = "Export the model for inference"
            raise GeometryError(message("Dropout", "training_mode is not supported", {}, cure))
        return cls(value, len([name for name in node.outputs if name]) > 1), node.inputs[:1]

    @classmethod
    def examples(cls) -> list[Example]:
        """Return two ratios, and a mask."""
        return [
            Example(cls(), ((2, 3, 4),)),
            Example(cls(ratio=0.25), ((5, 6),)),
            Example(cls(mask=True), ((3, 4),)),
        ]
