"""Locality: halos against cut images, phases, branches that stand apart, what sees everything."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest
from numpy.typing import NDArray

from faltung import Graph, Node, Value, ops
from faltung import layers as L
from faltung.analysis.locality import AxisLocality, Locality, locality
from faltung.errors import GraphError
from faltung.ops.operator import AbstractOperator, Example

SAME3 = L.Conv(1, 3, padding=1)


def op(operator: AbstractOperator) -> L.AbstractLayer:
    return L.Operation(operator)


def positive(net: L.AbstractLayer | list[L.Symbol], shape: tuple[int, ...] | None = None) -> Graph:
    """A network all of whose weights are small positive whole numbers, computing in float64."""
    graph = L.build(net, shape)
    rng = np.random.default_rng(0)
    return graph.replace(
        params={name: rng.integers(1, 4, a.shape) for name, a in graph.params.items()}
    ).astype(float)


def halos(net: L.AbstractLayer, shape: tuple[int, ...]) -> list[tuple[int, int]]:
    return [(a.halo_lo, a.halo_hi) for a in locality(L.build(net, shape)).axes]


def tiny_unet(axes: int) -> L.AbstractLayer:
    class Net(L.AbstractLayer):
        def __call__(self, *sources: L.Symbol) -> L.Symbol:
            here = L.Conv(2, 3, padding=1)(*sources)
            below = L.Conv(2, 3, padding=1)(L.AvgPool(2)(here))
            up = L.ConvTranspose(2, 2, stride=2)(below)
            return L.Conv(1, 3, padding=1)(L.Concat()(here, up))

    return Net()


NETS: dict[str, tuple[L.AbstractLayer, tuple[int, ...]]] = {
    "trap 4": (L.Chain(SAME3, L.AvgPool(2), SAME3, L.ConvTranspose(1, 2, 2), SAME3), (1, 64)),
    "nearest": (
        L.Chain(SAME3, L.MaxPool(2), op(ops.Resize(scales=(2.0,), axes=(2,))), SAME3),
        (1, 64),
    ),
    "linear": (
        L.Chain(SAME3, L.AvgPool(2), op(ops.Resize(scales=(4.0,), axes=(2,), mode="linear"))),
        (1, 64),
    ),
    "to a size": (
        L.Chain(L.AvgPool(2), op(ops.Resize(sizes=(64,), axes=(2,), mode="linear")), SAME3),
        (1, 64),
    ),
    "strides": (L.Chain(L.Conv(2, 4, 2, padding=1), L.MaxPool(3, 2), L.Conv(1, 2)), (1, 96)),
    "dilation": (L.Chain(L.Conv(1, 3, dilation=4), L.Conv(1, 2, padding=((3, 0),))), (1, 64)),
    "residual": (L.Chain(L.Residual(L.Chain(SAME3, SAME3)), L.AvgPool(3, 3)), (1, 96)),
    "pixel shuffle": (
        L.Chain(L.Conv(4, 3, 2, 1), op(ops.DepthToSpace(2)), L.Conv(1, 3, padding=1)),
        (1, 32, 32),
    ),
    "every other": (
        L.Chain(SAME3, op(ops.Slice((1,), (64,), (2,), (2,))), L.Conv(1, 3, padding=1)),
        (1, 64),
    ),
    "transposed": (
        L.Chain(L.Conv(1, 4, 2, 1), L.ConvTranspose(1, 4, 2, 1), L.Conv(1, 5, 3)),
        (1, 96),
    ),
    "turned": (
        L.Chain(L.Conv(1, (5, 3), (2, 1)), op(ops.Transpose((0, 1, 3, 2))), L.Conv(1, (2, 1))),
        (1, 40, 40),
    ),
    "unet 1": (tiny_unet(1), (1, 64)),
    "unet 2": (tiny_unet(2), (1, 32, 32)),
    "unet 3": (tiny_unet(3), (1, 20, 20, 20)),
}


def middle_outputs(axis: AxisLocality, size: int) -> tuple[int, int]:
    """A tile of outputs in the middle, of one period, whose halo the image holds."""
    first = int(size / 2 / axis.stride) // axis.period * axis.period
    return first, first + axis.period


def carrying(report: Locality, graph: Graph, axis: int) -> int:
    """The output's axis along which an axis of the input lies: those of "turned" change places."""
    return 5 - axis if any(isinstance(n.operator, ops.Transpose) for n in graph.nodes) else axis


def along(array: NDArray[np.float64], axis: int, lo: int, hi: int) -> NDArray[np.float64]:
    return np.take(array, range(lo, hi), axis)


@pytest.fixture
def direct_sums(monkeypatch: pytest.MonkeyPatch) -> None:
    """Transforms round even whole numbers, each tile its own way; direct sums of them do not."""
    monkeypatch.setenv("FALTUNG_EXACT", "1")


