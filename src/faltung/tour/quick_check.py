"""Quick checks: a question whose answer is computed, and who has it right."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

Answer = tuple[int, ...] | str

_GROUPED: Final = re.compile(r"[-+]?\d{1,3}(?:[,'_\u2009\u202f ]\d{3})+")
"""A whole number with its thousands apart."""
_WHOLE: Final = re.compile(r"[-+]?\d+")
_BETWEEN: Final = re.compile(r"[\s,;/x×\[\](){}]+")


@dataclass(frozen=True)
class Verdict:
    """What a check says of an answer; true if it is right.

    Parameters
    ----------
    is_right
        Whether it is.
    text
        What is said about it.
    """

    is_right: bool
    text: str

    def __bool__(self) -> bool:
        return self.is_right

    def __repr__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Check:
    """A question with a computed answer.

    Parameters
    ----------
    question
        What is asked.
    answer
        Whole numbers, or one of the choices.
    reason
        Why it is so, in one line.
    choices
        What can be chosen, where the answer is a word.
    is_set
        Whether the order of several numbers does not matter.

    Examples
    --------
    >>> check = Check("2 · 700 =", (1400,), "Twice 7 is 14.")
    >>> check.accepts("1,400"), check.accepts(1400.0), check.accepts("1401")
    (True, True, False)
    >>> Check("Which is wet?", "water", "", ("fire", "water")).accepts("b")
    True
    """

    question: str
    answer: Answer
    reason: str
    choices: tuple[str, ...] = ()
    is_set: bool = False

    @property
    def asked(self) -> str:
        """The question, with a letter for each choice."""
        listed = (f"({letter(i)}) {choice}" for i, choice in enumerate(self.choices))
        return " ".join([self.question, *listed])

    @property
    def solution(self) -> str:
        """The answer as text."""
        if isinstance(self.answer, str):
            return self.answer
        return f"{self.answer[0]:,}" if len(self.answer) == 1 else ", ".join(map(str, self.answer))

    def accepts(self, given: Any) -> bool:
        """Return whether an answer is right.

        Parameters
        ----------
        given
            A number, several of them, or a text: numbers with or without their thousands apart,
            a choice or its letter.
        """
        if isinstance(self.answer, str):
            return isinstance(given, str) and self._chosen(given) == self.answer
        read = _read(given, several=len(self.answer) != 1)
        if read is None:
            return False
        if self.is_set:
            return sorted(set(read)) == sorted(self.answer)
        return read == self.answer

    def judge(self, given: Any) -> Verdict:
        """Return what to say about an answer: the reason if it is right.

        Parameters
        ----------
        given
            As in `accepts`.
        """
        if self.accepts(given):
            return Verdict(True, f"Right: {self.solution}. {self.reason}")
        return Verdict(False, f"Not {str(given).strip()}. Try again.")

    def _chosen(self, given: str) -> str:
        """The choice that a text means, by its letter or its words."""
        said = " ".join(given.lower().strip("().,;:!? \t\n").split())
        for i, choice in enumerate(self.choices):
            if said in (letter(i), choice.lower()):
                return choice
        return ""

    def to_dict(self) -> dict[str, Any]:
        """Return the question, the answer and the reason."""
        answer = self.answer if isinstance(self.answer, str) else list(self.answer)
        return {
            "question": self.question,
            "choices": list(self.choices),
            "answer": answer,
            "reason": self.reason,
        }


def letter(index: int) -> str:
    """Return the letter of a choice."""
    return "abcdefgh"[index]


def _read(given: Any, *, several: bool) -> tuple[int, ...] | None:
    """The whole numbers that were given; None if it is something else."""
    if isinstance(given, str):
        return whole_numbers(given, several=several)
    values = list(_flat(given))
    if any(isinstance(v, bool) or not isinstance(v, int | float | np.number) for v in values):
        return None
    if any(not math.isfinite(v) or v != int(v) for v in values):
        return None
    return tuple(int(v) for v in values)


def _flat(given: Any) -> Iterator[Any]:
    """What lists of lists, arrays and sets hold, one by one."""
    if isinstance(given, Iterable) and not isinstance(given, str):
        for each in given:
            yield from _flat(each)
    else:
        yield given


def whole_numbers(text: str, *, several: bool) -> tuple[int, ...] | None:
    """Return the whole numbers that a text means; None if it means something else.

    Parameters
    ----------
    text
        Numbers with something between them, or one, with or without its thousands apart.
    several
        Whether more than one is meant: then a comma stands between two numbers.

    Examples
    --------
    >>> whole_numbers("1,234", several=False), whole_numbers("3×4", several=True)
    ((1234,), (3, 4))
    """
    text = text.replace("\N{MINUS SIGN}", "-").strip()
    if not several and _GROUPED.fullmatch(text):
        return (int(re.sub(r"[^\d+-]", "", text)),)
    parts = [part for part in _BETWEEN.split(text) if part]
    if not all(_WHOLE.fullmatch(part) for part in parts):
        return None
    return tuple(int(part) for part in parts)
