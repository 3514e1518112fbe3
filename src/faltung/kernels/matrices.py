"""Matrix products: large ones by our kernel, small and odd ones by NumPy's library."""

from __future__ import annotations

from math import prod
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from faltung.kernels import numpy_dense
from faltung.kernels.choose import compiled_for

Array = NDArray[Any]

FEW_ROWS: Final = 4
"""Rows of a below which b is hardly used twice: bringing it together is most of the work."""
SMALL: Final = 1 << 20
"""Products below which NumPy's call is done before ours has begun."""


def matmul(a: Array, b: Array) -> Array:
    """``a b`` over the last two axes, broadcasting the axes before them.

    Which of the two computes it depends on the shapes and the dtype alone.
    """
    if not (is_large(a, b) and compiled_for()):
        return numpy_dense.matmul(a, b)
    from faltung.kernels import gemm_call

    return gemm_call.matmul(a, b)


def is_large(a: Array, b: Array) -> bool:
    """Whether two arrays are matrices of one floating dtype that are worth a kernel's call.

    >>> [is_large(np.ones((n, 512)), np.ones((512, 512))) for n in (1, 4)]
    [False, True]
    """
    return (
        a.ndim == b.ndim == 2
        and a.dtype == b.dtype
        and a.dtype in (np.float32, np.float64)
        and a.shape[0] >= FEW_ROWS
        and prod(a.shape) * b.shape[1] >= SMALL
    )
