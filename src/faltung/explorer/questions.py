"""What a view can ask of Python: the table of questions, and the one way to answer them.

The page's server and the widgets answer alike. A question is a function of plain data and of the
uploaded files; what it returns is plain data too.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final, NoReturn

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

    def answer(self, given: Mapping[str, Any], uploads: Uploads) -> Any:
        """Call the function."""
        module, _, function = self.function.partition(":")
        return getattr(import_module(module), function)(given, uploads)


QUESTIONS: Final[Mapping[str, Question]] = {
    "field.read": Question("faltung.explorer.ask_field:read", 60),
    "field.spans": Question("faltung.explorer.ask_field:spans", 30),
    "field.effective": Question("faltung.explorer.ask_field:effective", 120),
    "check.drawn": Question("faltung.explorer.ask_check:drawn"),
    "lab.detect": Question("faltung.explorer.ask_lab:detect", 60),
    "shift.network": Question("faltung.explorer.ask_shift:under", 60),
    "shift.share": Question("faltung.explorer.ask_shift:share", 60),
    "network.open": Question("faltung.explorer.ask_network:open_model", 60),
    "network.forward": Question("faltung.explorer.ask_network:forward", 60),
    "network.window": Question("faltung.explorer.ask_network:window_of", 30),
    "network.digits": Question("faltung.explorer.ask_network:digits", 10),
    "network.train": Question("faltung.explorer.ask_network:train", 20),
    "network.events": Question("faltung.explorer.ask_network:events", 10),
    "network.stop": Question("faltung.explorer.ask_network:stop", 10),
    "model.inspected": Question("faltung.explorer.ask_model:inspected", 30),
    "model.audited": Question("faltung.explorer.ask_model:audited", 90),
    "model.verified": Question("faltung.explorer.ask_model:verified", 90),
    "exercises.check": Question("faltung.explorer.ask_exercises:check", 120),
}
"""By name: the view's, a dot, the question's."""
DEEPEST: Final = 64
"""How many lists and mappings of a question may stand in each other."""


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
    return question_of(name).answer(_mapping(name, given), uploads)


def parsed(name: str, body: bytes) -> dict[str, Any]:
    """Read what a view sent to the page's server.

    Parameters
    ----------
    name
        The question's, for messages.
    body
        JSON in UTF-8, as the standard has it: no NaN, no infinity, no key twice.

    Raises
    ------
    ExplorerError
        It is no JSON, no mapping, or nested deeper than `DEEPEST`.

    Examples
    --------
    >>> parsed("slide.example", b'{"stride": [2, 1]}')
    {'stride': [2, 1]}
    """
    try:
        given = json.loads(body, parse_constant=_no_number, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise ExplorerError(message(name, "a question must be JSON")) from error
    level: list[Any] = [_mapping(name, given)]
    for _ in range(DEEPEST):
        level = [each for value in level for each in _within(value)]
    if level:
        rule = f"a question must not be nested deeper than {DEEPEST}"
        raise ExplorerError(message(name, rule))
    return dict(given)


def _within(value: Any) -> list[Any]:
    """Return the lists and mappings that stand in one."""
    inner = value.values() if isinstance(value, dict) else value
    return [each for each in inner if isinstance(each, (dict, list))]


def _mapping(name: str, given: Any) -> dict[str, Any]:
    if not isinstance(given, dict):
        rule = "what a view asks with must be a mapping"
        raise ExplorerError(message(name, rule, {"type": type(given).__name__}))
    return given


def _no_number(text: str) -> NoReturn:
    raise ValueError(text)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice")
    return found
