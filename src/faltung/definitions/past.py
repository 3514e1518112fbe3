"""A weighted average of past measurements: the convolution that a tracker of positions takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from faltung.definitions.figures import number, short
from faltung.definitions.given import finite_signal
from faltung.errors import GeometryError, message
from faltung.report import AbstractReport, Table
from faltung.signal import convolve

Array = NDArray[Any]

SIGHTINGS: Final = (0.3, 0.8, 2.4, 2.7, 4.2, 5.1, 5.8, 7.3)
"""Where a ship was seen that moves by 1 from one time to the next, give or take."""

HALVING: Final = "halving"
AGES: Final = 64
"""Ages that halving goes back to; older ones would not change a float64."""

MOST_ROWS: Final = 24

QUESTIONS: Final = (
    ("What is the time index?", "a: the time at which x(a) was measured. t is now."),
    ("What is the age?", "t-a: how long ago that was. The weight depends on nothing else."),
    ("Why w(t-a)?", "Because w says what an age counts; as t moves on, all measurements age."),
    (
        "Why an infinite sum?",
        "It runs over all times; w is 0 for negative ages, which lie in the future, and x is 0 "
        "before the first measurement, so that few terms are left.",
    ),
    (
        "How is the sum read?",
        "Lay the weights over the measurements, the youngest at t, in reverse order; multiply and "
        "add; move on by one.",
    ),
)
"""The questions that the formula raises, and their answers."""


@dataclass(frozen=True, eq=False)
class PastReport(AbstractReport):
    """Measurements and, at each time, the weighted average of what is known by then.

    Parameters
    ----------
    measurements
        x(a), by time.
    weights
        w(age), by age, from 0 on; they sum to 1.
    sums
        Σ x(a) w(t-a), by time.
    used
        The sum of the weights in it, by time.
    """

    measurements: Array
    weights: Array
    sums: Array
    used: Array

    @property
    def averages(self) -> Array:
        """The weighted averages c(t), divided by the sum of the weights that were used.

        NaN at times at which no measurement has a weight.
        """
        known = self.used > 0
        divisors = np.where(known, self.used, 1.0)
        return np.where(known, self.sums / divisors, np.nan)

    @property
    def mean_age(self) -> float:
        """By how much the average lags behind what moves evenly, once all weights are used."""
        ages = np.arange(len(self.weights))
        return float((ages * self.weights).sum() / self.weights.sum())

    @property
    def noise_left(self) -> float:
        """The share of the variance of independent noise that is left, once all are used."""
        return float((self.weights**2).sum() / self.weights.sum() ** 2)

    def blocks(self) -> list[Table | str]:
        """Return the formula, the averages, one of them spelt out, the questions."""
        return [
            "A weighted average of past measurements: c(t) = Σ x(a) w(t-a). It is the convolution "
            "of the measurements x with the weights w.",
            self._weights(),
            self._table(),
            self._spelt_out(),
            "Where all weights are used, the average lags behind what moves evenly by their mean "
            f"age, {short(self.mean_age)}, and leaves {short(self.noise_left)} of the variance of "
            "noise.",
            *(f"{question} {answer}" for question, answer in QUESTIONS),
        ]

    def _weights(self) -> str:
        shown = ", ".join(number(w) for w in self.weights[:5].tolist())
        more = ", ..." if len(self.weights) > 5 else ""
        text = f"Weights by age, from 0 on: {shown}{more}. They sum to 1."
        if self.used[0] < 1:
            text += " At the start they do not yet: the average is divided by those that are used."
        return text

    def _table(self) -> Table:
        each = (self.measurements, self.used, self.sums)
        rows = [
            (str(t), *(number(v[t].item()) for v in each), _shown(self.averages[t].item()))
            for t in range(min(len(self.measurements), MOST_ROWS))
        ]
        header = ("t", "x(t)", "weights used", "Σ x(a) w(t-a)", "c(t)")
        return Table(header, rows, left=())

    def _spelt_out(self) -> str:
        t = min(2, len(self.measurements) - 1)
        ages = range(min(t, len(self.weights) - 1) + 1)
        symbols = " + ".join(f"x({t - age})w({age})" for age in ages)
        numbers = " + ".join(
            f"{number(self.measurements[t - age].item())}·{number(self.weights[age].item())}"
            for age in ages
        )
        used, value = number(self.used[t].item()), _shown(self.averages[t].item())
        return f"c({t}) = ({symbols}) / {used}\n= ({numbers}) / {used} = {value}"

    def to_dict(self) -> dict[str, Any]:
        """Return measurements, weights, sums and averages."""
        averages = [None if np.isnan(c) else c for c in self.averages.tolist()]
        return {
            "measurements": self.measurements.tolist(),
            "weights": self.weights.tolist(),
            "weights_used": self.used.tolist(),
            "sums": self.sums.tolist(),
            "averages": averages,
            "mean_age": self.mean_age,
            "noise_left": self.noise_left,
            "questions": dict(QUESTIONS),
        }


def past_report(
    measurements: ArrayLike | None = None, weights: str | Sequence[float] | ArrayLike = HALVING
) -> PastReport:
    """Average measurements over the past, the young ones counting most.

    Parameters
    ----------
    measurements : array_like, (n,), optional
        By time; by default noisy positions of a ship.
    weights : "halving" or array_like, (k,)
        ``w[age]``, none negative, one positive at least. ``"halving"`` is 1/2, 1/4, 1/8 and so on.
        Weights that do not sum to 1 are divided by their sum.

    Returns
    -------
    PastReport
        A report: text when printed, HTML in notebooks, ``to_dict()`` for JSON.

    Raises
    ------
    GeometryError
        signal F1: not one axis of finite numbers. F5: weights that are negative or all 0. F6: a
        word that names no weights.
    DTypeError
        signal F4: measurements or weights that are no numbers.

    Examples
    --------
    >>> report = past_report([4, 8, 6])
    >>> report.used.tolist(), report.sums.tolist()
    ([0.5, 0.75, 0.875], [2.0, 5.0, 5.5])
    >>> report.averages.round(3).tolist()
    [4.0, 6.667, 6.286]
    """
    x = finite_signal("measurements", SIGHTINGS if measurements is None else measurements)
    w = _weights(weights)
    sums = convolve(x, w)[: len(x)]
    used = np.cumsum(np.pad(w, (0, max(len(x) - len(w), 0))))[: len(x)]
    return PastReport(x, w, np.asarray(sums), used)


def _weights(given: str | Sequence[float] | ArrayLike) -> Array:
    """Return the weights by age; they sum to 1."""
    if isinstance(given, str):
        if given != HALVING:
            rule, values = "weights must be 'halving' or numbers", {"weights": repr(given)}
            raise GeometryError(message("signal", rule, values, "", "signal F6"))
        return np.asarray(0.5 ** np.arange(1, AGES + 1))
    w = finite_signal("weights", given).astype(np.float64)
    if (w < 0).any() or not w.any():
        rule, cure = "weights must not be negative, nor all 0", "Give the youngest one the most"
        raise GeometryError(message("signal", rule, {"weights": w.tolist()}, cure, "signal F5"))
    return np.asarray(w / w.sum())


def _shown(value: float) -> str:
    return "none" if np.isnan(value) else short(value)
