"""convolve and correlate: SciPy's contract on arrays of any shape, and the laws."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faltung.errors import GeometryError
from faltung.reference import conv_loops, convolve, correlate

BOTH = pytest.mark.parametrize("operation", [convolve, correlate])
MODES = ("full", "same", "valid")

SHAPES = [
    ((1,), (1,)),
    ((7,), (3,)),
    ((7,), (4,)),
    ((6,), (4,)),
    ((3,), (8,)),
    ((4,), (7,)),
    ((5,), (5,)),
    ((5, 6), (3, 3)),
    ((5, 6), (2, 4)),
    ((4, 4), (2, 2)),
    ((2, 3), (5, 6)),
    ((3, 2), (4, 4)),
    ((5, 2), (3, 2)),
    ((4, 3, 5), (2, 3, 2)),
    ((2, 1, 2), (3, 2, 4)),
    ((3, 2, 2, 3), (2, 1, 2, 2)),
]


def numbers(shape, dtype, seed=0):
    rng = np.random.default_rng(seed)
    whole = rng.integers(-9, 10, shape).astype(dtype)
    return whole + 1j * rng.integers(-9, 10, shape) if np.iscomplexobj(whole) else whole


@BOTH
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("f_shape", "g_shape"), SHAPES)
@pytest.mark.parametrize("dtypes", [(float, float), (complex, complex), (float, complex)])
def test_it_equals_scipy(operation, mode, f_shape, g_shape, dtypes, scipy):
    """Traps 21 to 23: which array is flipped, conjugated, and gives 'same' its middle."""
    f, g = numbers(f_shape, dtypes[0]), numbers(g_shape, dtypes[1], seed=1)
    theirs = getattr(scipy.signal, operation.__name__)
    # SciPy's direct 1-D correlate goes to NumPy, whose middle for even kernels is another.
    expected = theirs(f[None], g[None], mode, "direct")[0]
    np.testing.assert_array_equal(operation(f, g, mode), expected, strict=True)


@BOTH
@pytest.mark.parametrize("mode", MODES)
def test_one_axis_equals_scipys_default_method(operation, mode, scipy):
    for sizes in itertools.product(range(1, 7), repeat=2):
        f, g = numbers(sizes[0], float), numbers(sizes[1], float, seed=1)
        expected = getattr(scipy.signal, operation.__name__)(f, g, mode)
        np.testing.assert_array_equal(operation(f, g, mode), expected, strict=True)


def test_an_asymmetric_kernel_and_a_delta():
    """Trap 21: convolution returns the kernel, correlation its mirror, on every axis."""
    delta = np.zeros((5, 5))
    delta[2, 2] = 1
    kernel = np.arange(1.0, 10).reshape(3, 3)
    np.testing.assert_array_equal(convolve(delta, kernel, "same")[1:4, 1:4], kernel)
    np.testing.assert_array_equal(correlate(delta, kernel, "same")[1:4, 1:4], kernel[::-1, ::-1])


def test_correlate_conjugates_the_second_argument_alone():
    """Trap 22."""
    np.testing.assert_array_equal(correlate([1j], [1j]), [1])
    np.testing.assert_array_equal(correlate([1j], [1]), [1j])
    np.testing.assert_array_equal(correlate([1], [1j]), [-1j])
    np.testing.assert_array_equal(convolve([1j], [1j]), [-1])


def test_same_takes_the_shape_of_the_first():
    """Trap 23: NumPy takes the longer one's."""
    f, g = [1, 2], [1, 10, 100, 1000, 10000]
    np.testing.assert_array_equal(convolve(f, g, "same"), [120, 1200])
    np.testing.assert_array_equal(convolve(g, f, "same"), [1, 12, 120, 1200, 12000])
    assert len(np.convolve(f, g, "same")) == 5


