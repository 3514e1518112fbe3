"""Training plans against the interpreter."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pytest

from faltung.errors import GraphError, KernelError
from faltung.graph import Graph
from faltung.graph import layers as L
from faltung.graph.evaluate import evaluate
from faltung.graph.gradients import gradients
from faltung.kernels import leases
from faltung.kernels.choose import compiled_for
from faltung.kernels.memory import release
from faltung.kernels.program import Program
from faltung.kernels.threads import set_num_threads
from faltung.plan.compiling import compile as planned
from faltung.plan.training import TrainingPlan
from faltung.testing.observed_step import observed_step
from faltung.testing.random_graphs import random_graph
from faltung.testing.rounding_step import Step, step_bounds

Arrays = Mapping[str, np.ndarray]
KEY = (3, 1)


class Taken(NamedTuple):
    """What a step gives."""

    outputs: Arrays
    grads: Arrays
    state: Arrays


def feeds_of(graph: Graph, seed: int = 1) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {v.name: rng.normal(size=v.shape).astype(v.dtype) for v in graph.inputs}


def douts_of(outputs: Arrays) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(2)
    return {name: rng.normal(size=y.shape).astype(y.dtype) for name, y in outputs.items()}


def sized(graph: Graph, batch: int = 3) -> Graph:
    return graph.with_input_shape((batch, *graph.inputs[0].shape[1:]))


def interpreted(graph: Graph, feeds: Arrays) -> Taken:
    done = evaluate(graph, feeds, training=True, key=KEY, record=True)
    outputs = {name: done.values[name] for name in graph.outputs}
    grads = gradients(graph, done, douts_of(outputs), wanted=graph.params)
    return Taken(outputs, grads, done.state)


def stepped(plan: TrainingPlan, feeds: Arrays) -> Taken:
    outputs = plan.forward(feeds, key=KEY)
    grads = plan.backward(douts_of(outputs))
    plan.settle()
    return Taken(outputs, {name: g.copy() for name, g in grads.items()}, plan.state)


def held_to_the_bound(graph: Graph, plan: TrainingPlan | None = None) -> None:
    """Every number of a step is as near as rounding allows to what follows from those before it.

    These are the plan's own: the bound does not grow from layer to layer, and knows on which side
    of a ReLU the plan was. What is held is what plans compute as ever: it has the same bits.
    """
    plan, feeds = plan or TrainingPlan(graph), feeds_of(graph)
    outputs = dict(zip(graph.outputs, shapes_at(graph), strict=True))
    douts = douts_of(outputs)
    seen = observed_step(plan, feeds, douts, KEY)
    held_to(step_bounds(graph, feeds, douts, KEY, seen), seen)
    assert 2 * len(seen.values) > len(graph.nodes)
    got = stepped(plan, feeds)
    assert {*got.grads} == {*graph.params} & {*seen.grads}
    # Constants of filters, which no step moves, are state as well.
    whole = seen._replace(state={**graph.state, **seen.state})
    for part, all_of_it in zip(got, whole, strict=True):
        for name, array in part.items():
            np.testing.assert_array_equal(array, all_of_it[name])


def held_to(bounds: Step, seen: Step) -> None:
    for group in Step._fields:
        for name, array in getattr(seen, group).items():
            near = getattr(bounds, group)[name]
            assert (np.abs(array - near.value) <= near.bound).all(), (group, name)


def shapes_at(graph: Graph) -> list[np.ndarray]:
    """Arrays like the outputs."""
    shapes = graph.shapes()
    return [np.empty(shapes[name], graph.inputs[0].dtype) for name in graph.outputs]


def random_network(seed: int, kind: str) -> Graph:
    return sized(random_graph(seed, training=True, blocks=True).astype(kind))


@pytest.mark.parametrize("kind", ["float32", "float64"])
@pytest.mark.parametrize("seed", range(24))
def test_a_step_equals_the_interpreter_on_random_networks(seed: int, kind: str) -> None:
    held_to_the_bound(random_network(seed, kind))


@pytest.mark.long
def test_a_step_equals_the_interpreter_on_two_thousand_networks() -> None:
    for seed in range(100, 2100):
        held_to_the_bound(random_network(seed, ("float64", "float32")[seed % 2]))


@pytest.mark.parametrize("seed", range(4))
def test_plan_and_interpreter_are_within_a_bound_that_grows_from_layer_to_layer(seed: int) -> None:
    """It follows from the one above, and from nothing that the plan found."""
    graph = random_network(seed, "float64")
    feeds = feeds_of(graph)
    for got in (interpreted(graph, feeds), stepped(TrainingPlan(graph), feeds)):
        bounds = step_bounds(graph, feeds, douts_of(got.outputs), KEY)
        held_to(bounds, Step(got.outputs, got.grads, got.state))


@pytest.mark.parametrize("seed", range(3))
def test_a_millionth_is_found_wherever_it_is(seed: int) -> None:
    """In one value or gradient after the other; some are sums that nearly cancel."""
    graph = random_network(seed, "float64")
    feeds, douts = (
        feeds_of(graph),
        douts_of(dict(zip(graph.outputs, shapes_at(graph), strict=True))),
    )
    seen = observed_step(TrainingPlan(graph), feeds, douts, KEY)
    bounds = step_bounds(graph, feeds, douts, KEY, seen)
    held_to(bounds, seen)
    found = [
        not (np.abs(array * (1 + 1e-6) - near.value) <= near.bound).all()
        for group in Step._fields
        for name, array in getattr(seen, group).items()
        for near in [getattr(bounds, group)[name]]
        if array.any()
    ]
    assert sum(found) > 0.95 * len(found)


@pytest.mark.parametrize("name", ["conv1.weight", "norm1.scale", "dense1.weight"])
def test_a_weight_that_is_a_millionth_off_is_found(name: str) -> None:
    graph = sized(residual().astype("float64"))
    wrong = {n: a * (1 + 1e-6 * (n == name)) for n, a in graph.params.items()}
    held_to_the_bound(graph)
    with pytest.raises(AssertionError):
        held_to_the_bound(graph, TrainingPlan(graph, params=wrong))


def residual() -> Graph:
    def body() -> L.Chain:
        half = (L.Conv(16, 3, padding=1), L.BatchNorm(), L.Relu())
        return L.Chain(*half, L.Conv(16, 3, padding=1), L.BatchNorm())

    blocks = [L.Chain(L.Residual(body()), L.Relu()) for _ in range(2)]
    start = (L.Conv(16, 3, padding=1), L.BatchNorm(), L.Relu(), L.MaxPool(2))
    return L.build(
        L.Chain(*start, *blocks, L.GlobalAvgPool(), L.Flatten(), L.Dense(5)), (3, 16, 16)
    )


def mixed() -> Graph:
    """With what has no lowering, and with chance."""
    return L.build(
        L.Chain(
            *(L.Normalize((1.0,), (2.0,)), L.Conv(8, 3, padding=1), L.LeakyRelu(), L.AvgPool(2)),
            *(L.Dropout(0.5), L.Conv(3, 3), L.Clip(-1, 1), L.Flatten(), L.Dense(9), L.Relu()),
            L.Dense(5),
        ),
        (1, 12, 12),
    )


@pytest.fixture(params=[residual, mixed])
def graph(request: pytest.FixtureRequest) -> Graph:
    return sized(request.param(), 4)


def assert_near(got: Taken, wanted: Taken) -> None:
    for group in Taken._fields:
        want, have = getattr(wanted, group), getattr(got, group)
        largest = max(np.abs(a).max() for a in want.values())
        for name, array in want.items():
            np.testing.assert_allclose(have[name], array, rtol=0, atol=1e-4 * largest)


def assert_same(got: Taken, wanted: Taken) -> None:
    for group in Taken._fields:
        for name, array in getattr(wanted, group).items():
            np.testing.assert_array_equal(getattr(got, group)[name], array)


def test_a_step_in_float32_is_near(graph: Graph) -> None:
    feeds = feeds_of(graph)
    assert_near(stepped(planned(graph, training=True), feeds), interpreted(graph, feeds))


@pytest.mark.usefixtures("compiler")
def test_what_the_kernels_fuse_is_one_program_forward_and_one_back() -> None:
    plan = TrainingPlan(sized(residual()))
    assert [[type(run) for run in runs] for runs in plan._runs] == [[Program]] * 3
    kernels = [work.work.kernel for work in plan._works[0]]
    assert kernels.count("norm") == 5
    assert len(kernels) == 5 + 5 + 3  # each convolution; pooling, the mean, the dense layer


@pytest.fixture
def threads() -> Iterator[None]:
    yield
    set_num_threads(None)


@pytest.mark.usefixtures("threads")
def test_threads_and_calls_change_no_bit(graph: Graph) -> None:
    feeds, found = feeds_of(graph), []
    for count in (1, 2, 3):
        set_num_threads(count)
        found.append(stepped(TrainingPlan(graph), feeds))
    plan = TrainingPlan(graph)
    for other in (*found[1:], stepped(plan, feeds)):
        assert_same(other, found[0])
    again = stepped(plan, feeds)
    assert_same(Taken(again.outputs, again.grads, {}), found[0]._replace(state={}))


def test_what_memory_held_before_changes_no_bit(graph: Graph) -> None:
    feeds, plans = feeds_of(graph), [TrainingPlan(graph) for _ in range(2)]
    for plan in plans:
        plan.memory[:] = 255
        plan._temporary[:] = 255
    plans[1].memory[:] = 0
    assert_same(*(stepped(plan, feeds) for plan in plans))


def test_plans_run_in_several_threads_at_once(graph: Graph) -> None:
    feeds = [feeds_of(graph, seed) for seed in range(6)]
    alone = [stepped(TrainingPlan(graph), each) for each in feeds]
    with ThreadPoolExecutor(3) as pool:
        together = list(pool.map(lambda each: stepped(TrainingPlan(graph), each), feeds))
    for one, other in zip(alone, together, strict=True):
        assert_same(other, one)


def test_statistics_change_when_the_step_counts() -> None:
    graph = sized(residual())
    plan = TrainingPlan(graph)
    outputs = plan.forward(feeds_of(graph), key=KEY)
    plan.backward(douts_of(outputs))
    assert all(np.array_equal(plan.state[name], a) for name, a in graph.state.items())
    plan.settle()
    assert not any(np.array_equal(plan.state[name], a) for name, a in graph.state.items())


def test_a_parameter_with_several_readers_gets_the_gradients_of_all() -> None:
    graph = L.build(L.Chain(L.Conv(2, 3, padding=1), L.Relu(), L.Conv(2, 3, padding=1)), (2, 6, 6))
    shared = graph.nodes[0].inputs[1:]
    nodes = [
        node if node.name != "conv2" else type(node)(
            node.name, node.operator, (node.inputs[0], *shared), node.outputs
        )
        for node in graph.nodes
    ]  # fmt: skip
    params = {name: graph.params[name] for name in shared}
    both = Graph(graph.inputs, tuple(nodes), graph.outputs, params, {}, {}).astype("float64")
    held_to_the_bound(sized(both))


def test_a_bias_before_a_relu_and_a_normalisation_has_a_gradient() -> None:
    """Without the ReLU it is 0: the mean is taken away."""
    chain = L.Chain(L.Conv(4, 3), L.Relu(), L.BatchNorm(), L.Conv(2, 3), L.BatchNorm())
    graph = sized(L.build(chain, (2, 9, 9)).astype("float64"))
    held_to_the_bound(graph)
    grads = stepped(TrainingPlan(graph), feeds_of(graph)).grads
    assert grads["conv1.bias"].all()
    assert not grads["conv2.bias"].any()


def test_an_output_that_others_read_and_one_without_gradient() -> None:
    chain = L.Chain(L.Conv(3, 3, padding=1), L.Relu(), L.Conv(2, 1))
    one = sized(L.build(chain, (2, 6, 6)).astype("float64"))
    graph = replace(one, outputs=tuple(node.outputs[0] for node in one.nodes))
    held_to_the_bound(graph)
    plan, feeds = TrainingPlan(graph), feeds_of(graph)
    outputs = plan.forward(feeds)
    name = graph.outputs[1]
    got = plan.backward({name: np.ones_like(outputs[name])})
    done = evaluate(graph, feeds, training=True, record=True)
    wanted = gradients(graph, done, {name: np.ones_like(outputs[name])}, wanted=graph.params)
    for each, array in wanted.items():
        np.testing.assert_allclose(got[each], array, rtol=1e-12)


def test_a_gradient_of_another_shape_is_refused(graph: Graph) -> None:
    plan = TrainingPlan(graph)
    plan.forward(feeds_of(graph), key=KEY)
    with pytest.raises(GraphError, match="dout must be shaped like its output"):
        plan.backward({graph.outputs[0]: np.ones(3)})


def test_a_second_way_back_is_refused(graph: Graph) -> None:
    plan = TrainingPlan(graph)
    douts = douts_of(plan.forward(feeds_of(graph), key=KEY))
    plan.backward(douts)
    with pytest.raises(GraphError, match="each backward must follow a forward of its own"):
        plan.backward(douts)


def test_a_step_that_no_memory_could_hold_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("faltung.plan.training.most_memory", lambda: 1000)
    with pytest.raises(GraphError, match="the values of a step do not fit into memory"):
        TrainingPlan(sized(residual()))


def test_gradients_that_are_not_finite_are_seen(graph: Graph) -> None:
    plan = TrainingPlan(graph)
    outputs = plan.forward(feeds_of(graph), key=KEY)
    plan.backward(douts_of(outputs))
    assert plan.is_finite
    plan.forward(feeds_of(graph), key=KEY)
    plan.backward({name: np.full_like(y, np.inf) for name, y in outputs.items()})
    assert not plan.is_finite


@pytest.mark.parametrize("name", ["reference", "conv_direct_any_nchw"])
def test_what_the_environment_imposes_is_kept(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    graph = sized(residual())
    wanted = interpreted(graph, feeds_of(graph))
    monkeypatch.setenv("FALTUNG_KERNEL", name)
    if name != "reference" and not compiled_for():
        with pytest.raises(KernelError, match="nothing is compiled here"):
            TrainingPlan(graph)
        return
    plan = TrainingPlan(graph)
    kernels = {
        w.work.kernel for w in plan._works[0] if w.work.stage and "conv" in w.work.stage.name
    }
    assert kernels == {"interpreter" if name == "reference" else name}
    assert_near(stepped(plan, feeds_of(graph)), wanted)


@pytest.mark.usefixtures("compiler")
def test_memory_is_what_is_reported() -> None:
    graph = sized(residual(), 256)
    feeds = feeds_of(graph)
    stepped(TrainingPlan(graph), feeds)  # compiles
    release()
    leases.release()
    tracemalloc.start()
    try:
        plan = TrainingPlan(graph, params=graph.params, state=graph.state)
        leases.release()
        tracemalloc.reset_peak()
        plan.backward(douts_of(plan.forward(feeds)))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert abs(peak - plan.footprint.total) <= 0.05 * plan.footprint.total


def test_a_profile_has_both_ways(graph: Graph) -> None:
    report = TrainingPlan(graph).profile(feeds_of(graph), runs=2, key=KEY)
    names = [step.name for step in report.steps]
    pieces_back = sum(name.endswith(" back") for name in names)
    assert pieces_back > (len(names) / 2 if compiled_for() else 0)
    assert "of roofline" in str(report)
    macs = [node.operator.cost(shapes).macs for node, shapes in shapes_of(graph)]
    assert sum(step.macs for step in report.steps if not step.name.endswith(" back")) == sum(macs)


def shapes_of(graph: Graph) -> Iterator[tuple[Any, list[Any]]]:
    known = {**graph.shapes(), **{n: a.shape for n, a in {**graph.params, **graph.state}.items()}}
    known |= {v.name: v.shape for v in graph.inputs}
    for node in graph.nodes:
        yield node, [known[name] for name in node.inputs]
