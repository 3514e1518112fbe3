"""What the view Check is given and asks: questions, with their answers and near misses.

A page without Python has some questions of each family; with Python, fresh ones are drawn.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, Final

from faltung.explorer.quiz import FAMILIES, draw
from faltung.explorer.quiz.problem import IMPORTS, Problem
from faltung.explorer.uploads import Uploads

RECORDED: Final = 12
"""How many questions of each family a page has: those of the seeds below."""


@cache
def prepared() -> dict[str, Any]:
    """Return the families, and some questions of each.

    Texts that come again and again, reasons and choices, stand once in ``texts``; where they
    are said, their index stands.

    >>> len(prepared()["families"]) >= 14
    True
    """
    known: dict[str, int] = {}
    problems = {
        name: [
            record(draw(name, seed), lambda t: known.setdefault(t, len(known))) for seed in seeds
        ]
        for name, seeds in dict.fromkeys(FAMILIES, range(RECORDED)).items()
    }
    return {
        "families": [[f.name, f.title, f.is_idea] for f in FAMILIES.values()],
        "imports": IMPORTS,
        "texts": list(known),
        "problems": problems,
    }


def drawn(given: dict[str, Any], uploads: Uploads) -> list[Any]:
    """Draw a question: takes ``{"family": NAME, "seed": N}``."""
    return record(draw(str(given.get("family"))[:40], given.get("seed", 0)))


def record(problem: Problem, text: Callable[[str], Any] = str) -> list[Any]:
    """Return a question as the component reads it.

    Parameters
    ----------
    problem
        The question.
    text
        What stands for a text that comes again and again.
    """
    return [
        problem.text,
        list(problem.answer),
        problem.working,
        [[list(near.answer), text(near.why)] for near in problem.near],
        [text(choice) for choice in problem.choices],
        problem.code,
        [[name, [list(row) for row in rows]] for name, rows in problem.grids],
    ]
