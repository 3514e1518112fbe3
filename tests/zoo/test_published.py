"""Networks as published: parameters, shapes and work against what others report."""

from __future__ import annotations

import re

import numpy as np
import pytest

from faltung import Graph, zoo
from faltung import layers as L
from faltung.errors import GraphError
from faltung.ops import LRN, BatchNormalization, Concat, Conv, Gemm, MaxPool
from faltung.zoo.unet import unet

# The sources beside each: the paper where it counts, else the model its authors or torchvision
# (0.21, `num_params` of its weights) or Keras (trainable parameters) publish.
PARAMS = {
    "lenet5": 61_706,  # the paper's layers, C3 fully connected, pooling without weights
    "alexnet": 60_965_224,  # the layers of section 3.5; Caffe's bvlc_alexnet
    "vgg16": 138_357_544,  # torchvision
    "resnet20": 269_722,  # "0.27M", table 6
    "resnet50": 25_557_032,  # torchvision
    "mobilenet-v1": 4_231_976,  # Keras
    "mobilenet-v2": 3_504_872,  # torchvision
    "densenet121": 7_978_856,  # torchvision
    "inception-v3": 23_834_568,  # torchvision, without its auxiliary classifier
    "unet": 31_030_658,  # figure 1, biases everywhere, no normalisation
}


def params(graph: Graph, *kinds: type) -> int:
    nodes = (node for node in graph.nodes if isinstance(node.operator, kinds))
    return sum(graph.params[n].size for node in nodes for n in node.inputs if n in graph.params)


def test_every_published_network_has_its_figure() -> None:
    assert set(PARAMS) == set(zoo.PUBLISHED)


@pytest.mark.parametrize("name", zoo.PUBLISHED)
def test_parameters_are_the_published_ones(name: str) -> None:
    graph = zoo.sketch(name)
    assert graph.trainable == PARAMS[name]
    assert graph.metadata["network"] == name


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("vgg16", "14,714,688 123,642,856"),
        ("alexnet", "2,334,080 58,631,144"),
        ("lenet5", "50,692 11,014"),
    ],
)
def test_convolutions_and_dense_layers(name: str, text: str) -> None:
    graph = zoo.sketch(name)
    assert f"{params(graph, Conv):,} {params(graph, Gemm):,}" == text


def test_running_statistics_are_state() -> None:
    graph = zoo.sketch("resnet50")
    norms = [node for node in graph.nodes if isinstance(node.operator, BatchNormalization)]
    assert sum(graph.state[n].size for node in norms for n in node.inputs[3:]) == 53_120
    assert len(norms) == 53


def test_the_towers_of_alexnet_do_not_see_each_other() -> None:
    convs = [n.operator for n in zoo.sketch("alexnet").nodes if isinstance(n.operator, Conv)]
    assert [conv.groups for conv in convs] == [1, 2, 1, 2, 2]


def test_alexnet_normalises_responses_as_section_3_3_does() -> None:
    """``a / (2 + 1e-4 sum a^2) ** 0.75`` over five neighbouring maps, before the first poolings."""
    nodes = zoo.sketch("alexnet").nodes
    at = [i for i, node in enumerate(nodes) if isinstance(node.operator, LRN)]
    around = [[nodes[i + d].operator.subject for d in (-2, -1, 1)] for i in at]
    assert around == [["Conv", "Relu", "MaxPool"]] * 2
    a = np.random.default_rng(0).uniform(0, 50, (1, 9, 2, 2))
    (found,) = nodes[at[0]].operator.forward([a])[0]
    for i in range(9):
        squares = (a[:, max(0, i - 2) : min(9, i + 3)] ** 2).sum(axis=1)
        assert np.allclose(found[:, i], a[:, i] / (2 + 1e-4 * squares) ** 0.75, rtol=1e-14)


def test_sizes_of_inception_v3() -> None:
    """Table 1 of its paper; 147 and 73 where that has no size for a convolution's output."""
    graph = zoo.sketch("inception-v3")
    shapes = graph.shapes()
    convs = [n.outputs[0] for n in graph.nodes if isinstance(n.operator, Conv)]
    pools = [n.outputs[0] for n in graph.nodes if isinstance(n.operator, MaxPool)]
    assert [shapes[name][1:3] for name in convs[:3]] == [(32, 149), (32, 147), (64, 147)]
    assert [shapes[name][2] for name in pools] == [73, 35, 17, 8]
    blocks = [n for n in graph.nodes if isinstance(n.operator, Concat) and len(n.inputs) > 2]
    channels = [256, 288, 288, *[768] * 5, 1280, 2048, 2048]
    assert [shapes[block.outputs[0]][1] for block in blocks] == channels


def test_sizes_of_vgg16_and_resnet50() -> None:
    graph = zoo.sketch("vgg16")
    shapes = graph.shapes()
    pools = [n.outputs[0] for n in graph.nodes if isinstance(n.operator, MaxPool)]
    assert [shapes[pool][2] for pool in pools] == [112, 56, 28, 14, 7]
    shapes = zoo.sketch("resnet50").shapes()
    assert shapes["maxpool1"] == ("N", 64, 56, 56)
    assert shapes["globalaveragepool1"] == ("N", 2048, 1, 1)


def test_unet_scores_every_pixel_and_the_papers_crops() -> None:
    assert zoo.sketch("unet").shapes()[zoo.sketch("unet").outputs[0]] == ("N", 2, 512, 512)
    graph = L.sketch(unet((1, 572, 572), 2, padding="valid"), (1, 572, 572))
    assert graph.trainable == PARAMS["unet"]
    assert graph.shapes()[graph.outputs[0]] == ("N", 2, 388, 388)
    with pytest.raises(GraphError, match=re.escape("zoo unet: sides must be multiples of 16")):
        zoo.sketch("unet", (1, 100, 128))


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("lenet5", 32),
        ("resnet20", 32),
        ("mobilenet-v1", 32),
        ("mobilenet-v2", 32),
        ("densenet121", 32),
        ("inception-v3", 75),
    ],
)
def test_they_compute(name: str, size: int) -> None:
    graph = zoo.build(name, (3, size, size), 7, mean=127.0, std=64.0)
    scores = graph(np.random.default_rng(0).integers(0, 256, (2, 3, size, size), np.uint8))
    assert scores.shape == (2, 7)
    assert np.isfinite(scores).all()
    assert np.unique(scores).size == scores.size


def test_shortcuts_of_resnet20_have_no_parameters() -> None:
    graph = zoo.sketch("resnet20")
    assert sum(isinstance(node.operator, Conv) for node in graph.nodes) == 19
    x = np.arange(32, dtype=np.float32).reshape(1, 2, 4, 4)
    shortcut = L.Chain(L.MaxPool(1, 2), L.Operation(L.ops.Pad(((0, 0), (1, 1), (0, 0), (0, 0)))))
    y = L.build(shortcut, (2, 4, 4))(x)
    assert np.array_equal(y[:, 1:3], x[:, :, ::2, ::2])
    assert not y[:, [0, 3]].any()


def test_images_that_are_too_small_are_refused() -> None:
    with pytest.raises(GraphError, match="zoo vgg16: the images are too small"):
        zoo.sketch("vgg16", (3, 28, 28))
