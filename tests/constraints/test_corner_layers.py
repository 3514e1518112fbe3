"""Each corner as a layer: its counts, its matrix, its training, its file."""

from __future__ import annotations

import math
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import onnx
import pytest

import faltung
from faltung import layers as L
from faltung.constraints import CORNERS, CornerLayer, Square
from faltung.errors import GraphError
from faltung.graph import Graph
from faltung.testing.compare import assert_exact, assert_same_bits

WINDOWS = [1, (0, 1), ((-1, 0), (1, 2))]


def layer_of(corner: str, window: Any = 1, *, bias: bool = False) -> tuple[CornerLayer, Graph]:
    layer = CornerLayer(corner, 2, window, bias)
    return layer, L.build(layer, (3, 4, 3), seed=3)


def whole(graph: Graph, seed: int = 0) -> Graph:
    """The same network in float64 with small integers for weights."""
    rng = np.random.default_rng(seed)
    graph = graph.astype(np.float64)
    return graph.replace(
        params={n: rng.integers(-4, 5, a.shape).astype(float) for n, a in graph.params.items()}
    )


@pytest.mark.parametrize("window", WINDOWS, ids=str)
@pytest.mark.parametrize("corner", CORNERS)
def test_a_layer_is_its_matrix(corner: str, window: Any) -> None:
    layer, graph = layer_of(corner, window)
    square: Square = layer.square((1, 3, 4, 3))
    graph = whole(graph)
    (w,) = graph.params.values()
    assert graph.trainable == square.parameters(corner)
    x = np.random.default_rng(1).integers(-4, 5, (5, 3, 4, 3)).astype(float)
    y = np.asarray(graph(x))
    assert y.shape == (5, 2, 4, 3)
    matrix = square.matrix(corner, w)
    assert_exact(x.reshape(5, -1) @ matrix.T, y.reshape(5, -1))
    assert not np.array_equal(x.reshape(5, -1) @ np.roll(matrix, 1, 1).T, y.reshape(5, -1))


@pytest.mark.parametrize("corner", CORNERS)
def test_connections_are_the_nonzeros(corner: str) -> None:
    layer, graph = layer_of(corner)
    square = layer.square((1, 3, 4, 3))
    inside = sum(
        node.operator.cost([graph.shapes()[n] for n in node.inputs]).connections_inside
        for node in graph.with_input_shape((1, 3, 4, 3)).nodes
    )
    assert inside == square.nonzeros(corner)


def test_biases_are_tied_where_the_weights_are() -> None:
    sizes = {c: layer_of(c, bias=True)[1] for c in CORNERS}
    found = {c: {n: a.size for n, a in g.params.items() if "bias" in n} for c, g in sizes.items()}
    assert [sum(f.values()) for f in found.values()] == [24, 2, 24, 2]
    for corner, graph in sizes.items():
        biased = whole(graph)
        biases = {n: np.ones_like(a) for n, a in biased.params.items() if "bias" in n}
        zero = {n: np.zeros_like(a) for n, a in biased.params.items()}
        graph = biased.replace(params={**zero, **biases})
        assert np.all(np.asarray(graph(np.zeros((1, 3, 4, 3)))) == 1), corner


def train(corner: str, window: Any, steps: int = 60) -> tuple[list[float], Graph, Square, Any]:
    """Fit a layer to what a true convolution does, by plain gradient descent; the losses."""
    rng = np.random.default_rng(2)
    layer = CornerLayer(corner, 1, window)
    square = layer.square((1, 1, 4, 3))
    truth = square.matrix("convolution", rng.standard_normal(square.weight_shape("convolution")))
    x = rng.standard_normal((200, 1, 4, 3))
    y = (x.reshape(200, -1) @ truth.T).reshape(x.shape)
    graph = L.build(layer, (1, 4, 3), seed=1).astype(np.float64)
    tied = square.tied(corner)
    rate = 0.6 / np.bincount(tied[tied >= 0]).max()  # a weight used often has a steep slope
    losses = []
    for _ in range(steps):
        off = np.asarray(graph(x)) - y
        losses.append(float(np.mean(off**2)))
        grads = graph.gradients(x, off / len(x))
        params = {n: a - rate * grads[n] for n, a in graph.params.items()}
        graph = graph.replace(params=params)
    return losses, graph, square, truth


