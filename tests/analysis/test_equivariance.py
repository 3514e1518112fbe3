"""The audit: networks whose period and culprits are known."""

from __future__ import annotations

import json

import numpy as np
import pytest

import faltung
from faltung import layers as L
from faltung import ops, zoo
from faltung.analysis.equivariance import Equivariance, equivariance, with_blur_pooling
from faltung.errors import GraphError
from faltung.graph import Graph, Node
from faltung.graph.wrapped import with_circular_padding


def guilty(found: Equivariance, axis: int = 0) -> list[tuple[str, str]]:
    return [(c.node, c.kind) for c in found.culprits if c.kind != "border" and c.axis == axis]


def borders(found: Equivariance, axis: int = 0) -> dict[str, int]:
    return {c.node: c.positions for c in found.culprits if c.kind == "border" and c.axis == axis}


def test_stride_one_is_equivariant_away_from_the_border() -> None:
    chain = L.Chain(L.Conv(3, 3, padding=1), L.BatchNorm(), L.Relu(), L.Conv(2, 5, dilation=2))
    found = equivariance(L.build(chain, (2, 16, 16)))
    assert found.period == found.predicted == (1, 1)
    assert found.is_exact
    assert guilty(found) == []
    assert borders(found) == {"conv1": 2}
    assert [layer.border for layer in found.axes[0].layers] == [(1, 1), (1, 1), (1, 1), (1, 1)]
    assert min(found.positions) > 0


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_a_circular_network_is_equivariant_everywhere(axes: int) -> None:
    layer = L.Conv(2, 3, padding="same", padding_mode="circular")
    graph = L.build(L.Chain(layer, L.Relu(), layer), (1, *(9,) * axes))
    found = equivariance(graph)
    assert found.circular
    assert found.period == (1,) * axes
    assert found.culprits == ()
    for axis, count in enumerate(found.positions):
        assert count == np.prod(found.axes[axis].input_shape[2:])


def test_zero_padding_is_made_circular_on_request() -> None:
    graph = L.build(L.Chain(L.Conv(2, 3, padding=1), L.Conv(2, 3)), (1, 9))
    assert borders(equivariance(graph)) == {"conv1": 2}
    found = equivariance(graph, circular=True)
    assert (found.circular, found.period, found.culprits) == (True, (1,), ())
    assert found.positions == (found.axes[0].input_shape[2],)


@pytest.mark.parametrize("size", [16, 17])
def test_same_with_stride_two(size: int) -> None:
    """The kind of padding is a fault of its own: with it, the grid depends on the size."""
    graph = L.build(L.Conv(2, 3, stride=2, padding="same"), (1, size))
    found = equivariance(graph)
    assert (found.period, found.predicted) == ((2,), (2,))
    assert guilty(found) == [("conv1", "stride"), ("conv1", "same")]
    assert all(c.error > 0.1 and c.positions > 0 for c in found.culprits[:2])
    assert "depends on its size" in str(found)
    assert found.axes[0].input_shape[2] % 2 == size % 2


def test_stride_with_numbers_is_not_blamed_for_its_padding() -> None:
    found = equivariance(L.build(L.Conv(2, 3, stride=2, padding=1), (1, 16)))
    assert guilty(found) == [("conv1", "stride")]


def test_same_whose_front_never_changes_is_not_blamed() -> None:
    # A window of 2 gets its padding at the end, for every size.
    found = equivariance(L.build(L.Conv(2, 2, stride=2, padding="same"), (1, 16)))
    assert guilty(found) == [("conv1", "stride")]


def with_constant(graph: Graph, after: str, constant: np.ndarray) -> Graph:
    """The graph with a constant added to one of its values."""
    nodes = []
    for node in graph.nodes:
        if node.outputs == (after,):
            nodes.append(Node(node.name, node.operator, node.inputs, (f"{after}.bare",)))
            nodes.append(Node("planted", ops.Add(), (f"{after}.bare", "places"), (after,)))
        else:
            nodes.append(node)
    state = {**graph.state, "places": constant.astype(np.float32)}
    return Graph(graph.inputs, tuple(nodes), graph.outputs, graph.params, state)


