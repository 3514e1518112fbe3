"""What a kernel does to an output while it is still in a register: add, then activate."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from numpy.typing import NDArray

from faltung.kernels.simd import Code, Vector

ACTIVATIONS: Final = ("", "relu", "leaky_relu", "clip")
"""What kernels can fuse; "" is none."""


class Epilogue(NamedTuple):
    """What follows the sum: ``y = activation(y + residual)``.

    Parameters
    ----------
    activation
        One of `ACTIVATIONS`.
    low, high
        The slope of a leaky ReLU is ``low``; "clip" keeps outputs between both.
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
        return code.maximum(vector, code.constant(0.0))
    if name == "leaky_relu":
        is_negative = code.build.fcmp_ordered("<", vector.value, code.constant(0.0).value)
        return code.select(is_negative, vector * code.constant(low), vector)
    if name == "clip":
        return -code.maximum(-code.maximum(vector, code.constant(low)), code.constant(-high))
    return vector
