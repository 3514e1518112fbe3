"""Clip: values kept between two bounds; with 0 and 6 it is what MobileNet calls ReLU6."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Self

import numpy as np

from faltung.errors import GraphError, message
from faltung.ops import dispatch
from faltung.ops.elementwise import AbstractElementwise
from faltung.ops.operator import Array, Example, Key, OnnxNode, Result, Shape

LARGEST: Final = float(np.finfo(np.float32).max)
"""What stood, before opset 11, for a bound that is left out."""


def _bound(value: float, dtype: np.dtype[Any]) -> Any:
    """Return a bound in a dtype: of integers the nearest that there is."""
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        return dtype.type(int(min(max(value, limits.min), limits.max)))
    return dtype.type(value)


@dataclass(frozen=True)
class Clip(AbstractElementwise):
    """``y = min(max(x, low), high)``; NaN stays NaN; the gradient at the bounds is 0."""

    onnx_type: ClassVar[str] = "Clip"
    low: float = -math.inf
    high: float = math.inf

    def __post_init__(self) -> None:
        if not self.low <= self.high:
            values = {"low": self.low, "high": self.high}
            raise GraphError(message(self.subject, "low must be at most high", values))

    def forward(
        self, inputs: Sequence[Array], *, training: bool = False, key: Key | None = None
    ) -> Result:
        """Keep the values between the bounds."""
        x = inputs[0]
        low, high = _bound(self.low, x.dtype), _bound(self.high, x.dtype)
        y = dispatch.chained((("load", 0), ("clip", 0, float(low), float(high))), x)
        if y is None:
            y = np.asarray(np.minimum(np.maximum(x, low), high))
        return (y,), {}, (y, low, high)

    def backward(self, saved: Any, douts: Sequence[Array]) -> tuple[Array | None, ...]:
        """Return ``dout`` between the bounds."""
        y, low, high = saved
        bounds = ("number", float(low)), ("number", float(high))
        inside = ("sub", 1, 2), ("positive", 4), ("sub", 3, 1), ("positive", 6), ("mul", 5, 7)
        steps = (("load", 0), ("load", 1), *bounds, *inside, ("mul", 0, 8))
        dx = dispatch.chained(steps, douts[0], y)
        return (np.asarray(douts[0] * ((y > low) & (y < high))) if dx is None else dx,)

    def to_onnx(
        self, inputs: tuple[str, ...], outputs: tuple[str, ...], in_shapes: Sequence[Shape]
    ) -> tuple[OnnxNode, ...]:
        """Write both bounds as constant inputs."""
        constants: dict[str, Array] = {
            f"{outputs[0]}.low": np.array(self.low, dtype=np.float64),
            f"{outputs[0]}.high": np.array(self.high, dtype=np.float64),
        }
        return (OnnxNode("Clip", (inputs[0], *constants), outputs, {}, constants),)

    @classmethod
    def from_onnx(cls, node: OnnxNode) -> tuple[Self, tuple[str, ...]]:
        """Read the bounds, inputs since opset 11; either may be absent. The upper one wins."""
        if node.opset and node.opset < 11:
            low, high = node.real("min", -LARGEST), node.real("max", LARGEST)
        else:
            given = node.constant(1, "min"), node.constant(2, "max")
            low = -math.inf if given[0] is None else float(given[0].item())
            high = math.inf if given[1] is None else float(given[1].item())
        return cls(min(low, high), high), node.inputs[:1]

    @classmethod
    def examples(cls) -> list[Example]:
        """Return both bounds, either, none, and an empty array."""
        return [
            Example(cls(0.0, 6.0), ((2, 3, 4),)),
            Example(cls(-1.0, 1.0), ((4, 6),)),
            Example(cls(low=1.0), ((2, 0),)),
            Example(cls(high=0.0), ((3, 5),)),
            Example(cls(), ((),)),
        ]
