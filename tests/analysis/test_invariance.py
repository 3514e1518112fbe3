"""Predictions under shifts: counts that are known, and intervals beside another source."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

import faltung
from faltung import layers as L
from faltung.analysis.invariance import invariance, moved, wilson
from faltung.errors import GraphError
from faltung.graph import Graph


def leftmost_or_not(size: int) -> Graph:
    """Class 0 where the first of a row is above 0.5, class 1 where it is not."""
    graph = L.build(L.Chain(L.Flatten(), L.Dense(2)), (1, size))
    weight = np.zeros((2, size))
    weight[0, 0] = 1
    return graph.replace(params={"dense1.weight": weight, "dense1.bias": [0, 0.5]})


def test_counts_by_direction() -> None:
    images = np.zeros((4, 1, 6))
    images[0, 0, 0] = images[1, 0, 1] = images[2, 0, 5] = images[3, 0, 3] = 1
    found = invariance(leftmost_or_not(6), images, shifts=[0, 1, 3])
    assert found.directions == ("left", "right")
    # To the left by 1, the image lit at 0 goes dark and the one lit at 1 lights up.
    assert found.unchanged == ((4, 4), (2, 3), (2, 3))
    assert found.shares == (1.0, 5 / 8, 5 / 8)


def test_a_global_maximum_is_invariant_until_it_leaves() -> None:
    net = L.build(L.Chain(L.Conv(5, 1), L.GlobalMaxPool(), L.Flatten()), (1, 8, 8))
    images = np.zeros((6, 1, 8, 8))
    images[np.arange(6), 0, 4, 4] = np.arange(1, 7)
    found = faltung.invariance(net, images, shifts=range(4))
    assert found.directions == ("up", "down", "left", "right")
    assert found.shares == (1.0,) * 4
    assert found.intervals[0] == wilson(1.0, 6)


def test_what_leaves_is_lost_and_the_fill_comes_in() -> None:
    x = np.arange(6).reshape(1, 1, 2, 3)
    assert moved(x, 3, 1, 7)[0, 0].tolist() == [[7, 0, 1], [7, 3, 4]]
    assert moved(x, 2, -1)[0, 0].tolist() == [[3, 4, 5], [0, 0, 0]]
    assert moved(x, 3, 5, 9)[0, 0].tolist() == [[9, 9, 9], [9, 9, 9]]
    assert moved(x, 3, 0).tolist() == x.tolist()
    filled = invariance(leftmost_or_not(4), np.zeros((3, 1, 4)), shifts=[1], fill=1.0)
    assert filled.unchanged == ((3, 0),)


def test_the_interval_is_wilsons(scipy: Any) -> None:
    for k, n in ((0, 5), (3, 7), (90, 100), (50, 50)):
        theirs = scipy.stats.binomtest(k, n).proportion_ci(method="wilson")
        assert wilson(k / n, n) == pytest.approx((theirs.low, theirs.high), abs=1e-12)


def test_three_axes_have_names() -> None:
    net = L.build(L.Chain(L.GlobalMaxPool(), L.Flatten()), (2, 3, 3, 3))
    found = invariance(net, np.ones((2, 2, 3, 3, 3)), shifts=[1])
    assert found.directions[:3] == ("axis 0 -", "axis 0 +", "axis 1 -")


def test_the_report_is_plain_data() -> None:
    found = invariance(leftmost_or_not(6), np.zeros((4, 1, 6)), shifts=[0, 2])
    data = json.loads(json.dumps(found.to_dict()))
    assert data["shifts"][1]["share"] == 1
    assert "4 images, each moved in 2 directions" in str(found)
    assert "no invariant network" in str(found)


def test_refusals() -> None:
    net = leftmost_or_not(6)
    with pytest.raises(GraphError, match=r"images must be \(N, C, \*space\), one or more"):
        invariance(net, np.zeros((0, 1, 6)))
    with pytest.raises(GraphError, match=r"there must be shifts, none of them negative"):
        invariance(net, np.zeros((1, 1, 6)), shifts=[-1])
    with pytest.raises(GraphError, match=r"the first output must be \(N, classes\)"):
        invariance(L.build(L.Conv(2, 3), (1, 6)), np.zeros((1, 1, 6)))
    a, b = L.Input((1, 9), name="a"), L.Input((1, 9), name="b")
    with pytest.raises(GraphError, match=r"the network must have one input"):
        invariance(L.build(L.Add()(a, b)), np.zeros((1, 1, 9)))
