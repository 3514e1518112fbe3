"""Oracles of normalisations by the input's own statistics, set by set of values.

ONNX's reference evaluator reads epsilon as float32, computes group normalisation in float32, and
its LRN goes through as many channels as there are images.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from faltung.ops.operator import Array
from faltung.testing.oracles.expected import Expected, Gradients, Inputs, Oracle, summed

FEW: Final = 24
"""Roundings besides those of the sums."""
Labels = Callable[[Any, tuple[int, ...]], Array]
"""For each value of x, the number of the set that it is normalised with."""
Fit = Callable[[Array, int], Array]
"""A scale or bias in a shape that is repeated over x."""


def _instances(operator: Any, shape: tuple[int, ...]) -> Array:
    n, c = np.indices(shape)[:2]
    return np.asarray(n * shape[1] + c)


def _groups(operator: Any, shape: tuple[int, ...]) -> Array:
    n, c = np.indices(shape)[:2]
    return np.asarray(n * operator.num_groups + c // (shape[1] // operator.num_groups))


def _layers(operator: Any, shape: tuple[int, ...]) -> Array:
    axis = range(len(shape))[operator.axis]
    label = np.zeros(shape, np.int64)
    for size, index in zip(shape[:axis], np.indices(shape)[:axis], strict=True):
        label = label * size + index
    return label


def _channel(parameter: Array, ndim: int) -> Array:
    return parameter.reshape(1, -1, *(1,) * (ndim - 2))


def _as_it_is(parameter: Array, ndim: int) -> Array:
    return parameter


def _standard(operator: Any, x: Array, labels: Array) -> tuple[Array, Array, Array]:
    """Return standardised values, ``1 / deviation``, and how far both rounding may be of."""
    values, inverse, size = np.zeros(x.shape), np.zeros(x.shape), np.zeros(x.shape)
    for label in np.unique(labels):
        own = labels == label
        mean = x[own].mean()
        deviation = np.sqrt(((x[own] - mean) ** 2).mean() + operator.epsilon)
        values[own], inverse[own] = (x[own] - mean) / deviation, 1 / deviation
        size[own] = (np.abs(x[own]).max() + abs(mean)) / deviation
    return values, inverse, size


def _forward(labels: Labels, fit: Fit) -> Callable[[Any, Inputs], Expected]:
    def forward(operator: Any, inputs: Inputs) -> Expected:
        x, scale, *bias = inputs
        values, _, size = _standard(operator, x, labels(operator, x.shape))
        by = fit(scale, x.ndim)
        shift = fit(bias[0], x.ndim) if bias else np.zeros(())
        magnitude = np.abs(by) * (np.abs(values) + size) + np.abs(shift)
        return Expected(values * by + shift, magnitude, FEW + x.size)

    return forward


def _backward(labels: Labels, fit: Fit) -> Callable[[Any, Inputs, Array], Gradients]:
    def backward(operator: Any, inputs: Inputs, dout: Array) -> Gradients:
        x, scale, *bias = inputs
        sets = labels(operator, x.shape)
        values, inverse, size = _standard(operator, x, sets)
        inner = dout * fit(scale, x.ndim)
        dx, magnitude = np.zeros(x.shape), np.zeros(x.shape)
        for label in np.unique(sets):
            own = sets == label
            v, count = values[own], own.sum()
            jacobian = (np.eye(count) - 1 / count - np.outer(v, v) / count) * inverse[own][0]
            dx[own] = jacobian @ inner[own]
            worse = np.abs(v) + size[own]
            total = np.abs(inner[own])
            around = total.sum() / count + worse * (total * worse).sum() / count
            magnitude[own] = (total + around) * inverse[own][0]
        terms = FEW + 2 * x.size
        grads = [Expected(dx, magnitude, terms)]
        for parameter, product, most in (
            (scale, dout * values, np.abs(dout) * (np.abs(values) + size)),
            *((b, dout, np.abs(dout)) for b in bias),
        ):
            shape = fit(parameter, x.ndim).shape
            total, large = (summed(a, shape).reshape(parameter.shape) for a in (product, most))
            grads.append(Expected(total, large, terms))
        return tuple(grads)

    return backward


def _lrn_base(operator: Any, x: Array) -> Array:
    base = np.full(x.shape, float(operator.bias))
    before = (operator.size - 1) // 2
    for c in range(x.shape[1]):
        near = range(max(c - before, 0), min(c - before + operator.size, x.shape[1]))
        for other in near:
            base[:, c] += operator.alpha / operator.size * x[:, other] ** 2
    return base


def _lrn(operator: Any, inputs: Inputs) -> Expected:
    x = inputs[0]
    values = x / _lrn_base(operator, x) ** operator.beta
    return Expected(values, np.abs(values), FEW + operator.size)


def _lrn_backward(operator: Any, inputs: Inputs, dout: Array) -> Gradients:
    x = inputs[0]
    base = _lrn_base(operator, x)
    dx = dout / base**operator.beta
    size = np.abs(dx)
    before = (operator.size - 1) // 2
    factor = 2 * operator.beta * operator.alpha / operator.size
    for c in range(x.shape[1]):
        for other in range(max(c - before, 0), min(c - before + operator.size, x.shape[1])):
            own = factor * x[:, c] * dout[:, c] / base[:, c] ** (operator.beta + 1)
            dx[:, other] -= own * x[:, other]
            size[:, other] += np.abs(own * x[:, other])
    return (Expected(dx, size, 2 * FEW + operator.size),)


def _oracle(labels: Labels, fit: Fit) -> Oracle:
    return Oracle(_forward(labels, fit), _backward(labels, fit))


ORACLES: Final[dict[str, Oracle]] = {
    "InstanceNormalization": _oracle(_instances, _channel),
    "GroupNormalization": _oracle(_groups, _channel),
    "LayerNormalization": _oracle(_layers, _as_it_is),
    "LRN": Oracle(_lrn, _lrn_backward),
}
