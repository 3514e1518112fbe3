"""NumPy's own convolution of signals."""

from __future__ import annotations

import numpy as np

from benchmarks.peers.contract import Call, need
from benchmarks.tasks import Task


def version() -> str:
    return np.__version__


def make(task: Task, variant: str, threads: int) -> Call:
    need(task.kind == "signal", "convolves signals alone")
    need(task.w_shape[0] <= 1024, "would take seconds")
    x, w = task.arrays()
    return Call(lambda: np.convolve(x, w, mode="same"))
