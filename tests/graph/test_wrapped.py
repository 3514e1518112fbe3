"""Networks on rings: what is rolled comes out rolled, to the last position."""

from __future__ import annotations

import numpy as np
import pytest

from faltung import layers as L
from faltung.graph.wrapped import is_on_ring, with_circular_padding

NETWORKS = {
    "valid": (L.Conv(2, 3), 1, 1),
    "same": (L.Conv(2, 4, padding="same"), 1, 1),
    "full": (L.Conv(2, 3, padding="full"), 1, 1),
    "dilated": (L.Conv(2, 3, dilation=3, padding=2, padding_mode="reflect"), 1, 1),
    "strided": (L.Conv(2, 5, stride=2, padding=1), 2, 1),
    "1x1 strided": (L.Conv(2, 1, stride=2), 2, 1),
    "max": (L.MaxPool(3, 2, 1), 2, 1),
    "mean": (L.AvgPool(3, 2, ceil_mode=True), 2, 1),
    "transposed": (L.ConvTranspose(2, 4, stride=2, padding=1), 1, 2),
    "transposed, cut": (L.ConvTranspose(2, 3, stride=2, output_padding=1), 1, 2),
    "all": (
        L.Chain(L.Conv(2, 3), L.MaxPool(2), L.ConvTranspose(2, 3, stride=2), L.Conv(1, 3)),
        2,
        2,
    ),
}


@pytest.mark.parametrize("axes", [1, 2])
@pytest.mark.parametrize("name", NETWORKS)
def test_rolls_come_through(name: str, axes: int) -> None:
    network, stride, up = NETWORKS[name]
    graph = L.build(network, (1, *(12,) * axes)).astype("float64")
    ring = with_circular_padding(graph)
    x = np.random.default_rng(0).integers(-9, 10, (1, 1, *(12,) * axes))
    whole = {n: np.round(8 * w) for n, w in ring.params.items()}  # sums of integers are exact
    ring, graph = ring.replace(params=whole), graph.replace(params=whole)
    y = ring(x)
    assert y.shape[2:] == (12 * up // stride,) * axes
    for axis in range(2, axes + 2):
        assert np.array_equal(ring(np.roll(x, 4, axis)), np.roll(y, 4 * up // stride, axis))
    middle = (0, 0, *(6 * up // stride,) * axes)
    assert y[middle] == graph(x)[middle] or name == "all"


def test_a_pad_before_a_window_is_its_padding() -> None:
    padded = L.Chain(L.Pad([(1, 2)], "circular"), L.Conv(1, 4))
    ring = with_circular_padding(L.build(padded, (1, 9)))
    assert [node.name for node in ring.nodes] == ["conv1"]
    assert ring.shapes()["conv1"] == ("N", 1, 9)
    assert is_on_ring(L.build(padded, (1, 9)))
    assert not is_on_ring(L.build(L.Chain(L.Pad([(1, 2)]), L.Conv(1, 4)), (1, 9)))


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        (L.Conv(1, 3, padding="same", padding_mode="circular"), True),
        (L.Conv(1, 3, padding="same", padding_mode="reflect"), False),
        (L.Conv(1, 2, stride=2), True),
        (L.Conv(1, 3, padding=2, padding_mode="circular"), False),
        (L.MaxPool(2), True),
        (L.MaxPool(3, 1), False),
        (L.ConvTranspose(1, 2, stride=2), False),
        pytest.param(L.Chain(L.Relu(), L.BatchNorm()), True, id="Chain of two"),
    ],
    ids=str,
)
def test_what_is_on_a_ring_already(layer: L.AbstractLayer, expected: bool) -> None:
    assert is_on_ring(L.build(layer, (1, 8))) is expected
