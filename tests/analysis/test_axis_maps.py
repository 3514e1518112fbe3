"""Composed maps against the walk back, which asks every operator for every value again."""

from __future__ import annotations

import random
from functools import partial

import pytest

from faltung import Graph, Node, Value, ops, zoo
from faltung import layers as L
from faltung.analysis import Field, receptive_field, receptive_fields
from faltung.analysis.axis_maps import AxisMap, united
from faltung.analysis.local_sight import local_sight
from faltung.analysis.operator_maps import FAR, OperatorMaps
from faltung.analysis.receptive_field import Walk, sights
from faltung.geometry import Interval
from faltung.ops.operator import EVERYTHING, AbstractOperator, Example, Spans

ALL = (*zoo.NAMES, *zoo.PUBLISHED)


def seen_at(walk: Walk, value: str, source: str, at: int) -> Spans:
    rank = len(walk.shapes[value])
    box = tuple(Interval(0, 1) if axis < 2 else Interval(at, at + 1) for axis in range(rank))
    return walk.spans(value, box)[source][2:]


def walked_field(walk: Walk, value: str, source: str, axis: int) -> tuple[object, ...]:
    """Size, jump and start from walks alone, nothing composed."""
    probe = partial(receptive_field._walked, walk, value, source)
    probes = [probe(at) for at in range(3)]
    size = walk.shapes[source][2 + axis]
    assert isinstance(size, int)
    field = receptive_field._field(probe, walk.shapes[value][2:], axis, probes, size)
    return (field.size, field.jump, field.start)


def check_fields(graph: Graph, source: str) -> None:
    """Every field is the walked one, and every map says what is walked anywhere."""
    walk = Walk(graph, graph.shapes())
    fields = receptive_fields(graph, source=source)
    for value, found in fields.items():
        for axis, field in enumerate(found):
            assert isinstance(field, Field)
            wanted = walked_field(walk, value, source, axis)
            assert (field.size, field.jump, field.start) == wanted, (value, axis)
    for value, sight in sights(walk, source).items():
        for at in (0, 1, 5, 11):
            spans = seen_at(walk, value, source, at)
            for seen, span in zip(sight, spans, strict=True):
                if isinstance(seen, AxisMap):
                    o = at if (seen.axis or 0) > 1 else 0
                    assert seen.seen(Interval(o, o + 1)) == span, value
                elif not isinstance(seen, frozenset):
                    assert span is seen, value


@pytest.mark.parametrize("name", ALL)
def test_the_zoo_is_seen_as_the_walk_sees_it(name: str) -> None:
    graph = zoo.sketch(name)
    if len(graph.nodes) > 200:  # Walking back takes time for each pair of nodes.
        first = graph.nodes[:150]
        graph = Graph(graph.inputs, first, first[-1].outputs, graph.params, graph.state)
    check_fields(graph.with_input_shape((1, *graph.inputs[0].shape[1:])), "x")


EXAMPLES = [
    pytest.param(example, id=f"{name}-{i}")
    for name, operator in ops.OPERATORS.items()
    for i, example in enumerate(operator.examples())
]


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_operator_is_seen_as_the_walk_sees_it(example: Example) -> None:
    names = [f"x{i}" for i in range(len(example.in_shapes))]
    outs = example.operator.out_shapes(example.in_shapes)
    if any(isinstance(n, str) or n == 0 for shape in (*outs, *example.in_shapes) for n in shape):
        return
    outputs = tuple(f"y{i}" for i in range(len(outs)))
    inputs = tuple(Value(n, s) for n, s in zip(names, example.in_shapes, strict=True))
    graph = Graph(inputs, (Node("op", example.operator, tuple(names), outputs),), outputs, {})
    for name in names:
        check_fields(graph, name)


STRIDE_PAST_KERNEL = 3


