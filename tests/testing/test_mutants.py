"""Planted bugs are found: some of each operator here, all of them in the long tests."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from faltung.ops import OPERATORS, Conv, Relu, Softmax, dispatch
from faltung.testing import CHECKS, cases_of
from faltung.testing.mutants import Verdict, hunt, mutants_of, sample, verdicts
from faltung.testing.mutants import __main__ as program
from faltung.testing.mutants.mutant import answer, replaced


@pytest.fixture(scope="module")
def eight_of_each() -> dict[str, list[str]]:
    return sample(8, seed=2)


@pytest.mark.parametrize("operator", OPERATORS)
def test_some_planted_bugs_are_found(operator: str, eight_of_each: dict[str, list[str]]) -> None:
    found = hunt(operator, eight_of_each[operator])
    assert len(found) == 8
    assert [v for v in found if not v.killed_by] == []


@pytest.mark.long
def test_all_planted_bugs_are_found() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "faltung.testing.mutants"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "SURVIVES" not in done.stdout


@pytest.mark.parametrize("operator", OPERATORS)
def test_there_are_at_least_twelve_each_with_a_name_and_a_check(operator: str) -> None:
    mutants = mutants_of(OPERATORS[operator])
    names = [mutant.name for mutant in mutants]
    assert len(names) >= 12
    assert len(set(names)) == len(names)
    assert {mutant.aim for mutant in mutants} <= {check.__name__ for check in CHECKS}


def test_every_check_finds_something_that_was_meant_for_it() -> None:
    found = hunt("Conv", [m.name for m in mutants_of(Conv)])
    aims = {m.name: m.aim for m in mutants_of(Conv)}
    for check in CHECKS:
        hits = [v for v in found if v.killed_by == aims[v.mutant] == check.__name__]
        assert hits, check.__name__


def behaviour() -> tuple[Any, ...]:
    """What the program consists of: every method and function that a bug may replace."""
    owners = [*OPERATORS.values(), dispatch]
    return tuple(dict(vars(owner)) for owner in owners)


def test_what_was_planted_is_taken_out_again() -> None:
    before = behaviour()
    for cls in OPERATORS.values():
        for mutant in mutants_of(cls):
            with mutant.plant():
                pass
    assert behaviour() == before


def test_what_was_planted_is_taken_out_after_a_failure() -> None:
    before = behaviour()
    with pytest.raises(KeyError), mutants_of(Relu)[0].plant():
        raise KeyError("a check that fails")
    assert behaviour() == before


def test_a_bug_that_changes_nothing_survives_and_fails_the_program(monkeypatch: Any) -> None:
    harmless = answer("nothing", "check_values", Relu, "forward", lambda result, *rest: result)
    monkeypatch.setattr(verdicts, "mutants_of", lambda cls: [harmless])
    assert hunt("Relu") == [Verdict("Relu", "nothing")]
    lines = list(program.table(hunt("Relu")))
    assert "SURVIVES: Relu: nothing" in lines
    assert lines[-1] == "killed 0 of 1 planted bugs in 1 operators"
    assert program.main(["Relu", "--processes", "1"]) == 1


def test_a_bug_that_cannot_be_planted_is_not_counted_as_found(monkeypatch: Any) -> None:
    wrong = answer("broken", "check_values", Relu, "forward", lambda result: result)
    monkeypatch.setattr(verdicts, "mutants_of", lambda cls: [wrong])
    (verdict,) = hunt("Relu")
    assert not verdict.killed_by
    assert "TypeError" in verdict.broken


def test_the_checks_have_to_pass_before_anything_is_planted() -> None:
    def wrong(*arguments: Any, **options: Any) -> Any:
        return (np.ones(3),), {}, None

    planted = replaced(Relu, "forward", lambda forward: wrong)
    with planted, pytest.raises(AssertionError, match="check_shapes"):
        hunt("Relu")


def test_the_sample_is_the_same_each_time_and_another_with_another_seed() -> None:
    assert sample(3, seed=1) == sample(3, seed=1) != sample(3, seed=2)
    assert all(len(set(names)) == 3 for names in sample(3, seed=1).values())


def test_the_program_prints_a_table(capsys: Any) -> None:
    assert program.main(["Relu", "Tanh", "--sample", "3", "--processes", "1"]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0].split()[:2] == ["operator", "killed"]
    assert out[1].split()[:2] == ["Relu", "3/3"]
    assert out[-2] == "killed 6 of 6 planted bugs in 2 operators"


def test_the_program_names_the_bugs_and_unknown_operators(capsys: Any) -> None:
    assert program.main(["Relu", "--list"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == len(mutants_of(Relu))
    assert program.main(["Rely"]) == 2
    first = next(iter(OPERATORS))
    assert capsys.readouterr().err.startswith(f"unknown operators: Rely; known: {first}, ")


def test_cases_are_made_before_a_bug_is_planted(monkeypatch: Any) -> None:
    """A bug that refuses the very case that shows it must not take it off the list."""

    def refuses(shapes: Any, operator: Any, *rest: Any) -> Any:
        return Softmax(axis=9).out_shapes(shapes) if operator.groups > 1 else shapes

    bug = answer("groups refused", "check_shapes", Conv, "out_shapes", refuses)
    monkeypatch.setattr(verdicts, "mutants_of", lambda cls: [bug])
    with bug.plant():
        assert not any(c.name == "groups" for c in cases_of(Conv))
    (verdict,) = hunt("Conv", ["groups refused"])
    assert verdict.killed_by == "check_shapes"
