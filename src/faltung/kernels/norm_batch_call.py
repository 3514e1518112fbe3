"""Batch normalisation in training, and its gradient, as plans and operators ask for them."""

from __future__ import annotations

from math import prod
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from faltung.kernels import memory
from faltung.kernels.compiled import Kernel
from faltung.kernels.isa import required_isa
from faltung.kernels.launch import launch
from faltung.kernels.norm_batch import backward_block, forward_block, standard_block
from faltung.kernels.norm_channels import FIELDS, scratch_size

Array = NDArray[Any]

PIECE: Final = 1 << 15
"""Bytes of an image that a block takes together, at most, unless one channel has more."""
BLOCKS: Final = 8
"""Blocks that there should be for threads to share, before pieces are that long."""


class Statistics(NamedTuple):
    """Of each channel, in float64; ``rstd`` is ``1 / sqrt(variance + eps)``."""

    mean: Array
    variance: Array
    rstd: Array


class Running(NamedTuple):
    """Running statistics (C,), and where they go once they have been moved.

    ``moved = momentum old + (1 - momentum) batch``; old and new may be the same arrays.
    """

    mean: Array
    variance: Array
    moved_mean: Array
    moved_variance: Array
    momentum: float


def norm_forward(
    x: Array,
    scale: Array,
    bias: Array,
    eps: float,
    *,
    residual: Array | None = None,
    relu: bool = False,
    out: Array | None = None,
    statistics: Statistics | None = None,
    running: Running | None = None,
) -> tuple[Array, Array, Array, Array]:
    """Normalise each channel by its own mean and (population) variance, in one launch.

    ``y = relu((x - mean) (scale rstd) + bias + residual)``

    Parameters
    ----------
    x : array (N, C, *space), float32 or float64
        Not empty.
    scale, bias : array (C,)
        Of one dtype with x.
    eps
        Added to the variance.
    residual : array, optional
        In the shape of x; what is added before the ReLU.
    relu
        Whether what is below 0 becomes 0.
    out : array, optional
        Where y goes; it may be x or the residual.
    statistics : Statistics, optional
        Where these go.
    running : Running, optional
        Running statistics to move.

    Returns
    -------
    y, mean, variance, rstd
        The last three (C,) in float64.
    """
    y = memory.empty(x.shape, x.dtype) if out is None else out
    found = statistics or Statistics(*(_wide(x.shape[1]) for _ in Statistics._fields))
    given = {"x": x, "scale": scale, "bias": bias, "y": y}
    if residual is not None:
        given["residual"] = residual
    if running is not None:
        given |= {"running_mean": running.mean, "running_variance": running.variance}
        given |= {"moved_mean": running.moved_mean, "moved_variance": running.moved_variance}
    launch_channels(
        forward_block,
        {**_like(x, given), **found._asdict()},
        eps=float(eps),
        momentum=None if running is None else float(running.momentum),
        scales=True,
        adds=residual is not None,
        relu=relu,
    )
    return (y, *found)


def norm_backward(
    x: Array,
    y: Array,
    dy: Array,
    scale: Array,
    mean: Array,
    rstd: Array,
    *,
    relu: bool = False,
    through: bool = True,
    out: Array | None = None,
    dresidual: Array | None = None,
    dscale: Array | None = None,
    dbias: Array | None = None,
) -> tuple[Array, Array, Array]:
    """Return dx, dscale and dbias of `norm_forward`, in one launch.

    Parameters
    ----------
    x, y, dy : array (N, C, *space)
        What came in and out, and the gradient of the latter; without `relu` y is not read.
    scale : array (C,)
    mean, rstd : array (C,), float64
        As `norm_forward` gave them.
    relu
        Whether y went through a ReLU.
    through
        Whether the mean and the variance are those of x itself.
    out, dscale, dbias : array, optional
        Where the results go; `out` may be dy.
    dresidual : array, optional
        Where the residual's gradient goes: dy where y is above 0; it may be dy.
    """
    dx = memory.empty(x.shape, x.dtype) if out is None else out
    moved = [memory.empty(scale.shape, x.dtype) if a is None else a for a in (dscale, dbias)]
    given = {"x": x, "dy": dy, "scale": scale, "dx": dx, "dscale": moved[0], "dbias": moved[1]}
    if relu:
        given["y"] = y
    if dresidual is not None:
        given["masked"] = dresidual
    wide = {"mean": mean, "rstd": rstd}
    assert all(array.dtype == np.float64 for array in wide.values())
    keeps = dresidual is not None
    launch_channels(
        backward_block, {**_like(x, given), **wide}, relu=relu, keeps=keeps, through=through
    )
    return dx, moved[0], moved[1]


def standardised(x: Array, eps: float) -> tuple[Array, Array, Array]:
    """Return rows with mean 0 and variance 1, their means, and ``1 / sqrt(variance + eps)``.

    Parameters
    ----------
    x : array (rows, size), float32 or float64
        Not empty.
    eps
        Added to the variance.
    """
    image = x[np.newaxis]
    y = memory.empty(image.shape, x.dtype)
    found = Statistics(*(_wide(len(x)) for _ in Statistics._fields))
    arrays = {**_like(image, {"x": image, "y": y}), **found._asdict()}
    plain = {"momentum": None, "scales": False, "adds": False, "relu": False}
    launch_channels(forward_block, arrays, eps=float(eps), **plain)
    return y[0], found.mean, found.rstd


def standardised_dx(y: Array, dy: Array, rstd: Array) -> Array:
    """Return the gradient of `standardised` to its input.

    Parameters
    ----------
    y, dy : array (rows, size)
        What came out, and its gradient.
    rstd : array (rows,), float64
        As `standardised` gave it.
    """
    image = y[np.newaxis]
    dx = memory.empty(y.shape, y.dtype)
    arrays = _like(image, {"x": image, "dy": dy[np.newaxis], "dx": dx[np.newaxis]})
    launch_channels(standard_block, {**arrays, "rstd": rstd})
    return dx


def _wide(channels: int) -> Array:
    return memory.empty((channels,), np.dtype(np.float64))


def _like(x: Array, given: dict[str, Array]) -> dict[str, Array]:
    """Return arrays that have been looked at: kernels read them as they lie."""
    for array in given.values():
        assert array.flags.c_contiguous
        assert array.dtype == x.dtype
        assert array.shape in (x.shape, (x.shape[1],))
    return given


def launch_channels(block: Kernel, arrays: dict[str, Array], **constants: Any) -> None:
    """Run a kernel for all channels of ``x``; arrays by the names of `FIELDS`."""
    x = arrays["x"]
    images, channels = x.shape[:2]
    size = prod(x.shape[2:])
    isa = required_isa(block.name)
    count = max(1, min(PIECE // (size * x.itemsize), channels // BLOCKS))
    sizes = {
        "images": images,
        "channels": channels,
        "size": size,
        "count": count,
        "scratch_size": count * scratch_size(isa.lanes(x.itemsize), x.itemsize),
    }
    sizes |= {name: 0 for name in FIELDS if name not in arrays and name not in sizes}
    launch(block, isa, FIELDS, sizes, arrays, -(-channels // count), **constants)
