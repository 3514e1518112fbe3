"""Prepared transposed convolution: the values of `faltung.conv_transpose`, packed once."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import faltung
from faltung.errors import DTypeError, GeometryError
from faltung.geometry import TransposedWindow
from faltung.kernels.choose import candidates
from faltung.kernels.registry import Row, gamma
from faltung.kernels.settings import settings

CASES: list[tuple[tuple[int, ...], tuple[int, ...], dict[str, Any]]] = [
    ((3, 20, 9, 7), (20, 33, 4, 4), {"stride": 2, "padding": 1}),
    ((2, 6, 8, 8), (6, 5, 2, 2), {"stride": 2}),
    ((4, 3, 5, 6), (3, 8, 3, 3), {"stride": 2, "padding": 1, "output_padding": 1}),
    ((2, 8, 7, 7), (8, 2, 3, 3), {"groups": 4, "padding": 1}),
    ((2, 6, 9, 9), (6, 1, 4, 4), {"groups": 6, "stride": 2, "padding": 1}),
    ((3, 4, 11), (4, 6, 5), {"stride": 3, "dilation": 2, "padding": ((1, 2),)}),
    ((2, 3, 3, 4, 3), (3, 2, 2, 3, 2), {"stride": 2}),
    ((2, 2, 1, 1), (2, 3, 1, 1), {"stride": 3}),
]
ACTIVATIONS: list[Any] = [None, "relu", ("leaky_relu", 0.25), ("clip", -1.0, 2.5)]


def whole(shape: tuple[int, ...], seed: int, dtype: Any = np.float32) -> Any:
    return np.random.default_rng(seed).integers(-3, 4, shape).astype(dtype)


def drawn(shape: tuple[int, ...], seed: int) -> Any:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def biases(w_shape: tuple[int, ...], options: dict[str, Any]) -> Any:
    return whole((w_shape[1] * options.get("groups", 1),), 3)


def activated(y: Any, activation: Any) -> Any:
    name, *numbers = (activation,) if isinstance(activation, str) else activation or (None,)
    if name == "relu":
        return np.maximum(y, 0)
    if name == "leaky_relu":
        return np.where(y < 0, y * y.dtype.type(numbers[0]), y)
    return np.clip(y, *numbers) if name == "clip" else y


@pytest.mark.parametrize("activation", ACTIVATIONS, ids=str)
@pytest.mark.parametrize(("x_shape", "w_shape", "options"), CASES)
def test_it_is_the_transposed_convolution_and_then_the_activation(
    x_shape: Any, w_shape: Any, options: Any, activation: Any
) -> None:
    """Whole numbers, on algorithms without rounding of their own: exactly."""
    x, w, b = whole(x_shape, 1), whole(w_shape, 2), biases(w_shape, options)
    wide = [a.astype(np.float64) for a in (x, w, b)]
    right = activated(faltung.conv_transpose(*wide, exact=True, **options), activation)
    conv = faltung.prepare_transpose(w, b, activation=activation, exact=True, **options)
    for _ in range(3):
        np.testing.assert_array_equal(conv(x), right)
    out = np.full(right.shape, np.nan, np.float32)
    assert conv(x, out) is out
    np.testing.assert_array_equal(out, right)


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize(("x_shape", "w_shape", "options"), CASES)
def test_threads_runs_and_any_split_of_the_batch_change_no_bit(
    x_shape: Any, w_shape: Any, options: Any, threads: int
) -> None:
    x, w, b = drawn(x_shape, 1), drawn(w_shape, 2), biases(w_shape, options)
    faltung.set_num_threads(1)
    right = faltung.prepare_transpose(w, b, activation="relu", **options)(x)
    faltung.set_num_threads(threads)
    try:
        conv = faltung.prepare_transpose(w, b, activation="relu", **options)
        for step in (1, 2, len(x)):
            parts = [conv(x[i : i + step]) for i in range(0, len(x), step)]
            np.testing.assert_array_equal(np.concatenate(parts), right)
        for _ in range(10):
            np.testing.assert_array_equal(conv(x), right)
    finally:
        faltung.set_num_threads(None)


@pytest.mark.parametrize(("x_shape", "w_shape", "options"), CASES)
def test_every_row_can_be_imposed_and_keeps_its_bound(
    x_shape: Any, w_shape: Any, options: Any
) -> None:
    x, w, b = drawn(x_shape, 1), drawn(w_shape, 2), biases(w_shape, options)
    window = TransposedWindow.of(x_shape, w_shape, **options).adjoint
    dtype = np.dtype(np.float32)
    right = faltung.conv_transpose(x.astype(np.float64), w, b, **options)
    weights = np.abs(w.astype(np.float64)).sum((0, *range(2, w.ndim))).max()
    scale = np.abs(x).max() * weights + np.abs(b).max()
    for row in candidates("conv_dx", window, dtype, settings().isa):
        conv = faltung.prepare_transpose(w, b, **options)
        conv.choices[x_shape[1:]] = row.name
        y = conv(x)
        assert conv.choices == {x_shape[1:]: row.name}
        bound = (row.error_bound(window, dtype) + 2 * gamma(row.terms(window), dtype)) * scale
        assert np.abs(y - right).max() <= bound, row.name
        np.testing.assert_array_equal(conv(x), y)


def test_weights_are_brought_into_order_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """For images of any size; but those smaller than a stride lack some phases."""
    packed = []
    pack = Row.pack
    monkeypatch.setattr(Row, "pack", lambda row, *given: packed.append(row) or pack(row, *given))
    conv = faltung.prepare_transpose(drawn((32, 16, 4, 4), 0), stride=2, padding=1)
    for size in (8, 8, 9, 10):
        conv(drawn((2, 32, size, size), size))
    assert len(packed) == len(set(packed))


def test_a_result_smaller_than_the_stride() -> None:
    """Its kernels' weights lie in another order than those of a larger one."""
    w = whole((2, 3, 3, 3), 0)
    conv = faltung.prepare_transpose(w, stride=3, padding=1, exact=True)
    for size in (1, 2, 4, 1):
        x = whole((1, 2, size, size), size)
        right = faltung.conv_transpose(x, w, stride=3, padding=1, exact=True)
        np.testing.assert_array_equal(conv(x), right)


