"""Prepared convolution: the values of `faltung.conv`, the same bits however a batch is split."""

from __future__ import annotations

import re
import threading
from typing import Any

import numpy as np
import pytest

import faltung
from faltung.errors import DTypeError, GeometryError, KernelError
from faltung.geometry import ConvWindow
from faltung.kernels.choose import candidates
from faltung.kernels.registry import gamma
from faltung.kernels.settings import settings

CASES: list[tuple[tuple[int, ...], tuple[int, ...], dict[str, Any]]] = [
    ((5, 6, 14, 14), (8, 6, 3, 3), {"padding": 1}),
    ((3, 4, 17, 9), (5, 4, 5, 5), {"padding": "same"}),
    ((3, 8, 12, 12), (8, 1, 3, 3), {"padding": 1, "groups": 8}),
    ((4, 3, 20, 21), (4, 3, 7, 7), {"padding": 3, "stride": 2}),
    ((3, 16, 9, 9), (24, 16, 1, 1), {}),
    ((2, 4, 30), (6, 2, 3), {"groups": 2, "dilation": 2, "padding": "same"}),
    ((2, 2, 5, 6, 7), (3, 2, 3, 3, 3), {"padding": 1}),
    ((2, 3, 8, 9), (4, 3, 3, 3), {"padding": 1, "padding_mode": "reflect"}),
]
ACTIVATIONS: list[Any] = [None, "relu", "leaky_relu", ("leaky_relu", 0.2), ("clip", -1.0, 2.5)]


def whole(shape: tuple[int, ...], seed: int, dtype: Any = np.float32) -> Any:
    return np.random.default_rng(seed).integers(-3, 4, shape).astype(dtype)


def drawn(shape: tuple[int, ...], seed: int) -> Any:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def activated(y: Any, activation: Any) -> Any:
    name, *numbers = (activation,) if isinstance(activation, str) else activation or (None,)
    if name == "relu":
        return np.where(y > 0, y, 0)
    if name == "leaky_relu":
        return np.where(y < 0, y * y.dtype.type(numbers[0] if numbers else 0.01), y)
    return np.clip(y, *numbers) if name == "clip" else y


@pytest.mark.parametrize("activation", ACTIVATIONS, ids=str)
@pytest.mark.parametrize(("x_shape", "w_shape", "options"), CASES)
def test_it_is_conv_and_then_the_activation(
    x_shape: Any, w_shape: Any, options: Any, activation: Any
) -> None:
    """Whole numbers, on algorithms without rounding of their own: exactly."""
    x, w, b = whole(x_shape, 1), whole(w_shape, 2), whole(w_shape[:1], 3)
    right = activated(faltung.conv(x, w, b, exact=True, **options), activation)
    conv = faltung.prepare(w, b, activation=activation, exact=True, **options)
    for _ in range(3):
        np.testing.assert_array_equal(conv(x), right)
    out = np.full_like(right, np.nan)
    assert conv(x, out) is out
    np.testing.assert_array_equal(out, right)


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize(("x_shape", "w_shape", "options"), CASES)
def test_threads_runs_and_any_split_of_the_batch_change_no_bit(
    x_shape: Any, w_shape: Any, options: Any, threads: int
) -> None:
    x, w, b = drawn(x_shape, 1), drawn(w_shape, 2), drawn(w_shape[:1], 3)
    faltung.set_num_threads(1)
    right = faltung.prepare(w, b, activation="relu", **options)(x)
    faltung.set_num_threads(threads)
    try:
        conv = faltung.prepare(w, b, activation="relu", **options)
        for step in (1, 2, len(x)):
            parts = [conv(x[i : i + step]) for i in range(0, len(x), step)]
            np.testing.assert_array_equal(np.concatenate(parts), right)
        for _ in range(10):
            np.testing.assert_array_equal(conv(x), right)
    finally:
        faltung.set_num_threads(None)


