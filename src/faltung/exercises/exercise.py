"""What an exercise is: a question, hints, a worked answer; and for code, what marks it.

Texts have fields such as ``{dense:,}``, which are filled in by what the exercise computes from its
few inputs. A paragraph that is one field alone may be a table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from faltung.exercises.marking import Marker
from faltung.report import AbstractReport, Table

Block = Table | str
_TODO = '    raise NotImplementedError("not written yet")\n'


@dataclass(frozen=True)
class Task:
    """Code to write.

    Parameters
    ----------
    function
        The name of the function that is marked.
    head
        Imports, the function's first line and its docstring.
    body
        The rest of a solution.
    marker
        What marks it.
    seconds
        Of processor time that the code may take.
    """

    function: str
    head: str
    body: str
    marker: Marker
    seconds: int = 5

    @property
    def solution(self) -> str:
        """A whole file that is right."""
        return self.head.lstrip("\n") + self.body

    def starter(self, name: str) -> str:
        """Return the file that somebody begins with; its first line names the exercise."""
        check = f"# faltung exercise: {name}. Mark it with: faltung exercise check FILE.py\n\n"
        return check + self.head.lstrip("\n") + _TODO


@dataclass(frozen=True)
class Exercise:
    """One exercise.

    Parameters
    ----------
    name
        As the command line calls it.
    title
        A few words.
    group
        Under which heading it stands.
    question, hints, answer
        Templates; the answer has one for each paragraph.
    given
        The inputs: all figures follow from them.
    compute
        Takes the inputs by name, returns figures by name.
    task
        Code to write, where there is some.
    """

    name: str
    title: str
    group: str
    question: str
    hints: tuple[str, ...]
    answer: tuple[str, ...]
    given: Mapping[str, Any] = field(default_factory=dict)
    compute: Callable[..., Mapping[str, Any]] = dict
    task: Task | None = None

    @property
    def templates(self) -> tuple[str, ...]:
        """Every text that has fields."""
        return (self.title, self.question, *self.hints, *self.answer)

    def worked(self) -> Worked:
        """Compute the figures and fill them in."""
        figures = {**self.given, **self.compute(**self.given)}
        return Worked(
            name=self.name,
            title=self.title.format_map(figures),
            group=self.group,
            question=self.question.format_map(figures),
            hints=tuple(hint.format_map(figures) for hint in self.hints),
            answer=tuple(_filled(part, figures) for part in self.answer),
            figures={n: v for n, v in figures.items() if not isinstance(v, Table)},
            task=self.task,
        )


@dataclass(frozen=True)
class Worked(AbstractReport):
    """An exercise with its figures filled in.

    Parameters
    ----------
    name, title, group, question, hints
        Those of the exercise.
    answer
        Paragraphs and tables.
    figures
        Inputs and computed values by name.
    task
        Code to write, where there is some.
    """

    name: str
    title: str
    group: str
    question: str
    hints: Sequence[str]
    answer: Sequence[Block]
    figures: Mapping[str, Any]
    task: Task | None

    def blocks(self) -> list[Block]:
        """Return everything, the answer and a solution at the end."""
        code = [self.task.solution.rstrip()] if self.task else []
        hints = [f"Hint {i}: {hint}" for i, hint in enumerate(self.hints, 1)]
        return [self.title, self.question, *hints, *self.answer, *code]

    def to_dict(self) -> dict[str, Any]:
        """Return the texts, every figure by name, and the code."""
        task = self.task
        code = task and {
            "function": task.function,
            "starter": task.starter(self.name),
            "solution": task.solution,
        }
        return {
            "name": self.name,
            "title": self.title,
            "group": self.group,
            "question": self.question,
            "hints": list(self.hints),
            "answer": [str(block) for block in self.answer],
            "figures": dict(self.figures),
            "task": code,
        }


def _filled(template: str, figures: Mapping[str, Any]) -> Block:
    value = figures.get(template[1:-1]) if template.startswith("{") else None
    return value if isinstance(value, Table) else template.format_map(figures)
