"""Tracks against the exact fields, and what borders really change against what tracks foresee."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from faltung import layers as L
from faltung import ops, receptive_fields, zoo
from faltung.analysis.drawn import drawn_input, has_weights, with_drawn_weights
from faltung.analysis.local_part import field_of, local_part, period_of, resized
from faltung.analysis.shift_error import Compared, Measured, Shifts, border_of
from faltung.analysis.tracks import Track, tracks
from faltung.geometry import Interval
from faltung.graph import Graph, Node


def tracked(graph: Graph, axis: int) -> dict[str, Track]:
    shapes = graph.shapes()
    (value,) = graph.inputs
    size = shapes[value.name][axis]
    assert isinstance(size, int)
    return tracks(graph, shapes, {value.name: (axis, Interval(0, size))})


@pytest.mark.parametrize("name", ["resnet20", "mobilenet-v2", "vgg16", "densenet121"])
def test_strides_and_clean_positions_are_those_of_the_fields(name: str) -> None:
    graph = local_part(zoo.sketch(name)).graph
    graph = graph.with_input_shape((1, *graph.inputs[0].shape[1:2], 64, 800))
    fields = receptive_fields(graph)
    found = tracked(graph, 3)
    shapes = graph.shapes()
    compared = 0
    for value, track in found.items():
        if value not in fields or len(shapes[value]) < 4:
            continue
        field = fields[value][1]
        assert track.jump == field.jump
        inside = [
            o
            for o in range(track.size)
            if field.interval(o).lo >= 0 and field.interval(o).hi <= 800
        ]
        assert [*range(*track.clean)] == inside
        compared += len(inside)
    assert compared > 1000


@pytest.mark.parametrize(
    "network",
    [
        L.Chain(L.Conv(4, 3, padding=1), L.Conv(4, 5, padding=3), L.Conv(4, 3)),
        L.Chain(L.Conv(4, 3, padding=1), L.MaxPool(3, 2, 1), L.Conv(4, 3, padding=1)),
        L.Chain(L.Conv(4, 4, padding="same"), L.ConvTranspose(4, 3, stride=2), L.Conv(4, 3)),
        L.Residual(L.Chain(L.Conv(2, 7, padding=3), L.Conv(2, 3, dilation=2, padding=2))),
        L.Chain(L.AvgPool(2), L.Conv(4, 3, padding=1), L.ConvTranspose(2, 2, stride=2)),
    ],
    ids=range(5),
)
def test_the_border_changes_what_it_is_foreseen_to_change(network: L.AbstractLayer) -> None:
    graph = L.build(network, (2, 64)).with_input_shape((1, 2, 64)).astype("float64")
    (value,) = graph.inputs
    x = drawn_input(graph, value, (1, 2, 64))
    run = Shifts(graph, {value.name: x}, {value.name: 2}, on_ring=False)
    measured = border_of(run, 8)
    for name in run.tracks:
        track = run.tracks[name]
        assert measured[name] == (track.clean.lo, track.size - track.clean.hi)


def test_what_hangs_on_everything_has_no_track() -> None:
    x = L.Input((4, 12, 12))
    h = L.Conv(4, 3, padding=1, name="local")(x)
    gate = L.Chain(L.GlobalAvgPool(), L.Conv(4, 1), L.Sigmoid())(h)
    gated = L.Operation(ops.Mul(), "gated")(h, gate)
    graph = L.build(L.Conv(2, 3, name="after")(gated)).with_input_shape((1, 4, 12, 12))
    assert set(tracked(graph, 2)) == {graph.inputs[0].name, "local"}


def test_axes_may_move() -> None:
    last = L.Operation(ops.Transpose((0, 2, 3, 1)), "last")
    graph = L.build(L.Chain(L.Conv(4, 3), last), (1, 9, 11)).with_input_shape((1, 1, 9, 11))
    assert tracked(graph, 2)["last"].axis == 1
    assert tracked(graph, 3)["last"].axis == 2
    assert tracked(graph, 3)["last"].size == 9


@pytest.mark.parametrize(
    ("name", "field", "period"),
    [("vgg16", 212, 32), ("resnet50", 483, 32), ("mobilenet-v1", 315, 32), ("lenet5", 32, 4)],
)
def test_inputs_are_long_enough(name: str, field: int, period: int) -> None:
    """Trap 8's fields; to each, four total strides and the longest shift."""
    local = local_part(zoo.sketch(name))
    assert (field_of(local, 1), period_of(local, 1)) == (field, period)
    graph = resized(local, 1, 7, at_least=False, ring=False)
    size = graph.inputs[0].shape[3]
    assert isinstance(size, int)
    assert field + 4 * period + 7 <= size < field + 5 * period + 7
    assert size % period == local.space[1] % period
    given = resized(local, 1, 7, at_least=True, ring=False)
    assert given.inputs[0].shape[2] == local.space[0]


