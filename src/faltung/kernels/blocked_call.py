"""The blocked direct convolution as the registry calls it: sizes, memory, threads, weights."""

from __future__ import annotations

from functools import lru_cache
from itertools import product
from math import prod
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from faltung.geometry.window import ConvWindow
from faltung.kernels import memory, numpy_conv
from faltung.kernels.blocked import FIELDS, convolve_block
from faltung.kernels.blocked_schedule import cut_of
from faltung.kernels.cost import OWN
from faltung.kernels.epilogue import PLAIN, Epilogue
from faltung.kernels.finite import is_finite
from faltung.kernels.isa import Isa, required_isa
from faltung.kernels.launch import launch
from faltung.kernels.packing import Runs, pack, runs_of
from faltung.kernels.panels import Panels, panels_of
from faltung.kernels.pointwise_call import no_bias, residual_of
from faltung.kernels.reaches import Reach, reaches, three_axes
from faltung.kernels.threads import num_threads

Array = NDArray[Any]

ROW: Final = "conv_blocked_any_nchw"
NEAR_BYTES: Final = 512 * 1024
"""Weights that stay in that cache: of more, the next ones are fetched ahead."""


class Layout(NamedTuple):
    """How the work of one geometry is cut, and what the fields hold but for the addresses."""

    blocks: int
    fields: dict[str, int]
    tables: dict[str, Array]
    form: dict[str, Any]
    dtype: np.dtype[Any]


def conv(
    window: ConvWindow,
    x: Array,
    w: Array,
    b: Array | None = None,
    *,
    out: Array | None = None,
    packed: Array | None = None,
    epilogue: Epilogue = PLAIN,
) -> Array:
    """Convolve; ``y[n, co] = b[co] + Σ w[co, ci, k] x[n, ci, o·stride + k·dilation - pad]``.

    Parameters
    ----------
    window : ConvWindow
        The geometry.
    x : array (N, C, *space), float32 or float64
        Input.
    w : array (O, C/groups, *kernel), of the same dtype
        Weights.
    b : array (O,), optional
        Bias.
    out : array (N, O, *out_space), C-contiguous, optional
        Where the result goes.
    packed : array, optional
        What `packed_weights` gave for these weights.
    epilogue : Epilogue, optional
        What is done to each output before it is stored.

    Raises
    ------
    KernelError
        Nothing can be compiled for this CPU.
    """
    y = memory.empty(window.out_shape, x.dtype) if out is None else out
    return _run(window, x, w, packed, b, y, epilogue, is_backward=False)


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
    out, packed, epilogue
        As of `conv`; ``packed`` is what `packed_for_dx` gave, which all that is done to an output
        before it is stored needs.
    """
    if packed is None and not is_finite(w):
        # Zeros around dout must not meet infinite weights: those are added tap by tap.
        dx = numpy_conv.conv_dx(window, dout, w)
        return dx if b is None else dx + b.reshape(-1, *(1 for _ in window.axes))
    dx = memory.empty(window.x_shape, dout.dtype) if out is None else out
    return _run(window, dout, w, packed, b, dx, epilogue, is_backward=True)


def packed_weights(window: ConvWindow, w: Array) -> Array:
    """Return weights as `conv` reads them: by panel, block of channels and tap, channel."""
    return _packed(window, w, is_backward=False)


def packed_for_dx(window: ConvWindow, w: Array) -> Array:
    """Return weights as `conv_dx` reads them, phase by phase."""
    return _packed(window, w, is_backward=True)


# Inside -------------------------------------------------------------------------------------


def _run(
    window: ConvWindow,
    source: Array,
    w: Array,
    packed: Array | None,
    b: Array | None,
    result: Array,
    epilogue: Epilogue,
    *,
    is_backward: bool,
) -> Array:
    isa = required_isa(ROW)
    if not result.size:
        return result
    is_packed = packed is not None
    layout = _layout(window, source.dtype, isa, is_backward, num_threads(), is_packed)
    if packed is None and layout.form["is_packed"]:
        packed = _packed(window, w, is_backward)
    arrays = {
        "x": np.ascontiguousarray(source),
        "w": np.ascontiguousarray(w) if packed is None else packed,
        "bias": _bias(window, b, layout, isa.lanes(source.dtype.itemsize)),
        "y": result,
        "residual": residual_of(epilogue, result),
        **layout.tables,
    }
    form = layout.form | epilogue.constants | {"adds": epilogue.residual is not None}
    launch(convolve_block, isa, FIELDS, layout.fields, arrays, layout.blocks, **form)
    return result


def _bias(window: ConvWindow, b: Array | None, layout: Layout, lanes: int) -> Array:
    """Return the biases in the order of the panels' channels."""
    width, channels = layout.form["vectors"] * lanes, layout.fields["group_out"]
    if b is None:
        return no_bias(window.groups * layout.fields["panels"] * width, layout.dtype)
    sizes = {"width": width, "channels": channels, "step": 1, "group_step": channels}
    return pack(b, _one(), required_isa(ROW), groups=window.groups, **sizes)


