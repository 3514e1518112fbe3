"""What a view can ask of Python: the table of questions, and the one way to answer them.

The page's server and the widgets answer alike. A question is a function of plain data and of the
uploaded files; what it returns is plain data too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final

from faltung.errors import ExplorerError, message
from faltung.explorer.uploads import Uploads


@dataclass(frozen=True)
class Question:
    """A question that a view may ask.

    Parameters
    ----------
    function
        ``"module:function"``, called with what the view gives and the uploaded files.
    seconds
        How long the page's server lets it work.
    """

    function: str
    seconds: float = 20.0


QUESTIONS: Final[Mapping[str, Question]] = {}
"""By name: the view's, a dot, the question's."""


def question_of(name: str) -> Question:
    """Return a question by its name.

    Raises
    ------
    ExplorerError
        There is none.
    """
    if name not in QUESTIONS:
        raise ExplorerError(message("explore", "there is no such question", {"name": repr(name)}))
    return QUESTIONS[name]


def answer(name: str, given: Any, uploads: Uploads) -> Any:
    """Answer a question.

    Parameters
    ----------
    name
        One of `QUESTIONS`.
    given
        A mapping of plain data, as the view sent it; not to be trusted.
    uploads
        Where the files are that it names.

    Raises
    ------
    ExplorerError
        There is no such question, or what is given is no mapping.
    FaltungError
        Whatever the question's function refuses.
    """
    module, _, function = question_of(name).function.partition(":")
    if not isinstance(given, dict):
        rule = "what a view asks with must be a mapping"
        raise ExplorerError(message(name, rule, {"type": type(given).__name__}))
    return getattr(import_module(module), function)(given, uploads)
