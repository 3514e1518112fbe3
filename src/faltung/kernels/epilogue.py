"""What a kernel does to an output while it is still in a register: add, then activate."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from faltung.kernels import memory
from faltung.kernels.simd import Code, Vector

ACTIVATIONS: Final = (
    "",
    "relu",
    "leaky_relu",
    "clip",
    "hard_sigmoid",
    "hard_swish",
    "scaled_hard_swish",
)
"""What kernels can fuse; "" is none."""

Activation = tuple[str, float, float] | tuple[str, Vector, Vector]
"""One of them, and its numbers: compiled in, or read when the kernel runs."""


class Epilogue(NamedTuple):
    """What follows the sum: ``y = activation(y + residual)``.

    Parameters
    ----------
    activation
        One of `ACTIVATIONS`.
    low, high
        The slope of a leaky ReLU is ``low``; "clip" keeps outputs between both; a hard logistic
        function is ``low x + high`` between 0 and 1; a scaled hard swish is multiplied by ``low``,
        and ``high`` added.
    residual
        An array in the output's shape, added before the activation.
    """

    activation: str = ""
    low: float = 0.0
    high: float = 0.0
    residual: NDArray[Any] | None = None

    def numbers(self, dtype: np.dtype[Any]) -> NDArray[Any]:
        """``low`` and ``high`` as an array, for a kernel that is not compiled with them."""
        return _numbers(self.low, self.high, dtype)

    @property
    def constants(self) -> dict[str, Any]:
        """What a kernel is compiled with."""
        return {"activation": (self.activation, self.low, self.high)}


PLAIN: Final = Epilogue()
"""Nothing is done."""


@lru_cache(256)
def _numbers(low: float, high: float, dtype: np.dtype[Any]) -> NDArray[Any]:
    return memory.constant(np.array([low, high], dtype))


def activated(code: Code, vector: Vector, activation: Activation) -> Vector:
    """Apply the activation of an `Epilogue`'s constants; NaN stays NaN."""
    name = activation[0]
    low, high = (_spread(code, number) for number in activation[1:])
    if name == "relu":
        return _at_least(code, vector, code.constant(0.0))
    if name == "leaky_relu":
        is_negative = code.build.fcmp_ordered("<", vector.value, code.constant(0.0).value)
        return code.select(is_negative, vector * low, vector)
    if name == "clip":
        return _between(code, vector, low, high)
    if name == "hard_sigmoid":
        return _between(code, vector * low + high, code.constant(0.0), code.constant(1.0))
    if name in ("hard_swish", "scaled_hard_swish"):
        moved = vector + code.constant(3.0)
        gate = _between(code, moved, code.constant(0.0), code.constant(6.0))
        swish = vector * gate / code.constant(6.0)
        is_scaled = name == "scaled_hard_swish"
        return swish * low + high if is_scaled else swish
    return vector


def _between(code: Code, vector: Vector, low: Vector, high: Vector) -> Vector:
    vector = _at_least(code, vector, low)
    is_inside = code.build.fcmp_unordered("<", vector.value, high.value)
    return code.select(is_inside, vector, high)


def _at_least(code: Code, vector: Vector, low: Vector) -> Vector:
    """Return the larger of each number and one that is not NaN; NaN stays."""
    return code.select(code.build.fcmp_unordered(">", vector.value, low.value), vector, low)


def _spread(code: Code, number: float | Vector) -> Vector:
    return number if isinstance(number, Vector) else code.constant(number)
