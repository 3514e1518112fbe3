"""What the columns of a table are: the pixels of images, or the values of signals."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from faltung.errors import EstimatorError, message
from faltung.training.fit import size_of
from faltung.training.state import Array

SampleShape = tuple[int, ...]

LEAST_SIDE = 8
"""Squares of fewer columns on a side are taken for tables: 16 or 25 features are no image."""
_BLOCK = 1000  # samples whose values are in memory as float64 together


def flattened(x: Any) -> tuple[Any, SampleShape | None]:
    """A table of one row for each sample; the shape that a sample had where it had axes."""
    table = x if hasattr(x, "shape") else np.asarray(x)
    if len(table.shape) <= 2:
        return table, None
    own = tuple(int(size) for size in table.shape[1:])
    return np.asarray(table).reshape(table.shape[0], math.prod(own)), own


def shape_of(name: str, columns: int, own: SampleShape | None, told: Any) -> SampleShape:
    """(C, *space) of a sample: as told, as the array has it, or guessed from the columns.

    >>> shape_of("ConvClassifier", 64, None, None), shape_of("ConvClassifier", 30, None, None)
    ((1, 8, 8), (1, 30))
    """
    if told is not None:
        return _as_told(name, columns, own, told)
    if own is not None:
        return (1, *own) if len(own) == 2 else own
    side = math.isqrt(columns)
    return (1, side, side) if side * side == columns and side >= LEAST_SIDE else (1, columns)


def check_axes(name: str, own: SampleShape | None, shape: SampleShape) -> None:
    """Refuse samples with axes of their own that are not those of the network's input."""
    if own is not None and own != shape and (1, *own) != shape:
        rule, values = "X must have samples of the shape", {"X": size_of(own)}
        raise EstimatorError(message(name, f"{rule} {size_of(shape)}", values, "", "estimator E2"))


def _as_told(name: str, columns: int, own: SampleShape | None, told: Any) -> SampleShape:
    sizes = told if isinstance(told, (tuple, list, np.ndarray)) else ()
    if not 2 <= len(sizes) <= 4 or not all(_is_size(size) for size in sizes):
        rule, values = "image_shape must be (channels, *space)", {"image_shape": told}
        cure = "Use (1, 28, 28) for grey images, (2, 500) for signals of two channels"
        raise EstimatorError(message(name, rule, values, cure, "estimator E1"))
    shape = tuple(map(int, sizes))
    check_axes(name, own, shape)
    if math.prod(shape) != columns:
        values = {"image_shape": shape, "columns": columns}
        rule = "image_shape must have as many values as X has columns"
        raise EstimatorError(message(name, rule, values, "", "estimator E1"))
    return shape


def _is_size(size: object) -> bool:
    return isinstance(size, (int, np.integer)) and not isinstance(size, bool) and int(size) >= 1


def statistics(
    samples: Array, weights: Array | None
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Weighted mean and standard deviation of each channel; 1 where a channel is flat.

    >>> statistics(np.array([[[0.0]], [[4.0]]]), np.array([1.0, 3.0]))
    ((3.0,), (1.7320508075688772,))
    """
    values = math.prod(samples.shape[2:])
    share = np.ones(len(samples)) if weights is None else weights
    total = float(share.sum()) * values
    mean = _summed(samples, share, np.zeros(samples.shape[1])) / total
    spread = np.sqrt(_summed(samples, share, mean, 2) / total)
    # What is left of a flat channel is rounding of its mean, which must not become the unit.
    spread[spread <= 1e-12 * np.abs(mean)] = 1.0
    spread[spread == 0.0] = 1.0
    return tuple(mean.tolist()), tuple(spread.tolist())


def _summed(samples: Array, weights: Array, centre: Array, power: int = 1) -> Array:
    """The weighted sum of ``(value - centre)**power`` of each channel."""
    total = np.zeros(samples.shape[1])
    for start in range(0, len(samples), _BLOCK):
        part = samples[start : start + _BLOCK].astype(np.float64)
        part = part.reshape(*part.shape[:2], -1) - centre[:, None]
        total += weights[start : start + _BLOCK] @ (part**power).sum(axis=2)
    return total
