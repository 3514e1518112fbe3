"""How far each layer sees, as a report: row R1 and VGG-16."""

from __future__ import annotations

import pytest

from faltung import field_report
from faltung.graph import layers as L
from faltung.zoo import sketch


def test_row_r1() -> None:
    shares = [f"{100 * layer.share:.1f}" for layer in field_report().layers]
    assert shares == ["18.4", "51.0", "100.0"]
    one = field_report(L.build(L.Conv(1, 1), (1, 7, 7))).layers[0]
    assert f"{100 * one.share:.1f}" == "2.0"


def test_vgg_16_sees_as_published() -> None:
    sizes = {layer.name: layer.field[0].size for layer in field_report(sketch("vgg16")).layers}
    ends = ["conv2", "conv4", "conv7", "conv10", "conv13", "maxpool5"]
    assert [sizes[name] for name in ends] == [5, 14, 40, 92, 196, 212]


def test_a_report_is_a_table_and_plain_data() -> None:
    net = L.build(L.Chain(L.Conv(2, (3, 5), stride=(1, 2)), L.Flatten(), L.Dense(3)), (1, 8, 11))
    report = field_report(net)
    assert str(report).splitlines()[2].split() == ["conv1", "2×6×4", "3×5", "1×2", "17.0", "%"]
    assert report.to_dict()["layers"][0] == {
        "layer": "conv1",
        "out_shape": [2, 6, 4],
        "sees": [3, 5],
        "jump": [1.0, 2.0],
        "start": [0, 0],
        "share": pytest.approx(15 / 88),
    }
    assert report.to_dict()["layers"][-1]["sees"] == [None, None]
    assert report.to_dict()["input"] == [8, 11]


def test_another_size_can_be_asked_for() -> None:
    net = L.build(L.Chain(L.Conv(4, 3), L.MaxPool(2)), (1, 12, 12))
    report = field_report(net, (1, 1, 40, 62))
    assert report.input_space == (40, 62)
    assert report.layers[-1].out_shape == (4, 19, 30)
