"""Pooling: a window slides over each channel and takes its largest value or its mean.

A window is the list of its taps that lie inside the input: padding has no value, so that it never
wins a maximum (it counts as −∞) and adds nothing to a mean. Windows at the end may reach past the
padded input (ceil mode); the caller says how many there are in ``out_space``.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from faltung.errors import GeometryError, message
from faltung.reference.arrays import Array, Ints, Pads, as_float, ieee
from faltung.reference.window import Window, inside


@ieee
def max_pool(
    x: ArrayLike,
    kernel: Ints,
    *,
    stride: Ints | None = None,
    pads: Pads | None = None,
    dilation: Ints | None = None,
    out_space: Ints | None = None,
) -> Array:
    """Largest value of each window; a NaN wins, a window of padding alone gives −∞.

    Parameters
    ----------
    x : array, (N, C, *space)
    kernel : one int a space axis
    stride : one int a space axis, optional
        The kernel's sizes where left out: windows side by side.
    pads : (lo, hi) a space axis, optional
        0 where left out; a negative pad crops.
    dilation : one int a space axis, optional
        1 where left out.
    out_space : one int a space axis, optional
        How many windows there are; where left out, as many as fit (floor mode).

    Returns
    -------
    array, (N, C, *out_space)

    Examples
    --------
    >>> max_pool([[[1, -2, -3, 4, 5]]], [2])
    array([[[1., 4.]]])
    >>> max_pool([[[-1, -2, -3]]], [2], pads=[(1, 0)])
    array([[[-1., -2.]]])
    """
    x = as_float(x)
    window = Window.of(kernel, stride or kernel, pads, dilation)
    y = np.full(x.shape[:2] + _outputs(window, x.shape[2:], out_space), -np.inf)
    for n, c, *oyx in np.ndindex(*y.shape):
        values = [x[n, c, *iyx] for iyx in _taps_inside(window, oyx, x.shape[2:])]
        y[n, c, *oyx] = np.max(values, initial=-np.inf)
    return y


@ieee
def max_pool_dx(
    x: ArrayLike,
    dout: ArrayLike,
    kernel: Ints,
    *,
    stride: Ints | None = None,
    pads: Pads | None = None,
    dilation: Ints | None = None,
    out_space: Ints | None = None,
) -> Array:
    """Gradient of `max_pool`: of equal values the first in row-major order takes all of ``dout``.

    Both passes take the same arguments; ``out_space``, where given, is ``dout``'s.

    Raises
    ------
    GeometryError
        ``dout`` has not the shape that the forward pass gave.

    Examples
    --------
    >>> max_pool_dx([[[3, 3, 1, 7]]], [[[10, 20]]], [2])
    array([[[10.,  0.,  0., 20.]]])
    """
    x, dout = as_float(x), as_float(dout)
    window = Window.of(kernel, stride or kernel, pads, dilation)
    _check_dout(dout, x.shape, out_space)
    dx = np.zeros_like(x)
    for n, c, *oyx in np.ndindex(*dout.shape):
        taps = _taps_inside(window, oyx, x.shape[2:])
        if taps:
            winner = taps[np.argmax([x[n, c, *iyx] for iyx in taps])]
            dx[n, c, *winner] += dout[n, c, *oyx]
    return dx


@ieee
def avg_pool(
    x: ArrayLike,
    kernel: Ints,
    *,
    stride: Ints | None = None,
    pads: Pads | None = None,
    dilation: Ints | None = None,
    out_space: Ints | None = None,
    count_include_pad: bool = False,
) -> Array:
    """Mean of each window; takes what `max_pool` takes.

    The divisor is the number of taps inside the input or, with ``count_include_pad``, inside the
    padded input. What lies past the padded input (ceil mode) is never counted. A window with
    nothing to count gives 0.

    Examples
    --------
    >>> avg_pool([[[1, 2, 3]]], [2], pads=[(1, 0)])
    array([[[1. , 2.5]]])
    >>> avg_pool([[[1, 2, 3]]], [2], pads=[(1, 0)], count_include_pad=True)
    array([[[0.5, 2.5]]])
    """
    x = as_float(x)
    space = x.shape[2:]
    window = Window.of(kernel, stride or kernel, pads, dilation)
    y = np.zeros(x.shape[:2] + _outputs(window, space, out_space))
    for n, c, *oyx in np.ndindex(*y.shape):
        total = sum(x[n, c, *iyx] for iyx in _taps_inside(window, oyx, space))
        y[n, c, *oyx] = total / _divisor(window, oyx, space, count_include_pad)
    return y


@ieee
def avg_pool_dx(
    dout: ArrayLike,
    x_shape: Ints,
    kernel: Ints,
    *,
    stride: Ints | None = None,
    pads: Pads | None = None,
    dilation: Ints | None = None,
    out_space: Ints | None = None,
    count_include_pad: bool = False,
) -> Array:
    """Gradient of `avg_pool`: every tap inside gets an equal share of ``dout``.

    Both passes take the same arguments; ``out_space``, where given, is ``dout``'s.

    Raises
    ------
    GeometryError
        ``dout`` has not the shape that the forward pass gave.

    Examples
    --------
    >>> avg_pool_dx([[[10, 20]]], (1, 1, 5), [2])
    array([[[ 5.,  5., 10., 10.,  0.]]])
    """
    dout, dx = as_float(dout), np.zeros(x_shape)
    window = Window.of(kernel, stride or kernel, pads, dilation)
    _check_dout(dout, x_shape, out_space)
    for n, c, *oyx in np.ndindex(*dout.shape):
        divisor = _divisor(window, oyx, x_shape[2:], count_include_pad)
        for iyx in _taps_inside(window, oyx, x_shape[2:]):
            dx[n, c, *iyx] += dout[n, c, *oyx] / divisor
    return dx


@ieee
def global_max_pool(x: ArrayLike) -> Array:
    """Largest value of each channel; the space axes stay, with size 1.

    >>> global_max_pool([[[1, 3, 2]]])
    array([[[3.]]])
    """
    x = as_float(x)
    y: Array = x.max(axis=tuple(range(2, x.ndim)), keepdims=True, initial=-np.inf)
    return y


@ieee
def global_max_pool_dx(x: ArrayLike, dout: ArrayLike) -> Array:
    """Gradient of `global_max_pool`: the first of equal values takes all.

    >>> global_max_pool_dx([[[1, 3, 3]]], [[[5]]])
    array([[[0., 5., 0.]]])
    """
    x = as_float(x)
    return max_pool_dx(x, dout, x.shape[2:])


@ieee
def global_avg_pool(x: ArrayLike) -> Array:
    """Mean of each channel; the space axes stay, with size 1.

    >>> global_avg_pool([[[1, 3, 2]]])
    array([[[2.]]])
    """
    x = as_float(x)
    total: Array = x.sum(axis=tuple(range(2, x.ndim)), keepdims=True)
    return total / max(1, math.prod(x.shape[2:]))


@ieee
def global_avg_pool_dx(dout: ArrayLike, x_shape: Ints) -> Array:
    """Gradient of `global_avg_pool`: an equal share for every position.

    >>> global_avg_pool_dx([[[6]]], (1, 1, 3))
    array([[[2., 2., 2.]]])
    """
    return as_float(dout) * np.ones(x_shape) / max(1, math.prod(x_shape[2:]))


def _outputs(window: Window, space: Ints, out_space: Ints | None) -> tuple[int, ...]:
    """The windows asked for, or those that fit."""
    return window.out_space(space) if out_space is None else tuple(out_space)


def _check_dout(dout: Array, x_shape: Ints, out_space: Ints | None) -> None:
    """Refuse a gradient that is not the output's."""
    expected = (*x_shape[:2], *(dout.shape[2:] if out_space is None else out_space))
    if dout.shape != expected:
        rule = "dout must have the output's shape"
        got = {"dout.shape": dout.shape, "output": expected}
        raise GeometryError(message("pool", rule, got))


def _taps_inside(window: Window, oyx: Ints, space: Ints) -> list[tuple[int, ...]]:
    """The taps of one output that lie inside the input, in row-major order."""
    return [iyx for iyx in window.taps(oyx) if inside(iyx, space)]


def _divisor(window: Window, oyx: Ints, space: Ints, count_include_pad: bool) -> int:
    """How many taps a mean counts; at least 1, so that an empty sum is 0 and not 0/0."""
    if not count_include_pad:
        return max(1, len(_taps_inside(window, oyx, space)))
    from_lo = [n + lo + hi for n, (lo, hi) in zip(space, window.pads, strict=True)]
    unshifted = window._replace(pads=((0, 0),) * len(window.kernel))
    return max(1, len(_taps_inside(unshifted, oyx, from_lo)))
