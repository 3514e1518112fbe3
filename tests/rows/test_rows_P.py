"""Rows P1 to P9: what it costs. Every figure is computed by the toolkit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import faltung
from faltung import datasets, zoo
from faltung import layers as L
from faltung.analysis.scale import ATOMS, ExamplesWanted, ImageCount, examples_wanted, stack
from faltung.training import Recipe, score, train


@pytest.mark.parametrize(
    ("in_shape", "params"),
    [
        ((1, 28, 28), 785_000),
        ((3, 32, 32), 3_073_000),
        ((3, 224, 224), 150_529_000),
        ((3, 512, 512), 786_433_000),
        ((3, 1080, 1920), 6_220_801_000),
    ],
)
def test_p1_dense_layer_on_a_flattened_image(in_shape: tuple[int, ...], params: int) -> None:
    assert faltung.cost(in_shape, outputs=1000).dense.params == params


def test_p2_without_biases() -> None:
    assert faltung.cost((1, 1000, 1000)).dense.weights == 10**9
    assert faltung.cost((1, 100_000)).dense.weights == 10**8
    assert faltung.cost((1, 1000, 1000), bias=False).dense.params == 10**9
    assert faltung.cost((3, 256, 256), outputs=1).dense.weights == 196_608
    assert faltung.cost((3, 256, 256)).dense.per_neuron == 196_608


def test_p3_dense_against_convolution() -> None:
    report = faltung.cost((3, 64, 64), outputs=512, kernel=5, channels=64)
    assert report.dense.params == 6_291_968
    assert report.convolution.params == 4_864
    assert round(report.ratios["params"], 1) == 1_293.6


def test_p4_to_the_same_size() -> None:
    report = faltung.cost((1, 224, 224), kernel=3, channels=1, bias=False)
    assert report.same_size.params == 2_517_630_976
    assert report.convolution.params == 9
    assert round(report.ratios["same_size"]) == 279_736_775
    assert report.convolution.cost.connections == 451_584
    assert report.convolution.cost.connections_inside == 448_900


def test_p5_whole_networks() -> None:
    networks = faltung.network_costs()
    assert networks["lenet5"].params == 61_706
    assert networks["alexnet"].params == 60_965_224
    vgg = networks["vgg16"]
    assert (vgg.params, vgg.convolutions, vgg.dense) == (138_357_544, 14_714_688, 123_642_856)
    assert round(100 * vgg.dense_share, 1) == 89.4
    report = faltung.cost((3, 224, 224))
    assert report.yardstick == ("VGG-16", vgg.params)
    assert round(report.dense.params / vgg.params, 3) == 1.088
    assert "1.088 times those of all of VGG-16" in str(report)


def test_p5_comes_from_graphs_that_can_be_built() -> None:
    """The graph that counts is the one that runs: on the smallest of them."""
    assert zoo.build("lenet5").trainable == faltung.network_costs(["lenet5"])["lenet5"].params


def test_p6_examples_wanted_by_the_rule_of_thumb() -> None:
    mnist, cifar, imagenet = examples_wanted()
    assert (mnist.params, mnist.wanted, mnist.examples) == (795_010, (3_975_050, 7_950_100), 60_000)
    assert (cifar.params, cifar.examples) == (3_083_010, 50_000)
    assert [round(n / 1e6, 1) for n in cifar.wanted] == [15.4, 30.8]
    assert imagenet.params == 151_530_000
    assert [round(n / 1e9, 2) for n in imagenet.wanted] == [0.76, 1.52]
    assert round((imagenet.examples or 0) / 1e6, 1) == 1.3  # often rounded down to 1.2
    text = str(faltung.cost())
    assert "rule of thumb (no law): 5 to 10 examples a parameter" in text


def test_p6_a_network_that_breaks_the_rule_is_trained() -> None:
    """784 → 1000 → 10 on the 6,000 digits that ship along: 132 parameters for each example."""
    train_set, test_set = datasets.load_pair("sample")
    layers = (L.Normalize(33.3, 78.6), L.Flatten(), L.Dense(1000), L.Relu(), L.Dense(10))
    graph = L.build(L.Chain(*layers), train_set.image_shape)
    wanted = ExamplesWanted("784 → 1000 → 10", graph.trainable, len(train_set))
    assert wanted.params == examples_wanted()[0].params == 795_010
    assert len(train_set) < wanted.wanted[0] / 500
    trained = train(graph, train_set, recipe=Recipe(epochs=1, batch=100, lr=2e-3)).graph
    assert score(trained, test_set).accuracy > 0.85  # of others, after one pass


def test_p7_images_of_28_by_28() -> None:
    images = faltung.cost((1, 28, 28)).images
    assert images == ImageCount(256, 784)
    exact = images.exact()
    assert exact == 256**784
    assert 10**1888 <= exact < 2 * 10**1888
    assert len(str(exact)) == 1889
    assert images.power_of_ten == 1888
    assert images.atoms_power == 1808
    assert 10**1808 <= exact // ATOMS < 2 * 10**1808


def test_p8_what_locality_and_sharing_save() -> None:
    report = faltung.cost((3, 224, 224), outputs=1000, kernel=3, channels=64)
    assert (report.dense.per_neuron, report.convolution.per_neuron) == (150_528, 27)
    assert round(report.ratios["neuron"]) == 5_575
    assert (report.dense.weights, report.convolution.weights) == (150_528_000, 1_728)
    assert round(report.ratios["weights"]) == 87_111
    assert "150,528 / 27 = 5,575 times" in str(report)
    assert "150,528,000 weights become 1,728, 87,111 times fewer" in str(report)


@pytest.mark.parametrize("channels", [1, 3, 64, 512])
def test_p9_three_small_kernels_against_a_large_one(channels: int) -> None:
    found = stack(channels)
    assert found.per_square == (27, 49)
    assert (found.small.weights, found.large.weights) == (27 * channels**2, 49 * channels**2)
    assert found.sees == (7, 7)
    assert faltung.cost(channels=channels).stack == found


LOOSE = {each.name: each for each in faltung.loose_statements().statements}


@pytest.mark.parametrize(
    ("name", "figures"),
    [
        ("a dense layer on HD", {"params": 6_220_801_000, "said_too_many": 10**6}),
        ("weights left by translation invariance", {"shared": 3_996_001}),
        ("what locality and sharing save", {"ratio": 87_111}),
        ("generalisation", {"entries": 81, "nonzero": 49, "values": 9}),
        ("pixels as independent", {"difference": 0}),
        ("lower-dimensional feature maps", {"ratio": 21.3}),
        ("asymmetric relations", {"kernel": 2, "turned": -2}),
    ],
)
def test_loose_statements_beside_exact_figures(name: str, figures: dict[str, float]) -> None:
    found = LOOSE[name].figures
    assert {k: round(v, 1) if v < 100 else round(v) for k, v in found.items()} == figures


def test_what_translation_invariance_saves() -> None:
    found = LOOSE["what translation invariance saves"]
    assert found.figures["dense"] == 10**12
    assert found.figures["difference"] == 10**12 - 3_996_001
    assert round(found.figures["ratio"]) == 250_250
    assert "999,996,003,999 fewer, 250,250 times fewer" in found.exact


def test_far_pixels_are_correlated_as_the_images_have_it() -> None:
    found = LOOSE["far pixels"].figures
    assert round(found["noise"], 4) == -0.0140
    assert found["neighbours"] > 0.7
    assert abs(found["seven_apart"]) < 0.1


def test_convolution_is_equivariant_not_invariant() -> None:
    found = LOOSE["invariance"].figures
    assert found["follow"] == found["outputs"] == 64
    assert found["stay"] < 8


def test_loose_statements_have_three_faces() -> None:
    report = faltung.loose_statements()
    assert set(report.to_dict()) == set(LOOSE)
    assert "said:  1920×1080×3 → 1000 takes 6,221,801,000 parameters." in str(report)
    assert np.array_equal(
        sorted(report.to_dict()["invariance"]), ["exact", "figures", "said", "why"]
    )
    assert "<p>" in report._repr_html_()


def test_loose_statements_are_in_the_documents() -> None:
    document = Path(__file__).parents[2] / "docs" / "loose-statements.md"
    text = document.read_text(encoding="utf-8")
    assert text.partition("## ")[2] == faltung.loose_statements().markdown()[3:]
