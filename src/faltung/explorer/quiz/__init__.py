"""Questions that are drawn, and marked with the reason.

>>> problem = draw("size", 1)
>>> mark("size", 1, problem.solution).is_right
True
>>> draw("size", 1) == problem
True
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from faltung.errors import ExplorerError, message
from faltung.explorer.quiz.counts import COUNTS
from faltung.explorer.quiz.ideas import IDEAS
from faltung.explorer.quiz.measured import MEASURED
from faltung.explorer.quiz.problem import Family as Family
from faltung.explorer.quiz.problem import Marked as Marked
from faltung.explorer.quiz.problem import Near as Near
from faltung.explorer.quiz.problem import Problem as Problem
from faltung.explorer.quiz.problem import marked as marked
from faltung.explorer.quiz.sees import SEES
from faltung.explorer.quiz.sizes import SIZES
from faltung.explorer.quiz.values import VALUES

FAMILIES: Final[Mapping[str, Family]] = {
    family.name: family for family in (*COUNTS, *SIZES, *SEES, *VALUES, *MEASURED, *IDEAS)
}
"""By name, in the order of the page."""
LARGEST_SEED: Final = 2**31 - 1


def family_of(name: str) -> Family:
    """Return a family by its name.

    Raises
    ------
    ExplorerError
        There is none.
    """
    if name not in FAMILIES:
        rule, cure = "there is no such family of questions", f"Use one of {', '.join(FAMILIES)}"
        raise ExplorerError(message("check", rule, {"family": repr(name)}, cure))
    return FAMILIES[name]


def draw(family: str, seed: int) -> Problem:
    """Return the question of a family and a seed, the same one every time.

    Raises
    ------
    ExplorerError
        There is no such family, or the seed is no whole number from 0 to `LARGEST_SEED`.
    """
    if not isinstance(seed, int) or isinstance(seed, bool) or not 0 <= seed <= LARGEST_SEED:
        rule = f"a seed must be a whole number from 0 to {LARGEST_SEED:,}"
        raise ExplorerError(message("check", rule, {"seed": repr(seed)[:40]}))
    return family_of(family).draw(seed)


def mark(family: str, seed: int, answer: str) -> Marked:
    """Mark an answer to the question of a family and a seed.

    Raises
    ------
    ExplorerError
        As of `draw`.
    """
    return marked(draw(family, seed), answer)
