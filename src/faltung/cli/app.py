"""The ``faltung`` command: its verbs, and the one place where their errors end."""

from __future__ import annotations

import contextlib
import sys
import warnings
from collections.abc import Sequence
from io import TextIOWrapper

import click

from faltung.cli import failures
from faltung.cli.bench import bench
from faltung.cli.doctor import doctor
from faltung.cli.evaluate import evaluate
from faltung.cli.exercise import exercise
from faltung.cli.experiment import experiment
from faltung.cli.explain import explain
from faltung.cli.explore import explore
from faltung.cli.filter import filter_verb
from faltung.cli.find import find
from faltung.cli.inspect import inspect
from faltung.cli.run import run as run_verb
from faltung.cli.train import train
from faltung.cli.tune import tune
from faltung.kernels import objects
from faltung.version import __version__

HELP = {"help_option_names": ["-h", "--help"], "max_content_width": 96}


@click.group(invoke_without_command=True, context_settings=HELP)
@click.version_option(__version__, "--version", "-V", message="faltung %(version)s")
@click.pass_context
def cli(context: click.Context) -> None:
    """See, check, train and run convolutional networks, on a CPU.

    Every verb without its options runs a worked example and prints the full command.
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


VERBS = (
    *(train, evaluate, explain, explore, exercise, experiment),
    *(filter_verb, find, inspect, run_verb, bench, tune, doctor),
)
for verb in VERBS:
    cli.add_command(verb)


def run(arguments: Sequence[str] | None = None) -> int:
    """Run a command; whatever goes wrong becomes one line and an exit code."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    _write_whatever_the_terminal_can()
    objects.tell_when_compiling(_say_that_it_compiles)
    with warnings.catch_warnings():
        warnings.showwarning = failures.show_warning
        try:
            # Not `cli.main`, which prints a line of its own at Ctrl-C.
            with cli.make_context("faltung", given) as context:
                cli.invoke(context)
            sys.stdout.flush()
        except click.exceptions.Exit as end:
            return end.exit_code
        except (Exception, KeyboardInterrupt) as error:
            return failures.report(error)
    return 0


def _write_whatever_the_terminal_can() -> None:
    """A sign that the terminal's encoding lacks is replaced; it is no reason to stop."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            with contextlib.suppress(OSError, ValueError):
                stream.reconfigure(errors="replace")


def _say_that_it_compiles() -> None:
    """Say why nothing happens for a second or two; to a person, not to a program."""
    if sys.stderr.isatty():
        click.echo("compiling kernels for this CPU (once)", err=True)
