"""From the results of runs to lines on a terminal and to ``docs/benchmarks.md``."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from benchmarks.measure import best, best_ratio
from benchmarks.suites import OURS, SUITES, TITLES, Suite
from faltung.kernels.roofline import share

Row = Mapping[str, Any]
INTRODUCTION = """# Benchmarks

Made by `make bench ARGS="all --write docs/benchmarks.md"`; the figures are those of one machine and
say nothing of another. Ratios are *peer's time / faltung's*: above 1, faltung is the quicker one.

Each candidate runs in a process of its own, all with the same number of threads, in blocks whose
order rotates over the rounds. A ratio is the median over the rounds, the spread behind it their
smallest and largest. A candidate's result is checked before anything is timed: against float64 sums
of shifted products, whole networks against each other. GFLOP/s count the operations of the direct
algorithm, two for each multiply-add, whatever was computed; so does the share of the roofline (the
least time that multiply-adds or memory would allow), which algorithms that multiply less can take
past 100 %.
PyTorch and faltung take their inputs as they are; peers with a layout of their own get them in it.
"""
LEGEND = """Below each table stand the geometric mean of the ratios to the quickest peer of each
line, over the published list and over the shapes that are not on it, the worst line, and what the
project asks of itself on AVX-512 machines."""


def line(row: Row, roofline: Mapping[str, Any]) -> str:
    """Return one row for a terminal."""
    cells = [f"{row['name']:22}", f"{1e3 * row['seconds']:10.4f}", f"{_gflops(row):8.1f}"]
    cells.append(f"{100 * share(row, roofline):6.0f}%")
    quickest = sorted(row["peers"].items(), key=lambda item: item[1]["ratio"])
    cells += [f" {TITLES[name]} {r['ratio']:.2f}" for name, r in quickest]
    return " ".join(cells)


def start_line(row: Row) -> str:
    return f"{row['name']:46} {row['seconds']:6.2f} s (at most {row['high']:.2f}; bar {row['bar']})"


def summary(suite: Suite, rows: Sequence[Row]) -> list[str]:
    """Return means, the worst line and the bars, as seen."""
    said = []
    for is_listed, which in ((True, "published list"), (False, "other shapes")):
        chosen = [row for row in rows if row["listed"] == is_listed and row["peers"]]
        if chosen:
            worst = min(chosen, key=_ratio)
            said.append(
                f"{which}: geometric mean {_mean(chosen):.2f}, worst {_ratio(worst):.2f} "
                f"({worst['name']}, against {TITLES[best(worst)]}), "
                f"{sum(_ratio(row) < 1 for row in chosen)} of {len(chosen)} below 1"
            )
    return said + [f"{name}: {_met(met)}" for name, met in bars(suite, rows)]


def bars(suite: Suite, rows: Sequence[Row]) -> Iterable[tuple[str, bool]]:
    """Return what is asked of a suite's listed rows, and whether it was seen."""
    listed = [row for row in rows if row["listed"] and row["peers"]]
    if suite.least_mean is not None and listed:
        yield f"geometric mean at least {suite.least_mean}", _mean(listed) >= suite.least_mean
    if suite.least is not None and listed:
        worst = min(map(_ratio, listed))
        yield f"none below {suite.least}", worst >= suite.least
    if suite.most_us is not None and rows:
        slowest = 1e6 * max(row["seconds"] for row in rows)
        yield f"under {suite.most_us:g} µs (slowest {slowest:.1f})", slowest < suite.most_us


def document(results: Mapping[str, Any]) -> str:
    """Return ``docs/benchmarks.md``."""
    parts = [INTRODUCTION, _machine(results), LEGEND + "\n"]
    for name, suite in SUITES.items():
        if name in results["suites"]:
            parts.append(_section(suite, results["suites"][name], results))
    if "start" in results["suites"]:
        parts.append(_start(results["suites"]["start"]))
    return "\n".join(parts)


def _machine(results: Mapping[str, Any]) -> str:
    machine, roofline = results["machine"], results["roofline"]
    versions = ", ".join(f"{TITLES[n]} {v}" for n, v in sorted(results["versions"].items()))
    wide = "; ".join(
        f"{_size(int(size))} {value / 1e9:.0f}" for size, value in roofline["bandwidths"].items()
    )
    return "\n".join(
        [
            "| | |",
            "| --- | --- |",
            f"| CPU | {machine['cpu']}, {machine['isa']}, {machine['threads']} threads |",
            f"| System | {machine['system']} |",
            f"| Peak, measured | {roofline['flops'] / 1e9:.0f} GFLOP/s in float32 |",
            f"| Copied, GB/s, by what is touched | {wide} |",
            f"| Versions | {versions} |",
            "",
        ]
    )


