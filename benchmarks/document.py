"""From the results of runs to ``docs/benchmarks.md``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.measure import best
from benchmarks.report import Row, bars, gflops, mean, ratio, summary
from benchmarks.rounds import FAR, WIDE
from benchmarks.suites import OURS, SUITES, TITLES, Figures, Suite, software
from faltung.kernels.roofline import share

HEAD = """# Benchmarks

How fast faltung is beside the libraries that people use for the same work on a CPU. A **ratio** is
*the peer's time / faltung's*: above 1, faltung is the quicker one. What counts is the ratio to the
quickest peer of each line. The figures are those of the machine named below each table, and say
nothing of another one.
"""
GLANCE = """## At a glance

Over the lines of the published list: the geometric mean of the ratios to the quickest peers, and
the least of them; in brackets what the project asks of itself on AVX-512 machines.
"""
HOW = f"""## How it is measured

- A candidate's result is checked before anything is timed: against sums of shifted products in
  float64, steps of training by their losses, whole networks against each other.
- Each candidate runs in a process of its own, all with the same number of threads, and takes its
  turn in rounds whose order rotates. A turn is a block of calls; its time is the median of them.
- The ratio of a round is that of its two turns; the ratio of a line is the median over the rounds,
  and behind it stand the smallest and the largest. Rounds are added as long as the middle half of
  the ratios to the quickest peer is spread by more than {100 * (WIDE - 1):.0f} %. A peer that takes
  over {FAR} times as long as the quickest one has one round alone.
- PyTorch and faltung take their inputs as they are; peers with a layout of their own get them in
  it. Who can transform weights beforehand, or write to the same memory again, does.
- GFLOP/s count the operations of the direct algorithm, two for each multiply-add, whatever was
  computed. The roofline is the least time that multiply-adds or memory would allow, as measured;
  algorithms that multiply less can take past 100 % of it.
"""
AGAIN = """## How to repeat it

```console
$ make bench                                                 # everything, about half an hour
$ make bench ARGS="all --write docs/benchmarks.md"           # the same, and write this page
$ make bench ARGS="gradients --write docs/benchmarks.md"     # one suite, and its section alone
$ make bench ARGS="prepared 'resnet*' --quick --peers ncnn"  # a first look at some lines
```

`make bench` installs the peers beside the package; a suite runs with those that are there. Shapes
stand in [benchmarks](../benchmarks), all figures in [benchmarks.json](benchmarks.json).
"""


def document(runs: Mapping[str, Any]) -> str:
    """Return ``docs/benchmarks.md``; a run has a suite's rows, and where and how they were seen."""
    measured = [(suite, runs[name]) for name, suite in SUITES.items() if name in runs]
    parts = [HEAD, GLANCE, _glance(measured), HOW, AGAIN]
    return "\n".join([*parts, *(_section(suite, run) for suite, run in measured)])


def _glance(measured: Sequence[tuple[Suite | Figures, Mapping[str, Any]]]) -> str:
    lines = [_cells(["", "lines", "geometric mean", "least", "asked for"]), _cells(["---"] * 5)]
    for suite, run in measured:
        met = [is_met for _, is_met in bars(suite, run["rows"])]
        asked = "met" if all(met) else f"{met.count(False)} of {len(met)} missed"
        lines.append(_cells([_link(suite.title), *_glanced(suite, run["rows"]), asked]))
    return "\n".join([*lines, ""])


def _glanced(suite: Suite | Figures, rows: Sequence[Row]) -> list[str]:
    """Return how many lines count, their mean and the least."""
    if isinstance(suite, Figures):
        return [str(len(rows)), "", ""]
    listed = [row for row in rows if row["listed"] and row["peers"]]
    if not listed:
        return ["0", "", ""]
    seen = ((mean(listed), suite.least_mean), (min(map(ratio, listed)), suite.least))
    texts = [f"{value:.2f}" + (f" ({bar:g})" if bar is not None else "") for value, bar in seen]
    return [str(len(listed)), *texts]