@pytest.mark.parametrize("name", NETS)
@pytest.mark.usefixtures("direct_sums")
def test_a_tile_with_its_halo_is_exact_and_with_one_less_is_not(name: str) -> None:
    """What lies outside of the halo may be anything; what lies on its last position may not."""
    net, shape = NETS[name]
    graph = positive(net, shape)
    report = locality(graph)
    assert report.is_local
    x = np.random.default_rng(1).integers(0, 5, (1, *shape)).astype(float)
    whole = graph(x)
    assert isinstance(whole, np.ndarray)
    for axis, found in enumerate(report.axes, start=2):
        n, out = x.shape[axis], carrying(report, graph, axis)
        first, end = middle_outputs(found, n)

        def kept(o: int, lo: int, hi: int, axis: int = axis, out: int = out) -> bool:
            """Whether output o stays where all that is outside of [lo, hi) is something else."""
            assert 0 < lo < hi < x.shape[axis], "the image is too small for this test"
            other = x + 1000
            other[(slice(None),) * axis + (slice(lo, hi),)] = along(x, axis, lo, hi)
            y = graph(other)
            assert isinstance(y, np.ndarray)
            return np.array_equal(along(y, out, o, o + 1), along(whole, out, o, o + 1))

        tiles = []
        for o in range(first, end):
            at = o * found.stride.numerator // found.stride.denominator
            tiles.append((o, at - found.halo_lo, at + found.halo_hi + 1))
        assert all(kept(o, lo, hi) for o, lo, hi in tiles)
        assert found.halo_lo == 0 or not all(kept(o, lo + 1, hi) for o, lo, hi in tiles)
        assert found.halo_hi == 0 or not all(kept(o, lo, hi - 1) for o, lo, hi in tiles)


@pytest.mark.parametrize("name", [n for n in NETS if n not in ("to a size", "every other")])
@pytest.mark.usefixtures("direct_sums")
def test_tiles_that_are_cut_out_are_exact_on_the_grid(name: str) -> None:
    net, shape = NETS[name]
    graph = positive(net, shape)
    (found, *_) = (report := locality(graph)).axes
    x = np.random.default_rng(2).integers(0, 5, (1, *shape)).astype(float)
    whole, out = graph(x), carrying(report, graph, 2)
    first, end = middle_outputs(found, x.shape[2])
    lo, hi = found.tile((first, end))
    hi += -hi % found.grid
    assert 0 < lo < hi <= x.shape[2]
    cut = along(x, 2, lo, hi)
    y = graph.with_input_shape(cut.shape)(cut)
    before = lo / found.stride
    assert before == int(before)
    assert isinstance(whole, np.ndarray)
    assert isinstance(y, np.ndarray)
    tile = along(y, out, first - int(before), end - int(before))
    assert np.array_equal(tile, along(whole, out, first, end))
    if found.grid > 1:  # One position off the grid, the same halo is no good.
        cut = along(x, 2, lo - 1, hi - 1 + found.grid)
        y = graph.with_input_shape(cut.shape)(cut)
        assert isinstance(y, np.ndarray)
        off = along(y, out, first - int(before), end - int(before))
        assert not np.array_equal(off, along(whole, out, first, end))


def test_pooling_and_upsampling_take_the_safe_halo_over_all_phases() -> None:
    net = L.build(NETS["trap 4"][0], (1, 32, 32))
    axis = AxisLocality(halo_lo=5, halo_hi=5, stride=Fraction(1), period=2, grid=2)
    assert locality(net).axes == (axis, axis)
    assert locality(net, (1, 1, 8, 8)).axes == (axis, axis), (
        "the size of the image is nothing to it"
    )


def test_halos_of_known_chains() -> None:
    assert halos(L.Chain(L.Conv(1, 7, 2, 3), L.MaxPool(3, 2, 1)), (1, 64)) == [(5, 5)]
    assert halos(L.Chain(L.Conv(1, 3), L.Conv(1, 3)), (1, 64)) == [(0, 4)]
    assert halos(L.Conv(1, (3, 1, 5), padding=(1, 0, 2)), (1, 9, 9, 9)) == [(1, 1), (0, 0), (2, 2)]
    assert halos(L.Relu(), (1, 9)) == [(0, 0)]
    assert halos(L.Chain(L.Pad([(-3, -3)]), L.Conv(1, 1)), (1, 64)) == [(0, 3)]


def test_several_outputs_share_the_widest_halo() -> None:
    x = L.Input((1, 64))
    near, far = L.Conv(1, 3, padding=1)(x), L.MaxPool(2)(L.Conv(1, 7, padding=3)(x))
    report = locality(L.build([near, far]))
    assert report.local_outputs == ("conv1", "maxpool1")
    assert report.axes == (AxisLocality(3, 4, Fraction(2), 1, 2),)
    assert report.to_dict()["axes"] == [
        {"axis": "W", "halo": [3, 4], "stride": 2.0, "period": 1, "grid": 2}
    ]


