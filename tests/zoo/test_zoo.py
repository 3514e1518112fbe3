"""The named networks: sizes, shapes, normalisation, what is refused."""

from __future__ import annotations

import re

import numpy as np
import pytest

from faltung import zoo
from faltung.errors import GraphError
from faltung.graph.graph import Graph
from faltung.ops import Add, BatchNormalization, Conv, Flatten, Gemm, Relu


def kinds(graph: Graph) -> list[type]:
    return [type(node.operator) for node in graph.nodes]


@pytest.mark.parametrize("name", zoo.NAMES)
@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 32, 32), (1, 32, 40)])
@pytest.mark.parametrize("classes", [1, 2, 10])
def test_every_network_scores_every_class(
    name: str, shape: tuple[int, int, int], classes: int
) -> None:
    graph = zoo.build(name, shape, classes)
    assert graph.shapes()[graph.outputs[0]] == ("N", classes)
    pixels = np.full((2, *shape), 255, np.uint8)
    scores = graph(pixels)
    assert scores.shape == (2, classes)
    assert scores.dtype == np.float32
    assert np.isfinite(scores).all()
    assert graph.metadata["network"] == name


@pytest.mark.parametrize("name", zoo.NAMES)
def test_pixels_are_normalised_first(name: str) -> None:
    shape = (3, 32, 32)
    mean, std = (10.0, 20.0, 30.0), (2.0, 4.0, 8.0)
    raw = np.random.default_rng(0).integers(0, 256, (2, *shape)).astype(np.float32)
    done = (raw - np.reshape(mean, (3, 1, 1))) / np.reshape(std, (3, 1, 1))
    with_statistics = zoo.build(name, shape, mean=mean, std=std, seed=5)
    without = zoo.build(name, shape, seed=5)
    assert np.array_equal(with_statistics(raw), without(done.astype(np.float32)))
    assert with_statistics.trainable == without.trainable


@pytest.mark.parametrize("shape", [(1, 28, 28), (1, 32, 32)])
def test_lenet_is_lenet_5(shape: tuple[int, int, int]) -> None:
    graph = zoo.build("lenet", shape)
    assert graph.trainable == 61_706
    shapes = graph.shapes()
    assert [shapes[name][1:] for name in ("C1", "S2", "C3", "S4", "C5", "F6")] == [
        (6, 28, 28),
        (6, 14, 14),
        (16, 10, 10),
        (16, 5, 5),
        (120, 1, 1),
        (84,),
    ]


def test_zero_one_is_the_hand_written_network() -> None:
    graph = zoo.build("zero-one", (1, 14, 14), 2)
    assert kinds(graph)[2:] == [Conv, Relu, Conv, Relu, Flatten, Gemm]


def test_resnet_has_residuals_and_batch_normalisation() -> None:
    graph = zoo.build("resnet", (1, 28, 28))
    assert graph.trainable == 77_754
    found = kinds(graph)
    assert found.count(Add) == 3
    assert found.count(BatchNormalization) == found.count(Conv)


def test_the_seed_decides_the_weights() -> None:
    one, same, other = (zoo.build("small", (1, 28, 28), seed=seed) for seed in (1, 1, 2))
    names = [name for name in one.params if name.endswith("weight")]
    assert all(np.array_equal(one.params[name], same.params[name]) for name in names)
    assert not any(np.array_equal(one.params[name], other.params[name]) for name in names)


@pytest.mark.parametrize(
    ("name", "shape", "options", "text"),
    [
        ("vgg", (1, 28, 28), {}, "zoo: no such network, got name='vgg'. Use one of small, zero-one,"
         " lenet, resnet, lenet5, alexnet, vgg16, resnet20, "),
        ("small", (1, 28, 28), {"classes": 0}, "classes must be at least 1, got classes=0"),
        ("small", (28, 28), {}, "in_shape must be (C, H, W), got in_shape=(28, 28). [zoo Z3]"),
        ("small", (1, 0, 28), {}, "in_shape must be (C, H, W), got in_shape=(1, 0, 28)"),
        ("small", (3, 28, 28), {"mean": (1.0, 2.0)}, "mean must be one number, or one for each"),
        ("small", (1, 28, 28), {"std": 0.0}, "std must be positive, got std=(0.0,)"),
        ("lenet", (1, 20, 40), {}, "zoo lenet: the images are too small, layer 'C5' would have no"
         " output, got in_shape=(1, 20, 40)."),
        ("small", (1, 1, 1), {}, "zoo small: the images are too small, layer 'maxpool1' would"),
    ],
)  # fmt: skip
def test_what_is_refused(
    name: str, shape: tuple[int, ...], options: dict[str, object], text: str
) -> None:
    with pytest.raises(GraphError, match=re.escape(text)):
        zoo.build(name, shape, **options)  # type: ignore[arg-type]
