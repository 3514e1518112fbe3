"""One measurement for each case and seed, and the seeds and steps that a user asks for."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from operator import index
from typing import TypeVar

from faltung.errors import TrainingError, message

Seeds = int | Sequence[int]
Tell = Callable[[int, int, str], None]
"""Told how many of how many trainings are done, and what comes next."""
Case = TypeVar("Case", bound=Hashable)
Found = TypeVar("Found")


def explicit_seeds(seeds: Seeds) -> tuple[int, ...]:
    """Return the seeds: those given, or as many as asked for from 0 on.

    Raises
    ------
    TrainingError
        None, one below 0, or one that comes twice [experiment E1].

    Examples
    --------
    >>> explicit_seeds(3), explicit_seeds([7, 11])
    ((0, 1, 2), (7, 11))
    """
    found = tuple(index(s) for s in (range(seeds) if isinstance(seeds, int) else seeds))
    if not found or min(found) < 0 or len(set(found)) < len(found):
        rule, cure = "there must be seeds, all different and none below 0", "Use seeds=3"
        raise TrainingError(message("experiment", rule, {"seeds": seeds}, cure, "experiment E1"))
    return found


def explicit_steps(steps: int) -> int:
    """Return the steps that each network is trained.

    Raises
    ------
    TrainingError
        Fewer than one [experiment E2].
    """
    if steps < 1:
        rule = "networks must be trained for at least one step"
        raise TrainingError(message("experiment", rule, {"steps": steps}, "", "experiment E2"))
    return steps


def silent(done: int, total: int, what: str) -> None:
    """Listen to an experiment and say nothing."""


def over_seeds(
    cases: Sequence[Case],
    seeds: Sequence[int],
    measure: Callable[[Case, int], Found],
    tell: Tell,
    name: Callable[[Case], str],
) -> dict[Case, tuple[Found, ...]]:
    """Measure each case with each seed.

    Parameters
    ----------
    cases
        What is compared.
    seeds
        Of the weights and of the order of the images.
    measure
        Trains and measures a case with a seed.
    tell
        Told before each training, and once at the end.
    name
        A case as text.
    """
    total, found = len(cases) * len(seeds), dict[Case, tuple[Found, ...]]()
    for case in cases:
        values = []
        for number, seed in enumerate(seeds):
            tell(len(found) * len(seeds) + number, total, f"{name(case)}, seed {seed}")
            values.append(measure(case, seed))
        found[case] = tuple(values)
    tell(total, total, "")
    return found
