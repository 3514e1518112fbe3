"""Where a run starts: pixel statistics, networks of the zoo, trained ones with other classes."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest

from faltung import zoo
from faltung.datasets import Dataset
from faltung.errors import GraphError
from faltung.graph import load
from faltung.graph.graph import Graph
from faltung.graph.layers import (
    Chain,
    Conv,
    Dense,
    Flatten,
    GlobalAvgPool,
    Input,
    Operation,
    Relu,
    Softmax,
    build,
)
from faltung.ops import Gemm, LogSoftmax
from faltung.training import start
from faltung.training.loop import train
from faltung.training.recipe import Recipe
from faltung.training.start import pixel_statistics, start_from, start_new


def coloured(dtype: str = "uint8") -> Dataset:
    images = np.random.default_rng(0).integers(0, 256, (40, 3, 6, 8)).astype(dtype)
    return Dataset(images, np.arange(40) % 2, ("a", "b"), "coloured")


@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64"])
def test_statistics_are_those_of_all_pixels(dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    data = coloured(dtype)
    monkeypatch.setattr(start, "_BLOCK", 7)
    mean, std = pixel_statistics(data)
    exact = data.images.astype(np.float64)
    assert mean == pytest.approx(exact.mean(axis=(0, 2, 3)), rel=1e-12)
    assert std == pytest.approx(exact.std(axis=(0, 2, 3)), rel=1e-12)


def test_flat_channels_are_not_divided_by_nothing() -> None:
    flat = Dataset(np.full((2, 1, 4, 4), 7, np.uint8), [0, 1], ("a", "b"), "flat")
    assert pixel_statistics(flat) == ((7.0,), (1.0,))


def test_a_new_network_normalises_by_its_data() -> None:
    data = coloured()
    graph = start_new("small", data, seed=4)
    mean, std = pixel_statistics(data)
    assert graph.state["centre.mean"].ravel() == pytest.approx(mean)
    assert graph.state["scale.std"].ravel() == pytest.approx(std)
    assert graph.shapes()[graph.outputs[0]] == ("N", 2)
    same = zoo.build("small", (3, 6, 8), 2, mean=mean, std=std, seed=4)
    assert all(np.array_equal(graph.params[name], same.params[name]) for name in same.params)


def test_the_same_classes_keep_every_weight() -> None:
    graph = zoo.build("small", (1, 28, 28), seed=1)
    graph = graph.replace(metadata={"network": "small", "classes": "[]", "accuracy": "1"})
    again = start_from(graph, 10, (1, 28, 28))
    assert all(again.params[name] is graph.params[name] for name in graph.params)
    assert dict(again.metadata) == {"network": "small"}


def test_other_classes_replace_the_last_layer() -> None:
    graph = zoo.build("small", (1, 28, 28), seed=1)
    seven, same, other = (start_from(graph, 7, (1, 28, 28), seed=seed) for seed in (0, 0, 1))
    assert seven.shapes()[seven.outputs[0]] == ("N", 7)
    assert seven(np.ones((2, 1, 28, 28), np.float32)).shape == (2, 7)
    for name, values in graph.params.items():
        if not name.startswith("dense1"):
            assert seven.params[name] is values
    weight = seven.params["dense1.weight"]
    assert np.array_equal(weight, same.params["dense1.weight"])
    assert not np.array_equal(weight, other.params["dense1.weight"])
    assert weight.std() == pytest.approx(np.sqrt(2 / weight.shape[1]), rel=0.05)
    assert not seven.params["dense1.bias"].any()


def test_weights_stored_the_other_way_round() -> None:
    graph = build(Chain(Flatten(), Dense(3)), (1, 2, 2))
    node = dataclasses.replace(graph.nodes[-1], operator=Gemm(trans_b=False))
    params = {**graph.params, "dense1.weight": graph.params["dense1.weight"].T}
    turned = dataclasses.replace(graph, nodes=(*graph.nodes[:-1], node), params=params)
    found = start_from(turned, 5, (1, 2, 2))
    assert found.params["dense1.weight"].shape == (4, 5)
    assert found(np.ones((1, 1, 2, 2))).shape == (1, 5)


@pytest.mark.parametrize("last", [Softmax(), Operation(LogSoftmax())])
def test_a_softmax_at_the_end_is_taken_away(last: Operation) -> None:
    graph = build(Chain(Flatten(), Dense(3), last), (1, 2, 2))
    pixels = np.arange(4.0).reshape(1, 1, 2, 2)
    scores = build(Chain(Flatten(), Dense(3)), (1, 2, 2))(pixels)
    assert np.array_equal(start_from(graph, 3, (1, 2, 2))(pixels), scores)
    assert start_from(graph, 4, (1, 2, 2))(pixels).shape == (1, 4)


def test_a_network_of_any_size_takes_other_images() -> None:
    graph = build(Chain(Conv(4, 3), Relu(), GlobalAvgPool(), Flatten(), Dense(3)), (1, 8, 8))
    found = start_from(graph, 3, (1, 20, 30))
    assert found.inputs[0].shape == ("N", 1, 20, 30)


def two_inputs() -> Graph:
    return build(Chain(Flatten(), Dense(2))(Input((1, 2, 2), "a") + Input((1, 2, 2), "b")))


@pytest.mark.parametrize(
    ("graph", "shape", "text"),
    [
        (zoo.build("small", (1, 28, 28)), (1, 14, 14), "model to start from: cannot take images of"
         " this shape, got takes=1x28x28, images=1x14x14. Resize the images, or start from"),
        (zoo.build("small", (1, 28, 28)), (3, 28, 28), "got takes=1x28x28, images=3x28x28."),
        (two_inputs(), (1, 2, 2), "must have one input and one output, got inputs=2, outputs=1."),
        (build(Chain(Conv(3, 2), Flatten()), (1, 2, 2)), (1, 2, 2), "its last layer cannot be given"
         " other classes, got last layer=Flatten, classes=5. Start from a model whose last layer"),
    ],
)  # fmt: skip
def test_what_cannot_be_started_from(graph: Graph, shape: tuple[int, ...], text: str) -> None:
    with pytest.raises(GraphError, match=re.escape(text)):
        start_from(graph, 5, shape)


def test_a_saved_network_is_trained_on(tmp_path: Path) -> None:
    data = coloured()
    recipe = Recipe(epochs=1, batch=16, validation=0)
    first = train(start_new("small", data), data, recipe=recipe).graph
    loaded = load(first.save(tmp_path / "first.onnx"))
    again = start_from(loaded, 2, (3, 6, 8))
    assert all(np.array_equal(again.params[name], first.params[name]) for name in first.params)
    assert set(again.state) == set(first.state)
    of_file, of_memory = (train(graph, data, recipe=recipe).graph for graph in (again, first))
    for name, values in of_memory.params.items():
        assert np.array_equal(of_file.params[name], values)
        assert not np.array_equal(first.params[name], values)
    assert np.array_equal(of_file.state["centre.mean"], first.state["centre.mean"])
