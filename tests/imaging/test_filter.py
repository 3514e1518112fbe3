from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faltung.errors import DTypeError, GeometryError, IntegerRangeError
from faltung.geometry.border import BORDERS, source
from faltung.imaging import filter_image
from faltung.imaging.filter import MODES, NDIMAGE_MODES, slide
from faltung.kernels.registry import gamma

SOBEL = [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]


def by_definition(x: np.ndarray, k: np.ndarray, mode: str, border: str, anchor) -> np.ndarray:
    """The formula of the docstring, position by position."""
    y = np.zeros(x.shape, np.result_type(x, k))
    for at in np.ndindex(*x.shape):
        for tap in np.ndindex(*k.shape):
            sign = 1 if mode == "correlate" else -1
            place = [i + sign * (t - a) for i, t, a in zip(at, tap, anchor, strict=True)]
            inside = [source(border, p, n) for p, n in zip(place, x.shape, strict=True)]
            y[at] += 0 if None in inside else x[tuple(inside)] * k[tap]
    return y


@given(
    shape=st.lists(st.integers(1, 6), min_size=1, max_size=2),
    sizes=st.lists(st.integers(1, 9), min_size=2, max_size=2),
    mode=st.sampled_from(MODES),
    border=st.sampled_from(BORDERS),
    seed=st.integers(0, 99),
)
def test_the_definition(shape, sizes, mode: str, border: str, seed: int) -> None:
    random = np.random.default_rng(seed)
    x, k = random.integers(-9, 9, shape), random.integers(-9, 9, sizes[: len(shape)])
    anchor = [int(random.integers(n)) for n in k.shape]
    found = slide(x, k, mode=mode, border=border, anchor=anchor)
    assert (found == by_definition(x, k, mode, border, anchor)).all()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("border", NDIMAGE_MODES)
