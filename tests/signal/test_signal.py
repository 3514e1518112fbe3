"""`convolve` and `correlate`: values, contract, dtypes, and what they refuse."""

from __future__ import annotations

import math
import tracemalloc
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from faltung import reference, signal
from faltung.errors import DTypeError, GeometryError, IntegerRangeError
from faltung.kernels import fft
from faltung.signal import convolve, correlate

Array = NDArray[Any]
BOTH = pytest.mark.parametrize("function", [convolve, correlate], ids=lambda f: f.__name__)
MODE = pytest.mark.parametrize("mode", ["full", "same", "valid"])
SHAPES = [
    ((7,), (3,)),
    ((7,), (4,)),
    ((3,), (8,)),
    ((1,), (1,)),
    ((5,), (5,)),
    ((6, 5), (3, 2)),
    ((2, 3), (5, 4)),
    ((5, 4), (5, 1)),
    ((4, 5, 3), (2, 3, 3)),
    ((3, 2, 3, 2), (2, 2, 1, 2)),
    ((), ()),
]
SHAPE = pytest.mark.parametrize(("f_shape", "g_shape"), SHAPES, ids=str)


def gamma(terms: int, u: float = 2.0**-53) -> float:
    return terms * u / (1 - terms * u)


def overlap(f: Array, g: Array) -> int:
    return math.prod(map(min, zip(f.shape, g.shape, strict=True)))


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Array, Array]:
    axes = draw(st.integers(1, 3))
    shapes = [draw(st.tuples(*[st.integers(1, 6)] * axes)) for _ in range(2)]
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    f, g = (rng.integers(-9, 10, shape) for shape in shapes)
    return f, g


def nested(f: Array, g: Array) -> bool:
    f_larger = [a >= b for a, b in zip(f.shape, g.shape, strict=True)]
    return all(f_larger) or all(a <= b for a, b in zip(f.shape, g.shape, strict=True))


@BOTH
@MODE
@given(pair=pairs())
def test_integers_are_exact(
    function: Callable[..., Array], mode: str, pair: tuple[Array, Array]
) -> None:
    f, g = pair
    if mode != "valid" or nested(f, g):
        expected = getattr(reference, function.__name__)(f, g, mode)
        for method in ("auto", "direct", "fft"):
            np.testing.assert_array_equal(function(f, g, mode, method), expected)


@BOTH
@MODE
@SHAPE
@pytest.mark.parametrize("kind", ["int64", "float32", "float64", "complex64", "complex128"])
def test_scipy_agrees(
    function: Callable[..., Array],
    mode: str,
    f_shape: tuple[int, ...],
    g_shape: tuple[int, ...],
    kind: str,
    scipy: ModuleType,
) -> None:
    import scipy.signal as peer

    rng = np.random.default_rng(2)
    f, g = (rng.integers(-9, 10, shape).astype(kind) for shape in (f_shape, g_shape))
    if kind.startswith("complex"):
        f, g = f + f.dtype.type(2j) * f, g - g.dtype.type(3j) * g[::-1] if g.ndim else g
    theirs = getattr(peer, function.__name__)(f, g, mode, "direct")
    ours = function(f, g, mode)
    assert ours.dtype == theirs.dtype
    assert type(ours) is type(theirs)
    np.testing.assert_array_equal(ours, theirs)


@BOTH
@MODE
@pytest.mark.parametrize("kind", ["float32", "float64"])
def test_direct_sums_stay_within_the_bound(
    function: Callable[..., Array], mode: str, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signal, "_CACHE_BYTES", 100)
    rng = np.random.default_rng(4)
    for f_shape, g_shape in SHAPES[:-1]:
        f, g = (rng.standard_normal(shape).astype(kind) for shape in (f_shape, g_shape))
        exact = getattr(reference, function.__name__)
        terms = overlap(f, g)
        bound = gamma(terms, float(np.finfo(kind).eps) / 2) + gamma(terms)
        error = np.abs(function(f, g, mode, "direct") - exact(f, g, mode))
        assert (error <= bound * exact(np.abs(f), np.abs(g), mode)).all()