@pytest.mark.parametrize(("x_shape", "w_shape", "options"), CASES[:5])
def test_every_row_can_be_imposed_and_keeps_its_bound(
    x_shape: Any, w_shape: Any, options: Any
) -> None:
    x, w = drawn(x_shape, 1), drawn(w_shape, 2)
    window = ConvWindow.of(x_shape, w_shape, **options)
    dtype = np.dtype(np.float32)
    right = faltung.conv(x.astype(np.float64), w, exact=True, **options)
    scale = np.abs(x).max() * np.abs(w.astype(np.float64)).sum(axis=tuple(range(1, w.ndim))).max()
    for row in candidates("conv", window, dtype, settings().isa):
        conv = faltung.prepare(w, **options)
        conv.choices[x_shape[1:]] = row.name
        y = conv(x)
        assert conv.choices == {x_shape[1:]: row.name}
        bound = (row.error_bound(window, dtype) + gamma(window.reduction, dtype)) * scale
        assert np.abs(y - right).max() <= bound, row.name
        del conv.choices[x_shape[1:]]
        conv(x)


def test_choices_are_read_and_imposed_by_the_shape_of_an_image() -> None:
    conv = faltung.prepare(whole((2, 1, 3), 0))
    assert dict(conv.choices) == {}
    assert repr(conv.choices) == "Choices({})"
    conv(np.zeros((4, 1, 9)))
    assert list(conv.choices) == [(1, 9)]
    assert len(conv.choices) == 1
    conv.choices[1, 9] = "conv_im2col_any_nchw"
    assert conv.choices[1, 9] == "conv_im2col_any_nchw"
    with pytest.raises(KernelError, match="K1"):
        conv.choices[1, 9] = "no such row"
    with pytest.raises(GeometryError):
        conv.choices[2, 9] = "conv_im2col_any_nchw"


def test_weights_are_brought_into_order_once(monkeypatch: pytest.MonkeyPatch) -> None:
    from faltung.kernels.registry import Row

    packed = []
    pack = Row.pack
    monkeypatch.setattr(Row, "pack", lambda row, *given: packed.append(row) or pack(row, *given))
    conv = faltung.prepare(drawn((32, 16, 3, 3), 0), padding=1)
    for size in (8, 8, 9, 10):
        conv(drawn((2, 16, size, size), size))
    assert len(packed) == len(set(packed))


def test_the_weights_are_a_copy() -> None:
    w, x = whole((2, 3, 3, 3), 0), whole((1, 3, 6, 6), 1)
    conv = faltung.prepare(w)
    right = conv(x)
    w[...] = 0
    np.testing.assert_array_equal(conv(x), right)


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.float16, np.float32, np.float64])
def test_dtypes_are_those_of_conv(dtype: Any) -> None:
    x, w, b = np.abs(whole((2, 2, 5, 5), 0)).astype(dtype), whole((3, 2, 3, 3), 1), whole((3,), 2)
    right = faltung.conv(x, w, b, exact=True)
    y = faltung.prepare(w, b, exact=True)(x)
    assert y.dtype == right.dtype
    np.testing.assert_array_equal(y, right)
    small = faltung.prepare(w.astype(np.int8))(np.abs(whole((2, 2, 5, 5), 0)).astype(np.uint8))
    assert small.dtype == np.float32


@pytest.mark.parametrize("shape", [(0, 2, 5, 5), (1, 2, 2, 2), (1, 2, 3, 3)])
def test_small_and_empty_images(shape: Any) -> None:
    w, x = whole((3, 2, 3, 3), 0), whole(shape, 1)
    np.testing.assert_array_equal(faltung.prepare(w)(x), faltung.conv(x, w))


def test_inputs_that_lie_otherwise_and_lists() -> None:
    x, w = whole((4, 2, 6, 6), 0), whole((3, 2, 3, 3), 1)
    conv = faltung.prepare(w, exact=True)
    right = conv(x)
    np.testing.assert_array_equal(conv(np.asfortranarray(x)), right)
    np.testing.assert_array_equal(conv(x[::2]), right[::2])
    np.testing.assert_array_equal(conv(x.tolist()), right)


