"""Oracles of activations and softmax.

An elementary function (exp, log, tanh) counts as four roundings: NumPy states errors of less than
four units in the last place for its vector versions.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import numpy as np

from faltung import reference
from faltung.ops.operator import Array
from faltung.testing.oracles.expected import Expected, Gradients, Inputs, Oracle, chosen

ELEMENTARY: Final = 4


def _relu(operator: Any, inputs: Inputs) -> Expected:
    return chosen(reference.relu(inputs[0]))


def _relu_backward(operator: Any, inputs: Inputs, dout: Array) -> Gradients:
    return (chosen(reference.relu_dx(inputs[0], dout)),)


def _leaky(operator: Any, inputs: Inputs) -> Expected:
    values = reference.leaky_relu(inputs[0], operator.alpha)
    return Expected(values, np.abs(values), 2)


def _leaky_backward(operator: Any, inputs: Inputs, dout: Array) -> Gradients:
    values = reference.leaky_relu_dx(inputs[0], dout, operator.alpha)
    return (Expected(values, np.abs(values), 2),)


def _sigmoid(operator: Any, inputs: Inputs) -> Expected:
    values = reference.sigmoid(inputs[0])
    return Expected(values, values, ELEMENTARY + 4)


def _sigmoid_backward(operator: Any, inputs: Inputs, dout: Array) -> Gradients:
    # Written from the output as y (1 - y), it loses what 1 - y rounds off.
    values = reference.sigmoid_dx(inputs[0], dout)
    return (Expected(values, abs(dout) * reference.sigmoid(inputs[0]), 2 * ELEMENTARY + 8),)


def _tanh(operator: Any, inputs: Inputs) -> Expected:
    values = reference.tanh(inputs[0])
    return Expected(values, np.abs(values), ELEMENTARY)


def _tanh_backward(operator: Any, inputs: Inputs, dout: Array) -> Gradients:
    values = reference.tanh_dx(inputs[0], dout)
    return (Expected(values, 2 * abs(dout), 2 * ELEMENTARY + 4),)


def _spread(x: Array, axis: int) -> tuple[Array, Array]:
    """Softmax, and by how much its relative error exceeds a unit roundoff.

    ``x - max(x)`` is rounded before it goes through exp, and so are all the others it is
    divided by: an error of u |x - max(x)| becomes as much of a relative one.
    """
    y = reference.softmax(x, axis)
    shift = np.abs(x - x.max(axis=axis, keepdims=True))
    shift = np.where(np.isfinite(shift), shift, 0.0)  # exp(-inf) is 0, without an error
    return y, 1 + shift + (y * shift).sum(axis=axis, keepdims=True)


def _softmax(operator: Any, inputs: Inputs) -> Expected:
    y, worse = _spread(inputs[0], operator.axis)
    return Expected(y, y * worse, 2 * ELEMENTARY + inputs[0].shape[operator.axis] + 2)


def _softmax_backward(operator: Any, inputs: Inputs, dout: Array) -> Gradients:
    axis = operator.axis
    y, worse = _spread(inputs[0], axis)
    inner = (y * worse * abs(dout)).sum(axis=axis, keepdims=True)
    magnitude = y * worse * (abs(dout) + inner)
    terms = 4 * ELEMENTARY + 3 * inputs[0].shape[axis] + 8
    return (Expected(reference.softmax_dx(inputs[0], dout, axis), magnitude, terms),)


def _log_softmax(operator: Any, inputs: Inputs) -> Expected:
    x, axis = inputs[0], operator.axis
    _, worse = _spread(x, axis)
    values = reference.log_softmax(x, axis)
    return Expected(values, abs(values) + worse, 2 * ELEMENTARY + x.shape[axis] + 3)


def _log_softmax_backward(operator: Any, inputs: Inputs, dout: Array) -> Gradients:
    x, axis = inputs[0], operator.axis
    y, worse = _spread(x, axis)
    # exp of the logarithm: an absolute error of it is a relative one here.
    worse = worse + abs(reference.log_softmax(x, axis))
    magnitude = abs(dout) + y * worse * abs(dout).sum(axis=axis, keepdims=True)
    terms = 4 * ELEMENTARY + 3 * x.shape[axis] + 8
    return (Expected(reference.log_softmax_dx(x, dout, axis), magnitude, terms),)


def _flattened(oracle: Oracle) -> Oracle:
    """Return the same oracle for all axes from one on, where the operator says so."""

    def rows(operator: Any, array: Array) -> tuple[Any, Array]:
        if not operator.flatten:
            return operator, array
        axis = operator.axis % array.ndim
        return replace(operator, axis=-1), array.reshape(*array.shape[:axis], -1)

    def forward(operator: Any, inputs: Inputs) -> Expected:
        along, x = rows(operator, inputs[0])
        found = oracle.forward(along, (x,))
        return found._replace(
            values=found.values.reshape(inputs[0].shape),
            magnitude=found.magnitude.reshape(inputs[0].shape),
        )

    def backward(operator: Any, inputs: Inputs, dout: Array) -> Gradients:
        along, x = rows(operator, inputs[0])
        (found,) = oracle.backward(along, (x,), rows(operator, dout)[1])
        assert found is not None
        shape = inputs[0].shape
        return (
            found._replace(
                values=found.values.reshape(shape), magnitude=found.magnitude.reshape(shape)
            ),
        )

    return Oracle(forward, backward)


ORACLES = {
    "Relu": Oracle(_relu, _relu_backward),
    "LeakyRelu": Oracle(_leaky, _leaky_backward),
    "Sigmoid": Oracle(_sigmoid, _sigmoid_backward),
    "Tanh": Oracle(_tanh, _tanh_backward),
    "Softmax": _flattened(Oracle(_softmax, _softmax_backward)),
    "LogSoftmax": _flattened(Oracle(_log_softmax, _log_softmax_backward)),
}
