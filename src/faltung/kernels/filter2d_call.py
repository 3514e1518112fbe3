"""Filters of one channel as others call them: sizes to fields, memory, threads."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from faltung.kernels import memory
from faltung.kernels.filter2d import FIELDS, RUN, filter_block
from faltung.kernels.frames import column_table, row_table
from faltung.kernels.isa import Isa, required_isa
from faltung.kernels.launch import launch
from faltung.kernels.pixels import KINDS

Array = NDArray[Any]
Pads = tuple[tuple[int, int], tuple[int, int]]

FRAME_BYTES: Final = 512 * 1024
"""What a frame should take at most: half of a core's second-level cache of most machines."""


class Shape(NamedTuple):
    """What decides how a filter's work is cut.

    ``size`` and ``out`` are (images, rows, numbers in a row), ``step`` is how many channels lie
    side by side, ``pads`` counts pixels. Of so many ``kernels`` each image meets ``share`` in turn.
    """

    size: tuple[int, int, int]
    out: tuple[int, int, int]
    kernel: tuple[int, int]
    pads: Pads
    border: str
    step: int
    kernels: int = 1
    share: int = 1


class Layout(NamedTuple):
    """How the work is cut: a register block, how many blocks, and `FIELDS` but for addresses."""

    rows: int
    vectors: int
    blocks: int
    fields: dict[str, int]


def reads(dtype: np.dtype[Any]) -> bool:
    """Whether filters take images of this dtype as they are."""
    return dtype in KINDS and dtype != np.int64


def filter_images(
    x: Array,
    w: Array,
    pads: Pads,
    border: str = "zeros",
    *,
    channels: int = 1,
    share: int = 1,
    dtype: np.dtype[Any] | None = None,
) -> Array:
    """Filter images with one kernel, which is not flipped.

    ``y[n, oy, ox, c] = Σ w[ky, kx] x[n, oy + ky - pad, ox + kx - pad, c]``

    Parameters
    ----------
    x : array (N, H, W * channels)
        Of a dtype that `reads` names.
    w : array (kh, kw) or (K, kh, kw), float32 or float64
        The kernel; its dtype is the one that sums are taken in. Of several the outputs take one
        after the other, and begin anew behind the last.
    pads
        How much stands before and behind, rows then columns; at least 0.
    border
        One of `faltung.geometry.border.BORDERS`.
    channels
        How many lie side by side in a row.
    share
        How many outputs each image has.
    dtype
        Of the result, that of `w` by default. To smaller integers a sum is rounded, halves to the
        even number, and clipped; it must be finite then.

    Returns
    -------
    array (N * share, H + pads - kh + 1, (W + pads - kw + 1) * channels)
    """
    isa = required_isa("filter2d")
    to = np.dtype(dtype or w.dtype)
    shape = shape_of(x, w, pads, border, channels, share)
    y = memory.empty(shape.out, to)
    if not y.size:
        return y
    layout = _layout(shape, w.dtype, isa)
    arrays = {"x": x, "w": packed_kernel(w), "y": y, **tables(shape, layout.fields)}
    run(filter_block, isa, FIELDS, layout, arrays, tail=shape.kernel[0] % RUN)
    return y


def run(
    block: Any,
    isa: Isa,
    names: Sequence[str],
    layout: Layout,
    arrays: dict[str, Array],
    **more: Any,
) -> None:
    """Launch a kernel that reads and writes numbers of other types than it sums."""
    kinds = {"kind": KINDS[arrays["x"].dtype], "to": KINDS[arrays["y"].dtype]}
    cut = {"rows": layout.rows, "vectors": layout.vectors}
    arrays = {**arrays, "source": np.ascontiguousarray(arrays["x"])}
    number = arrays["w"].dtype
    given = (block, isa, names, layout.fields, arrays, layout.blocks, number)
    launch(*given, **(cut | kinds | more))


