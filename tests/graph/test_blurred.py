"""Blur pooling put into a network: same shapes and parameters, strides taken by blurs."""

from __future__ import annotations

import numpy as np
import pytest

from faltung import layers as L
from faltung import ops
from faltung.errors import GraphError
from faltung.graph.blur import with_blur_pooling


@pytest.mark.parametrize("size", [(17,), (16, 19), (8, 9, 10)], ids=len)
@pytest.mark.parametrize(
    "layer",
    [
        L.Conv(3, 3, stride=2, padding="same"),
        L.Conv(3, 2, stride=3),
        L.MaxPool(3, 2, 1),
        L.MaxPool(3, 2, ceil_mode=True),
        L.AvgPool(2),
    ],
    ids=str,
)
def test_shapes_and_parameters_stay(layer: L.AbstractLayer, size: tuple[int, ...]) -> None:
    graph = L.build(L.Chain(L.Conv(2, 3, padding=1), layer, L.Relu()), (1, *size))
    blurred = with_blur_pooling(graph)
    assert blurred.shapes()[graph.outputs[0]] == graph.shapes()[graph.outputs[0]]
    assert dict(blurred.params) == dict(graph.params)
    x = np.random.default_rng(0).normal(size=(1, 1, *size))
    assert blurred(x).shape == graph(x).shape


def test_the_blur_stands_behind_what_follows_value_by_value() -> None:
    chain = L.Chain(L.Conv(2, 3, stride=2), L.BatchNorm(), L.Relu(), L.Conv(1, 1))
    blurred = with_blur_pooling(L.build(chain, (1, 11)))
    names = [node.name for node in blurred.nodes]
    assert names == ["conv1", "norm1", "relu1", "relu1.blurred", "conv2"]
    assert blurred.state["relu1.blurred.weight"].tolist() == [[[0.25, 0.5, 0.25]]] * 2


def test_it_stands_before_a_branch() -> None:
    x = L.Input((1, 12))
    h = L.Conv(2, 3, stride=2, name="halved")(x)
    graph = L.build(L.Relu()(h) + h)
    names = [node.name for node in with_blur_pooling(graph).nodes]
    assert names == ["halved", "halved.blurred", "relu1", "add1"]


def test_an_axis_without_stride_is_not_blurred() -> None:
    blurred = with_blur_pooling(L.build(L.MaxPool((1, 2), (1, 2)), (1, 4, 8)), taps=5)
    (weight,) = blurred.state.values()
    assert weight.shape == (1, 1, 1, 5)
    (pool, _) = blurred.nodes
    assert isinstance(pool.operator, ops.MaxPool)
    assert pool.operator.stride == 1


def test_by_hand() -> None:
    graph = with_blur_pooling(L.build(L.MaxPool(2), (1, 6)))
    # maxima of neighbours: 4 4 2 8 8; blurred with 1 2 1 at every second, reflected at the ends
    y = graph(np.array([[[0, 4, 1, 2, 8, 0]]]))
    assert y.tolist() == [[[(4 + 8 + 4) / 4, (4 + 4 + 8) / 4, (8 + 16 + 8) / 4]]]


def test_a_blur_has_taps() -> None:
    with pytest.raises(GraphError, match=r"blur: taps must be at least 1, got taps=0.*blur B1"):
        with_blur_pooling(L.build(L.MaxPool(2), (1, 6)), taps=0)
