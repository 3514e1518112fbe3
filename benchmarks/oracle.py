"""What a task's result must be: sums of shifted products in float64, by NumPy alone."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.tasks import Task

Array = NDArray[Any]

LARGEST_ERROR = 1e-4
"""Of a float32 result, over the largest value: Winograd's stay far below, a wrong tap does not."""


def expected(task: Task) -> Array:
    """Return the result in float64."""
    if task.kind == "step":
        from benchmarks.steps import losses  # brings along what trains

        return losses(task)
    x, w = (a.astype(np.float64) for a in task.arrays())
    if task.kind == "signal":
        return _signal(x, w)
    if task.kind == "filter":
        return _rounded(_filter(x, w), task.dtype)
    if task.kind == "transposed":
        return _transposed(task, x, w)
    if task.what == "dx":
        return _dx(task, task.dout().astype(np.float64), w)
    if task.what == "dw":
        return _dw(task, x, task.dout().astype(np.float64))
    return _conv(task, x, w)


def error(task: Task, y: Array, kept: Path | None = None) -> float:
    """Return the largest error over the largest value; infinite for another shape or dtype.

    The first of several candidates leaves the result in a file, where the others find it.
    """
    wanted = np.load(kept) if kept and kept.exists() else expected(task)
    if kept and not kept.exists():
        np.save(kept, wanted)
    if y.shape != wanted.shape or y.dtype != np.dtype(task.dtype):
        return float("inf")
    found = np.abs(y - wanted).max(initial=0.0)
    if task.dtype == "uint8":  # a half may be rounded either way
        found = max(0.0, found - 1.0)
    worst = float(found / np.abs(wanted).max(initial=1e-300))
    return worst if np.isfinite(worst) else float("inf")


def _conv(task: Task, x: Array, w: Array) -> Array:
    y = np.zeros(task.y_shape)
    padded = _padded(task, x)
    for taps, window in _windows(task):
        seen = _grouped(padded[(..., *window)], task.groups)
        weights = w[(..., *taps)].reshape(task.groups, -1, w.shape[1])
        y += _products(weights, seen).reshape(y.shape)
    return y


def _dx(task: Task, dout: Array, w: Array) -> Array:
    x_shape, groups = task.x_shape, task.groups
    padded = np.zeros((*x_shape[:2], *_padded_space(task)))
    sums = _grouped(dout, groups)
    for taps, window in _windows(task):
        weights = w[(..., *taps)].reshape(groups, -1, w.shape[1]).transpose(0, 2, 1)
        padded[(..., *window)] += _products(weights, sums).reshape(*x_shape[:2], *dout.shape[2:])
    inner = (slice(p, p + n) for p, n in zip(task.padding, task.space, strict=True))
    return padded[(..., *inner)]


def _dw(task: Task, x: Array, dout: Array) -> Array:
    dw = np.zeros(task.w_shape)
    padded, sums = _padded(task, x), _grouped(dout, task.groups)
    for taps, window in _windows(task):
        seen = _grouped(padded[(..., *window)], task.groups).transpose(0, 1, 3, 2)
        dw[(..., *taps)] = np.matmul(sums, seen).sum(0).reshape(task.w_shape[:2])
    return dw


def _transposed(task: Task, x: Array, w: Array) -> Array:
    """The dx of the convolution whose input is our output."""
    fields = task.as_json() | {"kind": "conv", "x_shape": task.y_shape}
    return _dx(Task.from_json(fields), x, w)


def _filter(x: Array, w: Array) -> Array:
    """Correlation, the middle entry (the later one of two) over the position itself."""
    before = [n // 2 for n in w.shape]
    pads = [(b, n - 1 - b) for b, n in zip(before, w.shape, strict=True)]
    padded = np.pad(x, pads)
    if w.size > 200:  # far above the error that is looked for, and exact to 1e-13
        size = [a + b - 1 for a, b in zip(padded.shape, w.shape, strict=True)]
        full = np.fft.irfft2(np.fft.rfft2(padded, size) * np.fft.rfft2(w[::-1, ::-1], size), size)
        return full[tuple(slice(k - 1, k - 1 + n) for k, n in zip(w.shape, x.shape, strict=True))]
    y = np.zeros(x.shape)
    for at in np.ndindex(w.shape):
        y += w[at] * padded[tuple(slice(k, k + n) for k, n in zip(at, x.shape, strict=True))]
    return y


def _signal(x: Array, w: Array) -> Array:
    """Convolution, the middle of it."""
    size = len(x) + len(w) - 1
    full = np.fft.irfft(np.fft.rfft(x, size) * np.fft.rfft(w, size), size)
    start = (len(w) - 1) // 2
    return full[start : start + len(x)]


def _rounded(y: Array, dtype: str) -> Array:
    return np.clip(np.rint(y), 0, 255) if dtype == "uint8" else y


def _padded_space(task: Task) -> list[int]:
    return [n + 2 * p for n, p in zip(task.space, task.padding, strict=True)]


def _padded(task: Task, x: Array) -> Array:
    return np.pad(x, [(0, 0), (0, 0), *((p, p) for p in task.padding)])


def _windows(task: Task) -> Any:
    """Each tap of the kernel, with what it sees of the padded input."""
    out = task.y_shape[2:]
    for taps in product(*(range(k) for k in task.kernel)):
        yield (
            taps,
            tuple(
                slice(k * d, k * d + (n - 1) * s + 1, s)
                for k, d, n, s in zip(taps, task.dilation, out, task.stride, strict=True)
            ),
        )


def _products(weights: Array, columns: Array) -> Array:
    if min(weights.shape[1:]) == 1:  # depthwise: BLAS has nothing to gain
        return np.einsum("goi,ngip->ngop", weights, columns)
    return np.matmul(weights, columns)


def _grouped(x: Array, groups: int) -> Array:
    """As (N, groups, channels of one, positions)."""
    return np.ascontiguousarray(x).reshape(len(x), groups, x.shape[1] // groups, -1)
