"""Bugs in the arithmetic of pooling."""

# ruff: noqa: E731 - a bug is one line, named where it is planted
from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, Final

import numpy as np

from faltung.geometry import PoolWindow
from faltung.ops import AveragePool, GlobalAveragePool, GlobalMaxPool, MaxPool, dispatch
from faltung.ops.operator import Array
from faltung.testing.mutants.mutant import (
    Mutant,
    Operator,
    answer,
    arguments,
    gradient,
    output,
    replaced,
)

FORWARD: Final = "check_values"
BACKWARD: Final = "check_gradients"


def pooling_mutants(cls: Operator) -> Iterator[Mutant]:
    """Return the bugs of a pooling; none for others."""
    makers = {
        "MaxPool": _max,
        "AveragePool": _mean,
        "GlobalMaxPool": _global_max,
        "GlobalAveragePool": _global_mean,
    }
    if cls in (MaxPool, AveragePool, GlobalMaxPool, GlobalAveragePool):
        yield from makers[cls.onnx_type]()


def _padded_with_0(window: PoolWindow, x: Array) -> tuple[PoolWindow, Array]:
    """Lay zeros around the input, where they compete with what is in it."""
    outer = [(max(lo, 0), max(hi, 0)) for lo, hi in window.pads]
    padded = np.pad(x, ((0, 0), (0, 0), *outer))
    pads = zip(window.axes, outer, padded.shape[2:], strict=True)
    axes = tuple(
        replace(a, size=n, pad_lo=a.pad_lo - lo, pad_hi=a.pad_hi - hi) for a, (lo, hi), n in pads
    )
    return replace(window, axes=axes), padded


def _rising(x: Array) -> Array:
    """Make the last of equal values the largest."""
    return np.asarray(x + np.arange(x.size).reshape(x.shape).astype(x.dtype) / x.dtype.type(4096))


def _max() -> Iterator[Mutant]:
    given: dict[str, Callable[[PoolWindow, Array], Any]] = {
        "padding wins over negative values": _padded_with_0,
        "NaN loses": lambda window, x: (window, np.where(np.isnan(x), x.dtype.type(-np.inf), x)),
        "largest absolute value wins": lambda window, x: (window, np.abs(x)),
        "channels in reverse": lambda window, x: (window, x[:, ::-1].copy()),
    }
    for name, change in given.items():
        yield arguments(f"output: {name}", FORWARD, dispatch, "max_pool", change)
    smallest = lambda y, window, x: -dispatch.avg_pool(window, x)
    yield answer("output: something else is pooled", FORWARD, dispatch, "max_pool", smallest)
    winners: dict[str, Callable[[Array], Array]] = {
        "the last of equal values wins": _rising,
        "largest absolute value wins": np.abs,
        "smallest value wins": lambda x: -x,
        "NaN never wins": lambda x: np.nan_to_num(x),
    }
    del winners["NaN never wins"]  # what its gradient is, no definition says
    for name, winner in winners.items():
        wrong = lambda window, x, dout, winner=winner: (window, winner(x), dout)
        yield arguments(f"dx: {name}", BACKWARD, dispatch, "max_pool_dx", wrong)
    yield Mutant("dx: equal values share", BACKWARD, lambda: _several(0.5))
    yield Mutant("dx: all of equal values win", BACKWARD, lambda: _several(1.0))
    results: dict[str, Callable[[Array, PoolWindow], Array]] = {
        "shifted by one": lambda dx, window: np.roll(dx, 1, axis=-1),
        "the mean of the window": lambda dx, window: dx / math.prod(window.kernel),
    }
    for name, result in results.items():
        after = lambda dx, window, *rest, result=result: result(dx, window)
        yield answer(f"dx: {name}", BACKWARD, dispatch, "max_pool_dx", after)
    once = lambda window, x, dout: (window, x, np.sign(dout))
    yield arguments("dx: counts windows", BACKWARD, dispatch, "max_pool_dx", once)


def _several(share: float) -> Any:
    """Give the gradient to the first and to the last of equal values."""

    def wrap(function: Any) -> Any:
        def wrong(window: PoolWindow, x: Array, dout: Array) -> Array:
            first, last = function(window, x, dout), function(window, _rising(x), dout)
            both = np.where(first == last, first, share * (first + last))
            return np.asarray(both, dout.dtype)

        return wrong

    return replaced(dispatch, "max_pool_dx", wrap)


def _divisor(window: PoolWindow, include: bool) -> Array:
    counts = np.ones(())
    for axis in window.axes:
        own = [axis.divisor(o, include) for o in range(axis.out_size)]
        counts = counts[..., np.newaxis] * np.array(own)
    return np.asarray(np.maximum(counts, 1))