def measured(errors: dict[int, float | None], rounding: float = 1e-12) -> Measured:
    under = tuple(Compared(shift, 0, error, 1) for shift, error in errors.items())
    return Measured(Track(2, 9, Interval(0, 9), Fraction(1), 1), 2.0, rounding, under)


def test_a_period_is_the_least_shift_whose_multiples_all_fit() -> None:
    assert measured({1: 0.0, 2: 1e-13, 3: 0.0}).period == 1
    assert measured({1: 1.0, 2: 0.0, 3: 1.0, 4: 1e-13}).period == 2
    assert measured({1: 1.0, 2: 0.0, 3: 1.0, 4: 1e-11}).period is None
    assert measured({1: None, 2: 0.0}).period == 2
    assert measured({1: None}).period is None
    assert measured({1: 1.0, 2: 0.5}).worst == 0.5
    assert measured({1: None}).worst is None


def test_rounding_is_told_from_what_is_none() -> None:
    """A drift of a 10,000,000th from end to end is found beside sums that round."""
    graph = L.build(L.Chain(*[L.Conv(8, 3, padding=1) for _ in range(6)]), (1, 64))
    ramp = np.linspace(0, 1e-7, 64)
    nodes = (*graph.nodes, Node("planted", ops.Add(), ("conv6", "places"), ("out",)))
    graph = Graph(
        graph.inputs, nodes, ("conv6", "out"), graph.params, {"places": ramp}
    ).with_input_shape((1, 1, 64))
    (value,) = graph.inputs
    x = drawn_input(graph, value, (1, 1, 64))
    run = Shifts(graph.astype("float64"), {value.name: x}, {value.name: 2}, on_ring=False)
    found = run.measure([1, 2], ["conv6", "out"])
    assert found["conv6"].period == 1
    assert found["out"].period is None
    assert found["out"].rounding < 1e-10 * found["out"].largest


def test_drawn_weights_are_he_normal() -> None:
    sketch = L.sketch(L.Chain(L.Conv(64, 5), L.BatchNorm(), L.Conv(64, 3)), (32, 16))
    assert not has_weights(sketch)
    drawn = with_drawn_weights(sketch, seed=3)
    assert has_weights(drawn)
    weight = drawn.params["conv2.weight"]
    # The variance of 12,288 normal numbers, to five standard errors of it
    assert weight.var() == pytest.approx(2 / (64 * 3), rel=5 * np.sqrt(2 / weight.size))
    assert drawn.params["norm1.scale"].mean() == pytest.approx(1, abs=5 * 0.1 / 8)
    again = with_drawn_weights(sketch, seed=3)
    assert all(np.array_equal(drawn.params[name], again.params[name]) for name in drawn.params)


def test_raw_pixels_are_drawn_for_networks_that_normalise() -> None:
    raw = L.build(L.Chain(L.Normalize(127.5, 50.0), L.Conv(1, 3)), (1, 9))
    plain = L.build(L.Conv(1, 3), (1, 9))
    assert drawn_input(raw, raw.inputs[0], (1, 1, 900)).max() > 200
    assert abs(drawn_input(plain, plain.inputs[0], (1, 1, 900))).max() < 10
