"""The gradient of the weights as the registry calls it: sizes, runs, memory, threads."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from faltung.geometry.window import ConvWindow
from faltung.kernels import direct_call, numpy_conv
from faltung.kernels.direct_dw import MORE, gradient_block
from faltung.kernels.isa import Isa, required_isa
from faltung.kernels.launch import launch
from faltung.kernels.strips import FIELDS

Array = NDArray[Any]

RUNS: Final = 16
"""How many sums there are over the batch, at most; they are added in float64."""
RUN_BYTES: Final = 64 * 2**20
"""What the sums of all runs should take at most."""
WIDE: Final = (4, 4)
NARROW: Final = (2, 4)
"""Output channels and taps whose sums fit 32 and 16 registers, beside what they are made from."""


class Layout(NamedTuple):
    """How the work of one geometry is cut, and what the fields hold but for the addresses."""

    channels: int
    taps: int
    split: int
    blocks: int
    sums: tuple[int, int, int, int, int]
    fields: dict[str, int]
    offsets: Array
    phases: Array


def conv_dw(window: ConvWindow, x: Array, dout: Array) -> Array:
    """Return the gradient of the weights: ``dw[co, ci, k] = Σ_n Σ_o dout[n, co, o] x[n, ci, ·]``.

    Parameters
    ----------
    window : ConvWindow
        Of the forward convolution.
    x : array (N, C, *space), float32 or float64
        Its input.
    dout : array (N, O, *out_space), of the same dtype
        Gradient of its output.
    """
    isa = required_isa("conv_dw_direct_any_nchw")
    if not dout.size or not x.size:
        return numpy_conv.conv_dw(window, x, dout)
    layout = _layout(window, x.dtype, isa)
    partial = np.zeros(layout.sums, x.dtype)
    arrays = {
        "x": np.ascontiguousarray(x),
        "dout": np.ascontiguousarray(dout),
        "partial": partial,
        "offsets": layout.offsets,
        "phases": layout.phases,
    }
    names = (*FIELDS, *MORE)
    constants: dict[str, Any] = {
        "channels": layout.channels,
        "taps": layout.taps,
        "split": layout.split,
    }
    launch(gradient_block, isa, names, layout.fields, arrays, layout.blocks, **constants)
    dw = _combined(window, partial, layout).astype(x.dtype)
    # A zero in a gap must not meet an infinite pixel: where there is one, all is done by columns.
    return dw if np.isfinite(dw).all() else numpy_conv.conv_dw(window, x, dout)


def _combined(window: ConvWindow, partial: Array, layout: Layout) -> Array:
    """Add the runs in their order, and put each weight in its place."""
    runs, groups, panels, tap_panels, _ = layout.sums
    used = partial[..., : layout.channels * layout.taps]
    total = np.zeros(used.shape[1:], np.float64)
    for run in range(runs):
        total += used[run]
    shape = (groups, panels, tap_panels, layout.channels, layout.taps)
    by_channel = total.reshape(shape).transpose(0, 1, 3, 2, 4)
    flat = by_channel.reshape(groups, panels * layout.channels, tap_panels * layout.taps)
    return flat[:, : window.group_out, : window.reduction].reshape(window.w_shape)


@lru_cache(256)
def _layout(window: ConvWindow, dtype: np.dtype[Any], isa: Isa) -> Layout:
    lanes = isa.lanes(dtype.itemsize)
    channels, taps = WIDE if isa.registers >= 32 else NARROW
    forward = direct_call.strip_layout(window, dtype, lanes)
    fields = forward.fields
    distance = -(-fields["strip_rows"] * fields["pitch"] // lanes) * lanes
    panels = -(-window.group_out // channels)
    tap_panels = -(-len(forward.offsets) // taps)
    # Taps that are not there read the first one's pixels; their sums are left out.
    filler = np.zeros(tap_panels * taps - len(forward.offsets), np.int64)
    steps = window.batch * fields["out_depth"] * fields["strips"]
    sums = -(-channels * taps // lanes) * lanes
    run_bytes = window.groups * panels * tap_panels * sums * dtype.itemsize
    runs = max(1, min(RUNS, steps, RUN_BYTES // run_bytes))
    parts = min(panels, -(-RUNS // runs))
    part_panels = -(-panels // parts)
    # Rounded up, fewer parts may hold all panels: one behind them would write where nothing is.
    parts = -(-panels // part_panels)
    strip_size = forward.size + distance
    unread = dict.fromkeys(("w", "bias", "y", "out_offset", "out_pitch"), 0)
    fields = (
        unread
        | fields
        | {
            "runs": runs,
            "parts": parts,
            "part_panels": part_panels,
            "steps": steps,
            "tap_panels": tap_panels,
            "dout_offset": strip_size,
            "distance": distance,
            "strip_size": strip_size,
            "scratch_size": strip_size + part_panels * channels * distance,
        }
    )
    return Layout(
        *(channels, taps, forward.split, runs * parts),
        (runs, window.groups, panels, tap_panels, sums),
        fields,
        np.concatenate([forward.offsets, filler]),
        forward.phases,
    )
