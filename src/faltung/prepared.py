"""Convolution with weights that stay: brought into a kernel's order once, then used on many images.

A kernel reads weights in an order of its own, or transformed. `faltung.conv` pays for that at each
call and chooses its algorithm accordingly; here it is done when an algorithm is first taken.
"""

from __future__ import annotations

import inspect
from collections.abc import Hashable, Iterator, MutableMapping, Sequence
from dataclasses import fields
from functools import cache
from math import prod
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import ArrayLike

from faltung.errors import DTypeError, GeometryError, message
from faltung.geometry import ConvWindow, PaddingLike
from faltung.kernels import settings
from faltung.kernels.activation import Activation, ActivationLike, activated, activation_of
from faltung.kernels.choose import choose
from faltung.kernels.schedule import alone, is_small, recorded
from faltung.ops import dispatch
from faltung.ops.conv import Conv
from faltung.ops.dtypes import product_dtype
from faltung.ops.operator import Array
from faltung.ops.windowed import check_bias, hashable

if TYPE_CHECKING:
    from faltung.kernels.registry import Row
    from faltung.kernels.replay import Replay

Ints = int | Sequence[int]
Sizes = tuple[int, ...]

_REPLAYS: Final = 256
"""Shapes whose calls are remembered, at most."""


def prepare(
    w: ArrayLike,
    b: ArrayLike | None = None,
    *,
    stride: Ints = 1,
    padding: PaddingLike = 0,
    dilation: Ints = 1,
    groups: int = 1,
    padding_mode: str = "zeros",
    activation: ActivationLike = None,
    exact: bool = False,
) -> PreparedConv:
    """Prepare a convolution: ``conv(x)`` is then `faltung.conv` with these weights, faster.

    ``y = activation(faltung.conv(x, w, b, ...))``

    Parameters
    ----------
    w : array_like, (O, C / groups, *kernel)
        Filters; a copy is kept.
    b : array_like, (O,), optional
        One number added to each output channel.
    stride, padding, dilation, groups, padding_mode
        As in `faltung.conv`.
    activation : str or tuple, optional
        ``"relu"``, ``"leaky_relu"`` (0.01 below zero), ``("leaky_relu", slope)`` or
        ``("clip", low, high)``; NaN stays NaN.
    exact : bool
        Keep to algorithms whose error is that of direct summation.

    Returns
    -------
    PreparedConv
        Called with images. Threads, and any split of a batch, give the same bits. They need not be
        those of `faltung.conv`, which may choose another algorithm; both agree within the bound of
        the algorithms.

    Raises
    ------
    GeometryError
        As `faltung.conv`, when it is called with images; at once for an activation or a bias that
        cannot be (prepare Q1, Q2).
    DTypeError
        For complex numbers, text and objects.

    Examples
    --------
    >>> edges = prepare([[[-1.0, 1.0]]], activation="relu")
    >>> edges([[[3.0, 1.0, 4.0, 1.0, 5.0]]]).tolist()
    [[[0.0, 3.0, 0.0, 4.0]]]
    """
    weights = _own(w)
    bias = None if b is None else _own(b)
    if weights.ndim < 3:
        rule, cure = "w must be (out_channels, in_channels / groups, *kernel)", "Add axes of size 1"
        raise GeometryError(
            message("prepare", rule, {"w.shape": weights.shape}, cure, "prepare Q1")
        )
    if bias is not None:
        check_bias([(), (), bias.shape], weights.shape[0], "prepare")
    product_dtype("prepare", weights, weights, bias, 1)
    operator = Conv(
        hashable(stride), padding, hashable(dilation), groups, padding_mode, bool(exact)
    )
    return PreparedConv(weights, bias, operator, activation_of(activation))