def _mean() -> Iterator[Mutant]:
    for name, include in (("never counts padding", False), ("always counts padding", True)):
        for method in ("avg_pool", "avg_pool_dx"):
            wrong = lambda window, x, flag, include=include: (window, x, include)
            aim = BACKWARD if method.endswith("dx") else FORWARD
            what = "dx" if method.endswith("dx") else "output"
            yield arguments(f"{what}: the divisor {name}", aim, dispatch, method, wrong)

    def total(result: Array, window: PoolWindow, x: Array, flag: bool) -> Array:
        return np.asarray(result * _divisor(window, flag), result.dtype)

    def kernel_size(result: Array, window: PoolWindow, x: Array, flag: bool) -> Array:
        return np.asarray(
            total(result, window, x, flag) / result.dtype.type(math.prod(window.kernel))
        )

    def overhang(result: Array, window: PoolWindow, x: Array, flag: bool) -> Array:
        return kernel_size(result, window, x, flag) if flag else result

    for name, change in (
        ("the divisor is the kernel's size", kernel_size),
        ("the divisor counts the overhang of ceil mode", overhang),
        ("the sum, not the mean", total),
    ):
        yield answer(f"output: {name}", FORWARD, dispatch, "avg_pool", change)
    given: dict[str, Callable[[PoolWindow, Array, bool], Array]] = {
        "not divided": lambda window, dout, flag: dout * _divisor(window, flag),
        "divided by the kernel's size": lambda window, dout, flag: (
            dout * _divisor(window, flag) / math.prod(window.kernel)
        ),
        "divided twice": lambda window, dout, flag: dout / _divisor(window, flag),
        "images in reverse": lambda window, dout, flag: dout[::-1],
    }
    for name, of in given.items():
        wrong = lambda window, dout, flag, of=of: (
            window,
            of(window, dout, flag).astype(dout.dtype),
            flag,
        )
        yield arguments(f"dx: {name}", BACKWARD, dispatch, "avg_pool_dx", wrong)
    shifted = lambda dx, *rest: np.roll(dx, 1, axis=-1)
    yield answer("dx: shifted by one", BACKWARD, dispatch, "avg_pool_dx", shifted)
    centre = lambda y, operator, inputs: np.roll(y, 1, axis=1)
    yield output(AveragePool, "of the next channel", centre)


def _space(x: Array) -> tuple[int, ...]:
    return tuple(range(2, x.ndim))


def _global_max() -> Iterator[Mutant]:
    outputs: dict[str, Callable[[Array], Array]] = {
        "NaN loses": lambda x: np.nanmax(x, axis=_space(x), keepdims=True),
        "smallest value": lambda x: x.min(axis=_space(x), keepdims=True),
        "largest absolute value": lambda x: np.abs(x).max(axis=_space(x), keepdims=True),
        "0 among the values": lambda x: x.max(axis=_space(x), keepdims=True, initial=0),
        "last row left out": lambda x: x[..., :-1].max(axis=_space(x), keepdims=True),
    }
    for name, change in outputs.items():
        yield output(GlobalMaxPool, name, lambda y, op, inputs, change=change: change(inputs[0]))
    winners: dict[str, Callable[[Array], Array]] = {
        "the last of equal values wins": _rising,
        "smallest value wins": lambda x: -x,
        "spread over all": lambda x: x * 0,
    }
    for name, winner in winners.items():
        wrong = lambda self, saved, douts, winner=winner: (self, winner(saved), douts)
        yield arguments(f"dx: {name}", BACKWARD, GlobalMaxPool, "backward", wrong)


def _global_mean() -> Iterator[Mutant]:
    outputs: dict[str, Callable[[Array], Array]] = {
        "sum": lambda x: x.sum(axis=_space(x), keepdims=True),
        "mean over the last axis alone": lambda x: _of_space(x, x.mean(axis=-1, keepdims=True)),
        "last row left out": lambda x: x[..., :-1].mean(axis=_space(x), keepdims=True),
        "mean of all channels": lambda x: np.broadcast_to(
            x.mean(axis=(1, *_space(x)), keepdims=True), (*x.shape[:2], *(1 for _ in _space(x)))
        ).copy(),
        "divisor one less": lambda x: (
            x.sum(axis=_space(x), keepdims=True) / x.dtype.type(math.prod(x.shape[2:]) - 1)
        ),
    }
    for name, change in outputs.items():
        yield output(GlobalAveragePool, name, lambda y, op, ins, change=change: change(ins[0]))
    grads: dict[str, Callable[[Array, Any], Array]] = {
        "not divided": lambda dx, saved: dx * dx.dtype.type(math.prod(saved[2:])),
        "at the first position alone": _first_alone,
        "divided by the batch": lambda dx, saved: dx / dx.dtype.type(saved[0] + 1),
    }
    for name, of in grads.items():
        yield gradient(GlobalAveragePool, 0, name, lambda dx, op, saved, dout, of=of: of(dx, saved))


def _of_space(x: Array, rows: Array) -> Array:
    return rows[(slice(None), slice(None), *(slice(0, 1) for _ in x.shape[2:]))]


def _first_alone(dx: Array, saved: Any) -> Array:
    out = np.zeros_like(dx)
    out[..., :1] = dx[..., :1]
    return out
