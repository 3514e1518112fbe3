"""Compare every kernel with float64 on random geometries, guards around all of its memory.

A finding is told by the row, the seed and the instruction set that make it again.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import replace

from faltung.kernels.isa import ISAS, has
from faltung.testing.random_kernels.broken import MISTAKES
from faltung.testing.random_kernels.hunt import Chunk, chunks, hunt, rows

SHOWN = 40


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the hunt, print what was found, and return the exit code: 1 if anything is wrong."""
    options = _parsed(arguments)
    here = [isa.name for isa in ISAS if has(isa)]
    isas = options.isa or here
    started = time.monotonic()
    if options.seed is None:
        work = [c for isa in isas for c in chunks(isa, options.cases, names=options.row)]
    else:
        names = [row.name for row in rows(options.row)]
        seeds = (options.seed, options.seed + 1)
        work = [Chunk(isa, name, *seeds) for isa in isas for name in names]
    if options.what == "prepared":
        prepared = {row.name for row in rows() if row.operation in ("conv", "conv_dx")}
        work = [chunk for chunk in work if chunk.row in prepared]
    work = [replace(chunk, what=options.what, how=options.broken) for chunk in work]
    found = hunt(work, options.processes)
    for (isa, name), count in sorted(found.checked.items()):
        print(f"{isa:8} {name:40} {count:8}")
    for said in found.wrong[:SHOWN]:
        print(said)
    total, seconds = sum(found.checked.values()), time.monotonic() - started
    print(f"{total} cases, {len(found.wrong)} wrong, {seconds:.0f} s")
    return 1 if found.wrong or not total else 0


def _parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m faltung.testing.random_kernels", description=__doc__
    )
    parser.add_argument("--cases", type=int, default=10_000, help="on each instruction set")
    parser.add_argument("--isa", action="append", help="one; all that this CPU has by default")
    parser.add_argument("--row", action="append", default=[], help="one; all by default")
    parser.add_argument("--seed", type=int, help="one case alone")
    parser.add_argument("--what", choices=["values", "bits", "prepared"], default="values")
    parser.add_argument("--broken", choices=list(MISTAKES), default="", help="the control")
    parser.add_argument("--processes", type=int, default=2)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
