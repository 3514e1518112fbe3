"""Plans against the interpreter."""

from __future__ import annotations

import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from faltung import ops
from faltung.errors import GraphError, KernelError
from faltung.geometry.padding import PaddingLike
from faltung.graph import Graph
from faltung.graph import layers as L
from faltung.graph.sources import load
from faltung.graph.symbols import Input
from faltung.kernels import leases
from faltung.kernels.choose import compiled_for
from faltung.kernels.memory import release
from faltung.kernels.registry import rows_of
from faltung.kernels.threads import num_threads
from faltung.plan.compiling import compile as planned
from faltung.plan.plan import Plan
from faltung.testing.random_graphs import random_graph
from faltung.testing.rounding import FLOAT, error_bounds

RNG = np.random.default_rng(0)


def input_of(graph: Graph) -> np.ndarray:
    shape = tuple(2 if isinstance(n, str) else n for n in graph.inputs[0].shape)
    return np.random.default_rng(1).normal(size=shape).astype(np.float32)


def held_to_the_bound(graph: Graph, plan: Plan, *, exact: bool = False) -> None:
    """Every output is as near to float64 as the rounding of its rows allows, layer by layer."""
    x = input_of(graph)
    y = plan(x)
    choices = None if exact else plan.choices
    bounds = error_bounds(graph, {graph.inputs[0].name: x}, choices=choices)
    for name, array in zip(graph.outputs, parts_of(y), strict=True):
        assert (np.abs(array - bounds[name].value) <= bounds[name].error).all()
    for one, other in zip(parts_of(plan(x)), parts_of(y), strict=True):
        np.testing.assert_array_equal(one, other)


def coarsest(graph: Graph, shape: tuple[int, ...]) -> dict[str, str]:
    """For every convolution that can be summed in blocks, the row whose blocks round most."""
    sized = graph.with_input_shape(shape)
    shapes, nodes = sized.shapes(), {node.name: node for node in sized.nodes}
    known = {**graph.params, **graph.state}
    found = {}
    for step in planned(graph, shape).choices:
        node = nodes[step.split(" + ")[0]]
        if isinstance(node.operator, ops.Conv) and node.operator.padding_mode == "zeros":
            window = node.operator.window(shapes[node.inputs[0]], known[node.inputs[1]].shape)
            rows = [
                row
                for row in rows_of("conv")
                if row.fuses and not row.is_exact and row.applies(window, FLOAT)
            ]
            if rows:
                found[step] = max(rows, key=lambda row: row.growth(window)).name
    return found


def held_in_every_way(seed: int) -> int:
    """Direct sums, the chosen rows, and the coarsest; return how many steps the last has."""
    graph = random_graph(seed, blocks=True)
    shape = input_of(graph).shape
    held_to_the_bound(graph, planned(graph, shape, exact=True), exact=True)
    held_to_the_bound(graph, planned(graph, shape))
    choices = coarsest(graph, shape) if compiled_for() else {}
    if choices:
        held_to_the_bound(graph, planned(graph, shape, choices=choices))
    return len(choices)


@pytest.mark.parametrize("seed", [*range(25), 1655])
def test_a_plan_equals_the_interpreter_on_random_networks(seed: int) -> None:
    held_in_every_way(seed)


@pytest.mark.long
def test_a_plan_equals_the_interpreter_on_two_thousand_networks() -> None:
    steps = sum(held_in_every_way(seed) for seed in range(100, 2100))
    assert steps > 500 or not compiled_for()


@pytest.mark.parametrize("seed", range(8))
def test_the_interpreter_is_held_to_the_bound_of_its_rows(seed: int) -> None:
    graph = random_graph(seed, blocks=True)
    x = input_of(graph)
    bounds = error_bounds(graph, {graph.inputs[0].name: x}, choices={})
    for name, array in zip(graph.outputs, parts_of(graph(x)), strict=True):
        assert (np.abs(array - bounds[name].value) <= bounds[name].error).all()


def convolutions(depth: int) -> Graph:
    """Layers that are summed in Winograd's form by choice, not by force."""
    body = [L.Chain(L.Conv(24, 3, padding=1), L.BatchNorm(), L.Relu()) for _ in range(depth)]
    return L.build(L.Chain(*body), (24, 20, 20))


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_networks_in_winograds_form_are_held_to_its_bound(depth: int) -> None:
    graph = convolutions(depth)
    plan = planned(graph, input_of(graph).shape)
    assert not compiled_for() or any("winograd" in row for row in plan.choices.values())
    held_to_the_bound(graph, plan)