@BOTH
@MODE
@pytest.mark.parametrize("kind", ["float32", "float64", "complex64", "complex128"])
def test_the_transform_stays_within_its_bound(
    function: Callable[..., Array], mode: str, kind: str
) -> None:
    rng = np.random.default_rng(6)
    for f_shape, g_shape in SHAPES:
        f, g = (np.asarray(rng.standard_normal(shape)).astype(kind) for shape in (f_shape, g_shape))
        if kind.startswith("complex"):
            f = (f * (1 + 2j)).astype(kind)
        exact = function(f.astype(np.complex128), g.astype(np.complex128), mode, "direct")
        y = function(f, g, mode, "fft")
        assert y.dtype == kind
        n = math.prod(2 * (a + b) for a, b in zip(f_shape, g_shape, strict=True))
        norms = np.linalg.norm(f) * np.linalg.norm(g)
        steps = max(1.0, math.log2(n)) * (2 + math.sqrt(min(f.size, g.size)))
        rounding = float(np.finfo(kind).eps) * np.abs(exact)
        assert (np.abs(y - exact) <= 8 * 2.0**-53 * steps * norms + rounding).all()


@settings(max_examples=30)
@given(pair=pairs())
def test_convolution_commutes(pair: tuple[Array, Array]) -> None:
    f, g = pair
    np.testing.assert_array_equal(convolve(f, g), convolve(g, f))
    if nested(f, g):
        np.testing.assert_array_equal(convolve(f, g, "valid"), convolve(g, f, "valid"))


@settings(max_examples=20)
@given(f=pairs(), extra=st.integers(1, 3))
def test_convolution_is_associative(f: tuple[Array, Array], extra: int) -> None:
    a, b = f
    c = np.arange(1, 1 + extra).reshape(*[1] * (a.ndim - 1), extra)
    np.testing.assert_array_equal(convolve(convolve(a, b), c), convolve(a, convolve(b, c)))


def test_a_delta_gives_the_kernel_or_its_mirror() -> None:
    delta = np.zeros((3, 3), int)
    delta[1, 1] = 1
    kernel = np.arange(9).reshape(3, 3)
    np.testing.assert_array_equal(convolve(delta, kernel, "same"), kernel)
    np.testing.assert_array_equal(correlate(delta, kernel, "same"), kernel[::-1, ::-1])


def test_a_glitch_is_smeared_over_three_samples() -> None:
    f = [10, 9, 10, 9, 10, 1, 10, 9, 10, 8]
    full = convolve(f, [1, 1, 1])
    assert full.tolist() == [10, 19, 29, 28, 29, 20, 21, 20, 29, 27, 18, 8]
    assert full.sum() == 258 == 3 * sum(f)
    thirds = convolve(np.array(f) / 3, [1.0, 1.0, 1.0], "valid")
    assert np.round(thirds, 2).tolist() == [9.67, 9.33, 9.67, 6.67, 7, 6.67, 9.67, 9]


def test_correlate_conjugates_its_second_argument() -> None:
    assert correlate([1 + 2j], [3 + 4j])[0] == (1 + 2j) * (3 - 4j)
    assert convolve([1 + 2j], [3 + 4j])[0] == (1 + 2j) * (3 + 4j)
    assert correlate(1j, 1j) == 1


def test_same_is_centred_on_the_first_even_for_even_kernels() -> None:
    assert convolve([1, 2, 3], [1, 10], "same").tolist() == [1, 12, 23]
    assert convolve([1, 2], [1, 10, 100], "same").tolist() == [12, 120]
    assert correlate([1, 2, 3], [1, 10], "same").tolist() == [10, 21, 32]


