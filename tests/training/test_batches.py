"""Chance as a function of seed, epoch and batch."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faltung.errors import TrainingError
from faltung.training.batches import batch_count, batches, epoch_order, rng


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**32 - 1), st.integers(0, 200))
def test_an_order_is_a_permutation_and_always_the_same(seed: int, epoch: int, n: int) -> None:
    order = epoch_order(seed, epoch, n)
    assert order.dtype == np.int64
    assert sorted(order) == list(range(n))
    assert np.array_equal(order, epoch_order(seed, epoch, n))


def test_seeds_epochs_and_paths_differ() -> None:
    orders = {tuple(epoch_order(seed, epoch, 20)) for seed in range(10) for epoch in range(10)}
    assert len(orders) == 100
    paths = [
        (),
        (0,),
        (0, 0),
        (1,),
        (0, 1),
        (1, 0),
        ("a",),
        ("b",),
        ("a", 0),
        (0, "a"),
        (2**32 - 1,),
    ]
    assert len({int(rng(5, *path).integers(2**63)) for path in paths}) == len(paths)


def test_a_path_is_not_an_addition_to_the_seed() -> None:
    seeds = [(1, 2), (2, 1), (3, 0), (2**32, 0), (2**63, 1)]
    assert len({int(rng(seed, part).integers(2**63)) for seed, part in seeds}) == len(seeds)


@given(st.integers(0, 50), st.integers(1, 20), st.integers(0, 5))
def test_batches_visit_every_image_once(n: int, batch_size: int, epoch: int) -> None:
    found = list(batches(n, batch_size, seed=3, epoch=epoch))
    assert [batch for batch, _ in found] == list(range(batch_count(n, batch_size)))
    sizes = [len(images) for _, images in found]
    assert sizes == [batch_size] * (n // batch_size) + [n % batch_size] * (n % batch_size > 0)
    visited = np.concatenate([np.empty(0, np.int64), *(images for _, images in found)])
    assert np.array_equal(visited, epoch_order(3, epoch, n))


@given(st.integers(0, 12))
def test_a_resumed_epoch_is_the_rest_of_the_whole_one(start: int) -> None:
    whole = list(batches(50, 5, seed=1, epoch=2))
    rest = list(batches(50, 5, seed=1, epoch=2, start=start))
    assert len(rest) == max(0, 10 - start)
    for (batch, images), (other, others) in zip(rest, whole[start:], strict=True):
        assert batch == other
        assert np.array_equal(images, others)


def test_what_is_refused() -> None:
    with pytest.raises(
        TrainingError, match=r"seed must be in \[0, 2\*\*64\), got seed=-1\. .*B1\]"
    ):
        rng(-1)
    with pytest.raises(TrainingError, match=rf"path must be in \[0, 2\*\*32\), got path={2**32}\."):
        rng(0, 2**32)
    with pytest.raises(TrainingError, match=r"at least 1, got batch_size=0\. \[batches B2\]"):
        next(batches(5, 0, seed=0, epoch=0))
