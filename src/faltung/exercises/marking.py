"""Marking a function: is it right; if not, which mistake gives what it returns.

A mistake is known by its results. For each typical one there is a function that makes it; where
the results of somebody's code are those on every case, that is what is said. What no known mistake
gives is shown by the first case that differs.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Function = Callable[..., Any]

TOLERANCE: Final = 1e-9
"""Of the largest value: far above the rounding of float64, far below any mistake."""
ROUNDED: Final = 1e-3
"""Of the largest value: what differs by less was rounded."""
MOST_SHOWN: Final = 16
"""Entries of an array that a message shows."""
FILE: Final = "your code"
"""What a learner's code is called where it is compiled."""


class WrongError(Exception):
    """The code is not right; the text says why."""


@dataclass(frozen=True)
class Mistake:
    """A typical wrong answer.

    Parameters
    ----------
    says
        What is said to whoever made it.
    like
        Returns what code with this mistake returns.
    """

    says: str
    like: Function


@dataclass(frozen=True)
class Marker:
    """What is right, and what is typically wrong.

    Parameters
    ----------
    right
        Returns what is right.
    cases
        Arguments to try, each by name. The first one is small enough to be shown.
    mistakes
        In the order in which they are thought of; each differs from what is right in some case.
    read
        Makes an array of floats of what a function returned.
    wants
        What it should return, in words.
    also
        Looks further at a function that returned what is right, and says something more about it.
    """

    right: Function
    cases: Callable[[], Sequence[dict[str, Any]]]
    mistakes: tuple[Mistake, ...]
    wants: str = "an array of numbers"
    read: Callable[[Any], Array] | None = None
    also: Callable[[Function], str] | None = None

    def mark(self, function: Function, name: str) -> str:
        """Return what is said of a function that is right.

        Raises
        ------
        WrongError
            It is not.
        """
        cases = self.cases()
        found = [self._called(function, name, case) for case in cases]
        wanted = [np.asarray(self.right(**deepcopy(case)), np.float64) for case in cases]
        same = [alike(a, b) for a, b in zip(found, wanted, strict=True)]
        if all(same):
            more = f" {self.also(function)}" if self.also else ""
            return f"Right: {name} agrees with the definition on {len(cases)} cases.{more}"
        for mistake in self.mistakes:
            if all(_made(mistake, case, a) for case, a in zip(cases, found, strict=True)):
                raise WrongError(mistake.says)
        if all(alike(a, b, ROUNDED) for a, b in zip(found, wanted, strict=True)):
            why = "it rounds, or works in float32. Leave the numbers as they are, in float64."
            raise WrongError(f"{name} is right to a few digits only: {why}")
        failed = [i for i, is_same in enumerate(same) if not is_same]
        likely = max(self.mistakes, key=lambda m: len(_explained(m, cases, found, failed)))
        explained = _explained(likely, cases, found, failed)
        left = [i for i in failed if i not in explained]
        if len(explained) < 2 or not left:
            explained, left = [], failed
        more = f"{likely.says} And something else: " if explained else ""
        raise WrongError(more + different(name, cases[left[0]], found[left[0]], wanted[left[0]]))

    def _called(self, function: Function, name: str, case: dict[str, Any]) -> Array:
        given = deepcopy(case)
        answer = called(function, name, given)
        for argument, before in case.items():
            if not _unchanged(given[argument], before):
                rule = f"{name} changes `{argument}`, which belongs to whoever called it"
                raise WrongError(f"{rule}. Work on a copy, or on a new array.")
        return self._read(name, answer)

    def _read(self, name: str, answer: Any) -> Array:
        try:
            array = (self.read or numbers)(answer)
        except (TypeError, ValueError) as error:
            said = f"{name} returns {_kind(answer)}; it should return {self.wants}."
            raise WrongError(said) from error
        return array


