"""Every lowering against the interpreter, on every instruction set, and without any."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from faltung import ops
from faltung.errors import GraphError
from faltung.graph import Graph, Node
from faltung.graph import layers as L
from faltung.graph.graph import Value
from faltung.graph.symbols import Input
from faltung.kernels.choose import compiled_for
from faltung.kernels.isa import ISAS, VARIABLE, has
from faltung.kernels.registry import gamma
from faltung.ops.operator import AbstractOperator, Example
from faltung.plan.compiling import compile as planned
from faltung.plan.lowerings import LOWERINGS, lowering_of
from faltung.plan.plan import Plan
from faltung.testing.near import Near
from faltung.testing.rounding import error_bounds

HERE = [isa.name for isa in ISAS if has(isa)]
RNG = np.random.default_rng(0)


def all_operators(kind: type = AbstractOperator) -> set[type[AbstractOperator]]:
    found = (
        {kind} if "examples" in dir(kind) and kind.__module__.startswith("faltung.ops") else set()
    )
    return found.union(*(all_operators(sub) for sub in kind.__subclasses__()))


LOWERED = sorted(
    (
        kind
        for kind in all_operators()
        if not kind.__name__.startswith("Abstract")
        and any(base.__name__ in LOWERINGS for base in kind.__mro__)
    ),
    key=lambda kind: kind.__name__,
)


def near(graph: Graph, inputs: dict[str, np.ndarray], plan: Plan) -> None:
    """Hold every output to the bound that is derived for it.

    Of an operator for which nobody has derived one, values are as near to float64 as some roundings
    of the largest one allow; where it only moves values they are these anyhow.
    """
    given = plan(inputs)
    outputs = given if isinstance(given, tuple) else (given,)
    found = graph.astype(np.float64)({n: a.astype(np.float64) for n, a in inputs.items()})
    wide = found if isinstance(found, tuple) else (found,)
    try:
        bounds = error_bounds(graph, inputs)
    except GraphError:
        some = gamma(32, np.dtype(np.float32))
        bounds = {
            name: Near(z, np.full(np.shape(z), some * np.abs(z).max(initial=0)))
            for name, z in zip(graph.outputs, wide, strict=True)
        }
    for name, y, z in zip(graph.outputs, outputs, wide, strict=True):
        assert y.shape == np.shape(z)
        assert y.dtype == np.float32
        assert (np.abs(y - bounds[name].value) <= bounds[name].error).all(), name


def with_inputs(example: Example, count: int) -> tuple[Graph, dict[str, np.ndarray]] | None:
    """Return a graph of one node, so many of whose inputs are the network's, and values."""
    dtypes = example.dtypes or ("",) * len(example.in_shapes)
    if any(dtype not in ("", "float32") for dtype in dtypes):
        return None
    names = [f"x{i}" for i in range(len(example.in_shapes))]
    shapes = zip(names, example.in_shapes, strict=True)
    arrays = {name: np.asarray(RNG.normal(size=s), np.float32) for name, s in shapes}
    for i in example.positive:
        arrays[names[i]] = np.abs(arrays[names[i]]) + np.float32(0.5)
    if example.operator.onnx_type == "BatchNormalization":
        arrays["x4"] = np.abs(arrays["x4"]) + np.float32(0.5)
    outs = example.operator.out_shapes(list(example.in_shapes))
    outputs = tuple(f"y{i}" for i in range(len(outs)))
    node = Node("node", example.operator, tuple(names), outputs)
    given = {name: arrays[name] for name in names[:count]}
    state = {name: arrays[name] for name in names[count:]}
    values = tuple(Value(name, array.shape) for name, array in given.items())
    return Graph(values, (node,), outputs[:1], {}, state), given


@pytest.mark.parametrize("isa", [*HERE, "none"])
@pytest.mark.parametrize("kind", LOWERED, ids=lambda kind: kind.__name__)
def test_operators_give_what_the_interpreter_gives(
    kind: type[AbstractOperator], isa: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, isa)
    for example in kind.examples():
        for count in {1, len(example.in_shapes)}:
            made = with_inputs(example, count)
            if made is not None:
                graph, inputs = made
                near(graph, inputs, planned(graph, exact=True))


def test_every_name_in_the_table_is_an_operators() -> None:
    kinds = {base.__name__ for kind in LOWERED for base in kind.__mro__}
    assert set(LOWERINGS) <= kinds
    assert all(lowering_of(kind.examples()[0].operator) for kind in LOWERED)


