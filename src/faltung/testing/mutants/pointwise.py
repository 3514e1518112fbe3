"""Bugs in activations, softmax and arithmetic."""

# ruff: noqa: E731 - a bug is one line, named where it is planted
from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

import numpy as np

from faltung.ops import (
    Add,
    Clip,
    Div,
    LeakyRelu,
    LogSoftmax,
    Mul,
    Relu,
    Sigmoid,
    Softmax,
    Sub,
    Tanh,
)
from faltung.ops.operator import Array
from faltung.testing.mutants.mutant import Mutant, Operator, answer, gradient, output

Outputs = dict[str, Callable[[Any, Array], Array]]
"""Bugs by name: ``change(operator, x)`` takes the place of the output."""
Gradients = dict[str, Callable[[Any, Array, Array], Array]]
"""Bugs by name: ``change(operator, saved, dout)`` takes the place of the gradient."""


def pointwise_mutants(cls: Operator) -> Iterator[Mutant]:
    """Return the bugs of an activation, a softmax or an arithmetic operator; none for others."""
    outputs, gradients = _UNARY.get(cls, ({}, {}))
    for name, change in outputs.items():
        yield output(
            cls, name, lambda y, op, inputs, change=change: _typed(change(op, inputs[0]), y)
        )
    for name, of in gradients.items():
        yield gradient(
            cls, 0, name, lambda dx, op, saved, dout, of=of: _typed(of(op, saved, dout), dx)
        )
    if cls in (Add, Sub, Mul, Div):
        yield from _binary(cls)


def _typed(wrong: Array, right: Array) -> Array:
    return np.asarray(wrong, right.dtype)


def _total(x: Array, axis: int) -> Array:
    return np.asarray(x.sum(axis=axis, keepdims=True))


def _softmax(x: Array, axis: int) -> Array:
    e = np.exp(x - x.max(axis=axis, keepdims=True, initial=-np.inf))
    return np.asarray(e / _total(e, axis))


def _plain_softmax(op: Any, x: Array) -> Array:
    return np.exp(x) / _total(np.exp(x), op.axis)


_UNARY: Final[dict[Operator, tuple[Outputs, Gradients]]] = {
    Relu: (
        {
            "absolute value": lambda op, x: np.abs(x),
            "at most 6": lambda op, x: np.minimum(np.maximum(x, 0), 6),
            "negative part": lambda op, x: np.minimum(x, 0),
            "leaks": lambda op, x: np.where(x >= 0, x, 0.01 * x),
            "from 1 on": lambda op, x: np.where(x > 1, x, 0),
        },
        {
            "1 at 0": lambda op, saved, dout: dout * (saved >= 0),
            "half at 0": lambda op, saved, dout: dout * np.where(saved == 0, 0.5, 1),
            "1 everywhere": lambda op, saved, dout: dout,
            "that of the square": lambda op, saved, dout: dout * saved,
            "where dout is positive": lambda op, saved, dout: dout * (dout > 0),
        },
    ),
    LeakyRelu: (
        {
            "alpha left out": lambda op, x: np.where(x >= 0, x, 0),
            "alpha on the positive side": lambda op, x: np.where(x >= 0, op.alpha * x, x),
            "alpha on both sides": lambda op, x: op.alpha * x,
            "alpha squared": lambda op, x: np.where(x >= 0, x, op.alpha**2 * x),
            "alpha always the default": lambda op, x: np.where(x >= 0, x, 0.01 * x),
            "alpha of the other sign": lambda op, x: np.where(x >= 0, x, -op.alpha * x),
        },
        {
            "1 at 0": lambda op, saved, dout: np.where(saved >= 0, dout, op.alpha * dout),
            "0 below": lambda op, saved, dout: np.where(saved > 0, dout, 0),
            "alpha always the default": lambda op, saved, dout: np.where(
                saved > 0, dout, dout / 100
            ),
            "alpha on the positive side": lambda op, saved, dout: np.where(
                saved > 0, op.alpha * dout, dout
            ),
        },
    ),
    Clip: (
        {
            "low left out": lambda op, x: np.minimum(x, op.high),
            "high left out": lambda op, x: np.maximum(x, op.low),
            "0 outside": lambda op, x: np.where((x >= op.low) & (x <= op.high), x, 0),
            "both bounds below": lambda op, x: np.maximum(np.maximum(x, op.low), op.high),
            "always from 0 to 6": lambda op, x: np.clip(x, 0, 6),
        },
        {
            "1 everywhere": lambda op, saved, dout: dout,
            "1 at the bounds": lambda op, saved, dout: (
                dout * ((saved[0] >= saved[1]) & (saved[0] <= saved[2]))
            ),
            "low left out": lambda op, saved, dout: dout * (saved[0] < saved[2]),
            "high left out": lambda op, saved, dout: dout * (saved[0] > saved[1]),
            "that of the square": lambda op, saved, dout: dout * saved[0],
        },
    ),
    Sigmoid: (
        {
            "overflows": lambda op, x: 1 / (1 + np.exp(-x)),
            "overflows on the other side": lambda op, x: np.exp(x) / (1 + np.exp(x)),
            "hard": lambda op, x: np.clip(0.2 * x + 0.5, 0, 1),
            "mirrored": lambda op, x: (
                np.where(x >= 0, np.exp(-np.abs(x)), 1) / (1 + np.exp(-np.abs(x)))
            ),
            "from -1 to 1": lambda op, x: np.tanh(x / 2),
            "twice as steep": lambda op, x: 0.5 + 0.5 * np.tanh(x),
        },
        {
            "without the factor 1 - y": lambda op, saved, dout: dout * saved,
            "1 - y squared": lambda op, saved, dout: dout * (1 - saved**2),
            "of x, not of y": lambda op, saved, dout: dout * (1 - saved) * saved**2,
            "at most a quarter everywhere": lambda op, saved, dout: dout / 4,
        },
    ),
    Tanh: (
        {
            "sigmoid": lambda op, x: 0.5 + 0.5 * np.tanh(x / 2),
            "hard": lambda op, x: np.clip(x, -1, 1),
            "half as steep": lambda op, x: np.tanh(x / 2),
            "softsign": lambda op, x: x / (1 + np.abs(x)),
            "first terms of its series": lambda op, x: x - x**3 / 3,
        },
        {
            "1 - y": lambda op, saved, dout: dout * (1 - saved),
            "1 + y squared": lambda op, saved, dout: dout * (1 + saved * saved),
            "y (1 - y)": lambda op, saved, dout: dout * saved * (1 - saved),
            "1 everywhere": lambda op, saved, dout: dout,
        },
    ),
    Softmax: (
        {
            "overflows": _plain_softmax,
            "not normalised": lambda op, x: np.exp(x - x.max(axis=op.axis, keepdims=True)),
            "normalised over everything": lambda op, x: _softmax(x, op.axis) / max(len(x), 1),
            "along the first axis": lambda op, x: _softmax(x, 0),
            "along the last axis": lambda op, x: _softmax(x, -1),
            "twice as sharp": lambda op, x: _softmax(2 * x, op.axis),
            "of the absolute values": lambda op, x: _softmax(np.abs(x), op.axis),
            "smallest taken off": lambda op, x: _softmax(-x, op.axis),
        },
        {
            "diagonal alone": lambda op, saved, dout: dout * saved * (1 - saved),
            "without the inner sum": lambda op, saved, dout: saved * dout,
            "inner sum without y": lambda op, saved, dout: saved * (dout - _total(dout, op.axis)),
            "mean for the inner sum": lambda op, saved, dout: (
                saved * (dout - (saved * dout).mean(axis=op.axis, keepdims=True))
            ),
            "along the first axis": lambda op, saved, dout: (
                saved * (dout - _total(saved * dout, 0))
            ),
            "along the last axis": lambda op, saved, dout: (
                saved * (dout - _total(saved * dout, -1))
            ),
        },
    ),
    LogSoftmax: (
        {
            "logarithm of what has become 0": lambda op, x: np.log(_softmax(x, op.axis)),
            "overflows": lambda op, x: x - np.log(_total(np.exp(x), op.axis)),
            "softmax itself": lambda op, x: _softmax(x, op.axis),
            "logarithm left out": lambda op, x: x - _total(np.exp(x - x.max()), op.axis),
            "to base 2": lambda op, x: np.log2(np.maximum(_softmax(x, op.axis), 1e-300)),
            "along the first axis": lambda op, x: _log_softmax(x, 0),
            "along the last axis": lambda op, x: _log_softmax(x, -1),
        },
        {
            "without the sum": lambda op, saved, dout: dout - np.exp(saved),
            "without exp": lambda op, saved, dout: dout - saved * _total(dout, op.axis),
            "dout alone": lambda op, saved, dout: dout,
            "mean for the sum": lambda op, saved, dout: (
                dout - np.exp(saved) * dout.mean(axis=op.axis, keepdims=True)
            ),
            "along the first axis": lambda op, saved, dout: dout - np.exp(saved) * _total(dout, 0),
            "along the last axis": lambda op, saved, dout: dout - np.exp(saved) * _total(dout, -1),
        },
    ),
}