def shape_of(
    x: Array, w: Array, pads: Pads, border: str, channels: int = 1, share: int = 1
) -> Shape:
    """Return the geometry of a call."""
    images, height, width = x.shape
    (top, bottom), (left, right) = pads
    kernel = (w.shape[-2], w.shape[-1])
    out_height = max(0, height + top + bottom - kernel[0] + 1)
    out_width = max(0, width // channels + left + right - kernel[1] + 1) * channels
    out = (images * share, out_height, out_width)
    kernels = len(w) if w.ndim == 3 else 1
    return Shape((images, height, width), out, kernel, pads, border, channels, kernels, share)


def tables(shape: Shape, fields: dict[str, int]) -> dict[str, Array]:
    """Return which rows and columns stand where in the frame."""
    rows, columns = shape.pads
    size = shape.size[2] // shape.step
    return {
        "row_table": row_table(shape.size[1], *rows, shape.border, fields["frame_rows"]),
        "column_table": column_table(size, *columns, shape.border, shape.step),
    }


def packed_kernel(w: Array) -> Array:
    """Return the weights of kernels (..., kh, kw) column by column, of each `RUN` rows."""
    runs = (w[..., first : first + RUN, :] for first in range(0, w.shape[-2], RUN))
    parts = [np.swapaxes(run, -1, -2).reshape(*w.shape[:-2], -1) for run in runs]
    return np.ascontiguousarray(np.concatenate(parts, axis=-1))


def register_block(isa: Isa) -> tuple[int, int]:
    """Return rows and vectors whose sums fit the registers, beside a row of pixels and a weight."""
    return (8, 2) if isa.registers >= 32 else (4, 2)


@lru_cache(256)
def _layout(shape: Shape, dtype: np.dtype[Any], isa: Isa) -> Layout:
    lanes = isa.lanes(dtype.itemsize)
    rows, vectors = register_block(isa)
    kernel_rows, kernel_columns = shape.kernel
    images, out_height, out_width = shape.out
    more_rows, more_columns = kernel_rows - 1, (kernel_columns - 1) * shape.step
    step = vectors * lanes
    room = FRAME_BYTES // dtype.itemsize
    # A frame is at least as high as it is wide where the kernel is: little is framed twice.
    widest = max(4 * step, room // (2 * more_rows + rows) - more_columns)
    tiles = -(-out_width // widest)
    tile_columns = _up(-(-out_width // tiles), step)
    tiles = -(-out_width // tile_columns)
    pitch = unaliased(tile_columns + more_columns + lanes, lanes, dtype.itemsize)
    fitting = max(rows, (room // pitch - more_rows) // rows * rows)
    strips = -(-out_height // min(fitting, _up(out_height, rows)))
    strip_rows = _up(-(-out_height // strips), rows)
    strips = -(-out_height // strip_rows)
    frame_rows = strip_rows + more_rows
    fields = {
        **frame_fields(shape),
        "kernel_size": kernel_rows * kernel_columns,
        "runs": kernel_rows // RUN,
        "columns": kernel_columns,
        "step": shape.step,
        "strips": strips,
        "strip_rows": strip_rows,
        "tiles": tiles,
        "tile_columns": tile_columns,
        "frame_rows": frame_rows,
        "pitch": pitch,
        "spare": frame_rows * pitch + step,
        "scratch_size": frame_rows * pitch + 2 * step + rows * step * (8 // dtype.itemsize),
    }
    return Layout(rows, vectors, images * strips * tiles, fields)


def frame_fields(shape: Shape) -> dict[str, int]:
    """Return the sizes of images, and how wide their borders are."""
    images, height, width = shape.size
    left, right = shape.pads[1]
    return {
        "height": height,
        "width": width,
        "left": left * shape.step,
        "right": right * shape.step,
        "images": images * shape.share,
        "share": shape.share,
        "kernels": shape.kernels,
        "out_height": shape.out[1],
        "out_width": shape.out[2],
    }


def unaliased(count: int, lanes: int, itemsize: int) -> int:
    """Return a pitch of whole vectors that is no multiple of half a page.

    Rows that far apart would share a few places of the cache.
    """
    pitch = _up(count, lanes)
    return pitch + lanes if pitch * itemsize % 2048 == 0 else pitch


def _up(count: int, to: int) -> int:
    return -(-count // to) * to