class PreparedConv:
    """A convolution with its weights; `prepare` makes one.

    Parameters
    ----------
    w : array (O, C / groups, *kernel)
        Filters, read-only.
    b : array (O,) or None
        Bias, read-only.
    operator : faltung.ops.Conv
        Stride, padding, dilation, groups, padding mode; whether it is exact.
    activation : tuple
        ``(name, low, high)`` as kernels have it; ``""`` for none.

    Attributes
    ----------
    choices : Choices
        Which row of the registry runs for which images: read it, or impose one.

    Examples
    --------
    >>> conv = prepare([[[1.0, 1.0]]])
    >>> conv
    PreparedConv(w=(1, 1, 2))
    >>> conv([[[1.0, 2.0, 4.0]]]).tolist()
    [[[3.0, 6.0]]]
    """

    def __init__(
        self, w: Array, b: Array | None, operator: Conv, activation: Activation = ("", 0.0, 0.0)
    ) -> None:
        self._w, self._b = w, b
        self.operator = operator
        self.activation = activation
        self.choices = Choices(self)
        self._weights: dict[np.dtype[Any], tuple[Array, Array | None]] = {}
        self._packed: dict[Hashable, Array] = {}
        self._replays: dict[Hashable, tuple[Replay, Array | None]] = {}

    def __repr__(self) -> str:
        said = [f"w={self._w.shape}"] + ["b=..."] * (self._b is not None)
        for field in fields(self.operator):
            value = getattr(self.operator, field.name)
            if value != field.default:
                said.append(f"{field.name}={value!r}")
        name = self.activation[0]
        return f"PreparedConv({', '.join(said + [f'activation={name!r}'] * bool(name))})"

    def __call__(self, x: ArrayLike, out: Array | None = None) -> Array:
        """Convolve images.

        Parameters
        ----------
        x : array_like, (N, C, *space)
            Images; of the dtypes that `faltung.conv` takes.
        out : numpy.ndarray, (N, O, *out), optional
            Where the result goes: C-contiguous, of the result's dtype, apart from `x`.

        Returns
        -------
        numpy.ndarray, (N, O, *out)
            `out` if it is given, else a new array, in the dtype of `faltung.conv`.

        Raises
        ------
        GeometryError
            As `faltung.conv`; for an `out` that cannot be written to (prepare Q3 to Q5).
        DTypeError
            For dtypes that have no result, and for an `out` of another dtype (prepare Q6).
        """
        key: Hashable = None
        if type(x) is np.ndarray and x.flags.c_contiguous:
            key = (x.shape, x.dtype, settings.token())
            known = self._replays.get(key)
            if known is not None:
                replay, b = known
                y = _checked_out(out, x, replay.shape, replay.dtype)
                replay.into(x, None, b, y)
                return y
        return self._run(key, np.asarray(x), out)

    def _run(self, key: Hashable, x: Array, out: Array | None) -> Array:
        """Check everything, choose a row, and run it; note the call if it can be repeated."""
        self.operator.out_shapes([x.shape, self._w.shape])
        window = self.operator.window(x.shape, self._w.shape)
        dtype = product_dtype("prepare", x, self._w, self._b, prod(self._w.shape[1:]))
        if out is not None:
            _checked_out(out, x, window.out_shape, dtype)
        w, b = self._as(dtype)
        inner, padded = self.operator.padded(window, x.astype(dtype, copy=False))
        row = self.choices.taken(inner, x.shape[1:], dtype)
        if row is None or 0 in window.out_shape:
            y = dispatch.conv(inner, padded, w, b, exact=self.operator.exact, prepared=True)
            return _given(activated(y, self.activation), out)
        given = self._given(row, inner, w, out)
        repeats = key is not None and padded is x and row.replays
        small = is_small(row, inner, dtype)
        with np.errstate(all="ignore"), alone(small):
            if repeats:
                y = self._recorded(key, row, inner, (x, w, b), given, small)
            else:
                y = row.load()(inner, padded, w, b, **given)
        if "epilogue" not in given:
            y = activated(y, self.activation)
        return y if y is out else _given(y, out)

    def _recorded(
        self,
        key: Hashable,
        row: Row,
        window: ConvWindow,
        arrays: tuple[Array, Array, Array | None],
        given: dict[str, Any],
        small: bool,
    ) -> Array:
        from faltung.kernels.replay import Recorder

        x, w, b = arrays
        with recorded(Recorder([x, None, b])) as recorder:
            y: Array = row.load()(window, x, w, b, **given)
        replay = recorder.replay(y, small)
        is_whole = "epilogue" in given or not self.activation[0]
        if replay is not None and is_whole:
            if len(self._replays) >= _REPLAYS:
                self._replays.clear()
            self._replays[key] = (replay, b)
        return y

    def _as(self, dtype: np.dtype[Any]) -> tuple[Array, Array | None]:
        """Return weights and bias in the dtype of the sums."""
        known = self._weights.get(dtype)
        if known is None:
            bias = None if self._b is None else _own(self._b, dtype)
            known = self._weights.setdefault(dtype, (_own(self._w, dtype), bias))
        return known

    def _given(self, row: Row, window: ConvWindow, w: Array, out: Array | None) -> dict[str, Any]:
        """Return what a row can be given by name."""
        takes = _takes(row.function)
        given: dict[str, Any] = {}
        if row.packs and "packed" in takes:
            given["packed"] = self._packed_for(row, window, w)
        if row.fuses and "epilogue" in takes and self.activation[0]:
            from faltung.kernels.epilogue import Epilogue

            given["epilogue"] = Epilogue(*self.activation)
        if out is not None and "out" in takes:
            given["out"] = out
        return given

    def _packed_for(self, row: Row, window: ConvWindow, w: Array) -> Array:
        """Return weights in the order of a row. Two threads may both do it; one result is kept."""
        key = (row.name, w.dtype, settings.settings().isa)
        packed = self._packed.get(key)
        if packed is None:
            packed = row.pack(window, w)
            packed.setflags(write=False)
            packed = self._packed.setdefault(key, packed)
        return packed


