"""Oracles of smooth and bent activations, number by number, with Python's own mathematics.

ONNX's reference evaluator computes some of these in float32 whatever it is given (Erf, Gelu), reads
a float attribute as float32 (HardSigmoid), or multiplies where ONNX's text chooses (PRelu).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

import numpy as np

from faltung.ops.operator import Array
from faltung.testing.oracles.expected import Expected, Gradients, Inputs, Oracle, summed

TERMS: Final = 32
"""Roundings of a few elementary functions and the arithmetic around them."""
Curve = Callable[[Any, float], float]


def _curve(value: Curve, slope: Curve) -> Oracle:
    """An oracle from a function and its derivative, whose roundings are relative to 1 + x²."""

    def forward(operator: Any, inputs: Inputs) -> Expected:
        values = _each(value, operator, inputs[0])
        return Expected(values, np.abs(values) + np.abs(inputs[0]) + 1, TERMS)

    def backward(operator: Any, inputs: Inputs, dout: Array) -> Gradients:
        slopes = _each(slope, operator, inputs[0])
        # A product of x with what has run out to 0 is 0 but for the rounding of 1 - 1.
        size = 1 + np.abs(slopes) + np.minimum(np.abs(inputs[0]), 16) ** 2
        return (Expected(dout * slopes, np.abs(dout) * size, TERMS),)

    return Oracle(forward, backward)


def _each(curve: Curve, operator: Any, x: Array) -> Array:
    flat = [curve(operator, float(v)) for v in np.ravel(x)]
    return np.array(flat, np.float64).reshape(x.shape)


def _hard_sigmoid(op: Any, x: float) -> float:
    line = float(op.alpha * x + op.beta)
    return line if math.isnan(line) else max(0.0, min(1.0, line))


def _hard_sigmoid_slope(op: Any, x: float) -> float:
    return float(op.alpha) if 0 < op.alpha * x + op.beta < 1 else 0.0


def _hard_swish(op: Any, x: float) -> float:
    return x if math.isnan(x) else x * max(0.0, min(1.0, (x + 3) / 6))


def _hard_swish_slope(op: Any, x: float) -> float:
    return (2 * x + 3) / 6 if -3 < x < 3 else float(x >= 3)


def _normal(x: float) -> float:
    return 0.5 * (1 + math.erf(x / math.sqrt(2)))


def _inner(x: float) -> float:
    return math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)


def _gelu(op: Any, x: float) -> float:
    if op.approximate == "tanh":
        return 0.5 * x * (1 + math.tanh(_inner(x)))
    return x * _normal(x)


def _gelu_slope(op: Any, x: float) -> float:
    if op.approximate == "tanh":
        t = math.tanh(_inner(x))
        inner = math.sqrt(2 / math.pi) * (1 + 3 * 0.044715 * x * x)
        return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * inner
    return _normal(x) + x * math.exp(-x * x / 2) / math.sqrt(2 * math.pi)


def _celu(op: Any, x: float) -> float:
    return x if not x < 0 else float(op.alpha) * math.expm1(x / op.alpha)


def _celu_slope(op: Any, x: float) -> float:
    return math.exp(min(x, 0) / op.alpha)


def _prelu(operator: Any, inputs: Inputs) -> Expected:
    x, slope = inputs
    values = np.where(x < 0, x * slope, x)
    return Expected(values, np.abs(values), 1)


def _prelu_backward(operator: Any, inputs: Inputs, dout: Array) -> Gradients:
    x, slope = np.broadcast_arrays(*inputs)
    dx = np.where(x > 0, dout, dout * slope)
    dslope = np.where(x < 0, x * dout, 0.0)
    shape = inputs[1].shape
    terms = dout.size + 2
    return (
        Expected(dx, np.abs(dx), 1),
        Expected(summed(dslope, shape), summed(np.abs(dslope), shape), terms),
    )


ORACLES: Final[dict[str, Oracle]] = {
    "HardSigmoid": _curve(_hard_sigmoid, _hard_sigmoid_slope),
    "HardSwish": _curve(_hard_swish, _hard_swish_slope),
    "Gelu": _curve(_gelu, _gelu_slope),
    "Celu": _curve(_celu, _celu_slope),
    "Erf": _curve(
        lambda op, x: math.erf(x), lambda op, x: 2 / math.sqrt(math.pi) * math.exp(-x * x)
    ),
    "PRelu": Oracle(_prelu, _prelu_backward),
}
