"""The effective field: known kernels of linear networks, and nothing outside the exact field."""

from __future__ import annotations

import json

import numpy as np
import pytest

import faltung
from faltung import layers as L
from faltung import ops, zoo
from faltung.analysis.effective_field import effective_field, uniform_std
from faltung.analysis.seen import seen
from faltung.errors import GraphError
from faltung.graph import Graph


def with_weights(graph: Graph, *weights: np.ndarray) -> Graph:
    """The graph with these weights, layer by layer, and biases of 0."""
    left = iter(weights)
    params = {
        name: next(left).reshape(array.shape) if array.ndim > 1 else np.zeros(array.shape)
        for name, array in graph.params.items()
    }
    return graph.replace(params=params).astype("float64")


def test_a_linear_chain_has_the_kernel_of_its_composition() -> None:
    first, second = np.array([1.0, -2, 3]), np.array([2.0, 0, -1])
    graph = L.build(L.Chain(L.Conv(1, 3), L.Conv(1, 3)), (1, 11))
    found = effective_field(with_weights(graph, first, second), samples=3)
    composed = np.convolve(first, second)  # 2 -4 5 2 -3: what a sample of x counts for
    assert found.theoretical == ((3, 8),)
    assert found.weights.tolist() == [0, 0, 0, *np.abs(composed).tolist(), 0, 0, 0]


def test_a_linear_chain_on_two_axes_with_stride() -> None:
    rng = np.random.default_rng(0)
    first, second = rng.integers(-4, 5, (2, 3, 3)).astype(float)
    graph = L.build(L.Chain(L.Conv(1, 3, stride=2), L.Conv(1, 3)), (1, 17, 17))
    found = effective_field(with_weights(graph, first, second))
    composed = np.zeros((7, 7))
    for y, x in np.ndindex(3, 3):
        composed[2 * y : 2 * y + 3, 2 * x : 2 * x + 3] += second[y, x] * first
    (rows, columns) = found.theoretical
    assert np.array_equal(found.weights[slice(*rows), slice(*columns)], np.abs(composed))
    assert found.area == 49


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_outside_the_exact_field_there_is_nothing(axes: int) -> None:
    chain = L.Chain(
        *(L.Conv(3, 3, padding=1), L.Relu(), L.MaxPool(2), L.Conv(2, 3, dilation=2), L.Relu()),
        L.Residual(L.Conv(2, 3, padding=1)),
    )
    graph = L.build(chain, (2, *(18,) * axes))
    found = effective_field(graph, samples=4)
    outside = np.ones(found.energy.shape, bool)
    outside[found.inside] = False
    assert outside.any()
    assert (found.energy[outside] == 0).all()
    # Booleans propagated through the taps find the same field, and every gradient in it.
    mask = seen(graph, found.value, (0, *found.at))[graph.inputs[0].name].any(axis=0)
    assert not found.energy[~mask].any()
    assert found.energy[mask].any()


def test_positions_behind_dead_relus_are_told() -> None:
    graph = L.build(L.Chain(L.Conv(1, 3), L.Relu()), (1, 9))
    dead = graph.replace(params={"conv1.weight": np.ones((1, 1, 3)), "conv1.bias": [-1e6]})
    found = effective_field(dead, samples=5)
    assert (found.silent, found.untouched, found.area) == (5, 3, 3)
    assert np.isnan(found.share_of_area)
    assert found.to_dict()["share_of_area"] is None
    assert "5 of them gave none, and 3 positions" in str(found)


def test_figures_by_hand() -> None:
    graph = L.build(L.Conv(1, 5, bias=False), (1, 5))
    found = effective_field(with_weights(graph, np.array([0.0, 1, 10, 1, 0])), samples=1)
    assert found.energy.tolist() == [0, 1, 100, 1, 0]
    assert found.share_of_area == 1 / 5  # 100 of 102 are 98 %
    assert found.std == (pytest.approx(np.sqrt(2 / 102), rel=1e-12),)
    assert found.profile(0).tolist() == pytest.approx([0, 1 / 102, 100 / 102, 1 / 102, 0])
    assert uniform_std(1) == 0


def test_channels_add_up_in_the_mean() -> None:
    """Signs are random; over many samples the squares of two channels add."""
    graph = L.build(L.Conv(2, 1, bias=False), (1, 1))
    found = effective_field(with_weights(graph, np.array([3.0, 4.0])), samples=400)
    # (3 ± 4)² is 49 or 1: mean 25, standard error 24 / sqrt(400); five of these
    assert abs(found.energy[0] - 25) < 5 * 24 / 20


def test_more_layers_are_wider_but_a_smaller_share() -> None:
    shares, widths = [], []
    for depth in (2, 8):
        net = L.sketch(L.Chain(*[L.Conv(2, 3) for _ in range(depth)]), (1, 33, 33))
        found = effective_field(net, samples=16)
        assert found.drawn
        shares.append(found.share_of_area)
        widths.append(found.std[0])
    assert shares[1] < shares[0]
    assert widths[0] < widths[1] < uniform_std(17)


def test_images_of_yours() -> None:
    graph = zoo.build("small")
    images = np.random.default_rng(0).integers(0, 256, (3, *graph.inputs[0].shape[1:]))
    found = effective_field(graph, images=images)
    assert (found.samples, found.given, found.drawn) == (3, True, False)
    assert "3 images that were given" in str(found)


def test_a_value_behind_everything_sees_everything() -> None:
    graph = L.build(L.Chain(L.Conv(2, 3), L.GlobalAvgPool(), L.Flatten(), L.Dense(3)), (1, 8, 9))
    found = effective_field(graph, graph.outputs[0], samples=2)
    assert found.theoretical == ((0, 8), (0, 9))
    assert found.at == ()
    assert found.area == 72


def test_the_second_input_is_drawn_and_stays() -> None:
    a, b = L.Input((1, 9), name="a"), L.Input((1, 9), name="b")
    graph = L.build(L.Conv(1, 3)(L.Operation(ops.Mul())(a, b)))
    found = effective_field(graph, samples=2)
    assert (found.weights > 0).sum() == 3


def test_the_report_is_plain_data() -> None:
    data = faltung.effective_field(L.build(L.Conv(1, 3), (1, 9))).to_dict()
    assert json.loads(json.dumps(data))["theoretical"] == [[3, 6]]


def test_refusals() -> None:
    graph = L.build(L.Conv(1, 3), (1, 9))
    with pytest.raises(GraphError, match=r"there must be an image at least.*effective_field V1"):
        effective_field(graph, samples=0)
    with pytest.raises(GraphError, match=r"there must be such a value, got output=conv9"):
        effective_field(graph, "conv9")
    a, b = L.Input((1, 9), name="a"), L.Input((1, 9), name="b")
    both = L.build([L.Relu(name="one")(a), L.Relu(name="other")(b)])
    with pytest.raises(GraphError, match=r"the value must depend on the first input"):
        effective_field(both, "other")
