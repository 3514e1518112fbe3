"""The command line: one thin module a verb. What it needs is loaded when it is called."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the ``faltung`` command and return its exit code.

    Parameters
    ----------
    arguments : sequence of str, optional
        What stands after ``faltung``; by default that of this process.

    Returns
    -------
    int
        0; 2 after an error that the user can mend, 130 after Ctrl-C, each with one line on
        standard error; 1 after an error of faltung's own, as ``inspect --verify`` may find one.
    """
    from faltung.cli.app import run

    return run(arguments)
