"""Operators on arrays so large that compiled kernels take them: the same as NumPy's expressions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from faltung.kernels.registry import gamma
from faltung.ops import dispatch
from faltung.ops.activations import Gelu, HardSigmoid, HardSwish
from faltung.ops.clip import Clip
from faltung.ops.elementwise import Add, LeakyRelu, Relu, Sigmoid, Tanh
from faltung.ops.normalisation import BatchNormalization
from faltung.ops.operator import AbstractOperator
from faltung.ops.pool import GlobalAveragePool, GlobalMaxPool
from faltung.ops.softmax import Softmax
from faltung.ops.standardise import (
    GroupNormalization,
    InstanceNormalization,
    LayerNormalization,
)
from faltung.ops.unary import Erf, Exp, Sqrt
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
        monkeypatch.setattr(dispatch, "IMAGE", min(large, 4096) if large < 1 << 60 else large)
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
        clips = (Clip(-0.5, 0.75), Clip(low=0.1), Clip(high=0.0))
        alone = [(operator, [x]) for operator in (Relu(), LeakyRelu(0.3), *clips)]
        for operator, inputs in (*alone, (Add(), [x, dout])):
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


FUNCTIONS = {
    Sigmoid(): 3,
    Tanh(): 2,
    Exp(): 2,
    Erf(): 6,
    Sqrt(): 1,
    HardSigmoid(): 2,
    HardSwish(): 4,
    Gelu(): 10,
    Gelu("tanh"): 10,
}
"""Roundings that the kernel makes, at most, each of half a unit in the last place or one."""


@pytest.mark.parametrize("operator", FUNCTIONS, ids=repr)
def test_functions_of_large_images_are_a_few_roundings_off(
    operator: AbstractOperator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the largest number on the way; the gradient's, of dout and what it is scaled by."""
    x, dout = numbers((2, 16, 24, 24), 0), numbers((2, 16, 24, 24), 1)
    x = np.abs(x) + np.float32(0.5) if isinstance(operator, Sqrt) else x
    outputs, _, saved = operator.forward([x])
    grad = operator.backward(saved, [dout])[0]
    monkeypatch.setattr(dispatch, "LARGE", 1 << 60)
    monkeypatch.setattr(dispatch, "IMAGE", 1 << 60)
    wide, _, kept = operator.forward([x.astype(np.float64)])
    unit = float(np.finfo(np.float32).eps) * FUNCTIONS[operator]
    least = 1 if isinstance(operator, HardSigmoid) else 2.0**-100
    least = np.abs(x) if isinstance(operator, Gelu | HardSwish) else least
    assert (np.abs(outputs[0] - wide[0]) <= unit * np.maximum(np.abs(wide[0]), least)).all()
    slopes = operator.backward(kept, [dout.astype(np.float64)])[0]
    assert grad is not None
    assert slopes is not None
    size = np.abs(dout) * np.maximum(1 + np.abs(x) ** 3, np.abs(wide[0]))
    assert (np.abs(grad - slopes) <= 4 * unit * size).all()


@pytest.mark.parametrize("operator", [Softmax(), Softmax(axis=1, flatten=True)], ids=repr)
def test_softmax_of_long_rows_is_within_its_bound(
    operator: Softmax, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its exponents are rounded, then n numbers are summed; so is the gradient."""
    x, dout = numbers((3, 7, 8, 50), 0), numbers((3, 7, 8, 50), 1)
    outputs, _, saved = operator.forward([x])
    grad = operator.backward(saved, [dout])[0]
    monkeypatch.setattr(dispatch, "LONG", 1 << 60)
    wide, _, kept = operator.forward([x.astype(np.float64)])
    slopes = operator.backward(kept, [dout.astype(np.float64)])[0]
    assert grad is not None
    assert slopes is not None
    n = x.size // 3 if operator.flatten else 50
    bound = gamma(n + 16 + 2 * int(np.ptp(x)), np.dtype(np.float32))
    assert (np.abs(outputs[0] - wide[0]) <= bound * wide[0]).all()
    assert (np.abs(grad - slopes) <= 4 * bound * wide[0] * np.abs(dout).max()).all()


@pytest.mark.parametrize("operator", [*FUNCTIONS, Softmax(), Softmax(1, flatten=True)], ids=repr)
def test_functions_of_an_image_have_the_same_bits_in_any_batch(operator: AbstractOperator) -> None:
    """Its own size decides whether a kernel takes it."""
    for space in ((2, 3), (16, 256), (80, 80)):
        x, dout = np.abs(numbers((5, *space), 0)), numbers((5, *space), 1)
        (whole,), _, saved = operator.forward([x])
        (grad,) = operator.backward(saved, [dout])
        for n in range(5):
            (one,), _, saved = operator.forward([x[n : n + 1]])
            np.testing.assert_array_equal(one[0], whole[n])
            (slope,) = operator.backward(saved, [dout[n : n + 1]])
            assert slope is not None
            assert grad is not None
            np.testing.assert_array_equal(slope[0], grad[n])


@pytest.mark.parametrize("shape", SHAPES)
def test_largest_values_of_space_are_the_same_bits(
    shape: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """NaN where there is one, and the gradient where NumPy finds the first of them."""
    x = numbers(shape, 0)
    x.reshape(*shape[:2], -1)[0, :3, 5] = [np.nan, np.inf, -np.inf]
    dout = numbers((*shape[:2], *(1 for _ in shape[2:])), 1)
    for ours, theirs in both_ways(GlobalMaxPool(), [x], dout, monkeypatch):
        np.testing.assert_array_equal(ours, theirs)
