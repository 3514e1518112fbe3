"""Where values lie: one piece of memory, in which values that are never needed together share room.

A value is needed from the step that writes it to the last step that reads it. Placing such
intervals so that the memory is smallest is a hard problem (dynamic storage allocation); taking the
largest first and putting each at the lowest place that is free all its time comes close: on the
networks that people run, within a few percent of the bound below, which no placement can beat.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

LINE: Final = 64
"""Bytes of a cache line, at which every value begins."""


class Need(NamedTuple):
    """A value's size, and the first and the last step during which it is needed."""

    nbytes: int
    first: int
    last: int


class Placement(NamedTuple):
    """Where each value begins, in bytes, and how many bytes there are."""

    offsets: Mapping[str, int]
    nbytes: int


def placed(needs: Mapping[str, Need]) -> Placement:
    """Place values so that those needed at one time do not overlap.

    Parameters
    ----------
    needs
        By name.

    Examples
    --------
    >>> needs = {"a": Need(100, 0, 1), "b": Need(64, 1, 2), "c": Need(100, 2, 3)}
    >>> placed(needs)
    Placement(offsets={'a': 0, 'c': 0, 'b': 128}, nbytes=192)
    """
    offsets: dict[str, int] = {}
    done: list[tuple[int, int, Need]] = []  # begin, end, need
    order = sorted(needs, key=lambda name: (-needs[name].nbytes, needs[name].first, name))
    for name in order:
        need = needs[name]
        size = -(-need.nbytes // LINE) * LINE
        taken = [(b, e) for b, e, other in done if _meet(need, other)]
        begin = _lowest(size, taken)
        offsets[name] = begin
        done.append((begin, begin + size, need))
    return Placement(offsets, max((end for _, end, _ in done), default=0))


def least(needs: Mapping[str, Need]) -> int:
    """Return what no placement can do without: the most bytes needed at one time.

    Parameters
    ----------
    needs
        By name.

    Examples
    --------
    >>> least({"a": Need(100, 0, 1), "b": Need(64, 1, 2), "c": Need(100, 2, 3)})
    192
    """
    steps = {need.first for need in needs.values()}
    sizes = ((n.first, n.last, -(-n.nbytes // LINE) * LINE) for n in needs.values())
    held = list(sizes)
    return max((sum(s for a, b, s in held if a <= step <= b) for step in steps), default=0)


def _meet(a: Need, b: Need) -> bool:
    return a.first <= b.last and b.first <= a.last


def _lowest(size: int, taken: Sequence[tuple[int, int]]) -> int:
    """Return the lowest begin of a gap of so many bytes between the places that are taken."""
    begin = 0
    for first, end in sorted(taken):
        if first - begin >= size:
            break
        begin = max(begin, end)
    return begin