def test_several_inputs_are_asked_one_by_one() -> None:
    x, y = L.Input((1, 32), "x"), L.Input((1, 32), "y")
    net = L.build(L.Conv(1, 5, padding=2)(x) + L.GlobalAvgPool()(y))
    assert locality(net).axes[0].halo_lo == 2
    assert locality(net).global_operators == ()
    assert [g.node for g in locality(net, source="y").global_operators] == ["globalaveragepool1"]
    assert locality(net, (1, 1, 64), source="y").input_shape == (1, 1, 64)
    with pytest.raises(GraphError, match="locality: source must be an input"):
        locality(net, source="z")
    flat = Graph((Value("x", (1, 4)),), (Node("r", ops.Relu(), ("x",), ("y",)),), ("y",), {})
    with pytest.raises(GraphError, match="locality: the input must have space axes"):
        locality(flat)


def attention(x: L.Symbol) -> L.Symbol:
    tokens = L.apply(ops.Reshape((0, 2, 64)), x)
    turned = L.apply(ops.Transpose((0, 2, 1)), tokens)
    return L.apply(ops.MatMul(), tokens, turned)


def excited(x: L.Symbol) -> L.Symbol:
    pooled = L.Conv(2, 1)(L.GlobalAvgPool()(x))
    return L.Mul()(x, L.Sigmoid()(pooled))


def weights(*shapes: tuple[int, ...]) -> list[L.Weight]:
    return [L.Weight(f"w{i}", s, L.zeros(s)) for i, s in enumerate(shapes)]


ENDS: dict[str, tuple[Callable[[L.Symbol], L.Symbol], str, str]] = {
    "dense": (lambda x: L.Dense(3)(L.Flatten()(x)), "dense1", "a dense layer joins"),
    "pool": (L.GlobalMaxPool(), "globalmaxpool1", "global pooling over the whole image"),
    "mean": (
        lambda x: L.apply(ops.ReduceMean((2, 3)), x),
        "reducemean1",
        "global pooling over the whole image",
    ),
    "squeeze": (excited, "globalaveragepool1", "squeeze and excitation"),
    "attention": (attention, "matmul1", "attention: a matrix product of two values"),
    "product": (
        lambda x: L.apply(ops.MatMul(), x, *weights((8, 8))),
        "matmul1",
        "a dense layer joins all positions",
    ),
    "softmax": (lambda x: L.Softmax(-1)(x), "softmax1", "softmax over all positions"),
    "instance": (
        lambda x: L.apply(ops.InstanceNormalization(), x, *weights((2,), (2,))),
        "instancenormalization1",
        "instance normalisation",
    ),
    "group": (
        lambda x: L.apply(ops.GroupNormalization(num_groups=2), x, *weights((2,), (2,))),
        "groupnormalization1",
        "group normalisation",
    ),
    "layer": (
        lambda x: L.apply(ops.LayerNormalization(axis=1), x, *weights((2, 8, 8), (2, 8, 8))),
        "layernormalization1",
        "layer normalisation",
    ),
    "best": (lambda x: L.apply(ops.ArgMax(axis=-1), x), "argmax1", "all positions are ranked"),
    "flat": (L.Flatten(), "flatten1", "do not lie on the image's grid"),
}


@pytest.mark.parametrize("name", ENDS)
def test_what_sees_everything_is_named_with_its_reason(name: str) -> None:
    end, node, reason = ENDS[name]
    x = L.Relu()(L.Conv(2, 3, padding=1)(L.Input((1, 8, 8))))
    y = L.Conv(1, 1)(end(x)) if len(end(x).shape) == 4 else end(x)
    report = locality(L.build(y).with_input_shape((1, 1, 8, 8)))
    assert [g.node for g in report.global_operators] == [node]
    assert reason in report.global_operators[0].reason
    assert report.local_outputs == ("relu1",)
    assert [(a.halo_lo, a.halo_hi) for a in report.axes] == [(1, 1)] * 2
    assert not report.is_local
    assert node in str(report)


def test_one_position_that_is_left_becomes_features() -> None:
    net = L.build(L.Chain(L.Conv(2, 8), L.Flatten(), L.Dense(3)), (1, 8, 8))
    (found,) = locality(net).global_operators
    assert found.node == "flatten1"
    assert "the one position that is left" in found.reason


def test_batch_normalisation_sees_the_batch_only_while_training() -> None:
    report = locality(L.build(L.Chain(SAME3, L.BatchNorm(), L.Relu()), (1, 8, 8)))
    assert report.is_local
    assert report.while_training == ("norm1",)
    assert "While training" in str(report)
    state = {name: np.ones(2) for name in ("s", "b", "m", "v")}
    node = Node("norm", ops.BatchNormalization(training_mode=True), ("x", *state), ("y", "n", "w"))
    report = locality(Graph((Value("x", (2, 2, 8, 8)),), (node,), ("y",), {}, state))
    assert "statistics of the batch at hand" in report.global_operators[0].reason
    assert report.while_training == ()


