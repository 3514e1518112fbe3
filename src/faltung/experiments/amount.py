"""Accuracy on digits that were learned and on others, against how many were learned."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final, NamedTuple

from faltung.datasets import Dataset
from faltung.experiments import networks
from faltung.experiments.digits import digits, some
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
from faltung.graph.layers import AbstractLayer, build
from faltung.report import Table
from faltung.training import score

QUESTION: Final = "How many examples does it take?"
COUNTS: Final = (100, 300, 1000, 3000, 6000)
RULE: Final = (5, 10)
"""Examples for each parameter, as a rule of thumb has it."""
WIDE: Final = "dense, 1,000 hidden"
NETWORKS: Final[Mapping[str, Callable[[Dataset], AbstractLayer]]] = {
    "dense": networks.dense,
    "convolution": networks.convolution,
    WIDE: partial(networks.dense, hidden=1000),
}
COMPARED: Final = ("dense", "convolution")
"""At every number of digits; the wide one is there for its 795,010 parameters alone."""


class Accuracy(NamedTuple):
    """The shares that were right, of digits that were learned and of new ones."""

    learned: float
    new: float


Case = tuple[str, int]
Found = Mapping[Case, Sequence[Accuracy]]


def amount(
    seeds: Seeds = 3,
    steps: int = 240,
    *,
    counts: Sequence[int] = COUNTS,
    tell: Tell = silent,
) -> Findings:
    """Train on few digits and on many, for as many steps, and test on learned and on new ones.

    Parameters
    ----------
    seeds
        How many times, or with which seeds; a seed also chooses the digits.
    steps
        That each network is trained, of 50 digits each, again and again where there are few.
    counts
        How many digits are learned.
    tell
        Told how many trainings are done, how many there are, and what comes next.

    Returns
    -------
    Findings
        For each network two curves against the number of digits: accuracy on those it learned,
        and on others.

    Raises
    ------
    TrainingError
        experiment E1, E2: seeds or steps that are none.
    """
    seeds, steps = explicit_seeds(seeds), explicit_steps(steps)
    train_set, test_set = digits()

    def measure(case: Case, seed: int) -> Accuracy:
        name, count = case
        learned = some(train_set, count, seed)
        graph = fit(NETWORKS[name](learned), learned, steps, seed)
        return Accuracy(score(graph, learned).accuracy, score(graph, test_set).accuracy)

    cases = [*((name, count) for name in COMPARED for count in counts), (WIDE, max(counts))]
    found = over_seeds(cases, seeds, measure, tell, lambda case: f"{case[0]}, {case[1]:,} digits")
    rules = [_rule(name, max(counts), found[name, max(counts)]) for name in NETWORKS]
    return Findings(
        "data",
        QUESTION,
        f"28x28 digits; each network is trained for {steps} steps of {BATCH} digits with AdamW, "
        "on few digits many times.",
        seeds,
        steps,
        (Panel("accuracy", "digits learned", "accuracy", _curves(found, counts), is_log=True),),
        (_table(found), _rule_table(rules)),
        (_answer(rules[-1]),),
        {"rule_of_thumb": rules},
    )


def _learned(values: Sequence[Accuracy]) -> Values:
    return tuple(each.learned for each in values)


def _new(values: Sequence[Accuracy]) -> Values:
    return tuple(each.new for each in values)


def _curves(found: Found, counts: Sequence[int]) -> tuple[Curve, ...]:
    x = tuple(map(float, counts))
    return tuple(
        Curve(f"{name}, {part}", x, tuple(of(found[name, count]) for count in counts), name)
        for name in COMPARED
        for part, of in (("learned", _learned), ("new", _new))
    )


def _table(found: Found) -> Table:
    rows = [
        (
            name,
            f"{count:,}",
            written(_learned(values)),
            written(_new(values)),
            written([each.learned - each.new for each in values]),
        )
        for (name, count), values in found.items()
    ]
    return Table(("network", "digits", "on learned digits", "on new digits", "gap"), rows)


def wanted(parameters: int) -> tuple[int, int]:
    """Return how many examples the rule of thumb wants, at least and at most.

    >>> wanted(795_010)
    (3975050, 7950100)
    """
    least, most = RULE
    return least * parameters, most * parameters


def _rule(name: str, count: int, values: Sequence[Accuracy]) -> dict[str, Any]:
    train_set, _ = digits()
    parameters = build(NETWORKS[name](train_set), train_set.image_shape).trainable
    least, most = wanted(parameters)
    return {
        "network": name,
        "parameters": parameters,
        "wanted_least": least,
        "wanted_most": most,
        "digits": count,
        "per_parameter": count / parameters,
        "accuracy": list(_new(values)),
    }


def _rule_table(rules: Sequence[Mapping[str, Any]]) -> Table:
    header = ("network", "parameters", "the rule wants", "it had", "per parameter", "on new digits")
    rows = [
        (
            rule["network"],
            f"{rule['parameters']:,}",
            f"{rule['wanted_least']:,} to {rule['wanted_most']:,}",
            f"{rule['digits']:,}",
            f"{rule['per_parameter']:.3g}",
            written(rule["accuracy"]),
        )
        for rule in rules
    ]
    return Table(header, rows, title="A rule of thumb: 5 to 10 examples for each parameter")


def _answer(rule: Mapping[str, Any]) -> str:
    times = rule["wanted_least"] / rule["digits"]
    return (
        f"The rule is not a law: with {rule['parameters']:,} parameters and {times:,.0f} times too "
        f"few digits for it, the widest network still gets {written(rule['accuracy'])} of new "
        "digits right."
    )