@pytest.mark.parametrize(
    ("f", "g", "expected"),
    [
        ("uint8", "uint8", "uint64"),
        ("bool", "bool", "uint64"),
        ("bool", "uint16", "uint64"),
        ("bool", "int8", "int64"),
        ("uint64", "int8", "int64"),
        ("int32", "int16", "int64"),
        ("uint8", "float16", "float32"),
        ("float16", "float16", "float32"),
        ("float32", "int16", "float32"),
        ("float32", "int32", "float64"),
        ("float32", "complex64", "complex64"),
        ("float64", "complex64", "complex128"),
        (">f4", ">f4", "float32"),
        ("longdouble", "float32", "longdouble"),
        ("object", "int8", "object"),
    ],
)
@pytest.mark.parametrize("shape", [(3,), (2, 2)])
def test_dtypes(f: str, g: str, expected: str, shape: tuple[int, ...]) -> None:
    a, b = np.ones(shape, f), np.ones(shape, g)
    for one, other in ((a, b), (b, a)):
        for method in ("direct",) if "object" in f else ("direct", "fft"):
            y = convolve(one, other, method=method)
            assert y.dtype == np.dtype(expected)
            assert y.dtype.isnative
            assert round(abs(complex(y[tuple(n - 1 for n in shape)])), 9) == a.size


def test_integers_do_not_wrap() -> None:
    image = np.full((5, 5), 255, np.uint8)
    assert convolve(image, image, "same")[2, 2] == 25 * 255 * 255
    assert convolve([True] * 4, [True] * 4)[3] == 4
    assert convolve(np.uint8(200), np.uint8(200)) == 40000


def test_the_64_bits_are_used_to_the_end() -> None:
    assert convolve([2**62], [1, 1]).tolist() == [2**62, 2**62]
    assert convolve(np.array([2**63], np.uint64), np.array([1], np.uint64))[0] == 2**63
    # max|f|·max|g|·overlap is 3·2·2**61, past the limit; max|f|·Σ|g| is 2**63 - 4
    nearly = 2**61 - 1
    assert convolve([nearly] * 3, [1, -2, 1]).tolist() == [nearly, -nearly, 0, -nearly, nearly]


@pytest.mark.parametrize(
    ("f", "g"),
    [
        ([2**62], [2]),
        ([2**62, 2**62], [1, 1]),
        ([-(2**63)], [1]),
        (np.array([2**63], np.uint64), [1]),
        (np.array([2**63], np.uint64), np.array([2], np.uint64)),
        (2**32, 2**32),
    ],
)
def test_a_sum_that_could_pass_64_bits_is_refused(f: Any, g: Any) -> None:
    for function in (convolve, correlate):
        with pytest.raises(IntegerRangeError, match=r"a sum could pass the largest u?int64.*S8"):
            function(f, g)
    with pytest.raises(OverflowError, match=r"got bound=\d+\. Convert to float64"):
        convolve(f, g, method="fft")


def test_objects_keep_their_arithmetic() -> None:
    thirds = np.array([Fraction(1, 3)] * 3)
    assert convolve(thirds, thirds)[2] == Fraction(1, 3)
    assert correlate(np.array([[Decimal("0.1")]]), np.array([[Decimal(3)]]))[0, 0] == Decimal("0.3")
    assert convolve(np.array([2**80, 1], object), [1, 1]).tolist() == [2**80, 2**80 + 1, 1]


