"""One process that checks cases: told a row and seeds a line, it answers with what it found.

Before each case it writes the seed where the parent reads it, and how many cases were checked, so
that a kernel that touches what it must not, and ends the process, is known by its case.
"""

from __future__ import annotations

import json
import mmap
import sys
from collections.abc import Iterator
from pathlib import Path
from struct import Struct
from typing import Any, Final

from faltung.kernels.registry import ROWS, Row
from faltung.testing.random_kernels.check import Findings, check, check_bits
from faltung.testing.random_kernels.drawn import drawn
from faltung.testing.random_kernels.guarded import Guards
from faltung.testing.random_kernels.prepared import check_prepared
from faltung.testing.random_kernels.variants import TooMany, Variants

PROGRESS: Final = Struct("<qq")
"""The seed at work, and how many cases were checked."""


def row_named(name: str) -> Row:
    """Return a row of the registry."""
    return next(row for row in ROWS if row.name == name)


def findings(
    row: Row, seeds: range, guards: Guards, what: str = "values", how: str = ""
) -> Iterator[tuple[int, int, str]]:
    """Check the cases of some seeds; give each seed, how many were checked, and what is wrong.

    Parameters
    ----------
    row : Row
    seeds : range
    guards : Guards
    what : {"values", "bits", "prepared"}
        Compare with float64, or runs with one another, or prepared convolutions with float64.
    how : str
        A mistake of `broken.MISTAKES`, for the control.
    """
    variants, checked = Variants(), 0
    for seed in seeds:
        yield seed, 0, ""
        case = drawn(row, seed, is_large=what == "bits")
        if case is None:
            continue
        said = ""
        try:
            with variants.limited(checked):
                if what == "bits":
                    check_bits(case)
                elif what == "prepared":
                    check_prepared(case, guards)
                else:
                    check(case, guards, how)
        except TooMany:
            guards.check()
            continue
        except Findings as found:
            said = f"{case}: {found}"
        except Exception as error:
            said = f"{case}: {type(error).__name__}: {error}"
        if said:
            guards.check()
        checked += 1
        yield seed, 1, said


def main() -> None:
    """Answer until the input ends."""
    with Path(sys.argv[1]).open("r+b") as file:
        progress = mmap.mmap(file.fileno(), PROGRESS.size)
        guards = Guards()
        for line in sys.stdin:
            print(json.dumps(_answer(json.loads(line), guards, progress)), flush=True)


def _answer(told: dict[str, Any], guards: Guards, progress: mmap.mmap) -> dict[str, Any]:
    count, wrong = 0, []
    seeds = range(told["start"], told["stop"])
    most = told["most"] or len(seeds)
    row = row_named(told["row"])
    for seed, checked, said in findings(row, seeds, guards, told["what"], told["how"]):
        count += checked
        progress[:] = PROGRESS.pack(seed, count)
        wrong += [said] if said else []
        if count == most or (wrong and told["how"]):
            break  # enough, or the mistake is caught
    return {"checked": count, "wrong": wrong}


if __name__ == "__main__":
    main()