def test_a_filter_that_is_a_tenth_off_is_found() -> None:
    """In one layer: what errors may grow to, at worst, is some tens of times more in each."""
    graph = convolutions(1)
    wrong = {name: array.copy() for name, array in graph.params.items()}
    next(array for array in wrong.values() if array.ndim == 4)[0] *= 1.1
    with pytest.raises(AssertionError):
        held_to_the_bound(graph, planned(graph.replace(params=wrong), input_of(graph).shape))


def residual() -> Graph:
    def body() -> L.Chain:
        half = (L.Conv(8, 3, padding=1), L.BatchNorm(), L.Relu())
        return L.Chain(*half, L.Conv(8, 3, padding=1), L.BatchNorm())

    blocks = [L.Chain(L.Residual(body()), L.Relu()) for _ in range(3)]
    return L.build(L.Chain(L.Conv(8, 3, padding=1), *blocks, L.Flatten(), L.Dense(5)), (3, 9, 10))


def test_values_that_are_not_needed_together_share_room() -> None:
    graph = residual()
    plan = planned(graph, (2, 3, 9, 10))
    image = 2 * 8 * 9 * 10 * 4
    assert plan.nbytes < 4 * image
    assert planned(graph, (4, 3, 9, 10)).nbytes < 2.2 * plan.nbytes


def test_concatenations_are_written_in_place() -> None:
    x = Input((2, 6, 6))
    inner = L.Concat()(L.Conv(3, 1)(x), L.Conv(5, 3, padding=1)(x))
    graph = L.build(L.Relu()(L.Concat()(inner, L.Conv(2, 1)(x))))
    plan = planned(graph, (1, 2, 6, 6))
    kernels = [step.kernel for step in plan._idle[0].steps if "concat" in step.stage.name]
    assert kernels == ["in place", "in place"]
    image = input_of(graph)[:1]
    np.testing.assert_allclose(plan(image), graph(image), rtol=1e-5, atol=1e-6)
    many = planned(graph, (3, 2, 6, 6))
    images = RNG.normal(size=(3, 2, 6, 6)).astype(np.float32)
    np.testing.assert_allclose(many(images), graph(images), rtol=1e-5, atol=1e-6)


def test_calls_from_several_threads_have_memory_of_their_own() -> None:
    graph = residual()
    plan = planned(graph, (2, 3, 9, 10))
    inputs = [RNG.normal(size=(2, 3, 9, 10)).astype(np.float32) for _ in range(12)]
    alone = [plan(x) for x in inputs]
    with ThreadPoolExecutor(4) as pool:
        for one, other in zip(alone, pool.map(plan, inputs), strict=True):
            np.testing.assert_array_equal(one, other)


def test_another_shape_gets_a_plan_of_its_own() -> None:
    graph = L.build(L.Chain(L.Conv(4, 3), L.Relu()), (1, 8, 8))
    plan = planned(graph, (1, 1, 8, 8))
    for size in range(8, 30):
        x = RNG.normal(size=(1, 1, size, 8)).astype(np.float32)
        np.testing.assert_allclose(plan(x), graph.with_input_shape(x.shape)(x), rtol=1e-5)
    assert len(plan._others) <= 8


def test_choices_can_be_saved_and_imposed() -> None:
    graph = residual()
    plan = planned(graph, (2, 3, 9, 10))
    again = planned(graph, (2, 3, 9, 10), choices=plan.choices)
    assert again.choices == plan.choices
    x = input_of(graph)
    np.testing.assert_array_equal(plan(x), again(x))


@pytest.mark.parametrize(
    ("channels", "space", "padding"),
    [((32, 8), (22, 15), ((1, -2), (-1, -2))), ((8, 16), (8, 18), ((1, 1), (-1, -1)))],
)
def test_padding_below_0_gives_the_same_bits_from_a_file(
    channels: tuple[int, int], space: tuple[int, int], padding: PaddingLike, tmp_path: Path
) -> None:
    """Files crop first: an image of another size, for which another row could be chosen."""
    graph = L.build(L.Conv(channels[1], 3, padding=padding), (channels[0], *space))
    graph.save(tmp_path / "cropped.onnx")
    again = load(tmp_path / "cropped.onnx")
    x = input_of(graph)
    np.testing.assert_array_equal(graph(x), again(x))
    np.testing.assert_array_equal(planned(graph, x.shape)(x), planned(again, x.shape)(x))
    trained = [planned(each.with_input_shape(x.shape), training=True) for each in (graph, again)]
    one, other = (list(plan.forward(x).values()) for plan in trained)
    np.testing.assert_array_equal(one, other)


