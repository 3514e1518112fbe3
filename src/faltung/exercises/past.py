"""Five questions about one formula: the weighted average of past measurements."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from faltung.definitions import past_report
from faltung.exercises.exercise import Exercise
from faltung.report import Table

GROUP: Final = "Reading the formula"
FORMULA: Final = "A tracker estimates where a ship is: c(t) = Σ x(a) w(t−a), a from −∞ to ∞."
SHIP: Final = {"measurements": (4, 8, 6, 10), "weights": (0.5, 0.25, 0.25), "t": 3}


def tracker(measurements: tuple[float, ...], weights: tuple[float, ...], t: int) -> dict[str, Any]:
    """Spell out the average at one time."""
    report = past_report(measurements, weights)
    ages = [t - a for a in range(len(measurements))]
    counted = [report.weights[age] if 0 <= age < len(weights) else 0.0 for age in ages]
    columns = range(len(ages)), measurements, ages, counted
    terms = list(zip(*columns, strict=True))
    rows = [[str(a), f"{x:g}", str(age), f"{w:g}", f"{x * w:g}"] for a, x, age, w in terms]
    used = [(x, w) for _, x, _, w in terms if w]
    backwards = sum(x * w for x, w in zip(measurements, weights, strict=False))
    return {
        "x": ", ".join(f"{x:g}" for x in measurements),
        "w": ", ".join(f"{w:g}" for w in weights),
        "table": Table(["a", "x(a)", "age t−a", "w(t−a)", "product"], rows),
        "value": float(report.sums[t]),
        "sum": " + ".join(f"{x:g}·{w:g}" for x, w in used),
        "terms": len(used),
        "all": len(terms),
        "last": ages[-1],
        "oldest": len(weights) - 1,
        "first_used": t - len(weights) + 1,
        "next": t + 1,
        "start": float(report.used[0]),
        "backwards": float(backwards),
        "lag": report.mean_age,
    }


TIME_INDEX: Final = Exercise(
    name="time-index",
    title="What is the time index?",
    group=GROUP,
    question=FORMULA + " Which letter says when something was measured, and which says now?",
    hints=("One of the two is summed over; the other is still there when the sum is done.",),
    answer=(
        "a is the time at which x(a) was measured; the sum runs over it, and it is gone when the "
        "sum is done. t is the time for which the average is wanted: now.",
        "With x = {x} from time 0 on, w = {w} by age, and t = {t}:",
        "{table}",
        "c({t}) = {sum} = {value:g}: a number for each t, none for each a.",
    ),
    given=SHIP,
    compute=tracker,
)

AGE: Final = Exercise(
    name="age",
    title="What is the age?",
    group=GROUP,
    question=FORMULA + " What is the age of a measurement, and what does an age below 0 mean?",
    hints=("At t = {t}, how long ago was time {first_used}?",),
    answer=(
        "The age is t−a: how long ago x(a) was measured. The weight depends on nothing else.",
        "{table}",
        "At t = {t} the youngest measurement has the age {last}. One of time {next} would have a "
        "negative age: it lies in the future. A tracker cannot know it, so w is 0 for ages below "
        "0; and it is 0 above {oldest}, where measurements are too old to count.",
    ),
    given=SHIP,
    compute=tracker,
)


def infinite(ages: tuple[int, ...]) -> dict[str, Any]:
    """Sum halving weights up to several ages."""
    sums = {n: float((0.5 ** np.arange(1, n + 1)).sum()) for n in ages}
    rows = [[str(n), f"{total:.6f}", f"{1 - total:.1e}"] for n, total in sums.items()]
    few, *_, many = ages
    return {
        "table": Table(["ages", "sum of the weights", "missing"], rows),
        "few": few,
        "few_sum": sums[few],
        "many": many,
        "missing": 1 - sums[many],
    }


INFINITE_SUM: Final = Exercise(
    name="infinite-sum",
    title="Why an infinite sum?",
    group=GROUP,
    question=FORMULA + " Nobody measured for ever. Why does the sum run from −∞ to ∞?",
    hints=(
        "Which terms are zero, and why?",
        "What would the limits be for each length of x and w, at each t?",
    ),
    answer=(
        "So that the formula needs no limits of its own. x is 0 before the first measurement, w "
        "is 0 for ages below 0, and for ages at which nothing counts any more: what is left is a "
        "finite sum, whatever the lengths, and its limits change with t at the start.",
        "Weights that halve with each age, w = 1/2, 1/4 and so on, do go on for ever. Their sum "
        "is 1 only then:",
        "{table}",
        "So at the start of the measurements a tracker divides by the weights that it has used; "
        "after {few} ages they sum to {few_sum:g}, after {many} they lack {missing:.1e}.",
    ),
    given={"ages": (2, 3, 5, 10, 20)},
    compute=infinite,
)

T_MINUS_A: Final = Exercise(
    name="t-minus-a",
    title="Why w(t−a)?",
    group=GROUP,
    question=FORMULA + " Why w(t−a), and not w(a) or w(a−t)?",
    hints=("What should happen to the weight of one measurement as time goes by?",),
    answer=(
        "Because w says what an age counts. As t moves on by one, every measurement gets older by "
        "one, and its weight moves on with it.",
        "w(a) would give each measurement the same weight for ever: with x = {x} and w = {w} the "
        "sum would be {backwards:g} at any t, made of the oldest measurements. w(a−t) would be "
        "the weight of the future: all ages that have one are negative there.",
        "With w(t−a) the sum at t = {t} is {sum} = {value:g}. The minus sign is the flip of "
        "convolution: read along a, the weights stand in reverse order.",
    ),
    given=SHIP,
    compute=tracker,
)

READ_THE_SUM: Final = Exercise(
    name="read-the-sum",
    title="How to read the sum",
    group=GROUP,
    question=FORMULA + " Say it in words, as somebody would do it on paper.",
    hints=("Write the weights on a strip of paper, the youngest at its right end.",),
    answer=(
        "Lay the weights over the measurements, in reverse order, w(0) under x(t); multiply what "
        "stands one above the other; add; write the sum down as c(t); move the strip on by one.",
        "{table}",
        "Of these {all} products {terms} are not zero: c({t}) = {sum} = {value:g}. The ship moved "
        "meanwhile: an average of its past is behind by the mean age of the weights, {lag:g}.",
    ),
    given=SHIP,
    compute=tracker,
)
