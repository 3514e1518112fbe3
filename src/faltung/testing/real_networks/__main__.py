"""Compare real networks with ONNX Runtime: ``python -m faltung.testing.real_networks FILE``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from faltung.testing.real_networks.page import (
    page,
    reading_rows,
    reference_row,
    reference_table,
    text_rows,
)
from faltung.testing.real_networks.reference import NAMES


def main(arguments: Sequence[str]) -> int:
    """Print the tables; write them to a file where one is named.

    Returns
    -------
    int
        1 where something did not agree.
    """
    found = []
    for name in NAMES:
        found.append(reference_row(name))
        print(reference_table(found[-1:]).splitlines()[-1], flush=True)
    texts, readings = text_rows(), reading_rows()
    text = page(found, texts, readings)
    print(text)
    for path in arguments:
        Path(path).write_text(text, encoding="utf-8")
    same = all(row.same for row in texts) and all(row.passed for row in readings)
    return int(not same or not all(row.passed for row in found))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
