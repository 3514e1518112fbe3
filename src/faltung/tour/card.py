"""What a card is: a question, some words, a view, a quick check; and the page it becomes.

A card holds no figure. Its texts have fields, ``{dense:,}``, and its code has ``$size``; what a
card computes from its few inputs fills both.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from string import Template
from typing import Any

from faltung.report import AbstractReport, Table
from faltung.tour.quick_check import Answer, Check

Block = Table | str


@dataclass(frozen=True)
class View:
    """What a card computes.

    Parameters
    ----------
    figures
        Values by name: numbers, and texts made of numbers.
    blocks
        Tables, sums and pictures made of letters, for a terminal.
    """

    figures: Mapping[str, Any]
    blocks: Sequence[Block]


@dataclass(frozen=True)
class Question:
    """A quick check before its figures are filled in; ``answer`` is the name of a figure."""

    asked: str
    answer: str
    reason: str
    choices: tuple[str, ...] = ()
    is_set: bool = False


@dataclass(frozen=True)
class Card:
    """One step of the tour.

    Parameters
    ----------
    name
        One word.
    title, question, text
        Templates; the text has some forty words.
    given
        The inputs: everything else follows from them.
    compute
        Takes the inputs by name and returns a `View`.
    check
        What is asked at the end.
    cells
        Python that does the same with the public names; `string.Template`.
    command
        Arguments of the command that shows more, as a shell reads them; a template.
    loose
        Names of loose statements that belong here.
    """

    name: str
    title: str
    question: str
    text: str
    given: Mapping[str, Any]
    compute: Callable[..., View]
    check: Question
    cells: tuple[str, ...]
    command: str = ""
    loose: tuple[str, ...] = ()

    @property
    def templates(self) -> tuple[str, ...]:
        """Every text that has fields."""
        asked = self.check
        texts = (self.title, self.question, self.text, asked.asked, asked.reason, self.command)
        return (*texts, *asked.choices)


@dataclass(frozen=True)
class Page(AbstractReport):
    """A card with its figures filled in.

    Parameters
    ----------
    number
        From 1.
    name, title, question, text, command
        Those of the card.
    figures
        Inputs and computed values by name.
    view
        What stands under the text.
    often_said
        Loose statements: what is said, what is so, why.
    check
        The quick check.
    cells
        Python that does the same.
    """

    number: int
    name: str
    title: str
    question: str
    text: str
    command: Sequence[str]
    figures: Mapping[str, Any]
    view: Sequence[Block]
    often_said: Sequence[tuple[str, str, str]]
    check: Check
    cells: Sequence[str] = field(repr=False)

    @property
    def heading(self) -> str:
        """Number and title."""
        return f"{self.number}. {self.title}"

    def shown(self) -> list[Block]:
        """Return what is seen before the quick check."""
        said = [f'Often said: "{s}" Exactly: {e} {w}' for s, e, w in self.often_said]
        return [self.heading, self.question, self.text, *self.view, *said]

    def blocks(self) -> list[Block]:
        """Return everything, the answer at the end."""
        asked = f"Quick check: {self.check.asked}"
        return [*self.shown(), asked, f"Answer: {self.check.solution}. {self.check.reason}"]

    def to_dict(self) -> dict[str, Any]:
        """Return the texts, and every figure by name."""
        return {
            "number": self.number,
            "name": self.name,
            "title": self.title,
            "question": self.question,
            "text": self.text,
            "command": list(self.command),
            "view": [str(block) for block in self.view],
            "figures": {name: _plain(value) for name, value in self.figures.items()},
            "often_said": [{"said": s, "exact": e, "why": w} for s, e, w in self.often_said],
            "check": self.check.to_dict(),
            "code": list(self.cells),
        }


def page_of(card: Card, number: int, said: Mapping[str, tuple[str, str, str]]) -> Page:
    """Compute a card's figures and fill them in.

    Parameters
    ----------
    card
        The card.
    number
        Its place, from 1.
    said
        Loose statements by name.
    """
    view = card.compute(**card.given)
    figures = {**card.given, **view.figures}
    asked, answer = card.check, figures[card.check.answer]
    check = Check(
        asked.asked.format_map(figures),
        _answer(answer),
        asked.reason.format_map(figures),
        tuple(choice.format_map(figures) for choice in asked.choices),
        asked.is_set,
    )
    title, question, text, command = (
        template.format_map(figures)
        for template in (card.title, card.question, card.text, card.command)
    )
    return Page(
        number=number,
        name=card.name,
        title=title,
        question=question,
        text=text,
        command=shlex.split(command),
        figures=figures,
        view=view.blocks,
        often_said=tuple(said[name] for name in card.loose),
        check=check,
        cells=tuple(Template(cell).substitute(figures) for cell in card.cells),
    )


def _answer(value: Any) -> Answer:
    if isinstance(value, str):
        return value
    return (value,) if isinstance(value, int) else tuple(value)


def _plain(value: Any) -> Any:
    """Tuples as lists, as JSON has them."""
    return [_plain(each) for each in value] if isinstance(value, tuple | list) else value