def _section(suite: Suite | Figures, run: Mapping[str, Any]) -> str:
    rows = run["rows"]
    tables = _figures(suite, rows) if isinstance(suite, Figures) else _ratios(suite, run)
    return "\n".join([f"## {suite.title}", "", suite.says, "", *tables, f"- {_where(run)}", ""])


def _figures(suite: Figures, rows: Sequence[Row]) -> list[str]:
    lines = [_cells(["", suite.unit, "largest", "asked for"]), _cells(["---"] * 4)]
    for row in rows:
        asked = f"under {row['bar']:g}" + ("" if row["value"] < row["bar"] else ", missed")
        lines.append(_cells([row["name"], f"{row['value']:.3g}", f"{row['high']:.3g}", asked]))
    return [*lines, ""]


def _ratios(suite: Suite, run: Mapping[str, Any]) -> list[str]:
    rows = run["rows"]
    peers = [name for name in suite.peers if any(name in row["peers"] for row in rows)]
    titles = [TITLES[name] for name in peers]
    heads = ["", "shape", "ms", "GFLOP/s", "of roofline", "quickest peer", *titles]
    lines = []
    for is_listed, said in ((True, ""), (False, "Not on the published list:")):
        chosen = [row for row in rows if row["listed"] == is_listed]
        if chosen:
            lines += [said, ""] if said else []
            lines += [_cells(heads), _cells(["---"] * len(heads))]
            lines += [_cells(_table_row(row, peers, run["roofline"])) for row in chosen]
            lines.append("")
    said_of_all = [*summary(suite, rows), *_cannot(rows), *_errors(rows)]
    return lines + [f"- {said[0].upper()}{said[1:]}." for said in said_of_all]


def _table_row(row: Row, peers: Sequence[str], roofline: Mapping[str, Any]) -> list[str]:
    quickest = ""
    if row["peers"]:
        r = row["peers"][best(row)]
        quickest = f"**{r['ratio']:.2f}** ({r['low']:.2f}–{r['high']:.2f})"
    cells = [row["name"], row["shape"], f"{1e3 * row['seconds']:.4g}", f"{gflops(row):.0f}"]
    cells += [f"{100 * share(row, roofline):.0f} %", quickest]
    return cells + [f"{row['peers'][n]['ratio']:.2f}" if n in row["peers"] else "" for n in peers]


def _cannot(rows: Sequence[Row]) -> list[str]:
    """Who cannot do which lines, and why."""
    found: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        for name, reason in row["cannot"].items():
            found.setdefault((name, reason), []).append(row["name"])
    return [
        f"{TITLES[name]} {reason}: {'all' if len(names) == len(rows) else ', '.join(names)}"
        for (name, reason), names in found.items()
    ]


def _errors(rows: Sequence[Row]) -> list[str]:
    errors = [(e, n, row["name"]) for row in rows for n, e in row["errors"].items()]
    if not errors:
        return []
    worst, who, where = max(errors)
    ours = max(error for error, name, _ in errors if name == OURS)
    of_all = f"of all {worst:.0e} ({TITLES[who]} on {where})"
    return [f"largest error over largest value: {ours:.0e}; {of_all}"]


def _where(run: Mapping[str, Any]) -> str:
    """Return when, where, of what and with whom a suite was measured."""
    machine, roofline = run["machine"], run["roofline"]
    _, copied = max(roofline["bandwidths"].items(), key=lambda item: int(item[0]))
    said = [
        f"{run['day']}, commit {run['commit']}, {run['rounds']} rounds of {run['block']:g} s",
        f"{machine['cpu']}, {machine['isa']}, {machine['threads']} threads",
        f"{roofline['flops'] / 1e9:.0f} GFLOP/s in float32, {copied / 1e9:.0f} GB/s copied",
        machine["system"],
        ", ".join(f"{software(name)} {at}" for name, at in sorted(run["versions"].items())),
    ]
    return "; ".join(filter(None, said)) + "."


def _link(title: str) -> str:
    """Return a link to a section."""
    return f"[{title}](#{title.lower().replace(' ', '-').replace(chr(39), '')})"


def _cells(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
