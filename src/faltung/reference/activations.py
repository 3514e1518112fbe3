"""Activations, value by value, and softmax; ``op_dx(x, dout)`` is the gradient by the input."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from faltung.reference.arrays import Array, as_float, ieee


@ieee
def relu(x: ArrayLike) -> Array:
    """``max(x, 0)``; NaN stays NaN.

    >>> relu([-2, 0, 3])
    array([0., 0., 3.])
    """
    return np.maximum(as_float(x), 0.0)


@ieee
def relu_dx(x: ArrayLike, dout: ArrayLike) -> Array:
    """``dout`` where ``x > 0``, else 0: at 0 itself, where there is no derivative, it is 0.

    >>> relu_dx([-2, 0, 3], [1, 1, 1])
    array([0., 0., 1.])
    """
    return np.where(as_float(x) > 0, as_float(dout), 0.0)


@ieee
def leaky_relu(x: ArrayLike, alpha: float = 0.01) -> Array:
    """``x`` where ``x ≥ 0``, else ``alpha · x``.

    >>> leaky_relu([-2, 0, 3], alpha=0.5)
    array([-1.,  0.,  3.])
    """
    x = as_float(x)
    return np.where(x < 0, alpha * x, x)


@ieee
def leaky_relu_dx(x: ArrayLike, dout: ArrayLike, alpha: float = 0.01) -> Array:
    """``dout`` where ``x > 0``, else ``alpha · dout``.

    >>> leaky_relu_dx([-2, 0, 3], [1, 1, 1], alpha=0.5)
    array([0.5, 0.5, 1. ])
    """
    dout = as_float(dout)
    return np.where(as_float(x) > 0, dout, alpha * dout)


@ieee
def sigmoid(x: ArrayLike) -> Array:
    """``1 / (1 + e⁻ˣ)``.

    >>> sigmoid([0, 800, -800])
    array([0.5, 1. , 0. ])
    """
    return 1.0 / (1.0 + np.exp(-as_float(x)))


@ieee
def sigmoid_dx(x: ArrayLike, dout: ArrayLike) -> Array:
    """``dout · σ(x) · σ(−x)``, since ``1 − σ(x) = σ(−x)``.

    >>> sigmoid_dx([0], [8])
    array([2.])
    """
    return as_float(dout) * sigmoid(x) * sigmoid(-as_float(x))


@ieee
def tanh(x: ArrayLike) -> Array:
    """``(eˣ − e⁻ˣ) / (eˣ + e⁻ˣ)``.

    >>> tanh([0, 800, -800])
    array([ 0.,  1., -1.])
    """
    return np.tanh(as_float(x))


@ieee
def tanh_dx(x: ArrayLike, dout: ArrayLike) -> Array:
    """``dout / cosh²(x) = dout · (1 − tanh²(x))``.

    >>> tanh_dx([0], [8])
    array([8.])
    """
    y: Array = as_float(dout) / np.cosh(as_float(x)) ** 2
    return y


@ieee
def softmax(x: ArrayLike, axis: int = -1) -> Array:
    """``eˣ / Σ eˣ`` along one axis.

    Both are divided by the largest ``eˣ`` first: that cancels, and nothing overflows.

    >>> softmax([1000, 1000])
    array([0.5, 0.5])
    """
    x = as_float(x)
    e = np.exp(x - x.max(axis=axis, keepdims=True, initial=-np.inf))
    y: Array = e / e.sum(axis=axis, keepdims=True)
    return y


@ieee
def softmax_dx(x: ArrayLike, dout: ArrayLike, axis: int = -1) -> Array:
    """``y · (dout − Σ dout · y)`` with ``y = softmax(x)``.

    >>> softmax_dx([0, 0], [4, 0])
    array([ 1., -1.])
    """
    y, dout = softmax(x, axis), as_float(dout)
    dx: Array = y * (dout - (dout * y).sum(axis=axis, keepdims=True))
    return dx


@ieee
def log_softmax(x: ArrayLike, axis: int = -1) -> Array:
    """``x − log Σ eˣ`` along one axis; finite where softmax itself would round to 0.

    >>> log_softmax([0, -1000])
    array([    0., -1000.])
    """
    x = as_float(x)
    from_top = x - x.max(axis=axis, keepdims=True, initial=-np.inf)
    y: Array = from_top - np.log(np.exp(from_top).sum(axis=axis, keepdims=True))
    return y


@ieee
def log_softmax_dx(x: ArrayLike, dout: ArrayLike, axis: int = -1) -> Array:
    """``dout − softmax(x) · Σ dout``.

    >>> log_softmax_dx([0, 0], [4, 0])
    array([ 2., -2.])
    """
    dout = as_float(dout)
    dx: Array = dout - softmax(x, axis) * dout.sum(axis=axis, keepdims=True)
    return dx