def test_same_of_an_even_kernel_starts_where_scipys_n_d_does():
    """Trap 23: (k − 1)//2 of "full" is cut off in front, on one axis as on two."""
    f, g = [1, 2, 3, 4], [1, 10]
    np.testing.assert_array_equal(convolve(f, g, "same"), [1, 12, 23, 34])
    np.testing.assert_array_equal(correlate(f, g, "same"), [10, 21, 32, 43])
    assert correlate([f], [g], "same").tolist() == [[10, 21, 32, 43]]


@BOTH
def test_whole_numbers_become_float64_and_nothing_overflows(operation):
    y = operation(np.array([255, 255], np.uint8), np.array([255], np.uint8))
    assert y.dtype == np.float64
    np.testing.assert_array_equal(y, [65025, 65025])


@BOTH
@pytest.mark.parametrize("mode", MODES)
def test_an_empty_array_meets_nothing(operation, mode):
    f, g = np.ones(3), np.ones(0)
    assert operation(f, g, mode).shape == operation(g, f, mode).shape == (0,)
    assert operation(np.ones((2, 3)), np.ones((2, 0)), mode).size == 0


@BOTH
def test_two_numbers_are_multiplied(operation):
    assert operation(3, 4).item() == 12


@BOTH
def test_numbers_of_axes_that_differ_are_refused(operation):
    text = "convolve and correlate: both arrays need as many axes, got f.ndim=1, g.ndim=2"
    with pytest.raises(GeometryError, match=text):
        operation([1], [[1]])


@BOTH
def test_an_unknown_mode_is_refused(operation):
    text = 'convolve and correlate: mode must be "full", "same" or "valid", got mode=\'valld\''
    with pytest.raises(GeometryError, match=text):
        operation([1], [1], "valld")


@BOTH
def test_valid_needs_one_array_inside_the_other(operation):
    with pytest.raises(GeometryError, match='mode "valid" needs one array at least as large'):
        operation(np.ones((2, 3)), np.ones((3, 2)), "valid")


arrays = st.integers(0, 10_000).map(
    lambda seed: numbers(np.random.default_rng(seed).integers(1, 4, 2), float, seed)
)


@given(f=arrays, g=arrays)
def test_convolution_commutes(f, g):
    """D4, and a product of the two as polynomials, whose value at 1 is a product too."""
    np.testing.assert_array_equal(convolve(f, g), convolve(g, f), strict=True)
    assert convolve(f, g).sum() == f.sum() * g.sum()


@given(f=arrays, g=arrays)
def test_exchanged_arguments_mirror_a_correlation(f, g):
    """D4: correlation does not commute; what it does instead."""
    np.testing.assert_array_equal(correlate(f, g), correlate(g, f)[::-1, ::-1])


@given(f=arrays, g=arrays)
def test_correlation_is_convolution_with_the_mirrored_conjugate(f, g):
    g = g + 1j * g.T.reshape(g.shape)
    np.testing.assert_array_equal(correlate(f, g), convolve(f, g[::-1, ::-1].conj()))


@given(f=arrays, g=arrays, h=arrays)
def test_convolution_associates(f, g, h):
    """D9."""
    np.testing.assert_array_equal(convolve(convolve(f, g), h), convolve(f, convolve(g, h)))


@given(f=arrays, g=arrays, a=st.integers(-9, 9))
def test_convolution_is_linear(f, g, a):
    """D9."""
    h = numbers(g.shape, float, seed=5)
    left = convolve(f, a * g + h)
    np.testing.assert_array_equal(left, a * convolve(f, g) + convolve(f, h))


@given(f=arrays, g=arrays)
def test_full_correlation_is_a_layer_padded_by_kernel_less_one(f, g):
    pads = [(k - 1, k - 1) for k in g.shape]
    y = conv_loops(f[None, None], g[None, None], pads=pads)
    np.testing.assert_array_equal(y[0, 0], correlate(f, g))


def test_convolution_does_not_commute_in_same_mode_with_unequal_sizes():
    """D4: where it fails."""
    f, g = [1, 2, 3], [1, 1]
    assert convolve(f, g, "same").shape != convolve(g, f, "same").shape
    assert correlate([1, 2], [3, 4]).tolist() != correlate([3, 4], [1, 2]).tolist()
