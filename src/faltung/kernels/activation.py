"""Activations by name, and by NumPy for rows that do not fuse them; see `kernels.epilogue`."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from faltung.errors import GeometryError, message

Array = NDArray[Any]
ActivationLike = str | tuple[str, float] | tuple[str, float, float] | None
Activation = tuple[str, float, float]

_NUMBERS: Final = {"relu": 0, "leaky_relu": 1, "clip": 2}
SLOPE: Final = 0.01
"""What a leaky ReLU multiplies negative numbers with, if nothing is said."""


def activation_of(given: ActivationLike) -> Activation:
    """Return an activation with its two numbers."""
    if given is None:
        return ("", 0.0, 0.0)
    said: tuple[Any, ...] = (given,) if isinstance(given, str) else tuple(given)
    name, *numbers = said
    if name == "leaky_relu" and not numbers:
        numbers = [SLOPE]
    if name not in _NUMBERS or len(numbers) != _NUMBERS[name]:
        rule, values = "activation must be known, with its numbers", {"activation": repr(given)}
        cure = "Use 'relu', 'leaky_relu', ('leaky_relu', slope) or ('clip', low, high)"
        raise GeometryError(message("prepare", rule, values, cure, "prepare Q2"))
    low, high = (*map(float, numbers), 0.0, 0.0)[:2]
    return (str(name), low, high)


def activated(y: Array, activation: Activation) -> Array:
    """Apply an activation in place, where a kernel has not; as `kernels.epilogue` does."""
    name, low, high = activation
    if name == "relu":
        np.copyto(y, 0, where=y <= 0)
    elif name == "leaky_relu":
        np.multiply(y, y.dtype.type(low), out=y, where=y < 0)
    elif name == "clip":
        np.copyto(y, low, where=y < low)
        np.copyto(y, high, where=y > high)
    return y
