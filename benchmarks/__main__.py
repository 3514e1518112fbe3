"""Time faltung against its peers: ``python -m benchmarks SUITE [NAME ...]``."""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from benchmarks import machine, report, results
from benchmarks.rounds import Rounds
from benchmarks.suites import OURS, PACKAGES, SUITES, Figures, Suite
from benchmarks.tasks import HERE


def parsed(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("suite", nargs="?", default="all", choices=["all", *SUITES])
    parser.add_argument("names", nargs="*", help="some shapes alone; * and ? stand for letters")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--rounds", type=int, default=3, help="at least; more where ratios spread")
    parser.add_argument("--most", type=int, default=9, help="rounds")
    parser.add_argument("--block", type=float, default=0.3, help="seconds")
    parser.add_argument("--quick", action="store_true", help="3 rounds of 0.05 s: a first look")
    parser.add_argument("--listed", action="store_true", help="the published list alone")
    parser.add_argument("--peers", help="some peers alone, as in benchmarks/suites.py")
    parser.add_argument("--write", type=Path, help="the document that the results go into")
    options = parser.parse_args(arguments)
    if options.write and (options.names or options.listed):
        parser.error("a document has whole suites: --write takes no names, and no --listed")
    if options.quick:
        options.rounds, options.most, options.block = 3, 3, 0.05
    options.rounds = Rounds(options.rounds, max(options.rounds, options.most))
    return options


def chosen_peers(suite: Suite, wanted: str | None) -> list[str]:
    """Return the peers that are asked for and installed; name those that are not."""
    names = [n for n in suite.peers if wanted is None or n in wanted.split(",")]
    missing = sorted({n for n in names if not importlib.util.find_spec(PACKAGES[n.split(":")[0]])})
    if missing:
        print(f"not installed, not measured: {', '.join(missing)}")
    return [name for name in names if name not in missing]


def run_suite(suite: Suite | Figures, options: argparse.Namespace, run: dict) -> list[dict]:
    """Measure what is asked for of a suite, and print each as it comes."""
    if isinstance(suite, Figures):
        rows = suite.measured(options.rounds.least)
        print("\n".join(report.figure(row, suite) for row in rows))
        return rows
    tasks = [
        task
        for task in suite.tasks()
        if (task.listed or not options.listed)
        and (not options.names or any(fnmatch(task.name, name) for name in options.names))
    ]
    names = [OURS, *chosen_peers(suite, options.peers)]
    rows = []
    given = (options.threads, options.rounds, options.block, run["versions"])
    with suite.timer(names, *given) as timed:
        print(f"{'':22} {'ours, ms':>10} {'GFLOP/s':>8} {'roof':>7}  peers, theirs / ours")
        for task in tasks:
            rows.append(timed(task))
            print(report.line(rows[-1], run["roofline"]), flush=True)
    print("\n".join(report.summary(suite, rows)))
    return rows


def roofline(threads: int) -> dict[str, Any]:
    """Measure the machine in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "faltung.kernels.roofline"],
        cwd=HERE.parent,
        env={**os.environ, "FALTUNG_NUM_THREADS": str(threads)},
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what is asked for."""
    options = parsed(arguments)
    here, limits = machine.described(options.threads), roofline(options.threads)
    print(f"{here['cpu']}, {here['isa']}, {here['threads']} threads, commit {machine.commit()}")
    print(f"peak {limits['flops'] / 1e9:.0f} GFLOP/s, float32")
    for name in SUITES if options.suite == "all" else [options.suite]:
        run: dict[str, Any] = {"machine": here, "roofline": limits, "versions": {}}
        run |= {"rounds": str(options.rounds), "block": options.block, **machine.when_and_what()}
        begin = time.monotonic()
        print(f"\n{name}")
        run["rows"] = run_suite(SUITES[name], options, run)
        print(f"{name} took {time.monotonic() - begin:.0f} s")
        if options.write:
            results.save(name, run, options.write)


if __name__ == "__main__":
    main()
