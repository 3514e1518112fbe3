"""A training run that may be killed: ``kill_driver.py FOLDER [WHERE COUNT]``.

It goes on from the folder's newest checkpoint. With WHERE it ends itself by SIGKILL at the
COUNT-th time that it takes a step, or at that of this process's syncs or renames, which are those
of checkpoints and of the metrics file: so between write and sync, or between sync and rename.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from faltung.datasets import load, zero_one
from faltung.graph.layers import BatchNorm, Chain, Conv, Dense, Dropout, Flatten, Relu, build
from faltung.training.listener import Silent, Step
from faltung.training.loop import train
from faltung.training.recipe import Recipe

RECIPE = Recipe(
    epochs=10, batch=8, shift=1, flip=True, validation=0.2, patience=9, checkpoint_every=3, seed=4
)


def killing(count: int, wrapped: Callable[..., Any]) -> Callable[..., Any]:
    """The function, but its ``count``-th call ends the process before it does anything."""
    calls = 0

    def call(*args: Any, **options: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == count:
            os.kill(os.getpid(), signal.SIGKILL)
        return wrapped(*args, **options)

    return call


class Steps(Silent):
    """Prints each step, so that another process can kill this one in the middle of things."""

    def step(self, report: Step) -> None:
        print(report.step, flush=True)


def main(folder: Path, where: str = "", count: str = "0") -> None:
    listener = Steps()
    if where in ("fsync", "replace"):
        setattr(os, where, killing(int(count), getattr(os, where)))
    elif where == "step":
        listener.step = killing(int(count), listener.step)  # type: ignore[method-assign]
    digits = zero_one(load("sample"))
    digits = digits.subset(np.arange(0, len(digits), 5))
    layers = Conv(4, 3), BatchNorm(), Relu(), Conv(4, 3, stride=2), Relu(), Flatten(), Dropout(0.25)
    graph = build(Chain(*layers, Dense(2)), (1, 14, 14), seed=1)
    train(graph, digits, recipe=RECIPE, out=folder, resume=True, listener=listener)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
