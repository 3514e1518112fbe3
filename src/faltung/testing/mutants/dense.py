"""Bugs in matrix products."""

# ruff: noqa: E731 - a bug is one line, named where it is planted
from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, Final

import numpy as np

from faltung.ops import Gemm, MatMul, dense
from faltung.ops.operator import Array
from faltung.testing.mutants.mutant import Mutant, Operator, answer, arguments, gradient, output

FORWARD: Final = "check_values"
BACKWARD: Final = "check_gradients"


def dense_mutants(cls: Operator) -> Iterator[Mutant]:
    """Return the bugs of Gemm or MatMul; none for others."""
    if cls is Gemm:
        yield from _gemm()
    if cls is MatMul:
        yield from _matmul()


def _gemm() -> Iterator[Mutant]:
    fields: dict[str, dict[str, Any]] = {
        "alpha left out": {"alpha": 1.0},
        "beta left out": {"beta": 1.0},
    }
    for name, other in fields.items():
        for method, aim in (("forward", FORWARD), ("backward", BACKWARD)):
            wrong = lambda op, *rest, other=other: (replace(op, **other), *rest)
            yield arguments(f"{method}: {name}", aim, Gemm, method, wrong)
    exchanged = lambda op, *rest: (replace(op, alpha=op.beta, beta=op.alpha), *rest)
    for method, aim in (("forward", FORWARD), ("backward", BACKWARD)):
        name = f"{method}: alpha and beta exchanged"
        yield arguments(name, aim, Gemm, method, exchanged)
    outputs: dict[str, Callable[[Any, Any, Any], Array]] = {
        "c left out": lambda y, op, inputs: y - op.beta * _c(inputs),
        "c added twice": lambda y, op, inputs: y + op.beta * _c(inputs),
        "c times alpha": lambda y, op, inputs: y + (op.alpha - 1) * op.beta * _c(inputs),
        "c taken away": lambda y, op, inputs: y - 2 * op.beta * _c(inputs),
        "last inner position left out": _shorter,
        "absolute values": lambda y, op, inputs: np.abs(y),
        "rows in reverse": lambda y, op, inputs: y[::-1],
        "columns in reverse": lambda y, op, inputs: y[:, ::-1],
    }
    for name, change in outputs.items():
        yield output(Gemm, name, lambda y, *rest, of=change: np.asarray(of(y, *rest), y.dtype))
    grads: dict[str, tuple[int, Callable[[Array, Any, Any, Array], Array]]] = {
        "mean over the rows": (1, lambda db, op, saved, dout: db / db.dtype.type(len(dout))),
        "first row alone": (1, lambda db, op, saved, dout: _first_row(db, op, saved, dout)),
        "of c, mean over the rows": (2, lambda dc, op, saved, dout: dc / dc.dtype.type(len(dout))),
        "of c, beta left out": (2, lambda dc, op, saved, dout: dc / dc.dtype.type(op.beta)),
        "of a, alpha squared": (0, lambda da, op, saved, dout: da * da.dtype.type(op.alpha)),
        "of b, alpha squared": (1, lambda db, op, saved, dout: db * db.dtype.type(op.alpha)),
    }
    for name, (i, grad) in grads.items():
        yield gradient(Gemm, i, name, grad)
    for name, changed in {
        "inner axis taken for the rows": lambda taps, *rest: (taps[0][::-1], *taps[1:]),
        "c at its first position": lambda taps, *rest: (
            *taps[:2],
            *(tuple(range(1) for _ in t) for t in taps[2:]),
        ),
    }.items():
        yield answer(f"taps: {name}", "check_dependencies", Gemm, "taps", changed)
    unrepeated = lambda found, shapes, at, first: tuple(at for _ in shapes[2:])
    yield answer("taps: c not repeated", "check_dependencies", dense, "_repeated", unrepeated)


def _c(inputs: Any) -> Any:
    return inputs[2] if len(inputs) > 2 else 0


def _shorter(y: Array, op: Any, inputs: Any) -> Array:
    a = inputs[0].T if op.trans_a else inputs[0]
    b = inputs[1].T if op.trans_b else inputs[1]
    return np.asarray(y - op.alpha * np.outer(a[:, -1], b[-1]))


def _first_row(db: Array, op: Any, saved: Any, dout: Array) -> Array:
    a = saved[0].T if op.trans_a else saved[0]
    own = np.asarray(np.outer(a[0], dout[0]) * dout.dtype.type(op.alpha))
    return own.T if op.trans_b else own


def _matmul() -> Iterator[Mutant]:
    outputs: dict[str, Callable[[Array, Array], Array]] = {
        "last inner position left out": lambda a, b: np.matmul(a[..., :-1], b[..., :-1, :]),
        "first inner position left out": lambda a, b: np.matmul(a[..., 1:], b[..., 1:, :]),
        "first matrix of a for all": lambda a, b: np.matmul(_first(a), b),
        "first matrix of b for all": lambda a, b: np.matmul(a, _first(b)),
        "inner axis of b in reverse": lambda a, b: np.matmul(a, b[..., ::-1, :]),
        "columns of b in reverse": lambda a, b: np.matmul(a, b[..., ::-1]),
        "rows of a in reverse": lambda a, b: np.matmul(a[..., ::-1, :], b),
        "absolute values": lambda a, b: np.matmul(np.abs(a), np.abs(b)),
    }
    for name, change in outputs.items():
        yield output(MatMul, name, lambda y, op, inputs, of=change: of(*inputs))
    grads: dict[str, tuple[int, Callable[[Array, Any, Any, Array], Array]]] = {
        "rows in reverse": (0, lambda da, op, saved, dout: da[..., ::-1, :]),
        "columns in reverse": (1, lambda db, op, saved, dout: db[..., ::-1]),
        "averaged over what was repeated, a": (0, _averaged),
        "averaged over what was repeated, b": (1, _averaged),
    }
    for name, (i, grad) in grads.items():
        yield gradient(MatMul, i, name, grad)
    unrepeated = lambda found, shape, at, first: at[len(at) - len(shape[:-2]) :]
    yield answer("taps: axes not repeated", "check_dependencies", dense, "_lead", unrepeated)


def _first(x: Array) -> Array:
    lead = x.shape[:-2]
    return np.broadcast_to(x[(0,) * len(lead)], x.shape) if lead else x * 2


def _averaged(dx: Array, op: Any, saved: Any, dout: Array) -> Array:
    """Divide by how often the input was repeated; by 2 where it was not."""
    lead = int(np.prod(dout.shape[:-2])) // max(int(np.prod(dx.shape[:-2])), 1)
    return np.asarray(dx / dx.dtype.type(lead if lead > 1 else 2))
