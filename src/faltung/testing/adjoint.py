"""The adjoint identity: where an operator is linear, its gradient is its transpose."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from faltung.ops.operator import Array
from faltung.testing.cases import Case
from faltung.testing.compare import assert_exact, assert_within, rounding_bound
from faltung.testing.data import draw, draw_like
from faltung.testing.running import naming, run

DIVISIBLE: Final = 15120.0
"""A multiple of every window's size up to 10, and of 12, 16, 18, 24 and 27: means stay whole."""

_FLOAT64: Final = np.dtype(np.float64)


def check_adjoint(case: Case) -> None:
    """Check ``<f(x), y> = <x, f'(y)>`` for each input in which the operator is linear.

    On whole numbers both sides are exact, so that they have to be equal to the bit; where the
    operator itself rounds (batch normalisation), within the bound of all its terms. Whether it is
    linear is found out by adding two inputs.
    """
    with naming("check_adjoint", case):
        inputs = [
            x if i in case.positive or x.dtype.kind != "f" else np.asarray(x * DIVISIBLE)
            for i, x in enumerate(draw(case))
        ]
        for i in linear_inputs(case):
            done = run(case, inputs)
            ys = draw_like(case, done.outputs)
            dx = done.gradients(ys)[i]
            if dx is None:
                raise AssertionError(f"input {i}: linear in it, but there is no gradient")
            lefts = list(zip(_moved(case, inputs, i), ys, strict=True))
            _compare(_inner(lefts), _inner([(inputs[i], dx)]), i)


def _inner(pairs: Sequence[tuple[Array, Array]]) -> tuple[float, float, int]:
    """Sum of products, the sum of their sizes, and how many there are (-1: all of it exact)."""
    total = sum(float(np.sum(a * b)) for a, b in pairs)
    size = sum(float(np.sum(np.abs(a * b))) for a, b in pairs)
    whole = all(bool(np.all((a * b) % 1 == 0)) for a, b in pairs) and size < 2.0**53
    return total, size, -1 if whole else sum(a.size for a, _ in pairs)


def _compare(left: tuple[float, float, int], right: tuple[float, float, int], i: int) -> None:
    name = f"input {i}: <f(x), y> against <x, f'(y)>"
    if left[2] < 0 and right[2] < 0:
        assert_exact(left[0], right[0], name)
        return
    terms = 4 * (abs(left[2]) + abs(right[2]) + 16)
    bound = rounding_bound(terms, left[1] + right[1], _FLOAT64)
    assert_within(left[0], right[0], bound, name)


def linear_inputs(case: Case) -> list[int]:
    """Return the inputs in which the operator is linear, but for a constant, on drawn data.

    >>> from faltung.ops import Mul, Relu
    >>> linear_inputs(Case("product", Mul(), ((3,), (3,))))
    [0, 1]
    >>> linear_inputs(Case("kink", Relu(), ((9,),)))
    []
    """
    inputs = draw(case, "reals")
    dtypes = [x.dtype for x in inputs]
    if any(dtype.kind != "f" for dtype in case.operator.out_dtypes(dtypes)):
        return []  # what is chosen, counted or compared is not a sum
    factors = draw(case._replace(positive=tuple(range(len(inputs)))), "reals")
    found = []
    for i, x in enumerate(inputs):
        if i in case.operator.state_inputs or not x.size or x.dtype.kind != "f":
            continue
        # Of the other sign and larger, so that the sum is on the other side of a kink at 0.
        other = np.asarray(-x * (1 + factors[i]))
        with np.errstate(all="ignore"):  # a quotient is asked at 0 too
            if _is_linear(case, inputs, i, other):
                found.append(i)
    return found


def _is_linear(case: Case, inputs: Sequence[Array], i: int, other: Array) -> bool:
    def moved(x: Array) -> list[Array]:
        return _moved(case, [x if j == i else a for j, a in enumerate(inputs)], i)

    sums = moved(np.asarray(inputs[i] + other))
    parts = [a + b for a, b in zip(moved(inputs[i]), moved(other), strict=True)]
    size = max(float(np.abs(p).max(initial=0.0)) for p in (*sums, *parts))
    bound = rounding_bound(256, size, _FLOAT64)
    return all(bool(np.all(np.abs(s - p) <= bound)) for s, p in zip(sums, parts, strict=True))


def _moved(case: Case, inputs: Sequence[Array], i: int) -> list[Array]:
    """Return ``f(x) - f(0)``, which is linear in x where f is but for a constant."""
    here = run(case, inputs).outputs
    zero = [np.zeros_like(x) if j == i else x for j, x in enumerate(inputs)]
    there = run(case, zero).outputs
    return [
        a - b if a.dtype.kind == "f" else a.astype(np.float64) - b.astype(np.float64)
        for a, b in zip(here, there, strict=True)
    ]
