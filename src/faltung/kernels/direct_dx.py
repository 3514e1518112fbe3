"""The gradient of the input by direct convolutions: one for each phase of the stride.

Products with the zeros that a stride puts between the values of `dout` are left out: the positions
``first + m * stride`` of dx are a correlation of stride 1 of `dout` with those taps alone that come
to them (`geometry.adjoint`). A stride of 2 costs a quarter of what the stuffed convolution does.
"""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faltung.geometry.adjoint import GradientPhase, data_gradient_phases
from faltung.geometry.window import ConvWindow
from faltung.kernels import memory, numpy_conv
from faltung.kernels.blocks import last_axes
from faltung.kernels.direct_call import conv

Array = NDArray[Any]


def conv_dx(window: ConvWindow, dout: Array, w: Array) -> Array:
    """Return the gradient of the input: ``dx[i] = Σ dout[o] w[k]`` over all (o, k) that read i.

    Parameters
    ----------
    window : ConvWindow
        Of the forward convolution.
    dout : array (N, O, *out_space), float32 or float64
        Gradient of the output.
    w : array (O, C/groups, *kernel), of the same dtype
        Weights.
    """
    if not np.isfinite(w).all():
        # Zeros around dout must not meet infinite weights: those are added tap by tap.
        return numpy_conv.conv_dx(window, dout, w)
    dx = memory.empty(window.x_shape, dout.dtype)
    for phases in product(*(data_gradient_phases(axis) for axis in window.axes)):
        places = (slice(p.first, None, a.stride) for p, a in zip(phases, window.axes, strict=True))
        dx[last_axes(places)] = _phase(window, dout, w, phases)
    return dx


def _phase(
    window: ConvWindow, dout: Array, w: Array, phases: tuple[GradientPhase, ...]
) -> Array | float:
    """Return the positions of one phase; 0 where no tap reaches them."""
    if not all(phase.taps for phase in phases):
        return 0.0
    adjoint = ConvWindow(
        axes=tuple(phase.window for phase in phases),
        batch=window.batch,
        in_channels=window.out_channels,
        out_channels=window.in_channels,
        groups=window.groups,
    )
    grouped = w.reshape(window.groups, window.group_out, window.group_in, *window.kernel)
    for axis, phase in enumerate(phases, start=3):
        grouped = grouped.take(phase.taps, axis)
    return conv(adjoint, dout, grouped.swapaxes(1, 2).reshape(adjoint.w_shape))
