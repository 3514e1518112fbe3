"""How soon digits are told apart: all steps of training until 99 % of MNIST's test digits are.

Both sides have the same network, first weights, order of the digits and learning rates. Steps alone
are timed: not the making of batches, which is the same everywhere, nor the looking at test digits.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from statistics import median
from typing import Any, Protocol

import numpy as np

from benchmarks.measure import Candidate, compared, opened
from benchmarks.networks import BATCH
from benchmarks.rounds import Rounds, race
from benchmarks.steps import Array, steps
from benchmarks.tasks import HERE, Task
from faltung.datasets import load

SHARE = 0.99
SEEDS = 3
LOOK = 50
"""Steps between two looks at the test digits."""
PART = 1000
"""Test digits that are looked at together."""
NEAR = 1.1
"""Times the quickest peer's: whose steps take longer does not train."""
EPOCHS = 4
HIGH, WARM = 0.05, 100
"""The highest learning rate, and the steps up to it; from there it falls along a cosine."""


class Learner(Protocol):
    """A network with its optimiser."""

    def step(self, x: Array, labels: Array, lr: float) -> float:
        """Take a step on a batch; return the mean cross-entropy before it."""

    def predict(self, x: Array) -> Array:
        """Return the scores (N, classes) of images, as inference computes them."""


def trainings() -> list[Task]:
    """Return LeNet's."""
    return [replace(task, name=f"{task.name} to 99 %") for task in steps() if task.name == "lenet"]


@contextmanager
def learners(
    names: Sequence[str], threads: int, rounds: Rounds, block: float, versions: dict[str, str]
) -> Iterator[Callable[[Task], dict[str, Any]]]:
    """Give what measures a training; as `benchmarks.measure.workers`, but a round is a seed."""
    del rounds
    with opened(names, threads, versions) as candidates:
        yield lambda task: measured(task, worth_training(task, candidates, block))


def worth_training(task: Task, candidates: Sequence[Candidate], block: float) -> list[Candidate]:
    """Return ours, and the peers with the quickest steps: they take about as many of them."""
    ours, *peers = candidates
    seconds = {peer.name: peer.ask("time", task, block=block) for peer in peers}
    most = NEAR * min(seconds.values(), default=0.0)
    return [ours, *(peer for peer in peers if seconds[peer.name] <= most)]


def measured(task: Task, candidates: Sequence[Candidate]) -> dict[str, Any]:
    """Return one row: the median of our seeds and of each peer's; say each as it comes."""
    steps: dict[str, list[int]] = {candidate.name: [] for candidate in candidates}

    def trained(candidate: Candidate) -> float:
        seed = len(steps[candidate.name])
        run = candidate.ask("reach", task, seed=seed)
        steps[candidate.name].append(run["steps"])
        said = f"seed {seed}: {run['seconds']:.1f} s, {run['steps']} steps"
        print(f"  {candidate.name}, {said}", flush=True)
        return float(run["seconds"])

    turns = {candidate.name: partial(trained, candidate) for candidate in candidates}
    times = race(turns, Rounds(SEEDS, SEEDS))
    many = steps[candidates[0].name]
    return {
        "name": task.name,
        "listed": task.listed,
        "shape": f"{task.shape_text}, {'/'.join(map(str, many))} steps",
        "macs": int(median(many) * task.macs),
        "bytes": task.bytes,
        **compared(times),
        "errors": {},
        "cannot": {},
    }


@cache
def digits(split: str) -> tuple[Array, Array]:
    """Return MNIST's images, in float32 from 0 to 1, and labels."""
    beside = HERE.parents[1] / "shared" / "data"
    folder = Path(os.environ.get("FALTUNG_TEST_DATA", beside)) / "mnist"
    data = load("mnist", data_dir=folder if folder.is_dir() else None, split=split)
    return data.images.astype(np.float32) / np.float32(255), data.labels


def rate(step: int, many: int) -> float:
    """Return the learning rate of a step.

    >>> rate(49, 1000), rate(1000, 1000)
    (0.025, 0.0)
    """
    if step < WARM:
        return HIGH * (step + 1) / WARM
    return HIGH * (1 + math.cos(math.pi * (step - WARM) / (many - WARM))) / 2


def reached(made: Callable[[], Learner], seed: int) -> dict[str, float]:
    """Train until enough test digits are told apart; return the seconds, and how many steps."""
    images, labels = digits("train")
    warm = made()
    for _ in range(2):  # what is compiled is compiled here
        warm.step(images[:BATCH], labels[:BATCH], rate(0, EPOCHS))
    learner, per_epoch = made(), len(images) // BATCH
    rng, order, taken = np.random.default_rng(seed), np.arange(0), 0.0
    for step in range(EPOCHS * per_epoch):
        if step % per_epoch == 0:
            order = rng.permutation(len(images))
        chosen = order[step % per_epoch * BATCH :][:BATCH]
        x, own, lr = images[chosen], labels[chosen], rate(step, EPOCHS * per_epoch)
        start = time.perf_counter()
        learner.step(x, own, lr)
        taken += time.perf_counter() - start
        if (step + 1) % LOOK == 0 and tells_apart(learner):
            return {"seconds": taken, "steps": step + 1}
    raise SystemExit(f"{SHARE:.0%} was not reached with seed {seed}")


def tells_apart(learner: Learner) -> bool:
    """Whether enough test digits are told apart; there is no more to see when too many are not."""
    images, labels = digits("test")
    left = round((1 - SHARE) * len(labels))
    for at in range(0, len(images), PART):
        left -= int(
            (learner.predict(images[at : at + PART]).argmax(1) != labels[at : at + PART]).sum()
        )
        if left < 0:
            return False
    return True
