"""Layer normalisation's other outputs, and what each of its outputs depends on."""

from __future__ import annotations

import numpy as np

from faltung.geometry import Interval
from faltung.ops import LayerNormalization
from faltung.ops.operator import EVERYTHING, OnnxNode
from faltung.testing import Case, check_shapes, check_spans
from faltung.testing.onnx_model import evaluate_by_onnx

X = np.random.default_rng(0).standard_normal((3, 2, 4))
SCALE, BIAS = np.arange(1.0, 5.0), np.arange(4.0)
OPERATOR = LayerNormalization(-2, 0.125, statistics=True)


def test_statistics_are_those_of_onnx() -> None:
    inputs = [X.astype(np.float32), SCALE.astype(np.float32), BIAS.astype(np.float32)]
    case = Case("statistics", OPERATOR, tuple(x.shape for x in inputs))
    outputs = OPERATOR.forward(inputs)[0]
    for mine, theirs in zip(outputs, evaluate_by_onnx(case, inputs), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-5, atol=1e-6)
    check_shapes(case)
    check_spans(case)


def test_statistics_use_neither_scale_nor_bias() -> None:
    shapes = [X.shape, SCALE.shape]
    operator = LayerNormalization(statistics=True)
    assert operator.taps(shapes, (1, 0, 0), output=1)[1] == (range(0),)
    box = (Interval(1, 2), Interval(0, 1), Interval(0, 1))
    assert operator.input_span(shapes, box, output=2) == (
        (*box[:2], EVERYTHING),
        (Interval(0, 0),),
    )


def test_gradients_go_through_every_output() -> None:
    rng = np.random.default_rng(1)
    douts = [rng.standard_normal(s) for s in OPERATOR.out_shapes([X.shape, (4,), (4,)])]
    move = rng.standard_normal(X.shape) * 2.0**-7

    def total(x: np.ndarray) -> float:
        mean, variance = x.mean((1, 2), keepdims=True), x.var((1, 2), keepdims=True)
        inverse = 1 / np.sqrt(variance + 0.125)
        outputs = ((x - mean) * inverse * SCALE + BIAS, mean, inverse)
        return float(sum(np.sum(d * y) for d, y in zip(douts, outputs, strict=True)))

    _, _, saved = OPERATOR.forward([X, SCALE, BIAS])
    dx = OPERATOR.backward(saved, douts)[0]
    slope = (
        8 * (total(X + move) - total(X - move)) - total(X + 2 * move) + total(X - 2 * move)
    ) / 12
    assert abs(float(np.sum(dx * move)) - slope) < 1e-7 * abs(slope)
    only = OPERATOR.backward(saved, [None, douts[1], None])
    assert only[0] is not None
    assert np.allclose(only[0], douts[1] / 8)


def test_statistics_are_read_where_a_node_has_them() -> None:
    node = OnnxNode("LayerNormalization", ("x", "s"), ("y", "", "i"), {"axis": 1})
    assert LayerNormalization.from_onnx(node)[0] == LayerNormalization(1, statistics=True)