def _section(suite: Suite, run: Mapping[str, Any], results: Mapping[str, Any]) -> str:
    rows = run["rows"]
    peers = [name for name in suite.peers if any(name in row["peers"] for row in rows)]
    heads = ["", "shape", "ms", "GFLOP/s", "of roofline", "quickest peer", *map(_title, peers)]
    lines = [f"## {suite.title}", "", suite.says, ""]
    for is_listed, said in ((True, ""), (False, "Not on the published list:")):
        chosen = [row for row in rows if row["listed"] == is_listed]
        if chosen:
            lines += [said, ""] if said else []
            lines += [_cells(heads), _cells(["---"] * len(heads))]
            lines += [_cells(_table_row(row, peers, results["roofline"])) for row in chosen]
            lines.append("")
    lines += [f"- {said[0].upper()}{said[1:]}." for said in summary(suite, rows)]
    lines += [f"- {said}" for said in _cannot(rows)]
    lines += _errors(rows)
    lines.append(
        f"- Commit {run['commit']}, {run['day']}, {run['rounds']} rounds of {run['block']:g} s."
    )
    return "\n".join([*lines, ""])


def _errors(rows: Sequence[Row]) -> list[str]:
    errors = [(e, n, row["name"]) for row in rows for n, e in row["errors"].items()]
    if not errors:
        return []
    worst, who, where = max(errors)
    ours = max(error for error, name, _ in errors if name == OURS)
    return [
        f"- Largest error over largest value: {ours:.0e}; of all {worst:.0e} "
        f"({TITLES[who]} on {where})."
    ]


def _table_row(row: Row, peers: Sequence[str], roofline: Mapping[str, Any]) -> list[str]:
    quickest = ""
    if row["peers"]:
        r = row["peers"][best(row)]
        quickest = f"**{r['ratio']:.2f}** ({r['low']:.2f}–{r['high']:.2f})"
    cells = [row["name"], row["shape"], _milliseconds(row["seconds"]), f"{_gflops(row):.0f}"]
    cells += [f"{100 * share(row, roofline):.0f} %", quickest]
    return cells + [f"{row['peers'][n]['ratio']:.2f}" if n in row["peers"] else "" for n in peers]


def _start(run: Mapping[str, Any]) -> str:
    lines = ["## Start", "", "Seconds of a new process; the largest of all rounds in brackets.", ""]
    lines += [_cells(["", "seconds", "at most"]), _cells(["---"] * 3)]
    for row in run["rows"]:
        met = "" if row["seconds"] < row["bar"] else " (missed)"
        seconds = f"{row['seconds']:.2f} ({row['high']:.2f})"
        lines.append(_cells([row["name"], seconds, f"{row['bar']:g}{met}"]))
    return "\n".join([*lines, "", f"Commit {run['commit']}, {run['day']}.", ""])


def _cannot(rows: Sequence[Row]) -> list[str]:
    """Who cannot do which lines, and why."""
    found: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        for name, reason in row["cannot"].items():
            found.setdefault((name, reason), []).append(row["name"])
    return [
        f"{TITLES[name]} {reason}: {'all' if len(names) == len(rows) else ', '.join(names)}."
        for (name, reason), names in found.items()
    ]


def _ratio(row: Row) -> float:
    found = best_ratio(row)
    assert found is not None
    return found


def _mean(rows: Sequence[Row]) -> float:
    return statistics.geometric_mean(map(_ratio, rows))


def _gflops(row: Row) -> float:
    return float(2e-9 * row["macs"] / row["seconds"])


def _met(met: bool) -> str:
    return "met" if met else "missed"


def _title(name: str) -> str:
    return TITLES[name]


def _milliseconds(seconds: float) -> str:
    return f"{1e3 * seconds:.4g}"


def _size(size: int) -> str:
    return f"{size >> 20} MiB" if size >= 1 << 20 else f"{size >> 10} KiB"


def _cells(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
