"""Exercises on signals: the average of the past, and convolution in either order."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from faltung.definitions import past_report
from faltung.exercises.exercise import Exercise, Task
from faltung.exercises.marking import Array, Marker, Mistake
from faltung.reference.signal import convolve, correlate
from faltung.report import Table

GROUP: Final = "Signals"


def _sums(x: Array, ages: Array, reach: Any) -> tuple[Array, Array]:
    """Σ w x and Σ w over what ``reach(t)`` says to use: pairs of time and weight's index."""
    pairs = [[(a, i) for a, i in reach(t) if 0 <= a < len(x)] for t in range(len(x))]
    sums = [sum(x[a] * ages[i] for a, i in used) for used in pairs]
    weights = [sum(ages[i] for _, i in used) for used in pairs]
    return np.array(sums, float), np.array(weights, float)


def _past(x: Array, w: Array) -> tuple[Array, Array]:
    return _sums(x, w, lambda t: [(t - i, i) for i in range(len(w))])


def average(x: Array, w: Array) -> Array:
    """Return c(t), divided by the weights that were used."""
    return np.asarray(past_report(x, w).averages)


def _plain(x: Array, w: Array) -> Array:
    return _past(x, w)[0]


def _reversed(x: Array, w: Array) -> Array:
    last = len(w) - 1
    sums, used = _sums(x, w, lambda t: [(t - i, last - i) for i in range(len(w))])
    return sums / used


def _future(x: Array, w: Array) -> Array:
    sums, used = _sums(x, w, lambda t: [(t + i, i) for i in range(len(w))])
    return sums / used


def _late(x: Array, w: Array) -> Array:
    sums, used = _sums(x, w, lambda t: [(t - 1 - i, i) for i in range(len(w))])
    return np.divide(sums, used, out=np.zeros_like(sums), where=used > 0)


def _counted(x: Array, w: Array) -> Array:
    counts = np.minimum(np.arange(len(x)) + 1, len(w))
    return _past(x, w)[0] / counts


def _short(x: Array, w: Array) -> Array:
    return average(x, w)[len(w) - 1 :]


def _whole(x: Array, w: Array) -> Array:
    return average(x, w).astype(x.dtype).astype(float)


def _average_cases() -> list[dict[str, Any]]:
    rng = np.random.default_rng(1)
    drawn = [(9, 4), (5, 1), (3, 5)]
    first = {"x": np.array([4, 8, 6]), "w": np.array([0.5, 0.25, 0.25])}
    rest = [{"x": rng.integers(0, 99, n), "w": _weights(rng, k)} for n, k in drawn]
    return [first, *rest]


def _weights(rng: np.random.Generator, count: int) -> Array:
    weights = np.sort(rng.integers(1, 9, count) + np.arange(count))[::-1]
    return np.asarray(weights / weights.sum())


def averaged(x: tuple[int, ...], w: tuple[float, ...]) -> dict[str, Any]:
    """Average a few measurements."""
    report = past_report(x, w)
    rows = [
        [str(t), f"{x[t]:g}", f"{report.sums[t]:g}", f"{report.used[t]:g}", f"{c:.4g}"]
        for t, c in enumerate(report.averages)
    ]
    header = ["t", "x(t)", "Σ x(a) w(t−a)", "weights used", "c(t)"]
    return {"table": Table(header, rows), "first": float(report.sums[0]), "x0": x[0]}


