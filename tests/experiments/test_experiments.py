"""What experiments are made of: digits moved, mixed and chosen; tasks; seeds; reports."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import faltung
from faltung.datasets import Dataset
from faltung.errors import TrainingError
from faltung.experiments import EXPERIMENTS, Curve, Findings, Panel, experiment
from faltung.experiments.digits import centred, digits, halved, permuted, small_digits, some
from faltung.experiments.fitting import BATCH, descend, fit, recipe_of
from faltung.experiments.networks import corner, dense
from faltung.experiments.penalty import towards
from faltung.experiments.results import points, spread, written
from faltung.experiments.seers import SEERS, network, view
from faltung.experiments.shifted import canvases, moved
from faltung.experiments.tasks import FAR, SIDE, TASKS, best_guess, paired_signs, signs
from faltung.experiments.trials import over_seeds
from faltung.graph.layers import build
from faltung.training import cross_entropy, predict


def dots(count: int = 12, side: int = 4, classes: int = 3) -> Dataset:
    pixels = np.arange(count * side * side, dtype=np.uint8).reshape(count, 1, side, side)
    return Dataset(pixels, np.arange(count) % classes, tuple("abc"[:classes]), "dots")


# Digits ----------------------------------------------------------------------------------------


def test_images_are_put_into_the_middle_cut_out_of_it_and_moved() -> None:
    data = dots()
    grown = centred(data, (6, 8)).images
    assert grown.shape == (12, 1, 6, 8)
    assert (grown[:, :, 1:5, 2:6] == data.images).all()
    assert grown.sum(dtype=int) == data.images.sum(dtype=int)
    assert (centred(data, (2, 2)).images == data.images[:, :, 1:3, 1:3]).all()
    down = centred(data, (4, 4), (1, -2)).images
    assert (down[:, :, 1:, :2] == data.images[:, :, :3, 2:]).all()
    assert not down[:, :, 0].any()
    assert not down[:, :, :, 2:].any()


def test_means_of_four_pixels() -> None:
    data = dots(1, 4, 1)
    assert halved(data).images.ravel().tolist() == [2.5, 4.5, 10.5, 12.5]


def test_small_digits_keep_nearly_all_ink() -> None:
    for whole, small in zip(digits(), small_digits(), strict=True):
        assert small.image_shape == (1, 10, 10)
        kept = 4 * small.images.sum(dtype=float) / whole.images.sum(dtype=float)
        assert 0.96 < kept < 0.98  # "97 %", as it is told


def test_a_permutation_moves_all_images_alike_and_can_be_undone() -> None:
    data = dots()
    order = np.random.default_rng(0).permutation(16)
    mixed = permuted(data, order)
    assert (mixed.images.reshape(12, 16) == data.images.reshape(12, 16)[:, order]).all()
    assert (permuted(mixed, np.argsort(order)).images == data.images).all()


def test_shifted_digits_keep_their_ink_and_go_four_ways() -> None:
    _, tested = canvases()
    assert (moved(tested, 0).images == tested.images).all()
    far = moved(tested, 6).images
    ink = far.sum(axis=(1, 2, 3), dtype=float)
    assert ink == pytest.approx(tested.images.sum(axis=(1, 2, 3), dtype=float))
    assert (far[0, :, :, 6:] == tested.images[0, :, :, :-6]).all()
    assert (far[1, :, 6:] == tested.images[1, :, :-6]).all()
    assert (far[2, :, :, :-6] == tested.images[2, :, :, 6:]).all()
    assert (far[3, :, :-6] == tested.images[3, :, 6:]).all()


def test_some_digits_are_as_many_of_each_class() -> None:
    train, _ = digits()
    few = some(train, 100, seed=1)
    assert few.class_counts == (10,) * 10
    assert (few.images == some(train, 100, seed=1).images).all()
    assert (few.images != some(train, 100, seed=2).images).any()
    assert sum(some(train, 103, seed=1).class_counts) == 103
    assert some(train, 6000, seed=1) is train


# Training --------------------------------------------------------------------------------------


def test_every_network_takes_the_steps_that_it_is_told() -> None:
    assert recipe_of(6000, 360, 0).epochs * 6000 == 360 * BATCH
    told: list[str] = []
    data = dots(1000, 4, 3)
    graph = fit(dense(data, 2), data, 3, seed=0)
    assert '"epochs": 1' in graph.metadata["recipe"]
    assert told == []


def test_descent_without_a_penalty_is_training() -> None:
    """The loop of the experiments takes the very steps of `faltung.training.train`."""
    data = dots(40, 4, 2)
    network = dense(data, 3)
    trained = fit(network, data, 5, seed=0)
    from faltung.training.batches import epoch_order

    def batch(step: int) -> Any:
        chosen = epoch_order(0, step, 40)
        return data.images[chosen], data.labels[chosen]

    again = descend(
        build(network, data.image_shape, seed=0),
        batch,
        cross_entropy,
        recipe=recipe_of(40, 5, 0),
        steps=5,
    )
    for name, values in trained.params.items():
        np.testing.assert_array_equal(again.params[name], values)


def test_the_penalty_s_step_is_the_proximal_one() -> None:
    """It solves ``min ‖V − W‖² / (2 lr) + λ ‖V − P(V)‖²``: there the gradient is zero."""
    square = faltung.square((3, 3), 1)
    w = np.random.default_rng(0).standard_normal(square.shape)
    params = {"corner.weight": w.copy()}
    lr, strength = 0.1, 3.0
    towards(square, strength)(params, lr)
    v = params["corner.weight"]
    away = v - faltung.constraints.project(square, v, "convolution")
    np.testing.assert_allclose((v - w) / lr + 2 * strength * away, 0, atol=1e-12)
    towards(square, 0.0)(params, lr)
    assert params["corner.weight"] is v


def test_the_layer_is_where_the_penalty_looks_for_it() -> None:
    data = small_digits()[0]
    graph = build(corner(data, "dense", 2), data.image_shape)
    assert graph.params["corner.weight"].shape == (200, 100)


# Tasks -----------------------------------------------------------------------------------------


def test_rules_are_what_they_say() -> None:
    images = signs(20, 0, "x")
    assert set(np.unique(images)) == {-1.0, 1.0}
    far, place, everything = (task.targets(images) for task in TASKS.values())
    for n, i, j in ((0, 0, 0), (3, 5, 7), (19, 15, 8), (2, 4, 15)):
        assert far[n, 0, i, j] == images[n, 0, i, (j - FAR) % SIDE]
        assert place[n, 0, i, j] == images[n, 0, i, j] * (1 if j < SIDE // 2 else -1)
        assert everything[n, 0, i, j] == (1 if images[n].sum() >= 0 else -1)


@pytest.mark.parametrize("name", [n for n in SEERS if "coordinates" not in n])
def test_without_coordinates_exactly_half_is_right_of_a_rule_that_depends_on_place(
    name: str,
) -> None:
    tested = paired_signs(5, 0)
    answers = predict(network(name, 0), tested) >= 0
    right = answers == (TASKS["the place"].targets(tested) > 0)
    assert abs(right.mean() - 0.5) < 2 / right.size  # but for a value at 0, up to rounding


def test_with_coordinates_it_is_not() -> None:
    tested = paired_signs(50, 0)
    right = (predict(network("one, coordinates", 0), tested) >= 0) == (
        TASKS["the place"].targets(tested) > 0
    )
    assert abs(right.mean() - 0.5) > 2 / right.size


def test_networks_see_what_they_should() -> None:
    views = [view(network(name, 0)) for name in SEERS]
    assert views == ["3x3", "9x9", "15x15", "everything", "3x3"]
    assert FAR <= 4  # what four layers reach


def test_the_best_guess_is_that_of_counting_all_images() -> None:
    for seen, pixels in ((1, 3), (2, 4), (3, 6), (5, 5)):
        right = 0
        for known in range(2**seen):
            ups = known.bit_count()
            more = [2 * (ups + rest.bit_count()) >= pixels for rest in range(2 ** (pixels - seen))]
            right += max(sum(more), len(more) - sum(more))
        assert best_guess(seen, pixels) == right / 2**pixels


# Seeds and reports -------------------------------------------------------------------------------


@pytest.mark.parametrize("seeds", [0, -1, [], [1, 1], [-1]])
def test_seeds_must_be_seeds(seeds: Any) -> None:
    with pytest.raises(TrainingError, match="there must be seeds, all different and none below 0"):
        experiment("penalty", seeds=seeds)


def test_steps_and_names_must_be_some() -> None:
    with pytest.raises(TrainingError, match="networks must be trained for at least one step"):
        experiment("penalty", steps=0)
    with pytest.raises(TrainingError, match="there is no such experiment, got name='nothing'"):
        experiment("nothing")
    assert faltung.experiment is experiment
    assert faltung.experiments.EXPERIMENTS is EXPERIMENTS


def test_trainings_are_told_one_by_one() -> None:
    told: list[tuple[int, int, str]] = []
    found = over_seeds(
        ["a", "b"], [0, 5], lambda c, s: f"{c}{s}", lambda *what: told.append(what), str.upper
    )
    assert found == {"a": ("a0", "a5"), "b": ("b0", "b5")}
    assert told == [
        (0, 4, "A, seed 0"),
        (1, 4, "A, seed 5"),
        (2, 4, "B, seed 0"),
        (3, 4, "B, seed 5"),
        (4, 4, ""),
    ]


def findings(seeds: tuple[int, ...]) -> Findings:
    values = tuple(0.5 + 0.1 * seed for seed in seeds)
    panel = Panel("p", "x", "y", (Curve("c", (1.0, 2000.0), (values, values)),))
    return Findings("name", "Why?", "So.", seeds, 5, (panel,), (panel.table(),), ("Thus.",))


def test_one_seed_has_no_spread_and_says_so() -> None:
    one, three = findings((0,)), findings((0, 1, 2))
    assert spread((0.5,)) is None
    assert "One seed (0): how far chance moves these numbers is not known." in str(one)
    assert "Means and standard deviations over 3 seeds (0, 1, 2)." in str(three)
    assert one.to_dict()["panels"][0]["curves"][0]["points"][0]["spread"] is None
    assert "2,000  60.0 ± 10.0 %" in str(three)
    assert written((0.5,)) == "50.0 %"
    assert points((-0.25,)) == "-25.0 points"
    with pytest.raises(KeyError, match="nothing"):
        one.curve("nothing")


def test_seeds_decide_everything() -> None:
    first, again, other = (experiment("penalty", seeds=s, steps=2) for s in ([3], [3], [4]))
    assert first.to_dict() == again.to_dict()
    assert first.curve("accuracy").values != other.curve("accuracy").values
