"""Models with operators that are not there: read as far as they can be, and never run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import faltung
from faltung.errors import FaltungError, GraphError, ModelFileError
from faltung.graph import Graph, Node, Value
from faltung.graph.evaluate import evaluate
from faltung.graph.onnx import from_model
from faltung.graph.shapes import known_shapes, refusals
from faltung.graph.unknown import unknown_nodes
from faltung.ops import OPERATORS, Relu
from faltung.ops.unknown import Unknown

W = np.ones((4, 3, 3, 3), np.float32)


def model_of(
    nodes: Sequence[onnx.NodeProto],
    *,
    inputs: dict[str, Sequence[int | str]] | None = None,
    told: dict[str, Sequence[int | str]] | None = None,
    arrays: dict[str, Any] | None = None,
    outputs: Sequence[str] = ("y",),
    opset: int = 17,
    ends: int | None = None,
) -> onnx.ModelProto:
    declared = {"x": (1, 3, 8, 8)} if inputs is None else inputs
    graph = helper.make_graph(
        list(nodes),
        "g",
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in declared.items()],
        [
            helper.make_tensor_value_info(n, TensorProto.FLOAT, ends and [None] * ends)
            for n in outputs
        ],
        [numpy_helper.from_array(np.asarray(a), n) for n, a in (arrays or {"w": W}).items()],
        value_info=[
            helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in (told or {}).items()
        ],
    )
    ids = [helper.make_opsetid("", opset), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=ids, ir_version=8)


def node(kind: str, inputs: str = "x", outputs: str = "y", **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(kind, inputs.split(), outputs.split(), **attributes)


CONV = node("Conv", "x w", "h", name="conv")
FUSED = node("FusedGelu", "h", "k", name="fused", domain="com.microsoft")
DET = node("Det", "k", "y", name="det")


def reasons(graph: Graph) -> dict[str, str]:
    return {
        n.name: n.operator.reason for n in unknown_nodes(graph) if isinstance(n.operator, Unknown)
    }


def test_what_is_unknown_becomes_a_node(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(model_of([CONV, FUSED, DET], told={"k": (1, 4, 6, 6)}).SerializeToString())
    with pytest.raises(ModelFileError, match=r"com\.microsoft\.FusedGelu \(node 'fused'\); Det"):
        faltung.load(path)
    graph = faltung.load(path, unknown=True)
    assert [n.operator.subject for n in graph.nodes] == ["Conv", "com.microsoft.FusedGelu", "Det"]
    assert reasons(graph) == {
        "fused": "operators of the domain 'com.microsoft' are not supported",
        "det": "no such operator is supported",
    }
    shapes = known_shapes(graph)
    assert (shapes["h"], shapes["k"], shapes["y"]) == ((1, 4, 6, 6), (1, 4, 6, 6), (1, 4))
    assert list(graph.params) == ["w"]


@pytest.mark.parametrize(
    ("what", "ask"),
    [
        ("run", lambda graph: graph(np.zeros((1, 3, 8, 8), np.float32))),
        ("run", lambda graph: evaluate(graph, {})),
        ("run", lambda graph: graph.gradients(np.zeros((1, 3, 8, 8)), np.zeros((1, 4)))),
        ("saved", lambda graph: graph.save("m.onnx")),
    ],
)
def test_all_of_them_are_named_before_anything_runs(
    what: str, ask: Callable[[Graph], object]
) -> None:
    more = [node("Det", f"h{i}", f"h{i + 1}", name=f"d{i}") for i in range(4)]
    nodes = [CONV, FUSED, node("Det", "k", "h0", name="det"), *more]
    graph = from_model(model_of(nodes, outputs=["h4"]), unknown=True)
    match = (
        rf"graph: it cannot be {what}, these operators are not supported: com\.microsoft\.Fused"
        r"Gelu \(node 'fused': operators of the domain .*\); "
        r"Det \(5 nodes, 'det', 'd0', 'd1' and 2 more: no such"
    )
    with pytest.raises(GraphError, match=match):
        ask(graph)


def test_names_of_sizes_take_numbers_downstream() -> None:
    told = {"k": ("n", 4, "h_out", 6)}
    model = model_of([CONV, FUSED, node("Relu", "k")], inputs={"x": ("n", 3, 8, 8)}, told=told)
    graph = from_model(model, unknown=True)
    assert known_shapes(graph)["y"] == ("n", 4, "h_out", 6)
    assert known_shapes(graph.with_input_shape((2, 3, 8, 8)))["y"] == (2, 4, "h_out", 6)
    assert from_model(model, (5, 3, 8, 8), unknown=True).shapes()["y"] == (5, 4, "h_out", 6)


def test_what_is_told_of_other_sizes_is_no_news() -> None:
    graph = from_model(model_of([CONV, FUSED, DET], told={"k": (1, 4, 6, 6)}), unknown=True)
    shapes = known_shapes(graph.with_input_shape((1, 3, 9, 9)))
    assert shapes["h"] == (1, 4, 7, 7)
    assert not {"k", "y"} & set(shapes)
    with pytest.raises(GraphError, match="FusedGelu: the shape of its outputs is not known, got r"):
        graph.shapes((1, 3, 9, 9))


def test_values_behind_a_shape_that_nobody_knows_are_left_out() -> None:
    nodes = [CONV, FUSED, node("Relu", "k", "r"), node("Add", "r h")]
    graph = from_model(model_of(nodes), unknown=True)
    assert set(known_shapes(graph)) == {"x", "w", "h"}
    assert refusals(graph) == 0


UNKNOWN = Unknown("Det", "", "why", ((2,),), given=((2, 3, 3),))


@pytest.mark.parametrize(
    "ask",
    [
        lambda: UNKNOWN.forward([]),
        lambda: UNKNOWN.backward(None, []),
        lambda: UNKNOWN.taps([], (0,)),
        lambda: UNKNOWN.input_span([], ()),
        lambda: UNKNOWN.cost([]),
    ],
)
def test_nothing_is_answered_that_is_not_known(ask: Callable[[], object]) -> None:
    with pytest.raises(GraphError, match=r"Det: this operator is not supported, got reason=why\."):
        ask()


def test_what_an_unknown_operator_says() -> None:
    assert UNKNOWN.out_shapes([(2, 3, 3)]) == ((2,),)
    assert UNKNOWN.out_dtypes([np.dtype(np.int64)]) == (np.dtype(np.int64),)
    assert Unknown("A", shapes=(None,)).out_dtypes([]) == (np.dtype(np.float32),)
    assert Unknown("A", shapes=(None,), dtypes=("int8",)).out_dtypes([]) == (np.dtype(np.int8),)
    assert UNKNOWN.examples() == []
    assert "Unknown" not in OPERATORS


def test_an_operator_that_is_refused_says_why() -> None:
    """Wrong shapes, attributes, numbers of inputs and outputs: each one node, all others known."""
    cases = {
        "the inner sizes must be equal": node("MatMul", "h w", name="odd"),
        "Conv: takes 2 to 3 inputs, got inputs=1": node("Conv", "h", name="odd"),
        "layer 'odd' (MaxPool): its attributes do not have": node(
            "MaxPool", "h", name="odd", kernel_shape=3
        ),
        "layer 'odd' (Relu): only its first output is supported": node(
            "Relu", "h", "y z", name="odd"
        ),
    }
    for reason, odd in cases.items():
        graph = from_model(model_of([CONV, odd], outputs=["h", "y"]), unknown=True)
        assert [n.name for n in graph.nodes] == ["conv", "odd"]
        assert reason in reasons(graph)["odd"], reasons(graph)


def test_a_size_that_the_data_decide() -> None:
    nodes = [node("Reshape", "x s", "h", name="reshape"), node("Relu", "h")]
    model = model_of(nodes, inputs={"x": (2, 6), "s": (2,)}, told={"h": (3, 4)}, ends=2)
    model.graph.input[1].type.tensor_type.elem_type = TensorProto.INT64
    with pytest.raises(FaltungError, match="values that must be constants are computed"):
        from_model(model)
    graph = from_model(model, unknown=True)
    assert reasons(graph) == {"reshape": "what it is computed from is known only when it runs"}
    assert graph.nodes[0].inputs == ("x", "s")
    assert known_shapes(graph)["y"] == (3, 4)


def test_networks_inside_of_operators_read_what_is_outside() -> None:
    """The branches of an If take h from outside: that is an input of its node."""
    branch = [
        helper.make_graph(
            [node("Neg", "h", name)],
            name,
            [],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, None)],
        )
        for name in ("a", "b")
    ]
    choice = node("If", "c", name="if", then_branch=branch[0], else_branch=branch[1])
    model = model_of([choice, CONV], inputs={"x": (1, 3, 8, 8), "c": ()})
    model.graph.input[1].type.tensor_type.elem_type = TensorProto.BOOL
    graph = from_model(model, unknown=True)
    assert [(n.name, n.inputs) for n in graph.nodes] == [("conv", ("x", "w")), ("if", ("c", "h"))]
    assert reasons(graph) == {"if": "networks inside of operators are not supported"}
    assert known_shapes(graph)["y"] == (1, 4, 6, 6)


def test_inputs_and_weights_that_cannot_be_read() -> None:
    sequence = helper.make_tensor_sequence_value_info("s", TensorProto.FLOAT, None)
    text = helper.make_tensor_value_info("t", TensorProto.STRING, [1])
    bare = helper.make_tensor_value_info("b", TensorProto.FLOAT, None)
    nodes = [
        node("SequenceAt", "s i", "first"),
        node("Conv", "first sparse", "y"),
        node("StringNormalizer", "t", "norm"),
        node("Relu", "b", "r"),
        node("Add", "words nobody", "sum"),
    ]
    model = model_of(nodes, inputs={}, arrays={"i": np.array(0)}, outputs=["y", "norm", "r", "sum"])
    model.graph.input.extend([sequence, text, bare])
    model.graph.initializer.append(helper.make_tensor("words", TensorProto.STRING, [1], [b"a"]))
    values = numpy_helper.from_array(np.ones(1, np.float32), "sparse")
    places = numpy_helper.from_array(np.zeros(1, np.int64), "at")
    model.graph.sparse_initializer.append(helper.make_sparse_tensor(values, places, [4, 3, 3, 3]))
    found = reasons(from_model(model, unknown=True))
    assert found["s"] == "its type is sequence, only arrays are supported"
    assert "its element type is not supported, got type=STRING" in found["t"]
    assert found["b"] == "the model does not say how many axes it has"
    assert found["sparse"] == "sparse weights are not supported"
    assert found["nobody"] == "nothing in the model makes this value"
    assert "got type=STRING" in found["words"]
    assert known_shapes(from_model(model, unknown=True))["sparse"] == (4, 3, 3, 3)


def test_operator_sets_that_are_not_read() -> None:
    old = model_of([node("Relu", "x", "h"), node("Flatten", "h")], opset=7)
    assert reasons(from_model(old, unknown=True)) == {}
    new = model_of([node("Relu")], opset=onnx.defs.onnx_opset_version() + 1)
    with pytest.raises(ModelFileError, match="its operator set must be"):
        from_model(new)
    graph = from_model(new, unknown=True)
    assert np.array_equal(graph(np.full((1, 3, 8, 8), -1)), np.zeros((1, 3, 8, 8)))


def test_what_is_malformed_stays_refused() -> None:
    cycle = model_of([node("Relu", "b", "a"), node("Relu", "a", "b")], outputs=["b"])
    with pytest.raises(ModelFileError, match="its nodes form a cycle"):
        from_model(cycle, unknown=True)
    twice = model_of([node("Relu"), node("Neg")])
    with pytest.raises(GraphError, match="writes a name that is taken"):
        from_model(twice, unknown=True)
    with pytest.raises(ModelFileError, match="the file is damaged, or no ONNX model"):
        from_model(onnx.ModelProto(), unknown=True)


def test_a_model_that_is_all_known_is_read_as_ever() -> None:
    model = model_of([CONV, node("Relu", "h")], ends=4)
    strict, lenient = from_model(model), from_model(model, unknown=True)
    assert strict.nodes == lenient.nodes
    assert strict.inputs == lenient.inputs
    assert strict.params.keys() == lenient.params.keys()
    assert model == model_of([CONV, node("Relu", "h")], ends=4)


def test_a_graph_by_hand_with_what_is_unknown() -> None:
    nodes = (
        Node("a", Unknown("A", shapes=(("n", 2),), given=(("n", 3),)), ("x",), ("h",)),
        Node("b", Relu(), ("h",), ("y",)),
    )
    graph = Graph((Value("x", (5, 3)),), nodes, ("y",), {})
    assert graph.shapes()["y"] == (5, 2)
