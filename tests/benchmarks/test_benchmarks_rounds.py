"""Rounds by need: more where ratios spread, one alone for who is far behind."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import pytest

pytest.importorskip("benchmarks", reason="the benchmarks come with the repository alone")
from benchmarks.measure import compared
from benchmarks.rounds import Rounds, is_wide, race


def taking(seconds: Sequence[float], said: list[str], name: str) -> Callable[[], float]:
    """A candidate whose turns take what is given; the last is repeated."""
    turns: Iterator[float] = iter([*seconds, *[seconds[-1]] * 9])

    def turn() -> float:
        said.append(name)
        return next(turns)

    return turn


def test_steady_ratios_have_the_least_rounds_in_an_order_that_rotates() -> None:
    said: list[str] = []
    names = ("ours", "a", "b")
    times = race({name: taking([1.0], said, name) for name in names}, Rounds(3, 9))
    assert times == {name: [1.0] * 3 for name in names}
    assert said == ["ours", "a", "b", "a", "b", "ours", "b", "ours", "a"]


def test_rounds_are_added_until_the_middle_ratios_are_near_or_there_are_enough() -> None:
    said: list[str] = []
    some = {"ours": taking([1.0], said, "ours"), "a": taking([2.0, 1.5, 2.0], said, "a")}
    assert len(race(some, Rounds(3, 9))["a"]) == 5
    wild = {"ours": taking([1.0], said, "ours"), "a": taking([2, 3, 1] * 3, said, "a")}
    assert len(race(wild, Rounds(3, 7))["a"]) == 7


def test_who_is_far_behind_has_one_round_and_is_compared_by_it() -> None:
    said: list[str] = []
    seconds = {"ours": [1.0, 2.0, 2.0], "near": [2.0, 4.0, 4.0], "far": [4.0]}
    times = race({name: taking(s, said, name) for name, s in seconds.items()}, Rounds(3, 3))
    assert times == seconds
    row = compared(times)
    assert row["seconds"] == 2.0
    assert row["peers"]["near"]["ratio"] == 2.0
    assert row["peers"]["far"] == {"seconds": 4.0, "ratio": 4.0, "low": 4.0, "high": 4.0}


def test_without_peers_nothing_spreads() -> None:
    said: list[str] = []
    assert race({"ours": taking([1.0, 2.0], said, "ours")}, Rounds(2, 9)) == {"ours": [1.0, 2.0]}
    assert not is_wide([], [1.0])
    assert str(Rounds(3, 9)) == "3 to 9"
    assert str(Rounds(3, 3)) == "3"
