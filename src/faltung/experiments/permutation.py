"""One fixed permutation of the pixels: a dense layer does not notice, a convolution does."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from faltung.datasets import Dataset
from faltung.experiments.digits import digits, permuted
from faltung.experiments.fitting import BATCH, fit
from faltung.experiments.networks import convolution, dense, pooled
from faltung.experiments.results import Curve, Findings, Panel, Values, mean, points, written
from faltung.experiments.trials import (
    Seeds,
    Tell,
    explicit_seeds,
    explicit_steps,
    over_seeds,
    silent,
)
from faltung.graph.layers import AbstractLayer
from faltung.report import Table
from faltung.training import score
from faltung.training.batches import rng

QUESTION: Final = "Does the arrangement of the pixels matter?"
NETWORKS: Final[Mapping[str, Callable[[Dataset], AbstractLayer]]] = {
    "dense": dense,
    "convolution": convolution,
    "convolution, global pooling": pooled,
}
ORDERS: Final = ("as they are", "permuted")
ORDER_SEED: Final = 0
"""Of the permutation: it is the same for all networks and seeds."""

Case = tuple[str, int]


def permutation(
    seeds: Seeds = 3,
    steps: int = 360,
    *,
    networks: Sequence[str] = tuple(NETWORKS),
    tell: Tell = silent,
) -> Findings:
    """Train a dense network and convolutions on digits, and on digits with pixels permuted.

    Parameters
    ----------
    seeds
        How many times, or with which seeds.
    steps
        That each network is trained, of 50 digits each.
    networks
        Which: names of `NETWORKS`.
    tell
        Told how many trainings are done, how many there are, and what comes next.

    Returns
    -------
    Findings
        One curve for each network: accuracy on digits as they are, and permuted.

    Raises
    ------
    TrainingError
        experiment E1, E2: seeds or steps that are none.
    """
    seeds, steps = explicit_seeds(seeds), explicit_steps(steps)
    train_set, test_set = digits()
    pixels = train_set.images[0, 0].size
    order = rng(ORDER_SEED, "permutation").permutation(pixels)
    parts = [
        (train_set, test_set),
        (permuted(train_set, order), permuted(test_set, order)),
    ]

    def measure(case: Case, seed: int) -> float:
        name, which = case
        learned, tested = parts[which]
        return score(fit(NETWORKS[name](learned), learned, steps, seed), tested).accuracy

    cases = [(name, which) for name in networks for which in (0, 1)]
    found = over_seeds(cases, seeds, measure, tell, lambda case: f"{case[0]}, {ORDERS[case[1]]}")
    curves = tuple(Curve(n, (0.0, 1.0), (found[n, 0], found[n, 1])) for n in networks)
    changes = {curve.label: _change(curve) for curve in curves}
    return Findings(
        "permutation",
        QUESTION,
        f"28x28 digits, their {pixels} pixels moved by one permutation, the same in every image. "
        f"{steps} steps of {BATCH} digits, AdamW.",
        seeds,
        steps,
        (Panel("accuracy", "pixels", "accuracy on test digits", curves, ORDERS),),
        (_table(curves, changes),),
        (_answer(changes),),
        {"changes": {name: {"mean": mean(v), "values": list(v)} for name, v in changes.items()}},
    )


def _change(curve: Curve) -> Values:
    """What the permutation adds to the accuracy, seed by seed."""
    before, after = curve.values
    return tuple(b - a for a, b in zip(before, after, strict=True))


def _table(curves: tuple[Curve, ...], changes: Mapping[str, Values]) -> Table:
    rows = [
        (curve.label, *(written(v) for v in curve.values), points(changes[curve.label]))
        for curve in curves
    ]
    return Table(("network", *ORDERS, "change"), rows)


def _answer(changes: Mapping[str, Any]) -> str:
    moved = "; ".join(f"{name} {points(values)}" for name, values in changes.items())
    return (
        f"{moved}. To a dense layer the order of its inputs is nothing: with its weights permuted "
        "alike it computes the same, so what changes is chance. A convolution has neighbours."
    )
