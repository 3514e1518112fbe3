"""Prepared convolutions: the same call again and again, for other numbers and parts of the batch.

The first call of a shape lays everything out, later ones repeat what it did with other addresses:
both must be right, between guards, with a row imposed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

import faltung
from faltung.geometry.window import ConvWindow
from faltung.kernels.settings import KERNEL
from faltung.testing.random_kernels.check import Findings, compare
from faltung.testing.random_kernels.drawn import Case
from faltung.testing.random_kernels.guarded import Guards

Array = NDArray[Any]

CALLS = 3


def check_prepared(case: Case, guards: Guards) -> None:
    """Call it on several images of a shape, and on the first image alone.

    Raises
    ------
    Findings
        A value is wrong, a byte beside a buffer has changed, or the batch matters.
    """
    window = case.window
    assert isinstance(window, ConvWindow)
    if case.row.operation == "conv_dx" and 0 in window.out_space:
        return  # a transposed convolution makes nothing of nothing
    case = replace(case, extras=tuple(e for e in case.extras if e != "residual"))
    numbers = case.numbers()
    conv = _prepared(case, window, numbers)
    name = "x" if case.row.operation == "conv" else "dout"
    # What it keeps from call to call lies between guards too: they are taken back at the end.
    with guards.installed(), imposed(case.row.name), np.errstate(all="ignore"):
        for turn in range(CALLS):
            # Of the same size; scaled by a power of two, so that integers stay exact.
            one = numbers | {name: np.roll(numbers[name], turn, -1) * case.dtype.type(2**turn)}
            y = _called(conv, case, one[name], guards)
            compare(case, y, one)
        if window.batch > 1:
            alone = conv(np.ascontiguousarray(one[name][:1]))
            if alone.tobytes() != y[:1].tobytes():
                raise Findings("other bits for the first image alone")
            if conv(one[name]).tobytes() != y.tobytes():
                raise Findings("other bits without out")
    if not guards.check():
        raise Findings("a byte before a buffer was written")


def _prepared(case: Case, window: ConvWindow, numbers: dict[str, Array]) -> Any:
    """Return the prepared convolution, or the transposed one whose result is the gradient."""
    bias = numbers["b"] if "bias" in case.extras else None
    slide: dict[str, Any] = {"stride": window.stride, "padding": window.pads}
    slide |= {"dilation": window.dilation, "groups": window.groups}
    if case.row.operation == "conv":
        return faltung.prepare(numbers["w"], bias, **slide, activation=_activation(case))
    # What the last window does not reach of the input.
    more = tuple(a.padded - (a.out_size - 1) * a.stride - a.extent for a in window.axes)
    slide |= {"output_padding": more, "activation": _activation(case)}
    return faltung.prepare_transpose(numbers["w"], bias, **slide)


def _called(conv: Any, case: Case, x: Array, guards: Guards) -> Array:
    out = guards.array(case.shape, case.dtype) if "out" in case.extras else None
    return np.array(conv(guards.copy(x), out=out))


def _activation(case: Case) -> Any:
    """Return what `faltung.prepare` is given."""
    name, low, high = case.epilogue
    given = {"": None, "relu": name, "leaky_relu": (name, low), "clip": (name, low, high)}
    return given[name]


@contextmanager
def imposed(row: str) -> Iterator[None]:
    """Have this row run."""
    before = os.environ.get(KERNEL)
    os.environ[KERNEL] = row
    try:
        yield
    finally:
        os.environ.pop(KERNEL)
        if before is not None:
            os.environ[KERNEL] = before