def test_scipy_ndimage_exactly_on_integers(scipy: object, border: str, mode: str) -> None:
    from scipy import ndimage

    random = np.random.default_rng(1)
    other = getattr(ndimage, mode)
    for sizes in itertools.product((1, 2, 3, 4, 9), (1, 2, 5, 12)):
        for shape in ((7, 8), (3, 4), (1, 5)):  # most of the kernels are larger than these
            x, k = random.integers(-9, 9, shape), random.integers(-5, 5, sizes)
            origin = [int(random.integers(-(n // 2), n - n // 2)) for n in sizes]
            anchor = [n // 2 + o for n, o in zip(sizes, origin, strict=True)]
            expected = other(x, k, mode=NDIMAGE_MODES[border], origin=origin)
            assert (slide(x, k, mode=mode, border=border, anchor=anchor) == expected).all()
            expected = other(x, k, mode=NDIMAGE_MODES[border])
            assert (slide(x, k, mode=mode, border=border) == expected).all()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("border", NDIMAGE_MODES)
@pytest.mark.parametrize("separable", [False, True])
def test_scipy_ndimage_to_rounding_on_floats(scipy: object, border, mode, separable) -> None:
    from scipy import ndimage

    random = np.random.default_rng(2)
    x = random.normal(size=(19, 23))
    k = random.normal(size=(6, 5))
    if separable:
        k = np.outer(k[:, 0], k[0])
    theirs = getattr(ndimage, mode)(x, k, mode=NDIMAGE_MODES[border])
    size = getattr(ndimage, mode)(np.abs(x), np.abs(k), mode=NDIMAGE_MODES[border])
    # Theirs sums k.size products; ours too, or two passes with the tolerance of `factors`.
    unit = 2.0**-53
    bound = (2 * gamma(k.size, x.dtype) + 17 * unit) * size * (1 + 1e-9)
    found = slide(x, k, mode=mode, border=border)
    assert (np.abs(found - theirs) <= bound).all()
    assert (np.abs(found - theirs) > 0).any() or not separable


def test_correlation_and_convolution_are_each_others_mirror() -> None:
    delta = np.zeros((5, 5), int)
    delta[2, 2] = 1
    k = np.arange(1, 10).reshape(3, 3)
    assert (slide(delta, k, mode="convolve")[1:4, 1:4] == k).all()
    assert (slide(delta, k)[1:4, 1:4] == k[::-1, ::-1]).all()


def test_even_kernels_meet_their_later_middle() -> None:
    delta = [0, 0, 1, 0, 0]
    assert slide(delta, [1, 2, 3, 4], mode="convolve").tolist() == [1, 2, 3, 4, 0]
    assert slide(delta, [1, 2]).tolist() == [0, 0, 2, 1, 0]
    assert slide(delta, [1, 2], anchor=0).tolist() == [0, 2, 1, 0, 0]


@pytest.mark.parametrize("dtype", ["uint8", "int8", "uint16", "int32", "bool"])
def test_integers_are_never_wrapped(dtype: str) -> None:
    most = 1 if dtype == "bool" else np.iinfo(dtype).max
    x = np.full((5, 5), most, dtype)
    x[:, :2] = 0
    found = slide(x, SOBEL)
    assert found.dtype == np.int64
    assert found[2].tolist() == [0, 4 * most, 4 * most, 0, -4 * most]


@pytest.mark.parametrize(
    ("image", "kernel", "result"),
    [
        ("uint8", "int64", "int64"),
        ("uint64", "uint8", "int64"),
        ("uint8", "float32", "float64"),
        ("float32", "int64", "float32"),
        ("float32", "float64", "float64"),
        ("float16", "float16", "float32"),
        ("float64", "float32", "float64"),
    ],
)
def test_the_dtype_that_is_said(image: str, kernel: str, result: str) -> None:
    for size in (1, 5):
        found = slide(np.ones((6, 6), image), np.ones((size, size), kernel))
        assert found.dtype == result
        assert found[3, 3] == size**2


def test_rounding_is_asked_for() -> None:
    x = np.array([[250, 251, 7]], np.uint8)
    assert filter_image(x, [[0.5, 0.5]], dtype=np.uint8).tolist() == [[125, 250, 129]]
    assert filter_image(x, [[-1, 0, 1]], dtype=np.uint8).tolist() == [[251, 0, 0]]
    assert filter_image(x, [[-1, 0, 1]]).tolist() == [[251, -243, -251]]


def test_channels_each_and_mixed() -> None:
    random = np.random.default_rng(3)
    x, k = random.integers(0, 9, (6, 7, 3)), random.integers(-4, 4, (3, 3, 3, 2))
    each = slide(x, k[..., 0, 0], border="reflect")
    assert each.shape == (6, 7, 3)
    assert (each[..., 1] == slide(x[..., 1], k[..., 0, 0], border="reflect")).all()
    mixed = slide(x, k, channels="mixed", mode="convolve")
    assert mixed.shape == (6, 7, 2)
    for d in range(2):
        parts = [slide(x[..., c], k[..., c, d], mode="convolve") for c in range(3)]
        assert (mixed[..., d] == sum(parts)).all()
        assert (slide(x, k[..., d], channels="mixed", mode="convolve") == sum(parts)).all()


def test_one_kernel_for_all_channels_meets_their_mean() -> None:
    x = np.array([[[3, 6, 9], [0, 0, 3]]])
    found = slide(x, [[1.0, 10.0]], channels="mixed")
    assert found.shape == (1, 2)
    assert np.abs(found - [[60, 16]]).max() < 1e-13


def test_a_mean_of_integers_is_no_integer() -> None:
    x = np.array([[[3, 6, 10], [0, 0, 4]]], np.uint8)
    found = slide(x, [[1, 10]], channels="mixed")
    assert np.abs(found - [[190 / 3, 59 / 3]]).max() < 1e-13
    assert filter_image(x, [[1, 10]], channels="mixed", dtype=np.uint8).tolist() == [[63, 20]]


def test_signals_and_volumes() -> None:
    assert slide([1, 2, 3], [1, 1], border="replicate").tolist() == [2, 3, 5]
    volume = np.arange(27).reshape(3, 3, 3)
    assert slide(volume, np.ones((3, 3, 3), int))[1, 1, 1] == volume.sum()
    stereo = np.array([[1, 10], [2, 20], [3, 30]])
    assert slide(stereo, [1, 1, 1]).tolist() == [[3, 30], [6, 60], [5, 50]]


@pytest.mark.parametrize("shape", [(0, 4), (4, 0), (0, 0)])
@pytest.mark.parametrize("border", BORDERS)
def test_nothing_gives_nothing(shape: tuple[int, int], border: str) -> None:
    assert slide(np.zeros(shape), SOBEL, border=border).shape == shape


def test_nan_and_infinity_stay_where_the_kernel_reaches() -> None:
    x = np.zeros((9, 9))
    x[4, 4] = np.nan
    for kernel in (np.ones((3, 3)), np.outer([1.0, 0, 2], [3.0, 4, 0])):
        found = slide(x, kernel)
        assert np.isnan(found[3:6, 3:6]).all()
        assert np.isnan(found).sum() == 9


def test_inputs_are_left_alone() -> None:
    x, k = np.arange(12.0).reshape(3, 4), np.ones((3, 3))
    x.flags.writeable = k.flags.writeable = False
    slide(x, k, mode="convolve")[0, 0] = 1


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (
            {"mode": "flip"},
            r"mode must be known, got mode='flip'\. Use one of correlate, convolve",
        ),
        ({"border": "mirror"}, r"border must be known, got border='mirror'.*\[filter F2\]"),
        ({"channels": "all"}, r"channels must be known.*\[filter F3\]"),
        ({"anchor": 3}, r"anchor must be an entry of the kernel.*\[filter F4\]"),
        ({"anchor": -1}, r"anchor must be an entry of the kernel.*\[filter F4\]"),
        ({"anchor": [1]}, "anchor: must be an int or one int for each of the 2 axes"),
        ({"kernel": np.zeros((3, 0))}, r"the kernel must have entries.*\[filter F5\]"),
        ({"kernel": 5}, r"the kernel must have entries.*\[filter F5\]"),
        ({"kernel": np.zeros((2, 2, 2, 2))}, r"the kernel needs the image's axes.*\[filter F6\]"),
        (
            {"kernel": np.zeros((2, 2, 4)), "channels": "mixed"},
            r"mixes channels must.*\[filter F7\]",
        ),
    ],
)
def test_what_cannot_be_filtered_is_said(call: dict, text: str) -> None:
    call = {"kernel": SOBEL} | call
    x = np.zeros((4, 4, 3)) if call.get("channels") == "mixed" else np.zeros((4, 4))
    with pytest.raises(GeometryError, match=text):
        slide(x, **call)


@pytest.mark.parametrize("bad", [np.array([["a"]]), np.array([[1j]]), np.zeros((2, 2), object)])
def test_other_than_real_numbers(bad: np.ndarray) -> None:
    with pytest.raises(
        DTypeError, match="image must hold booleans, integers or floats of up to 64"
    ):
        slide(bad, SOBEL)
    with pytest.raises(DTypeError, match="kernel must hold booleans, integers or floats of up to"):
        slide(np.zeros((2, 2)), bad)


def test_sums_past_64_bits_are_refused() -> None:
    with pytest.raises(IntegerRangeError, match="image must fit signed 64 bits"):
        slide(np.array([[2**63]], np.uint64), [[1]])
    with pytest.raises(IntegerRangeError, match="a sum could pass the largest int64"):
        slide([[2**62, 2**62]], [[1, 1]])