@pytest.mark.parametrize("window", WINDOWS[:2], ids=str)
@pytest.mark.parametrize("corner", CORNERS)
def test_every_corner_learns_the_same_task(corner: str, window: Any) -> None:
    losses, graph, square, truth = train(corner, window)
    assert losses[-1] < 1e-3 * losses[0]
    (w,) = graph.params.values()
    assert np.abs(square.matrix(corner, w) - truth).max() < 0.2


def test_training_that_goes_the_wrong_way_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    right = faltung.ops.LocallyConnected.backward

    def backward(self: Any, saved: Any, douts: Any) -> Any:
        dx, dw = right(self, saved, douts)
        return dx, np.roll(dw, 1, axis=-1)

    monkeypatch.setattr(faltung.ops.LocallyConnected, "backward", backward)
    losses, *_ = train("local", 1)
    assert losses[-1] > 1e-3 * losses[0]


@pytest.mark.parametrize("window", WINDOWS, ids=str)
@pytest.mark.parametrize("corner", CORNERS)
def test_files_hold_each_corner(
    corner: str, window: Any, tmp_path: Path, onnxruntime: ModuleType
) -> None:
    _, graph = layer_of(corner, window, bias=True)
    path = graph.save(tmp_path / f"{corner}.onnx")
    back = faltung.load(path)
    assert [type(n.operator) for n in back.nodes if n.name == corner] == [
        type(n.operator) for n in graph.nodes if n.name == corner
    ]
    x = np.random.default_rng(5).integers(-4, 5, (3, 3, 4, 3)).astype(np.float32)
    assert_same_bits(np.asarray(back(x)), np.asarray(graph(x)))
    exact = whole(graph).astype(np.float32)
    session = onnxruntime.InferenceSession(exact.save(path))
    (got,) = session.run(None, {"x": x})
    assert_exact(got, np.asarray(exact(x)))


def test_the_shared_corner_is_a_conv_with_a_kernel_of_all_offsets() -> None:
    _, graph = layer_of("shared")
    assert graph.params["shared.weight"].shape == (2, 3, 7, 5)
    (node,) = graph.nodes
    assert node.operator == faltung.ops.Conv(padding=((3, 3), (2, 2)))


def test_the_local_corner_is_one_function_in_a_file(tmp_path: Path) -> None:
    chain = L.Chain(CornerLayer("local", 2), L.Relu(), CornerLayer("local", 1, (0, 1), name="b"))
    graph = L.build(chain, (1, 4, 5))
    model = onnx.load(str(graph.save(tmp_path / "local.onnx")))
    assert [(f.domain, f.name) for f in model.functions] == [("faltung", "LocallyConnected")]
    assert [n.op_type for n in model.graph.node] == ["LocallyConnected", "Relu", "LocallyConnected"]
    back = faltung.load(tmp_path / "local.onnx")
    assert back.trainable == graph.trainable
    assert not back.state


def test_local_connection_with_a_stride_is_a_layer_too() -> None:
    layer = L.LocallyConnected(3, 3, stride=2, padding=1)
    graph = whole(L.build(layer, (2, 5, 7)))
    assert {n: a.shape for n, a in graph.params.items()} == {
        "locallyconnected1.weight": (3, 2, (2 + 3 + 2) * (2 + 3 + 3 + 2)),
        "add1.bias": (3, 3, 4),
    }
    assert np.asarray(graph(np.zeros((4, 2, 5, 7)))).shape == (4, 3, 3, 4)
    plain = L.build(L.LocallyConnected(3, 3, bias=False), (2, 5, 7))
    assert [type(n.operator) for n in plain.nodes] == [faltung.ops.LocallyConnected]


def test_what_is_no_image_is_refused() -> None:
    layer = CornerLayer("local")
    with pytest.raises(GraphError, match="must have channels and 1 to 3 space axes of known size"):
        layer(L.Input((3,)))
    with pytest.raises(GraphError, match="of known size"):
        layer(L.Input((3, "H", 4)))


@pytest.mark.parametrize("corner", CORNERS)
def test_first_weights_are_as_wide_as_the_layer_sees(corner: str) -> None:
    layer = CornerLayer(corner, 4)
    graph = L.build(layer, (2, 12, 12), seed=1)
    (w,) = graph.params.values()
    square = layer.square((1, 2, 12, 12))
    fan_in = square.nonzeros(corner) / square.shape[0]
    assert abs(w.std() / math.sqrt(2 / fan_in) - 1) < 0.2
