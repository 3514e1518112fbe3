"""Activations beyond those of the foundation: ELU and its kin, gated and piecewise linear ones."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final, Self

import numpy as np

from faltung.errors import GeometryError, message
from faltung.ops.elementwise import AbstractBinary
from faltung.ops.erf import erf
from faltung.ops.operator import Array, Attribute, Example, OnnxNode, Shape
from faltung.ops.unary import AbstractUnary, Steps

SELU_ALPHA: Final = 1.67326319217681884765625
SELU_GAMMA: Final = 1.05070102214813232421875
_SHAPES: Final[tuple[tuple[int, ...], ...]] = ((2, 3, 4), (7,), (2, 0), ())


def _logistic(x: Array) -> Array:
    e = np.exp(-np.abs(x))
    return np.asarray(np.where(x >= 0, 1, e) / (1 + e), x.dtype)


@dataclass(frozen=True)
class Elu(AbstractUnary):
    """``y = x`` for ``x > 0``, ``y = alpha (exp(x) - 1)`` elsewhere.

    Source: Clevert, Unterthiner, Hochreiter, *Fast and accurate deep network learning by
    exponential linear units* (2016), section 3.
    """

    onnx_type: ClassVar[str] = "Elu"
    alpha: float = 1.0

    def value(self, x: Array) -> Array:
        """Compute ``x`` or ``alpha (exp(x) - 1)``; nothing above 0 goes through exp."""
        return np.where(x > 0, x, x.dtype.type(self.alpha) * np.expm1(np.minimum(x, 0)))

    def slope(self, x: Array, y: Array) -> Array:
        """Return 1 or ``alpha exp(x)``."""
        return np.where(x > 0, 1, x.dtype.type(self.alpha) * np.exp(np.minimum(x, 0)))

    def onnx_attributes(self, in_shapes: Sequence[Shape]) -> Mapping[str, Attribute]:
        """Return alpha."""
        return {"alpha": float(self.alpha)}

    @classmethod
    def from_onnx(cls, node: OnnxNode) -> tuple[Self, tuple[str, ...]]:
        """Read alpha, which ONNX leaves out where it is 1."""
        return cls(alpha=node.real("alpha", 1.0)), node.inputs

    @classmethod
    def examples(cls) -> list[Example]:
        """Return two slopes on arrays of several ranks."""
        return [
            *(Example(cls(), (shape,)) for shape in _SHAPES),
            Example(cls(alpha=0.25), ((3, 5),)),
        ]


@dataclass(frozen=True)
class Celu(Elu):
    """``y = max(x, 0) + min(0, alpha (exp(x / alpha) - 1))``: its slope is 1 on both sides of 0.

    Source: Barron, *Continuously differentiable exponential linear units* (2017).
    """

    onnx_type: ClassVar[str] = "Celu"

    def __post_init__(self) -> None:
        if not self.alpha > 0:
            rule = "alpha must be positive"
            raise GeometryError(message(self.subject, rule, {"alpha": self.alpha}))

    def to_onnx(
        self, inputs: tuple[str, ...], outputs: tuple[str, ...], in_shapes: Sequence[Shape]
    ) -> tuple[OnnxNode, ...]:
        """Write ``alpha Elu(x / alpha)``: ONNX's own takes float64 from operator set 28 alone."""
        alpha, scaled, bent = (f"{outputs[0]}.{name}" for name in ("alpha", "scaled", "bent"))
        constants = {alpha: np.array(self.alpha, np.float64)}
        return (
            OnnxNode("Div", (inputs[0], alpha), (scaled,), {}, constants),
            OnnxNode("Elu", (scaled,), (bent,), {"alpha": 1.0}),
            OnnxNode("Mul", (bent, alpha), outputs),
        )

    def value(self, x: Array) -> Array:
        """Compute ``x`` or ``alpha (exp(x / alpha) - 1)``."""
        alpha = x.dtype.type(self.alpha)
        return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0) / alpha))

    def slope(self, x: Array, y: Array) -> Array:
        """Return 1 or ``exp(x / alpha)``."""
        return np.asarray(np.exp(np.minimum(x, 0) / x.dtype.type(self.alpha)))