def _log_softmax(x: Array, axis: int) -> Array:
    shifted = x - x.max(axis=axis, keepdims=True, initial=-np.inf)
    return np.asarray(shifted - np.log(_total(np.exp(shifted), axis)))


ARITHMETIC: Final[dict[Operator, Callable[[Array, Array], Array]]] = {
    Add: np.add,
    Sub: np.subtract,
    Mul: np.multiply,
    Div: np.divide,
}


def _binary(cls: Operator) -> Iterator[Mutant]:
    outputs: dict[str, Callable[[Array, Array], Array]] = {
        "sum": lambda a, b: a + b,
        "difference": lambda a, b: a - b,
        "difference in reverse": lambda a, b: b - a,
        "product": lambda a, b: a * b,
        "quotient": lambda a, b: a / b,
        "quotient in reverse": lambda a, b: b / a,
        "rounded quotient": lambda a, b: a // b,
        "first operand alone": lambda a, b: a + 0 * b,
        "second operand alone": lambda a, b: b + 0 * a,
        "first number of b for all": lambda a, b: ARITHMETIC[cls](a, np.full_like(b, b.flat[0])),
    }
    own = {"Add": "sum", "Sub": "difference", "Mul": "product", "Div": "quotient"}[cls.onnx_type]
    del outputs[own]
    for name, change in outputs.items():
        wrong = lambda y, op, inputs, change=change: _quiet(change, y, *inputs)
        yield output(cls, name, wrong)
    mean = lambda dx, op, saved, dout: dx * dx.dtype.type(max(dx.size, 1) / max(dout.size, 1))
    for i in (0, 1):
        yield gradient(cls, i, "averaged over repeated axes", mean)
    swapped = lambda grads, *rest: tuple(np.resize(grads[1 - i], grads[i].shape) for i in range(2))
    yield answer("gradients swapped", "check_gradients", cls, "backward", swapped)


def _quiet(change: Callable[[Array, Array], Array], y: Array, a: Array, b: Array) -> Array:
    with np.errstate(all="ignore"):
        return np.asarray(change(a, b), y.dtype).reshape(y.shape)
