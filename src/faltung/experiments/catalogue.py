"""The experiments by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from types import MappingProxyType
from typing import Any, Final

from faltung.errors import TrainingError, message
from faltung.experiments.results import Findings
from faltung.experiments.trials import Seeds, Tell, silent


@dataclass(frozen=True)
class Experiment:
    """One of the experiments.

    Parameters
    ----------
    name
        What it is called.
    about
        What it does, in a line.
    function
        Where it is, as ``module:function``.
    """

    name: str
    about: str
    function: str


_PACKAGE: Final = "faltung.experiments."
EXPERIMENTS: Final[Mapping[str, Experiment]] = MappingProxyType(
    {
        name: Experiment(name, about, _PACKAGE + function)
        for name, about, function in (
            (
                "corners",
                "Dense, shared, local, convolution: accuracy against parameters.",
                "corners:corners",
            ),
            (
                "permutation",
                "One permutation of the pixels: dense does not notice, convolution does.",
                "permutation:permutation",
            ),
            (
                "shifted",
                "Trained on digits in the middle, tested on digits that have moved.",
                "shifted:shifted",
            ),
            (
                "data",
                "The gap between learned and new digits, from 100 digits to 6,000.",
                "amount:amount",
            ),
            (
                "penalty",
                "A penalty that leads a dense layer to a convolution.",
                "penalty:penalty",
            ),
            (
                "given-up",
                "What one convolutional layer cannot do, and what helps.",
                "given_up:given_up",
            ),
        )
    }
)
"""What there is, in the order of the argument."""


def experiment(
    name: str, *, seeds: Seeds = 3, steps: int | None = None, tell: Tell = silent
) -> Findings:
    """Train the networks of one experiment and compare them.

    Parameters
    ----------
    name : str
        One of `EXPERIMENTS`: ``"corners"``, ``"permutation"``, ``"shifted"``, ``"data"``,
        ``"penalty"`` or ``"given-up"``.
    seeds : int or ints
        How many times it is done, or with which seeds.
    steps : int, optional
        That each network is trained; each experiment knows how many it needs.
    tell : function, optional
        Told how many trainings are done, how many there are, and what comes next.

    Returns
    -------
    Findings
        A report that prints as a table; ``findings.panels`` are what its picture shows.

    Raises
    ------
    TrainingError
        An unknown name [experiment E3], seeds or steps that are none [experiment E1, E2].

    Examples
    --------
    >>> findings = experiment("penalty", seeds=1, steps=2)
    >>> findings.curve("accuracy").x
    (0.0, 1.0, 2.0, 3.0, 4.0, 5.0)
    """
    if name not in EXPERIMENTS:
        rule, cure = "there is no such experiment", f"Use one of {', '.join(EXPERIMENTS)}"
        values = {"name": repr(name)}
        raise TrainingError(message("experiment", rule, values, cure, "experiment E3"))
    module, _, function = EXPERIMENTS[name].function.partition(":")
    options: dict[str, Any] = {} if steps is None else {"steps": steps}
    findings: Findings = getattr(import_module(module), function)(seeds, tell=tell, **options)
    return findings