@lru_cache(1)
def _one() -> Array:
    return _constant([0])


def _channels(window: ConvWindow, is_backward: bool) -> tuple[int, int]:
    """Return how many channels of a group are summed over, and how many are computed."""
    sides = window.group_in, window.group_out
    return sides[::-1] if is_backward else sides


def _packed(window: ConvWindow, w: Array, is_backward: bool) -> Array:
    isa = required_isa(ROW)
    lanes, taps = isa.lanes(w.dtype.itemsize), prod(window.kernel)
    summed, computed = _channels(window, is_backward)
    near, far = taps, window.group_in * taps
    places, runs = _places(window, isa, lanes, is_backward)
    return pack(
        w,
        places,
        isa,
        width=panels_of(lanes, summed, computed).vectors * lanes,
        channels=computed,
        step=near if is_backward else far,
        groups=window.groups,
        group_step=window.group_out * far,
        runs=runs,
    )


@lru_cache(64)
def _places(
    window: ConvWindow, isa: Isa, lanes: int, is_backward: bool
) -> tuple[Array, Runs | None]:
    """Return where the weights of a panel's first channel are, in the order of its blocks."""
    summed, computed = _channels(window, is_backward)
    panels, taps = panels_of(lanes, summed, computed), prod(window.kernel)
    step = window.group_in * taps if is_backward else taps
    _, rows, columns = (axis.kernel for axis in three_axes(window.axes))
    channels = np.arange(panels.length)

    def taps_of(phase: Any) -> list[int]:
        return [(kz * rows + ky) * columns + kx for (kz, _), (ky, _), (kx, _) in product(*phase)]

    places = [
        np.where(first + channels < summed, (first + channels) * step + tap, -1)
        for phase in product(*(axis.phases for axis in reaches(window, is_backward=is_backward)))
        for first in range(0, panels.in_blocks * panels.length, panels.length)
        for tap in taps_of(phase)
    ]
    table = _constant(np.concatenate(places) if places else np.zeros(0))
    far = window.group_in * taps
    if not is_backward:
        return table, runs_of(table, 1, far, far)
    # Transposes of fewer taps than there are lanes would be half empty.
    return table, runs_of(table, summed, taps, far) if taps >= lanes else None


def _constant(values: Any) -> Array:
    """Return integers that depend on the geometry alone, and that nobody changes."""
    return memory.constant(np.array(values, np.int64))


