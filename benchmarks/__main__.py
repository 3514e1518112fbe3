"""Time faltung against its peers: ``python -m benchmarks SUITE [NAME ...]``."""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from benchmarks import machine, report, start
from benchmarks.suites import OURS, PACKAGES, SUITES, Suite
from benchmarks.tasks import HERE

START = "start"


def parsed(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("suite", nargs="?", default="all", choices=["all", *SUITES, START])
    parser.add_argument("names", nargs="*", help="some shapes alone; * and ? stand for letters")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--block", type=float, default=0.3, help="seconds")
    parser.add_argument("--quick", action="store_true", help="3 rounds of 0.05 s: a first look")
    parser.add_argument("--listed", action="store_true", help="the published list alone")
    parser.add_argument("--peers", help="some peers alone, as in benchmarks/suites.py")
    parser.add_argument("--write", type=Path, help="the document that the results go into")
    options = parser.parse_args(arguments)
    if options.quick:
        options.rounds, options.block = 3, 0.05
    return options


def chosen_peers(suite: Suite, wanted: str | None) -> list[str]:
    """Return the peers that are asked for and installed; name those that are not."""
    names = [n for n in suite.peers if wanted is None or n in wanted.split(",")]
    missing = sorted({n for n in names if not importlib.util.find_spec(PACKAGES[n.split(":")[0]])})
    if missing:
        print(f"not installed, not measured: {', '.join(missing)}")
    return [name for name in names if name not in missing]


def run_suite(suite: Suite, options: argparse.Namespace, results: dict[str, Any]) -> list[dict]:
    """Measure the tasks of a suite that are asked for, and print each as it comes."""
    tasks = [
        task
        for task in suite.tasks()
        if (task.listed or not options.listed)
        and (not options.names or any(fnmatch(task.name, name) for name in options.names))
    ]
    names = [OURS, *chosen_peers(suite, options.peers)]
    rows = []
    given = (options.threads, options.rounds, options.block, results["versions"])
    with suite.timer(names, *given) as timed:
        print(f"{'':22} {'ours, ms':>10} {'GFLOP/s':>8} {'roof':>7}  peers, theirs / ours")
        for task in tasks:
            rows.append(timed(task))
            print(report.line(rows[-1], results["roofline"]), flush=True)
    for said in report.summary(suite, rows):
        print(said)
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


def kept(options: argparse.Namespace) -> dict[str, Any]:
    """Return what earlier runs on this machine left beside the document, or nothing yet."""
    here = machine.described(options.threads)
    path = options.write and options.write.with_suffix(".json")
    if path and path.exists():
        results: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if results["machine"] == here:
            return results | {"roofline": roofline(options.threads)}
    return {
        "machine": here,
        "roofline": roofline(options.threads),
        "versions": {},
        "suites": {},
    }


def add(results: dict[str, Any], name: str, rows: list[dict], how: dict[str, Any]) -> None:
    """Put a suite's rows into the results: in place of those of the same names."""
    old = results["suites"].get(name, {"rows": []})["rows"]
    new = {row["name"]: row for row in rows}
    merged = [new.pop(row["name"], row) for row in old] + list(new.values())
    results["suites"][name] = {"rows": merged, **how, **machine.when_and_what()}


def save(results: dict[str, Any], path: Path) -> None:
    """Write the document, and the figures that it is made of."""
    path.parent.mkdir(parents=True, exist_ok=True)
    figures = json.dumps(results, indent=1, ensure_ascii=False) + "\n"
    path.with_suffix(".json").write_text(figures, encoding="utf-8")
    path.write_text(report.document(results), encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what is asked for."""
    options = parsed(arguments)
    results = kept(options)
    here = results["machine"]
    print(f"{here['cpu']}, {here['isa']}, {here['threads']} threads, commit {machine.commit()}")
    print(f"peak {results['roofline']['flops'] / 1e9:.0f} GFLOP/s, float32")
    for name in [*SUITES, START] if options.suite == "all" else [options.suite]:
        print(f"\n{name}")
        if name == START:
            rows = start.measured(options.rounds)
            print("\n".join(map(report.start_line, rows)))
        else:
            rows = run_suite(SUITES[name], options, results)
        if rows:
            add(results, name, rows, {"rounds": options.rounds, "block": options.block})
            if options.write:
                save(results, options.write)


if __name__ == "__main__":
    main()
