"""Files that are ONNX by their form and nonsense by their content: a graph, or one clear line."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import HealthCheck, assume, event, given, settings
from onnx import AttributeProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper

from faltung.errors import FaltungError, ModelFileError
from faltung.graph import Graph, load
from faltung.graph.layers import (
    AvgPool,
    BatchNorm,
    Chain,
    Concat,
    Conv,
    ConvTranspose,
    Dense,
    Dropout,
    Flatten,
    Input,
    LeakyRelu,
    MaxPool,
    Normalize,
    Operation,
    Pad,
    Relu,
    Residual,
    Softmax,
    build,
)
from faltung.graph.onnx import from_model, to_model
from faltung.graph.onnx_constants import CONSTRUCTS
from faltung.ops import OPERATORS, Clip, Reshape, Transpose

PAIR = np.array([1, -2])
INTS = [-(2**63), -(2**40), -7, -1, 0, 1, 2, 3, 8, 2**31, 2**40, 2**62, 2**63 - 1]
Draw = Callable[[st.SearchStrategy[Any]], Any]
Mutation = Callable[[Draw, ModelProto], None]


@functools.cache
def bases() -> tuple[bytes, ...]:
    x = Input((2, 7, 6), batch=2)
    h = Chain(Conv(4, 3, stride=2, padding="same"), BatchNorm(), LeakyRelu())(x)
    up = ConvTranspose(2, 3, stride=2, padding=((0, -1), (1, 1)))(Relu()(h))
    branches = Concat()(up, Residual(Conv(2, 3, padding=1, padding_mode="reflect"))(up))
    chain = Chain(
        Normalize(127.0, 50.0),
        *(Pad(((1, 0), (0, -1))), MaxPool(2, ceil_mode=True), AvgPool(2, 1, 1)),
        *(Operation(Transpose((0, 2, 3, 1))), Operation(Clip(0, 6))),
        *(Flatten(), Dense(6), Dropout(), Operation(Reshape((0, 2, 3))), Softmax()),
    )
    graphs = [build(branches), build(chain, (1, 9, 8))]
    models = [*map(to_model, graphs), foreign(11), foreign(13), foreign(18)]
    return tuple(model.SerializeToString() for model in models)


def foreign(opset: int) -> ModelProto:
    """What others write: arithmetic on shapes, values made on the way, sizes asked for."""
    one = numpy_helper.from_array(np.float32([1.5]))
    nodes = [
        helper.make_node("ConstantOfShape", ["kernel"], ["w"], "made", value=one),
        helper.make_node("ConvTranspose", ["x", "w"], ["up"], "up", output_shape=[9, 11]),
        helper.make_node("MaxPool", ["up"], ["h", "i"], "pool", kernel_shape=[2, 2]),
        helper.make_node("Dropout", ["h"], ["kept", "mask"], "drop"),
        helper.make_node("Shape", ["kept"], ["all"], "shape"),
        helper.make_node("Constant", [], ["two"], "two", value=numpy_helper.from_array(PAIR)),
        helper.make_node("Range", ["start", "limit", "step"], ["count"], "range"),
        helper.make_node("Add", ["two", "count"], ["more"], "add"),
        helper.make_node("Mul", ["more", "step"], ["target"], "times"),
        helper.make_node("Reshape", ["kept", "target"], ["flat"], "reshape"),
        helper.make_node("Softmax", ["flat"], ["s"], "softmax"),
        helper.make_node("ConstantOfShape", ["all"], ["zeros"], "zeros"),
        helper.make_node("MatMul", ["zeros", "v"], ["z"], "product"),
        helper.make_node("Size", ["z"], ["size"], "size"),
    ]
    arrays = {"kernel": np.array([2, 3, 3, 4]), "v": np.ones(10, np.float32)}
    arrays |= {"start": np.array(0), "limit": np.array(2), "step": np.array(1)}
    graph = helper.make_graph(
        nodes,
        "foreign",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 2, 7, 8])],
        [
            helper.make_tensor_value_info("s", TensorProto.FLOAT, [1, -1]),
            helper.make_tensor_value_info("z", TensorProto.FLOAT, [1, 3, 8]),
            helper.make_tensor_value_info("size", TensorProto.INT64, []),
        ],
        [numpy_helper.from_array(array, name) for name, array in arrays.items()],
    )
    ids = [helper.make_opsetid("", opset)]
    return helper.make_model(graph, opset_imports=ids, ir_version=4 if opset < 18 else 8)


def one_of(draw: Draw, items: Sequence[Any]) -> Any:
    assume(items)
    return draw(st.sampled_from(list(items)))


def ints(draw: Draw, protos: Any) -> None:
    """Change, add or drop an entry of a list of integers."""
    what = one_of(draw, ["set", "set", "append", "drop", "clear", "reverse"])
    value = one_of(draw, INTS)
    if what == "append" or not protos:
        protos.append(value)
    elif what == "set":
        protos[one_of(draw, range(len(protos)))] = value
    elif what == "drop":
        del protos[one_of(draw, range(len(protos)))]
    else:
        turned = list(reversed(protos))
        del protos[:]
        protos.extend(turned if what == "reverse" else [])


def tensor_dims(draw: Draw, model: ModelProto) -> None:
    ints(draw, one_of(draw, model.graph.initializer).dims)


def tensor_type(draw: Draw, model: ModelProto) -> None:
    one_of(draw, model.graph.initializer).data_type = one_of(draw, range(30))


def tensor_values(draw: Draw, model: ModelProto) -> None:
    tensor = one_of(draw, model.graph.initializer)
    assume(len(tensor.raw_data) % 8 == 0 or tensor.data_type != 7)
    values = np.frombuffer(tensor.raw_data, np.int64 if tensor.data_type == 7 else np.float32)
    changed = values.copy()
    if changed.size:
        changed[one_of(draw, range(changed.size))] = one_of(draw, INTS)
    tensor.raw_data = changed.tobytes()[: one_of(draw, [None, -1, 4, 0])]


def tensor_place(draw: Draw, model: ModelProto) -> None:
    tensor = one_of(draw, model.graph.initializer)
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=one_of(draw, ["w.bin", "/etc/passwd", ""]))
    for key in one_of(draw, [(), ("offset",), ("length",), ("offset", "length")]):
        tensor.external_data.add(key=key, value=one_of(draw, [*map(str, INTS), "", "x", "1e9"]))


def tensor_set(draw: Draw, model: ModelProto) -> None:
    tensors = model.graph.initializer
    what = one_of(draw, ["drop", "twice", "rename", "sparse"])
    tensor = one_of(draw, tensors)
    if what == "drop":
        tensors.remove(tensor)
    elif what == "twice":
        tensors.append(tensor)
    elif what == "rename":
        tensor.name = one_of(draw, [*names(model), "", "nobody"])
    else:
        model.graph.sparse_initializer.add().values.CopyFrom(tensor)


def names(model: ModelProto) -> list[str]:
    graph = model.graph
    values = [v.name for v in graph.input] + [t.name for t in graph.initializer]
    return values + [name for node in graph.node for name in node.output]


def wiring(draw: Draw, model: ModelProto) -> None:
    node: NodeProto = one_of(draw, model.graph.node)
    ends = one_of(draw, [node.input, node.output])
    name = one_of(draw, [*names(model), "", "nobody"])
    what = one_of(draw, ["set", "append", "drop"])
    if what == "append" or not ends:
        ends.append(name)
    elif what == "set":
        ends[one_of(draw, range(len(ends)))] = name
    else:
        del ends[one_of(draw, range(len(ends)))]


def node_kind(draw: Draw, model: ModelProto) -> None:
    node: NodeProto = one_of(draw, model.graph.node)
    if draw(st.booleans()):
        node.op_type = one_of(draw, [*OPERATORS, *CONSTRUCTS, "If", "Nothing", ""])
    else:
        node.domain = one_of(draw, ["ai.onnx", "ai.onnx.ml", "faltung"])


def node_set(draw: Draw, model: ModelProto) -> None:
    nodes = model.graph.node
    what = one_of(draw, ["drop", "twice", "reverse", "unnamed"])
    node = one_of(draw, nodes)
    if what == "drop":
        nodes.remove(node)
    elif what == "twice":
        nodes.append(node)
    elif what == "unnamed":
        node.name = one_of(draw, ["", *(n.name for n in nodes)])
    else:
        turned = list(reversed(nodes))
        del nodes[:]
        nodes.extend(turned)


def attribute(draw: Draw, model: ModelProto) -> None:
    node: NodeProto = one_of(draw, [n for n in model.graph.node if n.attribute])
    found: AttributeProto = one_of(draw, node.attribute)
    what = one_of(draw, ["value", "value", "value", "type", "name", "drop", "twice"])
    if what == "value":
        if found.type == AttributeProto.INT:
            found.i = one_of(draw, INTS)
        elif found.type == AttributeProto.FLOAT:
            found.f = one_of(draw, [0.0, -1.0, np.nan, np.inf, 1e-30])
        elif found.type == AttributeProto.STRING:
            found.s = one_of(draw, [b"", b"SAME_UPPER", b"wrap", b"reflect", b"\xff"])
        else:
            ints(draw, found.ints)
    elif what == "type":
        found.type = one_of(draw, range(15))
    elif what == "name":
        found.name = one_of(draw, ["pads", "axis", "auto_pad", "body", ""])
    elif what == "drop":
        node.attribute.remove(found)
    else:
        node.attribute.append(found)


def subgraph(draw: Draw, model: ModelProto) -> None:
    node: NodeProto = one_of(draw, model.graph.node)
    added = node.attribute.add(name=one_of(draw, ["body", "pads"]), type=AttributeProto.GRAPH)
    added.g.ParseFromString(model.graph.SerializeToString())


def opset(draw: Draw, model: ModelProto) -> None:
    what = one_of(draw, ["version", "drop", "twice", "domain"])
    if what == "version":
        model.opset_import[0].version = one_of(draw, [*INTS, 9, 10, 11, 12, 13, 18, 22, 99])
    elif what == "drop":
        del model.opset_import[:]
    elif what == "twice":
        model.opset_import.add(domain=one_of(draw, ["", "ai.onnx", "faltung"]), version=1)
    else:
        model.opset_import[0].domain = one_of(draw, ["ai.onnx", "faltung"])


def header(draw: Draw, model: ModelProto) -> None:
    model.ir_version = one_of(draw, INTS)


def metadata(draw: Draw, model: ModelProto) -> None:
    text = one_of(draw, ["", "{}", "[1]", '["x"]', "[" * 9999, '["conv1.weight"]', "\x00"])
    one_of(draw, model.metadata_props).value = text


def value_info(draw: Draw, model: ModelProto) -> None:
    value = one_of(draw, [*model.graph.input, *model.graph.output])
    tensor = value.type.tensor_type
    what = one_of(draw, ["size", "size", "open", "rank", "no shape", "type", "sequence", "name"])
    if what in ("size", "open") and tensor.shape.dim:
        dim = one_of(draw, tensor.shape.dim)
        dim.dim_value = one_of(draw, INTS)
        if what == "open":
            dim.ClearField("dim_value")
    elif what == "rank":
        tensor.shape.dim.add(dim_value=3)
    elif what == "no shape":
        tensor.ClearField("shape")
    elif what == "type":
        tensor.elem_type = one_of(draw, range(30))
    elif what == "sequence":
        value.type.sequence_type.elem_type.tensor_type.elem_type = 1
    else:
        value.name = one_of(draw, [*names(model), "", "nobody"])


def value_set(draw: Draw, model: ModelProto) -> None:
    values = one_of(draw, [model.graph.input, model.graph.output])
    if draw(st.booleans()):
        del values[:]
    else:
        values.append(values[0])


def function(draw: Draw, model: ModelProto) -> None:
    node: NodeProto = one_of(draw, model.graph.node)
    added = model.functions.add(name=node.op_type, domain=one_of(draw, ["", "faltung"]))
    added.node.append(node)


MUTATIONS: list[Mutation] = [
    *(tensor_dims, tensor_type, tensor_values, tensor_place, tensor_set, wiring, wiring),
    *(node_kind, node_set, attribute, attribute, subgraph, opset, header, metadata),
    *(value_info, value_set, function),
]


@pytest.mark.parametrize("version", [11, 13, 18])
def test_what_others_write_is_read(version: int) -> None:
    graph = from_model(foreign(version))
    kinds = [node.operator.subject for node in graph.nodes]
    assert kinds == ["ConvTranspose", "MaxPool", "Dropout", "Reshape", "Softmax"]
    outputs = graph(np.ones((1, 2, 7, 8), np.float32))
    assert [y.shape for y in outputs] == [(1, 240), (1, 3, 8), ()]


@pytest.mark.filterwarnings("ignore:.* taken as .*, since constants:UserWarning")
@settings(
    max_examples=400, deadline=5000, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data())
def test_every_mutation_is_a_graph_or_one_clear_line(tmp_path: Path, data: st.DataObject) -> None:
    model = ModelProto.FromString(data.draw(st.sampled_from(bases())))
    for mutation in data.draw(
        st.lists(st.sampled_from(MUTATIONS), min_size=1, max_size=2, unique=True)
    ):
        mutation(data.draw, model)
    path = tmp_path / "m.onnx"
    path.write_bytes(model.SerializeToString())
    (tmp_path / "w.bin").write_bytes(bytes(400))
    found = outcome(lambda: load(path))
    if isinstance(found, Graph):
        event("a graph")
        sizes = {v.name: [2 if isinstance(n, str) else n for n in v.shape] for v in found.inputs}
        outcome(lambda: found.shapes({name: tuple(shape) for name, shape in sizes.items()}))
    else:
        event("refused")
        assert isinstance(found, ModelFileError)
        assert str(found).startswith(f"{path}: ")
        assert "\n" not in str(found)


def outcome(ask: Callable[[], Any]) -> Any:
    """What was asked for, or the error of ours; any other error is the test's failure."""
    try:
        return ask()
    except FaltungError as error:
        return error
