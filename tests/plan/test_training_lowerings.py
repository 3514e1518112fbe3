"""What trains without convolutions: functions of one number, parts of arrays, frames, dropout."""

from __future__ import annotations

import numpy as np
import pytest

from faltung.errors import GraphError
from faltung.graph import Graph
from faltung.graph import layers as L
from faltung.graph.evaluate import evaluate
from faltung.graph.gradients import gradients
from faltung.kernels.program import Program
from faltung.plan.training import TrainingPlan

KEY = (3, 1)


def branched() -> Graph:
    """Concatenations along two axes, one of a value with itself, frames, functions, dropout."""
    x = L.Input((2, 6, 5))
    one = L.Tanh()(L.Conv(3, 3, padding=1)(x))
    two = L.Sigmoid()(L.Conv(4, 3)(L.Pad(((1, 1), (0, 2)))(one)))
    wide = L.Concat()(one, two, one)
    tall = L.Concat(axis=2)(L.LeakyRelu(0.2)(L.Conv(7, (3, 1))(wide)), L.Conv(7, 1)(wide))
    return L.build(L.Dense(4)(L.Flatten()(L.Dropout(0.25)(tall)))).with_input_shape((3, 2, 6, 5))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_step_is_that_of_the_interpreter(dtype: str) -> None:
    graph = branched().astype(dtype)
    x = np.random.default_rng(0).standard_normal((3, 2, 6, 5)).astype(dtype)
    done = evaluate(graph, {graph.inputs[0].name: x}, training=True, key=KEY, record=True)
    (output,) = graph.outputs
    dout = np.random.default_rng(1).standard_normal(done.values[output].shape).astype(dtype)
    wanted = gradients(graph, done, {output: dout}, wanted=graph.params)
    plan = TrainingPlan(graph)
    near = {"rtol": 0, "atol": 500 * np.finfo(dtype).eps}
    np.testing.assert_allclose(plan.forward(x, key=KEY)[output], done.values[output], **near)
    for name, gradient in plan.backward({output: dout}).items():
        np.testing.assert_allclose(gradient, wanted[name], err_msg=name, **near)


def test_all_is_launched_but_the_drawing_of_what_drops_out() -> None:
    plan = TrainingPlan(branched())
    kernels = [[work.work.kernel for work in works] for works in plan._works]
    assert not any("interpreter" in names for names in kernels)
    assert kernels[0].count("drawn") == 1
    assert [type(run) for run in plan._runs[1]] == [Program]


def test_dropout_needs_a_key() -> None:
    with pytest.raises(GraphError, match="training needs a key"):
        TrainingPlan(branched()).forward(np.ones((3, 2, 6, 5)))