@dataclass(frozen=True)
class Selu(AbstractUnary):
    """``y = gamma x`` for ``x > 0``, ``y = gamma alpha (exp(x) - 1)`` elsewhere.

    Source: Klambauer et al., *Self-normalizing neural networks* (2017), equation 2.
    """

    onnx_type: ClassVar[str] = "Selu"
    alpha: float = SELU_ALPHA
    gamma: float = SELU_GAMMA

    def value(self, x: Array) -> Array:
        """Compute ``gamma x`` or ``gamma alpha (exp(x) - 1)``."""
        alpha, gamma = x.dtype.type(self.alpha), x.dtype.type(self.gamma)
        return np.asarray(gamma * np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0))))

    def slope(self, x: Array, y: Array) -> Array:
        """Return gamma or ``gamma alpha exp(x)``."""
        alpha, gamma = x.dtype.type(self.alpha), x.dtype.type(self.gamma)
        return np.asarray(gamma * np.where(x > 0, 1, alpha * np.exp(np.minimum(x, 0))))

    def onnx_attributes(self, in_shapes: Sequence[Shape]) -> Mapping[str, Attribute]:
        """Return alpha and gamma."""
        return {"alpha": float(self.alpha), "gamma": float(self.gamma)}

    @classmethod
    def from_onnx(cls, node: OnnxNode) -> tuple[Self, tuple[str, ...]]:
        """Read alpha and gamma."""
        return cls(node.real("alpha", SELU_ALPHA), node.real("gamma", SELU_GAMMA)), node.inputs

    @classmethod
    def examples(cls) -> list[Example]:
        """Return the published constants and others."""
        return [
            *(Example(cls(), (shape,)) for shape in _SHAPES),
            Example(cls(alpha=0.5, gamma=2.0), ((3, 5),)),
        ]


@dataclass(frozen=True)
class HardSigmoid(AbstractUnary):
    """``y = max(0, min(1, alpha x + beta))``; the gradient at both kinks is 0."""

    onnx_type: ClassVar[str] = "HardSigmoid"
    alpha: float = 0.2
    beta: float = 0.5

    @property
    def steps(self) -> Steps:
        """Return one."""
        return (("hard_sigmoid", 0, float(self.alpha), float(self.beta)),)

    def value(self, x: Array) -> Array:
        """Compute the line between 0 and 1."""
        line = x.dtype.type(self.alpha) * x + x.dtype.type(self.beta)
        return np.asarray(np.minimum(np.maximum(line, 0), 1))

    def slope(self, x: Array, y: Array) -> Array:
        """Return alpha between 0 and 1."""
        return np.asarray(x.dtype.type(self.alpha) * ((y > 0) & (y < 1)))

    def onnx_attributes(self, in_shapes: Sequence[Shape]) -> Mapping[str, Attribute]:
        """Return slope and offset."""
        return {"alpha": float(self.alpha), "beta": float(self.beta)}

    @classmethod
    def from_onnx(cls, node: OnnxNode) -> tuple[Self, tuple[str, ...]]:
        """Read slope and offset."""
        return cls(node.real("alpha", 0.2), node.real("beta", 0.5)), node.inputs

    @classmethod
    def examples(cls) -> list[Example]:
        """Return the default line and a steeper one."""
        return [
            *(Example(cls(), (shape,)) for shape in _SHAPES),
            Example(cls(alpha=0.25, beta=0.375), ((3, 5),)),
        ]


