"""What is written: standard ONNX, under names that are kept, or one line that says why not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from faltung.errors import GraphError, StorageError
from faltung.graph import Graph, Node, Value, load
from faltung.graph.evaluate import evaluate
from faltung.graph.layers import (
    AvgPool,
    BatchNorm,
    Chain,
    Conv,
    Dense,
    Flatten,
    Input,
    MaxPool,
    Operation,
    Relu,
    build,
)
from faltung.graph.onnx import from_model, to_model
from faltung.graph.onnx_tensors import STATE_KEY
from faltung.ops import Add, AveragePool, LeakyRelu, Pad, Reshape
from faltung.ops import Conv as ConvOperator
from faltung.version import __version__

RELU = build(Chain(Relu("r")), (2, 3))


def one_node(operator: object, x: tuple[int, ...], names: tuple[str, ...] = ("x", "y")) -> Graph:
    node = Node("n", operator, names[:1], names[1:])  # type: ignore[arg-type]
    return Graph((Value(names[0], x),), (node,), names[1:], {})


def test_names_arrays_and_metadata_are_kept(tmp_path: Path) -> None:
    net = Chain(Conv(2, 3, name="first"), BatchNorm(), Relu(), Flatten(), Dense(3, name="last"))
    graph = build(net, (1, 5, 5), metadata={"classes": "zero,one,zwölf"})
    path = graph.save(tmp_path / "m.onnx")
    assert path == tmp_path / "m.onnx"
    model = onnx.load(path)
    assert [n.name for n in model.graph.node] == ["first", "norm1", "relu1", "flatten1", "last"]
    assert [t.name for t in model.graph.initializer] == [*graph.params, *graph.state]
    assert (model.producer_name, model.producer_version) == ("faltung", __version__)
    kept = {p.key: p.value for p in model.metadata_props}
    assert kept == {**graph.metadata, STATE_KEY: '["norm1.mean", "norm1.var"]'}
    assert [d.dim_param or d.dim_value for d in dims(model.graph.input[0])] == ["N", 1, 5, 5]
    assert [d.dim_param or d.dim_value for d in dims(model.graph.output[0])] == ["N", 3]


def dims(value: onnx.ValueInfoProto) -> list[onnx.TensorShapeProto.Dimension]:
    return list(value.type.tensor_type.shape.dim)


def test_writing_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    graph = build(Chain(Conv(2, 3, padding_mode="reflect", padding=1), Relu()), (1, 5, 5))
    first, second = (graph.save(tmp_path / name).read_bytes() for name in ("a.onnx", "b.onnx"))
    assert first == second


@pytest.mark.parametrize(
    ("layer", "opset", "ir"),
    [
        (Conv(2, 3, padding=1, padding_mode="reflect"), 17, 8),
        (Conv(2, 3, padding=1, padding_mode="circular"), 19, 9),
        (AvgPool(2), 17, 8),
        (Operation(AveragePool(2, dilation=2)), 19, 9),
        (MaxPool(2, dilation=2), 17, 8),
    ],
)
def test_the_oldest_operator_set_that_has_it_all(layer: Operation, opset: int, ir: int) -> None:
    model = to_model(build(layer, (1, 6, 6)))
    assert [(o.domain, o.version) for o in model.opset_import] == [("", opset)]
    assert model.ir_version == ir


def test_a_window_keeps_its_word_where_the_amounts_depend_on_the_size() -> None:
    graph = from_model(to_model(build(Conv(2, 3, stride=2, padding="same"), (1, 6, 7))))
    assert graph.nodes[0].operator == ConvOperator((2, 2), "same", (1, 1))
    larger = graph.with_input_shape(("N", 1, 7, 8))
    assert larger.shapes()[larger.outputs[0]] == ("N", 2, 4, 4)


def test_a_constant_beside_a_value_of_its_name() -> None:
    operator = Pad(((0, 0), (0, 0), (1, 2)), "reflect")
    graph = one_node(operator, (1, 1, 4), ("y.pads", "y"))
    x = np.float32([[[1, 2, 3, 4]]])
    again = from_model(to_model(graph))
    assert again.nodes == graph.nodes
    assert np.array_equal(again(x), graph(x))


def test_a_value_between_two_nodes_beside_a_parameter_of_its_name() -> None:
    conv = ConvOperator(padding=1, padding_mode="reflect")
    w = np.arange(9, dtype=np.float32).reshape(1, 1, 3, 3)
    node = Node("c", conv, ("x", "y.padded"), ("y",))
    other = Node("c.pad", Add(), ("y", "y"), ("z",))
    graph = Graph((Value("x", (1, 1, 4, 4)),), (node, other), ("z",), {"y.padded": w})
    again = from_model(to_model(graph))
    x = np.arange(16, dtype=np.float32).reshape(1, 1, 4, 4)
    assert list(again.params) == ["y.padded"]
    assert [n.name for n in again.nodes] == ["c.pad.2", "c", "c.pad"]
    assert np.array_equal(again(x), graph(x))


@pytest.mark.parametrize("value", [1 / 3, 0.1, 1e-5, 1e300, np.pi])
def test_reals_come_back_exactly(value: float) -> None:
    model = to_model(one_node(LeakyRelu(value), (3,)))
    assert from_model(model).nodes[0].operator == LeakyRelu(value)
    # Somebody else's change counts, whatever the comment says.
    model.graph.node[0].attribute[0].f = 0.5
    assert from_model(model).nodes[0].operator == LeakyRelu(0.5)


def test_float64(tmp_path: Path) -> None:
    net = Chain(Conv(2, 3, padding=1), BatchNorm(), Operation(Pad(((0, 0),) * 4, value=0.1)))
    graph = build(net, (1, 5, 5)).astype(np.float64)
    again = load(graph.save(tmp_path / "m.onnx"))
    x = np.random.default_rng(0).standard_normal((2, 1, 5, 5))
    assert again(x).dtype == np.float64
    assert np.array_equal(again(x), graph(x))


@pytest.mark.parametrize("outputs", [("x",), ("w",), ("y", "y"), ("y", "x", "w")])
def test_inputs_parameters_and_repeats_as_outputs(outputs: tuple[str, ...]) -> None:
    w = np.float32([1, 2, 3])
    node = Node("n", Add(), ("x", "w"), ("y",))
    graph = Graph((Value("x", ("N", 3)),), (node,), outputs, {"w": w})
    x = np.float32([[1, 1, 1]])
    again = from_model(to_model(graph))
    assert again.outputs == outputs
    values, before = evaluate(again, {"x": x}).values, evaluate(graph, {"x": x}).values
    assert all(np.array_equal(values[name], before[name]) for name in outputs)


def test_several_inputs() -> None:
    graph = build(Input((2, 3), "a") + Input((2, 1), "b"))
    again = from_model(to_model(graph))
    assert again.inputs == graph.inputs


def refused(graph: Graph, match: str) -> None:
    with pytest.raises(GraphError, match=match):
        to_model(graph)


def test_mixed_dtypes_are_refused() -> None:
    graph = build(Conv(2, 3), (1, 5, 5))
    mixed = graph.replace(params={n: a.astype(np.float64) for n, a in graph.params.items()})
    refused(mixed, r"must all be float32 or all be float64, got dtypes=float32, float64\. Use")


def test_integers_are_refused() -> None:
    node = Node("n", Add(), ("x", "x"), ("y",))
    refused(Graph((Value("x", (3,), "int64"),), (node,), ("y",), {}), "got dtypes=int64")


def test_more_than_2_gib_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("faltung.graph.onnx_write.LARGEST_FILE", 80)
    refused(build(Conv(2, 3), (1, 5, 5)), r"one ONNX file holds less than 2 GiB, got bytes=80")


def test_names_that_are_no_text_are_refused() -> None:
    refused(one_node(LeakyRelu(), (3,), ("x", "")), "names must not be empty")
    refused(one_node(LeakyRelu(), (3,), ("x", "\udcff")), "must be text that UTF-8 can hold")
    refused(build(Relu(), (3,), metadata={"classes": "\udcff"}), "must be text that UTF-8 can hold")


def test_metadata_of_the_files_own_is_refused() -> None:
    refused(build(Relu(), (3,), metadata={STATE_KEY: "[]"}), "is the file's own, got key=faltung")


def test_empty_outputs_are_refused() -> None:
    refused(build(Conv(2, 3), (1, 1, 1)), "ONNX does not accept the graph, got cause=.*Conv")


def test_a_size_left_open_is_named() -> None:
    graph = build(Conv(2, 3), (1, 5, 5)).with_input_shape(("N", 1, "H", "W"))
    with pytest.raises(GraphError, match=r"must be a number here, got shape\[1\]=H") as caught:
        to_model(graph)
    assert "in layer 'conv1'" in caught.value.__notes__[0]


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"m\.onnx: cannot be written, its folder does not"):
        RELU.save(tmp_path / "no" / "m.onnx")


def test_a_refused_graph_leaves_the_old_file(tmp_path: Path) -> None:
    path = RELU.save(tmp_path / "m.onnx")
    before = path.read_bytes()
    with pytest.raises(GraphError):
        build(Conv(2, 3), (1, 1, 1)).save(path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["m.onnx"]


STEPS = [(size, lo, hi) for size in (1, 2, 4) for lo, hi in ((5, 9), (9, 2), (0, 4))]
STEPS += [(2, -1, 7), (4, 7, -2), (4, -2, -1), (1, -1, 0)]


@pytest.mark.parametrize(("size", "lo", "hi"), STEPS)
@pytest.mark.parametrize("mode", ["reflect", "circular", "replicate"])
def test_padding_in_steps(mode: str, size: int, lo: int, hi: int) -> None:
    graph = one_node(Pad(((0, 0), (lo, hi)), mode), (1, size))
    again = from_model(to_model(graph))
    x = np.arange(1, size + 1, dtype=np.float32)[None]
    assert np.array_equal(again(x), graph(x))
    for node in again.nodes:
        pads = node.operator.pads  # type: ignore[attr-defined]
        copies = node.operator.padding_mode != "zeros"
        assert all(min(p) >= 0 for p in pads) or not copies
        # No runtime is asked to copy a position twice on one side.
        assert node.operator.padding_mode in (mode, "zeros") or size == 1
    assert len(again.nodes) > 1 or max(lo, hi) <= size or mode == "replicate" or size == 1


def test_reshape_keeps_its_words() -> None:
    graph = one_node(Reshape((0, -1)), (2, 3, 4))
    assert from_model(to_model(graph)).nodes == graph.nodes