def kernels(plan: Plan) -> list[str]:
    return [step.kernel for step in plan._idle[0].steps]


def image(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape).astype(np.float32)


def chain_of(
    nodes: Sequence[tuple[AbstractOperator, Sequence[str], str]],
    shape: tuple[int, ...],
    **state: np.ndarray,
) -> Graph:
    made = tuple(Node(out, operator, tuple(names), (out,)) for operator, names, out in nodes)
    return Graph((Value("x", shape),), made, (made[-1].outputs[0],), {}, state)


@pytest.mark.parametrize("isa", [*HERE, "none"])
def test_number_by_number_is_one_pass(isa: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, isa)
    shape = (2, 3, 5, 7)
    column = {name: image(3, 1, 1) for name in ("scale", "shift")}
    norm = {name: np.abs(image(3)) + np.float32(0.5) for name in ("s", "b", "m", "v")}
    nodes = [
        (ops.MaxPool(1), ["x"], "a"),
        (ops.BatchNormalization(), ["a", "s", "b", "m", "v"], "n"),
        (ops.Mul(), ["n", "scale"], "p"),
        (ops.Add(), ["p", "shift"], "q"),
        (ops.Relu(), ["q"], "y"),
    ]
    graph = chain_of(nodes, shape, **column, **norm)
    plan = planned(graph, shape)
    near(graph, {"x": image(*shape)}, plan)
    assert len(kernels(plan)) == 2
    assert isa == "none" or kernels(plan)[1] == "chain"


@pytest.mark.parametrize("isa", [*HERE, "none"])
def test_gates_and_hard_swishes_are_one_pass(isa: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, isa)
    shape = (2, 3, 5, 7)
    three, six = np.array(3, np.float32), np.array(6, np.float32)
    nodes = [
        (ops.GlobalAveragePool(), ["x"], "mean"),
        (ops.HardSigmoid(), ["mean"], "gate"),
        (ops.Mul(), ["x", "gate"], "z"),
        (ops.Add(), ["z", "three"], "shifted"),
        (ops.Clip(0.0, 6.0), ["shifted"], "clipped"),
        (ops.Mul(), ["z", "clipped"], "product"),
        (ops.Div(), ["product", "six"], "y"),
    ]
    graph = chain_of(nodes, shape, three=three, six=six)
    plan = planned(graph, shape)
    near(graph, {"x": image(*shape)}, plan)
    assert len(kernels(plan)) == 3
    assert isa == "none" or kernels(plan) == ["means", "chain", "chain"]


