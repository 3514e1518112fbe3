"""Batch normalisation whose file asks for the batch's own statistics."""

from __future__ import annotations

import numpy as np

from faltung.geometry import Interval
from faltung.graph.onnx import from_model, to_model
from faltung.ops import BatchNormalization
from faltung.ops.operator import EVERYTHING
from faltung.testing import Case
from faltung.testing.onnx_model import graph_of

OPERATOR = BatchNormalization(epsilon=1e-3, momentum=0.75, training_mode=True)
SHAPES = ((4, 3, 5), *((3,),) * 4)


def inputs() -> list[np.ndarray]:
    rng = np.random.default_rng(5)
    return [*(rng.normal(size=s) for s in SHAPES[:4]), rng.uniform(0.5, 2, 3)]


def test_the_statistics_are_the_batch_s() -> None:
    x, scale, bias, mean, var = given = inputs()
    (y, next_mean, next_var), state, _ = OPERATOR.forward(given)
    of_batch = x.mean(axis=(0, 2), keepdims=True), x.var(axis=(0, 2), keepdims=True)
    want = (x - of_batch[0]) / np.sqrt(of_batch[1] + 1e-3) * scale[:, None] + bias[:, None]
    assert np.allclose(y, want)
    assert np.allclose(next_mean, 0.75 * mean + 0.25 * of_batch[0].ravel())
    assert np.allclose(next_var, 0.75 * var + 0.25 * of_batch[1].ravel())
    assert state == {}
    _, moved, _ = OPERATOR.forward(given, training=True)
    assert np.array_equal(moved[3], next_mean)


def test_gradients_go_through_the_statistics() -> None:
    given = inputs()
    _, _, saved = OPERATOR.forward(given)
    _, _, trained = BatchNormalization(epsilon=1e-3, momentum=0.75).forward(given, training=True)
    dout = np.random.default_rng(6).normal(size=SHAPES[0])
    got = OPERATOR.backward(saved, [dout])
    want = BatchNormalization().backward(trained, [dout])
    for a, b in zip(got[:3], want[:3], strict=True):
        assert a is not None
        assert b is not None
        assert np.array_equal(a, b)


def test_what_one_value_uses() -> None:
    channel = (range(4), range(1, 2), range(5))
    assert OPERATOR.taps(SHAPES, (0, 1, 2))[0] == channel
    assert OPERATOR.taps(SHAPES, (1,), output=2)[0] == channel
    one = Interval(1, 2)
    spans = (EVERYTHING, one, EVERYTHING)
    assert OPERATOR.input_span(SHAPES, (one, one, one))[0] == spans
    assert OPERATOR.input_span(SHAPES, (one,), output=1) == (spans, *((one,),) * 4)


def test_a_file_says_so() -> None:
    graph = from_model(to_model(graph_of(Case("use", OPERATOR, SHAPES), np.float64)))
    assert graph.nodes[0].operator == OPERATOR
    got = graph({f"x{i}": x for i, x in enumerate(inputs())})
    want, _, _ = OPERATOR.forward(inputs())
    assert all(np.array_equal(a, b) for a, b in zip(got, want, strict=True))
