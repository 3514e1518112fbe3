"""A penalty on what a convolution could not be leads a dense layer to one.

The penalty is ``λ ‖W − P(W)‖²``, P being the projection to the nearest convolution. Its gradient,
``2 λ (W − P(W))``, is followed implicitly (the proximal step): what is no convolution is divided by
``1 + 2 lr λ`` after each step, which is stable for every λ; at infinity it is projected gradient
descent on convolutions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from faltung.constraints import Square, chance, explained, project, square
from faltung.constraints.projection import percent
from faltung.constraints.square_text import brief
from faltung.datasets import Dataset
from faltung.experiments import networks
from faltung.experiments.digits import small_digits, some
from faltung.experiments.fitting import BATCH, After, descend, fit, recipe_of
from faltung.experiments.results import Curve, Findings, Panel, Values, mean, points, written
from faltung.experiments.trials import (
    Seeds,
    Tell,
    explicit_seeds,
    explicit_steps,
    over_seeds,
    silent,
)
from faltung.graph.graph import Graph
from faltung.graph.layers import build
from faltung.report import Table
from faltung.training import cross_entropy, score
from faltung.training.batches import batch_count, epoch_order
from faltung.training.state import Array

QUESTION: Final = "Is a convolution what a dense layer becomes when it is made to?"
LAMBDAS: Final = (0.0, 0.1, 1.0, 10.0, 100.0, 1000.0)
CHANNELS: Final = 8
DIGITS: Final = 300
WEIGHT: Final = "corner.weight"
CORNER: Final = "convolution"
ITSELF: Final = "a convolution itself"

Pair = tuple[float, float]


def penalty(
    seeds: Seeds = 3,
    steps: int = 800,
    *,
    lambdas: Sequence[float] = LAMBDAS,
    tell: Tell = silent,
) -> Findings:
    """Train a dense layer under a penalty on its distance from the nearest convolution.

    Parameters
    ----------
    seeds
        How many times, or with which seeds; a seed also chooses the digits.
    steps
        That each network is trained, of 50 digits each.
    lambdas
        How much the penalty weighs, rising.
    tell
        Told how many trainings are done, how many there are, and what comes next.

    Returns
    -------
    Findings
        Two curves against λ: the accuracy, and the share of the layer's energy that a convolution
        explains.

    Raises
    ------
    TrainingError
        experiment E1, E2: seeds or steps that are none.
    """
    seeds, steps = explicit_seeds(seeds), explicit_steps(steps)
    train_set, test_set = small_digits()
    corners = square(train_set.image_shape[1:], 1, out_channels=CHANNELS)

    def measure(case: float | None, seed: int) -> Pair:
        learned = some(train_set, DIGITS, seed)
        if case is None:
            graph = fit(networks.corner(learned, CORNER, CHANNELS), learned, steps, seed)
            return score(graph, test_set).accuracy, 1.0
        graph = fit_penalised(corners, learned, case, steps, seed)
        share = explained(corners, graph.params[WEIGHT])[CORNER].share
        return score(graph, test_set).accuracy, share

    found = over_seeds([*lambdas, None], seeds, measure, tell, _name)
    itself = tuple(pair[0] for pair in found[None])
    rows = {lam: tuple(zip(*found[lam], strict=True)) for lam in lambdas}
    names = tuple(f"{lam:g}" for lam in lambdas)
    by_chance, _ = chance(corners, CORNER)
    return Findings(
        "penalty",
        QUESTION,
        f"{DIGITS} digits of 10x10; a dense layer to {CHANNELS} channels, ReLU, 2x2 max pooling, "
        f"ten scores. {steps} steps of {BATCH} digits, AdamW, and the penalty on what of the layer "
        "is no 3x3 convolution.",
        seeds,
        steps,
        _panels(rows, names, mean(itself), by_chance),
        (_table(rows, itself, by_chance),),
        (_answer(rows),),
        {"itself": {"mean": mean(itself), "values": list(itself)}, "chance": by_chance},
    )


def _panels(
    rows: Mapping[float, Sequence[Values]], names: tuple[str, ...], itself: float, by_chance: float
) -> tuple[Panel, ...]:
    x = tuple(float(i) for i in range(len(names)))
    accuracy, energy = (tuple(pair[which] for pair in rows.values()) for which in (0, 1))
    return (
        Panel(
            "accuracy",
            "λ",
            "accuracy on test digits",
            (Curve("accuracy", x, accuracy),),
            names,
            levels={ITSELF: itself},
        ),
        Panel(
            "energy",
            "λ",
            "share of ‖W‖² explained",
            (Curve("explained by a convolution", x, energy),),
            names,
            levels={"chance": by_chance},
        ),
    )


def _table(rows: Mapping[float, Sequence[Values]], itself: Values, by_chance: float) -> Table:
    lines = [
        (f"{lam:g}", written(accuracy), percent(mean(energy)), brief(mean(energy) / by_chance))
        for lam, (accuracy, energy) in rows.items()
    ]
    header = ("λ", "accuracy", "explained by a convolution", "times chance")
    return Table(header, lines, (ITSELF, written(itself), percent(1.0), brief(1 / by_chance)))


def _answer(rows: Mapping[float, Sequence[Values]]) -> str:
    free = rows[min(rows)][0]
    best = max(rows, key=lambda lam: mean(rows[lam][0]))
    gained = tuple(b - a for a, b in zip(free, rows[best][0], strict=True))
    return (
        f"From λ = {min(rows):g} to {max(rows):g} the share that a convolution explains goes from "
        f"{percent(mean(rows[min(rows)][1]))} to {percent(mean(rows[max(rows)][1]))}. "
        f"Most accurate is λ = {best:g}, {points(gained)} over the least penalty: what a "
        "convolution assumes holds of digits, nearly."
    )


def fit_penalised(corners: Square, data: Dataset, strength: float, steps: int, seed: int) -> Graph:
    """Return a network whose dense layer was trained under the penalty."""
    graph = build(networks.corner(data, "dense", CHANNELS), data.image_shape, seed=seed)

    def batch(step: int) -> tuple[Array, Array]:
        epoch, start = divmod(step * BATCH, batch_count(len(data), BATCH) * BATCH)
        chosen = epoch_order(seed, epoch, len(data))[start : start + BATCH]
        return data.images[chosen], data.labels[chosen]

    recipe = recipe_of(len(data), steps, seed)
    return descend(
        graph, batch, cross_entropy, recipe=recipe, steps=steps, after=towards(corners, strength)
    )


def towards(corners: Square, strength: float) -> After:
    """Return the step that the penalty takes, of as many times the learning rate."""

    def after(params: dict[str, Array], lr: float) -> None:
        if strength:
            nearest = project(corners, params[WEIGHT], CORNER)
            params[WEIGHT] -= (1 - 1 / (1 + 2 * lr * strength)) * (params[WEIGHT] - nearest)

    return after


def _name(case: float | None) -> str:
    return ITSELF if case is None else f"λ = {case:g}"
