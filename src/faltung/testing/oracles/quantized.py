"""Oracles of quantisation, value by value.

ONNX's reference evaluator takes infinity for a small number.
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np

from faltung.ops.operator import Array
from faltung.testing.oracles.expected import Expected, Gradients, Inputs, Oracle


def _own(operator: Any, shape: tuple[int, ...], at: tuple[int, ...]) -> tuple[int, ...]:
    """Return where the scale of one value stands."""
    if not shape or (shape == (1,) and not operator.block_size):
        return (0,) * len(shape)
    axis = range(len(at))[operator.axis]
    if not operator.block_size:
        return (at[axis],)
    return (*at[:axis], at[axis] // operator.block_size, *at[axis + 1 :])


def _quantize(operator: Any, inputs: Inputs) -> Expected:
    x, scale, *zero = inputs
    dtype = zero[0].dtype if zero else np.dtype(operator.to)
    limits = np.iinfo(dtype)
    values = np.zeros(x.shape, dtype)
    for at in np.ndindex(*x.shape):
        own = _own(operator, scale.shape, at)
        by, shift = float(scale[own]), int(zero[0][own]) if zero else 0
        exact = float(x[at]) / by
        if math.isnan(exact):
            values[at] = shift
        elif math.isinf(exact):
            values[at] = limits.max if exact > 0 else limits.min
        else:
            values[at] = min(max(round(exact) + shift, limits.min), limits.max)
    return Expected(values, np.abs(values.astype(np.float64)), 0)


def _steps(operator: Any, inputs: Inputs) -> Array:
    x, scale, *zero = inputs
    steps = x.astype(np.float64)
    for at in np.ndindex(*x.shape):
        steps[at] -= float(zero[0][_own(operator, scale.shape, at)]) if zero else 0.0
    return steps


def _dequantize(operator: Any, inputs: Inputs) -> Expected:
    values = _steps(operator, inputs)
    for at in np.ndindex(*values.shape):
        values[at] *= inputs[1][_own(operator, inputs[1].shape, at)]
    return Expected(values, np.abs(values), 2)


def _no_gradients(operator: Any, inputs: Inputs, dout: Array) -> Gradients:
    return (None,) * len(inputs)


def _dequantize_backward(operator: Any, inputs: Inputs, dout: Array) -> Gradients:
    scale = inputs[1]
    total, size = np.zeros(scale.shape), np.zeros(scale.shape)
    for at, step in np.ndenumerate(_steps(operator, inputs)):
        own = _own(operator, scale.shape, at)
        total[own] += step * dout[at]
        size[own] += abs(step * dout[at])
    return (None, Expected(total, size, dout.size + 2), *(None,) * (len(inputs) - 2))


ORACLES: Final[dict[str, Oracle]] = {
    "QuantizeLinear": Oracle(_quantize, _no_gradients),
    "DequantizeLinear": Oracle(_dequantize, _dequantize_backward),
}
