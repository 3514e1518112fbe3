"""Receptive fields: published figures, traps, and dependencies found by brute force."""

from __future__ import annotations

import numpy as np
import pytest

from faltung import Graph
from faltung import layers as L
from faltung.analysis import receptive_fields, summarize
from faltung.analysis.receptive_field import Walk
from faltung.errors import GraphError
from faltung.geometry import Interval
from faltung.ops.operator import EVERYTHING

VGG16 = [64, 64, "M", 128, 128, "M", *[256] * 3, "M", *[512] * 3, "M", *[512] * 3, "M"]


def chain_sizes(*layers: L.AbstractLayer, size: int = 32) -> list[tuple[object, int, int]]:
    fields = receptive_fields(L.build(L.Chain(*layers), (1, size, size)))
    return [(f[0].size, int(f[0].jump), f[0].start) for f in fields.values()]


def test_three_by_three_grows_by_two() -> None:
    net = L.build(L.Chain(*(L.Conv(1, 3, padding=1) for _ in range(3))), (1, 7, 7))
    fields = [f[0] for f in receptive_fields(net).values()]
    assert [f.size for f in fields] == [3, 5, 7]
    assert [round(100 * f.share**2, 1) for f in fields] == [18.4, 51.0, 100.0]


def test_a_stride_changes_later_layers_only() -> None:
    assert chain_sizes(L.Conv(1, 7, stride=2), L.MaxPool(3, 2)) == [(7, 2, 0), (11, 4, 0)]


def test_vgg16() -> None:
    layers: list[L.AbstractLayer] = [
        L.MaxPool(2) if c == "M" else L.Conv(1, 3, padding=1) for c in VGG16
    ]
    found = chain_sizes(*layers, size=224)
    ends = [found[i - 1] for i, c in enumerate(VGG16) if c == "M"]
    assert [size for size, _, _ in ends] == [5, 14, 40, 92, 196]
    assert found[-1] == (212, 32, -90)


def test_alexnet() -> None:
    found = chain_sizes(
        L.Conv(1, 11, stride=4),
        L.MaxPool(3, 2),
        L.Conv(1, 5, padding=2),
        L.MaxPool(3, 2),
        L.Conv(1, 3, padding=1),
        L.Conv(1, 3, padding=1),
        L.Conv(1, 3, padding=1),
        L.MaxPool(3, 2),
        size=227,
    )
    convs = [found[i][0] for i in (0, 2, 4, 5, 6, 7)]
    assert convs == [11, 51, 99, 131, 163, 195]


def test_pool_then_upsample_depends_on_the_phase() -> None:
    h = L.Chain(
        L.Conv(1, 3, padding=1),
        L.MaxPool(2),
        L.Conv(1, 3, padding=1),
        L.ConvTranspose(1, 2, stride=2),
        L.Conv(1, 3, padding=1),
    )
    net = L.build(h, (1, 32, 32))
    walk = Walk(net, net.shapes())
    first, one = Interval(0, 1), Interval(0, 1)
    reach = {}
    for o in range(8, 12):
        span = walk.spans("conv3", (first, one, Interval(o, o + 1), Interval(8, 9)))["x"][2]
        assert isinstance(span, Interval)
        reach[o] = (o - span.lo, span.hi - 1 - o)
    assert reach == {8: (5, 4), 9: (4, 5), 10: (5, 4), 11: (4, 5)}
    (field, _) = receptive_fields(net)["conv3"]
    assert (field.size, field.jump) == (10, 1)


def test_branches_unite() -> None:
    x = L.Input((1, 16, 16))
    net = L.build(L.Conv(1, 5, padding=2)(x) + L.Conv(1, 3, padding=1, dilation=1)(x))
    assert receptive_fields(net)["add1"][0].size == 5


