"""Compositions: laws on random arrays, merged layers against two, boxes, Gaussians."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import faltung
from faltung import layers as L
from faltung.definitions import compose, gaussian_sums, merged_kernel, triangle
from faltung.definitions.agreement import agreement
from faltung.errors import DTypeError, GeometryError


@st.composite
def arrays(draw: Any, dtype: type) -> list[Any]:
    axes = draw(st.integers(1, 3))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    most = (9, 4, 4)
    shapes = [draw(st.lists(st.integers(1, n), min_size=axes, max_size=axes)) for n in most]
    if dtype is int:
        return [rng.integers(-9, 10, shape) for shape in shapes]
    return [rng.standard_normal(shape) for shape in shapes]


@given(arrays(int))
def test_laws_are_exact_on_integers(given: list[Any]) -> None:
    report = compose(*given)
    assert [law.largest for law in report.laws] == [0] * 4
    assert all(law.equal == law.positions and law.bound == 0 for law in report.laws)


@given(arrays(float))
def test_laws_hold_to_rounding_on_floats(given: list[Any]) -> None:
    for law in compose(*given).laws:
        assert law.holds
        assert law.bound < 1e-9


def test_what_does_not_hold_is_seen() -> None:
    one = np.arange(5)
    assert not agreement("shifted", one, np.roll(one, 1), 0.0).holds
    assert agreement("itself", one, one, 0.0).holds
    assert agreement("shifted", one, np.roll(one, 1), 0.0).equal == 0


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_two_layers_of_a_graph_are_one_of_the_merged_kernel(axes: int) -> None:
    """Channels and unpadded layers: equal everywhere, exactly on small integers."""
    rng = np.random.default_rng(axes)
    w1 = rng.integers(-3, 4, (4, 2, *(3, 2, 4)[:axes])).astype(np.float32)
    w2 = rng.integers(-3, 4, (3, 4, *(2, 3, 1)[:axes])).astype(np.float32)
    x = rng.integers(-3, 4, (2, 2, *(8,) * axes)).astype(np.float32)
    merged = merged_kernel(w1, w2)
    assert merged.shape == (3, 2, *(4, 4, 4)[:axes])
    shapes = [(a.shape[0], a.shape[2:]) for a in (w1, w2)]
    both = L.Chain(*(L.Conv(o, k, bias=False) for o, k in shapes))
    net = L.build(both, x.shape[1:]).replace(params={"conv1.weight": w1, "conv2.weight": w2})
    assert np.array_equal(net(x), faltung.conv(x, merged))


def test_padded_layers_differ_at_the_border_alone() -> None:
    report = compose()
    x, k1, k2 = (np.asarray(a, float)[None, None] for a in _defaults())
    two = faltung.conv(faltung.conv(x, k1, padding="same"), k2, padding="same")[0, 0]
    one = faltung.conv(x, report.merged[None, None], padding="same")[0, 0]
    assert (report.border.positions, report.border.equal) == (64, int((one == two).sum()))
    assert np.array_equal(one[1:-1, 1:-1], two[1:-1, 1:-1])
    assert report.border.equal < 64


def test_a_relu_keeps_two_layers_two() -> None:
    report = compose()
    x, k1, k2 = (np.asarray(a, float)[None, None] for a in _defaults())
    middle = [np.maximum(faltung.conv(s * x, k1, padding="same"), 0) for s in (1, -1)]
    plus, minus = (faltung.conv(m, k2, padding="same")[0, 0] for m in middle)
    assert report.odd == int((plus != -minus).sum()) > 0
    one = faltung.conv(x, report.merged[None, None], padding="same")[0, 0]
    assert report.relu.equal == int((plus == one).sum()) < 64
    assert "would change" in str(compose([0, 0], [1], [1]))


def _defaults() -> tuple[Any, Any, Any]:
    from faltung.definitions.composition import FIRST, IMAGE, SECOND

    return IMAGE, FIRST, SECOND


@pytest.mark.parametrize("width", [1, 2, 4, 64])
def test_two_boxes_are_a_triangle(width: int) -> None:
    """The integral of two boxes on [0, 1] is min(x, 2 - x), at every sampled x = i / width."""
    step = 1 / width
    x = np.arange(1, 2 * width) * step
    assert np.array_equal(triangle(width) * step, np.minimum(x, 2 - x))


@given(st.floats(0.3, 5), st.floats(0.3, 5), st.floats(0.2, 3))
def test_gaussians_stay_within_their_bound(first: float, second: float, step: float) -> None:
    (each,) = gaussian_sums(first, second, (step,))
    assert each.largest <= each.bound
    a, b, both = each.variances
    assert both == pytest.approx(a + b, rel=1e-12)


def test_the_bound_on_gaussians_is_no_idle_one() -> None:
    coarse, fine, finest = gaussian_sums()
    assert coarse.largest > 0.9 * coarse.bound
    assert fine.largest > 0.9 * fine.bound
    assert finest.bound < 1e-13
    assert fine.variances[2] == pytest.approx(5, rel=1e-6)
    assert coarse.variances[2] != pytest.approx(5, rel=1e-2)


def test_a_report_has_three_faces() -> None:
    report = compose()
    assert json.loads(json.dumps(report.to_dict(), allow_nan=False))["relu"]["not_odd_at"] == 64
    assert "<table>" in report._repr_html_()
    assert "kernels of 3×3 and 3×3 are one of 5×5" in str(report)
    many = compose(np.ones((2, 2, 2), int), np.ones((1, 2, 1), int), np.ones((1, 1, 1), int))
    assert "K1*K2 has 2 entries" in str(many)
    assert "holds" in str(report)


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (
            ([1, 2], [[1]], [1]),
            "image and kernels must have the same 1 to 3 axes, and finite values",
        ),
        (([1, 2], [], [1]), "got shapes=[(2,), (0,), (1,)]. [compose M1]"),
        (([1, np.inf], [1], [1]), "and finite values"),
        ((1, 2, 3), "the same 1 to 3 axes"),
    ],
)
def test_what_is_refused(given: Any, text: str) -> None:
    with pytest.raises(GeometryError, match=re.escape(text)):
        compose(*given)


def test_other_refusals() -> None:
    with pytest.raises(DTypeError, match="second must hold integers, booleans or floats"):
        compose([1], [1], [1j])
    for first, second in (((2, 1, 3), (1, 3, 3)), ((2, 1, 3), (1, 2, 3, 3)), ((2, 1), (1, 2))):
        with pytest.raises(GeometryError, match="take the channels that the first one puts out"):
            merged_kernel(np.ones(first), np.ones(second))