@pytest.mark.parametrize("where", ["relu1", "relu2", "conv3"])
def test_a_planted_dependence_on_the_position_is_found_where_it_is(where: str) -> None:
    layers = [L.Conv(2, 3, padding=1), L.Relu(), L.Conv(2, 3, padding=1), L.Relu()]
    graph = L.build(L.Chain(*layers, L.Conv(2, 3, padding=1)), (1, 24, 24))
    ramp = np.linspace(0, 1, 24)[:, None] * np.ones((1, 24))
    found = equivariance(with_constant(graph, where, ramp))
    assert guilty(found, 0) == [("planted", "position")]
    assert guilty(found, 1) == []
    assert found.period == (None, 1)
    (culprit,) = (c for c in found.culprits if c.kind == "position")
    assert culprit.is_first
    assert "'places' stays where it is, and has other values at other positions" in culprit.why
    # It takes one size alone: nothing was enlarged, and what comes before is still exact.
    assert found.axes[0].input_shape == (1, 1, 24, 24)
    before = [layer for layer in found.axes[0].layers if layer.value == "conv1"]
    assert before[0].measured.period == 1


def test_a_constant_for_each_channel_is_no_culprit() -> None:
    graph = L.build(L.Conv(2, 3), (1, 24))
    found = equivariance(with_constant(graph, "conv1", np.array([[1], [5]])))
    assert (found.period, found.culprits) == ((1,), ())


def test_coordinates_and_local_weights_are_found() -> None:
    x = L.Input((1, 20))
    local = L.LocallyConnected(2, 3, name="local")(L.Conv(2, 3)(x))
    found = equivariance(L.build(local))
    assert guilty(found)[0] == ("local", "position")
    assert "other weights at each position" in found.culprits[0].why
    graph = L.build(L.Conv(2, 3), (2, 20))
    state = {"coordinates": np.arange(20, dtype=np.float32)[None, None]}
    node = Node("beside", ops.Concat(1), ("image", "coordinates"), ("x",))
    image = faltung.Value("image", (1, 1, 20))
    coord = Graph((image,), (node, *graph.nodes), graph.outputs, graph.params, state)
    found = equivariance(coord)
    assert guilty(found) == [("beside", "position")]
    assert found.period == (None,)


def test_max_pooling_against_blur_pooling() -> None:
    chain = L.Chain(L.Conv(4, 3, padding=1), L.Relu(), L.MaxPool(2), L.Conv(4, 3, padding=1))
    graph = L.build(chain, (1, 32, 32))
    plain, blurred = equivariance(graph), equivariance(with_blur_pooling(graph))
    assert guilty(plain) == [("maxpool1", "pooling")]
    assert guilty(blurred) == [("maxpool1.blurred", "stride")]
    assert plain.period == blurred.period == (2, 2)  # a blur lessens the error, it cures nothing
    for axis in (0, 1):
        before, after = plain.errors[axis][1], blurred.errors[axis][1]
        assert before is not None
        assert after is not None
        assert after < before / 1.5
        # The plain one's report foresees it, at its own size of input.
        foreseen = plain.axes[axis].blurred
        assert list(foreseen) == [1, 2, 3, 4]
        assert foreseen[1] < before / 1.5
        assert foreseen[2] < 1e-12
    assert "without and with blur pooling" in str(plain)
    culprit = next(c for c in plain.culprits if c.kind == "pooling")
    assert culprit.blurred is not None
    assert culprit.blurred < culprit.error


def test_pooling_and_upsampling_hide_a_period() -> None:
    """The total stride of the output is 1, its period is that of the pooling on the way."""
    up = L.Operation(ops.Resize((1.0, 1.0, 2.0), coordinate="asymmetric", nearest_mode="floor"))
    found = equivariance(L.build(L.Chain(L.MaxPool(2), up, L.Conv(1, 3)), (1, 16)))
    assert found.period == found.predicted == (2,)
    assert found.axes[0].layers[-1].measured.track.jump == 1
    assert guilty(found) == [("maxpool1", "pooling")]


def test_branches_and_several_inputs_and_outputs() -> None:
    a, b = L.Input((1, 12), name="a"), L.Input((1, 12), name="b")
    deep = L.Conv(2, 3, padding=1, name="deep")(a) + L.Conv(2, 1, name="flat")(b)
    graph = L.build([L.MaxPool(2, name="pooled")(deep), L.Conv(1, 3, name="fine")(deep)])
    found = equivariance(graph)
    by_name = {layer.value: layer.measured.period for layer in found.axes[0].layers}
    assert by_name == {"deep": 1, "flat": 1, "add1": 1, "pooled": 2, "fine": 1}
    assert set(found.outputs) == {"pooled", "fine"}
    assert found.period == (2,)