AVERAGE: Final = Exercise(
    name="average",
    title="Average the past",
    group=GROUP,
    question=(
        "Write average(x, w): at each time t the weighted average of the measurements x[0] to "
        "x[t], where w[age] is the weight of a measurement that is so old. At the start, when "
        "fewer measurements are there than weights, divide by the sum of the weights used."
    ),
    hints=(
        "For one t: which ages have a measurement? From 0 to the smaller of t and len(w) − 1.",
        "The measurement of that age is x[t - age].",
    ),
    answer=(
        "For x = {x} and w = {w}:",
        "{table}",
        "Without the division the first value would be {first:g} instead of {x0:g}: a ship that "
        "seems to start near zero.",
    ),
    given={"x": (4, 8, 6), "w": (0.5, 0.25, 0.25)},
    compute=averaged,
    task=Task(
        function="average",
        head='''
import numpy as np


def average(x, w):
    """Average the past of x (n,) at each time; w (k,) has the weights by age.

    Returns n numbers. Weights that find no measurement are left out of the average.
    """
''',
        body="""    c = np.zeros(len(x))
    for t in range(len(x)):
        ages = range(min(t, len(w) - 1) + 1)
        total = sum(w[age] * x[t - age] for age in ages)
        c[t] = total / sum(w[age] for age in ages)
    return c
""",
        marker=Marker(
            average,
            _average_cases,
            (
                Mistake(
                    "The start is not renormalised: at t = 0 only w[0] meets a measurement, so "
                    "the sum has to be divided by the weights that were used.",
                    _plain,
                ),
                Mistake(
                    "The weights stand in the wrong order: w[0] belongs to the youngest "
                    "measurement, x[t], and yours gives it to the oldest.",
                    _reversed,
                ),
                Mistake(
                    "It looks into the future: it uses x[t + age], where the measurement of that "
                    "age is x[t - age].",
                    _future,
                ),
                Mistake(
                    "Every age is off by one: x[t] itself has the age 0 and counts, with w[0].",
                    _late,
                ),
                Mistake(
                    "It divides by how many measurements were used, not by the sum of their "
                    "weights.",
                    _counted,
                ),
                Mistake(
                    "The start is missing: there is a value for every t, also where fewer "
                    "measurements are there than weights.",
                    _short,
                ),
                Mistake(
                    "The averages are cut to whole numbers: the array for them has the integers' "
                    "dtype of x. Make it with np.zeros(len(x)).",
                    _whole,
                ),
            ),
            wants="one number for each time",
        ),
    ),
)


# f*g = g*f -------------------------------------------------------------------------------------


def convolved(f: Array, g: Array) -> Array:
    """Return the full convolution of two signals."""
    return convolve(f, g)


def _correlated(f: Array, g: Array) -> Array:
    return correlate(f, g)


def _valid(f: Array, g: Array) -> Array:
    return convolve(f, g, "valid") if len(f) >= len(g) else convolve(g, f, "valid")


def _same(f: Array, g: Array) -> Array:
    return convolve(f, g)[: len(f)]


def _centred(f: Array, g: Array) -> Array:
    return convolve(f, g, "same")


def _one_short(f: Array, g: Array) -> Array:
    return convolve(f, g)[:-1]


def _circular(f: Array, g: Array) -> Array:
    n = max(len(f), len(g))
    return np.array([sum(v * _at(g, (x - i) % n) for i, v in enumerate(f)) for x in range(n)])


def _at(g: Array, i: int) -> float:
    return float(g[i]) if i < len(g) else 0.0


def _wrapped(f: Array, g: Array) -> Array:
    """What indices below 0 do in Python: they count from the end."""
    n, found = len(f) + len(g) - 1, []
    for x in range(n):
        found.append(sum(v * g[x - i] for i, v in enumerate(f) if -len(g) <= x - i < len(g)))
    return np.array(found, float)


def _signals() -> list[dict[str, Any]]:
    rng = np.random.default_rng(2)
    first = {"f": np.array([1, 2, 3]), "g": np.array([0, 1, 5])}
    sizes = [(7, 3), (3, 7), (5, 5), (1, 4)]
    return [
        first,
        *({"f": rng.integers(-9, 10, n), "g": rng.integers(-9, 10, m)} for n, m in sizes),
    ]


def _commutes(function: Any) -> str:
    swapped = [(c["g"], c["f"]) for c in _signals()]
    equal = sum(np.array_equal(function(f, g), function(g, f)) for f, g in swapped)
    return f"In {equal} of {len(swapped)} cases f*g and g*f are equal."


