"""Rows L8, R6, and P6's broken rule: what training decides, measured.

At a small budget, which directions are plain already; at the full one, where the long tests look at
what each experiment says.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest

from faltung.constraints import CORNERS
from faltung.experiments import EXPERIMENTS, Findings, experiment
from faltung.experiments.amount import WIDE, amount, wanted
from faltung.experiments.corners import corners
from faltung.experiments.given_up import given_up, right
from faltung.experiments.penalty import ITSELF, penalty
from faltung.experiments.permutation import permutation
from faltung.experiments.results import mean
from faltung.experiments.seers import layers_to_see
from faltung.experiments.shifted import shifted
from faltung.experiments.tasks import TASKS

SEEDS = 2
ONE, COORDINATES, DILATED = "one layer", "one, coordinates", "3 layers, dilated"
POOLED = "convolution, global pooling"
WIDTHS = {"dense": (1,), "shared": (1,), "local": (1, 4), "convolution": (2, 16)}

TINY: dict[str, Callable[[], Findings]] = {
    "corners": lambda: corners(SEEDS, 120, channels=WIDTHS),
    "permutation": lambda: permutation(SEEDS, 90, networks=("dense", "convolution")),
    "shifted": lambda: shifted(SEEDS, 60, farthest=4, networks=("dense", POOLED)),
    "data": lambda: amount(SEEDS, 30, counts=(100, 600)),
    "penalty": lambda: penalty(SEEDS, 60, lambdas=(0.0, 10.0, 1000.0)),
    "given-up": lambda: given_up(SEEDS, 150, networks=(ONE, COORDINATES)),
}
tiny = cache(lambda name: TINY[name]())
full = cache(experiment)


def means(found: Findings, label: str) -> dict[float, float]:
    curve = found.curve(label)
    return dict(zip(curve.x, curve.means, strict=True))


def at(found: Findings, label: str, place: str) -> float:
    """The mean at a place that has a name."""
    panel = next(p for p in found.panels if any(c.label == label for c in p.curves))
    return means(found, label)[float(panel.names.index(place))]


# What every experiment reports -----------------------------------------------------------------


def test_each_has_a_small_budget_here() -> None:
    assert list(TINY) == list(EXPERIMENTS)


@pytest.mark.parametrize("name", TINY)
def test_every_value_of_every_seed_is_reported(name: str) -> None:
    found = tiny(name)
    assert (found.name, found.seeds) == (name, tuple(range(SEEDS)))
    data = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert data["experiment"] == name
    assert data["seeds"] == list(range(SEEDS))
    curves = [curve for panel in data["panels"] for curve in panel["curves"]]
    assert [curve["label"] for curve in curves] == [curve.label for curve in found.curves]
    for point in (point for curve in curves for point in curve["points"]):
        first, second = point["values"]
        assert 0 <= first <= 1 + 1e-9
        assert point["mean"] == pytest.approx((first + second) / 2, abs=1e-12)
        assert point["spread"] == pytest.approx(abs(first - second) / 2**0.5, abs=1e-12)


@pytest.mark.parametrize("name", TINY)
def test_each_prints_its_question_its_table_and_what_they_say(name: str) -> None:
    found = tiny(name)
    text = str(found)
    assert text.startswith(f"{found.question}\n\n{found.setup} Means and standard deviations")
    assert text.endswith(found.answers[-1])
    assert " ± " in text
    assert "<table>" in found._repr_html_()
    for curve in found.curves:
        assert len(curve.x) == len(curve.values)
        assert list(curve.x) == sorted(curve.x)


# L8 --------------------------------------------------------------------------------------------


def test_l8_corners_have_the_parameters_of_the_square() -> None:
    found = tiny("corners")
    assert [curve.label for curve in found.curves] == list(CORNERS)
    # 10x10 to as many values for each channel, their biases, and 25 maxima for ten scores.
    dense, shared, local = 100 * 100 + 100, 19 * 19 + 1, (10 * 3 - 2) ** 2 + 100
    assert found.curve("dense").x == (dense + 250 + 10,)
    assert found.curve("shared").x == (shared + 250 + 10,)
    assert found.curve("local").x == (local + 260, 4 * (local + 250) + 10)
    assert found.curve("convolution").x == (2 * (10 + 250) + 10, 16 * (10 + 250) + 10)


def test_l8_a_convolution_is_better_than_more_parameters_that_are_local_alone() -> None:
    found = tiny("corners")
    local, convolution = (max(means(found, c).items()) for c in ("local", "convolution"))
    assert convolution[0] < local[0]
    assert convolution[1] > local[1]


def test_l8_a_permutation_of_the_pixels_is_nothing_to_a_dense_layer_alone() -> None:
    changes = tiny("permutation").figures["changes"]
    assert abs(changes["dense"]["mean"]) < 0.03
    assert max(changes["convolution"]["values"]) < -0.04
    assert changes["convolution"]["mean"] < min(changes["dense"]["values"]) - 0.04


def test_l8_shifted_digits_are_lost_on_a_dense_layer_and_not_after_global_pooling() -> None:
    found = tiny("shifted")
    dense, pooled = means(found, "dense"), means(found, POOLED)
    assert dense[0] > 0.7
    assert dense[4] < 0.3
    assert abs(pooled[4] - pooled[0]) < 0.05
    assert pooled[0] > 0.25


def test_l8_more_digits_close_the_gap() -> None:
    found = tiny("data")
    for name in ("dense", "convolution"):
        learned, new = (means(found, f"{name}, {part}") for part in ("learned", "new"))
        assert learned[100] - new[100] > learned[600] - new[600] + 0.08
    assert means(found, "dense, new")[600] > means(found, "dense, new")[100] + 0.04


def test_l8_the_penalty_leads_to_a_convolution() -> None:
    found = tiny("penalty")
    share = found.curve("explained by a convolution").means
    by_chance = found.figures["chance"]
    assert by_chance == pytest.approx(9 / 100**2)
    assert share[0] < 2 * by_chance
    assert share[0] < share[1] < share[2]
    assert share[2] > 0.99
    assert set(found.panels[0].levels) == {ITSELF}


# P6 --------------------------------------------------------------------------------------------


def test_p6_a_network_that_breaks_the_rule_of_thumb_is_trained() -> None:
    assert wanted(795_010) == (3_975_050, 7_950_100)
    rules = {rule["network"]: rule for rule in tiny("data").figures["rule_of_thumb"]}
    rule = rules[WIDE]
    assert (rule["parameters"], rule["digits"]) == (795_010, 600)
    assert (rule["wanted_least"], rule["wanted_most"]) == (3_975_050, 7_950_100)
    assert mean(rule["accuracy"]) > 0.75


# R6 --------------------------------------------------------------------------------------------


def test_r6_layers_to_see_224_pixels() -> None:
    assert layers_to_see(224, doubling=False) == (112, 225)
    assert layers_to_see(224, doubling=True) == (7, 255)
    assert tiny("given-up").figures["layers_to_see"]["3x3"]["layers"] == 112


def test_r6_one_layer_guesses() -> None:
    found = tiny("given-up")
    assert abs(at(found, ONE, "a far pixel") - 0.5) < 0.02
    # The tested images come in pairs of which a layer that does not know the place gets one right.
    assert at(found, ONE, "the place") == pytest.approx(0.5, abs=1e-4)
    ceiling = found.figures["ceilings_of_one_layer"]["everything"]
    assert at(found, ONE, "everything") < ceiling + 0.05


def test_r6_what_brings_it_back() -> None:
    found = tiny("given-up")
    assert right(DILATED, TASKS["a far pixel"], 200, seed=0) > 0.9
    assert at(found, COORDINATES, "the place") > 0.95
    assert abs(at(found, COORDINATES, "a far pixel") - 0.5) < 0.02


# At the full budget ------------------------------------------------------------------------------


@pytest.mark.long
@pytest.mark.parametrize("name", EXPERIMENTS)
def test_three_seeds_or_more_in_two_minutes_of_two_cores(name: str) -> None:
    found, seconds = timed(name)
    assert len(found.seeds) >= 3
    assert seconds < 240  # of CPU


@cache
def timed(name: str) -> tuple[Findings, float]:
    import time

    start = time.process_time()
    found = full(name)
    return found, time.process_time() - start


@pytest.mark.long
def test_long_a_convolution_needs_the_fewest_parameters() -> None:
    found, _ = timed("corners")
    for share in (0.85, 0.9):
        fewest: dict[str, Any] = {}
        for curve in found.curves:
            pairs = zip(curve.x, curve.means, strict=True)
            fewest[curve.label] = min((x for x, y in pairs if y >= share), default=float("inf"))
        assert min(fewest, key=fewest.__getitem__) == "convolution", fewest
        assert fewest["dense"] > 2 * fewest["convolution"]


@pytest.mark.long
def test_long_only_convolutions_notice_the_permutation() -> None:
    changes = timed("permutation")[0].figures["changes"]
    assert abs(changes["dense"]["mean"]) < 0.015
    assert max(changes["convolution"]["values"]) < -0.04
    assert max(changes[POOLED]["values"]) < -0.1


@pytest.mark.long
def test_long_only_global_pooling_bears_shifts() -> None:
    found, _ = timed("shifted")
    dense, conv, pooled = (means(found, c) for c in ("dense", "convolution", POOLED))
    assert dense[6] < 0.3
    assert conv[6] < 0.4
    assert conv[1] > dense[1]
    assert min(pooled.values()) > max(pooled.values()) - 0.05
    assert pooled[0] > 0.8


@pytest.mark.long
def test_long_the_gap_closes_from_100_to_6000_digits() -> None:
    found, _ = timed("data")
    for name in ("dense", "convolution"):
        learned, new = (means(found, f"{name}, {part}") for part in ("learned", "new"))
        gaps = [learned[x] - new[x] for x in sorted(new)]
        assert gaps == sorted(gaps, reverse=True)
        assert gaps[0] > 0.12
        assert gaps[-1] < 0.04
    assert mean(found.figures["rule_of_thumb"][-1]["accuracy"]) > 0.9


@pytest.mark.long
def test_long_a_penalty_between_none_and_all_helps() -> None:
    found, _ = timed("penalty")
    accuracy = found.curve("accuracy").means
    share = found.curve("explained by a convolution").means
    assert list(share) == sorted(share)
    assert share[-1] > 0.999
    assert max(accuracy[1:]) > accuracy[0] + 0.005
    assert abs(accuracy[-1] - found.figures["itself"]["mean"]) < 0.05


@pytest.mark.long
def test_long_each_task_has_its_cure() -> None:
    found, _ = timed("given-up")
    shares = {
        (curve.label, task): values
        for curve in found.curves
        for task, values in zip(TASKS, curve.values, strict=True)
    }
    for cure, task, least in (
        ("4 layers stacked", "a far pixel", 0.99),
        (DILATED, "a far pixel", 0.99),
        (COORDINATES, "the place", 0.99),
        ("one, global pooling", "everything", 0.8),
    ):
        assert min(shares[cure, task]) > least
        assert max(shares[ONE, task]) < 0.6
