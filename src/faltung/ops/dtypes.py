"""Which dtype an operator computes in and returns.

float32 and float64 stay what they are; float16 is widened to float32, which every kernel takes.
Integers and booleans are promoted, never truncated: to float32 where the dtypes' ranges and the
geometry prove every sum exact, below 2**24 in absolute value, else to float64. The values are not
looked at, so that one network has one dtype.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from faltung.errors import DTypeError, message

EXACT_IN_FLOAT32: Final = 2**24
"""Integers up to here, in absolute value, are float32 numbers."""

_CURES: Final = {
    "c": "Compute the real and the imaginary part apart, or use faltung.convolve",
    "O": "Convert to numbers first, such as with x.astype(numpy.float64)",
    "S": "Convert to numbers first, such as with x.astype(numpy.float64)",
    "U": "Convert to numbers first, such as with x.astype(numpy.float64)",
    "f": "Convert with x.astype(numpy.float64)",
}


def compute_dtype(
    operation: str,
    x_dtype: np.dtype[Any],
    w_dtype: np.dtype[Any] | None = None,
    reduction: int = 1,
) -> np.dtype[Any]:
    """The dtype of an operator's arithmetic and of its result.

    Parameters
    ----------
    operation : str
        The subject of an error.
    x_dtype, w_dtype : numpy.dtype
        Of the input and of the weights; no weights where an operator has none.
    reduction : int
        How many products, or values, one output sums; 1 for a maximum.

    Returns
    -------
    numpy.dtype
        float32 or float64, in the machine's byte order.

    Raises
    ------
    DTypeError
        For complex, longdouble, text, dates and objects (D1).

    Examples
    --------
    >>> compute_dtype("conv", np.dtype(np.uint8), np.dtype(np.int8), reduction=9)
    dtype('float32')
    >>> compute_dtype("conv", np.dtype(np.uint8), np.dtype(np.int8), reduction=4608)
    dtype('float64')
    >>> compute_dtype("conv", np.dtype(np.uint8), np.dtype(np.float16))
    dtype('float32')
    """
    dtypes = [x_dtype] if w_dtype is None else [x_dtype, w_dtype]
    for dtype in dtypes:
        _check(operation, dtype)
    if all(dtype.kind in "iub" for dtype in dtypes):
        exact = reduction * _product_of_ranges(dtypes) < EXACT_IN_FLOAT32
        narrow = all(dtype.itemsize < 4 for dtype in dtypes)
        return np.dtype(np.float32 if exact and narrow else np.float64)
    return np.result_type(np.float32, *dtypes)


def product_dtype(
    operation: str,
    x: NDArray[Any],
    w: NDArray[Any],
    b: NDArray[Any] | None,
    reduction: int,
) -> np.dtype[Any]:
    """The dtype of sums of so many products of `x` and `w`, and of one number of `b`."""
    if b is None:
        return compute_dtype(operation, x.dtype, w.dtype, reduction)
    # An integer bias adds to the sums that must stay exact.
    extra = int(np.iinfo(b.dtype).max) + 1 if b.dtype.kind in "iu" else 1
    alone = compute_dtype(operation, b.dtype)
    return np.result_type(compute_dtype(operation, x.dtype, w.dtype, reduction + extra), alone)


def _product_of_ranges(dtypes: list[np.dtype[Any]]) -> int:
    """Largest absolute value that a product of one number of each dtype takes."""
    largest = 1
    for dtype in dtypes:
        largest *= 1 if dtype.kind == "b" else max(-np.iinfo(dtype).min, np.iinfo(dtype).max)
    return largest


def _check(operation: str, dtype: np.dtype[Any]) -> None:
    if dtype.kind in "iub" or (dtype.kind == "f" and dtype.itemsize <= 8):
        return
    raise DTypeError(
        message(
            operation,
            "takes floats of 16, 32 or 64 bits, integers and booleans",
            {"dtype": dtype},
            _CURES.get(dtype.kind, "Convert with x.astype(numpy.float64)"),
            "dtype D1",
        )
    )
