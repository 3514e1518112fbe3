"""As many rounds as the ratios need: candidates take turns until the quickest peer's are near."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

WIDE = 1.05
"""Greatest of the ratios in the middle over the smallest, from which on a round more is taken."""
FAR = 1.3
"""Times the quickest peer's: who takes longer in the first round has no second one."""


@dataclass(frozen=True)
class Rounds:
    """How many rounds there are at least, and at most."""

    least: int
    most: int

    def __str__(self) -> str:
        return f"{self.least}" + (f" to {self.most}" if self.most > self.least else "")


def race(candidates: Mapping[str, Callable[[], float]], rounds: Rounds) -> dict[str, list[float]]:
    """Let candidates take turns, in an order that rotates.

    Parameters
    ----------
    candidates
        Ours first; a call gives the seconds of a turn.
    rounds
        A round more than the least is taken while the ratios to the quickest peer spread.

    Returns
    -------
    dict of str to list of float
        Seconds of each turn. A peer that is far behind has one alone.
    """
    ours, *peers = candidates
    times: dict[str, list[float]] = {name: [] for name in candidates}
    for turn in range(rounds.most):
        racing = [ours, *peers]
        start = turn % len(racing)
        for name in racing[start:] + racing[:start]:
            times[name].append(candidates[name]())
        if turn == 0 and peers:
            quickest = min(times[name][0] for name in peers)
            peers = [name for name in peers if times[name][0] <= FAR * quickest]
        if turn + 1 >= rounds.least and not is_wide([times[n] for n in peers], times[ours]):
            break
    return times


def is_wide(peers: Sequence[Sequence[float]], ours: Sequence[float]) -> bool:
    """Whether the ratios to the quickest peer spread, the outer ones left aside.

    >>> is_wide([[2.0, 2.2, 2.0]], [1.0, 1.0, 1.0]), is_wide([[2, 2, 2, 2.2, 1]], [1, 1, 1, 1, 1])
    (True, False)
    """
    ratios = [sorted(t / o for t, o in zip(theirs, ours, strict=True)) for theirs in peers]
    if not ratios:
        return False
    quickest = min(ratios, key=median)
    outer = (len(quickest) - 1) // 4
    return quickest[-1 - outer] > WIDE * quickest[outer]
