"""What a question of Check is, and what is said about an answer to it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Final

from faltung.tour.quick_check import letter, whole_numbers

Numbers = tuple[int, ...]
Rows = tuple[tuple[int, ...], ...]

IMPORTS: Final = """\
import faltung
import numpy as np
from faltung import geometry
from faltung import layers as L
"""
"""What the code of questions needs."""
LEAST_NEAR: Final = 2
"""So many wrong answers of each question are known, with what is wrong about them."""


@dataclass(frozen=True)
class Near:
    """A wrong answer that somebody might give, and what is wrong about it."""

    answer: Numbers
    why: str


@dataclass(frozen=True)
class Problem:
    """A question with its answer.

    Parameters
    ----------
    text
        What is asked.
    answer
        Whole numbers; of a choice, its index.
    working
        How the answer comes about, every step in numbers.
    near
        Wrong answers that are known, with the reason.
    choices
        What can be chosen, where it is a choice.
    code
        Python whose value is the answer, after `IMPORTS`; empty where there is none.
    grids
        Names and values of the matrices that the text speaks of.
    """

    text: str
    answer: Numbers
    working: str
    near: tuple[Near, ...]
    choices: tuple[str, ...] = ()
    code: str = ""
    grids: tuple[tuple[str, Rows], ...] = ()

    @property
    def solution(self) -> str:
        """The answer as text."""
        if self.choices:
            (index,) = self.answer
            return f"({letter(index)}) {self.choices[index]}"
        return minus(", ".join(f"{n:,}" if len(self.answer) == 1 else str(n) for n in self.answer))

    def read(self, given: str) -> Numbers | None:
        """Return the answer that a text means; None if it is none.

        Whole numbers as `faltung.tour` takes them; a letter or the words of a choice.
        """
        if not self.choices:
            found = whole_numbers(given, several=len(self.answer) != 1)
            return found if found is not None and len(found) == len(self.answer) else None
        said = " ".join(given.lower().strip("(). \t\n").split())
        for index, choice in enumerate(self.choices):
            if said in (letter(index), " ".join(choice.lower().strip("().").split())):
                return (index,)
        return None


@dataclass(frozen=True)
class Marked:
    """What is said about an answer.

    Parameters
    ----------
    is_read
        Whether it could be understood; if not, it does not count.
    is_right
        Whether it is right.
    text
        The verdict; of a near miss, what is wrong about it.
    """

    is_read: bool
    is_right: bool
    text: str


def marked(problem: Problem, given: str) -> Marked:
    """Mark an answer.

    Parameters
    ----------
    problem
        The question.
    given
        What was typed or chosen; an empty text is a wrong answer: somebody gives up.

    Examples
    --------
    >>> problem = Problem("2 · 3 =", (6,), "3 + 3 = 6.", (Near((5,), "That is the sum."),))
    >>> [marked(problem, text).text for text in ("6", "5", "7", "six")]
    ['Right: 6.', 'Not 5. That is the sum.', 'Not 7.', 'Type a whole number.']
    """
    if not given.strip():
        return Marked(True, False, f"It is {problem.solution}.")
    read = problem.read(given)
    if read is None:
        return Marked(False, False, wanted(problem))
    if read == problem.answer:
        return Marked(True, True, f"Right: {problem.solution}.")
    said = replaced(problem, read)
    whys = [near.why for near in problem.near if near.answer == read]
    return Marked(True, False, " ".join([f"Not {said}.", *whys]))


def replaced(problem: Problem, answer: Numbers) -> str:
    """Return another answer to a question as text."""
    return Problem(problem.text, answer, "", (), problem.choices).solution


def wanted(problem: Problem) -> str:
    """Say what can be typed."""
    if problem.choices:
        return "Choose one of them."
    count = len(problem.answer)
    return "Type a whole number." if count == 1 else f"Type {count} whole numbers."


def misses(answer: Numbers | int, *given: tuple[Numbers | int, str]) -> tuple[Near, ...]:
    """Return the wrong ones among answers, each number once, with its first reason."""
    right, found = _numbers(answer), dict[Numbers, str]()
    for each, why in given:
        if _numbers(each) != right:
            found.setdefault(_numbers(each), why)
    return tuple(Near(each, why) for each, why in found.items())


def _numbers(given: Numbers | int) -> Numbers:
    return (given,) if isinstance(given, int) else given


def choose(
    rng: Random, text: str, right: str, wrong: Iterable[tuple[str, str]], working: str, **more: Any
) -> Problem:
    """Return a question of choices in any order; each wrong one comes with its reason."""
    whys = dict(wrong)
    choices = rng.sample([right, *whys], len(whys) + 1)
    near = tuple(Near((i,), whys[c]) for i, c in enumerate(choices) if c != right)
    return Problem(text, (choices.index(right),), working, near, tuple(choices), **more)


@dataclass(frozen=True)
class Family:
    """Questions of one kind.

    Parameters
    ----------
    name
        As the page and the link call it.
    title
        As it is shown.
    is_idea
        Whether it is about ideas; else it is about numbers.
    make
        Draws one question; those with too few near misses are drawn again.
    """

    name: str
    title: str
    make: Callable[[Random], Problem]
    is_idea: bool = False

    def draw(self, seed: int) -> Problem:
        """Return the question of a seed: the same one every time."""
        rng = Random(f"{self.name} {seed}")
        while True:
            made = self.make(rng)
            if len(made.near) >= LEAST_NEAR:
                return made


def times(factors: Sequence[int]) -> str:
    """Return factors as they are written.

    >>> times([3, 1000])
    '3·1,000'
    """
    return "·".join(f"{n:,}" for n in factors)


def minus(number: int | str) -> str:
    """Return a number with a minus sign that is one.

    >>> minus(-1)
    '−1'
    """
    return str(number).replace("-", "\N{MINUS SIGN}")


def counted(number: int, word: str) -> str:
    """Return a number of things.

    >>> counted(1, "row"), counted(1000, "row")
    ('1 row', '1,000 rows')
    """
    return f"{number:,} {word}" + ("" if number == 1 else "s")
