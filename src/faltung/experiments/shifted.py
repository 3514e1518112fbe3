"""Trained on digits in the middle, tested on digits that have moved."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Final

import numpy as np

from faltung.datasets import Dataset
from faltung.experiments.digits import Pair, centred, digits, halved
from faltung.experiments.fitting import BATCH, fit
from faltung.experiments.networks import convolution, dense, pooled
from faltung.experiments.results import Curve, Findings, Panel, Values, written
from faltung.experiments.trials import (
    Seeds,
    Tell,
    explicit_seeds,
    explicit_steps,
    over_seeds,
    silent,
)
from faltung.graph.layers import AbstractLayer
from faltung.training import score

QUESTION: Final = "Does a network that learned digits in the middle know them elsewhere?"
NETWORKS: Final[Mapping[str, Callable[[Dataset], AbstractLayer]]] = {
    "dense": dense,
    "convolution": convolution,
    "convolution, global pooling": pooled,
}
CANVAS: Final = (28, 28)
DIRECTIONS: Final = ((0, 1), (1, 0), (0, -1), (-1, 0))
FARTHEST: Final = 6


def shifted(
    seeds: Seeds = 3,
    steps: int = 360,
    *,
    farthest: int = FARTHEST,
    networks: Sequence[str] = tuple(NETWORKS),
    tell: Tell = silent,
) -> Findings:
    """Train on centred digits, and test on the same distance to the right, down, left and up.

    Parameters
    ----------
    seeds
        How many times, or with which seeds.
    steps
        That each network is trained, of 50 digits each.
    farthest
        The largest shift in pixels; the canvas has 7 around the digits.
    networks
        Which: names of `NETWORKS`.
    tell
        Told how many trainings are done, how many there are, and what comes next.

    Returns
    -------
    Findings
        One curve for each network: accuracy against the shift.

    Raises
    ------
    TrainingError
        experiment E1, E2: seeds or steps that are none.
    """
    seeds, steps = explicit_seeds(seeds), explicit_steps(steps)
    train_set, test_set = canvases()
    tests = [moved(test_set, shift) for shift in range(farthest + 1)]

    def measure(name: str, seed: int) -> Values:
        graph = fit(NETWORKS[name](train_set), train_set, steps, seed)
        return tuple(score(graph, each).accuracy for each in tests)

    found = over_seeds(networks, seeds, measure, tell, str)
    places = tuple(float(shift) for shift in range(farthest + 1))
    curves = tuple(
        Curve(name, places, tuple(zip(*values, strict=True))) for name, values in found.items()
    )
    panel = Panel("accuracy", "shift in pixels", "accuracy on test digits", curves)
    return Findings(
        "shifted",
        QUESTION,
        "14x14 digits in the middle of a black 28x28 canvas; the tested ones are moved, a quarter "
        f"of them each way. {steps} steps of {BATCH} digits, AdamW.",
        seeds,
        steps,
        (panel,),
        (panel.table(),),
        (_answer(curves),),
    )


@lru_cache(maxsize=1)
def canvases() -> Pair:
    """Return the digits at half size on black canvases."""
    train, test = (centred(halved(data), CANVAS) for data in digits())
    return train, test


def moved(data: Dataset, shift: int) -> Dataset:
    """Return images moved by so many pixels, a quarter of them in each direction."""
    size = data.images.shape[2], data.images.shape[3]
    images = data.images.copy()
    for turn, (down, right) in enumerate(DIRECTIONS):
        part = data.subset(np.arange(turn, len(data), len(DIRECTIONS)))
        images[turn :: len(DIRECTIONS)] = centred(part, size, (down * shift, right * shift)).images
    return replace(data, images=images)


def _answer(curves: tuple[Curve, ...]) -> str:
    ends = "; ".join(f"{c.label} {written(c.values[0])} to {written(c.values[-1])}" for c in curves)
    return (
        f"From the middle to a shift of {curves[0].x[-1]:.0f}: {ends}. A convolution is "
        "equivariant: its maps move along. A dense layer behind it reads them by their place; a "
        "global maximum does not, and what follows is nearly invariant. Nearly, as 2x2 pooling "
        "moves along with even shifts alone, and as the canvas has a border."
    )
