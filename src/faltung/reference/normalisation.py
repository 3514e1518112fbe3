"""Batch normalisation (Ioffe and Szegedy, 2015, algorithm 1), channel by channel.

::

    x̂ = (x − mean) / √(var + eps),   y = scale · x̂ + bias

While training, ``mean`` and ``var`` are the batch's own, so that every input moves every output of
its channel; in inference they are constants and each value stands alone.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from faltung.errors import GeometryError, message
from faltung.reference.arrays import Array, as_float, ieee


@ieee
def batch_norm(
    x: ArrayLike,
    scale: ArrayLike,
    bias: ArrayLike,
    mean: ArrayLike,
    var: ArrayLike,
    eps: float = 1e-5,
) -> Array:
    """Normalise by given statistics, as in inference.

    Parameters
    ----------
    x : array, (N, C, *space)
    scale, bias, mean, var : array, (C,)
    eps : float

    Returns
    -------
    array, (N, C, *space)

    Examples
    --------
    >>> batch_norm([[[1, 5]]], [10], [1], mean=[3], var=[4], eps=0)
    array([[[-9., 11.]]])
    """
    x = as_float(x)
    x_hat = (x - _channels(mean, x)) / np.sqrt(_channels(var, x) + eps)
    return _channels(scale, x) * x_hat + _channels(bias, x)


@ieee
def batch_norm_training(
    x: ArrayLike, scale: ArrayLike, bias: ArrayLike, eps: float = 1e-5
) -> tuple[Array, Array, Array]:
    """Normalise by the batch's own statistics; returns ``(y, mean, var)``.

    ``var`` is the mean of squared deviations (divisor N, not N − 1), as in ONNX.

    Raises
    ------
    GeometryError
        There is no value to take statistics of.

    Examples
    --------
    >>> y, mean, var = batch_norm_training([[[1, 5]]], [10], [1], eps=0)
    >>> y, mean, var
    (array([[[-9., 11.]]]), array([3.]), array([4.]))
    """
    x = as_float(x)
    mean, var = batch_statistics(x)
    return batch_norm(x, scale, bias, mean, var, eps), mean, var


@ieee
def batch_statistics(x: ArrayLike) -> tuple[Array, Array]:
    """Mean and mean squared deviation of each channel, over batch and space.

    >>> batch_statistics([[[1, 5], [2, 2]]])
    (array([3., 2.]), array([4., 0.]))
    """
    x = as_float(x)
    if x.size == 0:
        rule = "statistics need at least one value a channel"
        raise GeometryError(message("batch_norm", rule, {"x.shape": x.shape}))
    return x.mean(axis=_others(x)), x.var(axis=_others(x))


def running_statistics(old: ArrayLike, new: ArrayLike, momentum: float = 0.9) -> Array:
    """``momentum · old + (1 − momentum) · new`` (ONNX's momentum: PyTorch's is one less this).

    >>> running_statistics([10], [20], momentum=0.75)
    array([12.5])
    """
    return momentum * as_float(old) + (1 - momentum) * as_float(new)


@ieee
def batch_norm_dx(dout: ArrayLike, scale: ArrayLike, var: ArrayLike, eps: float = 1e-5) -> Array:
    """Gradient of `batch_norm` by x: ``dout · scale / √(var + eps)``.

    >>> batch_norm_dx([[[1, 2]]], [10], [4], eps=0)
    array([[[ 5., 10.]]])
    """
    dout = as_float(dout)
    return dout * _channels(scale, dout) / np.sqrt(_channels(var, dout) + eps)


@ieee
def batch_norm_dscale(
    x: ArrayLike, dout: ArrayLike, mean: ArrayLike, var: ArrayLike, eps: float = 1e-5
) -> Array:
    """Gradient by scale, in training and inference: ``Σ dout · x̂`` over batch and space.

    >>> batch_norm_dscale([[[1, 5]]], [[[1, 10]]], mean=[3], var=[4], eps=0)
    array([9.])
    """
    x, dout = as_float(x), as_float(dout)
    x_hat = (x - _channels(mean, x)) / np.sqrt(_channels(var, x) + eps)
    dscale: Array = (dout * x_hat).sum(axis=_others(x))
    return dscale


@ieee
def batch_norm_dbias(dout: ArrayLike) -> Array:
    """Gradient by bias, in training and inference: ``Σ dout`` over batch and space.

    >>> batch_norm_dbias([[[1, 10]]])
    array([11.])
    """
    dout = as_float(dout)
    dbias: Array = dout.sum(axis=_others(dout))
    return dbias


@ieee
def batch_norm_training_dx(
    x: ArrayLike, dout: ArrayLike, scale: ArrayLike, eps: float = 1e-5
) -> Array:
    """Gradient of `batch_norm_training` by x, through the statistics as well.

    ``scale/√(var + eps) · (dout − mean(dout) − x̂ · mean(dout · x̂))``: what would only move the mean
    or the spread of the channel moves nothing.

    Examples
    --------
    >>> batch_norm_training_dx([[[1, 5]]], [[[3, 4]]], [10], eps=0)
    array([[[0., 0.]]])
    """
    x, dout = as_float(x), as_float(dout)
    mean, var = batch_statistics(x)
    x_hat = (x - _channels(mean, x)) / np.sqrt(_channels(var, x) + eps)
    level = dout.mean(axis=_others(x), keepdims=True)
    spread = x_hat * (dout * x_hat).mean(axis=_others(x), keepdims=True)
    return batch_norm_dx(dout - level - spread, scale, var, eps)


def _channels(values: ArrayLike, x: Array) -> Array:
    """(C,) with one axis of size 1 for each space axis of x, so that it broadcasts."""
    return as_float(values).reshape(-1, *[1] * (x.ndim - 2))


def _others(x: Array) -> tuple[int, ...]:
    """Every axis but the channels'."""
    return (0, *range(2, x.ndim))
