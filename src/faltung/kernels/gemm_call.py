"""Matrix products by `gemm`: how they are cut, memory, threads."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from faltung.kernels import memory
from faltung.kernels.gemm import FIELDS, multiply_block
from faltung.kernels.isa import Isa, required_isa
from faltung.kernels.launch import launch
from faltung.kernels.tile import RUN, channels_together, vectors_together

Array = NDArray[Any]

BLOCKS = 8
"""Into how many blocks a product is cut at least, where there is enough of it."""
ENOUGH: Final = 1 << 19
"""Products of a block, at least: for less it is not worth waking a thread."""
PARTIAL_BYTES: Final = 256 * 1024
"""What the sums of a block should take at most, in the second-level cache of a core."""


class Layout(NamedTuple):
    """How a product is cut, and what the fields hold but for the addresses and distances."""

    channels: int
    vectors: int
    blocks: int
    fields: dict[str, int]


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
    isa = required_isa("matmul")
    (m, k), n = a.shape, b.shape[1]
    a, near, far = _lying(a)
    b, b_near, b_far = _lying(b)
    is_transposed = b_far != 1
    layout = _layout(m, k, n, a.dtype, isa)
    y = memory.empty((m, n), a.dtype) if out is None else out
    strides = {"near": near, "far": far, "b_step": b_far if is_transposed else b_near}
    sizes = layout.fields | strides
    block: dict[str, Any] = {"channels": layout.channels, "vectors": layout.vectors}
    block["transposed"] = is_transposed
    arrays = {"x": a, "b": b, "y": y}
    launch(multiply_block, isa, FIELDS, sizes, arrays, layout.blocks, **block)
    return y


def _lying(matrix: Array) -> tuple[Array, int, int]:
    """Return a matrix, and the numbers between its rows and its columns; one of them is 1."""
    rows, columns = (stride // matrix.itemsize for stride in matrix.strides)
    is_whole = all(stride % matrix.itemsize == 0 for stride in matrix.strides)
    if is_whole and matrix.flags.aligned and min(rows, columns) > 0 and 1 in (rows, columns):
        return matrix, rows, columns
    return np.ascontiguousarray(matrix), matrix.shape[1], 1


@lru_cache(256)
def _layout(m: int, k: int, n: int, dtype: np.dtype[Any], isa: Isa) -> Layout:
    lanes = isa.lanes(dtype.itemsize)
    channels = channels_together(isa, m)
    vectors = vectors_together(isa, channels, 1, n, lanes)
    width = vectors * lanes
    columns, panels = -(-n // width), -(-m // channels)
    wanted = -(-min(BLOCKS, -(-m * k * n // ENOUGH)) // columns)
    fitting = max(1, PARTIAL_BYTES // (channels * width * dtype.itemsize))
    part = -(-panels // min(panels, max(wanted, -(-panels // fitting)))) * channels
    parts = -(-m // part)
    gathered = vectors * (RUN + lanes) * lanes
    fields = {
        "m": m,
        "k": k,
        "n": n,
        "columns": columns,
        "parts": parts,
        "part": part,
        "partial_offset": gathered,
        "scratch_size": gathered + (part + channels) * width,
    }
    return Layout(channels, vectors, columns * parts, fields)
