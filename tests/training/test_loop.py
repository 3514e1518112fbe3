"""The loop: what it learns, what it reports, what it refuses."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from faltung.datasets import Dataset, load_pair, zero_one
from faltung.errors import DatasetError, GraphError, StorageError, TrainingError
from faltung.graph.graph import Graph
from faltung.graph.layers import Chain, Conv, Dense, Flatten, Input, MaxPool, Normalize, Relu, build
from faltung.training.batches import batches
from faltung.training.loop import train
from faltung.training.recipe import Recipe, recipe_for
from faltung.training.start import start_new

QUICK = Recipe(epochs=3, batch=16, validation=0.0)


def test_bars_are_told_apart(
    net: Graph, bars: Dataset, other_bars: Dataset, listens: type[Any]
) -> None:
    heard = listens()
    recipe = Recipe(epochs=20, batch=16, lr=0.02, validation=0.2, seed=1)
    result = train(net, bars, other_bars, recipe=recipe, listener=heard)
    assert result.test.accuracy > 0.9
    assert result.validation.accuracy == heard.epochs[-1].validation_accuracy
    assert (result.epochs, result.steps) == (20, 20 * 5)
    assert result.seconds > 0
    assert result.images_per_second > 0
    assert not result.is_early
    assert result.metrics is None


def test_the_graph_that_was_given_stays_as_it_was(net: Graph, bars: Dataset) -> None:
    before = {name: values.copy() for name, values in {**net.params, **net.state}.items()}
    result = train(net, bars, recipe=QUICK)
    assert all(np.array_equal({**net.params, **net.state}[name], before[name]) for name in before)
    assert not np.array_equal(result.graph.params["dense1.weight"], net.params["dense1.weight"])
    assert not np.array_equal(result.graph.state["norm1.mean"], net.state["norm1.mean"])
    assert np.array_equal(result.graph.state["scale.std"], net.state["scale.std"])


def test_one_seed_one_run(net: Graph, bars: Dataset) -> None:
    recipe = dataclasses.replace(QUICK, shift=1, flip=True)
    first, same = (train(net, bars, recipe=recipe).graph for _ in range(2))
    other = train(net, bars, recipe=dataclasses.replace(recipe, seed=1)).graph
    for name, values in first.params.items():
        assert np.array_equal(values, same.params[name])
        # A bias that normalisation takes away again never moves.
        assert name == "conv1.bias" or not np.array_equal(values, other.params[name])


def test_what_a_listener_hears(net: Graph, bars: Dataset, listens: type[Any]) -> None:
    heard = listens()
    train(net, bars, recipe=dataclasses.replace(QUICK, validation=0.2), listener=heard)
    (plan,) = heard.plans
    assert (plan.step, plan.total_steps, plan.epochs, plan.batches) == (0, 15, 3, 5)
    assert (plan.images, plan.held_out) == (72, 18)
    assert [step.step for step in heard.steps] == list(range(1, 16))
    assert [step.images for step in heard.steps[:5]] == [16, 16, 16, 16, 8]
    assert [(step.epoch, step.batch) for step in heard.steps[4:6]] == [(0, 4), (1, 0)]
    assert [(epoch.epoch, epoch.step) for epoch in heard.epochs] == [(0, 5), (1, 10), (2, 15)]
    first = heard.steps[:5]
    mean = sum(step.loss * step.images for step in first) / 72
    assert heard.epochs[0].loss == pytest.approx(mean, rel=1e-12)
    right = sum(round(step.accuracy * step.images) for step in first)
    assert heard.epochs[0].accuracy == right / 72
    assert heard.notes == []


def test_the_model_says_what_it_is(net: Graph, bars: Dataset, other_bars: Dataset) -> None:
    result = train(net, bars, other_bars, recipe=QUICK)
    said = result.graph.metadata
    assert json.loads(said["classes"]) == ["lying", "standing", "oblique"]
    assert said["dataset"] == "bars"
    assert float(said["accuracy"]) == pytest.approx(result.test.accuracy, abs=1e-6)
    assert Recipe(**json.loads(said["recipe"])) == QUICK
    assert "accuracy" not in train(net, bars, recipe=QUICK).graph.metadata


def test_early_stopping_goes_back_to_the_best_epoch(bars: Dataset, listens: type[Any]) -> None:
    noise = bars.with_labels(np.random.default_rng(0).integers(0, 3, len(bars)))
    dense = build(Chain(Flatten(), Dense(3)), (1, 8, 8))
    heard = listens()
    recipe = Recipe(epochs=50, batch=16, lr=1e-3, validation=0.3, patience=2, schedule="constant")
    result = train(dense, noise, recipe=recipe, listener=heard)
    seen = [(epoch.validation_accuracy, -epoch.validation_loss) for epoch in heard.epochs]
    assert result.is_early
    assert result.best_epoch == seen.index(max(seen))
    assert result.epochs == len(seen) == result.best_epoch + 3
    best = heard.epochs[result.best_epoch]
    assert result.validation.accuracy == best.validation_accuracy
    assert result.validation.loss == best.validation_loss != heard.epochs[-1].validation_loss


# Losses of ten steps in float64: any change of order, chance, gradients or schedule shows here.
GOLDEN = [
    1.5443250046629418,
    1.7906312519184426,
    1.2045294880284874,
    1.3256256869571845,
    1.5483962602912982,
    2.872748437449676,
    1.5650101669997745,
    1.4761915883939152,
    1.349700422589536,
    1.647534712168992,
]


def golden_run(net: Graph, bars: Dataset, listens: type[Any]) -> list[float]:
    heard = listens()
    recipe = Recipe(epochs=2, batch=16, shift=1, flip=True, validation=0.1, seed=5)
    train(net.astype(np.float64), bars, recipe=recipe, listener=heard)
    return [step.loss for step in heard.steps[:10]]


def test_golden_run(net: Graph, bars: Dataset, listens: type[Any]) -> None:
    assert golden_run(net, bars, listens) == pytest.approx(GOLDEN, rel=1e-9)


def test_ten_steps_are_pytorch_s(bars: Dataset, torch: ModuleType, listens: type[Any]) -> None:
    x = Input((1, 8, 8))
    network = build(
        Chain(Conv(4, 3, padding="same"), Relu(), MaxPool(2), Flatten(), Dense(3))(x)
    ).astype(np.float64)
    recipe = Recipe(
        epochs=2, batch=16, lr=1e-5, optimiser="nesterov", weight_decay=0.1, validation=0, seed=2
    )
    heard = listens()
    train(network, bars, recipe=recipe, listener=heard)
    losses = torch_losses(torch, network, bars, recipe)
    # Rounding differs, and grows by a bounded factor from step to step.
    assert [step.loss for step in heard.steps] == pytest.approx(losses, rel=1e-11)
    assert len(losses) == 12


def torch_losses(torch: Any, graph: Graph, data: Dataset, recipe: Recipe) -> list[float]:
    """The same run in PyTorch: its layers, its optimiser, its one-cycle schedule."""
    layers = torch.nn
    net = layers.Sequential(
        layers.Conv2d(1, 4, 3, padding=1),
        layers.ReLU(),
        layers.MaxPool2d(2),
        layers.Flatten(),
        layers.Linear(64, 3),
    ).double()
    for ours, theirs in zip(graph.params.values(), net.parameters(), strict=True):
        theirs.data = torch.tensor(ours)
    kernels = [p for p in net.parameters() if p.ndim > 1]
    biases = [p for p in net.parameters() if p.ndim == 1]
    groups = [{"params": kernels, "weight_decay": recipe.weight_decay}, {"params": biases}]
    sgd = torch.optim.SGD(groups, lr=recipe.lr, momentum=0.9, nesterov=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        sgd, recipe.lr, total_steps=12, cycle_momentum=False
    )
    losses = []
    for epoch in range(2):
        for _, chosen in batches(len(data), recipe.batch, seed=recipe.seed, epoch=epoch):
            scores = net(torch.tensor(data.images[chosen].astype(np.float64)))
            loss = layers.functional.cross_entropy(scores, torch.tensor(data.labels[chosen]))
            losses.append(loss.item())
            sgd.zero_grad()
            loss.backward()
            sgd.step()
            schedule.step()
    return losses


@pytest.mark.alone
def test_zero_one_reaches_its_figure() -> None:
    digits, held_back = (zero_one(part) for part in load_pair("sample"))
    result = train(start_new("zero-one", digits), digits, held_back, recipe=recipe_for("zero-one"))
    assert result.test.accuracy >= 0.995
    assert result.seconds <= 10


def digits_accuracy(relabel: Any) -> float:
    """Test accuracy of a quick training on a part of the digits, under other labels."""
    digits, held_back = load_pair("sample")
    few = digits.subset(np.arange(0, len(digits), 3))
    few, held_back = (part.with_labels(relabel(part.labels)) for part in (few, held_back))
    small = Chain(Normalize(33, 78), Conv(8, 5, stride=2), Relu(), MaxPool(2), Flatten(), Dense(10))
    graph = build(small, (1, 28, 28))
    recipe = Recipe(epochs=4, batch=32, lr=1e-2, validation=0)
    return train(graph, few, held_back, recipe=recipe).test.accuracy


def test_permuted_labels_are_learned_as_well() -> None:
    permutation = np.random.default_rng(3).permutation(10)
    plain, permuted = digits_accuracy(lambda y: y), digits_accuracy(lambda y: permutation[y])
    # Four standard deviations of the difference of two shares of 1,000 images each.
    noise = 4 * np.sqrt(2 * plain * (1 - plain) / 1000)
    assert plain > 0.9
    assert abs(plain - permuted) <= noise


def test_random_labels_teach_nothing() -> None:
    generator = np.random.default_rng(4)
    found = digits_accuracy(lambda y: generator.integers(0, 10, len(y)))
    assert 0.07 <= found <= 0.13


def broken(graph: Graph, name: str, value: float) -> Graph:
    params = {**graph.params, name: np.full_like(graph.params[name], value)}
    return graph.replace(params=params)


def test_a_loss_that_is_nan_names_step_and_layer(net: Graph, bars: Dataset) -> None:
    text = (
        "training step 1: first not finite in layer 'dense1' (Gemm), whose dense1.bias is not"
        " finite, got loss=nan, lr=0.00016. Use a smaller learning rate."
    )
    with pytest.raises(TrainingError, match=f"^{re.escape(text)}$"):
        train(broken(net, "dense1.bias", np.nan), bars, recipe=QUICK)


def test_a_run_that_diverges_names_step_and_layer(net: Graph, bars: Dataset) -> None:
    recipe = dataclasses.replace(QUICK, lr=1e30, schedule="constant", optimiser="sgd")
    with pytest.raises(TrainingError, match=r"^training step [23]: .* layer '.*' \(\w+\)"):
        train(net, bars, recipe=recipe)


def test_weights_that_break_at_the_last_step_are_found(bars: Dataset) -> None:
    recipe = Recipe(epochs=1, batch=90, validation=0.1, schedule="constant", lr=1e38)
    recipe = dataclasses.replace(recipe, optimiser="sgd")
    graph = build(Chain(Flatten(), Dense(3)), (1, 8, 8))
    text = r"^training step 1: first not finite in layer 'dense1' \(Gemm\).*got validation loss="
    with pytest.raises(TrainingError, match=text):
        train(graph, bars, recipe=recipe)


def test_a_gradient_that_is_infinite_names_the_layer(bars: Dataset) -> None:
    # The scores are 0, so the loss is log 3; on its way back the gradient passes 2**128.
    graph = build(Chain(Flatten(), Dense(4), Dense(3)), (1, 8, 8))
    graph = broken(broken(graph, "dense1.weight", 0.0), "dense2.weight", 0.0)
    steep = np.where(np.arange(3)[:, None] == 0, np.float32(3e38), np.float32(-3e38)) * np.ones(
        (3, 4), np.float32
    )
    graph = graph.replace(params={**graph.params, "dense2.weight": steep})
    with pytest.raises(TrainingError) as caught:
        train(graph, bars, recipe=dataclasses.replace(QUICK, batch=1))
    text = "the gradient of dense1.weight in layer 'dense1' (Gemm) is not finite, got loss=1.09"
    assert str(caught.value).startswith(f"training step 1: {text}")


def two_outputs() -> Graph:
    scores = Chain(Flatten(), Dense(3))(Input((1, 8, 8)))
    return build([scores, scores + scores])


def test_networks_and_data_that_do_not_fit(net: Graph, bars: Dataset) -> None:
    wide = Dataset(np.zeros((9, 1, 8, 9), np.uint8), np.arange(9) % 3, bars.classes, "wide")
    four = bars.with_labels(bars.labels, ("a", "b", "c", "d"))
    hollow = bars.subset(bars.labels != 1)
    cases: list[tuple[Graph, Dataset, type[Exception], str]] = [
        (net, wide, GraphError, "network: must take the images of wide, got takes=1x8x8,"
                                " images=1x8x9. Build it for this size, or resize the images."),
        (net, four, GraphError, "a score for each class of bars, got scores=3, classes=4"),
        (two_outputs(), bars, GraphError, "must have one input and one output (N, classes), got"),
        (net, hollow, DatasetError, "bars: every class needs a training image, got"
                                    " class='standing', images=0. Add images of it"),
    ]  # fmt: skip
    for graph, data, kind, text in cases:
        with pytest.raises(kind, match=re.escape(text)):
            train(graph, data, recipe=QUICK)


def test_test_parts_that_do_not_fit(net: Graph, bars: Dataset) -> None:
    named = bars.with_labels(bars.labels, ("x", "y", "z"))
    for data, text in [
        (named, "training and test part must have the same classes, got train=('lying',"),
        (bars.subset([]), "bars: the test part is empty. [fit F6]"),
    ]:
        with pytest.raises(DatasetError, match=re.escape(text)):
            train(net, bars, data, recipe=QUICK)


def test_folders_that_cannot_be_made(net: Graph, bars: Dataset, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError, match="cannot be made, Not a directory"):
        train(net, bars, recipe=QUICK, out=tmp_path / "file" / "run")


def test_nothing_to_resume(net: Graph, bars: Dataset) -> None:
    with pytest.raises(TrainingError, match=re.escape("Pass out=. [train T1]")):
        train(net, bars, recipe=QUICK, resume=True)