@pytest.mark.parametrize("isa", [*HERE, "none"])
@pytest.mark.parametrize("kernel", [(6, 4, 1, 1), (4, 1, 3, 3), (3, 4, 3, 2)])
def test_scaled_hard_swishes_are_done_in_registers(
    isa: str, kernel: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, isa)
    shape = (2, 4, 9, 7)
    numbers = {"scale": np.array([1.5], np.float32), "shift": np.array(-0.25, np.float32)}
    nodes = [
        (ops.Conv(groups=4 // kernel[1]), ["x", "w"], "y"),
        (ops.HardSwish(), ["y"], "z"),
        (ops.Mul(), ["z", "scale"], "s"),
        (ops.Add(), ["s", "shift"], "t"),
    ]
    graph = chain_of(nodes, shape, w=image(*kernel), **numbers)
    plan = planned(graph, shape, exact=True)
    near(graph, {"x": image(*shape)}, plan)
    assert len(kernels(plan)) == 1


@pytest.mark.parametrize("isa", [*HERE, "none"])
def test_transposed_convolutions_are_woven(isa: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, isa)
    net = L.build(L.Chain(L.ConvTranspose(6, 2, stride=2), L.BatchNorm(), L.Relu()), (4, 5, 7))
    plan = planned(net, (3, 4, 5, 7), exact=True)
    near(net, {net.inputs[0].name: image(3, 4, 5, 7)}, plan)
    assert isa == "none" or "weave" in kernels(plan)


@pytest.mark.parametrize("isa", [*HERE, "none"])
@pytest.mark.parametrize("coordinate", ["half_pixel", "align_corners", "asymmetric"])
def test_images_of_other_sizes_are_summed(
    coordinate: str, isa: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both axes or one, larger and smaller; what has weight 0 does not count."""
    monkeypatch.setenv(VARIABLE, isa)
    shape = (2, 3, 33, 41)
    for scales, mode in (
        ((1.0, 1.0, 4.0, 2.5), "linear"),
        ((1.0, 1.0, 0.3, 1.0), "linear"),
        ((1.0, 1.0, 1.0, 1.7), "cubic"),
    ):
        resize = ops.Resize(scales, mode=mode, coordinate=coordinate)
        graph = chain_of([(resize, ["x"], "y")], shape)
        plan = planned(graph, shape, exact=True)
        near(graph, {"x": image(*shape)}, plan)
        x = image(*shape)
        x[0, 1, 7, 20] = np.inf
        is_lost = ~np.isfinite(np.asarray(graph(x)))
        np.testing.assert_array_equal(~np.isfinite(plan(x)), is_lost)
        assert isa == "none" or kernels(plan) == ["resize"]


TRANSPOSED: list[dict[str, Any]] = [
    {"kernel_size": 4, "stride": 2, "padding": 1},
    {"kernel_size": 3, "stride": 2, "padding": 1, "output_padding": 1, "groups": 2},
    {"kernel_size": 3, "padding": 1},
    {"kernel_size": (2, 3), "stride": (3, 1), "dilation": (1, 2)},
]


@pytest.mark.parametrize("isa", [*HERE, "none"])
@pytest.mark.parametrize("options", TRANSPOSED)
def test_transposed_convolutions_add_and_activate(
    options: dict[str, Any], isa: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, isa)
    x = Input((20, 9, 7))
    larger = L.BatchNorm()(L.ConvTranspose(34, **options)(x))
    net = L.build(L.Relu()(L.Add()(larger, L.ConvTranspose(34, **options)(x))))
    for exact in (True, False):
        plan = planned(net, (3, 20, 9, 7), exact=exact)
        near(net, {net.inputs[0].name: image(3, 20, 9, 7)}, plan)
        if isa != "none":
            assert len(kernels(plan)) == 2
            assert all(name.startswith("conv_dx") for name in kernels(plan))


def test_infinite_weights_of_a_transposed_convolution_are_left_to_the_operator() -> None:
    """They must not meet the zeros around an image."""
    w = np.array([[[1.0, np.inf, 2.0]]], np.float32)
    graph = chain_of([(ops.ConvTranspose(stride=3), ["x", "w"], "y")], (1, 1, 2), w=w)
    y = planned(graph, (1, 1, 2))(np.array([[[1.0, 2.0]]], np.float32))
    np.testing.assert_array_equal(y, [[[1, np.inf, 2, 2, np.inf, 4]]])


@pytest.mark.parametrize("count", [1, 3])
def test_parts_are_put_together_and_shuffled(count: int) -> None:
    x = Input((4, 6, 6))
    both = L.Concat()(L.Conv(4, 1)(x), L.MaxPool(3, stride=1, padding=1)(x))
    net = L.build(L.Conv(3, 1)(L.Relu()(both)))
    plan = planned(net, (count, 4, 6, 6), exact=True)
    near(net, {net.inputs[0].name: image(count, 4, 6, 6)}, plan)
    assert not compiled_for() or "interpreter" not in kernels(plan)


PADS = [
    ((0, 0), (8, 8), (0, 0)),
    ((0, 1), (1, 2), (3, 0)),
    ((0, 0), (-1, 2), (2, -3)),
    ((0, 0),) * 3,
]


@pytest.mark.parametrize("pads", PADS)
@pytest.mark.parametrize("dtype", ["float32", "int64"])
@pytest.mark.parametrize("channels", [3, 1])
def test_padding_is_copied(pads: Any, dtype: str, channels: int) -> None:
    """Before, behind and between; below 0 it crops, here to nothing."""
    x = Value("x", (2, channels, 5), dtype)
    graph = Graph((x,), (Node("pad", ops.Pad(pads, value=1.5), ("x",), ("y",)),), ("y",), {}, {})
    plan = planned(graph, x.shape)
    given = RNG.normal(size=x.shape).astype(dtype)
    np.testing.assert_array_equal(plan(given), graph(given))
    assert set(kernels(plan)) == {"copy"}


@pytest.mark.usefixtures("compiler")
def test_a_whole_network_is_one_program() -> None:
    layers = [L.Conv(8, 3, padding=1), L.BatchNorm(), L.Relu(), L.MaxPool(2), L.Flatten()]
    net = L.build(L.Chain(*layers, L.Dense(7), L.Tanh(), L.Dense(5)), (3, 8, 8))
    plan = planned(net, (2, 3, 8, 8))
    assert len(plan._idle[0].runs) == 1
    assert set(plan._idle[0].bound) == {net.inputs[0].name, *net.outputs}
