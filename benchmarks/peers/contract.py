"""What a module of a peer gives: ``version()`` and ``make(task, variant, threads) -> Call``.

A peer is not handicapped: it gets its arrays in the layout that it likes, once, its weights
prepared where it can do that, and the buffer for its result where it takes one; it is given the
threads that we have. What it cannot do it says by `Cannot`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray


class Cannot(Exception):  # noqa: N818 - no error: an answer
    """This peer does not do this task; the text says why."""


@dataclass(frozen=True)
class Call:
    """What is timed, and how to see what it computed."""

    run: Callable[[], Any]
    show: Callable[[Any], NDArray[Any]] = lambda y: y

    def result(self) -> NDArray[Any]:
        """Run once and return the result as an array in the task's own layout."""
        return self.show(self.run())


def need(condition: bool, reason: str) -> None:
    """Raise `Cannot` where a condition does not hold."""
    if not condition:
        raise Cannot(reason)
