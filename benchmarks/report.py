"""From the results of runs to lines on a terminal: ratios, means, and whether bars are met."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from benchmarks.measure import best, best_ratio
from benchmarks.suites import TITLES, Figures, Suite
from faltung.kernels.roofline import share

Row = Mapping[str, Any]


def line(row: Row, roofline: Mapping[str, Any]) -> str:
    """Return one row for a terminal."""
    cells = [f"{row['name']:22}", f"{1e3 * row['seconds']:10.4f}", f"{gflops(row):8.1f}"]
    cells.append(f"{100 * share(row, roofline):6.0f}%")
    quickest = sorted(row["peers"].items(), key=lambda item: item[1]["ratio"])
    cells += [f" {TITLES[name]} {r['ratio']:.2f}" for name, r in quickest]
    return " ".join(cells)


def figure(row: Row, suite: Figures) -> str:
    """Return a figure of ours alone for a terminal."""
    said = f"{row['value']:8.3g} {suite.unit} (at most {row['high']:.3g}; bar {row['bar']:g})"
    return f"{row['name']:46} {said}"


def summary(suite: Suite, rows: Sequence[Row]) -> list[str]:
    """Return means, the least line and the bars, as seen."""
    said = []
    for is_listed, which in ((True, "published list"), (False, "other shapes")):
        chosen = [row for row in rows if row["listed"] == is_listed and row["peers"]]
        if chosen:
            least = min(chosen, key=ratio)
            said.append(
                f"{which}: geometric mean {mean(chosen):.2f}, least {ratio(least):.2f} "
                f"({least['name']}, against {TITLES[best(least)]}), "
                f"{sum(ratio(row) < 1 for row in chosen)} of {len(chosen)} below 1"
            )
    return said + [f"{name}: {'met' if met else 'missed'}" for name, met in bars(suite, rows)]


def bars(suite: Suite | Figures, rows: Sequence[Row]) -> Iterable[tuple[str, bool]]:
    """Return what is asked of a suite's listed rows, and whether it was seen."""
    if isinstance(suite, Figures):
        for row in rows:
            yield f"{row['name']} under {row['bar']:g} {suite.unit}", row["value"] < row["bar"]
        return
    listed = [row for row in rows if row["listed"] and row["peers"]]
    if suite.least_mean is not None and listed:
        yield f"geometric mean at least {suite.least_mean}", mean(listed) >= suite.least_mean
    if suite.least is not None and listed:
        yield f"none below {suite.least}", min(map(ratio, listed)) >= suite.least
    if suite.most_us is not None and rows:
        slowest = 1e6 * max(row["seconds"] for row in rows)
        yield f"under {suite.most_us:g} µs (slowest {slowest:.1f})", slowest < suite.most_us


def ratio(row: Row) -> float:
    """Return the time of the quickest peer over ours."""
    found = best_ratio(row)
    assert found is not None
    return found


def mean(rows: Sequence[Row]) -> float:
    """Return the geometric mean of the ratios to the quickest peers."""
    return statistics.geometric_mean(map(ratio, rows))


def gflops(row: Row) -> float:
    """Return the direct algorithm's operations in the time that we took."""
    return float(2e-9 * row["macs"] / row["seconds"])