class HardSwish(AbstractUnary):
    """``y = x max(0, min(1, x / 6 + 1 / 2))``; the gradient at -3 is 0, at 3 it is 1.

    Source: Howard et al., *Searching for MobileNetV3* (2019), section 5.2.
    """

    onnx_type: ClassVar[str] = "HardSwish"

    @property
    def steps(self) -> Steps:
        """Return one."""
        return (("hard_swish", 0),)

    def _gate(self, x: Array) -> Array:
        return np.asarray(np.minimum(np.maximum(x + 3, 0), 6) / 6)

    def value(self, x: Array) -> Array:
        """Compute x times its gate."""
        return np.asarray(x * self._gate(x))

    def slope(self, x: Array, y: Array) -> Array:
        """Return the gate, and ``x / 6`` more while it moves."""
        return np.asarray(self._gate(x) + np.where(np.abs(x) < 3, x / 6, 0))


class Mish(AbstractUnary):
    """``y = x tanh(log(1 + exp(x)))``.

    Source: Misra, *Mish: a self regularized non-monotonic activation function* (2020).
    """

    onnx_type: ClassVar[str] = "Mish"

    def value(self, x: Array) -> Array:
        """Compute x times the tangent of its softplus."""
        return np.asarray(x * np.tanh(np.logaddexp(x, x.dtype.type(0))))

    def slope(self, x: Array, y: Array) -> Array:
        """Return ``t + x (1 - t**2) logistic(x)``."""
        t = np.tanh(np.logaddexp(x, x.dtype.type(0)))
        return np.asarray(t + x * (1 - t * t) * _logistic(x))

    def to_onnx(
        self, inputs: tuple[str, ...], outputs: tuple[str, ...], in_shapes: Sequence[Shape]
    ) -> tuple[OnnxNode, ...]:
        """Write the node, which operator set 18 brought."""
        return (OnnxNode("Mish", inputs, outputs, opset=18),)


def _normal_share(x: int, at: int) -> Steps:
    """Return steps from `at` on: ``0.5 (1 + erf(x sqrt(0.5)))`` of a step's result."""
    return (
        *(("number", math.sqrt(0.5)), ("mul", x, at), ("erf", at + 1)),
        *(("number", 1.0), ("add", at + 2, at + 3), ("number", 0.5), ("mul", at + 4, at + 5)),
    )


def _tangent_share(x: int, at: int) -> Steps:
    """Return steps from `at` on: ``0.5 (1 + tanh(sqrt(2 / pi) (x + 0.044715 x x x)))``."""
    return (
        *(("number", 0.044715), ("mul", x, at), ("mul", at + 1, x), ("mul", at + 2, x)),
        *(("add", x, at + 3), ("number", math.sqrt(2 / math.pi)), ("mul", at + 4, at + 5)),
        *(("tanh", at + 6), ("number", 1.0), ("add", at + 7, at + 8)),
        *(("number", 0.5), ("mul", at + 9, at + 10)),
    )


