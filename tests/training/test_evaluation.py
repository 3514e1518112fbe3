"""Scores: accuracy, confusion, worst mistakes."""

from __future__ import annotations

import gc
import re

import numpy as np
import pytest

from faltung.datasets import Dataset
from faltung.errors import GraphError
from faltung.graph.graph import Graph
from faltung.graph.layers import BatchNorm, Chain, Conv, Dense, Dropout, Flatten, Relu, build
from faltung.training import evaluation
from faltung.training.evaluation import Score, losses_of, predict, score
from faltung.training.losses import cross_entropy


def scorer(dropout: float = 0.0) -> Graph:
    """A network whose scores are the three pixels themselves."""
    graph = build(Chain(Flatten(), Dropout(dropout), Dense(3)), (1, 1, 3))
    return graph.replace(params={"dense1.weight": np.eye(3), "dense1.bias": np.zeros(3)})


PIXELS = np.array([[9, 0, 0], [0, 9, 0], [0, 9, 8], [7, 0, 5], [4, 4, 0]], np.uint8)
LABELS = np.array([0, 1, 2, 2, 0])


def pixels() -> Dataset:
    return Dataset(PIXELS.reshape(-1, 1, 1, 3), LABELS, ("a", "b", "c"), "pixels")


def test_accuracy_confusion_and_worst() -> None:
    found = score(scorer(), pixels())
    assert found.predictions.tolist() == [0, 1, 1, 0, 0]  # of equal scores the first
    assert found.accuracy == 0.6
    assert found.confusion().tolist() == [[2, 0, 0], [0, 1, 0], [1, 1, 0]]
    assert found.worst(5).tolist() == [3, 2]  # score behind by 2, by 1
    assert found.worst(1).tolist() == [3]
    assert found.loss == pytest.approx(cross_entropy(PIXELS.astype(np.float64), LABELS)[0])


def test_dropout_rests() -> None:
    assert np.array_equal(predict(scorer(0.9), pixels().images), PIXELS)


def test_losses_are_those_of_training() -> None:
    logits = np.random.default_rng(0).normal(0, 30, (50, 4)).astype(np.float32)
    labels = np.arange(50) % 4
    rows = [cross_entropy(logits[i : i + 1], labels[i : i + 1])[0] for i in range(50)]
    assert losses_of(logits, labels) == pytest.approx(rows, rel=1e-15, abs=0)


def test_parts_make_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = predict(scorer(), pixels().images)
    monkeypatch.setattr(evaluation, "BATCH", 2)
    assert np.array_equal(predict(scorer(), pixels().images), whole)


def test_other_weights_stand_in() -> None:
    graph = scorer()
    params = {"dense1.weight": np.eye(3)[::-1], "dense1.bias": np.zeros(3)}
    found = predict(graph, pixels().images, params=params)
    assert np.array_equal(found, PIXELS[:, ::-1])


def test_no_images() -> None:
    found = score(scorer(), pixels().subset([]))
    assert np.isnan(found.accuracy)
    assert np.isnan(found.loss)
    assert found.confusion().sum() == 0
    assert found.worst(3).size == 0


def test_scores_that_are_not_finite_are_mistakes() -> None:
    graph = scorer().replace(
        params={"dense1.weight": np.eye(3) * np.nan, "dense1.bias": np.ones(3)}
    )
    found = score(graph, pixels())
    assert np.isnan(found.loss)
    assert found.accuracy == 0.4


def test_a_network_for_other_images() -> None:
    wide = Dataset(np.zeros((1, 1, 1, 4), np.uint8), [0], ("a", "b", "c"), "wide")
    text = "network: must take the images of wide, got takes=1x1x3, images=1x1x4."
    with pytest.raises(GraphError, match=re.escape(text)):
        score(scorer(), wide)


def test_the_loss_of_a_score_is_a_mean() -> None:
    found = Score(np.array([1.0, 3.0]), np.array([0, 0]), np.array([0, 0]), 1)
    assert found.loss == 2.0


def test_an_image_has_the_same_scores_in_any_company(monkeypatch: pytest.MonkeyPatch) -> None:
    """To the bit: the last batch begins among images that were there before."""
    chain = Chain(Conv(5, 3, padding=1), BatchNorm(), Relu(), Flatten(), Dense(4))
    graph = build(chain, (2, 9, 7))
    images = np.random.default_rng(0).standard_normal((7, 2, 9, 7)).astype(np.float32)
    whole = predict(graph, images)
    np.testing.assert_allclose(whole, graph(images), rtol=1e-4, atol=1e-5)
    assert all(np.array_equal(predict(graph, images[i : i + 1])[0], whole[i]) for i in range(7))
    monkeypatch.setattr(evaluation, "BATCH", 3)
    assert np.array_equal(predict(graph, images), whole)


def test_a_plan_is_kept_as_long_as_its_network() -> None:
    graph = scorer()
    predict(graph, pixels().images)
    _, plan = evaluation._kept[graph]
    predict(graph, pixels().images)
    assert evaluation._kept[graph][1] is plan
    before = len(evaluation._kept)
    predict(graph, pixels().images, params={"dense1.weight": np.eye(3)})
    del graph
    gc.collect()
    assert len(evaluation._kept) == before - 1
