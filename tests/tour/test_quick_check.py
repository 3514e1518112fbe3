"""How answers are read."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from faltung.tour import Check
from faltung.tour.letters import beside, picture

ONE = Check("?", (4864,), "So.")
SEVERAL = Check("?", (3, 2, 1), "So.")
SET = Check("?", (0, 4, 31), "So.", is_set=True)
CHOICE = Check("Which?", "locality", "So.", ("sharing", "locality"))


@pytest.mark.parametrize(
    "given",
    [4864, 4864.0, "4864", " 4,864 ", "4 864", "4'864", "4_864", "+4864", np.int64(4864), [4864]],
)
def test_one_number(given: Any) -> None:
    assert ONE.accepts(given)


@pytest.mark.parametrize(
    "given",
    [4863, "4863", "48,64", "4864 5", "", "many", None, True, 4864.5, np.nan, np.inf, [[4, 864]]],
)
def test_another_number_or_none(given: Any) -> None:
    assert not ONE.accepts(given)


@pytest.mark.parametrize("given", [(3, 2, 1), [3, 2, 1], np.array([3, 2, 1]), "3 2 1", "[3, 2, 1]"])
def test_several_numbers(given: Any) -> None:
    assert SEVERAL.accepts(given)


@pytest.mark.parametrize("given", [(1, 2, 3), "1 2 3", "321", (3, 2), "3, 2, x", {"a": 1}])
def test_other_numbers(given: Any) -> None:
    assert not SEVERAL.accepts(given)


def test_an_order_that_does_not_matter() -> None:
    assert SET.accepts("31 4 0")
    assert SET.accepts({31, 0, 4})
    assert not SET.accepts("0 4")
    assert not SET.accepts("0 4 31 5")


def test_minus_signs() -> None:
    check = Check("?", (-1,), "So.")
    assert check.accepts("-1")
    assert check.accepts("\N{MINUS SIGN}1")
    assert not check.accepts("1")


def test_choices() -> None:
    assert CHOICE.asked == "Which? (a) sharing (b) locality"
    assert CHOICE.accepts("Locality")
    assert CHOICE.accepts("(b)")
    assert not CHOICE.accepts("a")
    assert not CHOICE.accepts("local")
    assert not CHOICE.accepts(1)


def test_what_is_said_of_an_answer() -> None:
    assert repr(ONE.judge("4,864")) == "Right: 4,864. So."
    assert repr(ONE.judge(" 7 ")) == "Not 7. Try again."
    assert SEVERAL.solution == "3, 2, 1"


def test_pictures_of_letters() -> None:
    assert picture(np.eye(4), top=1) == "==\n  =="
    assert picture(np.zeros((3, 3))) == ""
    assert picture(np.full((1, 2), 9.0)) == "@@"
    assert picture(np.zeros((0, 3))) == ""
    assert beside({"a": "1\n2", "bc": "3"}, gap=1) == "a bc\n1 3\n2"
