"""Plans against the interpreter."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from faltung.errors import GraphError, KernelError
from faltung.graph import Graph
from faltung.graph import layers as L
from faltung.graph.symbols import Input
from faltung.plan.plan import Plan, compile
from faltung.testing.random_graphs import random_graph
from faltung.testing.rounding import error_bounds

RNG = np.random.default_rng(0)


def input_of(graph: Graph) -> np.ndarray:
    shape = tuple(2 if isinstance(n, str) else n for n in graph.inputs[0].shape)
    return np.random.default_rng(1).normal(size=shape).astype(np.float32)


def held_to_the_bound(graph: Graph) -> None:
    """Every output of an exact plan is as near to float64 as rounding allows."""
    x = input_of(graph)
    plan = compile(graph, x.shape, exact=True)
    y = plan(x)
    for name, array in zip(graph.outputs, y if isinstance(y, tuple) else (y,), strict=True):
        near = error_bounds(graph, {graph.inputs[0].name: x})[name]
        assert (np.abs(array - near.value) <= near.error).all()
    np.testing.assert_array_equal(plan(x), y)


@pytest.mark.parametrize("seed", range(25))
def test_a_plan_equals_the_interpreter_on_random_networks(seed: int) -> None:
    held_to_the_bound(random_graph(seed))


@pytest.mark.long
def test_a_plan_equals_the_interpreter_on_two_thousand_networks() -> None:
    for seed in range(100, 2100):
        held_to_the_bound(random_graph(seed))


def residual() -> Graph:
    def body() -> L.Chain:
        half = (L.Conv(8, 3, padding=1), L.BatchNorm(), L.Relu())
        return L.Chain(*half, L.Conv(8, 3, padding=1), L.BatchNorm())

    blocks = [L.Chain(L.Residual(body()), L.Relu()) for _ in range(3)]
    return L.build(L.Chain(L.Conv(8, 3, padding=1), *blocks, L.Flatten(), L.Dense(5)), (3, 9, 10))


def test_values_that_are_not_needed_together_share_room() -> None:
    graph = residual()
    plan = compile(graph, (2, 3, 9, 10))
    image = 2 * 8 * 9 * 10 * 4
    assert plan.nbytes < 4 * image
    assert compile(graph, (4, 3, 9, 10)).nbytes < 2.2 * plan.nbytes


def test_concatenations_are_written_in_place() -> None:
    x = Input((2, 6, 6))
    inner = L.Concat()(L.Conv(3, 1)(x), L.Conv(5, 3, padding=1)(x))
    graph = L.build(L.Relu()(L.Concat()(inner, L.Conv(2, 1)(x))))
    plan = compile(graph, (1, 2, 6, 6))
    kernels = [step.kernel for step in plan._idle[0].steps if "concat" in step.stage.name]
    assert kernels == ["in place", "in place"]
    image = input_of(graph)[:1]
    np.testing.assert_allclose(plan(image), graph(image), rtol=1e-5, atol=1e-6)
    many = compile(graph, (3, 2, 6, 6))
    images = RNG.normal(size=(3, 2, 6, 6)).astype(np.float32)
    np.testing.assert_allclose(many(images), graph(images), rtol=1e-5, atol=1e-6)


def test_calls_from_several_threads_have_memory_of_their_own() -> None:
    graph = residual()
    plan = compile(graph, (2, 3, 9, 10))
    inputs = [RNG.normal(size=(2, 3, 9, 10)).astype(np.float32) for _ in range(12)]
    alone = [plan(x) for x in inputs]
    with ThreadPoolExecutor(4) as pool:
        for one, other in zip(alone, pool.map(plan, inputs), strict=True):
            np.testing.assert_array_equal(one, other)


def test_another_shape_gets_a_plan_of_its_own() -> None:
    graph = L.build(L.Chain(L.Conv(4, 3), L.Relu()), (1, 8, 8))
    plan = compile(graph, (1, 1, 8, 8))
    for size in range(8, 30):
        x = RNG.normal(size=(1, 1, size, 8)).astype(np.float32)
        np.testing.assert_allclose(plan(x), graph.with_input_shape(x.shape)(x), rtol=1e-5)
    assert len(plan._others) <= 8


def test_choices_can_be_saved_and_imposed() -> None:
    graph = residual()
    plan = compile(graph, (2, 3, 9, 10))
    again = compile(graph, (2, 3, 9, 10), choices=plan.choices)
    assert again.choices == plan.choices
    x = input_of(graph)
    np.testing.assert_array_equal(plan(x), again(x))


def test_an_open_size_is_refused() -> None:
    with pytest.raises(GraphError, match="every size of the inputs must be a number"):
        compile(residual())


def test_an_unknown_choice_is_refused() -> None:
    graph = L.build(L.Conv(4, 3), (1, 8, 8))
    with pytest.raises(KernelError, match="name of a kernel"):
        compile(graph, (1, 1, 8, 8), choices={"conv1": "conv_by_magic"})


def test_outputs_are_the_callers_own() -> None:
    graph = residual()
    plan = compile(graph, (2, 3, 9, 10))
    x = input_of(graph)
    first = plan(x)
    kept = first.copy()
    plan(x + 1)
    np.testing.assert_array_equal(first, kept)
    assert isinstance(plan, Plan)
