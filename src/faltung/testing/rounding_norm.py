"""What rounding does where values are normalised by their own mean and variance, both ways.

Of n values x, each off by dx at most, with ``c = x - mean`` and ``r = 1 / sqrt(var + epsilon)``::

    |d mean| <= mean(dx)                            |d c| <= dx + mean(dx) = dc
    |d var|  <= mean(2 |c| dc + dc**2)              |d r| <= 1 / sqrt(var - |d var| + epsilon) - r
    |d (c r)| <= dc (r + dr) + |c| dr

and each is rounded: sums of n terms by ``gamma_n`` of the sizes of these. The variance may be a
mean of squares less the square of a mean, of distances from any of the values: see
``docs/derivations/batch_statistics.md``. A mean may be taken off after the multiplication.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any, NamedTuple

import numpy as np

from faltung.graph import Node
from faltung.ops.operator import Array
from faltung.testing.near import Near, rounded


class Standard(NamedTuple):
    """Values of mean 0 and variance 1 over some axes, and what they were made with.

    Parameters
    ----------
    values, mean, variance, inverse
        With their errors; the last is ``1 / sqrt(variance + epsilon)``.
    reach
        Sizes that the terms of the values have at most.
    axes
        Over which sums go.
    """

    values: Near
    mean: Near
    variance: Near
    inverse: Near
    reach: Array
    axes: tuple[int, ...]

    @property
    def terms(self) -> int:
        """How many values are normalised together."""
        return prod(self.values.value.shape[axis] for axis in self.axes)


def standardised(x: Near, axes: tuple[int, ...], epsilon: float) -> Standard:
    """Return x less its mean, times the inverse of its deviation."""
    count, kind = prod(x.value.shape[axis] for axis in axes), x.dtype
    largest = x.most.max(axis=axes, keepdims=True)
    mean = x.value.mean(axis=axes, keepdims=True)
    moved = x.error.mean(axis=axes, keepdims=True)
    mean_error = moved + rounded(x, count + 2, 2 * largest)
    centred, carried = x.value - mean, x.error + moved
    variance = (centred * centred).mean(axis=axes, keepdims=True)
    changes = (2 * np.abs(centred) * carried + carried * carried).mean(axis=axes, keepdims=True)
    furthest = (np.abs(centred) + x.error + mean_error).max(axis=axes, keepdims=True)
    off = changes + rounded(x, 2 * count + 12, 2 * furthest * furthest)
    inverse = 1 / np.sqrt(variance + epsilon)
    most = 1 / np.sqrt(np.maximum(variance - off, 0) + epsilon)
    inverse_error = most - inverse + rounded(x, 6, most)
    reach = (x.most + largest) * (inverse + inverse_error)
    error = carried * (inverse + inverse_error) + np.abs(centred) * inverse_error
    error = error + (mean_error - moved) * (inverse + inverse_error) + rounded(x, 4, reach)
    return Standard(
        Near(centred * inverse, error, kind),
        Near(mean, mean_error, kind),
        Near(variance, off, kind),
        Near(inverse, inverse_error, kind),
        reach,
        axes,
    )


def scaled_error(done: Standard, scale: Array, bias: Array) -> Array:
    """Return the error of ``scale values + bias``."""
    slope = np.abs(scale)
    return np.asarray(
        slope * done.values.error + rounded(done.values, 6, slope * done.reach + np.abs(bias))
    )


def standardised_gradient(done: Standard, g: Near) -> Array:
    """Return the error of ``inverse (g - mean(g) - values mean(g values))``."""
    values, inverse, reach = done.values, done.inverse, done.reach
    product = Near(
        g.value * values.value,
        g.error * values.most + np.abs(g.value) * values.error,
        g.dtype,
    )
    mean, along = (_mean(each, done) for each in (g, product._replace(error=product.error)))
    along = along._replace(error=along.error + _summed(done, g.most * reach))
    inner = g.value - mean.value - values.value * along.value
    off = g.error + mean.error + values.error * along.most + np.abs(values.value) * along.error
    sizes = g.most + mean.most + reach * along.most
    factor = inverse.value + inverse.error
    return np.asarray(off * factor + np.abs(inner) * inverse.error + rounded(g, 8, sizes * factor))


def _mean(x: Near, done: Standard) -> Near:
    error = x.error.mean(axis=done.axes, keepdims=True) + _summed(done, x.most)
    return Near(x.value.mean(axis=done.axes, keepdims=True), error, x.dtype)


def _summed(done: Standard, sizes: Array) -> Array:
    return rounded(done.values, done.terms + 4, sizes.mean(axis=done.axes, keepdims=True))


def weight_gradients(done: Standard, g: Near, axes: tuple[int, ...]) -> tuple[Array, Array]:
    """Return the errors of ``sum(g values)`` and ``sum(g)``, over batch and space."""
    terms = prod(g.value.shape[axis] for axis in axes) + 6
    shape = g.value.shape
    values, error, reach = (
        np.broadcast_to(each, done.values.value.shape).reshape(shape)
        for each in (done.values.value, done.values.error, done.reach)
    )
    carried = g.error * (np.abs(values) + error) + np.abs(g.value) * error
    dscale = carried.sum(axis=axes) + rounded(g, terms, (g.most * reach).sum(axis=axes))
    return dscale, g.error.sum(axis=axes) + rounded(g, terms, g.most.sum(axis=axes))


def of_images(node: Node, x: Near) -> Standard:
    """Return what a normalisation by groups of an image's channels makes of its values."""
    operator: Any = node.operator
    shape = (len(x.value), operator.groups(x.value.shape[1]), -1)
    rows = Near(x.value.reshape(shape), x.error.reshape(shape), x.dtype)
    return standardised(rows, (2,), operator.epsilon)


def column(array: Array, like: Array) -> Array:
    """Return one number of each channel where it meets the channels of an image."""
    return array.reshape(1, -1, *(1 for _ in like.shape[2:]))


def standardised_error(node: Node, inputs: Sequence[Near], y: Array) -> Array:
    """Each image is normalised by itself, in groups of channels."""
    x, scale, bias = inputs
    done = of_images(node, x)
    there = done._replace(
        values=done.values._replace(error=done.values.error.reshape(y.shape)),
        reach=done.reach.reshape(y.shape),
    )
    return scaled_error(there, column(scale.value, y), column(bias.value, y))
