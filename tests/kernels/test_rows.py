"""Every row of the registry against the float64 definitions: on integers, and by its bound."""

from __future__ import annotations

import math
from collections.abc import Callable
from operator import attrgetter
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from faltung import reference
from faltung.geometry import ConvWindow, PoolWindow
from faltung.kernels import blocks
from faltung.kernels.choose import compiled_for
from faltung.kernels.registry import ROWS as ALL
from faltung.kernels.registry import Row, Window, gamma

Array = NDArray[Any]
DTYPES = (np.dtype(np.float32), np.dtype(np.float64))

CONV: dict[str, tuple[tuple[int, ...], tuple[int, ...], dict[str, Any]]] = {
    "plain": ((2, 3, 6, 5), (4, 3, 3, 3), {}),
    "one pixel": ((1, 1, 1, 1), (1, 1, 1, 1), {}),
    "kernel is the input": ((2, 2, 4, 3), (3, 2, 4, 3), {}),
    "kernel larger than the input": ((2, 2, 2, 3), (3, 2, 3, 3), {}),
    "kernel larger than the input, padded": ((2, 2, 2, 2), (3, 2, 3, 3), {"padding": 1}),
    "stride larger than the kernel": ((2, 2, 9, 8), (3, 2, 2, 2), {"stride": 3}),
    "columns dropped": ((2, 2, 8, 9), (3, 2, 3, 3), {"stride": (3, 2)}),
    "asymmetric padding": ((2, 2, 5, 6), (3, 2, 3, 2), {"padding": ((2, 0), (0, 3))}),
    "negative padding": ((2, 2, 7, 6), (3, 2, 2, 3), {"padding": ((-1, 2), (1, -2))}),
    "padding wider than the kernel": ((1, 2, 3, 3), (2, 2, 2, 2), {"padding": 3}),
    "same, even kernel": ((1, 2, 6, 7), (2, 2, 4, 2), {"padding": "same", "stride": 2}),
    "even phases": ((2, 3, 11, 14), (4, 3, 4, 4), {"padding": ((1, 2), (0, 1)), "stride": 2}),
    "dilation": ((2, 2, 9, 8), (3, 2, 3, 2), {"dilation": (2, 3), "padding": 2}),
    "dilation and stride": (
        (2, 2, 11, 9),
        (3, 2, 3, 3),
        {"dilation": 2, "stride": 2, "padding": 1},
    ),
    "groups": ((2, 6, 5, 5), (4, 3, 3, 3), {"groups": 2, "padding": 1}),
    "groups, fewer channels out": ((2, 8, 5, 5), (4, 4, 3, 3), {"groups": 2}),
    "one channel, asymmetric padding": ((2, 1, 9, 13), (2, 1, 3, 4), {"padding": ((1, 2), (3, 0))}),
    "large kernel": ((1, 2, 20, 25), (4, 1, 15, 17), {"padding": ((7, 5), (9, 8)), "groups": 2}),
    "long signal": ((2, 1, 70), (1, 1, 21), {"padding": ((4, 11),)}),
    "depthwise": ((2, 5, 6, 7), (5, 1, 3, 3), {"groups": 5, "padding": 1}),
    "depthwise, two for each": ((2, 3, 6, 7), (6, 1, 3, 3), {"groups": 3, "stride": 2}),
    "depthwise, asymmetric padding": (
        (2, 5, 6, 9),
        (5, 1, 3, 4),
        {"groups": 5, "stride": (1, 2), "padding": ((1, 2), (3, 0))},
    ),
    "one by one": ((3, 5, 4, 7), (6, 5, 1, 1), {}),
    "one by one, strided": ((3, 5, 5, 7), (2, 5, 1, 1), {"stride": 2}),
    "prime sizes": ((1, 3, 17, 13), (7, 3, 5, 5), {"padding": 2}),
    "empty batch": ((0, 2, 5, 5), (3, 2, 3, 3), {}),
    "empty axis": ((2, 2, 0, 5), (3, 2, 1, 3), {}),
    "empty axis, padded": ((2, 2, 0, 5), (3, 2, 2, 3), {"padding": 1}),
    "signal": ((3, 2, 11), (4, 2, 3), {"stride": 2, "padding": ((1, 2),)}),
    "signal in parts": ((2, 3, 26), (4, 3, 8), {"padding": ((3, 1),)}),
    "volume": ((2, 2, 4, 5, 3), (3, 2, 3, 2, 2), {"padding": 1, "stride": (1, 2, 1)}),
    "volume, dilated": ((1, 2, 5, 6, 4), (2, 1, 2, 3, 2), {"dilation": (2, 1, 1), "groups": 2}),
}
POOL: dict[str, tuple[tuple[int, ...], Any, dict[str, Any]]] = {
    "side by side": ((2, 3, 6, 8), 2, {}),
    "columns dropped": ((2, 3, 7, 5), 2, {}),
    "overlapping": ((2, 2, 7, 8), 3, {"stride": 2, "padding": 1}),
    "stride 1": ((2, 2, 5, 6), (2, 3), {"stride": 1}),
    "stride larger than the kernel": ((2, 2, 9, 8), 2, {"stride": 3}),
    "asymmetric padding": ((2, 2, 5, 6), 3, {"padding": ((2, 0), (0, 1)), "stride": 2}),
    "negative padding": ((2, 2, 7, 6), 2, {"padding": ((-1, 1), (1, -2))}),
    "ceil": ((2, 2, 6, 5), 3, {"stride": 2, "ceil": True}),
    "ceil and padding": ((1, 2, 4, 4), 3, {"stride": 2, "padding": 1, "ceil": True}),
    "dilation": ((2, 2, 9, 8), (2, 3), {"dilation": (3, 2), "stride": 2}),
    "kernel is the input": ((2, 3, 4, 5), (4, 5), {}),
    "kernel larger than the input": ((2, 3, 2, 5), 3, {}),
    "empty batch": ((0, 3, 4, 4), 2, {}),
    "signal": ((2, 2, 11), 3, {"stride": 2, "ceil": True}),
    "volume": ((1, 2, 5, 4, 6), (2, 2, 3), {"padding": ((1, 0), (0, 0), (0, 1))}),
}