def test_what_follows_a_global_operator_is_left_out() -> None:
    chain = L.Chain(L.Conv(2, 3), L.GlobalAvgPool(), L.Flatten(), L.Dense(3))
    found = equivariance(L.build(chain, (1, 12, 12)))
    assert found.outputs == ("conv1",)
    assert [each.node for each in found.global_operators] == ["globalaveragepool1"]
    assert "before globalaveragepool1, as" in str(found)


def test_nothing_to_compare_gives_no_figure() -> None:
    """A network for one size, whose last map lies in the reach of the border everywhere."""
    graph = L.build(L.Chain(*[L.Conv(1, 5, padding=2) for _ in range(3)]), (1, 10))
    pinned = with_constant(graph, "conv1", np.ones((1, 10)))
    found = equivariance(pinned)
    last = found.axes[0].layers[-1]
    assert last.positions == 0
    assert all(each.error is None for each in last.measured.under)
    assert found.period == (None,)
    assert set(found.errors[0].values()) == {None}
    assert "no figure, as no position could be compared" in str(found)
    assert any(layer.positions for layer in found.axes[0].layers)


def test_maps_without_a_pattern_give_no_figure() -> None:
    """Zeros are the same under every shift, whatever the network does."""
    graph = L.build(L.Chain(L.Conv(1, 3, stride=2), L.Relu()), (1, 20))
    dead = graph.replace(params={"conv1.weight": np.ones((1, 1, 3)), "conv1.bias": [-1e6]})
    found = equivariance(dead)
    assert found.period == (None,)
    assert set(found.errors[0].values()) == {None}
    assert "no figure, as the maps are the same everywhere" in str(found)
    assert found.axes[0].layers[0].measured.period == 2


def test_published_networks_have_their_total_stride() -> None:
    found = equivariance(zoo.sketch("mobilenet-v1"), shifts=[8, 16, 32], fix=False)
    assert found.drawn
    assert found.period == found.predicted == (32, 32)
    assert min(found.positions) >= 4
    assert guilty(found)[0] == ("conv1", "stride")


def test_a_small_residual_network() -> None:
    found = equivariance(zoo.build("resnet20"), shifts=[1, 2, 4], fix=False)
    assert not found.drawn
    assert found.period == found.predicted == (4, 4)


def test_the_32_wide_row_shifted_by_5() -> None:
    """Mission I9: with zeros around, columns 0, 4, 5 and 31 differ; on a ring none does."""
    graph = L.build(L.Conv(1, 3, padding="same"), (1, 1, 32)).astype("float64")
    x = np.random.default_rng(0).normal(size=(1, 1, 1, 32))

    def differing(net: Graph) -> list[int]:
        difference = np.abs(net(np.roll(x, 5, -1)) - np.roll(net(x), 5, -1))
        return np.flatnonzero(difference[0, 0, 0] > 1e-9).tolist()

    assert differing(graph) == [0, 4, 5, 31]
    assert differing(with_circular_padding(graph)) == []
    measured = equivariance(graph, (1, 1, 32, 32), shifts=[5])
    assert measured.axes[1].layers[0].border == (1, 1)


def test_the_report_is_plain_data() -> None:
    graph = L.build(L.Chain(L.Conv(2, 3, padding=1), L.MaxPool(2)), (1, 16))
    found = faltung.equivariance(graph)
    data = json.loads(json.dumps(found.to_dict()))
    assert data["period"] == [2]
    assert data["layers"][1]["predicted_period"] == 2
    assert {c["kind"] for c in data["culprits"]} == {"border", "pooling"}
    assert "<table>" in found._repr_html_()


def test_same_seed_same_figures() -> None:
    graph = L.build(L.MaxPool(2), (1, 16))
    assert equivariance(graph).errors == equivariance(graph).errors
    assert equivariance(graph, seed=1).errors != equivariance(graph).errors


@pytest.mark.parametrize(
    ("network", "shape", "text"),
    [
        (L.Dense(3), (4,), r"the first input must have axes of space"),
        (
            L.Chain(L.Flatten(), L.Dense(3)),
            (1, 4, 4),
            r"the first operators see a whole axis: there is no part to shift.*dense1",
        ),
    ],
)
def test_what_cannot_be_shifted_is_refused(
    network: L.AbstractLayer, shape: tuple[int, ...], text: str
) -> None:
    with pytest.raises(GraphError, match=text):
        equivariance(L.build(network, shape))


def test_shifts_move_something() -> None:
    with pytest.raises(GraphError, match=r"shifts must be 1 or more, got shifts=\(0, 1\)"):
        equivariance(L.build(L.Relu(), (1, 8)), shifts=[0, 1])