def test_branches_of_different_total_strides_are_reported_not_guessed() -> None:
    x = L.Input((1, 16))
    cropped = L.Pad([(-4, -4)])(x)
    report = locality(L.build(L.MaxPool(2)(x) + cropped))
    (merge,) = report.misaligned
    assert merge.branches == ("maxpool1", "pad1")
    assert [float(jump) for (jump,) in merge.jumps] == [2, 1]
    assert merge.difference == "total strides 2 and 1"
    assert [g.reason for g in report.global_operators] == [
        "its branches do not lie on one grid of the image"
    ]
    assert "what differs" in str(report)


def test_branches_of_different_starts_stand_apart() -> None:
    """'same' with a stride pads at the end, where the shortcut of stride 2 takes position 0."""
    x = L.Input((1, 16))
    body, shortcut = L.Conv(1, 3, 2, "same")(x), L.Conv(1, 1, 2)(x)
    (merge,) = locality(L.build(body + shortcut)).merges
    assert merge.starts == ((0,), (0,))
    assert [int(centre) for (centre,) in merge.centres] == [1, 0]
    assert merge.difference == "the same stride, but 1 input positions apart"
    (merge,) = locality(L.build(L.Conv(1, 3, 2, 1)(x) + shortcut)).merges
    assert merge.aligned
    assert merge.to_dict()["starts"] == [[-1], [0]]
    (merge,) = locality(L.build(L.Conv(1, 2, padding="same")(x) + x)).merges
    assert merge.difference == "the same stride, but 1/2 input positions apart"


def test_a_unet_is_aligned_though_its_phases_swing() -> None:
    report = locality(L.build(NETS["unet 2"][0], (1, 32, 32)))
    assert [merge.node for merge in report.merges] == ["concat1"]
    assert report.misaligned == ()
    x = L.Input((1, 16, 16))
    (merge,) = locality(L.build(x + L.apply(ops.Transpose((0, 1, 3, 2)), x))).misaligned
    assert merge.difference == "the image's axes are in another order"


def test_upsampling_that_shifts_is_reported() -> None:
    shifted = L.ConvTranspose(1, 4, stride=2, padding=((2, 0),))
    x = L.Input((1, 16))
    (merge,) = locality(L.build(shifted(L.AvgPool(2)(x)) + x)).merges
    assert not merge.aligned


def test_what_a_size_moves_is_named() -> None:
    net = L.Chain(L.Conv(1, 3, 2, "same"), L.Conv(1, 3, padding="same"), L.Conv(1, 3, 2, 1))
    (found,) = locality(L.build(net, (1, 16))).size_dependent
    assert (found.node, found.reason) == (
        "conv1",
        "its padding is shared out by the size of its input",
    )
    (found,) = locality(L.build(NETS["to a size"][0], (1, 64))).size_dependent
    assert found.reason.startswith("it resizes to given sizes")
    assert "Another image size moves the windows" in str(locality(L.build(net, (1, 16))))


def test_sums_side_by_side_along_space_lie_on_no_grid() -> None:
    x = L.Input((1, 16))
    report = locality(L.build(L.Concat(2)(x, x)))
    assert [g.node for g in report.global_operators] == ["concat1"]
    assert report.local_outputs == ("x",)
    reverse = L.apply(ops.Slice((-1,), (-100,), (2,), (-1,)), x)
    assert not locality(L.build(reverse)).is_local


EXAMPLES = [
    pytest.param(example, id=f"{name}-{i}")
    for name, operator in ops.OPERATORS.items()
    for i, example in enumerate(operator.examples())
]


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_operator_can_be_asked(example: Example) -> None:
    """Each of its inputs with space: either the outputs are local, or what ends that is named."""
    outs = example.operator.out_shapes(example.in_shapes)
    names = tuple(f"x{i}" for i in range(len(example.in_shapes)))
    outputs = tuple(f"y{i}" for i in range(len(outs)))
    inputs = tuple(Value(n, s) for n, s in zip(names, example.in_shapes, strict=True))
    graph = Graph(inputs, (Node("op", example.operator, names, outputs),), outputs, {})
    for name, shape in zip(names, example.in_shapes, strict=True):
        if len(shape) > 2:
            report = locality(graph, source=name)
            assert set(report.local_outputs) <= {name, *outputs}
            assert report.is_local == (set(report.local_outputs) >= set(outputs))
            assert report.to_dict()["is_local"] == report.is_local
            assert str(report) and report._repr_html_()  # noqa: PT018
