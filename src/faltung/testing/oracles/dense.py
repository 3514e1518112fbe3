"""Oracles of matrix products."""

from __future__ import annotations

from typing import Any

import numpy as np

from faltung import reference
from faltung.ops.operator import Array
from faltung.testing.oracles.expected import Expected, Gradients, Inputs, Oracle, sizes_of, summed


def _sides(operator: Any, inputs: Inputs) -> tuple[Array, Array]:
    """Both factors as they are multiplied."""
    a = inputs[0].T if operator.trans_a else inputs[0]
    return a, inputs[1].T if operator.trans_b else inputs[1]


def _whole(factor: float) -> bool:
    return float(factor).is_integer()


def _gemm(operator: Any, inputs: Inputs) -> Expected:
    def y(arrays: Inputs, alpha: float, beta: float) -> Array:
        a, b = _sides(operator, arrays)
        product = alpha * reference.dense(a, b.T)
        return product + beta * arrays[2] if len(arrays) > 2 else product

    alpha, beta = operator.alpha, operator.beta
    terms = _sides(operator, inputs)[0].shape[1] + 3
    magnitude = y(sizes_of(inputs), abs(alpha), abs(beta))
    return Expected(y(inputs, alpha, beta), magnitude, terms, _whole(alpha) and _whole(beta))


def _gemm_backward(operator: Any, inputs: Inputs, dout: Array) -> Gradients:
    a, b = _sides(operator, inputs)
    alpha, beta = operator.alpha, operator.beta
    da = Expected(
        alpha * reference.dense_dx(dout, b.T),
        abs(alpha) * reference.dense_dx(abs(dout), abs(b.T)),
        dout.shape[1] + 2,
        _whole(alpha),
    )
    db = Expected(
        alpha * reference.dense_dw(a, dout).T,
        abs(alpha) * reference.dense_dw(abs(a), abs(dout)).T,
        dout.shape[0] + 2,
        _whole(alpha),
    )
    both = [_turned(da) if operator.trans_a else da, _turned(db) if operator.trans_b else db]
    if len(inputs) > 2:
        dc, size = (summed(d, inputs[2].shape) for d in (dout, abs(dout)))
        both.append(Expected(beta * dc, abs(beta) * size, dout.size + 2, _whole(beta)))
    return tuple(both)


def _turned(expected: Expected) -> Expected:
    return expected._replace(values=expected.values.T, magnitude=expected.magnitude.T)


def _letters(inputs: Inputs) -> tuple[str, str, str]:
    """Return how both factors and their product are indexed; vectors have one axis."""
    i, j = ("i" * (inputs[0].ndim > 1), "j" * (inputs[1].ndim > 1))
    return (f"...{i}k" if i else "k"), (f"...k{j}" if j else "k"), f"...{i}{j}"


def _matmul(operator: Any, inputs: Inputs) -> Expected:
    left, right, out = _letters(inputs)

    def y(a: Array, b: Array) -> Array:
        product: Array = np.einsum(f"{left},{right}->{out}", a, b)
        return product

    return Expected(y(*inputs), y(*sizes_of(inputs)), inputs[0].shape[-1], whole=True)


def _matmul_backward(operator: Any, inputs: Inputs, dout: Array) -> Gradients:
    a, b = inputs
    left, right, out = _letters(inputs)

    def da(b: Array, dout: Array) -> Array:
        return summed(np.einsum(f"{out},{right}->...{left.strip('.')}", dout, b), a.shape)

    def db(a: Array, dout: Array) -> Array:
        return summed(np.einsum(f"{left},{out}->...{right.strip('.')}", a, dout), b.shape)

    by_a = Expected(da(b, dout), da(abs(b), abs(dout)), dout.size, whole=True)
    return by_a, Expected(db(a, dout), db(abs(a), abs(dout)), dout.size, whole=True)


ORACLES = {
    "Gemm": Oracle(_gemm, _gemm_backward),
    "MatMul": Oracle(_matmul, _matmul_backward),
}
