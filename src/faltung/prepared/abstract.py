"""What prepared convolutions share: weights in kernels' orders, and calls that are repeated."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any, ClassVar, Final, Generic, TypeVar

import numpy as np
from numpy.typing import ArrayLike

from faltung.errors import DTypeError, GeometryError, message
from faltung.geometry import ConvWindow
from faltung.kernels import settings
from faltung.kernels.activation import Activation, activated
from faltung.kernels.schedule import alone, is_small, recorded
from faltung.ops.conv import Conv
from faltung.ops.conv_transpose import ConvTranspose
from faltung.ops.dtypes import product_dtype
from faltung.ops.operator import Array, integers
from faltung.ops.windowed import check_bias
from faltung.prepared.choices import Choices, Sizes

if TYPE_CHECKING:
    from faltung.kernels.registry import Row
    from faltung.kernels.replay import Replay

Ints = int | Sequence[int]
Operator = TypeVar("Operator", Conv, ConvTranspose)

_REPLAYS: Final = 256
"""Shapes whose calls are remembered, at most."""


class AbstractPrepared(ABC, Generic[Operator]):
    """An operator with its weights.

    Parameters
    ----------
    w, b : array
        Weights, and the bias or None; read-only.
    operator : Operator
        Everything else that the operation is told; whether it is exact.
    activation : tuple
        ``(name, low, high)`` as kernels have it; ``""`` for none.

    Attributes
    ----------
    choices : Choices
        Which row of the registry runs for which images: read it, or impose one.
    """

    operation: ClassVar[str]
    """What rows of the registry compute it."""

    def __init__(
        self, w: Array, b: Array | None, operator: Operator, activation: Activation = ("", 0.0, 0.0)
    ) -> None:
        self.w, self.b = w, b
        self.operator: Operator = operator
        self.activation = activation
        self.choices = Choices(self)
        self._weights: dict[np.dtype[Any], tuple[Array, Array | None]] = {}
        self._packed: dict[Hashable, Array] = {}
        self._replays: dict[Hashable, tuple[Replay, Array | None]] = {}

    def __repr__(self) -> str:
        said = [f"w={self.w.shape}"] + ["b=..."] * (self.b is not None)
        for field in fields(self.operator):
            value = getattr(self.operator, field.name)
            if value != field.default:
                said.append(f"{field.name}={value!r}")
        name = self.activation[0]
        return f"{type(self).__name__}({', '.join(said + [f'activation={name!r}'] * bool(name))})"

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
        shape = integers(self.operator.out_shapes([x.shape, self.w.shape])[0], "prepare")
        dtype = product_dtype("prepare", x, self.w, self.b, self.terms)
        if out is not None:
            _checked_out(out, x, shape, dtype)
        w, b = self._as(dtype)
        window, placed = self._placed(x.astype(dtype, copy=False))
        row = self.choices.taken(window, x.shape[1:], dtype)
        if row is None or not x.size or 0 in shape or not self.packs:
            y = self._plainly(window, placed, w, b)
            return _given(activated(y, self.activation), out)
        given = self._given(row, window, w, out)
        small = is_small(row, window, dtype)
        with np.errstate(all="ignore"), alone(small):
            if key is not None and placed is x and row.replays:
                y = self._recorded(key, row, window, (x, w, b), given, small)
            else:
                y = _called(row, window, (placed, w, b), given)
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

        x, _, b = arrays
        with recorded(Recorder([x, None, b])) as recorder:
            y = _called(row, window, arrays, given)
        replay = recorder.replay(y, small)
        is_whole = "epilogue" in given or not self.activation[0]
        is_whole = is_whole and (b is None or row.takes("b"))
        if replay is not None and is_whole:
            if len(self._replays) >= _REPLAYS:
                self._replays.clear()
            self._replays[key] = (replay, b)
        return y

    def _as(self, dtype: np.dtype[Any]) -> tuple[Array, Array | None]:
        """Return weights and bias in the dtype of the sums."""
        known = self._weights.get(dtype)
        if known is None:
            bias = None if self.b is None else owned(self.b, dtype)
            known = self._weights.setdefault(dtype, (owned(self.w, dtype), bias))
        return known

    def _given(self, row: Row, window: ConvWindow, w: Array, out: Array | None) -> dict[str, Any]:
        """Return what a row can be given by name."""
        given: dict[str, Any] = {}
        if row.packs and row.takes("packed"):
            given["packed"] = self._packed_for(row, window, w)
        if row.takes("epilogue") and self.activation[0]:
            from faltung.kernels.epilogue import Epilogue

            given["epilogue"] = Epilogue(*self.activation)
        if out is not None and row.takes("out"):
            given["out"] = out
        return given

    def _packed_for(self, row: Row, window: ConvWindow, w: Array) -> Array:
        """Return weights in the order of a row. Two threads may both do it; one result is kept."""
        key = (row.name, w.dtype, settings.settings().isa, self._order(window))
        packed = self._packed.get(key)
        if packed is None:
            packed = row.pack(window, w)
            packed.setflags(write=False)
            packed = self._packed.setdefault(key, packed)
        return packed

    @property
    @abstractmethod
    def terms(self) -> int:
        """Products that one output sums."""

    @property
    def packs(self) -> bool:
        """Whether these weights may be given to a kernel in its own order."""
        return True

    def _order(self, window: ConvWindow) -> Hashable:
        """Return what the order of a kernel's weights depends on, beside the weights and it."""
        return None

    @abstractmethod
    def _placed(self, x: Array) -> tuple[ConvWindow, Array]:
        """Return what a kernel is told of images: the geometry, and the array that it reads."""

    @abstractmethod
    def _plainly(self, window: ConvWindow, x: Array, w: Array, b: Array | None) -> Array:
        """Compute it without anything prepared."""

    def forget(self) -> None:
        """Let the next calls choose their kernels anew."""
        self._replays.clear()


def check_weights(w: Array, axes: str) -> None:
    """Refuse weights that are not of ``(channels, channels, *kernel)``.

    Parameters
    ----------
    w : array
        Weights.
    axes : str
        What their axes are.

    Raises
    ------
    GeometryError
        prepare Q1.
    """
    if w.ndim < 3:
        rule, cure = f"w must be {axes}", "Add axes of size 1"
        raise GeometryError(message("prepare", rule, {"w.shape": w.shape}, cure, "prepare Q1"))


def check_biases(w: Array, b: Array | None, channels: int) -> None:
    """Refuse a bias for other output channels, and dtypes that nothing is computed in."""
    if b is not None:
        check_bias([(), (), b.shape], channels, "prepare")
    product_dtype("prepare", w, w, b, 1)


def owned(array: ArrayLike, dtype: np.dtype[Any] | None = None) -> Array:
    """Return a read-only, contiguous copy."""
    copied = np.array(array, dtype, order="C", copy=True)
    copied.setflags(write=False)
    return copied


# Inside -------------------------------------------------------------------------------------


def _called(
    row: Row, window: ConvWindow, arrays: tuple[Array, Array, Array | None], given: dict[str, Any]
) -> Array:
    """Run a row; what it does not add itself is added to its result."""
    x, w, b = arrays
    if row.takes("b"):
        y: Array = row.load()(window, x, w, b, **given)
        return y
    y = row.load()(window, x, w, **given)
    if b is not None:
        y += b.reshape(-1, *(1 for _ in window.axes))
    return y


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
