"""Estimators are there where scikit-learn is; small data for them."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import faltung


@pytest.fixture(autouse=True)
def _needed(sklearn: ModuleType) -> None:
    """Skip, naming it, where scikit-learn is missing."""


Data = tuple[NDArray[Any], NDArray[np.int64]]


@pytest.fixture
def digits() -> Data:
    """Zeros, ones and twos at 14x14: images (210, 14, 14) of uint8, and labels."""
    found = faltung.datasets.load_pair("sample")[0]
    chosen = np.concatenate([np.flatnonzero(found.labels == label)[:70] for label in range(3)])
    images = found.images[chosen, 0].reshape(-1, 14, 2, 14, 2).mean(axis=(2, 4))
    return images.astype(np.uint8), found.labels[chosen]


@pytest.fixture
def waves() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Signals of two channels, and two values of each: around 100, and around 0."""
    x = np.random.default_rng(0).standard_normal((80, 2, 9))
    return x, np.stack([100.0 + 20.0 * x[:, 0, 3], x[:, 1].mean(axis=1)], axis=1)
