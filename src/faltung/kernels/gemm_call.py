"""Matrix products by `gemm`: how they are cut, memory, threads."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from faltung.kernels import memory
from faltung.kernels.epilogue import PLAIN, Epilogue
from faltung.kernels.gemm import CHUNK, FIELDS, IN_PLACE, KEPT, TURNED, multiply_block
from faltung.kernels.isa import Isa, required_isa
from faltung.kernels.launch import launch
from faltung.kernels.threads import num_threads
from faltung.kernels.tile import block_constants, blocks_of, cycles

Array = NDArray[Any]

ENOUGH: Final = 1 << 19
"""Products of a block, at least: for less it is not worth waking a thread."""
MANY: Final = 3
"""Panels that pass over the same columns for which it is worth writing these side by side."""
BLOCK: Final = 500.0
"""Cycles that each block of work takes beside its products."""


class Shape(NamedTuple):
    """Some products of the same shape: ``rows × terms`` times ``terms × columns``, `images` times.

    Images follow each other in b and in the result; `groups` of them have rows of their own in a.
    """

    rows: int
    terms: int
    columns: int
    images: int = 1
    groups: int = 1


class Cut(NamedTuple):
    """A register block, and how many steps of columns and panels of rows a block of work has."""

    channels: int
    vectors: int
    steps: int
    panels: int


def matmul(a: Array, b: Array, *, out: Array | None = None) -> Array:
    """Multiply matrices; ``y[m, n] = Σ_k a[m, k] b[k, n]``.

    Parameters
    ----------
    a : array (M, K), float32 or float64
        Row by row or column by column in memory; copied if neither.
    b : array (K, N), of the same dtype
        Likewise.
    out : array (M, N), C-contiguous, optional
        Where the result goes.

    Raises
    ------
    KernelError
        Nothing can be compiled for this CPU.
    """
    a, near, far = _lying(a)
    b, b_near, b_far = _lying(b)
    y = memory.empty((a.shape[0], b.shape[1]), a.dtype) if out is None else out
    shape = Shape(a.shape[0], a.shape[1], b.shape[1])
    multiply(shape, b, max(b_near, b_far), a, (near, far), y, is_turned=b_far != 1)
    return y


def multiply(
    shape: Shape,
    b: Array,
    step: int,
    a: Array,
    lie: tuple[int, int],
    y: Array,
    bias: Array | None = None,
    epilogue: Epilogue = PLAIN,
    *,
    is_turned: bool = False,
) -> None:
    """Write products into ``y``, images one after the other.

    Parameters
    ----------
    shape
        What there is of each.
    b, step
        What is passed over, and the numbers between two of its rows; or between two of its
        columns, where it `is_turned`.
    a, lie
        What is read into all lanes, and the numbers between its rows and between its columns.
    bias, epilogue
        One number for each row of all groups, and what is done to each sum.
    """
    isa = required_isa("matmul")
    lanes, threads = isa.lanes(b.dtype.itemsize), num_threads()
    cut = _cut(shape, lanes, isa, threads, is_turned)
    fields, way, blocks = _layout(shape, cut, lanes, is_turned)
    fields = fields | {"near": lie[0], "far": lie[1], "step": step}
    none = no_bias(shape.groups * shape.rows, b.dtype)
    arrays = {
        "x": b,
        "w": a,
        "bias": none if bias is None else np.ascontiguousarray(bias),
        "y": y,
        "residual": residual_of(epilogue, y),
        "numbers": epilogue.numbers(b.dtype),
    }
    constants = block_constants(cut.channels, cut.vectors, epilogue, way=way)
    constants["activation"] = epilogue.activation
    launch(multiply_block, isa, FIELDS, fields, arrays, blocks, **constants)


def residual_of(epilogue: Epilogue, y: Array) -> Array:
    """Return what is added to the result as a contiguous array; any array where nothing is."""
    if epilogue.residual is None:
        return y
    return np.ascontiguousarray(epilogue.residual, y.dtype)


@lru_cache(64)
def no_bias(count: int, dtype: np.dtype[Any]) -> Array:
    """Return zeros for so many channels."""
    return memory.constant(np.zeros(count, dtype))


# Inside -------------------------------------------------------------------------------------


def _lying(matrix: Array) -> tuple[Array, int, int]:
    """Return a matrix, and the numbers between its rows and its columns; one of them is 1."""
    rows, columns = (stride // matrix.itemsize for stride in matrix.strides)
    is_whole = all(stride % matrix.itemsize == 0 for stride in matrix.strides)
    if is_whole and matrix.flags.aligned and min(rows, columns) > 0 and 1 in (rows, columns):
        return matrix, rows, columns
    return np.ascontiguousarray(matrix), matrix.shape[1], 1


@lru_cache(256)
def _layout(shape: Shape, cut: Cut, lanes: int, is_turned: bool) -> tuple[dict[str, int], str, int]:
    """Return the fields but for the distances, how columns are read, and how many blocks."""
    width = cut.vectors * lanes
    segments = _ceil(shape.columns, cut.steps * width)
    parts = _ceil(_ceil(shape.rows, cut.channels), cut.panels)
    way = TURNED if is_turned else KEPT if cut.panels >= MANY else IN_PLACE
    strip = {TURNED: (CHUNK + lanes) * width, KEPT: shape.terms * width, IN_PLACE: 0}[way]
    partial = cut.channels * width
    fields = {
        "rows": shape.rows,
        "terms": shape.terms,
        "columns": shape.columns,
        "image": shape.terms * shape.columns,
        "groups": shape.groups,
        "segment": cut.steps * width,
        "segments": segments,
        "part": cut.panels,
        "parts": parts,
        "strip": partial,
        "scratch_size": partial + strip,
    }
    return fields, way, shape.images * segments * parts


@lru_cache(256)
def _cut(shape: Shape, lanes: int, isa: Isa, threads: int, is_turned: bool) -> Cut:
    """Return the cut with which all threads are done first.

    Sums do not depend on it, so it may know how many threads there are.
    """
    products = shape.rows * shape.terms * shape.columns * shape.images
    threads = max(1, min(threads, products // ENOUGH))
    best, least = Cut(1, 1, 1, 1), float("inf")
    for channels, most in blocks_of(isa):
        for vectors in range(1, most + 1):
            steps = _ceil(shape.columns, vectors * lanes)
            panels = _ceil(shape.rows, channels)
            # What begins and ends a panel: its sums are stored, and added run after run.
            panel = shape.terms * _each(channels, vectors) + 2 * channels * vectors + 40
            if steps * panels * panel * shape.images / threads >= least:
                continue
            taken = shape.terms * vectors * (lanes / 2 if is_turned else 2)
            for segment, part in _shares(steps, panels, threads):
                blocks = shape.images * _ceil(steps, segment) * _ceil(panels, part)
                each = segment * (part * panel + taken) + BLOCK
                if _ceil(blocks, threads) * each < least:
                    least = _ceil(blocks, threads) * each
                    best = Cut(channels, vectors, segment, part)
    return best


def _each(channels: int, vectors: int) -> float:
    """Return the cycles of one term of a register block.

    Columns come from the second-level cache, which gives half a vector a cycle and no more; and
    of many rows not all addresses are in registers.
    """
    return max(cycles(channels, vectors, 1, 1, 1), 2.7 * vectors) * (1.05 if channels > 8 else 1.0)


def _shares(steps: int, panels: int, threads: int) -> Iterator[tuple[int, int]]:
    """Give sizes of blocks: a few segments and a few parts for each thread."""
    segments = {_ceil(steps, count) for count in range(1, min(steps, 4 * threads) + 1)}
    parts = {_ceil(panels, count) for count in range(1, min(panels, 2 * threads) + 1)}
    return ((segment, part) for segment in sorted(segments) for part in sorted(parts))


def _ceil(count: int, size: int) -> int:
    """Return how many blocks of a size hold so many."""
    return -(-count // size)
