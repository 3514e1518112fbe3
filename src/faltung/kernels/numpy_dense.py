"""Matrix products, by the library under NumPy."""

from __future__ import annotations

from math import prod
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from faltung.kernels.blas import one_thread

Array = NDArray[Any]

SMALL: Final = 1 << 25
"""Multiply-accumulates below which a second thread costs more than it brings."""


def matmul(a: Array, b: Array) -> Array:
    """``a b`` over the last two axes, broadcasting the axes before them."""
    product: Array
    if prod(a.shape) * b.shape[-1] >= SMALL:
        product = np.matmul(a, b)
        return product
    with one_thread():
        product = np.matmul(a, b)
    return product
