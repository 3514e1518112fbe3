"""A window slides over a signal: the mean that a convolution takes, beside the median."""

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

GLITCHED: Final = (10, 9, 10, 9, 10, 1, 10, 9, 10, 8)
"""Measurements with one glitch, the 1."""

MOST_ROWS: Final = 24
"""Positions that the table shows of a long signal."""


@dataclass(frozen=True, eq=False)
class SignalReport(AbstractReport):
    """A signal, its convolution, and its running median.

    Parameters
    ----------
    signal
        The samples f.
    weights, divisor
        The kernel is ``weights / divisor``: ones and their number for a box.
    scaled
        ``f * weights``, full: exact for integers.
    median
        The median of as many samples as there are weights, where all of them are there.
    """

    signal: Array
    weights: Array
    divisor: int
    scaled: Array
    median: Array

    @property
    def full(self) -> Array:
        """The convolution at every position where signal and kernel meet."""
        return np.asarray(self.scaled / self.divisor)

    @property
    def valid(self) -> Array:
        """The convolution where the kernel lies wholly on the signal."""
        k = len(self.weights)
        return self.full[k - 1 : len(self.signal)]

    @property
    def glitch(self) -> int:
        """The sample farthest from the median around it; the first one of several."""
        inside = self.signal[self._first : self._first + len(self.median)]
        return self._first + int(np.abs(inside - self.median).argmax())

    @property
    def without_glitch(self) -> SignalReport:
        """The same for the signal whose glitch is replaced by the median around it."""
        repaired = np.array(self.signal, np.result_type(self.signal, self.median))
        repaired[self.glitch] = self.median[self.glitch - self._first]
        return _report(repaired, self.weights, self.divisor)

    @property
    def means_moved(self) -> dict[int, float]:
        """The positions whose weighted sum the glitch moves, and how far."""
        return self._moved(self.valid, self.without_glitch.valid)

    @property
    def medians_moved(self) -> dict[int, float]:
        """The positions whose median the glitch moves, and how far."""
        return self._moved(self.median, self.without_glitch.median)

    @property
    def others(self) -> tuple[float, float]:
        """The least and the greatest of the samples but for the glitch."""
        rest = np.delete(self.signal, self.glitch) if len(self.signal) > 1 else self.signal
        return rest.min().item(), rest.max().item()

    @property
    def medians_outside(self) -> int:
        """How many medians lie outside the range of the other samples."""
        lo, hi = self.others
        return int(((self.median < lo) | (self.median > hi)).sum())

    @property
    def _first(self) -> int:
        """The position of the signal beside which the first valid value stands."""
        return (len(self.weights) - 1) // 2

    def _moved(self, values: Array, others: Array) -> dict[int, float]:
        moved = np.flatnonzero(values != others)
        return {int(i) + self._first: abs(values[i] - others[i]).item() for i in moved}

    def blocks(self) -> list[Table | str]:
        """Return the formula, both filters side by side, the full convolution, the glitch."""
        return [
            "Convolution: (f*g)(x) = Σ f(i) g(x-i). A window slides over the signal f, and each "
            f"output is a weighted sum of what lies under it. Here g is {self._kernel()}.",
            self._table(),
            self._full(),
            self._told(),
        ]

    def _kernel(self) -> str:
        if self.divisor > 1:
            return f"a box: {self.divisor} weights of 1/{self.divisor}"
        return f"[{', '.join(number(w) for w in self.weights.tolist())}]"

    def _table(self) -> Table:
        lo, hi = self._window()
        name = f"mean of {self.divisor}" if self.divisor > 1 else "f*g"
        rows = [
            (str(x), number(self.signal[x].item()), *(self._beside(v, x) for v in self._filtered))
            for x in range(lo, hi)
        ]
        title = "" if hi - lo == len(self.signal) else f"positions {lo} to {hi - 1}, at the glitch"
        header = ("x", "f(x)", name, f"median of {len(self.weights)}")
        return Table(header, rows, title=title, left=())

    @property
    def _filtered(self) -> tuple[Array, Array]:
        return self.valid, self.median

    def _beside(self, values: Array, x: int) -> str:
        at = x - self._first
        return short(values[at].item()) if 0 <= at < len(values) else ""

    def _window(self) -> tuple[int, int]:
        lo = max(min(self.glitch - MOST_ROWS // 2, len(self.signal) - MOST_ROWS), 0)
        return lo, min(lo + MOST_ROWS, len(self.signal))

    def _full(self) -> str:
        n, k = len(self.signal), len(self.weights)
        times = f", times {self.divisor}" if self.divisor > 1 else ""
        text = f"Valid it has {n} - {k} + 1 = {n - k + 1} values, full {n} + {k} - 1 = {n + k - 1}"
        if n > MOST_ROWS:
            return f"{text}."
        values = " ".join(short(v) for v in self.scaled.tolist())
        sums = [short(a.sum().item()) for a in (self.scaled, self.signal, self.weights)]
        return f"{text}{times}: {values}. Their sum is {sums[0]} = {sums[1]} · {sums[2]}."

    def _told(self) -> str:
        means, medians = self.means_moved, self.medians_moved
        if not means:
            return "No sample stands apart from the median around it."
        value, (lo, hi) = number(self.signal[self.glitch].item()), map(short, self.others)
        far = short(max(means.values()))
        few = f"by at most {short(max(medians.values()))}" if medians else "not at all"
        out = f"{self.medians_outside or 'none'} of them outside {lo} to {hi}, where all others are"
        return (
            f"The sample farthest from the median around it is f({self.glitch}) = {value}. It "
            f"moves {len(means)} of the sums, at {_listed(list(means))}, by up to {far}; it moves "
            f"the medians {few}, {out}. No convolution is a median: a median is not linear."
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the signal and all that was computed from it."""
        return {
            "signal": self.signal.tolist(),
            "weights": self.weights.tolist(),
            "divisor": self.divisor,
            "valid": self.valid.tolist(),
            "full_times_divisor": self.scaled.tolist(),
            "sum_of_full_times_divisor": self.scaled.sum().item(),
            "sum_of_signal": self.signal.sum().item(),
            "median": self.median.tolist(),
            "glitch": self.glitch,
            "moved_by_glitch": sorted(self.means_moved),
            "medians_moved_by_glitch": sorted(self.medians_moved),
            "range_of_other_samples": list(self.others),
            "medians_outside_that_range": self.medians_outside,
        }


def signal_report(
    signal: ArrayLike | None = None, kernel: int | Sequence[float] | ArrayLike = 3
) -> SignalReport:
    """Convolve a signal, and show the running median beside it.

    Parameters
    ----------
    signal : array_like, (n,), optional
        Samples; by default ten measurements with one glitch.
    kernel : int or array_like, (k,)
        The width of a box, whose weights are 1/k, or the weights themselves.

    Returns
    -------
    SignalReport
        A report: text when printed, HTML in notebooks, ``to_dict()`` for JSON.

    Raises
    ------
    GeometryError
        signal F1: not one axis of finite numbers. F2: a box narrower than 1. F3: a kernel longer
        than the signal.
    DTypeError
        signal F4: samples or weights that are no integers, booleans or floats.

    Examples
    --------
    >>> report = signal_report()
    >>> report.scaled
    array([10, 19, 29, 28, 29, 20, 21, 20, 29, 27, 18,  8])
    >>> report.median
    array([10,  9, 10,  9, 10,  9, 10,  9])
    >>> sorted(report.means_moved), report.medians_outside
    ([4, 5, 6], 0)
    """
    samples = finite_signal("signal", GLITCHED if signal is None else signal)
    weights, divisor = _box(kernel) if isinstance(kernel, int) else (kernel, 1)
    return _report(samples, finite_signal("kernel", weights), divisor)


def _report(samples: Array, weights: Array, divisor: int) -> SignalReport:
    if len(weights) > len(samples):
        values = {"kernel": len(weights), "signal": len(samples)}
        rule = "the kernel must not be longer than the signal"
        cure = "Use a shorter kernel"
        raise GeometryError(message("signal", rule, values, cure, "signal F3"))
    scaled = convolve(samples, weights)
    return SignalReport(samples, weights, divisor, scaled, _medians(samples, len(weights)))


def _box(width: int) -> tuple[Array, int]:
    if width < 1:
        rule, values = "a box must be at least 1 wide", {"kernel": width}
        raise GeometryError(message("signal", rule, values, "Use 3", "signal F2"))
    return np.ones(width, np.int64), width


def _medians(samples: Array, width: int) -> Array:
    windows = np.lib.stride_tricks.sliding_window_view(samples, width)
    medians = np.median(windows, axis=-1)
    whole = width % 2 and samples.dtype.kind in "iu"
    return np.asarray(medians.astype(samples.dtype) if whole else medians)


def _listed(positions: Sequence[int]) -> str:
    """Return positions in words: few of them, or from which to which.

    >>> _listed((4, 5, 6)), _listed((3,)), _listed((1, 2, 3, 4, 5, 9))
    ('4, 5 and 6', '3', '1 to 9')
    """
    if len(positions) > 4:
        return f"{positions[0]} to {positions[-1]}"
    *most, last = map(str, positions)
    return f"{', '.join(most)} and {last}" if most else last
