"""Small data and networks that train in a blink, and a listener that remembers."""

from __future__ import annotations

import numpy as np
import pytest

from faltung.datasets import Dataset
from faltung.graph.graph import Graph
from faltung.graph.layers import (
    BatchNorm,
    Chain,
    Conv,
    Dense,
    Dropout,
    Flatten,
    MaxPool,
    Normalize,
    Relu,
    build,
)
from faltung.training.listener import Epoch, Plan, Step


class Remembers:
    """A listener that keeps all it hears; ``stop_at`` ends the run by force after that step."""

    class StoppedError(Exception):
        """The run was ended by force."""

    def __init__(self, stop_at: int = 0) -> None:
        self.stop_at = stop_at
        self.plans: list[Plan] = []
        self.steps: list[Step] = []
        self.epochs: list[Epoch] = []
        self.notes: list[str] = []

    def begin(self, plan: Plan) -> None:
        self.plans.append(plan)

    def step(self, report: Step) -> None:
        self.steps.append(report)
        if report.step == self.stop_at:
            raise self.StoppedError

    def epoch(self, report: Epoch) -> None:
        self.epochs.append(report)

    def note(self, text: str) -> None:
        self.notes.append(text)


@pytest.fixture
def listens() -> type[Remembers]:
    """The listener's class."""
    return Remembers


def drawn_bars(count: int = 90, seed: int = 0) -> Dataset:
    """Noisy 8x8 images with a bar: lying, standing, or oblique."""
    generator = np.random.default_rng(seed)
    labels = np.arange(count) % 3
    images = generator.integers(0, 40, (count, 1, 8, 8))
    along = np.arange(8)
    for image, label in zip(images[:, 0], labels, strict=True):
        at = int(generator.integers(1, 7))
        rows = (np.full(8, at), along, along)[label]
        columns = (along, np.full(8, at), (along + at) % 8)[label]
        image[rows, columns] += 200
    return Dataset(images.astype(np.uint8), labels, ("lying", "standing", "oblique"), "bars")


@pytest.fixture
def bars() -> Dataset:
    """Ninety images of three classes."""
    return drawn_bars()


@pytest.fixture
def other_bars() -> Dataset:
    """Ninety more."""
    return drawn_bars(seed=1)


@pytest.fixture
def net() -> Graph:
    """Convolution, batch normalisation, pooling, dropout, dense: chance, state and weights."""
    return build(
        Chain(
            Normalize(60.0, 50.0),
            Conv(4, 3, padding="same"),
            BatchNorm(),
            Relu(),
            MaxPool(2),
            Flatten(),
            Dropout(0.25),
            Dense(3),
        ),
        (1, 8, 8),
        seed=3,
    )
