"""Convolutions whose groups have one input channel, as filters: an image, or large depthwise ones.

Every output channel is then one input channel filtered with one kernel, and the kernels of
`filters` do it: directly, or by Toom-Cook where the kernel is large.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from faltung.geometry.window import ConvWindow
from faltung.kernels.filter2d_call import filter_images
from faltung.kernels.taps1d_call import filter_signals
from faltung.kernels.toom1d_call import toom_signals
from faltung.kernels.toom2d_call import toom_images

Array = NDArray[Any]


def conv(window: ConvWindow, x: Array, w: Array, b: Array | None = None) -> Array:
    """Convolve channel by channel with direct sums, pixels in the lanes."""
    return _conv(window, x, w, b, is_toom=False)


def conv_toom(window: ConvWindow, x: Array, w: Array, b: Array | None = None) -> Array:
    """Convolve channel by channel with 7 products for 16 along each axis."""
    return _conv(window, x, w, b, is_toom=True)


def _conv(window: ConvWindow, x: Array, w: Array, b: Array | None, *, is_toom: bool) -> Array:
    planes = np.ascontiguousarray(x).reshape(window.batch * window.in_channels, *window.space)
    kernels, pads = w.reshape(window.out_channels, *window.kernel), window.pads
    y: Array
    if len(window.axes) == 1:
        one = toom_signals if is_toom else filter_signals
        y = one(planes, kernels, pads[0], share=window.group_out)
    else:
        two = toom_images if is_toom else filter_images
        y = two(planes, kernels, (pads[0], pads[1]), share=window.group_out)
    y = y.reshape(window.out_shape)
    if b is not None:
        y += b.reshape(-1, *[1] * len(window.axes))
    return y
