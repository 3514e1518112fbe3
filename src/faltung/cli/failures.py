"""Errors as a user sees them: one line on standard error, and an exit code."""

from __future__ import annotations

import contextlib
import os
import sys
import traceback
from typing import TextIO

import click

from faltung.errors import FaltungError

USER, INTERNAL, INTERRUPTED = 2, 1, 130
DEBUG = "FALTUNG_DEBUG"


class Interrupted(KeyboardInterrupt):
    """Ctrl-C in a place that knows how to go on; the message says it."""


def report(error: BaseException) -> int:
    """Print one line about an error (its traceback too under FALTUNG_DEBUG=1); the exit code."""
    text, code = described(error)
    _unblock(sys.stdout)
    with contextlib.suppress(OSError, ValueError):
        if os.environ.get(DEBUG, "") not in ("", "0"):
            traceback.print_exception(error)
        sys.stderr.write(f"error: {text}\n")
        sys.stderr.flush()
    _unblock(sys.stderr)
    return code


def described(error: BaseException) -> tuple[str, int]:
    """What happened, in one line, and the exit code that says whose mistake it was.

    >>> described(OSError(28, "No space left on device", "m.onnx"))
    ('m.onnx: No space left on device', 2)
    """
    if isinstance(error, KeyboardInterrupt):
        return one_line(str(error) or "interrupted"), INTERRUPTED
    if isinstance(error, FaltungError):
        return with_notes(error), USER
    if isinstance(error, click.ClickException):
        return of_click(error), USER
    if isinstance(error, ModuleNotFoundError) and not _is_ours(error.name):
        return missing_package(error.name or "a package"), USER
    if isinstance(error, MemoryError):
        detail = f" ({one_line(str(error))})" if str(error) else ""
        return f"not enough memory{detail}. Use a smaller --batch or less data.", USER
    if isinstance(error, BrokenPipeError):
        return "output: whoever was reading it has gone (broken pipe)", USER
    if isinstance(error, OSError):
        return of_system(error), USER
    kind = f"{type(error).__name__}: {with_notes(error)}"
    return f"internal error, {kind}; run with {DEBUG}=1 for the traceback", INTERNAL


def with_notes(error: BaseException) -> str:
    """The message of an error with what others added on its way up."""
    notes = "; ".join(getattr(error, "__notes__", ()))
    return one_line(f"{error} ({notes})" if notes else str(error))


def one_line(text: str) -> str:
    r"""The text without line breaks.

    >>> one_line("two\n  lines")
    'two lines'
    """
    return " ".join(text.split())


def of_click(error: click.ClickException) -> str:
    """A wrong option, with the command that lists the right ones."""
    text = one_line(error.format_message())
    context = getattr(error, "ctx", None)
    return f"{text} Try '{context.command_path} --help'." if context else text


def of_system(error: OSError) -> str:
    """A system's error with the file it is about."""
    cause = error.strerror or one_line(str(error)) or type(error).__name__
    return f"{error.filename}: {cause}" if error.filename is not None else f"output: {cause}"


def missing_package(name: str) -> str:
    """How to get a package that should be there."""
    top = name.partition(".")[0]
    return f"the package {top} is missing. Install it with: python -m pip install {top}"


def show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Stand in for `warnings.showwarning`: one line, without the source."""
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.write(f"warning: {one_line(str(message))}\n")


def _is_ours(module: str | None) -> bool:
    return (module or "").partition(".")[0] == "faltung"


def _unblock(stream: TextIO) -> None:
    """Let a stream that cannot be written swallow the rest, else Python complains at its end."""
    try:
        stream.flush()
    except (OSError, ValueError):
        with contextlib.suppress(OSError, ValueError):
            devnull = os.open(os.devnull, os.O_WRONLY)
            os.dup2(devnull, stream.fileno())
            os.close(devnull)
