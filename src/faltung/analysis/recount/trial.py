"""Which inputs an output depends on, found by trial: change one input, see which outputs change.

Only an operator's `forward` is asked. Weights are positive, so that nothing cancels; every value is
changed upwards, downwards and a little, and once more with all signs reversed, so that neither a
maximum that is lost nor a rectifier that is closed hides a dependency.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from faltung.errors import FaltungError
from faltung.ops.operator import AbstractOperator, Array

MONOTONE: Final = frozenset(
    {
        *("Conv", "ConvTranspose", "LocallyConnected", "Gemm", "MatMul", "Add", "Sum"),
        *("MaxPool", "AveragePool", "LpPool", "GlobalMaxPool", "GlobalAveragePool"),
        *("ReduceSum", "ReduceMean", "ReduceMax", "ReduceProd", "BatchNormalization"),
    }
)
"""Operators whose outputs grow with every positive input that they use: one trial tells."""
FAR: Final = 8.0
"""How far values are moved: further than all others are."""
BATCH: Final = 256
"""Trials that are run at once."""


@dataclass(frozen=True)
class Reach:
    """What each position of an output depends on, in one input.

    Parameters
    ----------
    lo, hi
        (axes of the input, *output): the first position and one past the last along each axis.
    count
        (*output): how many positions; where it is 0, ``lo`` and ``hi`` mean nothing.
    """

    lo: Array
    hi: Array
    count: Array


def run(operator: AbstractOperator, inputs: Sequence[Array]) -> tuple[Array, ...]:
    """Return the outputs for inference; infinities and NaN are results, too."""
    with np.errstate(all="ignore"):
        outputs, _, _ = operator.forward(inputs)
    return tuple(np.asarray(y) for y in outputs)


def drawn(
    shapes: Sequence[tuple[int, ...]], dtypes: Sequence[np.dtype[Any]], seed: int = 0
) -> list[Array]:
    """Return arrays to try an operator on: positive reals, 0 and 1, truth values."""
    rng = np.random.default_rng(seed)
    return [_drawn(rng, shape, dtype) for shape, dtype in zip(shapes, dtypes, strict=True)]


def _drawn(rng: np.random.Generator, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    if dtype.kind == "b":
        return rng.random(shape) < 0.5
    if dtype.kind in "iu":
        return rng.integers(0, 2, shape).astype(dtype)
    return rng.uniform(0.25, 0.75, shape)


def differ(a: Array, b: Array) -> Array:
    """Where two arrays are not the same, NaN being equal to itself.

    >>> differ(np.array([1.0, np.nan, 2.0]), np.array([1.0, np.nan, 3.0])).tolist()
    [False, False, True]
    """
    unlike: Array = a != b
    return unlike & ~((a != a) & (b != b)) if a.dtype.kind == "f" else unlike


def dependencies(operator: AbstractOperator, inputs: Sequence[Array]) -> list[list[Array]]:
    """Return, by output and input, which positions depend on which: (positions of the input, *out).

    Parameters
    ----------
    operator
        Its `forward` runs once for each value that is tried.
    inputs
        As `drawn` returns them.
    """
    outputs = run(operator, inputs)
    found = [[np.zeros((x.size, *y.shape), np.bool_) for x in inputs] for y in outputs]
    for base in _bases(operator, inputs):
        before = run(operator, base)
        for i, x in enumerate(base):
            for at in range(x.size):
                for value in _others(operator, base, i, at):
                    after = run(operator, _with(base, i, at, value))
                    for k, y in enumerate(after):
                        found[k][i][at] |= differ(y, before[k])
    return found


def _bases(operator: AbstractOperator, inputs: Sequence[Array]) -> Iterator[list[Array]]:
    """Yield what is around the one value that is changed: a second time with the other sign.

    Where truth values or counts decide, once more with all of them 1, and with all of them 0.
    """
    yield list(inputs)
    if operator.onnx_type in MONOTONE:
        return
    yield [
        np.asarray(~x if x.dtype.kind == "b" else -x if x.dtype.kind == "f" else x) for x in inputs
    ]
    if any(x.dtype.kind != "f" for x in inputs):
        whole = [i for i, x in enumerate(inputs) if x.dtype.kind != "f"]
        for fills in ((1, 1), (0, 0), (1, 0)):
            filled = list(inputs)
            for number, i in enumerate(whole):
                filled[i] = np.full_like(inputs[i], fills[number % 2])
            yield filled


def image_dependencies(operator: AbstractOperator, inputs: Sequence[Array]) -> Array:
    """Return which positions of one image each output of a window depends on: (positions, *out).

    Images of a batch do not see each other, so that many trials go in one batch.

    Parameters
    ----------
    operator
        A convolution or pooling.
    inputs
        As `drawn` returns them; the first is a batch of one.
    """
    x, rest = inputs[0], list(inputs[1:])
    before = run(operator, inputs)[0][0]
    found = np.zeros((x.size, 1, *before.shape), np.bool_)
    for first in range(0, x.size, BATCH):
        count = min(BATCH, x.size - first)
        batch = np.repeat(x, count, axis=0)
        batch.reshape(count, -1)[np.arange(count), first + np.arange(count)] += FAR
        found[first : first + count, 0] = run(operator, [batch, *rest])[0] != before
    return found


def weight_dependencies(operator: AbstractOperator, inputs: Sequence[Array]) -> list[Array]:
    """Return the same for each further input of a window: its weights, its bias."""
    before = run(operator, inputs)[0]
    found = [np.zeros((w.size, *before.shape), np.bool_) for w in inputs[1:]]
    for i, changes in enumerate(found, 1):
        for at, changed in enumerate(changes):
            value = inputs[i].reshape(-1)[at] + FAR
            changed[...] = run(operator, _with(inputs, i, at, value))[0] != before
    return found


def _with(inputs: Sequence[Array], i: int, at: int, value: Any) -> list[Array]:
    changed = inputs[i].copy()
    changed.reshape(-1)[at] = value
    return [changed if j == i else x for j, x in enumerate(inputs)]


def _others(operator: AbstractOperator, inputs: Sequence[Array], i: int, at: int) -> Iterator[Any]:
    """Values to put in the place of one."""
    x = inputs[i]
    now = x.reshape(-1)[at]
    if x.dtype.kind == "b":
        yield not now
    elif x.dtype.kind in "iu":
        yield 1 - min(max(int(now), 0), 1)
        if operator.onnx_type != "Gather":
            yield from (100, -100) if x.dtype.kind == "i" else (100,)
    elif operator.onnx_type in MONOTONE:
        yield now + FAR
    else:
        yield from (now + FAR, now - FAR, now * 0.75, 0.0)
        # Nothing but equality feels that a value is just that of another input.
        yield from (v for j, y in enumerate(inputs) if j != i for v in y.reshape(-1)[:16])


def reach(found: Array, in_shape: Sequence[int]) -> Reach:
    """Return first and last position, and the number, of what each output depends on.

    Parameters
    ----------
    found
        As `dependencies` has it for one output and input.
    in_shape
        The shape of that input.
    """
    out = found.shape[1:]
    count = found.sum(axis=0)
    lo, hi = (np.zeros((len(in_shape), *out), np.int64) for _ in range(2))
    places = np.indices(tuple(in_shape)).reshape(len(in_shape), found.shape[0])
    column = (-1, *(1 for _ in out))
    for axis, place in enumerate(places if found.size else ()):
        at = place.reshape(column)
        lo[axis] = np.where(found, at, in_shape[axis]).min(axis=0)
        hi[axis] = np.where(found, at + 1, 0).max(axis=0)
    return Reach(lo, hi, count)


def moved(
    operator: AbstractOperator, shapes: Sequence[tuple[int, ...]]
) -> list[list[Reach]] | None:
    """Return what each output copies, where an operator copies and nothing else; else None.

    Every input value is a number that no other has: an output says itself where it comes from. So
    one run is enough, however large the arrays. With the other sign the same must happen.

    Parameters
    ----------
    operator, shapes
        What is tried, and the shapes of its inputs.
    """
    sizes = [int(np.prod(shape)) for shape in shapes]
    labels, others = _labels(sum(sizes), 1), _labels(sum(sizes), 2)
    cuts = np.cumsum(sizes)[:-1]

    def outputs(values: Array) -> tuple[Array, ...]:
        parts = zip(np.split(values, cuts), shapes, strict=True)
        return run(operator, [a.reshape(shape) for a, shape in parts])

    try:
        runs = list(zip(outputs(labels), outputs(-labels), outputs(others), strict=True))
    except (FaltungError, ValueError, TypeError, IndexError):
        return None
    order = np.argsort(labels)
    found = []
    for ahead, back, other in runs:
        if ahead.dtype.kind in "bu" or not len(labels):
            return None
        fixed = (ahead == back) & (ahead == other)
        place = np.searchsorted(labels[order], np.abs(ahead))
        source = order[np.minimum(place, len(order) - 1)]
        copied = (np.abs(ahead) == labels[source]) & (ahead == -back) & ~fixed
        if not np.all(copied | fixed):
            return None
        starts = zip((0, *cuts), shapes, strict=True)
        found.append([_from(source, copied, first, shape) for first, shape in starts])
    return found


def _labels(count: int, seed: int) -> Array:
    """Numbers that int32 holds, each there once, in no order: no sum of two is a third."""
    rng = np.random.default_rng(seed)
    drawn = np.sort(rng.integers(2**10, 2**30, 2 * count + 8))
    distinct = drawn[np.diff(drawn, prepend=0) > 0]
    return rng.permutation(distinct)[:count] + 0.0


def _from(source: Array, known: Array, first: int, shape: tuple[int, ...]) -> Reach:
    size = math.prod(shape)
    own = known & (source >= first) & (source < first + size)
    at = np.where(own, source - first, 0)
    lo = np.zeros((len(shape), *source.shape), np.int64)
    if shape and size:
        lo[:] = np.unravel_index(at, shape)
    return Reach(lo, lo + 1, own.astype(np.int64))