def commuted(f: tuple[int, ...], g: tuple[int, ...], trials: int, least: int) -> dict[str, Any]:
    """Convolve and correlate in both orders."""
    rng = np.random.default_rng(0)
    differ = correlations = 0
    for _ in range(trials):
        a, b = (rng.integers(-9, 10, int(n)) for n in rng.integers(least, 9, 2))
        differ += not np.array_equal(convolve(a, b), convolve(b, a))
        correlations += not np.array_equal(correlate(a, b), correlate(b, a))
    same = [convolve(f, g, "same"), convolve(g, f, "same")]
    return {
        "one": _listed(convolve(f, g)),
        "other": _listed(convolve(g, f)),
        "corr_one": _listed(correlate(f, g)),
        "corr_other": _listed(correlate(g, f)),
        "same_one": _listed(same[0]),
        "same_other": _listed(same[1]),
        "differ": differ,
        "correlations": correlations,
        "n": len(f),
        "m": len(g),
    }


def _listed(values: Array) -> str:
    return ", ".join(f"{v:g}" for v in np.asarray(values).tolist())


COMMUTE: Final = Exercise(
    name="commute",
    title="Prove f*g = g*f",
    group=GROUP,
    question=(
        "Prove that (f*g)(x) = Σ f(i) g(x−i), i over all integers, equals (g*f)(x). Then write "
        "convolve(f, g) by that formula and see it hold. Does it hold for correlation?"
    ),
    hints=(
        "Give the argument of g a name of its own: j = x − i.",
        "When i runs over all integers, what does j run over?",
        "Lists have ends: for which i are both f[i] and g[x - i] there?",
    ),
    answer=(
        "Let j = x − i, so i = x − j. When i runs over all integers, so does j, each once, and a "
        "sum of finitely many terms that are not zero does not care for their order: "
        "Σ f(i) g(x−i) = Σ f(x−j) g(j) = Σ g(j) f(x−j) = (g*f)(x).",
        "f = {f}, g = {g}: f*g = {one}, and g*f = {other}. Of {trials} random pairs {differ} "
        "differ.",
        "Correlation, Σ f(x+i) g(i), does not commute: {corr_one} one way, {corr_other} the "
        "other; the same numbers in reverse. {correlations} of the {trials} pairs differ.",
        "Nor does 'same': it cuts to the length of the first, {n} or {m}: {same_one} against "
        "{same_other}. The proof needs all x.",
    ),
    given={"f": (1, 2, 3, 1), "g": (0, 1, 5), "trials": 100, "least": 2},
    compute=commuted,
    task=Task(
        function="convolve",
        head='''
import numpy as np


def convolve(f, g):
    """Return the full convolution: (f*g)(x) = sum over i of f(i) g(x - i).

    f (n,) and g (m,) are zero outside; returns the n + m - 1 values for x from 0 on.
    """
''',
        body="""    y = np.zeros(len(f) + len(g) - 1)
    for i in range(len(f)):
        for j in range(len(g)):
            y[i + j] += f[i] * g[j]  # x = i + j: f and g come in alike
    return y
""",
        marker=Marker(
            convolved,
            _signals,
            (
                Mistake(
                    "That is the correlation: g is not flipped. The formula has g(x − i), so that "
                    "g is read backwards while f is read forwards.",
                    _correlated,
                ),
                Mistake(
                    "Only the positions where both signals overlap wholly are there ('valid'). "
                    "The full convolution has n + m − 1 values, with zeros outside.",
                    _valid,
                ),
                Mistake(
                    "It stops when f ends: x runs on to n + m − 2, as long as some f(i) and "
                    "g(x − i) are both there.",
                    _same,
                ),
                Mistake(
                    "That is the middle of it ('same'). The full convolution has n + m − 1 values.",
                    _centred,
                ),
                Mistake(
                    "The last value is missing: x runs from 0 to n + m − 2, which are n + m − 1 "
                    "values.",
                    _one_short,
                ),
                Mistake(
                    "It goes round in a circle: what leaves at one end comes in at the other. "
                    "Outside of their range f and g are zero.",
                    _circular,
                ),
                Mistake(
                    "Indices below 0 count from the end in Python: g[x - i] with x < i is zero in "
                    "the formula, but an entry in the list. Skip those i.",
                    _wrapped,
                ),
            ),
            wants="n + m − 1 numbers",
            also=_commutes,
        ),
    ),
)