def random_layer(rng: random.Random) -> L.AbstractLayer:
    kernel, stride = rng.choice((1, 2, 3, 4)), rng.choice((1, 1, 2, 3))
    pads = (rng.randrange(3), rng.randrange(3))
    choices: list[L.AbstractLayer] = [
        L.Conv(2, kernel, stride, (pads, pads), rng.choice((1, 2, 3))),
        L.Conv(2, 3, padding=1, groups=2),
        L.MaxPool(kernel, stride, min(kernel // 2, 1)),
        L.ConvTranspose(2, max(kernel, 2), rng.choice((1, 2))),
        L.ConvTranspose(2, 1, STRIDE_PAST_KERNEL),
        L.Operation(ops.Resize(scales=(2.0, 2.0), axes=(2, 3), mode=rng.choice(MODES))),
        L.Operation(ops.Resize(scales=(0.5, 0.5), axes=(2, 3), mode=rng.choice(MODES))),
        L.Pad([pads, (0, 1)], rng.choice(("zeros", "replicate"))),
        L.BlurPool(),
        L.Operation(ops.Transpose((0, 1, 3, 2))),
        L.Residual(L.Conv(2, 3, padding=1)),
        L.BatchNorm(),
        L.Relu(),
    ]
    return rng.choice(choices)


MODES = ("nearest", "linear", "cubic")


def random_graph(seed: int, size: int = 24) -> Graph:
    """Up to nine layers, each behind any value before it; pairs of equal shape are joined."""
    rng = random.Random(seed)
    values = [L.Input((2, size, size), batch=1)]
    while len(values) < 9:
        value = random_layer(rng)(rng.choice(values[-3:]))
        sizes = [int(n) for n in value.shape[2:]]
        if min(sizes) < size // 6 or max(sizes) > 8 * size:
            continue
        values.append(value)
        alike = [v for v in values[:-1] if v.shape == value.shape]
        if alike:
            other = rng.choice(alike)
            values.append(L.Conv(2, 1)(rng.choice((L.Add(), L.Concat()))(other, value)))
    return L.build(values[-1:] if len(values) % 2 else values[-2:])


@pytest.mark.parametrize("seed", range(60))
def test_random_graphs_are_seen_as_the_walk_sees_them(seed: int) -> None:
    check_fields(random_graph(seed), "x")


@pytest.mark.parametrize("seed", range(60))
def test_maps_between_borders_are_what_the_walk_sees_there(seed: int) -> None:
    graph = random_graph(seed, 240)
    walk = Walk(graph, graph.shapes())
    sight = local_sight(graph, walk.shapes, "x")
    for value in sight.seen:
        if seen := sight.maps(value):
            middle = min(int(n) for n in walk.shapes[value][2:]) // 2
            for at in range(middle, middle + 6):
                wanted = seen_at(walk, value, "x", at)
                found = tuple(m.seen(Interval(at, at + 1)) for m in seen)
                assert found == wanted or has_holes(graph), value
                for span, walked in zip(found, wanted, strict=True):
                    assert isinstance(walked, Interval)
                    assert walked.empty or (span.lo <= walked.lo and walked.hi <= span.hi), value


def has_holes(graph: Graph) -> bool:
    """Whether some outputs see nothing: maps say what the ones before them see."""
    return any(
        isinstance(node.operator, ops.ConvTranspose) and node.operator.stride == STRIDE_PAST_KERNEL
        for node in graph.nodes
    )


def test_most_values_of_random_graphs_have_maps_between_borders() -> None:
    """Else the comparison above would compare nothing."""
    sights = []
    for seed in range(60):
        graph = random_graph(seed, 96)
        sight = local_sight(graph, graph.shapes(), "x")
        sights += [sight.maps(value) for value in sight.seen]
    maps = [seen for seen in sights if seen]
    assert len(maps) > 0.7 * len(sights)
    assert sum(each.period > 1 for seen in maps for each in seen) > 100


def test_maps_that_do_not_move_alike_have_no_union() -> None:
    fast, slow = AxisMap(2, (0,), (1,), 2), AxisMap(2, (0,), (3,), 1)
    assert fast.united(slow) is None
    assert united([fast, slow]) == frozenset({2})
    assert united([fast, EVERYTHING]) is EVERYTHING
    assert slow.united(AxisMap(2, (-1,), (1,), 1)) == AxisMap(2, (-1,), (3,), 1)


def test_periods_that_hardly_ever_meet_have_no_map() -> None:
    """Resizes by prime ratios in a row: 31 * 29 * 23 outputs until all repeat."""

    def ratio(p: int) -> AxisMap:
        lows = tuple(o * (p - 1) // p for o in range(p))
        return AxisMap(2, lows, tuple(low + 1 for low in lows), p - 1)

    first = ratio(31).after(ratio(29))
    assert first is not None
    assert first.period == 31 * 29
    assert ratio(23).after(first) is None
    assert first.united(ratio(30)) is None
    shape = (1, 1, 31 * 29 * 23)
    up = (L.Operation(ops.Resize(scales=(p / (p - 1),), axes=(2,))) for p in (31, 29, 23))
    graph = L.build(L.Chain(*up), shape[1:]).with_input_shape(shape)
    assert local_sight(graph, graph.shapes(), "x").maps(graph.outputs[0]) is None


class Bent(ops.Relu):
    """Sees itself, but from a far output on sees one position more: no window does that."""

    bend = 45

    def input_span(self, in_shapes: object, spans: Spans, output: int = 0) -> tuple[Spans, ...]:
        last = spans[-1]
        if isinstance(last, Interval) and last.hi > self.bend:
            last = Interval(last.lo, last.hi + 1)
        return ((*spans[:-1], last),)


@pytest.mark.parametrize("bend", [1, 2, 45, FAR // 2])
def test_an_operator_that_only_looks_regular_has_no_map(bend: int) -> None:
    operator: AbstractOperator = type("Bent", (Bent,), {"bend": bend})()
    assert OperatorMaps(operator, ((1, 1, 99),), 3).axis(0, 2) == frozenset({2})
    assert isinstance(OperatorMaps(ops.Relu(), ((1, 1, 99),), 3).axis(0, 2), AxisMap)


def test_deep_networks_are_quick() -> None:
    """So many nodes, each asked a bounded number of times, whatever stands before it."""
    asked = 0

    class Counted(ops.Relu):
        def input_span(self, in_shapes: object, spans: Spans, output: int = 0) -> tuple[Spans, ...]:
            nonlocal asked
            asked += 1
            return (tuple(spans),)

    nodes = tuple(Node(f"n{i}", Counted(), (f"v{i}",), (f"v{i + 1}",)) for i in range(300))
    graph = Graph((Value("v0", (1, 1, 9, 9)),), nodes, ("v300",), {})
    assert receptive_fields(graph)["v300"][1] == Field(1, 1, 0, 9)  # type: ignore[arg-type]
    assert asked < 100 * len(nodes)
