"""Values, and how far rounding may have moved them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final, NamedTuple

import numpy as np

from faltung.graph import Node
from faltung.ops.operator import Array
from faltung.testing.compare import rounding_bound

FLOAT: Final = np.dtype(np.float32)
FUNCTION: Final = 16
"""Roundings that an exponential, logarithm, logistic function or tangent is taken to make."""

FOLDED: Final = 8
"""Roundings more where a runtime folds a scale or a normalisation into the weights."""


class Near(NamedTuple):
    """A value in float64, and how far rounding in a dtype may move it."""

    value: Array
    error: Array
    dtype: np.dtype[Any] = FLOAT

    @property
    def bound(self) -> Array:
        """How far from the value a runtime may be; of float64 the value is as far off itself."""
        return self.error * (2 if self.dtype == np.float64 else 1)

    @property
    def most(self) -> Array:
        """The largest size that the value may have."""
        return np.asarray(np.abs(self.value) + self.error)


def exactly(array: Array) -> Near:
    """Return what is given as it is, without an error."""
    is_real = array.dtype.kind == "f"
    value = array.astype(np.float64) if is_real else array
    return Near(value, np.zeros(array.shape), array.dtype if is_real else FLOAT)


def rounded(x: Near, terms: int, magnitude: Array) -> Array:
    """Return how far so many roundings move a sum whose terms have sizes of this sum."""
    return rounding_bound(terms, magnitude, x.dtype)


def run(node: Node, *inputs: Array) -> Array:
    """Return the first output of a node."""
    # What sums in blocks leaves something of its rounding where all that an output reads is 0.
    summed = node.operator.onnx_type in ("Conv", "ConvTranspose")
    return (changed(node, exact=True) if summed else node).operator.forward(inputs)[0][0]


def changed(node: Node, **fields: Any) -> Node:
    """Return the node with other attributes."""
    operator: Any = node.operator
    return replace(node, operator=replace(operator, **fields)) if fields else node
