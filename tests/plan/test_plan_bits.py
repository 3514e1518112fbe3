"""What may not change a bit of what plans compute: threads, calls at once, batches, files."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from faltung import ops
from faltung.graph import Graph, Node
from faltung.graph import layers as L
from faltung.kernels.choose import compiled_for
from faltung.kernels.threads import set_num_threads
from faltung.plan.compiling import compile as planned
from faltung.plan.plan import Plan
from faltung.plan.training import TrainingPlan
from faltung.testing.random_graphs import random_graph

Arrays = Mapping[str, np.ndarray]
KEY = (3, 1)
SEEDS = range(8)


@pytest.fixture(autouse=True)
def threads() -> Iterator[None]:
    yield
    set_num_threads(None)


def batch_of(graph: Graph, count: int) -> np.ndarray:
    shape = (count, *(int(n) for n in graph.inputs[0].shape[1:]))
    return np.random.default_rng(1).normal(size=shape).astype(np.float32)


def run(plan: Plan, x: np.ndarray) -> dict[str, np.ndarray]:
    y = plan(x)
    return {str(i): a for i, a in enumerate(y if isinstance(y, tuple) else (y,))}


def stepped(plan: TrainingPlan, x: np.ndarray, douts: Arrays | None = None) -> dict[str, Any]:
    """Everything that a step of training gives."""
    outputs = plan.forward(x, key=KEY)
    rng = np.random.default_rng(2)
    drawn = {name: rng.normal(size=y.shape).astype(y.dtype) for name, y in outputs.items()}
    grads = plan.backward(drawn if douts is None else douts)
    return outputs | {f"d {name}": array.copy() for name, array in grads.items()}


def assert_same_bits(one: Arrays, other: Arrays) -> None:
    assert list(one) == list(other)
    for name, array in one.items():
        np.testing.assert_array_equal(array.view(np.uint8), other[name].view(np.uint8), name)


def differs(one: Arrays, other: Arrays) -> bool:
    return any(not np.array_equal(array, other[name]) for name, array in one.items())


@pytest.mark.parametrize("seed", SEEDS)
def test_threads_and_calls_at_once_change_no_bit(seed: int) -> None:
    graph = random_graph(seed, blocks=True)
    x, found = batch_of(graph, 3), []
    for count in (1, 2, 3):
        set_num_threads(count)
        plan = planned(graph, x.shape)
        found += [run(plan, x), run(plan, x)]
    with ThreadPoolExecutor(3) as pool:
        found += list(pool.map(lambda _: run(plan, x), range(6)))
    for other in found[1:]:
        assert_same_bits(other, found[0])


@pytest.mark.parametrize("seed", SEEDS)
def test_threads_and_plans_at_once_change_no_bit_of_a_step(seed: int) -> None:
    graph = random_graph(seed, training=True, blocks=True)
    x, found = batch_of(graph, 3), []
    sized = graph.with_input_shape(x.shape)
    for count in (1, 2, 3):
        set_num_threads(count)
        plan = TrainingPlan(sized)
        found += [stepped(plan, x), stepped(plan, x)]
    plans = [TrainingPlan(sized) for _ in range(3)]
    with ThreadPoolExecutor(3) as pool:
        found += list(pool.map(lambda each: stepped(each, x), plans))
    for other in found[1:]:
        assert_same_bits(other, found[0])


@pytest.mark.parametrize("seed", SEEDS)
def test_the_batch_changes_no_bit_of_an_image(seed: int) -> None:
    graph = random_graph(seed, blocks=True)
    x = batch_of(graph, 5)
    whole = run(planned(graph, x.shape), x)
    for cuts in ((0, 1, 2, 3, 4, 5), (0, 2, 5)):
        parts = [
            run(planned(graph, x[low:high].shape), x[low:high]) for low, high in pairwise(cuts)
        ]
        assert_same_bits({n: np.concatenate([part[n] for part in parts]) for n in whole}, whole)


def test_the_batch_changes_no_bit_of_an_images_gradient() -> None:
    found = [split_gradient(seed) for seed in SEEDS]
    assert sum(gradient.any() for gradient in found) > len(found) / 2  # ReLUs may let nothing by


def split_gradient(seed: int) -> np.ndarray:
    """Return the gradient of a batch of images, after a look at that of its parts."""
    graph = apart(random_graph(seed, blocks=True))
    x = batch_of(graph, 5)
    plan = TrainingPlan(with_moved_input(graph, x))
    douts = {
        name: np.random.default_rng(2).normal(size=y.shape).astype(y.dtype)
        for name, y in plan.forward(np.zeros_like(x)).items()
    }
    whole: np.ndarray = stepped(plan, np.zeros_like(x), douts)["d moved by"]
    for low, high in ((0, 1), (1, 3), (3, 5)):
        part = TrainingPlan(with_moved_input(graph, x[low:high]))
        given = {name: dout[low:high] for name, dout in douts.items()}
        found = stepped(part, np.zeros_like(x[low:high]), given)["d moved by"]
        np.testing.assert_array_equal(found.view(np.uint8), whole[low:high].view(np.uint8))
    return whole


def apart(graph: Graph) -> Graph:
    """The network without normalisation by the batch, in which images see each other."""
    nodes = tuple(
        Node(node.name, ops.Identity(), node.inputs[:1], node.outputs)
        if isinstance(node.operator, ops.BatchNormalization)
        else node
        for node in graph.nodes
    )
    read = {name for node in nodes for name in node.inputs}
    params, state = (
        {name: array for name, array in arrays.items() if name in read}
        for arrays in (graph.params, graph.state)
    )
    return replace(graph, nodes=nodes, params=params, state=state)


def with_moved_input(graph: Graph, by: np.ndarray) -> Graph:
    """Add a parameter to the input: its gradient is that of the images."""
    x = graph.inputs[0].name
    moved = [
        replace(node, inputs=tuple("moved" if name == x else name for name in node.inputs))
        for node in graph.nodes
    ]
    first = Node("move", ops.Add(), (x, "moved by"), ("moved",))
    params = {**graph.params, "moved by": by}
    return replace(graph.with_input_shape(by.shape), nodes=(first, *moved), params=params)


@pytest.mark.parametrize("seed", SEEDS)
def test_choices_from_a_file_give_the_same_bits(seed: int) -> None:
    graph = random_graph(seed, blocks=True)
    x = batch_of(graph, 2)
    plan = planned(graph, x.shape)
    again = planned(graph, x.shape, choices=json.loads(json.dumps(plan.choices)))
    assert again.choices == plan.choices
    assert_same_bits(run(again, x), run(plan, x))


@pytest.mark.skipif(not compiled_for(), reason="without kernels there is one order of sums")
def test_sums_in_another_order_have_other_bits() -> None:
    """Else what is compared above would be the same whatever is done."""
    graph = L.build(L.Conv(24, 3, padding=1), (24, 20, 20))
    x = batch_of(graph, 2)
    direct, chosen = (run(planned(graph, x.shape, exact=exact), x) for exact in (True, False))
    assert differs(direct, chosen)


@pytest.mark.parametrize("seed", SEEDS)
def test_statistics_of_another_batch_change_bits_of_a_step(seed: int) -> None:
    graph = random_graph(seed, training=True, blocks=True)
    three, four = (
        stepped(TrainingPlan(graph.with_input_shape(x.shape)), x)
        for x in (batch_of(graph, 3), batch_of(graph, 4))
    )
    outputs = [{name: step[name][:3] for name in graph.outputs} for step in (three, four)]
    assert differs(*outputs)
