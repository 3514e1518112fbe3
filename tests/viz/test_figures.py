"""Every kind of figure, on shapes that are not the usual ones: legible, and saying what is so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

import faltung
from faltung import expand, square
from faltung.analysis.feature_maps import LayerMaps, feature_maps
from faltung.analysis.seen import seen
from faltung.constraints import ConvMatrix
from faltung.errors import GraphError, PictureError
from faltung.graph import Graph, Node, Value
from faltung.graph import layers as L
from faltung.ops import Add
from faltung.viz import (
    bars,
    confusion,
    curves,
    distance,
    effective_field,
    equivariance,
    experiments,
    field,
    filters,
    heat,
    kernels,
    matrices,
    mistakes,
    signals,
    slide,
)
from faltung.viz import feature_maps as maps
from faltung.viz import square as squares
from faltung.viz.legible import complaints, texts

RANDOM = np.random.default_rng(0)
CLOTHES = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker")
ODD = ("$x_1^{2}$", "\\frac", "猫 cat with a name that goes on and on", "a\tb")


def rows(epochs: int, batches: int, held: bool = True) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for step in range(1, epochs * batches + 1):
        found.append({"kind": "step", "step": step, "loss": 2 / step, "accuracy": 1 - 0.9 / step})
        if step % batches == 0:
            last = found[-1] | {"kind": "epoch"}
            found.append(last | {"validation_loss": 0.1 if held else None})
            found[-1]["validation_accuracy"] = 0.98 if held else None
    return found


def mistake(true: str, predicted: str, confidence: float = 0.5) -> mistakes.Mistake:
    return mistakes.Mistake(RANDOM.random((3, 8, 6)), true, predicted, confidence)


def network(channels: int = 1, classes: int = 3, deep: int = 1) -> Any:
    blocks = [layer for _ in range(deep) for layer in (L.Conv(5, 3, padding=1), L.Relu())]
    return L.build(L.Chain(*blocks, L.Flatten(), L.Dense(classes)), (channels, 9, 7))


def drawn_maps(classes: tuple[str, ...], **options: int) -> Figure:
    net = network(classes=len(classes), **options)
    image = RANDOM.random(net.inputs[0].shape[1:])
    return maps.draw(image, feature_maps(net, image), classes=classes)


def counts(classes: int) -> Any:
    return np.diag(RANDOM.integers(0, 12345, classes)) + RANDOM.integers(0, 3, (classes, classes))


def silent() -> Any:
    net = L.build(L.Chain(L.Conv(1, 3), L.Relu()), (1, 9))
    return net.replace(params={name: np.full_like(a, -1e6) for name, a in net.params.items()})


CASES: dict[str, Callable[[], Figure]] = {
    "signal of one": lambda: signals.draw([1], [2], {"out": signals.Output([2])}),
    "long signal": lambda: signals.draw(
        RANDOM.random(500), RANDOM.random(64), {"mean": signals.Output(RANDOM.random(437), 32)}
    ),
    "effective field of a row": lambda: effective_field.draw(
        faltung.effective_field(L.build(L.Conv(1, 3), (1, 9)), samples=1)
    ),
    "effective field of a box": lambda: effective_field.draw(
        faltung.effective_field(L.build(L.Conv(1, 3), (1, 9, 5, 200)), samples=1)
    ),
    "effective field that is none": lambda: effective_field.draw(
        faltung.effective_field(silent(), samples=1)
    ),
    "equivariance that is exact": lambda: equivariance.draw(
        faltung.equivariance(L.build(L.Conv(1, 3, padding=1), (1, 9)))
    ),
    "equivariance of a box": lambda: equivariance.draw(
        faltung.equivariance(
            L.build(L.MaxPool(2, name="a pooling whose name goes on for ever"), (1, 8, 8, 8))
        )
    ),
    "equivariance without a figure": lambda: equivariance.draw(
        faltung.equivariance(L.build(L.Chain(L.Conv(1, 3), L.LocallyConnected(1, 7)), (1, 9)))
    ),
    "invariance of a row": lambda: equivariance.draw_invariance(
        faltung.invariance(network(), RANDOM.random((3, 1, 9, 7)), shifts=[0, 40])
    ),
    "one kernel": lambda: kernels.draw({"a kernel whose name is long": [[1]]}),
    "twelve kernels": lambda: kernels.draw({f"k{i}": RANDOM.random((i, i)) for i in range(1, 13)}),
    "oblong kernels": lambda: kernels.draw({"row": [[1e6, -1e-6, 0.5]], "column": [[1], [2], [3]]}),
    "square on one axis": lambda: squares.draw(square((5,))),
    "square of channels": lambda: squares.draw(square((2, 2), in_channels=3, out_channels=2)),
    "square on three axes": lambda: squares.draw(square((2, 2, 2))),
    "large square": lambda: squares.draw(square((12, 12))),
    "matrix with channels": lambda: matrices.draw(
        ConvMatrix.of((3, 3), (2, 2, 2, 2)), RANDOM.random((2, 2, 2, 2))
    ),
    "matrix on one axis": lambda: matrices.draw(ConvMatrix.of((9,), (1, 1, 3), stride=4)),
    "high matrix": lambda: matrices.draw(ConvMatrix.of((2, 2), (4, 1, 3, 3), padding=2)),
    "one filter": lambda: filters.draw(RANDOM.normal(size=(1, 1, 3, 3))),
    "filters of a signal": lambda: filters.draw(RANDOM.normal(size=(7, 2, 9))),
    "filters of a volume": lambda: filters.draw(RANDOM.normal(size=(4, 2, 3, 3, 3))),
    "more filters than shown": lambda: filters.draw(RANDOM.normal(size=(200, 100, 1, 1))),
    "one chosen filter": lambda: filters.draw_chosen(RANDOM.normal(size=(2, 3, 5, 5)), [1]),
    "ten chosen filters": lambda: filters.draw_chosen(RANDOM.normal(size=(90, 1, 7)), range(10)),
    "maps, two classes": lambda: drawn_maps(("no", "yes")),
    "maps, long names": lambda: drawn_maps(CLOTHES),
    "maps, odd names": lambda: drawn_maps(ODD),
    "maps, many classes": lambda: drawn_maps(tuple(map(str, range(100)))),
    "maps, deep": lambda: drawn_maps(("a",), channels=3, deep=9),
    "maps, empty": lambda: maps.draw(np.zeros((1, 2, 2)), [LayerMaps("a", "Add", np.zeros(0))]),
    "confusion, two classes": lambda: confusion.draw(counts(2), ("no", "yes")),
    "confusion, long names": lambda: confusion.draw(counts(8), CLOTHES),
    "confusion, odd names": lambda: confusion.draw(counts(4), ODD),
    "confusion, 26 classes": lambda: confusion.draw(counts(26), tuple(map(str, range(26)))),
    "confusion, 100 classes": lambda: confusion.draw(counts(100), tuple(map(str, range(100)))),
    "confusion, no image": lambda: confusion.draw(np.zeros((2, 2), int), ("no", "yes")),
    "curves, one epoch": lambda: curves.draw(rows(1, 1)),
    "curves, many epochs": lambda: curves.draw(rows(200, 2), title="200 epochs"),
    "curves, nothing held out": lambda: curves.draw(rows(3, 20, held=False)),
    "curves, stopped in the first epoch": lambda: curves.draw(rows(1, 20)[:5]),
    "one mistake": lambda: mistakes.draw([mistake("0", "1")]),
    "many mistakes": lambda: mistakes.draw([mistake(*ODD[1:3], 0.999)] * 13),
    "no mistakes": lambda: mistakes.draw([]),
    "mistakes, unsure": lambda: mistakes.draw([mistake("0", "1", float("nan"))]),
    "heat, touching": lambda: heat.draw(
        np.zeros((9, 20)), np.eye(5, 16), [heat.Found(0, i, 4, 5, 1.0) for i in range(9)]
    ),
    "heat, high": lambda: heat.draw(
        RANDOM.random((3, 90, 20)), RANDOM.random((12, 3)), step=7, signed=False, name="probability"
    ),
    "heat, flat": lambda: heat.draw(np.zeros((3, 9, 9)), np.zeros((9, 9))),
    "distances": lambda: distance.draw(
        {"across": distance.Curve([0, 1], [1, 0.5])}, unit="samples"
    ),
    "bars of one": lambda: bars.draw({"one": 1}, unit="weights"),
    "bars, far apart": lambda: bars.draw({"tiny": 0.01, "none": 0, "huge": 1e30}, unit="weights"),
    "bars, long names": lambda: bars.draw({f"{ODD[2]} {i}": i + 1 for i in range(9)}, unit="x"),
    "one seed": lambda: experiments.draw({"a": experiments.Line([1, 2], [3, 4])}, x="x", y="y"),
    "eight lines": lambda: experiments.draw(
        {name: experiments.Line([1, 10, 100], RANDOM.random((3, 3))) for name in CLOTHES},
        x="digits",
        y="accuracy",
        percent=True,
        log=True,
    ),
    "one position": lambda: slide.draw(expand()),
    "a signal's position": lambda: slide.draw(
        expand([1.5, 2, 3], [0.25, -1], (2,), padding="full"), [1.5, 2, 3]
    ),
    "cropped, strided, wrapped": lambda: slide.draw(
        expand(
            np.arange(56).reshape(7, 8),
            np.eye(2),
            (1, 1),
            padding=((-1, 0), (2, 1)),
            stride=2,
            dilation=2,
            padding_mode="circular",
            mode="convolve",
        ),
        np.arange(56).reshape(7, 8),
    ),
    "field of many layers": lambda: list(
        field.frames(L.build(L.Chain(*[L.Conv(1, 2)] * 8), (1, 12, 20)), theme="dark")
    )[-1],
    "field on one axis": lambda: next(field.frames(L.build(L.Conv(1, 3, dilation=4), (1, 9)))),
}


@pytest.mark.parametrize("name", CASES)
def test_texts_can_be_read_on_unusual_shapes(name: str) -> None:
    drawn = CASES[name]()
    assert complaints(drawn) == []
    width, height = drawn.get_size_inches()
    assert 2 < width < 20
    assert 1 < height < 21


def shown(drawn: Figure) -> list[str]:
    return [each.text for each in texts(drawn)]


def test_the_square_has_the_numbers_of_l5() -> None:
    found = shown(squares.draw(square((3, 3), window=(0, 1))))
    assert "A layer on images of 3 × 3, offsets 0..1, 0..1" in found
    for corner, weights, connections in (
        ("dense", 81, 81),
        ("shared", 25, 81),
        ("local", 25, 25),
        ("convolution", 4, 25),
    ):
        assert f"{corner}: {weights} weights, {connections} connections" in found


def test_tied_weights_have_one_name_and_a_local_weight_that_of_the_dense_one() -> None:
    corners = square((2, 3))
    dense, shared, local, conv = (squares.aligned(corners, c) for c in squares.CORNERS)
    assert (dense.ravel() == np.arange(36)).all()
    assert (local[local >= 0] == dense[local >= 0]).all()
    assert (conv[conv >= 0] == shared[conv >= 0]).all()
    assert [np.unique(each[each >= 0]).size for each in (dense, shared, local, conv)] == [
        corners.parameters(corner) for corner in squares.CORNERS
    ]


def test_a_matrix_has_its_figures_and_unreached_inputs_are_hatched() -> None:
    drawn = matrices.draw(ConvMatrix.of((6, 6), (1, 1, 3, 3)))
    assert "16 × 36: 144 of 576 entries are not zero" in shown(drawn)
    assert not [patch for patch in drawn.axes[1].patches if patch.get_hatch()]
    strided = matrices.draw(ConvMatrix.of((6, 6), (1, 1, 3, 3), stride=2))
    assert len([patch for patch in strided.axes[1].patches if patch.get_hatch()]) == 11


def test_a_step_of_the_slide_spells_out_its_sum() -> None:
    """Row I1: 2 at (0, 0), and -2 when the kernel is flipped."""
    assert any(text.endswith("= 2") for text in shown(slide.draw(expand())))
    flipped = shown(slide.draw(expand(mode="convolve")))
    assert any(text.endswith("= −2") for text in flipped)
    assert "flipped" in flipped


def test_the_slide_shows_each_output_once_it_is_computed() -> None:
    image = np.arange(12).reshape(3, 4)
    found = [shown(frame) for frame in slide.frames(image, [[1, 2], [3, 5]])]
    outputs = [str(v) for v in (39, 50, 61, 83, 94, 105)]
    assert [[value in frame for value in outputs] for frame in found] == [
        [later <= now for later in range(6)] for now in range(6)
    ]


def test_the_field_grows_as_row_r1_says() -> None:
    net = L.build(L.Chain(*[L.Conv(1, 3) for _ in range(3)]), (1, 7, 7))
    assert [shown(frame)[-1] for frame in field.frames(net)] == [
        "One output of conv1 sees 3 × 3: 9 of 49 positions, 18.4 %",
        "One output of conv2 sees 5 × 5: 25 of 49 positions, 51.0 %",
        "One output of conv3 sees 7 × 7: 49 of 49 positions, 100.0 %",
    ]


def test_a_dilated_field_has_holes() -> None:
    net = L.build(L.Conv(1, 2, dilation=3), (1, 6, 6))
    (frame,) = field.frames(net)
    assert shown(frame)[-1].endswith("sees 2 × 2: 4 of 36 positions, 11.1 %")
    assert int(seen(net, "conv1", (0, 1, 1))["x"].sum()) == 4


def test_pictures_that_would_show_nothing_are_refused() -> None:
    with pytest.raises(PictureError, match="at most 4096 rows and columns can be drawn"):
        squares.draw(square((65, 65)))
    with pytest.raises(PictureError, match=r"positions can be drawn, got sizes.*\[slide V1\]"):
        slide.draw(expand(np.zeros((40, 40)), [[1]]), np.zeros((40, 40)))
    with pytest.raises(PictureError, match=r"and a layer on them, got .*\[field V1\]"):
        next(field.frames(L.build(L.Conv(1, 3), (1, 65, 65))))


def test_feature_maps_need_one_input() -> None:
    node = Node("sum", Add(), ("a", "b"), ("c",))
    two = Graph((Value("a", (1, 2)), Value("b", (1, 2))), (node,), ("c",), {})
    with pytest.raises(GraphError, match="feature maps are those of a network with one input"):
        feature_maps(two, 0)