class Choices(MutableMapping[Sizes, str]):
    """Which row runs for which images: the shape of one, (C, *space), to the row's name.

    What has run can be read; what is put in is imposed, and taking it out ends that.

    Examples
    --------
    >>> conv = prepare(np.ones((1, 1, 3)))
    >>> _ = conv(np.ones((2, 1, 8)))
    >>> conv.choices[1, 9] = "conv_im2col_any_nchw"
    >>> sorted(conv.choices), conv.choices[1, 9]
    ([(1, 8), (1, 9)], 'conv_im2col_any_nchw')
    """

    def __init__(self, conv: PreparedConv) -> None:
        self._conv = conv
        self._imposed: dict[Sizes, str] = {}
        self._taken: dict[Sizes, str] = {}

    def taken(self, window: ConvWindow, image: Sizes, dtype: np.dtype[Any]) -> Row | None:
        """Return the row for a geometry, and note it; None for the reference."""
        imposed = self._imposed.get(image, "")
        exact = self._conv.operator.exact
        row = dispatch.row_of("conv", window, dtype, exact=exact, prepared=True, imposed=imposed)
        if row is not None:
            self._taken[image] = row.name
        return row

    def __getitem__(self, image: Sizes) -> str:
        return self._imposed.get(image) or self._taken[image]

    def __setitem__(self, image: Sizes, name: str) -> None:
        conv = self._conv
        shape, w = (1, *image), conv._w
        window = conv.operator.window(shape, w.shape)
        inner, _ = conv.operator.padded(window, np.broadcast_to(np.float32(0), shape))
        choose("conv", inner, np.dtype(np.float32), name)
        self._imposed[tuple(image)] = name
        conv._replays.clear()

    def __delitem__(self, image: Sizes) -> None:
        del self._imposed[image]
        self._conv._replays.clear()

    def __iter__(self) -> Iterator[Sizes]:
        return iter({**self._taken, **self._imposed})

    def __len__(self) -> int:
        return len({**self._taken, **self._imposed})

    def __repr__(self) -> str:
        return f"Choices({dict(self)})"


# Inside -------------------------------------------------------------------------------------


def _own(array: ArrayLike, dtype: np.dtype[Any] | None = None) -> Array:
    """Return a read-only, contiguous copy."""
    copied = np.array(array, dtype, order="C", copy=True)
    copied.setflags(write=False)
    return copied


@cache
def _takes(function: str) -> frozenset[str]:
    """Return the names that a row's function can be given."""
    from faltung.kernels.registry import loaded

    return frozenset(inspect.signature(loaded(function)).parameters)


def _given(y: Array, out: Array | None) -> Array:
    if out is None:
        return y
    out[...] = y
    return out


def _checked_out(out: Array | None, x: Array, shape: Sizes, dtype: np.dtype[Any]) -> Array:
    """Return `out`, or a new array; refuse one that the result cannot be written to."""
    from faltung.kernels import memory

    if out is None:
        return memory.empty(shape, dtype)
    if not isinstance(out, np.ndarray) or out.shape != shape:
        values = {"out.shape": getattr(out, "shape", None), "shape": shape}
        raise GeometryError(
            message("conv", "out must have the result's shape", values, "", "prepare Q3")
        )
    if out.dtype != dtype:
        values = {"out.dtype": out.dtype, "dtype": dtype}
        raise DTypeError(
            message("conv", "out must have the result's dtype", values, "", "prepare Q6")
        )
    if not (out.flags.c_contiguous and out.flags.writeable and out.flags.aligned):
        values = {"out.strides": out.strides, "writeable": out.flags.writeable}
        rule, cure = "out must be C-contiguous and writeable", "Use numpy.empty(shape, dtype)"
        raise GeometryError(message("conv", rule, values, cure, "prepare Q4"))
    if np.may_share_memory(out, x):
        rule, cure = "out must not overlap x", "Use an array of its own"
        raise GeometryError(message("conv", rule, {"out.shape": shape}, cure, "prepare Q5"))
    return out