def test_infinite_weights_meet_images_alone() -> None:
    """There is no padding that they could meet."""
    w = np.array([[[1.0, np.inf, 2.0]]], np.float32)
    x = np.array([[[1.0, 2.0]]], np.float32)
    conv = faltung.prepare_transpose(w, np.array([1.0], np.float32), stride=3, activation="relu")
    for _ in range(2):
        np.testing.assert_array_equal(conv(x), [[[2, np.inf, 3, 3, np.inf, 5]]])


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.float16, np.float32, np.float64])
def test_dtypes_are_those_of_the_plain_call(dtype: Any) -> None:
    x, w, b = np.abs(whole((2, 2, 5, 5), 0)).astype(dtype), whole((2, 3, 3, 3), 1), whole((3,), 2)
    right = faltung.conv_transpose(x, w, b, exact=True)
    y = faltung.prepare_transpose(w, b, exact=True)(x)
    assert y.dtype == right.dtype
    np.testing.assert_array_equal(y, right)


@pytest.mark.parametrize("shape", [(0, 2, 5, 5), (1, 2, 0, 3), (1, 2, 1, 1)])
def test_small_and_empty_images(shape: Any) -> None:
    w, x = whole((2, 3, 3, 3), 0), whole(shape, 1)
    right = faltung.conv_transpose(x, w, exact=True)
    np.testing.assert_array_equal(faltung.prepare_transpose(w, exact=True)(x), right)


def test_what_cannot_be_prepared_is_refused() -> None:
    with pytest.raises(GeometryError, match=r"w must be \(in_channels, .*w.shape=\(3, 3\).*Q1"):
        faltung.prepare_transpose(np.zeros((3, 3)))
    with pytest.raises(GeometryError, match=r"activation must be known, with its numbers.*Q2"):
        faltung.prepare_transpose(np.zeros((1, 1, 3)), activation="tanh")
    with pytest.raises(GeometryError, match=r"bias must be \(out_channels,\).*bias=\(3,\)"):
        faltung.prepare_transpose(np.zeros((2, 1, 3)), np.zeros(3), groups=2)
    with pytest.raises(DTypeError, match="D1"):
        faltung.prepare_transpose(np.zeros((2, 1, 3), complex))
    conv = faltung.prepare_transpose(np.zeros((2, 2, 3)))
    with pytest.raises(GeometryError, match="conv_transpose T13"):
        conv(np.zeros((1, 3, 9)))
    with pytest.raises(GeometryError, match=r"out must have the result's shape, got .*Q3"):
        conv(np.zeros((1, 2, 9)), np.zeros((1, 2, 9)))


def test_what_it_shows() -> None:
    conv = faltung.prepare_transpose(np.zeros((4, 2, 3)), np.zeros(2), stride=2, activation="relu")
    said = "PreparedConvTranspose(w=(4, 2, 3), b=..., stride=2, activation='relu')"
    assert repr(conv) == said


def test_the_reference_can_be_imposed(monkeypatch: pytest.MonkeyPatch) -> None:
    x, w = whole((1, 2, 5, 5), 0), whole((2, 2, 3, 3), 1)
    conv = faltung.prepare_transpose(w, np.ones(2), activation="relu", exact=True)
    right = conv(x)
    monkeypatch.setenv("FALTUNG_KERNEL", "reference")
    np.testing.assert_array_equal(conv(x), right)