def window_of(row: Row, case: str) -> Window:
    if row.operation.startswith("conv"):
        x_shape, w_shape, settings = CONV[case]
        return ConvWindow.of(x_shape, w_shape, **settings)
    x_shape, kernel, settings = POOL[case]
    return PoolWindow.of(x_shape, kernel, **settings)


def cases_of(row: Row) -> list[str]:
    cases = CONV if row.operation.startswith("conv") else POOL
    return [case for case in cases if row.applies(window_of(row, case), DTYPES[0])]


def telling_case(row: Row) -> str:
    """A case that every mistake shows on."""
    telling = (
        "overlapping",
        "side by side",
        "asymmetric padding",
        "plain",
        "depthwise, two for each",
    )
    telling = (*telling, "prime sizes", "one channel, asymmetric padding", "large kernel")
    telling = (*telling, "one by one", "depthwise, asymmetric padding")
    telling = (*telling, "even phases", "signal in parts")
    return next(case for case in telling if case in cases_of(row))


def arrays_for(row: Row, window: Any, make: Callable[[tuple[int, ...]], Array]) -> list[Any]:
    """The arguments of a row, in its order, after the window."""
    shapes = {"x": window.x_shape, "dout": window.out_shape}
    if isinstance(window, ConvWindow):
        shapes |= {"w": window.w_shape, "b": (window.out_channels,)}
    names = {
        "conv": ("x", "w", "b"),
        "conv_dx": ("dout", "w"),
        "conv_dw": ("x", "dout"),
        "max_pool": ("x",),
        "max_pool_dx": ("x", "dout"),
        "avg_pool": ("x",),
        "avg_pool_dx": ("dout",),
    }
    return [make(shapes[name]) for name in names[row.operation]]


