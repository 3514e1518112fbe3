"""Activations and arithmetic at the places where a random array seldom is."""

from __future__ import annotations

import numpy as np
import pytest

from faltung.ops import Add, Div, Gemm, LeakyRelu, Mul, Relu, Sub, Transpose
from faltung.ops.elementwise import AbstractBinary


def test_the_slope_of_leaky_relu_at_0_is_alpha_as_that_of_relu_is_0() -> None:
    x, dout = np.array([-1.0, 0.0, 1.0]), np.full(3, 8.0)
    _, _, saved = LeakyRelu(alpha=0.25).forward([x])
    assert LeakyRelu(alpha=0.25).backward(saved, [dout])[0].tolist() == [2.0, 2.0, 8.0]
    _, _, saved = Relu().forward([x])
    assert Relu().backward(saved, [dout])[0].tolist() == [0.0, 0.0, 8.0]


@pytest.mark.parametrize("operator", [Add(), Sub(), Mul(), Div()])
def test_the_gradient_of_a_number_is_an_array_without_axes(operator: AbstractBinary) -> None:
    a, b = np.ones((2, 3), np.float32), np.full((), 2, np.float32)
    for inputs in ([a, b], [b, a], [b, b]):
        (y,), _, saved = operator.forward(inputs)
        for x, dx in zip(inputs, operator.backward(saved, [y]), strict=True):
            assert isinstance(dx, np.ndarray)
            assert (dx.shape, dx.dtype) == (x.shape, x.dtype)


def test_gemm_and_transpose_take_a_number_for_an_array() -> None:
    a, b, c = np.ones((2, 3), np.float32), np.ones((3, 2), np.float32), np.float32(1).reshape(())
    for operator in (Gemm(), Gemm(beta=2.0)):
        (y,), _, saved = operator.forward([a, b, c])
        dc = operator.backward(saved, [y])[2]
        assert dc is not None
        assert (dc.shape, dc.dtype) == ((), np.float32)
    (y,), _, saved = Transpose().forward([c])
    (dx,) = Transpose().backward(saved, [y])
    assert dx is not None
    assert y.shape == dx.shape == ()
