"""Plant bugs in every operator and count how many the checks find."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from faltung.ops import OPERATORS
from faltung.testing.checks import CHECKS
from faltung.testing.mutants.catalogue import mutants_of
from faltung.testing.mutants.verdicts import Verdict, hunt, sample

COLUMNS = tuple(check.__name__.removeprefix("check_") for check in CHECKS)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the hunt, print the table, and return the exit code: 1 if a bug was not found."""
    options = _parser().parse_args(arguments)
    unknown = [name for name in options.operators if name not in OPERATORS]
    if unknown:
        print(
            f"unknown operators: {', '.join(unknown)}; known: {', '.join(OPERATORS)}",
            file=sys.stderr,
        )
        return 2
    operators = options.operators or list(OPERATORS)
    if options.list:
        for name in operators:
            for mutant in mutants_of(OPERATORS[name]):
                print(f"{name:20} {mutant.name}")
        return 0
    started = time.monotonic()
    chosen = sample(options.sample, options.seed) if options.sample else {}
    verdicts = _hunted(operators, chosen, options.processes)
    for line in table(verdicts):
        print(line)
    print(f"{time.monotonic() - started:.0f} s")
    return 0 if all(verdict.killed_by for verdict in verdicts) else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m faltung.testing.mutants", description=__doc__)
    parser.add_argument("operators", nargs="*", help="ONNX names; all of them if none is given")
    parser.add_argument("--sample", type=int, default=0, help="so many bugs of each, not all")
    parser.add_argument("--seed", type=int, default=0, help="of the sample")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--list", action="store_true", help="name the bugs and plant none")
    return parser


def _hunted(
    operators: Sequence[str], chosen: dict[str, list[str]], processes: int
) -> list[Verdict]:
    """Hunt in several processes, one operator at a time each; the order does not depend on it."""
    names = [chosen.get(operator) for operator in operators]
    if processes < 2:
        return [v for pair in zip(operators, names, strict=True) for v in hunt(*pair)]
    # The longest first, so that no process is left alone with one at the end.
    size = {name: len(mutants_of(OPERATORS[name])) for name in operators}
    by_size = sorted(zip(operators, names, strict=True), key=lambda pair: -size[pair[0]])
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        futures = {name: pool.submit(hunt, name, some) for name, some in by_size}
        return [verdict for name in operators for verdict in futures[name].result()]


def table(verdicts: Sequence[Verdict]) -> Iterator[str]:
    """Return the lines of the table: found of planted, and by which check, for each operator."""
    yield f"{'operator':20} {'killed':>11}  " + " ".join(f"{name:>12}" for name in COLUMNS)
    operators = list(dict.fromkeys(verdict.operator for verdict in verdicts))
    for operator in operators:
        yield _row(operator, [v for v in verdicts if v.operator == operator])
    yield _row("all", verdicts)
    for verdict in verdicts:
        if not verdict.killed_by:
            cause = f" (could not be planted: {verdict.broken})" if verdict.broken else ""
            yield f"SURVIVES: {verdict.operator}: {verdict.mutant}{cause}"
    killed = sum(bool(verdict.killed_by) for verdict in verdicts)
    yield f"killed {killed} of {len(verdicts)} planted bugs in {len(operators)} operators"


def _row(name: str, verdicts: Sequence[Verdict]) -> str:
    killed = sum(bool(verdict.killed_by) for verdict in verdicts)
    counts = [sum(v.killed_by == f"check_{c}" for v in verdicts) for c in COLUMNS]
    shown = " ".join(f"{count or '':>12}" for count in counts)
    return f"{name:20} {killed:>5}/{len(verdicts):<5}  {shown}"


if __name__ == "__main__":
    sys.exit(main())
