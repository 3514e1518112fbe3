"""Ours with a mistake: the control, that must be refused before anything of it is timed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchmarks.peers import ours
from benchmarks.peers.contract import Call
from benchmarks.tasks import Task

version = ours.version


def make(task: Task, variant: str, threads: int) -> Call:
    """``variant``: "zeros", "shifted" or "flipped"."""

    def wrong(y: NDArray[np.floating]) -> NDArray[np.floating]:
        if variant == "zeros":
            return np.zeros_like(y)
        return np.roll(y, 1, -1) if variant == "shifted" else np.ascontiguousarray(y[..., ::-1])

    return Call(ours.make(task, "", threads).run, wrong)
