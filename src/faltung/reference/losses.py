"""Losses: one number for a batch, and the gradient that training starts from."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from faltung.errors import GeometryError, message
from faltung.reference.activations import log_softmax, softmax
from faltung.reference.arrays import Array, as_float, ieee


@ieee
def softmax_cross_entropy(logits: ArrayLike, labels: ArrayLike) -> float:
    """``−1/N · Σ_n log softmax(logits[n])[labels[n]]``, in nats.

    Parameters
    ----------
    logits : array, (N, classes)
    labels : array of int, (N,), each in 0..classes−1

    Raises
    ------
    GeometryError
        The batch is empty, or a label names no class.

    Examples
    --------
    >>> softmax_cross_entropy([[0, 0], [1000, 0]], [1, 0])  # half of log 2
    0.34657359027997264
    """
    logits, labels = as_float(logits), _checked(labels, np.shape(logits))
    chosen = log_softmax(logits)[np.arange(len(labels)), labels]
    return -float(chosen.mean())


@ieee
def softmax_cross_entropy_dx(logits: ArrayLike, labels: ArrayLike) -> Array:
    """Gradient by the logits: ``(softmax(logits) − one-hot(labels)) / N``.

    >>> softmax_cross_entropy_dx([[0, 0], [1000, 0]], [1, 0])
    array([[ 0.25, -0.25],
           [ 0.  ,  0.  ]])
    """
    logits, labels = as_float(logits), _checked(labels, np.shape(logits))
    one_hot = np.zeros_like(logits)
    one_hot[np.arange(len(labels)), labels] = 1.0
    return (softmax(logits) - one_hot) / len(labels)


@ieee
def mean_squared_error(y: ArrayLike, target: ArrayLike) -> float:
    """Mean of ``(y − target)²`` over every entry; the two have one shape, or GeometryError.

    >>> mean_squared_error([[1, 2]], [[1, 4]])
    2.0
    """
    return float((_difference(y, target) ** 2).mean())


@ieee
def mean_squared_error_dx(y: ArrayLike, target: ArrayLike) -> Array:
    """Gradient by y: ``2 · (y − target) / size``.

    >>> mean_squared_error_dx([[1, 2]], [[1, 4]])
    array([[ 0., -2.]])
    """
    return 2.0 * _difference(y, target) / np.size(y)


def _difference(y: ArrayLike, target: ArrayLike) -> Array:
    """``y − target``, never broadcast: (N, 1) less (N,) would be a silent (N, N)."""
    y, target = as_float(y), as_float(target)
    if y.shape != target.shape or y.size == 0:
        rule = "y and target need one shape, with at least one entry"
        got = {"y.shape": y.shape, "target.shape": target.shape}
        raise GeometryError(message("mean_squared_error", rule, got))
    return y - target


def _checked(labels: ArrayLike, logits_shape: tuple[int, ...]) -> Array:
    """Labels that name a class each; an index below 0 would silently count from the end."""
    indices = np.asarray(labels)
    count, classes = logits_shape
    if count == 0 or indices.shape != (count,):
        rule = "there must be one label for each of at least one row of logits"
        got = {"logits.shape": logits_shape, "labels.shape": indices.shape}
        raise GeometryError(message("softmax_cross_entropy", rule, got))
    if indices.min() < 0 or indices.max() >= classes:
        rule = f"labels must be in 0..{classes - 1}"
        ends = {"smallest": int(indices.min()), "largest": int(indices.max())}
        raise GeometryError(message("softmax_cross_entropy", rule, ends))
    return indices