def defined(row: Row, window: Any, arrays: list[Array], include: bool = False) -> Array:
    """What the reference says, in float64."""
    slide = {"stride": window.stride, "pads": window.pads, "dilation": window.dilation}
    function = getattr(reference, row.operation)
    if isinstance(window, ConvWindow):
        shape = {"conv_dx": [window.x_shape], "conv_dw": [window.w_shape]}.get(row.operation, [])
        return function(*arrays, *shape, **slide, groups=window.groups)
    slide["out_space"] = window.out_space
    if row.operation.startswith("avg"):
        slide["count_include_pad"] = include
    shape = [window.x_shape] if row.operation == "avg_pool_dx" else []
    return function(*arrays, *shape, window.kernel, **slide)


def run(row: Row, window: Any, arrays: list[Array], include: bool = False) -> Array:
    extra = [include] if row.operation.startswith("avg") else []
    return row.load()(window, *arrays, *extra)


def integers(dtype: np.dtype[Any], scale: int = 1) -> Callable[[tuple[int, ...]], Array]:
    rng = np.random.default_rng(7)
    return lambda shape: (rng.integers(-4, 5, shape) * scale).astype(dtype)


def common_multiple(window: Window) -> int:
    """A number that every divisor of an average over this window divides."""
    each = (
        [axis.divisor(o, include) or 1 for o in range(axis.out_size) for include in (False, True)]
        for axis in window.axes
    )
    return math.prod(math.lcm(*divisors) for divisors in each)


def check_exact(row: Row, window: Window, dtype: np.dtype[Any], kernel: Any = run) -> None:
    """Small integers leave nothing to round; for a mean they are multiples of its divisors."""
    mean = row.operation.startswith("avg")
    arrays = arrays_for(row, window, integers(dtype, common_multiple(window) if mean else 1))
    for include in (False, True) if mean else (False,):
        y, wanted = kernel(row, window, arrays, include), defined(row, window, arrays, include)
        assert y.dtype == dtype
        assert y.flags.c_contiguous
        if row.is_exact:
            np.testing.assert_array_equal(y, wanted)
        else:
            assert (np.abs(y - wanted) <= allowed(row, window, arrays, dtype)).all()


def allowed(row: Row, window: Window, arrays: list[Array], dtype: np.dtype[Any]) -> Array:
    """How far a row's rounding may move each output; the definition's own comes on top."""
    bound = row.error_bound(window, dtype) + gamma(row.terms(window), np.dtype(np.float64))
    kept = 1 if row.operation == "max_pool_dx" else 0  # who wins depends on the signs of x
    sizes = [a if i < kept else np.abs(a) for i, a in enumerate(arrays)]
    if row.is_exact:
        return bound * defined(row, window, sizes)
    # The largest number that is read anywhere, for every tap, also where there is padding.
    assert isinstance(window, ConvWindow)
    largest, factors = sizes[0].max(initial=0.0), sizes[1].astype(np.float64)
    if row.operation == "conv":
        total = largest * factors.sum(tuple(range(1, factors.ndim))) + sizes[2]
    elif row.operation == "conv_dx":
        grouped = factors.reshape(window.groups, window.group_out, window.group_in, -1)
        total = largest * grouped.sum((1, 3)).ravel()
    else:
        total = largest * factors.sum((0, 2, 3))
    spread = (-1, 1, 1, 1) if row.operation == "conv_dw" else (-1, *[1] * len(window.axes))
    return bound * total.reshape(spread)


ROWS = tuple(row for row in ALL if compiled_for() or not row.is_compiled)
row_name = attrgetter("name")
ROW = pytest.mark.parametrize("row", ROWS, ids=row_name)
DTYPE = pytest.mark.parametrize("dtype", DTYPES, ids=str)
EACH = [(row, case) for row in ROWS for case in cases_of(row)]
ROW_AND_CASE = pytest.mark.parametrize(
    ("row", "case"), [pytest.param(*pair, id=f"{pair[0].name}-{pair[1]}") for pair in EACH]
)


