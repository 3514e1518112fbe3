"""Mutate model files, and see that each ends in a result or one clear error."""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from faltung.testing.onnx_mutations import PLANTED, Tally, case_of, examined
from faltung.testing.onnx_mutations.folder import prepare, put
from faltung.testing.onnx_mutations.worker import answer


def main(arguments: Sequence[str] | None = None) -> int:
    """Examine mutants, print what became of them, and return the exit code: 1 after a failure."""
    options = _parser().parse_args(arguments)
    if options.case is not None:
        return _one(options.seed, options.case, options.planted, options.keep)
    started, tally = time.monotonic(), Tally(options.seed)
    indices = range(options.start, options.start + options.count)
    for found in examined(
        indices, seed=options.seed, workers=options.workers, planted=options.planted
    ):
        tally.add(found)
        if found.outcome.is_failure:
            print(*tally.told(found), sep="\n", flush=True)
        if tally.total % 10_000 == 0:
            print(f"{tally.total:,} examined, {len(tally.failures)} failures", flush=True)
    for line in tally.lines():
        print(line)
    print(f"{time.monotonic() - started:.0f} s")
    return 1 if tally.failures else 0


def _one(seed: int, index: int, planted: str, keep: Path | None) -> int:
    """Examine one mutant in this process, without limits."""
    case = case_of(seed, index)
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        put(keep / "model.onnx", case.data, case.base)
        print(f"wrote {keep / 'model.onnx'}")
    folder = Path(tempfile.mkdtemp())
    try:
        found = answer(seed, index, prepare(folder), planted)
    finally:
        shutil.rmtree(folder)
    print(f"{found.base}, {found.what}: {found.outcome.reached!r}, {found.seconds:.2f} s")
    print(f"{found.outcome.verdict}: {found.outcome.text}")
    return 1 if found.outcome.is_failure else 0


def _parser() -> argparse.ArgumentParser:
    name = "python -m faltung.testing.onnx_mutations"
    parser = argparse.ArgumentParser(prog=name, description=__doc__)
    parser.add_argument("--count", type=int, default=100_000, help="how many mutants")
    parser.add_argument("--start", type=int, default=0, help="the index of the first")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2, help="processes")
    parser.add_argument("--case", type=int, help="examine the mutant of this index alone")
    parser.add_argument("--keep", type=Path, help="with --case: a folder to write the mutant to")
    parser.add_argument("--planted", choices=sorted(PLANTED), default="", help="a bug to find")
    return parser


if __name__ == "__main__":
    sys.exit(main())
