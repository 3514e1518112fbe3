"""``faltung exercise``: questions with hints and worked answers, and code that is marked."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from faltung.cli.screen import Screen
    from faltung.exercises import Outcome

EXAMPLE = "conv2d"
RIGHT, WRONG, STOPPED = 0, 1, 2
JSON = click.option("--json", "is_json", is_flag=True, help="Write one JSON object.")


@click.group(invoke_without_command=True, short_help="Can I build it? Questions, and code marked.")
@click.pass_context
def exercise(context: click.Context) -> None:
    """Exercises with hints and worked answers; those on code mark what you write.

    Without a verb: what there is, and one of them as an example.
    """
    if context.invoked_subcommand is None:
        from faltung.cli.screen import Screen, command

        screen = Screen.open()
        list_all(screen)
        screen.say(f"\n$ {command('exercise', 'show', EXAMPLE, '--hint')}\n", "bold")
        show_one(screen, EXAMPLE, hints=1, answer=False)


@exercise.command("list", short_help="What there is.")
@JSON
def list_verb(*, is_json: bool) -> None:
    """List all exercises; a star marks those with code to write."""
    from faltung.cli.screen import Screen

    list_all(Screen.open(is_json=is_json))


@exercise.command("show", short_help="A question; its hints and its answer when asked for.")
@click.argument("name", default=EXAMPLE)
@click.option("--hint", "hints", count=True, help="A hint; twice for two.")
@click.option("--answer", is_flag=True, help="The worked answer, and a solution in code.")
@JSON
def show_verb(*, name: str, hints: int, answer: bool, is_json: bool) -> None:
    """Show the question of exercise NAME."""
    from faltung.cli.screen import Screen

    show_one(Screen.open(is_json=is_json), name, hints=hints, answer=answer)


@exercise.command("start", short_help="Write the file to begin with.")
@click.argument("name", default=EXAMPLE)
@click.argument("file", required=False, metavar="[FILE.py]")
@JSON
def start_verb(*, name: str, file: str | None, is_json: bool) -> None:
    """Write the beginning of exercise NAME into a file, which must not be there yet."""
    from faltung.cli.screen import Screen, command
    from faltung.exercises.running import task_of

    screen, task = Screen.open(is_json=is_json), task_of(name)
    path = Path(file or f"{name.replace('-', '_')}.py")
    with path.open("x", encoding="utf-8") as out:  # never over somebody's work
        out.write(task.starter(name))
    screen.result(f"{path}: write {task.function}", {"file": str(path), "name": name})
    screen.say(f"$ {command('exercise', 'check', str(path))}")


@exercise.command("check", short_help="Run your code, guarded, and say what is wrong.")
@click.argument("file", required=False, metavar="FILE.py")
@click.argument("name", required=False)
@click.option("--seconds", type=click.FloatRange(0.1, 600), help="Of processor time.  [5; cnn 20]")
@JSON
@click.pass_context
def check_verb(
    context: click.Context,
    *,
    file: str | None,
    name: str | None,
    seconds: float | None,
    is_json: bool,
) -> None:
    """Run FILE.py and mark it; NAME is found out if it is not given.

    The code runs in a process of its own, in an empty folder, with limits on time and memory; what
    opens files to write, sockets or other programs is stopped. That guards against accidents and is
    no jail: check your own code, or code that you have read.

    Exit codes: 0 right, 1 wrong, 2 it cannot be run.
    """
    from faltung.cli.screen import Screen, command

    screen = Screen.open(is_json=is_json)
    if file is None:
        screen.say(f"$ {command('exercise', 'check', f'{EXAMPLE}.py')}", "bold")
        outcome = solved(EXAMPLE)
    else:
        outcome = checked(Path(file), name, seconds)
    if outcome.printed and not is_json:
        screen.say("Your code printed:\n" + outcome.printed.rstrip() + "\n")
    screen.result(f"{outcome.name}: {outcome.text}", outcome.to_dict())
    context.exit({"right": RIGHT, "wrong": WRONG}.get(outcome.state, STOPPED))


def checked(path: Path, name: str | None, seconds: float | None) -> Outcome:
    """Read a file, find out which exercise it is for, and check it."""
    from faltung.exercises.running import LARGEST, check, named_in

    with path.open("rb") as file:
        source = file.read(LARGEST + 1)
    found = name or named_in(source.decode("utf-8", "replace"), path.stem)
    return check(source, found, seconds=seconds)


def solved(name: str) -> Outcome:
    """Check the solution of an exercise."""
    from faltung.exercises.running import check, task_of

    return check(task_of(name).solution, name)


def list_all(screen: Screen) -> None:
    """Write a line for each exercise, under its group."""
    from faltung.exercises import EXERCISES
    from faltung.exercises import exercise as exercise_of

    found: list[dict[str, Any]] = []
    width, group = max(map(len, EXERCISES)), ""
    for each in map(exercise_of, EXERCISES):
        if each.group != group:
            screen.say(("\n" if group else "") + each.group, "bold")
            group = each.group
        star = "*" if each.task else " "
        screen.say(f"  {star} {each.name:<{width}}  {each.title}")
        kept = {"name": each.name, "title": each.title, "group": each.group}
        found.append({**kept, "code": each.task is not None})
    screen.say("\n* has code to write")
    if screen.is_json:
        screen.result("", {"exercises": found})


def show_one(screen: Screen, name: str, *, hints: int, answer: bool) -> None:
    """Write a question, and what of the rest was asked for."""
    from faltung.cli.screen import command
    from faltung.exercises import exercise as exercise_of

    worked = exercise_of(name).worked()
    if screen.is_json:
        screen.result("", worked.to_dict())
        return
    screen.say(worked.title, "bold")
    screen.tell(worked.question)
    for number, hint in enumerate(worked.hints[:hints], 1):
        screen.say()
        screen.tell(f"Hint {number}: {hint}")
    for block in worked.answer if answer else ():
        screen.say()
        (screen.tell if isinstance(block, str) else screen.say)(str(block))
    if worked.task and answer:
        screen.say("\n" + worked.task.solution.rstrip())
    more = [f"--hint ({len(worked.hints)} of them)", "--answer"]
    if worked.task:
        more.append(f"or write it: {command('exercise', 'start', name)}")
    if not answer:
        screen.say("\n" + ", ".join(more), "dim")
