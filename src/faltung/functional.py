"""Layers as functions of NumPy arrays: ``x`` is (N, C, *space), with 1 to 3 space axes.

Each is one use of the operator of the same name in `faltung.ops`, which owns its rule and its
messages.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from functools import lru_cache
from math import prod
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import ArrayLike

from faltung.errors import GeometryError, message
from faltung.geometry import PaddingLike
from faltung.kernels import settings as _settings
from faltung.ops import dispatch
from faltung.ops.conv import Conv
from faltung.ops.conv_transpose import ConvTranspose
from faltung.ops.dtypes import compute_dtype, product_dtype
from faltung.ops.operator import Array
from faltung.ops.pool import AveragePool, MaxPool
from faltung.ops.windowed import hashable

if TYPE_CHECKING:
    from faltung.kernels.replay import Replay

Ints = int | Sequence[int]

_replays: dict[Hashable, Replay] = {}
_REPLAYS: Final = 4096
"""Calls that are remembered, at most."""


def conv(
    x: ArrayLike,
    w: ArrayLike,
    b: ArrayLike | None = None,
    *,
    stride: Ints = 1,
    padding: PaddingLike = 0,
    dilation: Ints = 1,
    groups: int = 1,
    padding_mode: str = "zeros",
    flip: bool = False,
    exact: bool = False,
) -> Array:
    """Cross-correlation of images with filters; with ``flip=True``, convolution.

    ``y[n, co, o] = b[co] + sum over ci, k of w[co, ci, k] x[n, ci, o stride + k dilation - lo]``

    Parameters
    ----------
    x : array_like, (N, C, *space)
        Images, signals or volumes: 1 to 3 space axes.
    w : array_like, (O, C / groups, *kernel)
        Filters.
    b : array_like, (O,), optional
        One number added to each output channel.
    stride, dilation : int or one for each axis
        Steps between windows, and between the taps of one.
    padding : int, word, one int or one pair ``(lo, hi)`` for each axis
        ``"valid"``, ``"same"``, ``"same_lower"`` or ``"full"``; negative amounts crop.
    groups : int
        Groups of channels that do not see each other; ``groups=C`` is a depthwise convolution.
    padding_mode : str
        ``"zeros"``, ``"reflect"``, ``"replicate"`` or ``"circular"``.
    flip : bool
        Turn the filters round along every space axis first, as the mathematical convolution does.
    exact : bool
        Keep to algorithms whose error is that of direct summation, as ``FALTUNG_EXACT=1`` does.

    Returns
    -------
    numpy.ndarray, (N, O, *out)
        A new array. float32 and float64 stay what they are; float16 becomes float32; integers and
        booleans become float64, or float32 where 8 or 16 bits and the geometry prove every sum
        exact; mixed dtypes become what ``numpy.result_type`` says.

    Raises
    ------
    GeometryError
        Constraints conv C1 to C13 of ``docs/spec/conv.md``.
    DTypeError
        For complex numbers, text and objects.

    Examples
    --------
    >>> patch = [[1, 2, 0], [0, 1, 2], [2, 0, 1]]
    >>> kernel = [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]
    >>> [conv([[patch]], [[kernel]], flip=flip).item() for flip in (False, True)]
    [2.0, -2.0]
    """
    key: Hashable = None
    if (
        type(x) is type(w) is np.ndarray
        and (b is None or type(b) is np.ndarray)
        and x.flags.c_contiguous
        and w.flags.c_contiguous
        and (b is None or b.flags.c_contiguous)
    ):
        added = None if b is None else (b.shape, b.dtype)
        slide = (_exactly(stride), _exactly(padding), _exactly(dilation), _exactly(groups))
        told = (padding_mode, flip, exact, _settings.token())
        key = (x.shape, w.shape, x.dtype, w.dtype, added, slide, told)
        replay = _replays.get(key)
        if replay is not None:
            return replay(x, w, b)
    return _conv_checked(
        key,
        np.asarray(x),
        np.asarray(w),
        None if b is None else np.asarray(b),
        _conv(hashable(stride), hashable(padding), hashable(dilation), groups, padding_mode, exact),
        flip,
    )


def _conv_checked(
    key: Hashable, x: Array, w: Array, b: Array | None, operator: Conv, flip: bool
) -> Array:
    """Do all of the checks; what comes again with the same key is repeated without them."""
    if x.ndim == 2 and w.ndim == 2:
        cure = "Use x[None, None] and w[None, None], or faltung.correlate for two bare arrays"
        values = {"x.shape": x.shape, "w.shape": w.shape}
        rule = "x must be (N, C, *space) and w (O, C/groups, *kernel)"
        raise GeometryError(message("conv", rule, values, cure, "conv C1"))
    dtype = product_dtype("conv", x, w, b, prod(w.shape[1:]))
    is_as_given = x.dtype == w.dtype == dtype and (b is None or b.dtype == dtype)
    if key is not None and is_as_given and not flip and operator.padding_mode == "zeros":
        operator.out_shapes([a.shape for a in (x, w, b) if a is not None])
        window = operator.window(x.shape, w.shape)
        arrays = (x, w) if b is None else (x, w, b)
        y, replay = dispatch.once("conv", window, *arrays, exact=operator.exact)
        if replay is not None:
            _remember(key, replay)
        return y
    if flip:
        w = w[(slice(None), slice(None), *(slice(None, None, -1) for _ in w.shape[2:]))]
    operator.out_shapes([a.shape for a in (x, w, b) if a is not None])
    x, w = x.astype(dtype, copy=False), w.astype(dtype, copy=False)
    inner, padded = operator.padded(operator.window(x.shape, w.shape), x)
    return dispatch.conv(inner, padded, w, b, exact=operator.exact)


def conv_transpose(
    x: ArrayLike,
    w: ArrayLike,
    b: ArrayLike | None = None,
    *,
    stride: Ints = 1,
    padding: PaddingLike = 0,
    output_padding: Ints = 0,
    dilation: Ints = 1,
    groups: int = 1,
    exact: bool = False,
) -> Array:
    """Transposed cross-correlation: the adjoint of `conv` with the same stride and padding.

    Parameters
    ----------
    x : array_like, (N, I, *space)
        Images, signals or volumes.
    w : array_like, (I, O / groups, *kernel)
        Filters, laid out as those of the convolution that this is the adjoint of.
    b : array_like, (O,), optional
        One number added to each output channel.
    stride, dilation, groups
        As in `conv`.
    padding : int, word, one int or one pair for each axis
        What the convolution would add, this takes away.
    output_padding : int or one for each axis
        How much further the computed region reaches at its end.
    exact : bool
        As in `conv`.

    Returns
    -------
    numpy.ndarray, (N, O, *out)
        ``out = (size - 1) stride - lo - hi + dilation (kernel - 1) + 1 + output_padding``.

    Raises
    ------
    GeometryError
        The constraints conv_transpose T1 and on of ``docs/spec/conv.md``.
    DTypeError
        As `conv`.

    Examples
    --------
    >>> conv_transpose([[[1.0, 2.0]]], [[[1.0, 10.0, 100.0]]], stride=2).tolist()
    [[[1.0, 10.0, 102.0, 20.0, 200.0]]]
    """
    x, w = np.asarray(x), np.asarray(w)
    arrays = [x, w] if b is None else [x, w, np.asarray(b)]
    steps = map(_exactly, (stride, padding, output_padding, dilation, groups))
    kinds = tuple([(a.shape, a.dtype, a.flags.c_contiguous) for a in arrays])
    key = ("conv_transpose", kinds, *steps, exact, _settings.token())
    replay = _replays.get(key)
    if replay is not None and dispatch.is_repeatable("conv_dx", arrays):
        return replay(*arrays)
    step = hashable(stride), padding, hashable(output_padding), hashable(dilation)
    return _transposed_checked(key, arrays, ConvTranspose(*step, groups, bool(exact)))


def _transposed_checked(key: Hashable, arrays: list[Array], operator: ConvTranspose) -> Array:
    """`_conv_checked` for a transposed convolution."""
    x, w = arrays[:2]
    b = arrays[2] if len(arrays) > 2 else None
    dtype = product_dtype("conv_transpose", x, w, b, prod((*w.shape[:1], *w.shape[2:])))
    if not all(a.dtype == dtype and a.flags.c_contiguous for a in arrays):
        return _run(operator, arrays, dtype)
    operator.out_shapes([a.shape for a in arrays])
    window = operator.window(x.shape, w.shape).adjoint
    row = dispatch.row_of("conv_dx", window, dtype, exact=operator.exact)
    if b is not None and (row is None or not row.takes("b")):
        return dispatch.conv_dx(window, x, w, b, exact=operator.exact, prepared=False)
    y, replay = dispatch.once("conv_dx", window, *arrays, exact=operator.exact)
    if replay is not None:
        _remember(key, replay)
    return y


def _remember(key: Hashable, replay: Replay) -> None:
    if len(_replays) >= _REPLAYS:
        _replays.clear()
    _replays[key] = replay


def max_pool(
    x: ArrayLike,
    kernel_size: Ints,
    *,
    stride: Ints | None = None,
    padding: PaddingLike = 0,
    dilation: Ints = 1,
    ceil_mode: bool = False,
) -> Array:
    """Largest value under each window; padding never wins, NaN always does.

    Parameters
    ----------
    x : array_like, (N, C, *space)
        Images, signals or volumes.
    kernel_size : int or one for each axis
        Taps of the window.
    stride : int or one for each axis, optional
        Steps between windows; the kernel's size by default.
    padding, dilation
        As in `conv`.
    ceil_mode : bool
        Keep a last window that reaches past the end, if it starts inside.

    Returns
    -------
    numpy.ndarray, (N, C, *out)
        float32 or float64, as `conv` decides.

    Examples
    --------
    >>> max_pool([[[1, 5, 2, 4, 3]]], 2, ceil_mode=True).tolist()
    [[[5.0, 4.0, 3.0]]]
    """
    x = np.asarray(x)
    step = None if stride is None else hashable(stride)
    operator = MaxPool(hashable(kernel_size), step, padding, hashable(dilation), ceil_mode)
    return _run(operator, [x], compute_dtype("max_pool", x.dtype))


def avg_pool(
    x: ArrayLike,
    kernel_size: Ints,
    *,
    stride: Ints | None = None,
    padding: PaddingLike = 0,
    dilation: Ints = 1,
    ceil_mode: bool = False,
    count_include_pad: bool = False,
) -> Array:
    """Mean under each window.

    Parameters
    ----------
    x, kernel_size, stride, padding, dilation, ceil_mode
        As in `max_pool`.
    count_include_pad : bool
        Whether padding counts in the divisor (PyTorch's default) or not (ONNX's, and ours). What
        ``ceil_mode`` reaches past the padding never counts.

    Returns
    -------
    numpy.ndarray, (N, C, *out)
        float32 or float64, as `conv` decides.

    Examples
    --------
    >>> avg_pool([[[1, 5, 2, 4, 3]]], 2, ceil_mode=True).tolist()
    [[[3.0, 3.0, 3.0]]]
    """
    x = np.asarray(x)
    step = None if stride is None else hashable(stride)
    operator = AveragePool(
        hashable(kernel_size), step, padding, hashable(dilation), ceil_mode, count_include_pad
    )
    reduction = prod(operator.window(x.shape).kernel)
    return _run(operator, [x], compute_dtype("avg_pool", x.dtype, None, reduction))


@lru_cache(maxsize=1024, typed=True)
def _conv(
    stride: Ints, padding: PaddingLike, dilation: Ints, groups: int, mode: str, exact: bool
) -> Conv:
    return Conv(hashable(stride), padding, hashable(dilation), groups, mode, bool(exact))


def _exactly(value: object) -> object:
    """Return a value that equals no other kind's: 1 is equal to 1.0 and to True."""
    is_plain = type(value) is int or type(value) is str
    return value if is_plain else (type(value), repr(value))


def _run(
    operator: Conv | ConvTranspose | MaxPool | AveragePool,
    arrays: list[Array],
    dtype: np.dtype[np.generic],
) -> Array:
    operator.out_shapes([array.shape for array in arrays])
    (y,), _, _ = operator.forward([array.astype(dtype, copy=False) for array in arrays])
    return y
