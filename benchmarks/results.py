"""What is kept of runs: all figures in a file beside the document that is made of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchmarks.document import document


def kept(path: Path) -> dict[str, Any]:
    """Return the runs that a document shows, by suite."""
    figures = path.with_suffix(".json")
    runs: dict[str, Any] = {}
    if figures.exists():
        runs = json.loads(figures.read_text(encoding="utf-8"))
    return runs


def save(name: str, run: dict[str, Any], path: Path) -> None:
    """Put a run of a suite in the place of the one before; leave those of others as they are."""
    path.parent.mkdir(parents=True, exist_ok=True)
    runs = kept(path) | {name: run}
    lines = ",\n".join(f"{json.dumps(name)}: {_text(run)}" for name, run in runs.items())
    path.with_suffix(".json").write_text(f"{{\n{lines}\n}}\n", encoding="utf-8")
    path.write_text(document(runs), encoding="utf-8")


def _text(run: dict[str, Any]) -> str:
    """Return JSON with a line for each row, and no more digits than mean something."""
    short = json.loads(json.dumps(run), parse_float=lambda text: float(f"{float(text):.4g}"))
    rows = ",\n".join(json.dumps(row, ensure_ascii=False) for row in short.pop("rows"))
    return f'{json.dumps(short, ensure_ascii=False)[:-1]}, "rows": [\n{rows}\n]}}'
