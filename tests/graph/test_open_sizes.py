"""Sizes that a network leaves open: kept where nothing needs them, else the stated default."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import faltung
from faltung.errors import FaltungError, ModelFileError
from faltung.graph import Graph, load
from faltung.graph.layers import Chain, Conv, Dense, Flatten, MaxPool, Relu, build
from faltung.graph.onnx import from_model
from faltung.graph.open_sizes import (
    SPACE,
    Sized,
    candidates,
    default_shapes,
    misfit,
    open_names,
    sentence,
    sized,
)
from faltung.graph.sources import load_sized
from faltung.graph.unknown import unknown_nodes

OPEN = ("n", "c", "h", "w")
FLAT = [
    helper.make_node("Shape", ["h0"], ["batch"], start=0, end=1),
    helper.make_node("Concat", ["batch", "rest"], ["shape"], axis=0),
    helper.make_node("Reshape", ["h0", "shape"], ["y"]),
]
SPACED = [
    helper.make_node("Shape", ["h0"], ["space"], start=2),
    helper.make_node("Concat", ["front", "space"], ["shape"], axis=0),
    helper.make_node("Expand", ["one", "shape"], ["ones"]),
    helper.make_node("Add", ["h0", "ones"], ["y"]),
]
ARRAYS = {
    "w": np.ones((2, 4, 3, 3), np.float32),
    "rest": np.array([-1]),
    "front": np.array([1, 2]),
    "one": np.ones((1, 1, 1, 1), np.float32),
}


def conv(stride: int = 1) -> onnx.NodeProto:
    return helper.make_node("Conv", ["x", "w"], ["h0"], strides=[stride] * 2, pads=[1] * 4)


def model_of(
    nodes: Sequence[onnx.NodeProto],
    shape: Sequence[int | str] = OPEN,
    arrays: dict[str, Any] | None = None,
    rank: int = 4,
) -> onnx.ModelProto:
    graph = helper.make_graph(
        list(nodes),
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None] * rank)],
        [numpy_helper.from_array(np.asarray(a), n) for n, a in (ARRAYS | (arrays or {})).items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def written(folder: Path, model: onnx.ModelProto) -> Path:
    path = folder / "m.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def test_names_stay_where_nothing_needs_a_number(tmp_path: Path) -> None:
    path = written(tmp_path, model_of([conv(), helper.make_node("Relu", ["h0"], ["y"])]))
    assert load(path).inputs[0].shape == OPEN
    found = load_sized(path)
    assert found.graph.inputs[0].shape == (1, 4, 224, 224)
    assert found.taken == {"n": 1, "c": 4, "h": 224, "w": 224}
    assert found.sentence() == "open sizes n, c, h, w taken as 1, 4, 224, 224"
    assert load(path, open_size="default").inputs == found.graph.inputs
    assert load_sized(path, (2, 4, 8, "w")).taken == {"w": 224}
    assert load_sized(path, (2, 4, 8, 9)).sentence() == ""


def test_what_has_to_be_a_number_is_taken_and_said(tmp_path: Path) -> None:
    path = written(tmp_path, model_of([conv(), *SPACED]))
    match = (
        r"m\.onnx: open sizes c, h, w taken as 4, 224, 224, since constants are "
        r"computed from them\. "
        r"load\(path, shapes=\.\.\.\) takes other sizes, open_size='default' takes these silently\."
    )
    with pytest.warns(UserWarning, match=match) as caught:
        graph = load(path)
    assert caught[0].filename == __file__
    assert graph.inputs[0].shape == ("n", 4, 224, 224)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert load(path, (1, 4, 8, 8)).inputs[0].shape == (1, 4, 8, 8)
        assert load(path, open_size=4).inputs[0].shape == (4, 4, 4, 4)
        assert load(path, open_size="default").inputs[0].shape == (1, 4, 224, 224)


def test_a_batch_stays_open_beside_sizes_that_are_taken(tmp_path: Path) -> None:
    flat = [
        helper.make_node(
            n.op_type,
            [{"h0": "s"}.get(i, i) for i in n.input],
            [{"y": "z", "shape": "flat"}.get(o, o) for o in n.output],
        )
        for n in FLAT
    ]
    flat[0].attribute.extend(FLAT[0].attribute)
    flat[1].attribute.extend(FLAT[1].attribute)
    flat[2].input[1] = "flat"
    spaced = [*SPACED[:3], helper.make_node("Add", ["h0", "ones"], ["s"])]
    last = helper.make_node("Relu", ["z"], ["y"])
    path = written(tmp_path, model_of([conv(), *spaced, *flat, last], rank=2))
    with pytest.warns(UserWarning, match="open sizes c, h, w taken as 4, 224, 224"):
        graph = load(path)
    assert graph.inputs[0].shape == ("n", 4, 224, 224)
    assert graph.shapes((5, 4, 224, 224))["y"] == (5, 2 * 224 * 224)


def test_a_default_that_does_not_fit_gives_way_to_the_next(tmp_path: Path) -> None:
    """Concat of halves and of what was doubled: only sizes that stride 2**7 divides fit."""
    nodes = [
        conv(stride=128),
        helper.make_node("Resize", ["h0", "", "scales"], ["big"]),
        helper.make_node("Add", ["big", "x2"], ["y"]),
        helper.make_node("Conv", ["x", "w2"], ["x2"]),
    ]
    arrays = {
        "scales": np.float32([1, 1, 128, 128]),
        "w2": np.ones((2, 4, 1, 1), np.float32),
    }
    found = load_sized(written(tmp_path, model_of(nodes, arrays=arrays)))
    assert found.taken == {"n": 1, "c": 4, "h": 256, "w": 256}
    assert found.graph.shapes()["y"] == (1, 2, 256, 256)


def test_sizes_that_a_dense_layer_wants_are_found() -> None:
    graph = build(Chain(Conv(4, 5), MaxPool(2), Flatten(), Dense(10)), (1, 28, 28))
    open_ = graph.with_input_shape(("n", "c", "h", "w"))
    assert default_shapes(open_) == {"x": (1, 1, 224, 224)}
    found = sized(open_)
    assert found.graph.inputs[0].shape == (1, 1, 28, 28)
    assert found.sentence() == "open sizes n, c, h, w taken as 1, 1, 28, 28"


def test_nothing_is_said_of_a_graph_without_open_sizes() -> None:
    graph = build(Relu(), (3, 8, 8)).with_input_shape((1, 3, 8, 8))
    assert sized(graph) == Sized(graph)
    assert sentence({}) == ""
    assert open_names(graph) == ()


def test_where_nothing_fits_the_best_is_taken_or_the_cause_is_said(tmp_path: Path) -> None:
    """A dense layer of 7 inputs: no size that is tried gives as many."""
    nodes = [
        conv(),
        *FLAT[:2],
        helper.make_node("Reshape", ["h0", "shape"], ["f"]),
        helper.make_node("MatMul", ["f", "m"], ["y"]),
    ]
    model = model_of(nodes, arrays={"m": np.ones((7, 2), np.float32)}, rank=2)
    with pytest.raises(FaltungError, match="the inner sizes must be equal"):
        from_model(model, open_size="default")
    path = written(tmp_path, model)
    with pytest.raises(ModelFileError, match=r"m\.onnx: .*the inner sizes must be equal"):
        load(path)
    found = load_sized(path, unknown=True)
    assert found.taken == {"n": 1, "c": 4, "h": 224, "w": 224}
    assert [n.operator.subject for n in unknown_nodes(found.graph)] == ["MatMul"]


def test_unknown_operators_do_not_keep_sizes_from_being_found(tmp_path: Path) -> None:
    nodes = [
        *SPACED[:3],
        helper.make_node("Add", ["h0", "ones"], ["s"]),
        conv(),
        helper.make_node("Det", ["s"], ["y"]),
    ]
    path = written(tmp_path, model_of(nodes, rank=2))
    found = load_sized(path, unknown=True)
    assert found.taken == {"n": 1, "c": 4, "h": 224, "w": 224}
    assert [n.operator.subject for n in unknown_nodes(found.graph)] == ["Det"]
    assert found.graph.shapes()["y"] == (1, 2)
    with pytest.warns(UserWarning, match="open sizes c, h, w taken as 4, 224, 224"):
        graph = load(path, unknown=True)
    assert graph.inputs[0].shape == ("n", 4, 224, 224)


def test_a_batch_of_any_size_beside_what_is_unknown(tmp_path: Path) -> None:
    nodes = [
        conv(),
        *FLAT[:2],
        helper.make_node("Reshape", ["h0", "shape"], ["f"]),
        helper.make_node("Mystery", ["f"], ["y"], domain="com.example"),
    ]
    model = model_of(nodes, ("n", 4, 8, 8), rank=2)
    model.opset_import.append(helper.make_opsetid("com.example", 1))
    graph = load(written(tmp_path, model), unknown=True)
    assert graph.inputs[0].shape == ("n", 4, 8, 8)
    assert len(unknown_nodes(graph)) == 1


def roles(graph: Graph) -> dict[str, int]:
    return next(candidates(graph))


@pytest.mark.parametrize(
    ("shape", "want"),
    [
        ((), ()),
        (("n",), (1,)),
        (("n", "f"), (1, 1000)),
        (("n", "c", "t"), (1, 3, 1000)),
        (("n", 2, "h", "w"), (1, 2, 224, 224)),
        (("n", "h", "w", 3), (1, 224, 224, 3)),
        (("n", "c", "d", "h", "w"), (1, 3, 64, 64, 64)),
        (("n", "c", "a", "b", "d", "e"), (1, 3, 64, 64, 64, 64)),
        ((4, "s", "s"), (4, 3, 3)),
    ],
)
def test_sizes_that_nothing_tells(shape: tuple[int | str, ...], want: tuple[int, ...]) -> None:
    graph = build(Relu(), (8,)).with_input_shape(shape)
    assert default_shapes(graph)["x"] == want


@pytest.mark.parametrize(
    ("nodes", "shape", "want"),
    [
        ("Conv x w2 groups", "ncs", (1, 8, 1000)),
        ("ConvTranspose x w", OPEN, (1, 2, 224, 224)),
        ("BatchNormalization x v v v v", OPEN, (1, 5, 224, 224)),
        ("Gemm x m", "nf", (1, 7)),
        ("MatMul x m", "ntf", (1, 3, 7)),
        ("Sub x v1", OPEN, (1, 5, 224, 224)),
        ("MaxPool x", "nct", (1, 3, 1000)),
    ],
)
def test_weights_tell_sizes(nodes: str, shape: Sequence[str], want: tuple[int, ...]) -> None:
    kind, *inputs = nodes.replace(" groups", "").split()
    attributes: dict[str, Any] = {"group": 4} if "groups" in nodes else {}
    attributes |= {"kernel_shape": [2]} if kind == "MaxPool" else {}
    arrays = {
        "w2": np.ones((4, 2, 3), np.float32),
        "v": np.ones(5, np.float32),
        "v1": np.ones((1, 5, 1, 1), np.float32),
        "m": np.ones((7, 2), np.float32),
    }
    one = helper.make_node(kind, inputs, ["y"], **attributes)
    graph = from_model(model_of([one], tuple(shape), arrays, len(want)))
    assert default_shapes(graph)["x"] == want


def test_weights_tell_through_what_comes_before_them() -> None:
    """Channels last: the mean's size, then the order of axes, then the convolution."""
    nodes = [
        helper.make_node("Sub", ["x", "mean"], ["a"]),
        helper.make_node("Transpose", ["a"], ["b"], perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["b", "w"], ["y"]),
    ]
    arrays = {"mean": np.ones(4, np.float32)}
    graph = from_model(model_of(nodes, ("n", "h", "w", "c"), arrays))
    assert default_shapes(graph)["x"] == (1, 224, 224, 4)


def test_candidates_are_in_a_fixed_order() -> None:
    graph = build(Conv(2, 3), (1, 8, 8)).with_input_shape(("n", 1, "h", 48))
    found = list(candidates(graph))
    assert [each["h"] for each in found] == list(SPACE[2])
    assert all(list(each) == ["n", "h"] and each["n"] == 1 for each in found)


def test_what_has_nothing_left_does_not_fit() -> None:
    graph = build(Conv(2, 9), (1, 8, 8))
    assert misfit(graph.with_input_shape((1, 1, 8, 8))) == 1
    assert misfit(graph.with_input_shape((1, 1, 9, 9))) == 0


def test_open_size_default_is_a_word_of_load() -> None:
    assert "open_size" in (faltung.load.__doc__ or "")
