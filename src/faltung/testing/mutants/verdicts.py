"""Run the checks on planted bugs: which of them are found, and by which check."""

from __future__ import annotations

import random
import traceback
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from faltung.ops import OPERATORS
from faltung.testing.cases import Case, cases_of
from faltung.testing.checks import CHECKS, Check, check_operator
from faltung.testing.mutants.catalogue import mutants_of
from faltung.testing.mutants.mutant import Mutant

_HERE = str(Path(__file__).parent)
_PACKAGE = str(Path(__file__).parents[2])


class Verdict(NamedTuple):
    """What became of one planted bug: the check that found it and what it said, or nothing.

    ``broken`` says why a bug could not be planted, which is an error of the bug's own.
    """

    operator: str
    mutant: str
    killed_by: str = ""
    finding: str = ""
    broken: str = ""


def hunt(operator: str, names: Iterable[str] | None = None) -> list[Verdict]:
    """Plant the bugs of an operator one after the other, and run its checks until one fails.

    Parameters
    ----------
    operator : str
        Its ONNX name.
    names : iterable of str, optional
        The bugs to plant; where left out, all of them, after the checks have passed on the
        operator as it is: a check that fails anyway finds nothing.

    Returns
    -------
    list of Verdict
    """
    cls = OPERATORS[operator]
    chosen = mutants_of(cls)
    if names is None:
        with _strictly():
            check_operator(cls)
    else:
        wanted = set(names)
        chosen = [mutant for mutant in chosen if mutant.name in wanted]
    cases = cases_of(cls)  # not while a bug is planted, which may refuse the case that shows it
    return [_judged(operator, mutant, cases) for mutant in chosen]


def _judged(operator: str, mutant: Mutant, cases: Sequence[Case]) -> Verdict:
    for check in _in_order(mutant):
        try:
            with mutant.plant(), _strictly():
                for case in cases:
                    check(case)
        except Exception as error:
            said = f"{type(error).__name__}: {error}"
            if _is_broken(error):
                return Verdict(operator, mutant.name, broken=said)
            return Verdict(operator, mutant.name, check.__name__, said)
    return Verdict(operator, mutant.name)


def _in_order(mutant: Mutant) -> Sequence[Check]:
    """The check that should find it first."""
    return sorted(CHECKS, key=lambda check: check.__name__ != mutant.aim)


@contextmanager
def _strictly() -> Iterator[None]:
    """Take warnings for errors, as the tests do."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def _is_broken(error: BaseException) -> bool:
    """Tell a bug that was found from one that could not even run.

    What is raised by the code that plants it, and neither by the operator nor by a check, is an
    error of the mutant's own.
    """
    if isinstance(error, (ArithmeticError, Warning)):
        return False  # numbers that the bug makes, and a strict check forbids
    frames = [frame.filename for frame in traceback.extract_tb(error.__traceback__)]
    ours = [name for name in frames if name.startswith(_PACKAGE)]
    own = bool(ours) and ours[-1].startswith(_HERE) and ours[-1] != __file__
    return own or isinstance(error, RecursionError)


def sample(count: int, seed: int) -> dict[str, list[str]]:
    """Return so many bugs of each operator, by name, drawn with a seed."""
    rng = random.Random(seed)
    chosen = {}
    for operator, cls in OPERATORS.items():
        names = [mutant.name for mutant in mutants_of(cls)]
        chosen[operator] = rng.sample(names, min(count, len(names)))
    return chosen
