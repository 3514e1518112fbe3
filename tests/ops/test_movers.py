"""Operators that cut, repeat and pick: indices that the graph computes, old files, open sizes."""

from __future__ import annotations

import numpy as np

from faltung.geometry import Interval
from faltung.graph import Graph, Node, Value
from faltung.ops import Gather, Slice, Split, Squeeze, Unsqueeze
from faltung.ops.operator import EVERYTHING, OnnxNode


def test_indices_that_the_graph_computes_may_be_any_position() -> None:
    x, picked = np.arange(12.0).reshape(2, 3, 2), np.array([[0, -1], [1, 0]])
    operator = Gather(axis=1)
    (y,), _, saved = operator.forward([x, picked])
    assert np.array_equal(y, x[:, picked])
    dx, none = operator.backward(saved, [np.ones_like(y)])
    assert none is None
    assert dx is not None
    assert dx.tolist() == [[[2, 2], [1, 1], [1, 1]]] * 2
    shapes = [x.shape, picked.shape]
    assert operator.out_shapes(shapes) == ((2, 2, 2, 2),)
    taps = operator.taps(shapes, (1, 0, 1, 1))
    assert taps == ((range(1, 2), range(3), range(1, 2)), (range(1), range(1, 2)))
    box = (Interval(0, 1), Interval(0, 2), Interval(1, 2), Interval(0, 2))
    spans = operator.input_span(shapes, box)
    assert spans == ((box[0], EVERYTHING, box[3]), box[1:3])
    empty = operator.input_span(shapes, (Interval(0, 0), *box[1:]))
    assert empty[0][1] == Interval(0, 0)


def test_a_computed_index_is_written_as_an_input() -> None:
    names = Gather(1).to_onnx(("x", "i"), ("y",), [(2, 3), (4,)])[0].inputs
    assert names == ("x", "i")
    again, inputs = Gather.from_onnx(OnnxNode("Gather", names, ("y",), {"axis": 1}))
    assert (again, inputs) == (Gather(1), names)


def test_what_older_files_have_as_attributes_is_read() -> None:
    node = OnnxNode("Slice", ("x",), ("y",), {"starts": (1,), "ends": (-1,)}, opset=9)
    assert Slice.from_onnx(node) == (Slice((1,), (-1,)), ("x",))
    node = OnnxNode("Split", ("x",), ("a", "b"), {"split": (1, 2), "axis": 1}, opset=11)
    assert Split.from_onnx(node) == (Split(1, (1, 2)), ("x",))
    node = OnnxNode("Split", ("x",), ("a", "b"), {}, opset=11)
    assert Split.from_onnx(node) == (Split(0, None, 2), ("x",))
    node = OnnxNode("Squeeze", ("x",), ("y",), {"axes": (0,)}, opset=11)
    assert Squeeze.from_onnx(node) == (Squeeze((0,)), ("x",))
    node = OnnxNode("Unsqueeze", ("x",), ("y",), {"axes": (0, 2)}, opset=11)
    assert Unsqueeze.from_onnx(node) == (Unsqueeze((0, 2)), ("x",))


def test_a_piece_that_nothing_depends_on_has_gradient_0() -> None:
    node = Node("cut", Split(0, (1, 2)), ("x",), ("a", "b"))
    graph = Graph((Value("x", (3,)),), (node,), ("b",), {})
    grads = graph.gradients(np.arange(3.0), np.array([5.0, 7.0]))
    assert grads["x"].tolist() == [0.0, 5.0, 7.0]


def test_open_sizes_pass_where_nothing_is_cut() -> None:
    assert Slice((0, 1), (2**63 - 1, 3)).out_shapes([("N", 4)]) == (("N", 2),)
    assert Squeeze((1,)).out_shapes([("N", 1, 3)]) == (("N", 3),)
    assert Split(1, None, 2).out_shapes([("N", 4)]) == (("N", 2), ("N", 2))
