"""Functions of one array, value by value: roots, logarithms, rounding, the error function.

Where a function has no value (the logarithm of a negative number) the result is NaN, and infinite
where it grows without bound, as ONNX and IEEE 754 have it; nothing warns. Steps (Floor, Ceil,
Round) have no gradient.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from faltung.ops import dispatch
from faltung.ops.elementwise import AbstractElementwise
from faltung.ops.erf import erf
from faltung.ops.operator import Array, Example, Key, Result

Steps = tuple[tuple[Any, ...], ...]
"""Of a chain, as `faltung.kernels.chain` has them."""


class AbstractUnary(AbstractElementwise):
    """A function of one number, given with its slope.

    What a kernel can compute too is also given as steps of a chain: large images are computed so,
    within the units in the last place that the steps' own functions are off.
    """

    @property
    def steps(self) -> Steps:
        """The function of what the step 0 loads; empty for none."""
        return ()

    @property
    def steps_back(self) -> Steps:
        """``dout`` times the slope, from the steps 0, 1 and 2: dout, x and y; empty for none."""
        return ()

    @abstractmethod
    def value(self, x: Array) -> Array:
        """Compute the function."""

    def slope(self, x: Array, y: Array) -> Array | None:
        """Return the derivative from the input and the value; None for a function of steps."""
        return None

    def forward(
        self, inputs: Sequence[Array], *, training: bool = False, key: Key | None = None
    ) -> Result:
        """Compute the function of each value."""
        x = inputs[0]
        y = None
        if self.steps:
            y = dispatch.chained((("load", 0), *self.steps), x, as_numpy=False)
        if y is None:
            with np.errstate(all="ignore"):
                y = np.asarray(self.value(x), x.dtype)
        return (y,), {}, (x, y)

    def backward(self, saved: Any, douts: Sequence[Array]) -> tuple[Array | None, ...]:
        """Return ``dout`` times the slope."""
        x, y = saved
        if x.dtype.kind != "f":
            return (None,)
        if self.steps_back:
            loads = (("load", 0), ("load", 1), ("load", 2))
            dx = dispatch.chained((*loads, *self.steps_back), douts[0], x, y, as_numpy=False)
            if dx is not None:
                return (dx,)
        with np.errstate(all="ignore"):
            slope = self.slope(x, y)
            return (None if slope is None else np.asarray(douts[0] * slope, x.dtype),)


class AbstractPositive(AbstractUnary):
    """A function of positive numbers."""

    @classmethod
    def examples(cls) -> list[Example]:
        """Return arrays of positive numbers, a single one and an empty array among them."""
        shapes: list[tuple[int, ...]] = [(2, 3, 4), (7,), (), (2, 0)]
        return [Example(cls(), (shape,), positive=(0,)) for shape in shapes]


class Sqrt(AbstractPositive):
    """``y = sqrt(x)``; NaN below 0."""

    onnx_type: ClassVar[str] = "Sqrt"

    @property
    def steps(self) -> Steps:
        """Return one."""
        return (("sqrt", 0),)

    @property
    def steps_back(self) -> Steps:
        """Return ``dout (0.5 / y)``."""
        return ("number", 0.5), ("div", 3, 2), ("mul", 0, 4)

    def value(self, x: Array) -> Array:
        """Compute the root."""
        return np.asarray(np.sqrt(x))

    def slope(self, x: Array, y: Array) -> Array:
        """Return ``1 / (2 y)``."""
        return np.asarray(0.5 / y)


class Log(AbstractPositive):
    """``y = log(x)``, the natural logarithm; minus infinity at 0, NaN below."""

    onnx_type: ClassVar[str] = "Log"

    def value(self, x: Array) -> Array:
        """Compute the logarithm."""
        return np.asarray(np.log(x))

    def slope(self, x: Array, y: Array) -> Array:
        """Return ``1 / x``."""
        return np.asarray(1 / x)


class Reciprocal(AbstractPositive):
    """``y = 1 / x``; infinite at 0."""

    onnx_type: ClassVar[str] = "Reciprocal"

    def value(self, x: Array) -> Array:
        """Compute ``1 / x``."""
        return np.asarray(1 / x)

    def slope(self, x: Array, y: Array) -> Array:
        """Return ``-y**2``."""
        return np.asarray(-y * y)


class Exp(AbstractUnary):
    """``y = exp(x)``."""

    onnx_type: ClassVar[str] = "Exp"

    @property
    def steps(self) -> Steps:
        """Return one."""
        return (("exp", 0),)

    @property
    def steps_back(self) -> Steps:
        """Return ``dout y``."""
        return (("mul", 0, 2),)

    def value(self, x: Array) -> Array:
        """Compute the exponential."""
        return np.asarray(np.exp(x))

    def slope(self, x: Array, y: Array) -> Array:
        """Return the value."""
        return y


class Erf(AbstractUnary):
    """``y = erf(x)``: `faltung.ops.erf.erf`."""

    onnx_type: ClassVar[str] = "Erf"

    @property
    def steps(self) -> Steps:
        """Return one."""
        return (("erf", 0),)

    def value(self, x: Array) -> Array:
        """Compute the error function."""
        return erf(x)

    def slope(self, x: Array, y: Array) -> Array:
        """Return ``2 / sqrt(pi) exp(-x**2)``."""
        return np.asarray(2 / math.sqrt(math.pi) * np.exp(-x * x))


class Softplus(AbstractUnary):
    """``y = log(1 + exp(x))``, without overflow."""

    onnx_type: ClassVar[str] = "Softplus"

    def value(self, x: Array) -> Array:
        """Compute the smooth maximum of x and 0."""
        return np.asarray(np.logaddexp(x, x.dtype.type(0)))

    def slope(self, x: Array, y: Array) -> Array:
        """Return the logistic function."""
        return np.asarray(np.exp(x - y))


class Neg(AbstractUnary):
    """``y = -x``."""

    onnx_type: ClassVar[str] = "Neg"
    onnx_kinds: ClassVar[str] = "fi"

    def value(self, x: Array) -> Array:
        """Change the sign."""
        return np.asarray(-x)

    def slope(self, x: Array, y: Array) -> Array:
        """Return -1."""
        return np.full_like(x, -1)


class Abs(AbstractUnary):
    """``y = |x|``; the gradient at 0 is 0."""

    onnx_type: ClassVar[str] = "Abs"
    onnx_kinds: ClassVar[str] = "fiu"

    def value(self, x: Array) -> Array:
        """Drop the sign."""
        return np.asarray(np.abs(x))

    def slope(self, x: Array, y: Array) -> Array:
        """Return the sign."""
        return np.asarray(np.sign(x))


class AbstractStep(AbstractUnary):
    """A function of steps: no gradient."""

    @classmethod
    def examples(cls) -> list[Example]:
        """Return sizes whose drawn values keep away from the steps."""
        return [Example(cls(), (shape,)) for shape in ((2, 3, 4), (8,), (2, 0))]


class Floor(AbstractStep):
    """The largest whole number that is at most x; it has no gradient."""

    onnx_type: ClassVar[str] = "Floor"

    def value(self, x: Array) -> Array:
        """Round down."""
        return np.asarray(np.floor(x))


class Ceil(AbstractStep):
    """The smallest whole number that is at least x; it has no gradient."""

    onnx_type: ClassVar[str] = "Ceil"

    def value(self, x: Array) -> Array:
        """Round up."""
        return np.asarray(np.ceil(x))


class Round(AbstractStep):
    """The nearest whole number, the even one of two; it has no gradient."""

    onnx_type: ClassVar[str] = "Round"

    def value(self, x: Array) -> Array:
        """Round to the nearest, half to even."""
        return np.asarray(np.rint(x))
