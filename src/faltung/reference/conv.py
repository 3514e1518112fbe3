"""Convolution as layers mean it (a cross-correlation), written down twice.

::

    y[n, co, oy, ox] = b[co] + Σ_ci Σ_ky Σ_kx w[co, ci, ky, kx] · x[n, ci, iy, ix]
    iy = oy·stride + ky·dilation − pad_lo,   x = 0 outside

`conv_loops` is this formula, with ``oyx`` for ``(oy, ox)`` and so on, so that it holds for one to
three axes; `conv_strided` pads, takes a view of all windows and sums it. The two share the number
of outputs and nothing else, and a test holds them to each other.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from faltung.errors import GeometryError, message
from faltung.reference.arrays import Array, Ints, Pads, as_float, ieee, padded
from faltung.reference.window import Window, inside

# The letters that einsum gives to output positions and to kernel entries.
_SPACE = "xyz"
_TAPS = "pqr"


@ieee
def conv_loops(
    x: ArrayLike,
    w: ArrayLike,
    b: ArrayLike | None = None,
    *,
    stride: Ints | None = None,
    pads: Pads | None = None,
    dilation: Ints | None = None,
    groups: int = 1,
) -> Array:
    """Cross-correlation by loops (on images seven), one product at a time.

    Parameters
    ----------
    x : array, (N, C, *space)
        One to three space axes; any real or complex dtype, taken as float64 or complex128.
    w : array, (O, C/groups, *kernel)
        Output channel ``co`` belongs to group ``co // (O/groups)`` and sees its inputs alone.
    b : array, (O,), optional
    stride, dilation : one int a space axis, optional
        1 where left out.
    pads : (lo, hi) a space axis, optional
        Zeros before and after, 0 where left out; a negative pad crops.
    groups : int

    Returns
    -------
    array, (N, O, *out_space)

    Raises
    ------
    GeometryError
        Channels, groups or the numbers of axes do not fit together.

    Examples
    --------
    >>> patch = [[1, 2, 0], [0, 1, 2], [2, 0, 1]]
    >>> sobel = [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]
    >>> conv_loops([[patch]], [[sobel]])
    array([[[[2.]]]])
    """
    x, w = as_float(x), as_float(w)
    check_shapes(x.shape, (x.shape[0], w.shape[0]), w.shape, groups)
    window = Window.of(w.shape[2:], stride, pads, dilation)
    space, group_in, group_out = x.shape[2:], w.shape[1], w.shape[0] // groups
    y = np.zeros((x.shape[0], w.shape[0], *window.out_space(space)), np.result_type(x, w))
    for n, co, *oyx in np.ndindex(*y.shape):
        first = co // group_out * group_in
        for ci, *kyx in np.ndindex(*w.shape[1:]):
            iyx = window.tap(oyx, kyx)
            value = x[n, first + ci, *iyx] if inside(iyx, space) else 0.0
            y[n, co, *oyx] += w[co, ci, *kyx] * value
    return with_bias(y, b)


@ieee
def conv_strided(
    x: ArrayLike,
    w: ArrayLike,
    b: ArrayLike | None = None,
    *,
    stride: Ints | None = None,
    pads: Pads | None = None,
    dilation: Ints | None = None,
    groups: int = 1,
) -> Array:
    """Cross-correlation as one sum over a view of all windows; takes what `conv_loops` takes.

    Examples
    --------
    >>> conv_strided([[[1, 2, 3, 4]]], [[[1, 0, -1]]], [10], stride=[2], pads=[(1, 1)])
    array([[[8., 8.]]])
    """
    x, w = as_float(x), as_float(w)
    check_shapes(x.shape, (x.shape[0], w.shape[0]), w.shape, groups)
    window = Window.of(w.shape[2:], stride, pads, dilation)
    return with_bias(sum_windows(x, w, window, window.out_space(x.shape[2:]), groups), b)


conv = conv_strided


def sum_windows(x: Array, w: Array, window: Window, out_space: Ints, groups: int) -> Array:
    """``y[n, co, *oyx] = Σ w[co, ci, *kyx] · x[n, ci, *iyx]`` for the outputs of ``out_space``."""
    o, k = subscripts(window)
    views = split(window.view(padded(x, window.pads), out_space), 1, groups)
    y: Array = np.einsum(f"ngi{o}{k},gci{k}->ngc{o}", views, split(w, 0, groups))
    return y.reshape(x.shape[0], w.shape[0], *out_space)


def subscripts(window: Window) -> tuple[str, str]:
    """Einsum's letters for the output positions and for the kernel entries."""
    axes = len(window.kernel)
    return _SPACE[:axes], _TAPS[:axes]


def check_shapes(x_shape: Ints, y_shape: Ints, w_shape: Ints, groups: int) -> None:
    """Refuse what loops would leave out, and einsum would repeat, without a word."""
    (n_in, c), (n_out, o) = x_shape[:2], y_shape[:2]
    if n_in != n_out or tuple(w_shape[:2]) != (o, c // groups) or c % groups or o % groups:
        rule = "x (N, C), y (N, O) and w (O, C/groups) must fit together"
        got = {"x": (n_in, c), "y": (n_out, o), "w": tuple(w_shape[:2]), "groups": groups}
        raise GeometryError(message("conv", rule, got))


def split(x: Array, axis: int, groups: int) -> Array:
    """``x`` with its channel axis cut in two: (groups, channels of a group)."""
    size = x.shape[axis] // groups
    return x.reshape(*x.shape[:axis], groups, size, *x.shape[axis + 1 :])


def with_bias(y: Array, b: ArrayLike | None) -> Array:
    """One number added to each output channel."""
    return y if b is None else y + as_float(b).reshape(-1, *[1] * (y.ndim - 2))