def test_dense_and_global_pooling_see_everything() -> None:
    net = L.build(L.Chain(L.Conv(2, 3), L.Flatten(), L.Dense(3)), (1, 8, 8))
    fields = receptive_fields(net)
    assert fields["dense1"][0].size is EVERYTHING
    assert fields["dense1"][0].share == 1
    assert fields["flatten1"][0].size == 3
    net = L.build(L.Chain(L.Conv(2, 3), L.GlobalAvgPool()), (1, 8, 8))
    assert receptive_fields(net)["globalaveragepool1"][1].size is EVERYTHING


def test_unknown_source_is_refused() -> None:
    net = L.build(L.Conv(1, 3), (1, 8, 8))
    with pytest.raises(GraphError, match="source must be an input"):
        receptive_fields(net, source="y")


def dependencies(net: Graph, size: int, o: tuple[int, int]) -> tuple[set[int], set[int]]:
    """Rows and columns of the input whose change changes output ``o``, weights all positive."""
    positive = net.replace(params={n: np.ones_like(a) for n, a in net.params.items()}).astype(float)
    base = np.zeros((1, 1, size, size))
    rest = positive(base)[0, :, o[0], o[1]]
    rows, columns = set(), set()
    for row in range(size):
        for column in range(size):
            x = base.copy()
            x[0, 0, row, column] = 1
            if np.any(positive(x)[0, :, o[0], o[1]] != rest):
                rows.add(row)
                columns.add(column)
    return rows, columns


@pytest.mark.parametrize(
    "network",
    [
        L.Chain(L.Conv(2, 3, stride=2, padding="same"), L.AvgPool(2, 1, 1)),
        L.Chain(L.Conv(1, (2, 3), dilation=(2, 1)), L.Residual(L.Conv(1, 3, padding=1))),
        L.Chain(L.Conv(2, 3, padding=1), L.AvgPool(2), L.ConvTranspose(1, 3, 2, 1, 1)),
        L.Chain(L.Conv(2, 4, padding=((2, 1), (0, 3)), groups=1), L.Conv(2, 3, groups=2)),
    ],
)
def test_intervals_are_what_brute_force_finds(network: L.AbstractLayer) -> None:
    size = 11
    net = L.build(network, (1, size, size))
    walk = Walk(net, net.shapes())
    value = net.outputs[0]
    height, width = (int(n) for n in walk.shapes[value][2:])
    for o in [(0, 0), (height // 2, width // 2), (height - 1, width - 1)]:
        box = (Interval(0, 1), Interval(0, int(walk.shapes[value][1])))
        spans = walk.spans(value, (*box, *(Interval(i, i + 1) for i in o)))["x"][2:]
        rows, columns = dependencies(net, size, o)
        for span, found in zip(spans, (rows, columns), strict=True):
            assert isinstance(span, Interval)
            assert (max(span.lo, 0), min(span.hi, size)) == (min(found), max(found) + 1)


def test_summary_of_lenet_like_net() -> None:
    net = L.build(L.Chain(L.Conv(6, 5), L.Relu(), L.Flatten(), L.Dense(10)), (1, 28, 28))
    s = summarize(net)
    assert s.params == 156 + 34570 == net.trainable
    assert s.macs == s.connections == 6 * 24 * 24 * 25 + 34560
    assert s.layers[0].dense_params == 784 * 3456 + 3456
    assert s.to_dict()["layers"][0]["field"][0] == {
        "size": 5,
        "jump": 1.0,
        "start": 0,
        "share": 5 / 28,
    }
    assert "<td>conv1</td>" in s._repr_html_()
    assert str(s).splitlines()[-1].split() == ["total", "34,726", "120,960"]


def test_shared_parameters_count_once() -> None:
    layer = L.Conv(1, 3, padding=1)
    x = L.Input((1, 8, 8))
    weight = L.Weight("weight", (1, 1, 3, 3), L.zeros((1, 1, 3, 3)))
    from faltung import ops

    h = L.apply(ops.Conv(padding=1), x, weight)
    net = L.build(L.apply(ops.Conv(padding=1), h, weight))
    assert summarize(net).params == 9 == net.trainable
    assert [row.params for row in summarize(net).layers] == [9, 0]
    assert L.build(layer, (1, 8, 8)).trainable == 10
