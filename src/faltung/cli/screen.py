"""Where a verb writes: its report to standard output, progress and notes to standard error."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from rich.console import Console, RenderableType
from rich.text import Text


class _Console(Console):
    def on_broken_pipe(self) -> NoReturn:
        """Leave the error to the caller; Rich would end the process without a word."""
        raise BrokenPipeError


@dataclass(frozen=True)
class Screen:
    """Both streams.

    With ``is_json`` standard output belongs to one JSON object, and everything else goes to
    standard error; with ``is_quiet`` nothing is said but results and errors.
    """

    out: Console
    err: Console
    is_json: bool = False
    is_quiet: bool = False

    @classmethod
    def open(cls, *, is_json: bool = False, is_quiet: bool = False) -> Screen:
        """The streams of this process, as they are now."""
        out = _Console(highlight=False, emoji=False)
        return cls(out, _Console(stderr=True, highlight=False, emoji=False), is_json, is_quiet)

    def say(self, text: str = "", style: str = "") -> None:
        """Write a line of the report, never wrapped: paths and commands are to be copied."""
        if not self.is_quiet:
            write(self.err if self.is_json else self.out, text, style)

    def tell(self, text: str, style: str = "") -> None:
        """Write a sentence of the report, wrapped between words."""
        if not self.is_quiet:
            (self.err if self.is_json else self.out).print(Text(text, style=style))

    def note(self, text: str) -> None:
        """Write a line that is no part of the report."""
        if not self.is_quiet:
            write(self.err, f"note: {text}", "yellow")

    def show(self, renderable: RenderableType) -> None:
        """Write a table of the report."""
        if not (self.is_quiet or self.is_json):
            self.out.print(renderable)

    def result(self, text: str, values: Mapping[str, Any]) -> None:
        """Write what the verb was run for: a line, or the JSON object."""
        if self.is_json:
            sys.stdout.write(json.dumps(values, allow_nan=False) + "\n")
            sys.stdout.flush()
        else:
            write(self.out, text, "bold")


def write(console: Console, text: str, style: str = "") -> None:
    """Write one line as it is."""
    console.print(Text(text, style=style), soft_wrap=True)


def command(*arguments: str) -> str:
    """A command that works where this process was started: `faltung`, or how it was called."""
    return " ".join([program(), shlex.join(arguments)]).rstrip()


def program() -> str:
    """How this program can be called again from here."""
    script = Path(sys.argv[0])
    if script.parts[-2:] == ("faltung", "__main__.py"):
        return f"{_shown('python', sys.executable)} -m faltung"
    if script.stem == "faltung" and script.is_file():
        return _shown("faltung", str(script))
    return "faltung"


def _shown(name: str, path: str) -> str:
    """The name, if the shell finds this very file by it; else the path, short if it can be."""
    found = shutil.which(name)
    if found is not None and Path(found).absolute() == Path(path).absolute():
        return name
    here, folder = Path(path).absolute(), Path.cwd()
    if not here.is_relative_to(folder):
        return shlex.quote(str(here))
    return shlex.quote(os.path.join(".", here.relative_to(folder)))  # noqa: PTH118, keeps "./"


def percent(share: float) -> str:
    """A share as a percentage with one digit.

    >>> percent(0.9849)
    '98.5 %'
    """
    return f"{100 * share:.1f} %"


def by_size(shape: Sequence[object]) -> str:
    """Sizes as people write them.

    >>> by_size((1, 28, 28))
    '1×28×28'
    """
    return "×".join(map(str, shape))
