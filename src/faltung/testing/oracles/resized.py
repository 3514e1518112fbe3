"""The oracle of Resize: the matrix that ONNX's reference evaluator answers unit impulses with.

The evaluator multiplies weights of 0 with what is not finite; a sum over the weights that are not 0
does not. So the evaluator says what the weights are, and the sum is taken here.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

import numpy as np
from onnx.reference import ReferenceEvaluator
from onnx.reference.ops import op_resize

from faltung.graph.onnx import to_model
from faltung.ops.operator import Array
from faltung.testing.cases import Case
from faltung.testing.onnx_model import graph_of
from faltung.testing.oracles.expected import Expected, Gradients, Inputs, Oracle

ROUNDINGS: Final = 32
"""Of weights, products and sums on up to four axes."""


class Resize(op_resize.Resize):
    """The evaluator's own, but for a coefficient that turned all its weights into float32."""

    op_domain = ""

    def _run(self, *inputs: Any, **attributes: Any) -> Any:
        attributes["cubic_coeff_a"] = float(attributes["cubic_coeff_a"])
        return super()._run(*inputs, **attributes)


@lru_cache(maxsize=64)
def _matrix(operator: Any, shape: tuple[int, ...]) -> tuple[Array, Array]:
    """Return the weights, (*out, inputs), and what comes of zeros, (*out, 1)."""
    model = to_model(graph_of(Case("impulses", operator, (shape,)), np.float64))
    evaluator: Any = ReferenceEvaluator(model, new_ops=[Resize])
    zeros = np.zeros(shape)
    base = np.asarray(evaluator.run(None, {"x0": zeros})[0])
    columns = []
    for place in range(zeros.size):
        impulse = zeros.copy()
        impulse.flat[place] = 1
        columns.append(np.asarray(evaluator.run(None, {"x0": impulse})[0]) - base)
    return np.stack(columns, axis=-1), base[..., None]


def _forward(operator: Any, inputs: Inputs) -> Expected:
    x = inputs[0].ravel()
    matrix, base = _matrix(operator, inputs[0].shape)
    terms = np.where(matrix != 0, matrix * x, 0.0)
    values = terms.sum(axis=-1) + base[..., 0]
    # A small weight is what is left of larger numbers: it is off by as much as one of 1.
    size = np.where(matrix != 0, (np.abs(matrix) + 1) * np.abs(x), 0.0).sum(axis=-1)
    return Expected(values, size + np.abs(base[..., 0]), ROUNDINGS)


def _backward(operator: Any, inputs: Inputs, dout: Array) -> Gradients:
    shape = inputs[0].shape
    matrix, _ = _matrix(operator, shape)
    terms = (matrix * dout[..., None]).reshape(-1, inputs[0].size)
    used = (np.abs(matrix) + 1) * (matrix != 0) * np.abs(dout[..., None])
    size = used.reshape(-1, inputs[0].size).sum(axis=0).reshape(shape)
    return (Expected(terms.sum(axis=0).reshape(shape), size, ROUNDINGS + len(terms)),)


ORACLES: Final[dict[str, Oracle]] = {"Resize": Oracle(_forward, _backward)}