def test_nan_stays_and_infinities_are_clipped() -> None:
    x = np.array([[[np.nan, -np.inf, 1.0, np.inf]]], np.float32)
    for activation, right in (
        ("relu", [np.nan, 0, 1, np.inf]),
        (("clip", -2, 2), [np.nan, -2, 1, 2]),
        (("leaky_relu", 0.5), [np.nan, -np.inf, 1, np.inf]),
    ):
        y = faltung.prepare(np.ones((1, 1, 1), np.float32), activation=activation, exact=True)(x)
        np.testing.assert_array_equal(y[0, 0], np.array(right, np.float32))


def test_an_out_that_cannot_be_written_to_is_refused() -> None:
    x, w = whole((2, 3, 6, 6), 0), whole((4, 3, 3, 3), 1)
    conv = faltung.prepare(w, padding=1)
    right = conv(x)
    read_only = right.copy()
    read_only.setflags(write=False)
    for _ in range(2):
        with pytest.raises(GeometryError, match=r"out must have the result's shape, got .*Q3"):
            conv(x, np.empty((2, 4, 5, 6), np.float32))
        with pytest.raises(DTypeError, match=r"out must have the result's dtype, got .*Q6"):
            conv(x, np.empty(right.shape, np.float64))
        with pytest.raises(GeometryError, match=r"out must be C-contiguous and writeable.*Q4"):
            conv(x, np.asfortranarray(right))
        with pytest.raises(GeometryError, match=r"out must be C-contiguous and writeable.*Q4"):
            conv(x, read_only)
        buffer = np.zeros(x.size + right.size, np.float32)
        inside = buffer[: x.size].reshape(x.shape)
        with pytest.raises(GeometryError, match=r"out must not overlap x.*Q5"):
            conv(inside, buffer[8 : 8 + right.size].reshape(right.shape))


def test_what_cannot_be_prepared_is_refused() -> None:
    with pytest.raises(GeometryError, match=r"w must be \(out_channels, .*w.shape=\(3, 3\).*Q1"):
        faltung.prepare(np.zeros((3, 3)))
    for wrong in ("tanh", ("relu", 1.0), ("clip", 0.0)):
        with pytest.raises(GeometryError, match=r"activation must be known, with its numbers.*Q2"):
            faltung.prepare(np.zeros((1, 1, 3)), activation=wrong)  # type: ignore[arg-type]
    with pytest.raises(GeometryError, match=r"bias must be \(out_channels,\)"):
        faltung.prepare(np.zeros((2, 1, 3)), np.zeros(3))
    with pytest.raises(DTypeError, match="D1"):
        faltung.prepare(np.zeros((2, 1, 3), complex))
    with pytest.raises(GeometryError, match="conv C13"):
        faltung.prepare(np.zeros((2, 2, 3)))(np.zeros((1, 3, 9)))


def test_what_it_shows() -> None:
    conv = faltung.prepare(np.zeros((4, 2, 3)), np.zeros(4), padding="same", activation="relu")
    assert repr(conv) == "PreparedConv(w=(4, 2, 3), b=..., padding='same', activation='relu')"
    assert re.fullmatch(r"PreparedConv\(w=\(1, 1, 3\)\)", repr(faltung.prepare([[[1, 0, 1]]])))


def test_the_reference_can_be_imposed(monkeypatch: pytest.MonkeyPatch) -> None:
    x, w = whole((1, 2, 5, 5), 0), whole((2, 2, 3, 3), 1)
    conv = faltung.prepare(w, activation="relu", exact=True)
    right = conv(x)
    monkeypatch.setenv("FALTUNG_KERNEL", "reference")
    np.testing.assert_array_equal(conv(x), right)


def test_several_threads_may_call_one() -> None:
    x, w = drawn((4, 8, 20, 20), 0), drawn((16, 8, 3, 3), 1)
    right = faltung.prepare(w, padding=1)(x)
    conv = faltung.prepare(w, padding=1)
    wrong = []

    def work() -> None:
        for _ in range(20):
            if (conv(x) != right).any():
                wrong.append(1)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
