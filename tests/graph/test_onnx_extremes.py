"""What files ask for that nobody has: refused or counted at once, never tried."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import faltung
from faltung.analysis.inspect.border import MOST, skipped
from faltung.analysis.inspect.words import rounded, size_of
from faltung.errors import DTypeError, GeometryError, GraphError, ModelFileError
from faltung.geometry import AxisTransposed, AxisWindow, Interval
from faltung.graph import Graph, Node, Value, room
from faltung.graph.evaluate import evaluate
from faltung.graph.layers import AvgPool, Chain, ConvTranspose, MaxPool, Operation, Relu, build
from faltung.graph.onnx_batch import read_for_any_batch
from faltung.graph.onnx_constants import made
from faltung.graph.open_sizes import default_shapes
from faltung.ops import (
    LRN,
    Conv,
    DepthToSpace,
    Expand,
    Gather,
    LpPool,
    Neg,
    QuantizeLinear,
    Reshape,
    Resize,
    Slice,
    Softmax,
    SpaceToDepth,
)
from faltung.ops.moved import MOST_LISTED, span_of
from faltung.ops.resize_axis import AxisResize, weights

HUGE = 2**40


def run_expand(sizes: tuple[int, ...]) -> Graph:
    node = Node("wide", Expand(sizes), ("x",), ("y",))
    return Graph((Value("x", (1, 1)),), (node,), ("y",), {})


def test_values_that_no_memory_holds_are_refused_before_the_run() -> None:
    with pytest.raises(GraphError, match=r"layer 'wide' do not fit into memory, got bytes=4\d+"):
        run_expand((HUGE, HUGE))(np.ones((1, 1)))


def test_what_is_let_go_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "memory", lambda: 3 * 4000)
    net = build(Chain(*(Relu() for _ in range(6))), (10, 100))
    x = np.ones((1, 10, 100), np.float32)
    net(x)
    with pytest.raises(GraphError, match=r"'relu3' do not fit into memory, got bytes=16000"):
        evaluate(net, {"x": x}, keep_all=True)
    with pytest.raises(GraphError, match="Give it a smaller input"):
        net(np.ones((2, 10, 100), np.float32))


def test_memory_that_runs_out_in_a_layer_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_room(*_: object, **__: object) -> None:
        raise MemoryError("Unable to allocate 9 TiB")

    monkeypatch.setattr(Expand, "forward", no_room)
    with pytest.raises(GraphError, match=r"'wide': there is not enough memory to run it.*9 TiB"):
        run_expand((2, 2))(np.ones((1, 1)))


def test_a_window_of_channels_reaches_no_further_than_they_do() -> None:
    x = np.arange(12, dtype=np.float32).reshape(1, 3, 4)
    (y,), _, _ = LRN(HUGE, alpha=float(HUGE)).forward([x])
    total = (x * x).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(y, x * (1 + total) ** -0.75, rtol=1e-6)


def test_indices_are_integers() -> None:
    with pytest.raises(DTypeError, match="indices must be integers, got dtype=float32"):
        Gather().forward([np.ones((2, 3)), np.zeros(1, np.float32)])


def test_weights_of_an_axis_are_not_made_for_any_size() -> None:
    with pytest.raises(GeometryError, match=r"an axis must need at most \d+ weights"):
        weights(AxisResize(2**30, 2**31, 2.0))
    with pytest.raises(GeometryError, match="an axis must need at most"):
        Resize(sizes=(1, 1, 8), mode="linear", antialias=True).forward(
            [np.broadcast_to(np.float32(0), (1, 1, 2**28))]
        )


@pytest.mark.parametrize(
    ("operator", "shape"),
    [(SpaceToDepth(2), (1, 4, HUGE, 2)), (Slice((0,), (HUGE,), (0,), (1,)), (HUGE,))],
)
def test_positions_are_followed_on_axes_of_a_stated_size(
    operator: SpaceToDepth | Slice, shape: tuple[int, ...]
) -> None:
    spans = (Interval(0, 1),) * len(shape)
    with pytest.raises(GeometryError, match=f"positions are followed on axes of {MOST_LISTED}"):
        operator.input_span([shape], spans)


def test_whole_groups_of_a_reshape_are_not_walked_through() -> None:
    reshape = Reshape((1, HUGE * 4))
    whole = (Interval(0, 1), Interval(0, HUGE * 4))
    assert reshape.input_span([(1, 4, HUGE)], whole)[0][1:] == (Interval(0, 4), Interval(0, HUGE))
    with pytest.raises(GeometryError, match="positions are followed"):
        reshape.input_span([(1, 4, HUGE)], (Interval(0, 1), Interval(1, HUGE)))


def test_what_no_window_reads_is_counted_at_once_on_long_axes() -> None:
    started = time.perf_counter()
    assert skipped(AxisWindow(MOST + 3, kernel=2, stride=4)) == (MOST + 3) // 2
    assert skipped(AxisWindow(4, kernel=HUGE)) == 4
    long = build(Chain(MaxPool(2), ConvTranspose(1, 2, stride=2)), (1, HUGE))
    assert faltung.inspect(long).totals.activation_bytes > HUGE
    assert AxisTransposed(HUGE, kernel=2).out_size == HUGE + 1
    assert time.perf_counter() - started < 2


def test_counts_of_any_size_are_written() -> None:
    assert rounded(10**400) == "1.00e+400"
    assert size_of(3 * 10**20) == "3.00e+20 B"


def test_two_tensors_of_one_name_and_names_that_are_no_text(tmp_path: Path) -> None:
    (tmp_path / "w.bin").write_bytes(bytes(64))
    node = helper.make_node("Add", ["x", "w"], ["y"])
    sizes = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [2]) for n in "xy"]
    model = helper.make_model(helper.make_graph([node], "g", sizes[:1], sizes[1:]))
    for count in (2, 4):
        tensor = numpy_helper.from_array(np.ones(count, np.float32), "w")
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value="w.bin")
        model.graph.initializer.append(tensor)
    path = tmp_path / "m.onnx"
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ModelFileError, match=r"two tensors share|two initializers must not have"):
        faltung.load(path)
    del model.graph.initializer[1]
    model.graph.initializer[0].dims.extend([1] * 70)
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ModelFileError, match="it must have at most 64 axes, as NumPy's arrays"):
        faltung.load(path)
    del model.graph.initializer[0].dims[1:]
    path.write_bytes(model.SerializeToString().replace(b"w.bin", b"\xff\xfe.bn"))
    with pytest.raises(ModelFileError, match=r"names of tensors and of their files must be UTF-8"):
        faltung.load(path)


def test_a_window_may_be_of_any_size() -> None:
    shapes = [(1, 1, HUGE), (1, 1, 3)]
    assert Conv(padding=1).cost(shapes).connections == 3 * HUGE


def test_more_axes_than_arrays_have() -> None:
    many = (1,) * 68
    node = Node("wide", Reshape((*many, 4)), ("x",), ("y",))
    graph = Graph((Value("x", (2, 2)),), (node,), ("y",), {})
    assert faltung.inspect(graph).layers[0].out_shape == (*many, 4)
    with pytest.raises(GraphError, match=r"arrays have at most 64 axes, got axes=69"):
        graph(np.ones((2, 2)))


def test_padding_that_no_memory_holds() -> None:
    node = Node("conv", Conv(dilation=2**62, padding="same"), ("x", "w"), ("y",))
    graph = Graph((Value("x", (1, 1, 4)),), (node,), ("y",), {"w": np.ones((1, 1, 3))})
    with pytest.raises(GraphError, match="not enough memory to run it"):
        graph(np.ones((1, 1, 4)))


@pytest.mark.parametrize("padding", [((2**62, 2**62),), ((2**40, 0),)])
def test_strides_and_padding_of_any_size(padding: tuple[tuple[int, int], ...]) -> None:
    node = Node("conv", Conv(stride=2**64, padding=padding), ("x", "w"), ("y",))
    graph = Graph((Value("x", (1, 1, 4)),), (node,), ("y",), {"w": np.ones((1, 1, 3))})
    assert np.asarray(graph(np.ones((1, 1, 4)))).tolist() == [[[0]]]


def test_truth_values_are_pooled() -> None:
    x = np.array([[[False, True, False, False]]])
    (y,), _, _ = MaxPool(2).operator.forward([x])
    assert y.dtype == np.bool_
    assert y.tolist() == [[[True, False]]]


@pytest.mark.parametrize("mode", ["DCR", "CRD"])
def test_spans_of_blocks_are_those_of_their_positions(mode: str) -> None:
    operator, shape = DepthToSpace(2, mode), (1, 12, 3, 2)
    tables = operator.sources(shape)
    _, channels, height, width = operator.out_shapes([shape])[0]
    for c, y, x in np.random.default_rng(0).integers(-1, 9, (300, 3, 2)):
        box = (Interval(0, 1), *(Interval(int(a), int(b)) for a, b in (c, y, x)))
        by_table = tuple(span_of(source, box) for source in tables)
        found = operator.input_span([shape], box)[0]
        assert [_set(a) for a in found] == [_set(a) for a in by_table], box
    assert (channels, height, width) == (3, 6, 4)


def _set(span: object) -> tuple[int, ...]:
    assert isinstance(span, Interval)
    return tuple(range(span.lo, span.hi))


@pytest.mark.parametrize("operator", [Neg(), Softmax(), LpPool(2)])
def test_truth_values_are_no_numbers(operator: Neg | Softmax | LpPool) -> None:
    node = Node("layer", operator, ("x",), ("y",))
    graph = Graph((Value("x", (1, 1, 4), "bool"),), (node,), ("y",), {})
    with pytest.raises(DTypeError, match="'layer': it cannot compute with truth values"):
        graph(np.ones((1, 1, 4), bool))


def test_type_errors_of_our_own_are_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Expand, "forward", lambda *_, **__: 1 + "")  # type: ignore[operator]
    with pytest.raises(TypeError, match="unsupported operand"):
        run_expand((2, 2))(np.ones((1, 1)))


def test_zero_points_are_integers() -> None:
    x = np.ones(3, np.float32)
    with pytest.raises(DTypeError, match="its zero point must be an integer, got dtype=float32"):
        QuantizeLinear().forward([x, x[0], x[0]])


def test_values_that_are_all_alike_take_no_memory() -> None:
    value = numpy_helper.from_array(np.array([1.5], np.float32))
    node = helper.make_node("ConstantOfShape", ["n"], ["y"], value=value)
    filled = made(node, {"n": np.array([2**14, 2**14])}, {})
    assert filled is not None
    assert filled.nbytes == 2**30
    assert filled.strides == (0, 0)
    assert filled[3, 5] == 1.5
    assert not filled.flags.writeable


def test_divisors_of_any_number_are_not_looked_for() -> None:
    with pytest.raises(GeometryError, match="Use groups that divide it"):
        Conv(groups=3).out_shapes([(1, 2**60, 4), (3, 1, 3)])


def test_more_open_axes_of_space_than_there_are_defaults_for() -> None:
    graph = build(Relu(), (1, 8)).with_input_shape(("N", "C", *(f"s{i}" for i in range(9))))
    assert set(default_shapes(graph)["x"][2:]) == {64}


@pytest.mark.parametrize("pool", [MaxPool, AvgPool])
def test_kernels_larger_than_any_image_have_no_outputs_at_once(
    pool: Callable[..., Operation],
) -> None:
    (y,), _, _ = pool((2, HUGE), 1).operator.forward([np.ones((1, 1, 4, 4), np.float32)])
    assert y.shape == (1, 1, 3, 0)


def written(
    folder: Path,
    nodes: list[onnx.NodeProto],
    inputs: dict[str, tuple[int | str, ...]],
    weights: dict[str, np.ndarray] | None = None,
) -> Path:
    """Write a model as others might; its last node puts out y."""
    kind = TensorProto.FLOAT
    ends = [helper.make_tensor_value_info(name, kind, shape) for name, shape in inputs.items()]
    y = helper.make_tensor_value_info("y", kind, [None] * len(next(iter(inputs.values()))))
    tensors = [numpy_helper.from_array(w, name) for name, w in (weights or {}).items()]
    graph = helper.make_graph(nodes, "g", ends, [y], tensors)
    ids = [helper.make_opsetid("", 17)]
    path = folder / "model.onnx"
    path.write_bytes(helper.make_model(graph, opset_imports=ids, ir_version=8).SerializeToString())
    return path


def test_a_largest_value_of_nothing(tmp_path: Path) -> None:
    node = helper.make_node("Max", [""], ["y"], "max1")
    path = written(tmp_path, [node], {"x": (2, 3)})
    with pytest.raises(
        ModelFileError, match=r"'max1' \(Max\): takes 1 or more inputs, got inputs=0"
    ):
        faltung.load(path)


def test_outputs_that_nobody_asks_for_where_sizes_are_open(tmp_path: Path) -> None:
    """Their shapes are not known when the file is read; their number is."""
    four = {name: np.ones(4, np.float32) for name in ("scale", "bias", "mean", "var")}
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"], "conv"),
        helper.make_node("BatchNormalization", ["c", *four], ["y"], "norm", training_mode=1),
    ]
    weights = {"w": np.ones((4, 2, 3, 3), np.float32), **four}
    path = written(tmp_path, nodes, {"x": (1, 2, "height", "width")}, weights)
    graph = faltung.load(path)
    assert len(graph.nodes[1].outputs) == 3
    assert graph.with_input_shape((1, 2, 5, 6)).shapes()["y"] == (1, 4, 3, 4)
    x = np.random.default_rng(0).standard_normal((1, 2, 5, 6)).astype(np.float32)
    y = np.asarray(graph(x))
    assert y.shape == (1, 4, 3, 4)
    assert np.allclose(y.mean(axis=(0, 2, 3)), 1, atol=1e-6)


def test_a_range_over_an_array_of_many_axes_is_refused_at_once() -> None:
    """The message shows its shape: NumPy would write its corners, of which there are millions."""
    many = np.zeros((8,) * 8, np.float32)
    node = helper.make_node("Range", ["many", "many", "many"], ["y"])
    start = time.perf_counter()
    with pytest.raises(ModelFileError, match=r"Range 'y'.*float32 \(8, 8, 8, 8, 8, 8, 8, 8\)"):
        made(node, {"many": many}, {}, 1 << 20)
    assert time.perf_counter() - start < 2


def test_weights_that_do_not_fit_twice_are_read_once() -> None:
    """Where memory ends while a batch is compared, the batch is not left open, and that is all."""
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 2])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 2])
    node = helper.make_node("Relu", ["x"], ["y"])
    model = helper.make_model(helper.make_graph([node], "g", [x], [y]))

    def read(shapes: object) -> Graph:
        raise MemoryError("Unable to allocate 319 MiB")

    assert read_for_any_batch(model, None, None, read) is None
