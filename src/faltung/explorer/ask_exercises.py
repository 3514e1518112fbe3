"""What the view Exercises shows, and what it asks: whether somebody's code is right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from faltung.errors import ExplorerError, message
from faltung.exercises import EXERCISES, exercise
from faltung.exercises.exercise import Block, Worked
from faltung.exercises.running import LARGEST
from faltung.exercises.running import check as run_and_mark
from faltung.explorer.blocks import plain_blocks
from faltung.explorer.uploads import Uploads
from faltung.report import AbstractReport


@cache
def prepared() -> dict[str, Any]:
    """Return all exercises with their answers, every figure computed."""
    return {"exercises": [_plain(exercise(name).worked()) for name in EXERCISES]}


def check(given: dict[str, Any], uploads: Uploads) -> dict[str, Any]:
    """Run and mark code: ``{"name": EXERCISE, "code": PYTHON}``."""
    name, code = given.get("name"), given.get("code")
    if not isinstance(name, str) or name not in EXERCISES or exercise(name).task is None:
        rule = "there is no such exercise with code to write"
        raise ExplorerError(message("exercises", rule, {"name": repr(name)}))
    if not isinstance(code, str) or len(code) > LARGEST:
        rule = f"the code must be text of at most {LARGEST:,} characters"
        raise ExplorerError(message("exercises", rule))
    return run_and_mark(code, name).to_dict()


@dataclass(frozen=True)
class _Answer(AbstractReport):
    parts: Sequence[Block]

    def blocks(self) -> Sequence[Block]:
        return self.parts

    def to_dict(self) -> dict[str, Any]:
        return {}


def _plain(worked: Worked) -> dict[str, Any]:
    return {**worked.to_dict(), "answer": plain_blocks(_Answer(worked.answer))}
