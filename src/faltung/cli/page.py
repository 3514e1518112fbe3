"""The page of pictures beside a trained model."""

from __future__ import annotations

from pathlib import Path

from faltung.cli.runs import REPORT
from faltung.cli.screen import Screen
from faltung.datasets import Dataset
from faltung.errors import MissingExtraError
from faltung.training.loop import TrainingResult


def write_page(
    screen: Screen, result: TrainingResult, test_set: Dataset, folder: Path
) -> Path | None:
    """Write ``report.html`` into the folder of a run; without Matplotlib, say how to get it."""
    try:
        from faltung.viz import report
    except MissingExtraError:
        screen.note(f"no {REPORT}: its pictures need Matplotlib, pip install 'faltung[viz]'")
        return None
    return report.write(folder / REPORT, result, test_set)
