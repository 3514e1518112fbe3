"""Where the time of a training step goes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from faltung.plan.profile import StepTime, step_time
from faltung.plan.room import Step
from faltung.plan.tape import Arrays
from faltung.plan.taped import Recorded

PRODUCTS: Final = ("conv", "matmul", "interpreter")
"""Beginnings of the names of kernels that do the multiplications of their stage."""


def work_times(
    forward: Sequence[Recorded],
    backward: Sequence[Recorded],
    seconds: Iterable[float],
    arrays: Arrays,
) -> tuple[StepTime, ...]:
    """Return what each piece of work took, beside what it does.

    Parameters
    ----------
    forward, backward
        Both ways.
    seconds
        Of all of it, in its order.
    arrays
        Every value.
    """
    works = [*((work, "") for work in forward), *((work, " back") for work in backward)]
    return tuple(
        _time(work, word, float(taken), arrays)
        for (work, word), taken in zip(works, seconds, strict=True)
        if work.work.stage is not None
    )


def _time(work: Recorded, word: str, seconds: float, arrays: Arrays) -> StepTime:
    stage, kernel = work.work.stage, work.work.kernel
    assert stage is not None
    found = step_time(Step(stage, kernel), seconds, arrays)
    nbytes = sum(arrays[name].nbytes for name in (*work.work.reads, *work.work.writes))
    named = replace(found, name=f"{stage.name}{word}", nbytes=nbytes)
    return named if kernel.startswith(PRODUCTS) else replace(named, macs=0, roofline=None)
