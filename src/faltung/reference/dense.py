"""The dense layer: every output is a weighted sum of all inputs."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from faltung.errors import GeometryError, message
from faltung.reference.arrays import Array, as_float, ieee


@ieee
def dense(x: ArrayLike, w: ArrayLike, b: ArrayLike | None = None) -> Array:
    """``y[n, co] = b[co] + Σ_ci w[co, ci] · x[n, ci]``.

    Parameters
    ----------
    x : array, (N, in_features)
    w : array, (out_features, in_features)
    b : array, (out_features,), optional

    Returns
    -------
    array, (N, out_features)

    Raises
    ------
    GeometryError
        ``x`` has not as many features as ``w`` has columns.

    Examples
    --------
    >>> dense([[1, 2]], [[3, 4], [5, 6], [7, 8]], [0, 0, 100])
    array([[ 11.,  17., 123.]])
    """
    x, w = as_float(x), as_float(w)
    if x.shape[1] != w.shape[1]:
        rule = "x needs as many features as w has columns"
        raise GeometryError(message("dense", rule, {"x.shape": x.shape, "w.shape": w.shape}))
    y = np.zeros((x.shape[0], w.shape[0]))
    for n, co, ci in np.ndindex(x.shape[0], *w.shape):
        y[n, co] += w[co, ci] * x[n, ci]
    return y if b is None else y + as_float(b)


@ieee
def dense_dx(dout: ArrayLike, w: ArrayLike) -> Array:
    """``dx[n, ci] = Σ_co w[co, ci] · dout[n, co]``.

    >>> dense_dx([[1, 0, 10]], [[3, 4], [5, 6], [7, 8]])
    array([[73., 84.]])
    """
    dx: Array = as_float(dout) @ as_float(w)
    return dx


@ieee
def dense_dw(x: ArrayLike, dout: ArrayLike) -> Array:
    """``dw[co, ci] = Σ_n dout[n, co] · x[n, ci]``.

    >>> dense_dw([[1, 2]], [[1, 0, 10]])
    array([[ 1.,  2.],
           [ 0.,  0.],
           [10., 20.]])
    """
    dw: Array = as_float(dout).T @ as_float(x)
    return dw


@ieee
def dense_db(dout: ArrayLike) -> Array:
    """``db[co] = Σ_n dout[n, co]``.

    >>> dense_db([[1, 0], [10, 5]])
    array([11.,  5.])
    """
    db: Array = as_float(dout).sum(axis=0)
    return db
