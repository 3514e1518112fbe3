"""What an oracle says: values, and how far rounding may move whoever computes them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from faltung.ops.operator import Array

Inputs = Sequence[Array]


class Expected(NamedTuple):
    """Values in float64, and what bounds the rounding of their computation.

    ``magnitude`` is the sum of the absolute values of each value's terms, ``terms`` the number of
    roundings; ``whole`` says that whole inputs make every term whole, so that nothing is rounded.
    """

    values: Array
    magnitude: Array
    terms: int
    whole: bool = False


Gradients = tuple[Expected | None, ...]


class Oracle(NamedTuple):
    """``forward(operator, inputs)``, and ``backward(operator, inputs, dout)``, one an input.

    A gradient that is None does not exist.
    """

    forward: Callable[[Any, Inputs], Expected]
    backward: Callable[[Any, Inputs, Array], Gradients]


def chosen(values: Array) -> Expected:
    """Values that were picked or moved, never computed."""
    return Expected(values, np.abs(values), 0, whole=True)


def sizes_of(inputs: Inputs) -> list[Array]:
    """Absolute values."""
    return [np.abs(x) for x in inputs]


def summed(array: Array, shape: tuple[int, ...]) -> Array:
    """Return the sum over the axes along which something of ``shape`` was repeated."""
    while array.ndim > len(shape):
        array = array.sum(axis=0)
    for axis, size in enumerate(shape):
        if size == 1:
            array = array.sum(axis=axis, keepdims=True)
    return array
