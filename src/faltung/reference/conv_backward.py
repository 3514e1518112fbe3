"""Gradients of convolution: one sum of products, each time with another factor left out.

With ``L`` the loss and ``dout = ∂L/∂y``, every product ``w·x`` that went into ``y`` hands ``dout``
back to its two factors::

    dx[n, ci, iy, ix]  = Σ_co Σ_ky Σ_kx  w[co, ci, ky, kx] · dout[n, co, oy, ox]
    dw[co, ci, ky, kx] = Σ_n  Σ_oy Σ_ox  x[n, ci, iy, ix] · dout[n, co, oy, ox]
    db[co]             = Σ_n  Σ_oy Σ_ox  dout[n, co, oy, ox]

with ``iy = oy·stride + ky·dilation − pad_lo`` throughout: of ``dx``'s sum, those ``oy`` that exist.

``dx`` is the forward map transposed: zeros between the entries of ``dout``, then a full
correlation with the flipped kernel. Inputs that no window reaches get 0.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from faltung.reference.arrays import Array, Ints, Pads, as_float, ieee, padded, unpadded
from faltung.reference.conv import check_shapes, split, subscripts
from faltung.reference.window import Window, inside


@ieee
def conv_dx_loops(
    dout: ArrayLike,
    w: ArrayLike,
    x_shape: Ints,
    *,
    stride: Ints | None = None,
    pads: Pads | None = None,
    dilation: Ints | None = None,
    groups: int = 1,
) -> Array:
    """Gradient of `conv` by its input, one product at a time; takes what `conv_dx` takes.

    Examples
    --------
    >>> conv_dx_loops([[[1, 1]]], [[[1, 2]]], (1, 1, 4), stride=[2])
    array([[[1., 2., 1., 2.]]])
    """
    dout, w = as_float(dout), as_float(w)
    check_shapes(x_shape, dout.shape, w.shape, groups)
    window = Window.of(w.shape[2:], stride, pads, dilation)
    group_in, group_out = w.shape[1], w.shape[0] // groups
    dx = np.zeros(x_shape, np.result_type(dout, w))
    for n, co, *oyx in np.ndindex(*dout.shape):
        first = co // group_out * group_in
        for ci, *kyx in np.ndindex(*w.shape[1:]):
            iyx = window.tap(oyx, kyx)
            if inside(iyx, x_shape[2:]):
                dx[n, first + ci, *iyx] += w[co, ci, *kyx] * dout[n, co, *oyx]
    return dx


@ieee
def conv_dw_loops(
    x: ArrayLike,
    dout: ArrayLike,
    w_shape: Ints,
    *,
    stride: Ints | None = None,
    pads: Pads | None = None,
    dilation: Ints | None = None,
    groups: int = 1,
) -> Array:
    """Gradient of `conv` by its weights, one product at a time; takes what `conv_dw` takes.

    Examples
    --------
    >>> conv_dw_loops([[[1, 2, 3, 4]]], [[[1, 1]]], (1, 1, 2), stride=[2])
    array([[[4., 6.]]])
    """
    x, dout = as_float(x), as_float(dout)
    check_shapes(x.shape, dout.shape, w_shape, groups)
    window = Window.of(w_shape[2:], stride, pads, dilation)
    group_in, group_out = w_shape[1], w_shape[0] // groups
    dw = np.zeros(w_shape, np.result_type(x, dout))
    for n, co, *oyx in np.ndindex(*dout.shape):
        first = co // group_out * group_in
        for ci, *kyx in np.ndindex(*w_shape[1:]):
            iyx = window.tap(oyx, kyx)
            value = x[n, first + ci, *iyx] if inside(iyx, x.shape[2:]) else 0.0
            dw[co, ci, *kyx] += value * dout[n, co, *oyx]
    return dw


@ieee
def conv_dx(
    dout: ArrayLike,
    w: ArrayLike,
    x_shape: Ints,
    *,
    stride: Ints | None = None,
    pads: Pads | None = None,
    dilation: Ints | None = None,
    groups: int = 1,
) -> Array:
    """Gradient of `conv` by its input: ``dout`` handed back along every tap.

    Parameters
    ----------
    dout : array, (N, O, *out_space)
    w : array, (O, C/groups, *kernel)
    x_shape : (N, C, *space)
        Needed, since columns dropped by the stride leave no trace in ``dout``.
    stride, pads, dilation, groups
        As they were for `conv`.

    Returns
    -------
    array, x_shape

    Raises
    ------
    GeometryError
        ``dout`` has more positions than the padded input has windows, or batch, channels, groups
        or numbers of axes do not fit together.

    Examples
    --------
    >>> conv_dx([[[1, 1]]], [[[1, 2]]], (1, 1, 5), stride=[2])  # the last column was dropped
    array([[[1., 2., 1., 2., 0.]]])
    """
    dout, w = as_float(dout), as_float(w)
    check_shapes(x_shape, dout.shape, w.shape, groups)
    window = Window.of(w.shape[2:], stride, pads, dilation)
    (o, k), out_space = subscripts(window), dout.shape[2:]
    columns = np.einsum(f"ngc{o},gci{k}->ngi{o}{k}", split(dout, 1, groups), split(w, 0, groups))
    columns = columns.reshape(*x_shape[:2], *out_space, *window.kernel)
    dx = padded(np.zeros(x_shape, columns.dtype), window.pads)
    window.check_fit(dx.shape[2:], out_space)
    for kyx in np.ndindex(*window.kernel):
        dx[:, :, *window.slices(kyx, out_space)] += columns[..., *kyx]
    return unpadded(dx, window.pads, x_shape[2:])


@ieee
def conv_dw(
    x: ArrayLike,
    dout: ArrayLike,
    w_shape: Ints,
    *,
    stride: Ints | None = None,
    pads: Pads | None = None,
    dilation: Ints | None = None,
    groups: int = 1,
) -> Array:
    """Gradient of `conv` by its weights, summed over batch and positions.

    Parameters
    ----------
    x : array, (N, C, *space)
    dout : array, (N, O, *out_space)
    w_shape : (O, C/groups, *kernel)
    stride, pads, dilation, groups
        As they were for `conv`.

    Returns
    -------
    array, w_shape

    Raises
    ------
    GeometryError
        ``dout`` has more positions than the padded input has windows, or batch, channels, groups
        or numbers of axes do not fit together.

    Examples
    --------
    >>> conv_dw([[[1, 2, 3, 4]]], [[[1, 1, 1]]], (1, 1, 2))
    array([[[6., 9.]]])
    """
    x, dout = as_float(x), as_float(dout)
    check_shapes(x.shape, dout.shape, w_shape, groups)
    window = Window.of(w_shape[2:], stride, pads, dilation)
    o, k = subscripts(window)
    views = split(window.view(padded(x, window.pads), dout.shape[2:]), 1, groups)
    dw: Array = np.einsum(f"ngi{o}{k},ngc{o}->gci{k}", views, split(dout, 1, groups))
    return dw.reshape(w_shape)


@ieee
def conv_db(dout: ArrayLike) -> Array:
    """Gradient of `conv` by its bias: the sum of ``dout`` over batch and space, (O,).

    Examples
    --------
    >>> conv_db([[[1, 2], [3, 4]]])
    array([3., 7.])
    """
    dout = as_float(dout)
    db: Array = dout.sum(axis=(0, *range(2, dout.ndim)))
    return db
