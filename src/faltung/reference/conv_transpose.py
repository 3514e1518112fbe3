"""Transposed convolution: the matrix of a convolution, transposed.

Where `conv` gathers ``y[oy] += w[ky]·x[iy]``, its transpose scatters: every input hands its value
to the outputs under its window::

    y[n, co, oy, ox] += w[ci, co, ky, kx] · x[n, ci, iy, ix],  oy = iy·stride + ky·dilation − pad_lo

Here ``pads`` crop the output; ``output_padding`` lets it reach further at the end: that is more of
the same sum, not a border of zeros.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from faltung.reference.arrays import Array, Ints, Pads, as_float, ieee
from faltung.reference.conv import check_shapes, sum_windows, with_bias
from faltung.reference.conv_backward import conv_dw, conv_dx
from faltung.reference.window import Window, inside


@ieee
def conv_transpose_loops(
    x: ArrayLike,
    w: ArrayLike,
    b: ArrayLike | None = None,
    *,
    stride: Ints | None = None,
    pads: Pads | None = None,
    output_padding: Ints | None = None,
    dilation: Ints | None = None,
    groups: int = 1,
) -> Array:
    """Transposed convolution, one product at a time; takes what `conv_transpose` takes.

    Examples
    --------
    >>> conv_transpose_loops([[[1, 10]]], [[[1, 2, 3]]], stride=[2])
    array([[[ 1.,  2., 13., 20., 30.]]])
    """
    x, w = as_float(x), as_float(w)
    window = Window.of(w.shape[2:], stride, pads, dilation)
    group_in, group_out = w.shape[0] // groups, w.shape[1]
    space = _out_space(window, x.shape[2:], output_padding)
    y = np.zeros((x.shape[0], group_out * groups, *space), np.result_type(x, w))
    check_shapes(y.shape, x.shape, w.shape, groups)
    for n, ci, *iyx in np.ndindex(*x.shape):
        first = ci // group_in * group_out
        for co, *kyx in np.ndindex(*w.shape[1:]):
            oyx = window.tap(iyx, kyx)
            if inside(oyx, space):
                y[n, first + co, *oyx] += w[ci, co, *kyx] * x[n, ci, *iyx]
    return with_bias(y, b)


@ieee
def conv_transpose(
    x: ArrayLike,
    w: ArrayLike,
    b: ArrayLike | None = None,
    *,
    stride: Ints | None = None,
    pads: Pads | None = None,
    output_padding: Ints | None = None,
    dilation: Ints | None = None,
    groups: int = 1,
) -> Array:
    """Transposed convolution, as the `conv_dx` of the convolution it transposes.

    Parameters
    ----------
    x : array, (N, C, *space)
    w : array, (C, O/groups, *kernel)
    b : array, (O,), optional
    stride, dilation : one int a space axis, optional
        1 where left out.
    pads : (lo, hi) a space axis, optional
        What is cropped from the output, 0 where left out; a negative pad adds zeros.
    output_padding : one int a space axis, optional
        How far the output reaches further at its end, 0 where left out.
    groups : int

    Returns
    -------
    array, (N, O, *out_space)
        ``out_space = (space − 1)·stride + dilation·(kernel − 1) + 1 − pads + output_padding``.

    Raises
    ------
    GeometryError
        Channels, groups or the numbers of axes do not fit together.

    Examples
    --------
    >>> conv_transpose([[[1, 10]]], [[[1, 2, 3]]], stride=[2], pads=[(1, 1)], output_padding=[1])
    array([[[ 2., 13., 20., 30.]]])
    """
    x, w = as_float(x), as_float(w)
    window = Window.of(w.shape[2:], stride, pads, dilation)
    space = _out_space(window, x.shape[2:], output_padding)
    y_shape = (x.shape[0], w.shape[1] * groups, *space)
    y = conv_dx(x, w, y_shape, stride=stride, pads=pads, dilation=dilation, groups=groups)
    return with_bias(y, b)


@ieee
def conv_transpose_dx(
    dout: ArrayLike,
    w: ArrayLike,
    x_shape: Ints,
    *,
    stride: Ints | None = None,
    pads: Pads | None = None,
    dilation: Ints | None = None,
    groups: int = 1,
) -> Array:
    """Gradient of `conv_transpose` by its input: the convolution that it transposes.

    ``x_shape`` says how many positions there are, since ``output_padding`` may leave room for more.

    Examples
    --------
    >>> conv_transpose_dx([[[1, 1, 1, 1, 1]]], [[[1, 2, 3]]], (1, 1, 2), stride=[2])
    array([[[6., 6.]]])
    """
    dout, w = as_float(dout), as_float(w)
    check_shapes(dout.shape, x_shape, w.shape, groups)
    window = Window.of(w.shape[2:], stride, pads, dilation)
    return sum_windows(dout, w, window, x_shape[2:], groups)


def conv_transpose_dw(
    x: ArrayLike,
    dout: ArrayLike,
    w_shape: Ints,
    *,
    stride: Ints | None = None,
    pads: Pads | None = None,
    dilation: Ints | None = None,
    groups: int = 1,
) -> Array:
    """Gradient of `conv_transpose` by its weights: `conv_dw` with ``x`` and ``dout`` exchanged.

    Examples
    --------
    >>> conv_transpose_dw([[[1, 10]]], [[[1, 2, 3, 4, 5]]], (1, 1, 3), stride=[2])
    array([[[31., 42., 53.]]])
    """
    return conv_dw(dout, x, w_shape, stride=stride, pads=pads, dilation=dilation, groups=groups)


def _out_space(window: Window, space: Ints, output_padding: Ints | None) -> tuple[int, ...]:
    """What the scattered windows cover, less the pads; nothing where there is no input."""
    further = output_padding or [0] * len(space)
    return tuple(
        max(0, (n - 1) * s + extent - lo - hi + more) if n else 0
        for n, s, extent, (lo, hi), more in zip(
            space, window.stride, window.extent, window.pads, further, strict=True
        )
    )
