"""What a kernel does to an output while it is still in a register: add, then activate."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from numpy.typing import NDArray

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

    @property
    def constants(self) -> dict[str, Any]:
        """What a kernel is compiled with."""
        return {"activation": (self.activation, self.low, self.high)}


PLAIN: Final = Epilogue()
"""Nothing is done."""


def activated(code: Code, vector: Vector, activation: tuple[str, float, float]) -> Vector:
    """Apply the activation of an `Epilogue`'s constants; NaN stays NaN."""
    name, low, high = activation
    if name == "relu":
        return _at_least(code, vector, 0.0)
    if name == "leaky_relu":
        is_negative = code.build.fcmp_ordered("<", vector.value, code.constant(0.0).value)
        return code.select(is_negative, vector * code.constant(low), vector)
    if name == "clip":
        return _between(code, vector, low, high)
    if name == "hard_sigmoid":
        return _between(code, vector * code.constant(low) + code.constant(high), 0.0, 1.0)
    if name in ("hard_swish", "scaled_hard_swish"):
        gate = _between(code, vector + code.constant(3.0), 0.0, 6.0)
        swish = vector * gate / code.constant(6.0)
        is_scaled = name == "scaled_hard_swish"
        return swish * code.constant(low) + code.constant(high) if is_scaled else swish
    return vector


def _between(code: Code, vector: Vector, low: float, high: float) -> Vector:
    vector, limit = _at_least(code, vector, low), code.constant(high)
    is_inside = code.build.fcmp_unordered("<", vector.value, limit.value)
    return code.select(is_inside, vector, limit)


def _at_least(code: Code, vector: Vector, low: float) -> Vector:
    """Return the larger of each number and a constant; NaN stays, as no constant is NaN."""
    limit = code.constant(low)
    return code.select(code.build.fcmp_unordered(">", vector.value, limit.value), vector, limit)
