"""The direct gradient of the input as the registry calls it: sizes, memory, threads, weights."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from itertools import product
from math import prod
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from faltung.geometry.window import ConvWindow
from faltung.kernels import direct_call, memory, numpy_conv
from faltung.kernels.direct_call import BLOCKS, ENOUGH, STRIP_BYTES, TOGETHER, cut_of
from faltung.kernels.direct_dx import FIELDS, gradient_block
from faltung.kernels.epilogue import PLAIN, Epilogue
from faltung.kernels.finite import is_finite
from faltung.kernels.isa import Isa, required_isa
from faltung.kernels.launch import launch
from faltung.kernels.packing import pack
from faltung.kernels.pointwise_call import no_bias, residual_of
from faltung.kernels.reaches import reaches, three_axes
from faltung.kernels.rectangle import STRIDE
from faltung.kernels.tile import channels_together, vectors_together
from faltung.kernels.winograd_cost import adjoint

Array = NDArray[Any]

ROW: Final = "conv_dx_direct_any_nchw"


class Layout(NamedTuple):
    """How the work of one geometry is cut, and what the fields hold but for the addresses."""

    form: dict[str, Any]
    blocks: int
    fields: dict[str, int]
    tables: dict[str, Array]


def conv_dx(
    window: ConvWindow,
    dout: Array,
    w: Array,
    b: Array | None = None,
    *,
    out: Array | None = None,
    packed: Array | None = None,
    epilogue: Epilogue = PLAIN,
) -> Array:
    """Return the gradient of the input: ``dx[i] = Σ dout[o] w[k]`` over all (o, k) that read i.

    Parameters
    ----------
    window : ConvWindow
        Of the forward convolution.
    dout : array (N, O, *out_space), float32 or float64
        Gradient of the output.
    w : array (O, C/groups, *kernel), of the same dtype
        Weights.
    b : array (C,), optional
        Added to each channel, as a transposed convolution does.
    out, epilogue
        As of `direct_call.conv`.
    packed : array, optional
        What `packed_for_dx` gave for these weights, which all that is done to an output before it
        is stored needs.
    """
    if packed is None and not is_finite(w):
        # Zeros around dout must not meet infinite weights: those are added tap by tap.
        dx = numpy_conv.conv_dx(window, dout, w)
        return dx if b is None else dx + b.reshape(-1, *(1 for _ in window.axes))
    isa = required_isa(ROW)
    dx = memory.empty(window.x_shape, dout.dtype) if out is None else out
    if not dx.size:
        return dx
    packed = packed_for_dx(window, w) if packed is None else packed
    if set(window.stride) == {1}:
        back = adjoint(window)
        weights = packed.reshape(back.w_shape)
        return direct_call.conv(back, dout, weights, b, out=dx, epilogue=epilogue)
    layout = _layout(window, dout.dtype, isa)
    channels = window.in_channels
    arrays = {
        "x": np.ascontiguousarray(dout),
        "w": packed,
        "bias": no_bias(channels, dout.dtype) if b is None else np.ascontiguousarray(b),
        "y": dx,
        "residual": residual_of(epilogue, dx),
        **layout.tables,
    }
    form = layout.form | epilogue.constants | {"adds": epilogue.residual is not None}
    launch(gradient_block, isa, FIELDS, layout.fields, arrays, layout.blocks, **form)
    return dx


def packed_for_dx(window: ConvWindow, w: Array) -> Array:
    """Return weights as `conv_dx` reads them: phase after phase, channel of x, channel of dout."""
    return pack(w, _weights(window), required_isa(ROW), width=1, channels=1, step=0).ravel()


@lru_cache(256)
def _layout(window: ConvWindow, dtype: np.dtype[Any], isa: Isa) -> Layout:
    axes = depth, rows, columns = reaches(window, is_backward=True)
    lanes = isa.lanes(dtype.itemsize)
    channels = channels_together(isa, window.group_in)
    phases_x = len(columns.phases)
    planes = window.batch * window.groups * depth.grid
    wanted = min(BLOCKS, -(-window.macs // ENOUGH)) / max(1, planes)
    copied = depth.span * columns.span
    each = window.group_out * copied + phases_x * channels
    more_rows = rows.span - 1
    fitting = STRIP_BYTES // (each * dtype.itemsize)
    cut = cut_of(rows.grid, columns.grid, fitting, more_rows, wanted, 4 * lanes)
    strips, segments = -(-rows.grid // cut.rows), -(-columns.grid // cut.columns)
    vectors = vectors_together(isa, channels, 1, cut.rows * cut.columns, lanes)
    strip_rows, slack = cut.rows + more_rows, vectors * lanes
    # Up to a vector is written past the end of a plane, and a block of vectors read.
    plane_size = strip_rows * cut.columns + lanes
    channel_size = copied * plane_size
    sums_offset = window.group_out * channel_size + slack
    sums_size = cut.rows * cut.columns + lanes
    partial_offset = sums_offset + phases_x * channels * sums_size
    offsets: list[int] = []
    counts: list[tuple[int, int]] = []
    for phase in product(depth.phases, rows.phases, columns.phases):
        before = len(offsets)
        offsets += [
            c * channel_size + (dz * columns.span + dx) * plane_size + dy * cut.columns
            for c in range(window.group_out)
            for (_, dz), (_, dy), (_, dx) in product(*phase)
        ]
        counts.append((before, len(offsets) - before))
    fields = {
        **_by_axis("", (axis.source for axis in axes)),
        **_by_axis("out_", (axis.result for axis in axes)),
        **_by_axis("grid_", (axis.grid for axis in axes)),
        **{f"phases_{n}": len(axis.phases) for n, axis in zip("zyx", axes, strict=True)},
        **{f"pad_{n}": axis.lead for n, axis in zip("zyx", axes, strict=True)},
        **dict.fromkeys(("stride_z", "stride_y", "stride_x", "dilation_z", "dilation_x"), 1),
        **dict.fromkeys(("row_phases", "parts", "part_panels"), 1),
        "groups": window.groups,
        "group_in": window.group_out,
        "group_out": window.group_in,
        "taps": len(offsets),
        "kernel_depth": depth.span,
        "columns": columns.span,
        "strips": strips,
        "strip_rows": cut.rows,
        "segments": segments,
        "rows": strip_rows,
        "pitch": cut.columns,
        "plane_size": plane_size,
        "channel_size": channel_size,
        "sums_offset": sums_offset,
        "sums_size": sums_size,
        "partial_offset": partial_offset,
        "scratch_size": partial_offset + channels * slack,
    }
    form = {
        "channels": channels,
        "vectors": vectors,
        "stride": phases_x if phases_x <= STRIDE else 0,
        "together": -(-columns.span // -(-columns.span // TOGETHER)),
    }
    given = {"offsets": offsets, "counts": counts, "phases": [0]}
    tables = {n: memory.constant(np.array(table, np.int64)) for n, table in given.items()}
    return Layout(form, planes * strips * segments, fields, tables)


def _by_axis(name: str, sizes: Iterable[int]) -> dict[str, int]:
    return {f"{name}{n}": s for n, s in zip(("depth", "height", "width"), sizes, strict=True)}


@lru_cache(64)
def _weights(window: ConvWindow) -> Array:
    """Return where weights are: phase after phase, group, channel of x, channel of dout, tap."""
    _, rows, columns = (axis.kernel for axis in three_axes(window.axes))
    group_in, taps = window.group_in, prod(window.kernel)
    places = np.arange(prod(window.w_shape)).reshape(
        window.groups, window.group_out, group_in, taps
    )
    found = []
    for phase in product(*(axis.phases for axis in reaches(window, is_backward=True))):
        own = [(kz * rows + ky) * columns + kx for (kz, _), (ky, _), (kx, _) in product(*phase)]
        found.append(places[..., own].swapaxes(1, 2).ravel())
    return memory.constant(np.concatenate(found))
