"""Operators on arrays so large that compiled kernels take them: the same as NumPy's expressions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from faltung.ops import dispatch
from faltung.ops.elementwise import Add, LeakyRelu, Relu
from faltung.ops.normalisation import BatchNormalization
from faltung.ops.operator import AbstractOperator
from faltung.ops.pool import GlobalAveragePool
from faltung.ops.standardise import (
    GroupNormalization,
    InstanceNormalization,
    LayerNormalization,
)
from faltung.ops.windowed import bias_gradient

SHAPES = [(4, 16, 24, 24), (3, 40, 17, 19), (8, 600, 4, 4), (2, 5, 9000)]


@pytest.fixture(autouse=True)
def compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compile here, also where the suite as a whole runs on NumPy alone."""
    monkeypatch.delenv("FALTUNG_ISA", raising=False)


def both_ways(
    operator: AbstractOperator, inputs: list[Any], dout: Any, monkeypatch: pytest.MonkeyPatch
) -> list[tuple[Any, Any]]:
    """Run it, with kernels and without, and pair what comes out."""
    found = []
    for large in (dispatch.LARGE, 1 << 60):
        monkeypatch.setattr(dispatch, "LARGE", large)
        monkeypatch.setattr(dispatch, "LONG", min(large, 32) if large < 1 << 60 else large)
        outputs, state, saved = operator.forward(inputs, training=True)
        grads = [grad for grad in operator.backward(saved, [dout]) if grad is not None]
        found.append([*outputs, *state.values(), *grads])
    return list(zip(*found, strict=True))


def numbers(shape: Any, seed: int) -> Any:
    """Draw normal numbers, some of them 0."""
    x = np.random.default_rng(seed).standard_normal(shape).astype(np.float32)
    x[np.abs(x) < 0.1] = 0
    return x


@pytest.mark.parametrize("shape", SHAPES)
def test_relu_and_add_are_the_same_bits(shape: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Forward and backward, NaN and infinities among them."""
    x, dout = numbers(shape, 0), numbers(shape, 1)
    x.flat[:4], dout.flat[2:6] = [np.nan, np.inf, -np.inf, 1], [np.nan, np.inf, -np.inf, 1]
    with np.errstate(all="ignore"):
        for operator, inputs in ((Relu(), [x]), (LeakyRelu(0.3), [x]), (Add(), [x, dout])):
            for ours, theirs in both_ways(operator, inputs, dout, monkeypatch):
                np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("shape", SHAPES)
def test_batch_normalisation(shape: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """In training, with its running statistics and all gradients, to float32's rounding."""
    channels = shape[1]
    rng = np.random.default_rng(3)
    given = [rng.uniform(0.5, 2, channels).astype(np.float32) for _ in range(4)]
    x, dout = numbers(shape, 4) + np.float32(3), numbers(shape, 5)
    pairs = both_ways(BatchNormalization(), [x, *given], dout, monkeypatch)
    terms = x[:, 0].size
    for ours, theirs in pairs:
        # The sums of both are rounded term by term, at worst; in fact far less.
        size = np.abs(theirs).max() + np.abs(dout).max()
        assert np.abs(ours - theirs).max() <= terms * 2.0**-24 * 4 * size


@pytest.mark.parametrize(
    ("operator", "shape", "scale"),
    [
        (InstanceNormalization(), (4, 16, 24, 24), (16,)),
        (GroupNormalization(4), (4, 16, 24, 24), (16,)),
        (LayerNormalization(), (300, 7, 64), (64,)),
        (LayerNormalization(axis=1), (50, 7, 121), (7, 121)),
    ],
)
def test_normalisation_by_the_input(
    operator: AbstractOperator, shape: Any, scale: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Instances, groups and layers, forward and backward, to float32's rounding."""
    rng = np.random.default_rng(9)
    given = [rng.uniform(0.5, 2, scale).astype(np.float32) for _ in range(2)]
    x, dout = numbers(shape, 10) + np.float32(3), numbers(shape, 11)
    for ours, theirs in both_ways(operator, [x, *given], dout, monkeypatch):
        size = np.abs(theirs).max() + np.abs(dout).max()
        assert np.abs(ours - theirs).max() <= x[0].size * 2.0**-24 * 4 * size


def test_inference_is_the_same_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    """The running statistics are given: there is nothing to sum."""
    x = numbers(SHAPES[0], 6)
    given = [np.random.default_rng(i).uniform(0.5, 2, 16).astype(np.float32) for i in range(4)]
    (ours,), _, _ = BatchNormalization().forward([x, *given])
    monkeypatch.setattr(dispatch, "LARGE", 1 << 60)
    (theirs,), _, _ = BatchNormalization().forward([x, *given])
    np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("shape", SHAPES)
def test_means_and_bias_gradients(shape: Any) -> None:
    """Whole numbers are summed exactly."""
    x = np.random.default_rng(7).integers(-9, 10, shape).astype(np.float32)
    axes = tuple(range(2, x.ndim))
    (y,), _, _ = GlobalAveragePool().forward([x])
    wanted = x.mean(axis=axes, keepdims=True, dtype=np.float64).astype(np.float32)
    np.testing.assert_array_equal(y, wanted)
    np.testing.assert_array_equal(bias_gradient(x), x.sum(axis=(0, *axes)))


def test_an_image_has_the_same_bits_in_any_batch() -> None:
    """Where rows are summed for each image by itself, the batch has no say."""
    x, given = numbers((5, 16, 9, 13), 12), [np.ones(16, np.float32)] * 2
    for operator, inputs in (
        (GlobalAveragePool(), []),
        (InstanceNormalization(), given),
        (GroupNormalization(4), given),
    ):
        (whole,), _, _ = operator.forward([x, *inputs])
        for i in range(5):
            (one,), _, _ = operator.forward([x[i : i + 1], *inputs])
            np.testing.assert_array_equal(one[0], whole[i])


def test_the_reference_takes_no_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor does an integer, or what is not compiled."""
    x = numbers(SHAPES[0], 8)
    assert dispatch.channel_sums(x) is not None
    assert dispatch.channel_sums(x.astype(np.int64)) is None
    assert dispatch.channel_sums(x[:1, :1]) is None
    monkeypatch.setenv("FALTUNG_KERNEL", "reference")
    assert dispatch.channel_sums(x) is None
