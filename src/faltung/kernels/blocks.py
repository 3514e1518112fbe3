"""How the NumPy rows cut their work: blocks of images, boxes of outputs, and what those read.

Every size here follows from the geometry and the dtype, never from the values, so that one
geometry is always summed in the same order.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from itertools import product
from math import prod
from types import EllipsisType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faltung.geometry.axis import AxisWindow
from faltung.geometry.interval import Interval

Array = NDArray[Any]
Box = tuple[Interval, ...]
Index = tuple[slice | EllipsisType, ...]

BLOCK_BYTES = 1 << 20
"""What one block's working buffer may take: it stays in a core's own cache of most machines."""

ADDRESSABLE = 1 << 47
"""Bytes that a process can address at all."""


class _Scratch(threading.local):
    """Buffers that a thread's calls take in turn: touching fresh pages costs more than the copy."""

    def __init__(self) -> None:
        self.buffers: dict[str, Array] = {}


_SCRATCH = _Scratch()


def scratch(name: str, shape: Sequence[int], dtype: np.dtype[Any]) -> Array:
    """Working memory, its content left from before; the next call by this name takes it back."""
    bytes_needed = prod(shape) * dtype.itemsize
    if bytes_needed > ADDRESSABLE:  # NumPy would say that a dimension is too large
        raise MemoryError(f"no memory has {bytes_needed:,} bytes")
    if bytes_needed > BLOCK_BYTES:
        return np.empty(shape, dtype)
    buffer = _SCRATCH.buffers.setdefault(name, np.empty(0, np.uint8))
    if buffer.nbytes < bytes_needed:
        buffer = _SCRATCH.buffers[name] = np.empty(bytes_needed, np.uint8)
    return buffer[:bytes_needed].view(dtype).reshape(shape)


def image_blocks(batch: int, bytes_per_image: int) -> Iterator[slice]:
    """Runs of images whose buffers together stay within `BLOCK_BYTES`, one image at least."""
    step = max(1, BLOCK_BYTES // max(1, bytes_per_image))
    return (slice(first, min(first + step, batch)) for first in range(0, batch, step))


def output_boxes(
    out_space: Sequence[int], bytes_per_output: int, block_bytes: int | None = None
) -> Iterator[Box]:
    """Boxes of outputs that cover `out_space`, each one run of positions in row-major order.

    The last axes are taken whole as long as they fit, one axis is cut, those before it go one by
    one; so a box is contiguous in a C-ordered output.

    >>> [tuple(map(tuple, box)) for box in output_boxes((3, 4), 1, block_bytes=8)]
    [((0, 2), (0, 4)), ((2, 3), (0, 4))]
    """
    room = max(1, (block_bytes or BLOCK_BYTES) // max(1, bytes_per_output))
    steps: list[int] = []
    for size in reversed(out_space):
        steps.insert(0, max(1, min(size, room)))
        room //= max(1, size)
    cuts = [
        [Interval(lo, min(lo + step, size)) for lo in range(0, size, step)]
        for size, step in zip(out_space, steps, strict=True)
    ]
    return product(*cuts)


def run_of(box: Box, out_space: Sequence[int]) -> slice:
    """Where the outputs of a box from `output_boxes` lie in the flattened output."""
    first = 0
    for span, size in zip(box, out_space, strict=True):
        first = first * size + span.lo
    return slice(first, first + prod(span.size for span in box))


def last_axes(slices: Iterable[slice]) -> Index:
    """Index that takes one slice of each of the last axes, and the others whole."""
    return (..., *slices)


def cut(x: Array, spans: Sequence[Interval]) -> Array:
    """Give ``x[..., spans]``, with zeros where a span leaves `x`.

    A view where none does, else working memory that the next call takes back.
    """
    lead = x.shape[: x.ndim - len(spans)]
    kept = [span.clip(0, n) for span, n in zip(spans, x.shape[len(lead) :], strict=True)]
    inside = x[last_axes(slice(*span) for span in kept)]
    shape = (*lead, *(span.size for span in spans))
    if inside.shape == shape:
        return inside
    part = scratch("cut", shape, x.dtype)
    part.fill(0)
    here = (span.shift(-whole.lo) for span, whole in zip(kept, spans, strict=True))
    part[last_axes(slice(*span) for span in here)] = inside
    return part


def tap_slices(axis: AxisWindow, tap: int, outs: Interval) -> tuple[slice, slice]:
    """Which of the outputs `outs` have kernel tap `tap` inside the input, and where it lies.

    The first slice counts from ``outs.lo``; the second is into the input. A tap on padding, or
    on what negative padding crops, is in neither.
    """
    offset = tap * axis.dilation - axis.pad_lo
    lo = max(outs.lo, -(offset // axis.stride))
    hi = min(outs.hi, (axis.end - 1 - offset) // axis.stride + 1)
    if hi <= lo:
        return slice(0, 0), slice(0, 0)
    first = lo * axis.stride + offset
    last = (hi - 1) * axis.stride + offset
    return slice(lo - outs.lo, hi - outs.lo), slice(first, last + 1, axis.stride)