@lru_cache(256)
def _layout(
    window: ConvWindow,
    dtype: np.dtype[Any],
    isa: Isa,
    is_backward: bool,
    threads: int,
    is_packed: bool,
) -> Layout:
    axes = depth, rows, columns = reaches(window, is_backward=is_backward)
    lanes, (summed, computed) = isa.lanes(dtype.itemsize), _channels(window, is_backward)
    panels = panels_of(lanes, summed, computed)
    cut = cut_of(window, axes, panels, isa, dtype.itemsize, threads)
    pitch = (cut.pixels - 1) * columns.step + columns.span
    plane_rows = (cut.strip_rows - 1) * rows.step + rows.span
    # A transposed row may end with a square more than it has room for: the next one covers it.
    plane_size = plane_rows * pitch * lanes
    planes = depth.distances
    tables = _tables(axes, panels, planes, plane_size, pitch * lanes, lanes)
    strip = panels.in_blocks * len(planes) * plane_size + lanes * lanes
    width = panels.vectors * lanes
    out = cut.strip_rows * cut.pixels * len(columns.phases) * width + lanes * width
    strips, segments = -(-rows.grid // cut.strip_rows), -(-columns.grid // cut.segment)
    parts = -(-panels.panels // cut.part_panels)
    fields = {
        **dict(zip(("depth", "height", "width"), (a.source for a in axes), strict=True)),
        **{f"out_{n}": a.result for n, a in zip(("depth", "height", "width"), axes, strict=True)},
        **{f"grid_{n}": a.grid for n, a in zip(("depth", "height", "width"), axes, strict=True)},
        **{f"step_{n}": a.step for n, a in zip("zyx", axes, strict=True)},
        **{f"lead_{n}": a.lead for n, a in zip("zyx", axes, strict=True)},
        **{f"phases_{n}": len(a.phases) for n, a in zip("zyx", axes, strict=True)},
        "groups": window.groups,
        "group_in": summed,
        "group_out": computed,
        "in_blocks": panels.in_blocks,
        "panels": panels.panels,
        "blocks": len(tables["offsets"]),
        "span_y": rows.span,
        "plane_count": len(planes),
        "plane_size": plane_size,
        "pitch": pitch,
        "strip_rows": cut.strip_rows,
        "strips": strips,
        "segment": cut.segment,
        "segments": segments,
        "pixels": cut.pixels,
        "wide_pixels": cut.wide_pixels,
        "parts": parts,
        "part_panels": cut.part_panels,
        "out_offset": strip,
        "scratch_size": strip + out,
    }
    places, runs = _places(window, isa, lanes, is_backward)
    weights = prod(window.w_shape) // window.groups
    cuts = window.batch * depth.grid * strips * segments
    # Where one block uses a panel's weights, it packs them itself if they stay near.
    near = (strip + out + len(places) * width) * dtype.itemsize
    is_packed = is_packed or cuts > 1 or runs is None or near > OWN
    tables["targets"] = places if runs is None else runs.targets
    fields |= _given(window, runs, is_backward, strip + out, len(places) * width)
    if not is_packed:
        fields["scratch_size"] = fields["square_offset"] + lanes * lanes
    form = {
        "is_packed": is_packed,
        "pixels": cut.together,
        "uneven": cut.wide_pixels < cut.pixels,
        "vectors": panels.vectors,
        "length": panels.length,
        "step": columns.step * lanes,
        "prefetches": is_packed and weights * dtype.itemsize > NEAR_BYTES,
    }
    blocks = cuts * window.groups * parts
    return Layout(blocks, fields, tables, form, dtype)


def _given(
    window: ConvWindow, runs: Runs | None, is_backward: bool, start: int, size: int
) -> dict[str, int]:
    """Return how weights lie as they are given, and where a panel of that size is packed."""
    taps, far = prod(window.kernel), window.group_in * prod(window.kernel)
    return {
        "step": taps if is_backward else far,
        "group_step": window.group_out * far,
        "runs": runs.runs if runs else 0,
        "run": runs.size if runs else 0,
        "run_step": runs.step if runs else 0,
        "near_offset": start,
        "square_offset": start + size,
    }


def _tables(
    axes: tuple[Reach, ...],
    panels: Panels,
    planes: tuple[int, ...],
    plane_size: int,
    row: int,
    lanes: int,
) -> dict[str, Array]:
    """Return the taps' distances in a strip, where each phase's begin, and the planes' own."""
    offsets: list[int] = []
    phases: list[tuple[int, int]] = []
    for phase in product(*(axis.phases for axis in axes)):
        before = len(offsets)
        offsets += [
            (block * len(planes) + planes.index(dz)) * plane_size + dy * row + dx * lanes
            for block in range(panels.in_blocks)
            for (_, dz), (_, dy), (_, dx) in product(*phase)
        ]
        phases.append((before, len(offsets) - before))
    given = {"offsets": offsets, "phases": phases, "planes": planes}
    return {name: _constant(values) for name, values in given.items()}