def test_an_open_size_is_refused() -> None:
    with pytest.raises(GraphError, match="every size of the inputs must be a number"):
        planned(residual())


def test_an_unknown_choice_is_refused() -> None:
    graph = L.build(L.Conv(4, 3), (1, 8, 8))
    with pytest.raises(KernelError, match="name of a kernel"):
        planned(graph, (1, 1, 8, 8), choices={"conv1": "conv_by_magic"})


def test_a_choice_for_an_unknown_step_is_refused() -> None:
    graph = L.build(L.Conv(4, 3), (1, 8, 8))
    with pytest.raises(GraphError, match="choices must name steps"):
        planned(graph, (1, 1, 8, 8), choices={"conv9": "conv_direct_any_nchw"})


def test_outputs_are_the_callers_own() -> None:
    graph = residual()
    plan = planned(graph, (2, 3, 9, 10))
    x = input_of(graph)
    first = plan(x)
    kept = first.copy()
    plan(x + 1)
    np.testing.assert_array_equal(first, kept)
    assert isinstance(plan, Plan)


def parts_of(y: np.ndarray | tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
    return y if isinstance(y, tuple) else (y,)


@pytest.mark.usefixtures("compiler")
def test_memory_is_what_is_reported() -> None:
    graph = L.build(
        L.Chain(
            *(L.Conv(64, 3, padding=1), L.BatchNorm(), L.Relu(), L.MaxPool(2)),
            *(L.Conv(96, 3, padding=1), L.BatchNorm(), L.Relu(), L.Conv(96, 1), L.Relu()),
        ),
        (3, 160, 160),
    )
    x = RNG.normal(size=(2, 3, 160, 160)).astype(np.float32)
    planned(graph, x.shape)(x)  # compiles
    leases.release()
    tracemalloc.start()
    try:
        plan = planned(graph, x.shape)
        release()
        leases.release()
        tracemalloc.reset_peak()
        y = plan(x)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert abs(peak - y.nbytes - plan.footprint.total) <= 0.05 * plan.footprint.total


@pytest.mark.parametrize("name", ["", "reference", "conv_direct_any_nchw"])
def test_what_the_environment_imposes_is_kept(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FALTUNG_KERNEL", name)
    graph = residual()
    if name not in ("", "reference") and not compiled_for():
        with pytest.raises(KernelError, match="nothing is compiled here"):
            planned(graph, (2, 3, 9, 10))
        return
    plan = planned(graph, (2, 3, 9, 10))
    kernels = {step.kernel for step in plan._idle[0].steps if "conv" in step.stage.name}
    assert name == "" or kernels == {"interpreter" if name == "reference" else name}
    x = RNG.normal(size=(2, 3, 9, 10)).astype(np.float32)
    np.testing.assert_allclose(plan(x), graph(x), rtol=1e-3, atol=1e-4)


def test_inputs_of_any_kind_are_taken() -> None:
    graph = residual()
    plan = planned(graph, (2, 3, 9, 10))
    x = RNG.normal(size=(2, 3, 9, 10)).astype(np.float32)
    y = plan(x)
    turned = np.ascontiguousarray(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    for given in (turned, x.tolist(), {graph.inputs[0].name: x}, x[:, ::-1][:, ::-1]):
        np.testing.assert_array_equal(plan(given), y)
    x.setflags(write=False)
    np.testing.assert_array_equal(plan(x), y)


def test_a_profile_has_every_step_that_does_something() -> None:
    graph = residual()
    x = RNG.normal(size=(2, 3, 9, 10)).astype(np.float32)
    report = planned(graph, x.shape).profile(x, runs=2)
    assert len(report.steps) == 8
    assert sum(step.macs for step in report.steps) == 2 * (90 * 8 * 9 * (3 + 6 * 8) + 720 * 5)
    assert all(step.seconds > 0 for step in report.steps)
    assert "of roofline" in str(report)
    assert report.to_dict()["threads"] == num_threads()
    assert len(report.longest(3)) == 3
