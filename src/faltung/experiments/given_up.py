"""What convolution gives up, and what brings it back: far pixels, the place, the whole image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from faltung.experiments.fitting import Batch, descend
from faltung.experiments.results import Curve, Findings, Panel, written
from faltung.experiments.seers import SEERS, layers_to_see, network, view
from faltung.experiments.tasks import SIDE, TASKS, Task, best_guess, paired_signs, signs
from faltung.experiments.trials import (
    Seeds,
    Tell,
    explicit_seeds,
    explicit_steps,
    over_seeds,
    silent,
)
from faltung.report import Table
from faltung.training import Recipe, mean_squared_error, predict

QUESTION: Final = "What can one convolutional layer not do, and what helps?"
BATCH: Final = 20
TESTED: Final = 200
LR: Final = 0.015
SEEN_PIXELS: Final = 224

Case = tuple[str, str]


def given_up(
    seeds: Seeds = 3,
    steps: int = 300,
    *,
    networks: Sequence[str] = tuple(SEERS),
    tell: Tell = silent,
) -> Findings:
    """Train networks that see more and more on rules that one layer cannot follow.

    Parameters
    ----------
    seeds
        How many times, or with which seeds; a seed also draws the images.
    steps
        That each network is trained, of 20 images each.
    networks
        Which: names of `faltung.experiments.seers.SEERS`.
    tell
        Told how many trainings are done, how many there are, and what comes next.

    Returns
    -------
    Findings
        One curve for each network: the share of the positions that it gets right, for each task.

    Raises
    ------
    TrainingError
        experiment E1, E2: seeds or steps that are none.
    """
    seeds, steps = explicit_seeds(seeds), explicit_steps(steps)

    def measure(case: Case, seed: int) -> float:
        name, task = case
        return right(name, TASKS[task], steps, seed)

    cases = [(name, task) for name in networks for task in TASKS]
    found = over_seeds(cases, seeds, measure, tell, ": ".join)
    places = tuple(float(i) for i in range(len(TASKS)))
    curves = tuple(Curve(n, places, tuple(found[n, task] for task in TASKS)) for n in networks)
    rules = " ".join(f"{task.name.capitalize()}: {task.rule}." for task in TASKS.values())
    return Findings(
        "given-up",
        QUESTION,
        f"Circular {SIDE}x{SIDE} images of random signs, and a rule for each position. {rules} "
        f"{steps} steps of {BATCH} images, AdamW.",
        seeds,
        steps,
        (_panel(curves),),
        (_table(curves), _reach()),
        (_answer(),),
        {"ceilings_of_one_layer": ceilings(), "layers_to_see": _layers()},
    )


def right(name: str, task: Task, steps: int, seed: int) -> float:
    """Return the share of positions that a network gets right once it is trained."""

    def batch(step: int) -> Batch:
        images = signs(BATCH, seed, step)
        return images, task.targets(images)

    recipe = Recipe(batch=BATCH, lr=LR, seed=seed)
    graph = descend(network(name, seed), batch, mean_squared_error, recipe=recipe, steps=steps)
    tested = paired_signs(TESTED, seed)
    return float(np.mean((predict(graph, tested) >= 0) == (task.targets(tested) > 0)))


def ceilings() -> dict[str, float]:
    """Return, for each task, the largest share that any function of 3x3 pixels could get right."""
    return dict(zip(TASKS, (0.5, 0.5, best_guess(9)), strict=True))


def _panel(curves: tuple[Curve, ...]) -> Panel:
    names = tuple(TASKS)
    return Panel("right", "what has to be known", "positions right", curves, names, is_apart=True)


def _layers() -> dict[str, dict[str, int]]:
    found = {}
    for name, doubling in (("3x3", False), ("3x3, doubling dilation", True)):
        count, size = layers_to_see(SEEN_PIXELS, doubling=doubling)
        found[name] = {"pixels": SEEN_PIXELS, "layers": count, "seen": size}
    return found


def _table(curves: Sequence[Curve]) -> Table:
    rows = []
    for curve in curves:
        graph = network(curve.label, 0)
        shares = [written(values) for values in curve.values]
        rows.append((curve.label, f"{graph.trainable:,}", view(graph), *shares))
    most = [f"{100 * share:.1f} %" for share in ceilings().values()]
    footer = ("the most that 3x3 pixels allow", "", "3x3", *most)
    return Table(("network", "parameters", "sees", *TASKS), rows, footer)


def _reach() -> Table:
    rows = [
        (name, str(found["layers"]), f"{found['seen']} pixels") for name, found in _layers().items()
    ]
    return Table(("layers", "how many", "they see"), rows, title=f"To see {SEEN_PIXELS} pixels")


def _answer() -> str:
    return (
        "A far pixel needs a wider view: more layers, or dilated ones. The place needs "
        "coordinates: without them a network is equivariant, and as often right in one half of "
        "the image as it is wrong in the other. The whole image needs global pooling."
    )
