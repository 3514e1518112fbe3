"""The four corners on the same digits with the same budget: accuracy against parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from faltung.constraints import CORNERS, square
from faltung.experiments import networks
from faltung.experiments.digits import small_digits
from faltung.experiments.fitting import BATCH, fit
from faltung.experiments.results import Curve, Findings, Panel, Values, written
from faltung.experiments.trials import (
    Seeds,
    Tell,
    explicit_seeds,
    explicit_steps,
    over_seeds,
    silent,
)
from faltung.graph.layers import build
from faltung.report import Table
from faltung.training import score

QUESTION: Final = "Which constraint pays for which accuracy?"
CHANNELS: Final = {
    "dense": (1, 2, 4, 8),
    "shared": (1, 2, 4, 8),
    "local": (1, 2, 4, 8, 16),
    "convolution": (1, 2, 4, 8, 16, 32),
}
"""More channels for the cheaper layers, so that parameters overlap."""

Case = tuple[str, int]


def corners(
    seeds: Seeds = 3,
    steps: int = 360,
    *,
    channels: Mapping[str, Sequence[int]] = CHANNELS,
    tell: Tell = silent,
) -> Findings:
    """Train the dense, shared, local and convolutional layer on the same digits.

    Parameters
    ----------
    seeds
        How many times, or with which seeds.
    steps
        That each network is trained, of 50 digits each.
    channels
        Of the layer, for each corner.
    tell
        Told how many trainings are done, how many there are, and what comes next.

    Returns
    -------
    Findings
        One curve for each corner: accuracy on test digits against parameters of the network.

    Raises
    ------
    TrainingError
        experiment E1, E2: seeds or steps that are none.
    """
    seeds, steps = explicit_seeds(seeds), explicit_steps(steps)
    train_set, test_set = small_digits()
    cases = [(name, width) for name in CORNERS for width in channels[name]]
    sizes = {case: _parameters(*case) for case in cases}

    def measure(case: Case, seed: int) -> float:
        graph = fit(networks.corner(train_set, *case), train_set, steps, seed)
        return score(graph, test_set).accuracy

    found = over_seeds(cases, seeds, measure, tell, lambda case: f"{case[0]}, {case[1]} channels")
    curves = tuple(
        Curve(
            name,
            tuple(float(sizes[name, width][0]) for width in channels[name]),
            tuple(found[name, width] for width in channels[name]),
        )
        for name in CORNERS
    )
    return Findings(
        "corners",
        QUESTION,
        f"10x10 digits; one layer with 3x3 offsets where it is local, ReLU, 2x2 max pooling, ten "
        f"scores. {steps} steps of {BATCH} digits, AdamW.",
        seeds,
        steps,
        (Panel("accuracy", "parameters", "accuracy on test digits", curves, is_log=True),),
        (_table(sizes, found),),
        (_cheapest(curves),),
    )


def _parameters(name: str, width: int) -> tuple[int, int]:
    """How many the network has, and how many of them are the layer's weights."""
    train_set, _ = small_digits()
    graph = build(networks.corner(train_set, name, width), train_set.image_shape)
    layer = square(train_set.image_shape[1:], 1, out_channels=width)
    return graph.trainable, layer.parameters(name)


def _table(sizes: Mapping[Case, tuple[int, int]], found: Mapping[Case, Values]) -> Table:
    header = ("layer", "channels", "parameters", "weights of the layer", "accuracy")
    rows = [
        (case[0], str(case[1]), *(f"{n:,}" for n in sizes[case]), written(values))
        for case, values in found.items()
    ]
    return Table(header, rows)


def _cheapest(curves: Sequence[Curve]) -> str:
    """What each corner pays for the accuracy that all four reach."""
    reached = min(max(curve.means) for curve in curves)
    prices = []
    for curve in curves:
        enough = (x for x, y in zip(curve.x, curve.means, strict=True) if y >= reached)
        prices.append(f"{curve.label} {min(enough):,.0f}")
    return (
        f"All four reach {100 * reached:.1f} %. The fewest parameters that do: {', '.join(prices)}."
    )
