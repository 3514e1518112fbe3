"""Oracles of batch normalisation, in inference and in training."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from faltung import reference
from faltung.ops.operator import Array
from faltung.testing.oracles.expected import Expected, Gradients, Inputs, Oracle


class Statistics(NamedTuple):
    """Mean and variance of each channel, as columns that meet x, and ``1/sqrt(var + eps)``."""

    mean: Array
    var: Array
    inverse: Array

    @classmethod
    def of(cls, operator: Any, x: Array, mean: Array, var: Array) -> Statistics:
        """Shape them so that they meet the channel axis of x."""
        mean, var = (_column(values, x) for values in (mean, var))
        return cls(mean, var, 1 / np.sqrt(var + operator.epsilon))


def _column(values: Array, x: Array) -> Array:
    return values.reshape(-1, *(1 for _ in x.shape[2:]))


def _others(x: Array) -> tuple[int, ...]:
    return (0, *range(2, x.ndim))


def _inference(operator: Any, inputs: Inputs) -> Expected:
    x, scale, bias, mean, var = inputs
    its = Statistics.of(operator, x, mean, var)
    slope = abs(_column(scale, x)) * its.inverse
    magnitude = slope * (abs(x) + abs(its.mean)) + abs(_column(bias, x))
    values = reference.batch_norm(x, scale, bias, mean, var, operator.epsilon)
    return Expected(values, magnitude, 9)


def _inference_backward(operator: Any, inputs: Inputs, dout: Array) -> Gradients:
    x, scale, _, mean, var = inputs
    eps = operator.epsilon
    dx = reference.batch_norm_dx(dout, scale, var, eps)
    dscale = reference.batch_norm_dscale(x, dout, mean, var, eps)
    its = Statistics.of(operator, x, mean, var)
    by_scale = (abs(dout) * (abs(x) + abs(its.mean)) * its.inverse).sum(axis=_others(x))
    return (
        Expected(dx, abs(dx), 9),
        Expected(dscale, by_scale, _count(x) + 12),
        _bias_gradient(dout),
        None,
        None,
    )


def _count(x: Array) -> int:
    """How many values a channel has."""
    return math.prod((x.shape[0], *x.shape[2:]))


def _bias_gradient(dout: Array) -> Expected:
    # A mean of the batch times its count: two roundings more than the sum.
    size = reference.batch_norm_dbias(abs(dout))
    return Expected(reference.batch_norm_dbias(dout), size, _count(dout) + 4)


class Moved(NamedTuple):
    """How far rounding moves, to first order and in units of roundoff, what training computes.

    ``centred`` bounds the error of ``x - mean``, ``inverse`` that of ``1/sqrt(var + eps)``:
    ``var`` is off by 2 mean(|x - mean| centred) and by itself, its inverse root by
    ``inverse**3 / 2`` of that.
    """

    centred: Array
    inverse: Array

    @classmethod
    def of(cls, x: Array, its: Statistics) -> Moved:
        """Bound both errors."""
        centred = abs(x) + abs(x).mean(axis=_others(x), keepdims=True)
        by_centre = (abs(x - its.mean) * centred).mean(axis=_others(x), keepdims=True)
        return cls(centred, its.inverse**3 * (by_centre + its.var) + its.inverse)


def training_outputs(operator: Any, inputs: Inputs) -> Expected:
    """Return y in training: normalised by the batch's own statistics."""
    x, scale, bias = inputs[:3]
    values, mean, var = reference.batch_norm_training(x, scale, bias, operator.epsilon)
    its = Statistics.of(operator, x, mean, var)
    moved = Moved.of(x, its)
    spread = its.inverse * moved.centred + abs(x - its.mean) * (its.inverse + moved.inverse)
    magnitude = abs(_column(scale, x)) * spread + abs(_column(bias, x))
    return Expected(values, magnitude, _count(x) + 16)


def training_state(operator: Any, inputs: Inputs) -> dict[int, Expected]:
    """Return the running mean and variance after one batch."""
    x, momentum = inputs[0], operator.momentum
    mean, var = reference.batch_statistics(x)
    centred = abs(x) + abs(x).mean(axis=_others(x), keepdims=True)
    sizes = abs(x).mean(axis=_others(x)), (centred**2).mean(axis=_others(x))
    found = {}
    for position, batch, size in zip((3, 4), (mean, var), sizes, strict=True):
        values = reference.running_statistics(inputs[position], batch, momentum)
        magnitude = momentum * abs(inputs[position]) + (1 - momentum) * size
        found[position] = Expected(values, magnitude, _count(x) + 8)
    return found


def training_gradients(operator: Any, inputs: Inputs, dout: Array) -> Gradients:
    """Return the gradients in training, where x also moves the statistics."""
    x, scale = inputs[:2]
    eps = operator.epsilon
    mean, var = reference.batch_statistics(x)
    its = Statistics.of(operator, x, mean, var)
    moved = Moved.of(x, its)
    off = its.inverse * moved.centred + abs(x - its.mean) * (its.inverse + moved.inverse)
    mean_dout = abs(dout).mean(axis=_others(x), keepdims=True)
    mean_product = (abs(dout) * off).mean(axis=_others(x), keepdims=True)
    slope = abs(_column(scale, x)) * (its.inverse + moved.inverse)
    size = slope * (abs(dout) + mean_dout + 2 * off * mean_product)
    dx = reference.batch_norm_training_dx(x, dout, scale, eps)
    dscale = reference.batch_norm_dscale(x, dout, mean, var, eps)
    terms = 2 * _count(x) + 32
    by_scale = Expected(dscale, (abs(dout) * off).sum(axis=_others(x)), terms)
    return Expected(dx, size, terms), by_scale, _bias_gradient(dout), None, None


ORACLES = {"BatchNormalization": Oracle(_inference, _inference_backward)}