def called(function: Function, name: str, given: dict[str, Any]) -> Any:
    """Call a function by position, and say what goes wrong on its way."""
    try:
        answer = function(*given.values())
    except NotImplementedError as error:
        raise WrongError(f"{name} is not written yet.") from error
    except (MemoryError, EOFError):
        raise
    except Exception as error:
        raise WrongError(f"{name} fails{raised(error)}, given {shown(given)}.") from error
    if answer is None:
        raise WrongError(f"{name} returns None. Is there a `return` at its end?")
    return answer


def raised(error: BaseException) -> str:
    """Say which error, in which line of the learner's file.

    >>> raised(ValueError("no"))
    ' with ValueError: no'
    """
    lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == FILE]
    where = f" in line {lines[-1]}" if lines else ""
    text = " ".join(str(error).split())[:200]
    return f"{where} with {type(error).__name__}" + (f": {text}" if text else "")


def numbers(answer: Any) -> Array:
    """Return an array of floats; text is no number, whatever it says."""
    array = np.asarray(answer)
    if array.dtype.kind not in "biuf":
        raise TypeError
    return array.astype(np.float64)


def alike(found: Array, wanted: Array, tolerance: float = TOLERANCE) -> bool:
    """Whether two arrays have one shape and, but for rounding, the same values."""
    if found.shape != wanted.shape:
        return False
    if not wanted.size:
        return True
    scale = 1 + float(np.abs(wanted[np.isfinite(wanted)]).max(initial=0))
    return bool(np.allclose(found, wanted, rtol=0, atol=tolerance * scale, equal_nan=True))


def different(name: str, case: dict[str, Any], found: Array, wanted: Array) -> str:
    """Show where two answers to one case differ first."""
    call = f"{name}({shown(case)})"
    if found.shape != wanted.shape:
        return f"{call} has the shape {found.shape}; it should be {wanted.shape}."
    if found.size <= MOST_SHOWN:
        return f"{call} is {shown_value(found)}; it should be {shown_value(wanted)}."
    differs = ~np.isclose(found, wanted, rtol=0, atol=TOLERANCE * (1 + np.abs(wanted).max()))
    at = tuple(int(i) for i in np.argwhere(differs)[0])
    values = f"{_number(found[at])}; it should be {_number(wanted[at])}"
    return f"{call} has at {list(at)} the value {values}. {int(differs.sum())} entries differ."


def shown(given: dict[str, Any]) -> str:
    """Return arguments as text, large arrays by their shape."""
    return ", ".join(f"{name}={shown_value(value)}" for name, value in given.items())


def shown_value(value: Any) -> str:
    """Return one value as text.

    >>> shown_value(np.array([[1.0, 2.5]])), shown_value(np.zeros((5, 6)))
    ('[[1, 2.5]]', 'an array (5, 6)')
    """
    if isinstance(value, dict):
        return "{" + ", ".join(value) + "}"
    if not isinstance(value, np.ndarray):
        return repr(value)
    if value.size > MOST_SHOWN:
        return f"an array {value.shape}"
    return _nested(value.tolist())


def _nested(value: Any) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(map(_nested, value)) + "]"
    return _number(value)


def _number(value: Any) -> str:
    return f"{float(value):.6g}"


def _kind(answer: Any) -> str:
    if isinstance(answer, np.ndarray):
        return f"an array of {answer.dtype}"
    return f"a {type(answer).__name__}"


def _made(mistake: Mistake, case: dict[str, Any], found: Array) -> bool:
    with np.errstate(all="ignore"):
        return alike(found, np.asarray(mistake.like(**deepcopy(case)), np.float64))


def _explained(
    mistake: Mistake, cases: Sequence[dict[str, Any]], found: list[Array], failed: list[int]
) -> list[int]:
    """Which of the failed cases a mistake explains."""
    return [i for i in failed if _made(mistake, cases[i], found[i])]


def _unchanged(now: Any, before: Any) -> bool:
    if isinstance(before, dict):
        return list(now) == list(before) and all(_unchanged(now[n], before[n]) for n in before)
    if isinstance(before, np.ndarray):
        return now.shape == before.shape and bool(np.array_equal(now, before))
    return bool(now == before)
