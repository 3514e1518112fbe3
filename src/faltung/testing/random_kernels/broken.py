"""Kernels broken on purpose: `check` must find each of these mistakes, else it finds nothing."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Call = Callable[..., Array]


def broken(how: str, call: Call) -> Call:
    """Return a row's function with a mistake of `MISTAKES`; itself for ""."""
    return MISTAKES[how](call) if how else call


def _zeros(call: Call) -> Call:
    def wrong(window: Any, *arrays: Any, **more: Any) -> Array:
        y = call(window, *arrays, **more)
        y[...] = 0
        return y

    return wrong


def _off_by_one(call: Call) -> Call:
    """Everything is read one position further: what a padding of one less at the start does."""

    def wrong(window: Any, *arrays: Any, **more: Any) -> Array:
        x = arrays[0]
        x[..., :-1] = x[..., 1:].copy()
        x[..., -1:] = 0
        return call(window, *arrays, **more)

    return wrong


def _flipped(call: Call) -> Call:
    def wrong(window: Any, *arrays: Any, **more: Any) -> Array:
        y = call(window, *arrays, **more)
        y[...] = y[..., ::-1].copy()
        return y

    return wrong


def _swapped(call: Call) -> Call:
    def wrong(window: Any, *arrays: Any, **more: Any) -> Array:
        strides = window.stride[::-1]
        axes = [replace(a, stride=s) for a, s in zip(window.axes, strides, strict=True)]
        return call(replace(window, axes=tuple(axes)), *arrays, **more)

    return wrong


def _unwritten(call: Call) -> Call:
    def wrong(window: Any, *arrays: Any, **more: Any) -> Array:
        y = call(window, *arrays, **more)
        y[..., -1:] = np.nan
        return y

    return wrong


def _stray(call: Call) -> Call:
    def wrong(window: Any, *arrays: Any, **more: Any) -> Array:
        y = call(window, *arrays, **more)
        ctypes.memset(y.ctypes.data - 1, 0, 1)
        return y

    return wrong


def _past_the_end(call: Call) -> Call:
    def wrong(window: Any, *arrays: Any, **more: Any) -> Array:
        ctypes.string_at(arrays[0].ctypes.data + arrays[0].nbytes, 1)
        return call(window, *arrays, **more)

    return wrong


MISTAKES: Final[dict[str, Callable[[Call], Call]]] = {
    "all zeros": _zeros,
    "padding off by one": _off_by_one,
    "flipped": _flipped,
    "strides swapped": _swapped,
    "left unwritten": _unwritten,
    "a stray byte": _stray,
    "a read past the end": _past_the_end,
}
