"""The dtype that an operator computes in."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from faltung.errors import DTypeError
from faltung.ops.dtypes import compute_dtype

FLOATS = ["float16", "float32", "float64"]
NARROW = ["bool", "int8", "uint8", "int16", "uint16"]
WIDE = ["int32", "uint32", "int64", "uint64"]


def result(x: str, w: str | None = None, reduction: int = 1) -> str:
    w_dtype = None if w is None else np.dtype(w)
    return str(compute_dtype("conv", np.dtype(x), w_dtype, reduction))


@pytest.mark.parametrize(
    ("x", "w", "expected"),
    [
        ("float32", "float32", "float32"),
        ("float64", "float64", "float64"),
        ("float32", "float64", "float64"),
        ("float16", "float16", "float32"),
        ("float16", None, "float32"),
        ("float16", "float64", "float64"),
        ("uint8", "float32", "float32"),
        ("uint8", "float16", "float32"),
        ("int32", "float32", "float64"),
        ("int64", "float16", "float64"),
        (">f4", ">f4", "float32"),
        (">f8", None, "float64"),
    ],
)
def test_floats_decide(x: str, w: str | None, expected: str) -> None:
    assert result(x, w) == expected
    if w is not None:
        assert result(w, x) == expected


@pytest.mark.parametrize(("x", "w"), [*itertools.product(NARROW + WIDE, WIDE)])
def test_wide_integers_take_float64(x: str, w: str) -> None:
    assert result(x, w) == result(w, x) == "float64"


@pytest.mark.parametrize(("x", "w"), [*itertools.product(NARROW, NARROW)])
def test_narrow_integers_take_float32_as_far_as_it_is_exact(x: str, w: str) -> None:
    largest = {"bool": 1, "int8": 2**7, "uint8": 2**8 - 1, "int16": 2**15, "uint16": 2**16 - 1}
    product = largest[x] * largest[w]
    fits = (2**24 - 1) // product
    assert result(x, w, fits + 1) == "float64"
    if fits:
        assert result(x, w, fits) == "float32"


def test_without_weights_the_range_of_one_dtype_counts() -> None:
    assert result("uint8", reduction=65793) == "float32"
    assert result("uint8", reduction=65794) == "float64"
    assert result("int32", reduction=1) == "float64"


@pytest.mark.parametrize(
    ("dtype", "cure"),
    [
        (np.complex64, "imaginary"),
        (np.longdouble, "float64"),
        (object, "numbers"),
        ("U3", "numbers"),
        ("M8[s]", "float64"),
    ],
)
def test_other_dtypes_are_refused(dtype: object, cure: str) -> None:
    bad, good = np.dtype(dtype), np.dtype(np.float32)
    for pair in ((bad, good), (good, bad), (bad, None)):
        with pytest.raises(DTypeError, match=rf"^conv: takes floats.*got dtype=.*{cure}.*dtype D1"):
            compute_dtype("conv", *pair)
