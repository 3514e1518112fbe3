from __future__ import annotations

from functools import reduce

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faltung.imaging import filter_image, kernels
from faltung.imaging.filter import slide
from faltung.imaging.separable import ENTRY_TOLERANCE, are_worth_it, factors, rank
from faltung.kernels.registry import gamma


def outer(vectors) -> np.ndarray:
    return reduce(np.multiply.outer, vectors)


@given(
    vectors=st.lists(
        st.lists(st.integers(-30, 30), min_size=1, max_size=5), min_size=2, max_size=3
    ),
    content=st.integers(-5, 5),
)
def test_integer_outer_products_are_found_exactly(vectors, content: int) -> None:
    kernel = content * outer([np.array(v) for v in vectors])
    found = factors(kernel)
    if not kernel.any():
        assert found is None
        return
    assert found is not None
    assert all(v.dtype == np.int64 for v in found)
    assert (outer(found) == kernel).all()


@given(st.integers(0, 2**32 - 1), st.integers(2, 6), st.integers(2, 6))
def test_other_integer_kernels_are_not(seed: int, rows: int, columns: int) -> None:
    kernel = np.random.default_rng(seed).integers(-9, 10, (rows, columns))
    found = factors(kernel)
    is_product = np.linalg.matrix_rank(kernel.astype(float)) == 1
    assert (found is not None) == is_product


def test_a_single_wrong_entry_is_seen() -> None:
    kernel = np.outer([1, 4, 6, 4, 1], [1, 4, 6, 4, 1])
    assert factors(kernel) is not None
    for at in np.ndindex(kernel.shape):
        wrong = kernel.copy()
        wrong[at] += 1
        assert factors(wrong) is None
        off = kernel.astype(float)
        off[at] *= 1 + 1e-14
        assert factors(off) is None


@pytest.mark.parametrize("sigma", [0.4, 1.0, 1.7, 5.0])
def test_floats_within_their_tolerance(sigma: float) -> None:
    for kernel in (kernels.gaussian(sigma), kernels.gaussian(sigma, axes=3)):
        found = factors(kernel)
        assert found is not None
        off = np.abs(outer(found) - kernel)
        assert (off <= ENTRY_TOLERANCE * 2.0**-53 * np.abs(kernel)).all()


def test_zeros_of_a_kernel_stay_zeros() -> None:
    found = factors(np.outer([0.0, 0.3, 0.0, 0.7], [0.0, 0.0, 0.9]))
    assert found is not None
    assert [(v == 0).tolist() for v in found] == [[True, False, True, False], [True, True, False]]


@pytest.mark.parametrize(
    "kernel",
    [
        np.zeros((3, 3)),
        np.zeros((3, 3), int),
        np.zeros((0, 3)),
        np.arange(3.0),
        np.array([[1.0, np.nan], [1.0, 1.0]]),
        np.full((2, 2), np.inf),
        np.eye(3),
        kernels.laplacian(),
        kernels.laplacian_of_gaussian(),
    ],
)
def test_what_has_no_factors(kernel: np.ndarray) -> None:
    assert factors(kernel) is None


def test_ranks() -> None:
    assert rank(kernels.laplacian()) == 2
    assert rank(kernels.laplacian_of_gaussian(1.4)) in (2, 3)  # three terms, one a constant
    assert rank(kernels.sobel_x()) == 1
    assert rank(kernels.gaussian(1, axes=3)) == 1
    assert rank(np.array([[np.nan, 1.0]])) == 2


def test_when_passes_are_worth_it() -> None:
    assert are_worth_it(np.ones((3, 3)))
    assert not are_worth_it(np.ones((2, 2)))
    assert not are_worth_it(np.ones((1, 9)))


@given(st.integers(0, 2**32 - 1), st.integers(3, 9), st.integers(3, 9))
def test_passes_are_exact_on_integers(seed: int, rows: int, columns: int) -> None:
    random = np.random.default_rng(seed)
    x = random.integers(0, 256, (8, 9, 2)).astype(np.uint8)
    k = np.outer(random.integers(-9, 9, rows), random.integers(-9, 9, columns))
    assert (slide(x, k) == slide(x, k, passes=False)).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", [3, 9, 24])
def test_passes_are_within_their_bound(dtype: type, size: int) -> None:
    random = np.random.default_rng(size)
    x = random.normal(size=(30, 31)).astype(dtype)
    k = np.outer(random.normal(size=size), random.normal(size=size)).astype(dtype)
    assert factors(k) is not None
    found, direct = slide(x, k), slide(x, k, passes=False)
    assert found.dtype == direct.dtype == dtype
    total = slide(np.abs(x).astype(float), np.abs(k).astype(float), passes=False)
    unit = np.finfo(dtype).eps / 2
    two = gamma(2 * size, np.dtype(dtype))
    bound = two * (1 + 16 * unit) + 16 * unit + gamma(size * size, np.dtype(dtype))
    assert (np.abs(found - direct) <= bound * total * (1 + 1e-6)).all()
    assert (found != direct).any()  # it did run in two passes


@pytest.mark.parametrize("size", [5, 31])
def test_8_bits_stay_within_half_a_step(size: int) -> None:
    """Sums in float32, in two passes or by Toom-Cook: off by one at most where a half is near."""
    random = np.random.default_rng(size)
    x = random.integers(0, 256, (60, 70)).astype(np.uint8)
    for k in (kernels.gaussian(size / 6), random.normal(size=(size, size)) / size):
        found = filter_image(x, k.astype(np.float32), dtype=np.uint8, border="reflect")
        exact = slide(x, k.astype(np.float32), border="reflect", passes=False)
        off = np.abs(found - np.clip(exact, 0, 255))
        assert found.dtype == np.uint8
        assert off.max() <= 0.5 + 1e-2


def test_integers_go_to_8_bits_exactly() -> None:
    """Integer kernels sum exactly whatever the result is rounded to."""
    random = np.random.default_rng(3)
    x = random.integers(0, 256, (60, 70, 3)).astype(np.uint8)
    k = random.integers(-3, 4, (17, 16))
    wide = slide(x, k)
    for dtype in (np.uint8, np.int16, np.int32):
        limits = np.iinfo(dtype)
        found = filter_image(x, k, dtype=dtype)
        assert found.dtype == dtype
        assert (found == np.clip(wide, limits.min, limits.max)).all()
