"""Layers as functions: dtypes, flips, messages. Values are held to the reference elsewhere."""

from __future__ import annotations

import numpy as np
import pytest

import faltung
from faltung import reference

RNG = np.random.default_rng(0)


def small_integers(*shape: int, dtype: type = np.float64) -> np.ndarray:
    return RNG.integers(-4, 5, shape).astype(dtype)


def test_conv_is_cross_correlation_and_flip_makes_it_convolution() -> None:
    x, w = small_integers(2, 3, 6, 7), small_integers(4, 3, 3, 2)
    expected = reference.conv_loops(x, w, stride=(1, 1), pads=((0, 0),) * 2, dilation=(1, 1))
    np.testing.assert_array_equal(faltung.conv(x, w), expected)
    flipped = reference.conv_loops(
        x, w[:, :, ::-1, ::-1], stride=(1, 1), pads=((0, 0),) * 2, dilation=(1, 1)
    )
    np.testing.assert_array_equal(faltung.conv(x, w, flip=True), flipped)
    assert not np.array_equal(expected, flipped)


def test_a_delta_gives_the_kernel_back_only_when_it_flips() -> None:
    delta = np.zeros((1, 1, 5, 5))
    delta[0, 0, 2, 2] = 1
    kernel = np.arange(9.0).reshape(1, 1, 3, 3)
    np.testing.assert_array_equal(faltung.conv(delta, kernel, padding=0, flip=True), kernel)
    np.testing.assert_array_equal(faltung.conv(delta, kernel), kernel[..., ::-1, ::-1])


@pytest.mark.parametrize(
    ("x_dtype", "w_dtype", "expected"),
    [
        (np.float32, np.float32, np.float32),
        (np.float64, np.float64, np.float64),
        (np.float32, np.float64, np.float64),
        (np.float16, np.float16, np.float32),
        (np.uint8, np.float32, np.float32),
        (np.int32, np.float32, np.float64),
        (np.uint8, np.int8, np.float32),
        (np.bool_, np.bool_, np.float32),
        (np.int32, np.int8, np.float64),
        (np.uint16, np.int16, np.float64),
    ],
)
def test_result_dtype(x_dtype: type, w_dtype: type, expected: type) -> None:
    x, w = np.ones((1, 1, 4, 4), x_dtype), np.ones((1, 1, 3, 3), w_dtype)
    y = faltung.conv(x, w)
    assert y.dtype == expected
    np.testing.assert_array_equal(y, np.full((1, 1, 2, 2), 9))


def test_integers_never_overflow() -> None:
    x = np.full((1, 64, 3, 3), 255, np.uint8)
    w = np.full((1, 64, 3, 3), -128, np.int8)
    assert faltung.conv(x, w).item() == -128 * 255 * 64 * 9


def test_an_integer_bias_counts_towards_the_sums_that_must_be_exact() -> None:
    x, w = np.ones((1, 1, 1), bool), np.ones((1, 1, 1), bool)
    b = np.array([65535], np.uint16)
    assert faltung.conv(x, w, b).item() == 65536
    reduction = 255  # 255 · 255 · 255 < 2**24 but not with 2**15 added to each of many
    x8, w8 = np.full((1, reduction, 1), 255, np.uint8), np.full((1, reduction, 1), 255, np.uint8)
    assert faltung.conv(x8, w8).dtype == np.float32
    assert faltung.conv(x8, w8, np.array([32767], np.int16)).dtype == np.float64


def test_bare_images_get_a_cure() -> None:
    with pytest.raises(faltung.errors.GeometryError, match=r"x\[None, None\].*faltung.correlate"):
        faltung.conv(np.ones((4, 4)), np.ones((3, 3)))


def test_complex_is_refused() -> None:
    with pytest.raises(faltung.errors.DTypeError, match="complex"):
        faltung.conv(np.ones((1, 1, 4), complex), np.ones((1, 1, 3)))


@pytest.mark.parametrize("mode", ["reflect", "replicate", "circular"])
def test_padding_modes_are_numpys(mode: str) -> None:
    x, w = small_integers(1, 2, 5, 6), small_integers(3, 2, 3, 3)
    names = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}
    padded = np.pad(x, ((0, 0), (0, 0), (2, 1), (0, 3)), mode=names[mode])
    y = faltung.conv(x, w, padding=((2, 1), (0, 3)), padding_mode=mode)
    np.testing.assert_array_equal(y, faltung.conv(padded, w))


def test_sequences_and_numbers_are_taken_as_arrays() -> None:
    assert faltung.max_pool([[[1, 3, 2]]], 2, stride=[1]).tolist() == [[[3.0, 3.0]]]
    assert faltung.avg_pool([[[1, 3, 2]]], [2], stride=1).tolist() == [[[2.0, 2.5]]]


def test_avg_pool_of_trap_12() -> None:
    x = np.arange(1.0, 17).reshape(1, 1, 4, 4)
    options = {"stride": 2, "padding": 1, "ceil_mode": True}
    y = faltung.avg_pool(x, 3, count_include_pad=True, **options)
    expected = [[14 / 9, 20 / 6 * 1.0, 2.0], [57 / 9, 11.0, 6.0], [4.5, 7.5, 4.0]]
    np.testing.assert_allclose(y[0, 0], expected, rtol=1e-15)


def test_conv_transpose_is_the_adjoint() -> None:
    x, w = small_integers(2, 4, 7, 6), small_integers(3, 4, 3, 3)
    y = faltung.conv(x, w, stride=2, padding=1)
    dout = small_integers(*y.shape)
    back = faltung.conv_transpose(dout, w, stride=2, padding=1, output_padding=(0, 1))
    assert back.shape == x.shape
    assert np.vdot(y, dout) == np.vdot(x, back)


def test_inputs_are_not_written_to() -> None:
    x, w = small_integers(1, 2, 5, 5), small_integers(2, 2, 3, 3)
    x.setflags(write=False)
    w.setflags(write=False)
    faltung.conv(x, w, padding=1, flip=True)
    faltung.max_pool(x, 2)
    faltung.conv_transpose(x, w)


def test_environment_can_impose_the_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    x, w = small_integers(1, 2, 5, 5), small_integers(2, 2, 3, 3)
    expected = faltung.conv(x, w, padding="same", stride=2)
    monkeypatch.setenv("FALTUNG_KERNEL", "reference")
    np.testing.assert_array_equal(faltung.conv(x, w, padding="same", stride=2), expected)


def test_equal_shapes_have_equal_bits_however_arrays_lie() -> None:
    """One algorithm for one geometry: not another for lists, strides, or where filters turn."""
    rng = np.random.default_rng(0)
    for size, channels in ((8, 16), (14, 64), (16, 64)):
        x = rng.standard_normal((2, channels, size, size)).astype(np.float32)
        w = rng.standard_normal((channels, channels, 3, 3)).astype(np.float32)
        right = faltung.conv(x, w, padding=1)
        turned = np.ascontiguousarray(w[:, :, ::-1, ::-1])
        for y in (
            faltung.conv(x, w, padding=1),
            faltung.conv(np.asfortranarray(x), w, padding=1),
            faltung.conv(x, np.repeat(w, 2, axis=0)[::2], padding=(1, 1)),
            faltung.conv(x, turned, padding=1, flip=True),
            np.concatenate([faltung.conv(x[i : i + 1], w, padding=1) for i in range(2)]),
        ):
            np.testing.assert_array_equal(y, right)
