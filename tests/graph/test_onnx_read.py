"""What is read: files of any producer, or one line that names the file and the cause."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from faltung.errors import FaltungError, ModelFileError, StorageError
from faltung.graph import Graph, Node, Value, load
from faltung.graph.layers import BatchNorm, Chain, Conv, Relu, build
from faltung.graph.onnx import from_model, to_model
from faltung.graph.onnx_tensors import STATE_KEY
from faltung.ops import BatchNormalization, Dropout, LocallyConnected, Pad
from faltung.testing import Case
from faltung.testing.onnx_model import graph_of

NEWEST = onnx.defs.onnx_opset_version()
X = np.float32([[1, -2, 3]])
W = np.float32([[1, 2, 3], [4, 5, 6], [7, 8, 10]])


def model_of(
    nodes: Sequence[onnx.NodeProto],
    arrays: dict[str, np.ndarray] | None = None,
    *,
    opset: int = 17,
    shape: Sequence[int | str | None] | None = ("N", 3),
    kind: int = TensorProto.FLOAT,
    output: str = "y",
) -> onnx.ModelProto:
    """A model with one input x and one output, as another producer may write it."""
    graph = helper.make_graph(
        list(nodes),
        "g",
        [helper.make_tensor_value_info("x", kind, shape)],
        [helper.make_tensor_value_info(output, kind, [None, None])],
        [numpy_helper.from_array(a, name) for name, a in (arrays or {}).items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def node(kind: str, inputs: str = "x", outputs: str = "y", **attributes: Any) -> onnx.NodeProto:
    """A node; the names of its values are separated by blanks, - is left out."""
    ends = [[n.replace("-", "") for n in names.split()] for names in (inputs, outputs)]
    return helper.make_node(kind, *ends, **attributes)


def refused(model: onnx.ModelProto, match: str, error: type[FaltungError] = ModelFileError) -> None:
    with pytest.raises(error, match=match):
        from_model(model)


# What others write ---------------------------------------------------------------------------


@pytest.mark.parametrize("opset", range(9, NEWEST + 1))
def test_every_operator_set(opset: int) -> None:
    nodes = [node("MatMul", "x w", "h"), node("Relu", "h", "p"), node("Softmax", "p", axis=1)]
    model = model_of(nodes, {"w": W}, opset=opset)
    model.ir_version = helper.find_min_ir_version_for(model.opset_import, ignore_unknown=True)
    h = np.maximum(X @ W, 0)
    e = np.exp(h - h.max())
    assert np.allclose(from_model(model)(X), e / e.sum(), rtol=1e-6)


def test_nodes_without_names_are_numbered() -> None:
    nodes = [node("Relu", "x", "a"), node("Relu", "a", "b", name="relu1"), node("Relu", "b", "c")]
    nodes += [node("Tanh", "c", "d", name="t"), node("Tanh", "d", name="t")]
    names = [n.name for n in from_model(model_of(nodes)).nodes]
    assert names == ["relu2", "relu1", "relu3", "t", "t.2"]


def test_nodes_in_any_order_are_put_into_computing_order() -> None:
    nodes = [node("Relu", "b", name="3"), node("Tanh", "a", "b", name="2")]
    nodes += [node("Add", "x x", "a", name="1")]
    model = model_of(nodes)
    before = model.SerializeToString()
    graph = from_model(model)
    assert [n.name for n in graph.nodes] == ["1", "2", "3"]
    assert np.array_equal(graph(X), np.maximum(np.tanh(X + X), 0))
    assert model.SerializeToString() == before


def test_initializers_that_are_also_inputs_are_no_inputs() -> None:
    model = model_of([node("Add", "x w")], {"w": W})
    model.graph.input.append(helper.make_tensor_value_info("w", TensorProto.FLOAT, [3, 3]))
    graph = from_model(model)
    assert [v.name for v in graph.inputs] == ["x"]
    assert list(graph.params) == ["w"]


def test_initializers_that_nobody_reads_are_dropped() -> None:
    graph = from_model(model_of([node("Add", "x w")], {"w": W, "other": W}))
    assert list(graph.params) == ["w"]


@pytest.mark.parametrize(
    ("attributes", "want"),
    [
        ({"value": numpy_helper.from_array(np.float32([[2, 3, 4]]))}, [[2, 3, 4]]),
        ({"value_float": 2.5}, 2.5),
        ({"value_floats": [1.0, 2.0, 3.0]}, [1, 2, 3]),
    ],
)
def test_constant_nodes_are_fixed_arrays(attributes: dict[str, Any], want: Any) -> None:
    graph = from_model(model_of([node("Constant", "", "c", **attributes), node("Mul", "x c")]))
    assert not graph.params
    assert graph.state["c"].tolist() == want
    assert np.array_equal(graph(X), X * np.float32(want))


def test_operators_read_their_constants_from_either_place() -> None:
    shape = np.array([3, 1], dtype=np.int64)
    stored = model_of([node("Reshape", "x s")], {"s": shape}, shape=(1, 3))
    made = [node("Constant", "", "s", value_ints=[3, 1]), node("Reshape", "x s")]
    for model in (stored, model_of(made, shape=(1, 3))):
        graph = from_model(model)
        assert not graph.params
        assert not graph.state
        assert graph(X).shape == (3, 1)


def test_running_statistics_and_integers_are_state_where_the_file_does_not_say() -> None:
    net = build(Chain(Conv(2, 1), BatchNorm()), (1, 2, 2))
    model = to_model(net)
    del model.metadata_props[:]
    graph = from_model(model)
    assert list(graph.params) == list(net.params)
    assert list(graph.state) == ["norm1.mean", "norm1.var"]
    counted = model_of([node("Add", "x i")], {"i": np.array([1, 2, 3])}, kind=TensorProto.INT64)
    assert list(from_model(counted).state) == ["i"]


def test_what_the_file_says_is_state() -> None:
    model = model_of([node("Add", "x w")], {"w": W})
    helper.set_model_props(model, {STATE_KEY: '["w", "long gone"]', "classes": "a"})
    graph = from_model(model)
    assert (list(graph.params), list(graph.state)) == ([], ["w"])
    assert graph.metadata == {"classes": "a"}


def test_weights_are_params_wherever_a_file_keeps_them() -> None:
    """Some exporters make every array a Constant; what a convolution reads is its weights still."""
    made = [
        helper.make_node("Constant", [], [name], value=numpy_helper.from_array(array))
        for name, array in (("k", np.ones((2, 3, 1), np.float32)), ("c", np.ones(1, np.float32)))
    ]
    nodes = [*made, node("Conv", "x k", "h"), node("Mul", "h c")]
    graph = from_model(model_of(nodes, {}, shape=(1, 3, 4)))
    assert (list(graph.params), list(graph.state)) == (["k"], ["c"])


def test_half_precision_is_widened() -> None:
    half = model_of([node("Add", "x w")], {"w": W.astype(np.float16)}, kind=TensorProto.FLOAT16)
    graph = from_model(half)
    assert graph.inputs[0].dtype == "float32"
    assert graph.params["w"].dtype == np.float32
    assert np.array_equal(graph(X), X + W)


@pytest.mark.parametrize("typed", [False, True])
def test_the_upper_halves_of_floats_are_widened(typed: bool) -> None:
    """bfloat16, as bytes or as integers that hold its bits."""
    halves = (W.astype(np.float32).view(np.uint32) >> 16).astype("<u2")
    weights = TensorProto(name="w", data_type=TensorProto.BFLOAT16, dims=W.shape)
    if typed:
        weights.int32_data.extend(halves.ravel().tolist())
    else:
        weights.raw_data = halves.tobytes()
    brain = model_of([node("Add", "x w")], kind=TensorProto.BFLOAT16)
    brain.graph.initializer.append(weights)
    graph = from_model(brain)
    assert graph.inputs[0].dtype == graph.params["w"].dtype.name == "float32"
    assert np.array_equal(graph(X), X + W)


def test_double_precision_is_kept() -> None:
    model = model_of([node("Add", "x w")], {"w": W.astype(np.float64)}, kind=TensorProto.DOUBLE)
    graph = from_model(model)
    assert graph.inputs[0].dtype == "float64"
    assert graph(X.astype(np.float64)).dtype == np.float64


@pytest.mark.parametrize(
    ("sizes", "want"),
    [
        ((4, 3), (4, 3)),
        (("batch", "classes"), ("batch", "classes")),
        ((None, None), ("N", "x_1")),
        (("?", "?"), ("N", "x_1")),
        ((-1, 2**40), ("N", "x_1")),
        ((0, 2**40 - 1), (0, 2**40 - 1)),
        ((), ()),
    ],
)
def test_sizes(sizes: tuple[int | str | None, ...], want: tuple[int | str, ...]) -> None:
    assert from_model(model_of([node("Relu")], shape=sizes)).inputs[0].shape == want


def test_reals_are_the_shortest_that_the_file_means() -> None:
    arrays = {n: np.ones(3, np.float32) for n in "sbmv"}
    model = model_of([node("BatchNormalization", "x s b m v", epsilon=1e-5)], arrays)
    assert from_model(model).nodes[0].operator == BatchNormalization(epsilon=1e-5, momentum=0.9)


def test_inputs_left_out_at_the_end() -> None:
    w = np.ones((1, 1, 1), np.float32)
    graph = from_model(model_of([node("Conv", "x w -")], {"w": w}, shape=("N", 1, 3)))
    assert graph.nodes[0].inputs == ("x", "w")
    pads = {"p": np.array([0, 1, 0, 1])}
    graph = from_model(model_of([node("Pad", "x p -")], pads))
    assert graph.nodes[0].operator == Pad(((0, 0), (1, 1)))


# What is refused -----------------------------------------------------------------------------


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"m\.onnx: cannot be read, No such file"):
        load(tmp_path / "m.onnx")
    with pytest.raises(StorageError, match="cannot be read, Is a directory"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("data", "match"),
    [
        (b"", "the file is empty"),
        (b"\x89PNG\r\n\x1a\n", "the file is damaged, or no ONNX model"),
        (b"hello, this is text\n" * 9, "the file is damaged, or no ONNX model"),
        (b"\x08\x08", "the file is damaged, or no ONNX model"),
        (to_model(build(Conv(2, 3), (1, 5, 5))).SerializeToString()[:-7], "damaged"),
    ],
)
def test_files_that_are_no_models(tmp_path: Path, data: bytes, match: str) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(data)
    with pytest.raises(ModelFileError, match=match) as caught:
        load(path)
    assert str(caught.value).startswith(f"{path}: model: ")
    assert "\n" not in str(caught.value)


def test_one_line_names_the_file_the_cause_and_the_layer(tmp_path: Path) -> None:
    model = model_of([node("Add", "x w", name="sum")], {"w": np.ones(4, np.float32)}, shape=(1, 3))
    path = tmp_path / "m.onnx"
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ModelFileError, match=r"m\.onnx: Add: the shapes .* \(in layer 'sum'"):
        load(path)


def test_text_that_is_no_text() -> None:
    data = to_model(build(Relu("relu_name"), (3,))).SerializeToString()
    model = onnx.ModelProto.FromString(data.replace(b"relu_name", b"relu\xff\xfe\xfd\xfc\xfb"))
    refused(model, "a name is not UTF-8 text")


@pytest.mark.parametrize("opset", [1, 8, NEWEST + 1])
def test_operator_sets_of_another_time(opset: int) -> None:
    cure = "Install a newer onnx" if opset > NEWEST else "Convert it with"
    match = rf"its operator set must be 9 to {NEWEST}, got opset={opset}\. {cure}"
    refused(model_of([node("Relu")], opset=opset), match)


def test_no_operator_set() -> None:
    model = model_of([node("Relu")])
    del model.opset_import[:]
    refused(model, "it must name one version of ONNX's operators")


def test_unknown_operators_are_named_at_once() -> None:
    nodes = [node("Einsum", "x", "a", name="e1"), node("Nope", "a", "b", domain="my.own")]
    nodes += [node("Einsum", "b", "c", name=f"e{i}") for i in (2, 3, 4)]
    match = (
        r"not supported: Einsum \(4 nodes, 'e1', 'e2', 'e3' and 1 more\); my.own.Nope \(node #1\)\."
    )
    refused(model_of(nodes), match)


def test_control_flow() -> None:
    body = helper.make_graph([node("Relu")], "b", [], [])
    refused(model_of([node("If", then_branch=body, else_branch=body)]), r"If \(node #0\)")


def test_functions_of_standard_names() -> None:
    model = model_of([node("Relu")])
    body = [node("Neg")]
    ids = [helper.make_opsetid("", 17)]
    model.functions.append(helper.make_function("", "Relu", ["x"], ["y"], body, ids))
    refused(model, "it redefines a standard operator, got function=Relu")


def test_inputs_and_outputs_that_are_no_arrays() -> None:
    model = model_of([node("Relu")])
    model.graph.input[0].type.sequence_type.elem_type.tensor_type.elem_type = 1
    refused(model, "input 'x': only arrays are supported, got type=sequence")
    model = model_of([node("Relu")])
    model.graph.output[0].type.optional_type.elem_type.tensor_type.elem_type = 1
    refused(model, "output 'y': only arrays are supported, got type=optional")
    refused(model_of([node("Relu")], shape=None), "input 'x': its number of axes must be declared")


def test_weights_elsewhere() -> None:
    model = model_of([node("Add", "x w")], {"w": W})
    model.graph.initializer[0].data_location = TensorProto.EXTERNAL
    refused(model, "initializer 'w': values in a file beside the model can be read of")


def test_weights_that_are_sparse() -> None:
    model = model_of([node("Add", "x w")])
    model.graph.sparse_initializer.add()
    refused(model, "sparse initializers are not supported")


def test_weights_of_types_that_we_do_not_hold() -> None:
    names = np.array(["a"], dtype=object)
    model = model_of([node("Add", "x w")], {"w": names})
    match = "initializer 'w': its element type is not supported, got type=STRING"
    refused(model, match)
    # Some versions of onnx read these as zeros.
    eighth = model_of([node("Relu")], kind=TensorProto.FLOAT8E5M2)
    refused(eighth, "input 'x': its element type is not supported, got type=FLOAT8E5M2")


@pytest.mark.parametrize("dims", [[4], [2**62, 2], [-1]])
def test_weights_that_do_not_fill_their_shape(dims: list[int]) -> None:
    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=dims, raw_data=b"\0" * 20)
    attribute = {"value": tensor}
    model = model_of([node("Constant", "", "w", **attribute), node("Add", "x w")])
    refused(model, "constant 'w': its values must fill its shape|checker refuses it")


def test_values_that_nobody_made() -> None:
    match = r"layer #0 \(Add\): reads a value nobody made, got input=w"
    refused(model_of([node("Add", "x w")]), match)


def test_cycles() -> None:
    nodes = [node("Add", "x b", "a", name="A"), node("Relu", "a", "b", name="B"), node("Relu")]
    refused(model_of(nodes), r"its nodes form a cycle: ('A' -> 'B' -> 'A'|'B' -> 'A' -> 'B')")


def test_what_the_checker_refuses() -> None:
    match = "ONNX's checker refuses it: Unrecognized attribute: no for operator Relu"
    refused(model_of([node("Relu", no=1)]), match)


def test_outputs_that_are_not_computed() -> None:
    norm = node("BatchNormalization", "x s s s s", "y m v a b")
    model = model_of([norm], {"s": np.ones(3, np.float32)}, opset=9, shape=(2, 3))
    model.graph.output.append(helper.make_tensor_value_info("m", TensorProto.FLOAT, [3]))
    refused(model, "only its first output is supported, got outputs=")


def test_outputs_that_nobody_reads() -> None:
    nodes = [node("MaxPool", "x", "h i", kernel_shape=[2]), node("Dropout", "h", "y mask")]
    graph = from_model(model_of(nodes, shape=(1, 1, 4)))
    assert [n.outputs for n in graph.nodes] == [("h",), ("y",)]


def test_outputs_that_the_file_gives_no_name() -> None:
    arrays = {"s": np.ones(3, np.float32)}
    norm = node("BatchNormalization", "x s s s s", "h", name="n", training_mode=1)
    graph = from_model(model_of([norm, node("Relu", "h", "n.1"), node("Relu", "n.1")], arrays))
    assert graph.nodes[0].outputs == ("h", "n.1_", "n.2")
    y = graph(np.float32([[1, -2, 3], [3, 2, 1]]))
    assert isinstance(y, np.ndarray)
    assert y.shape == (2, 3)


def test_a_saved_graph_keeps_outputs_that_nobody_reads() -> None:
    x = Value("x", (2, 3))
    graph = Graph((x,), (Node("drop", Dropout(mask=True), ("x",), ("y", "m")),), ("y",), {})
    assert from_model(to_model(graph)).nodes == graph.nodes


def test_positions_of_the_largest() -> None:
    x = np.float32([[[[1, 5, 2], [7, 7, 0]]]])
    for order, want in ((0, [[3, 4]]), (1, [[1, 3]])):
        pool = node("MaxPool", "x", "h y", kernel_shape=[2, 2], storage_order=order)
        model = model_of([pool], shape=(1, 1, 2, 3))
        model.graph.output[0].type.tensor_type.elem_type = TensorProto.INT64
        assert from_model(model)(x).tolist() == [[want]]


def test_inputs_left_out_in_the_middle() -> None:
    match = r"layer 'join' \(Concat\): an input in the middle must not be left out"
    refused(model_of([node("Concat", "x - x", axis=0, name="join")]), match)


def test_attributes_of_wrong_lengths() -> None:
    pool = node("MaxPool", kernel_shape=[2], pads=[0, 1, 0], name="p")
    match = r"layer 'p' \(MaxPool\): its attributes do not have the types and lengths"
    refused(model_of([pool], shape=(1, 1, 4)), match)


def test_attributes_that_the_operator_refuses_name_the_layer() -> None:
    model = model_of([node("Dropout", "x r", name="drop")], {"r": np.float32(2)})
    with pytest.raises(FaltungError, match="ratio must be") as caught:
        from_model(model)
    assert "in layer 'drop' (Dropout)" in caught.value.__notes__


def test_constants_of_text() -> None:
    nodes = [node("Constant", "", "c", value_string="a"), node("Add", "x c")]
    refused(model_of(nodes), "constant 'c': it must have one value, of numbers")


@pytest.mark.parametrize("text", ["", "{}", "[1]", "[" * 10000])
def test_a_list_of_state_that_is_none(text: str) -> None:
    model = model_of([node("Relu")])
    helper.set_model_props(model, {STATE_KEY: text})
    refused(model, "the metadata 'faltung.state' must be a JSON list of names")


@pytest.mark.parametrize("mode", ["reflect", "wrap"])
def test_pads_whose_order_is_open(mode: str) -> None:
    model = model_of([node("Pad", "x p", mode=mode)], {"p": np.array([0, -1, 0, 2])}, opset=19)
    model.ir_version = 9
    refused(model, "does not say whether an axis is cropped or padded first", FaltungError)


def test_attributes_of_types_that_no_operator_of_ours_has() -> None:
    operator = LocallyConnected(2)
    shapes = (1, 1, 3), operator.weight_shape((1, 1, 3), 1)
    model = to_model(graph_of(Case("plain", operator, shapes), np.float32))
    added = model.graph.node[0].attribute.add(name="more", type=onnx.AttributeProto.STRINGS)
    added.strings.append(b"a")
    refused(model, "an attribute of this type is not supported, got attribute=more, type=STRINGS")
