"""For which convolutions filters are, and what they take; see `faltung.kernels.cost`."""

from __future__ import annotations

from math import prod
from typing import Any, Final

import numpy as np

from faltung.geometry.window import ConvWindow
from faltung.kernels.cost import CALL, moved, products, results

FOUR: Final = 4
"""Outputs, and taps, of one of Toom-Cook's short correlations."""
SIZE: Final = 2 * FOUR - 1
"""Products of one short correlation."""
LEAST_TAPS: Final = 15
"""Along each axis, from where on Toom-Cook is considered."""
ROW: Final = 150.0
"""Cycles to begin and end with a row of a frame."""
STEPS: Final = {1: (256,), 2: (8, 32)}
"""Outputs, along each axis, of a register block: a plane is filled up to whole ones."""


def applies(window: Any, dtype: np.dtype[Any]) -> bool:
    """Whether filters are for this window: one channel a group, no stride, nothing cropped."""
    return (
        isinstance(window, ConvWindow)
        and dtype in (np.float32, np.float64)
        and len(window.axes) <= 2
        and window.group_in == 1
        and all(
            axis.stride == axis.dilation == 1
            and min(axis.pad_lo, axis.pad_hi) >= 0
            and axis.kernel <= axis.size + 64
            and max(axis.pad_lo, axis.pad_hi) < axis.kernel + 64
            for axis in window.axes
        )
    )


def applies_toom(window: Any, dtype: np.dtype[Any]) -> bool:
    """Whether the kernel is large enough, too, for Toom-Cook to be considered."""
    return applies(window, dtype) and min(window.kernel) >= LEAST_TAPS


def growth(window: Any) -> float:
    """Return by how much more than direct sums Toom-Cook rounds."""
    from faltung.kernels.toom_form import GROWTH

    return GROWTH ** len(window.axes)


def terms(window: Any) -> int:
    """Return how many terms an output sums, those of the matrices and the bias with them."""
    return int(prod(window.kernel)) + 16 * len(window.axes) + 1


def cycles(window: ConvWindow, dtype: np.dtype[Any], is_prepared: bool) -> float:
    """Frames in, and register blocks that are nine tenths busy."""
    outputs = window.out_channels * _whole(window, 1)
    return (
        CALL
        + products(outputs * prod(window.kernel), dtype, 0.85)
        + _moved(window, dtype)
        + results(window.out_shape, dtype)
    )


def cycles_toom(window: ConvWindow, dtype: np.dtype[Any], is_prepared: bool) -> float:
    """The same with fewer products, and each output to the points and back."""
    axes = len(window.axes)
    outputs = window.out_channels * _whole(window, FOUR)
    groups = prod(-(-k // FOUR) for k in window.kernel)
    halo = prod((64 + k) / 64 for k in window.kernel[:-1])
    kernels = window.out_channels * prod(window.kernel) * 8
    return (
        4 * CALL
        + products(outputs * groups * (SIZE / FOUR) ** axes, dtype, 0.8)
        + moved(outputs, dtype, (4.5 if axes == 2 else 2.5) * halo)
        + moved(kernels, dtype, 8.0)
        + results(window.out_shape, dtype)
    )


def _moved(window: ConvWindow, dtype: np.dtype[Any]) -> float:
    plane = prod(n + k - 1 for n, k in zip(window.out_space, window.kernel, strict=True))
    rows = prod(n + k - 1 for n, k in zip(window.out_space[:-1], window.kernel[:-1], strict=True))
    return moved(window.out_channels * plane, dtype, 0.5) + ROW * window.out_channels * rows


def _whole(window: ConvWindow, blocks: int) -> int:
    """Return the outputs of a plane, filled up to whole register blocks of so many times each."""
    sizes = zip(window.out_space, STEPS[len(window.axes)], strict=True)
    return prod(-(-n // (step * blocks)) * step * blocks for n, step in sizes)