@pytest.mark.parametrize("method", ["auto", "direct"])
@pytest.mark.parametrize("shape", [(400,), (40, 40)])
def test_non_finite_values_reach_only_their_own_outputs(
    method: str, shape: tuple[int, ...]
) -> None:
    f, g = np.ones(shape), np.ones([n // 2 for n in shape])
    for value in (np.nan, np.inf):
        f.flat[0] = value
        y = convolve(f, g, method=method)
        assert (~np.isfinite(y)).sum() == g.size
        assert not np.isfinite(y[tuple(slice(n) for n in g.shape)]).any()


def test_small_values_survive_beside_large_ones() -> None:
    f = np.full(2000, 1e-10)
    f[0] = 1e10
    g = np.ones(1000)
    np.testing.assert_allclose(convolve(f, g)[1000:2000], 1e-7, rtol=gamma(1000))


@BOTH
def test_the_transform_warns_of_non_finite_values(function: Callable[..., Array]) -> None:
    with pytest.warns(RuntimeWarning, match="spreads NaN and infinity") as caught:
        y = function([1.0, np.nan, 1.0], [1.0, 1.0], method="fft")
    assert caught[0].filename == __file__
    assert np.isnan(y).all()


def test_auto_never_transforms_integers(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = []
    original = signal._by_fft
    monkeypatch.setattr(signal, "_by_fft", lambda *a: taken.append(1) or original(*a))
    monkeypatch.setattr(fft, "correlate", lambda *a: taken.append(1))
    rng = np.random.default_rng(8)
    f, g = rng.integers(0, 255, (64, 64)), rng.integers(-99, 99, (40, 40))
    y = convolve(f, g)
    convolve(f * 2**16, g * 2**16, method="fft")  # rounding it would not be exact
    convolve(rng.integers(0, 9, 30_000), np.ones(20_000, int))
    assert not taken
    np.testing.assert_array_equal(y, convolve(f, g, method="fft"))
    assert taken


def test_integers_by_transform_are_exact_up_to_its_own_limit() -> None:
    rng = np.random.default_rng(9)
    for bits in range(1, 30):
        f, g = rng.integers(-(2**bits), 2**bits, 50), rng.integers(-(2**bits), 2**bits, 40)
        exact = convolve(f.astype(object), g.astype(object))
        np.testing.assert_array_equal(convolve(f, g, method="fft"), exact)


def test_memory_stays_near_the_result() -> None:
    f, g = np.ones((1000, 1000)), np.ones((5, 5))
    tracemalloc.start()
    try:
        convolve(f, g)
        assert tracemalloc.get_traced_memory()[1] < 1.5 * f.nbytes
    finally:
        tracemalloc.stop()


@MODE
def test_inputs_may_be_strided_and_read_only(mode: str) -> None:
    f, g = np.arange(48).reshape(6, 8)[::-2, ::2], np.arange(4).reshape(2, 2).T
    f.flags.writeable = g.flags.writeable = False
    expected = convolve(f.copy(), g.copy(), mode)
    y = convolve(f, g, mode)
    np.testing.assert_array_equal(y, expected)
    assert y.flags.c_contiguous
    assert y.flags.writeable


@BOTH
@pytest.mark.parametrize(
    ("f", "g", "settings", "text"),
    [
        ([1], [1], {"mode": "spam"}, r"mode must be one of 'full', .*mode='spam'.*S1"),
        ([1], [1], {"method": "bacon"}, r"method must be one of .*method='bacon'.*S2"),
        ([1], [[1]], {}, r"as many axes, got f.shape=\(1,\), g.shape=\(1, 1\)\. Give .*S3"),
        ([1], 2, {"method": "fft"}, r"as many axes.*S3"),
        ([], [1], {}, r"must hold values, got f.shape=\(0,\).*S4"),
        ([1], [], {"mode": "same"}, r"must hold values.*S4"),
        (np.ones((2, 3)), np.ones((3, 2)), {"mode": "valid"}, r"at least as large.*S5"),
    ],
)
def test_what_does_not_fit_is_refused(
    function: Callable[..., Array], f: Any, g: Any, settings: dict[str, str], text: str
) -> None:
    with pytest.raises(GeometryError, match=rf"^{function.__name__}: .*{text}"):
        function(f, g, **settings)


@BOTH
def test_dtypes_without_sums_are_refused(function: Callable[..., Array]) -> None:
    with pytest.raises(DTypeError, match=r"takes booleans, .*got f.dtype=<U1, g.dtype=int64.*S6"):
        function(["a"], [1])
    with pytest.raises(DTypeError, match=r"objects have no Fourier transform.*direct.*S7"):
        function(np.array([Fraction(1)]), [1], method="fft")


@BOTH
def test_an_empty_first_array_stays_empty_in_mode_same(function: Callable[..., Array]) -> None:
    y = function(np.ones((0, 3)), np.ones((2, 2)), "same")
    assert y.shape == (0, 3)
    assert y.dtype == np.float64