@dataclass(frozen=True)
class Gelu(AbstractUnary):
    """``y = x P(X <= x)`` for a standard normal X, or, with "tanh", an approximation of it.

    Source: Hendrycks, Gimpel, *Gaussian error linear units* (2016), section 2.
    """

    onnx_type: ClassVar[str] = "Gelu"
    approximate: str = "none"

    def __post_init__(self) -> None:
        if self.approximate not in ("none", "tanh"):
            values = {"approximate": self.approximate}
            rule = "approximate must be 'none' or 'tanh'"
            raise GeometryError(message(self.subject, rule, values))

    @property
    def steps(self) -> Steps:
        """Return ``x share``."""
        share = _tangent_share(0, 1) if self.approximate == "tanh" else _normal_share(0, 1)
        return (*share, ("mul", 0, len(share)))

    @property
    def steps_back(self) -> Steps:
        """Return ``dout (share + x slope of the share)``, of the exact one."""
        if self.approximate == "tanh":
            return ()
        share = _normal_share(1, 3)
        at = 3 + len(share)
        return (
            *share,
            *(("square", 1), ("number", -0.5), ("mul", at, at + 1), ("exp", at + 2)),
            *(("number", 1 / math.sqrt(2 * math.pi)), ("mul", at + 3, at + 4)),
            *(("mul", 1, at + 5), ("add", at - 1, at + 6), ("mul", 0, at + 7)),
        )

    def _tangent(self, x: Array) -> Array:
        kind = x.dtype.type
        inner = kind(math.sqrt(2 / math.pi)) * (x + kind(0.044715) * x * x * x)
        return np.asarray(np.tanh(inner))

    def _share(self, x: Array) -> Array:
        """Return the probability, or what stands for it."""
        if self.approximate == "tanh":
            return np.asarray(0.5 * (1 + self._tangent(x)))
        return np.asarray(0.5 * (1 + erf(x * x.dtype.type(math.sqrt(0.5)))))

    def value(self, x: Array) -> Array:
        """Compute x times its share."""
        return np.asarray(x * self._share(x))

    def slope(self, x: Array, y: Array) -> Array:
        """Return the share, and x times its slope."""
        if self.approximate == "tanh":
            t, kind = self._tangent(x), x.dtype.type
            inner = kind(math.sqrt(2 / math.pi)) * (1 + kind(3 * 0.044715) * x * x)
            return np.asarray(self._share(x) + 0.5 * x * (1 - t * t) * inner)
        density = np.exp(-0.5 * x * x) / math.sqrt(2 * math.pi)
        return np.asarray(self._share(x) + x * density)

    def to_onnx(
        self, inputs: tuple[str, ...], outputs: tuple[str, ...], in_shapes: Sequence[Shape]
    ) -> tuple[OnnxNode, ...]:
        """Write the node, which operator set 20 brought."""
        attributes: dict[str, Attribute] = {"approximate": self.approximate}
        return (OnnxNode("Gelu", inputs, outputs, attributes, opset=20),)

    @classmethod
    def from_onnx(cls, node: OnnxNode) -> tuple[Self, tuple[str, ...]]:
        """Read whether it is approximated."""
        return cls(node.text("approximate", "none")), node.inputs

    @classmethod
    def examples(cls) -> list[Example]:
        """Return the exact one and its approximation."""
        return [
            *(Example(cls(), (shape,)) for shape in _SHAPES),
            Example(cls("tanh"), ((3, 5),)),
        ]


class PRelu(AbstractBinary):
    """``y = x`` for ``x >= 0``, ``y = slope x`` below; the gradient at 0 is that of below.

    ``slope`` is repeated over x. Source: He et al., *Delving deep into rectifiers* (2015).
    """

    onnx_type: ClassVar[str] = "PRelu"

    def out_shapes(self, in_shapes: Sequence[Shape]) -> tuple[Shape, ...]:
        """Return the shape of x."""
        x, slope = (tuple(shape) for shape in in_shapes)
        (shared,) = super().out_shapes(in_shapes)
        if shared != x:
            values = {"x": x, "slope": slope}
            raise GeometryError(message(self.subject, "slope must fit x", values))
        return (x,)

    def value(self, a: Array, b: Array) -> Array:
        """Compute x or ``slope x``."""
        with np.errstate(invalid="ignore"):
            return np.where(a >= 0, a, a * b)

    def partials(self, a: Array, b: Array, dout: Array) -> tuple[Array, Array]:
        """Return ``dout`` or ``slope dout``, and ``x dout`` where x is negative."""
        return np.where(a > 0, dout, dout * b), np.where(a < 0, dout * a, dout.dtype.type(0))

    @classmethod
    def examples(cls) -> list[Example]:
        """Return one slope, one a channel, one a value, and numbers without axes."""
        return [
            Example(cls(), ((2, 3, 4), (3, 1))),
            Example(cls(), ((2, 3, 4), (2, 3, 4))),
            Example(cls(), ((2, 5), (1,))),
            Example(cls(), ((), ())),
        ]
