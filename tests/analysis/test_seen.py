"""Exact receptive fields: the taps of the taps."""

from __future__ import annotations

import numpy as np
import pytest

from faltung.analysis.receptive_field import receptive_fields
from faltung.analysis.seen import seen
from faltung.errors import GraphError
from faltung.graph import layers as L
from faltung.zoo import build


@pytest.mark.parametrize(("layers", "share"), [(1, 9), (2, 25), (3, 49)])
def test_three_by_three_layers_see_as_row_r1_says(layers: int, share: int) -> None:
    net = L.build(L.Chain(*[L.Conv(1, 3) for _ in range(layers)]), (1, 7, 7))
    middle = (0, 3 - layers, 3 - layers)
    assert int(seen(net, f"conv{layers}", middle)["x"].sum()) == share


def test_what_is_seen_lies_in_the_field_and_fills_its_sides() -> None:
    net = build("small", (1, 12, 12), 3)
    for name, (rows, columns) in receptive_fields(net).items():
        if name not in ("conv1", "maxpool1", "conv2", "maxpool2"):
            continue
        mask = seen(net, name, (0, 1, 1))["x"][0]
        for field, hits in ((rows, mask.any(axis=1)), (columns, mask.any(axis=0))):
            span = field.interval(1).clip(0, 12)
            assert np.flatnonzero(hits).tolist() == list(range(span.lo, span.hi)), name


def test_it_is_what_moves_the_output() -> None:
    """A change of any position that is seen changes the output; of no other."""
    net = L.build(
        L.Chain(L.Conv(2, 3, dilation=2, padding=2), L.AvgPool(2), L.Conv(2, 2, stride=2)),
        (1, 9, 9),
        seed=3,
    ).astype("float64")
    name, at = net.nodes[-1].outputs[0], (1, 0, 1)
    mask = seen(net, name, at)["x"]
    x = np.random.default_rng(0).normal(size=(1, 1, 9, 9))
    base = net(x)[0, *at]
    for position in np.ndindex(*mask.shape):
        moved = x.copy()
        moved[0, *position] += 1.0
        assert (net(moved)[0, *at] != base) == mask[position], position


def test_padding_that_wraps_is_seen_on_the_other_side() -> None:
    net = L.build(L.Conv(1, 3, padding=1, padding_mode="circular"), (1, 5))
    assert np.flatnonzero(seen(net, "conv1", (0, 0))["x"]).tolist() == [0, 1, 4]


def test_dense_layers_see_everything() -> None:
    net = L.build(L.Chain(L.Conv(2, 3), L.Flatten(), L.Dense(3)), (1, 4, 4))
    assert seen(net, "dense1", (2,))["x"].all()


def test_questions_without_an_answer_are_refused() -> None:
    net = L.build(L.Conv(1, 3), (1, 7, 7))
    with pytest.raises(GraphError, match=r"a node must compute the value, .* \[seen S1\]"):
        seen(net, "x", (0, 0, 0))
    with pytest.raises(GraphError, match=r"conv1 must have the position, .* \[seen S2\]"):
        seen(net, "conv1", (0, 5, 0))
