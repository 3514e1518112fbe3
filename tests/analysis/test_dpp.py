"""Determinantal point processes: how often items come alone, together, and in sets of k."""

from __future__ import annotations

from itertools import combinations
from math import sqrt

import numpy as np
import pytest
from numpy.typing import NDArray

from faltung.analysis import dpp
from faltung.errors import GraphError

Array = NDArray[np.float64]
SAMPLES = 3000


def random_similarity(n: int, rank: int, seed: int) -> Array:
    factors = np.random.default_rng(seed).normal(size=(n, rank))
    similar: Array = factors @ factors.T
    return similar


def inclusion(sets: list[NDArray[np.int64]], n: int) -> Array:
    """How often each pair of items is in a set; on the diagonal, each item."""
    table = np.zeros((n, n))
    for items in sets:
        table[np.ix_(items, items)] += 1
    return table / len(sets)


def wrong_pairs(found: Array, expected: Array, samples: int, sigmas: float = 4.0) -> int:
    """How many entries are further away than chance explains."""
    sigma = np.sqrt(np.maximum(expected * (1 - expected), 1e-12) / samples)
    return int((np.abs(found - expected) > sigmas * sigma + 1e-9).sum())


def expected_inclusion(kernel: Array) -> Array:
    """``K_ii K_jj - K_ij^2``, and ``K_ii`` on the diagonal."""
    pairs = np.outer(np.diag(kernel), np.diag(kernel)) - kernel**2
    np.fill_diagonal(pairs, np.diag(kernel))
    return pairs


def test_pairs_come_together_as_the_marginal_kernel_says() -> None:
    similar = random_similarity(6, 6, seed=1)
    random = np.random.default_rng(7)
    found = inclusion([dpp.sample(similar, random) for _ in range(SAMPLES)], 6)
    expected = expected_inclusion(dpp.marginal_kernel(similar))
    assert wrong_pairs(found, expected, SAMPLES) == 0
    independent = np.outer(np.diag(expected), np.diag(expected))
    assert wrong_pairs(found, independent, SAMPLES) > 4  # what a sampler of single items would do


def test_a_projection_draws_as_many_items_as_its_rank() -> None:
    """Of k equal eigenvalues and no others, a k-DPP's marginal kernel is the projection."""
    basis = np.linalg.qr(random_similarity(7, 3, seed=2))[0][:, :3]
    projection = basis @ basis.T
    random = np.random.default_rng(8)
    sets = [dpp.sample_k(projection, 3, random) for _ in range(SAMPLES)]
    assert {len(set(items.tolist())) for items in sets} == {3}
    assert wrong_pairs(inclusion(sets, 7), expected_inclusion(projection), SAMPLES) == 0


def probabilities(similar: Array, k: int) -> dict[tuple[int, ...], float]:
    """Every set of k items, by its determinant."""
    sets = list(combinations(range(len(similar)), k))
    weights = np.array([np.linalg.det(similar[np.ix_(s, s)]) for s in sets])
    return dict(zip(sets, (weights / weights.sum()).tolist(), strict=True))


@pytest.mark.parametrize("k", [1, 2, 4])
def test_sets_of_k_come_as_often_as_their_determinants_say(k: int) -> None:
    similar = random_similarity(6, 5, seed=3)
    random = np.random.default_rng(k)
    drawn = [tuple(dpp.sample_k(similar, k, random).tolist()) for _ in range(SAMPLES)]
    for items, share in probabilities(similar, k).items():
        sigma = sqrt(max(share * (1 - share), 1e-12) / SAMPLES)
        assert abs(drawn.count(items) / SAMPLES - share) <= 4 * sigma + 1e-9, items


def test_a_seed_decides_the_set() -> None:
    similar = random_similarity(20, 20, seed=4)
    assert dpp.sample(similar, 5).tolist() == dpp.sample(similar, 5).tolist()
    assert dpp.sample_k(similar, 4, 5).tolist() == dpp.sample_k(similar, 4, 5).tolist()
    drawn = {tuple(dpp.sample_k(similar, 4, seed).tolist()) for seed in range(20)}
    assert len(drawn) > 10


def test_large_sets_neither_overflow_nor_vanish() -> None:
    similar = dpp.filter_similarity(np.random.default_rng(0).normal(size=(200, 9)))
    items = dpp.sample_k(1e-9 * similar, 20, 1)
    assert len(set(items.tolist())) == 20


def test_most_different_filters_are_no_copies() -> None:
    random = np.random.default_rng(5)
    kinds = random.normal(size=(4, 1, 3, 3))
    w = np.concatenate([kinds * scale for scale in (1, 2, 3, 0.5)])
    chosen = dpp.most_different(w, 4, seed=1)
    assert sorted((chosen % 4).tolist()) == [0, 1, 2, 3]
    assert dpp.most_different(w, 9).size == 4  # no more than differ
    assert chosen.tolist() == dpp.most_different(w, 4, seed=1).tolist()


def test_most_different_is_better_than_one_sample() -> None:
    w = np.random.default_rng(6).normal(size=(16, 1, 3, 3))
    similar = dpp.filter_similarity(w)

    def volume(items: NDArray[np.int64]) -> float:
        return float(np.linalg.det(similar[np.ix_(items, items)]))

    best = volume(dpp.most_different(w, 5))
    assert best >= np.quantile([volume(dpp.sample_k(similar, 5, s)) for s in range(200)], 0.95)


def test_dead_filters_are_one_kind() -> None:
    w = np.zeros((3, 1, 2, 2))
    w[0, 0, 0, 0] = 1
    assert dpp.filter_similarity(w)[1].round(4).tolist() == [0.6065, 1.0, 1.0]
    assert dpp.most_different(w, 3).size == 2
    assert dpp.most_different(np.zeros((0, 1, 2, 2)), 3).size == 0


@pytest.mark.parametrize(
    "similar",
    [np.ones((2, 3)), [[1.0, 2.0], [0.0, 1.0]], [[np.nan]], [[0.0, 1.0], [1.0, 0.0]]],
    ids=["oblong", "skew", "nan", "indefinite"],
)
def test_what_is_no_similarity_is_refused(similar: Array) -> None:
    rule = "L must be square, symmetric, finite and positive semi-definite, got .* \\[dpp K1\\]"
    with pytest.raises(GraphError, match=rule):
        dpp.sample(similar)


def test_no_more_can_be_drawn_than_differ() -> None:
    rule = r"k must be at most the number of items that differ, got k=3, rank=2\. \[dpp K2\]"
    with pytest.raises(GraphError, match=rule):
        dpp.sample_k(random_similarity(5, 2, seed=0), 3)