def in_either(each: list[tuple[Row, str]]) -> list[Any]:
    """All cases in float32; in float64 one of three where each has to be compiled anew."""
    return [
        pytest.param(row, case, dtype, id=f"{dtype}-{row.name}-{case}")
        for dtype in DTYPES
        for n, (row, case) in enumerate(each)
        if dtype == np.float32 or not row.is_compiled or n % 3 == 0
    ]


ROW_CASE_AND_DTYPE = pytest.mark.parametrize(("row", "case", "dtype"), in_either(EACH))


@ROW_CASE_AND_DTYPE
def test_small_integers_come_out_exact(row: Row, case: str, dtype: np.dtype[Any]) -> None:
    check_exact(row, window_of(row, case), dtype)


@ROW_AND_CASE
def test_blocks_of_any_size_give_the_same(
    row: Row, case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    window = window_of(row, case)
    for block_bytes in (1, 300, 2000):
        monkeypatch.setattr(blocks, "BLOCK_BYTES", block_bytes)
        check_exact(row, window, DTYPES[0])


@ROW_CASE_AND_DTYPE
def test_error_stays_within_the_row_s_bound(row: Row, case: str, dtype: np.dtype[Any]) -> None:
    window = window_of(row, case)
    rng = np.random.default_rng(3)
    arrays = arrays_for(row, window, lambda shape: rng.standard_normal(shape).astype(dtype))
    error = np.abs(run(row, window, arrays) - defined(row, window, arrays))
    assert (error <= allowed(row, window, arrays, dtype)).all()


@pytest.mark.parametrize("row", [row for row in ROWS if not row.is_compiled], ids=row_name)
@DTYPE
@given(data=st.data())
def test_any_geometry_is_exact(row: Row, dtype: np.dtype[Any], data: st.DataObject) -> None:
    check_drawn(row, dtype, data)


@pytest.mark.parametrize("row", [row for row in ROWS if row.is_compiled], ids=row_name)
@DTYPE
@given(data=st.data())
@settings(max_examples=8)  # nearly each is compiled anew; `test_random_geometries` shares variants
def test_some_geometries_are_exact(row: Row, dtype: np.dtype[Any], data: st.DataObject) -> None:
    check_drawn(row, dtype, data)


def check_drawn(row: Row, dtype: np.dtype[Any], data: st.DataObject) -> None:
    window = data.draw(windows_for(row))
    if row.applies(window, dtype):
        check_exact(row, window, dtype)


@st.composite
def windows_for(draw: st.DrawFn, row: Row) -> Window:
    axes = draw(st.integers(1, 3))
    each = st.tuples(*[st.integers(1, 3)] * axes)
    kernel, stride, dilation = draw(each), draw(each), draw(each)
    space = draw(st.tuples(*[st.integers(1, 7)] * axes))
    batch = draw(st.integers(0, 2))
    side = st.integers(-1, 2) if row.operation.startswith("conv") else st.just(0)
    settings = {
        "stride": stride,
        "dilation": dilation,
        "padding": tuple((max(draw(side), 1 - n), draw(side) if n > 2 else 0) for n in space),
    }
    if not row.operation.startswith("conv"):
        ceil = draw(st.booleans())
        return PoolWindow.of((batch, 2, *space), kernel, **settings, ceil=ceil)
    groups, group_in, group_out = draw(st.tuples(*[st.integers(1, 3)] * 3))
    x_shape, w_shape = (batch, groups * group_in, *space), (groups * group_out, group_in, *kernel)
    return ConvWindow.of(x_shape, w_shape, **settings, groups=groups)


@ROW
def test_strided_reversed_and_read_only_inputs(row: Row) -> None:
    window = window_of(row, telling_case(row))
    arrays = arrays_for(row, window, integers(DTYPES[0], scale=36))
    awkward = []
    for a in arrays:
        wide = np.zeros([2 * n for n in a.shape], a.dtype)
        wide[tuple(slice(None, None, -2) for _ in a.shape)] = a
        awkward.append(wide[tuple(slice(None, None, -2) for _ in a.shape)])
        awkward[-1].flags.writeable = False
    before = [a.copy() for a in awkward]
    np.testing.assert_array_equal(run(row, window, awkward), run(row, window, arrays))
    for a, b in zip(awkward, before, strict=True):
        np.testing.assert_array_equal(a, b)


@ROW_AND_CASE
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_non_finite_values_reach_what_the_definition_says(
    row: Row, case: str, value: float
) -> None:
    window = window_of(row, case)
    rng = np.random.default_rng(5)
    arrays = arrays_for(row, window, integers(DTYPES[0]))
    for a in arrays:
        a[rng.random(a.shape) < 0.1] = value
    with np.errstate(all="ignore"):
        y = run(row, window, arrays)
    expected = defined(row, window, arrays)
    if not row.is_exact:  # where they stay is tested with each of these rows
        assert not np.isfinite(y[~np.isfinite(expected)]).any()
        return
    np.testing.assert_array_equal(np.isnan(y), np.isnan(expected))
    np.testing.assert_array_equal(np.isposinf(y), np.isposinf(expected))
    np.testing.assert_array_equal(np.isneginf(y), np.isneginf(expected))


# A row is only held to what it promises on a geometry that it takes: the first of these.
ANY_BATCH: tuple[tuple[tuple[int, ...], dict[str, Any]], ...] = (
    ((8, 6, 3, 3), {"padding": 1}),
    ((12, 1, 3, 3), {"padding": 1, "groups": 6}),
    ((6, 1, 3, 3), {"padding": 1, "groups": 6}),
    ((8, 6, 1, 1), {}),
    ((8, 6, 3, 3), {"padding": 1, "stride": 2}),
    ((6, 1, 15, 15), {"padding": 7, "groups": 6}),
    ((8, 6, 4, 4), {"padding": 1, "stride": 2}),
    ((8, 6, 8), {"padding": 3}),
)


@pytest.mark.parametrize("row", [r for r in ROWS if r.operation != "conv_dw"], ids=lambda r: r.name)
def test_an_image_has_the_same_bits_in_any_batch(row: Row) -> None:
    rng = np.random.default_rng(11)
    conv = row.operation.startswith("conv")

    def window(batch: int) -> Any:
        x_shape = (batch, 6, 13, 11)
        if conv:
            shapes = (ConvWindow.of(x_shape[: len(w)], w, **how) for w, how in ANY_BATCH)
            return next(shape for shape in shapes if row.applies(shape, DTYPES[0]))
        overlapping = PoolWindow.of(x_shape, 3, stride=2, padding=1)
        if row.applies(overlapping, DTYPES[0]):
            return overlapping
        return PoolWindow.of((batch, 6, 12, 10), 2)

    whole = arrays_for(row, window(5), lambda shape: rng.standard_normal(shape).astype(np.float32))
    y = run(row, window(5), whole)
    for images in (slice(0, 1), slice(1, 4), slice(4, 5)):
        part = [a[images] if len(a) == 5 else a for a in whole]
        np.testing.assert_array_equal(run(row, window(len(part[0])), part), y[images])


def broken(how: str) -> Callable[..., Array]:
    """A kernel with one bug."""

    def wrong(row: Row, window: Any, arrays: list[Array], include: bool = False) -> Array:
        y = run(row, window, arrays, include)
        match how:
            case "all zeros":
                return np.zeros_like(y)
            case "one position off":
                return np.roll(y, 1, axis=-1)
            case "axes swapped":
                return np.ascontiguousarray(np.swapaxes(y, -1, -2)).reshape(y.shape)
            case "turned round":
                return np.ascontiguousarray(y[..., ::-1])
            case "last value wrong":
                y.flat[-1] += 1 if row.is_exact else 100
        return y

    return wrong


@ROW
@pytest.mark.parametrize(
    "how", ["all zeros", "one position off", "axes swapped", "turned round", "last value wrong"]
)
def test_a_broken_kernel_does_not_pass(row: Row, how: str) -> None:
    window = window_of(row, telling_case(row))
    with pytest.raises(AssertionError):
        check_exact(row, window, DTYPES[0], broken(how))
