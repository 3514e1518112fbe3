"""Blocks: their figures, what shuffling gives them, and samples that are moved round."""

from __future__ import annotations

from itertools import permutations
from statistics import NormalDist
from typing import Any

import numpy as np
import pytest

from faltung.analysis.data.blocks import (
    figures,
    moved,
    neighbours,
    parts_of,
    places,
    shuffled,
)
from faltung.analysis.data.places import SAMPLES, Places
from faltung.analysis.data.planes import standardised
from faltung.analysis.data.tiles import Tiles, tiled, tiles_for, together

Array = np.ndarray[Any, np.dtype[Any]]


def whole(values: Array, tiles: tuple[int, ...]) -> Tiles:
    """Tiles of all positions."""
    space = values.shape[2:]
    return tiled(standardised(values), [np.arange(n) for n in space], space, tiles)


def found(values: Array, seed: int = 0, most: int = 1 << 22) -> Places:
    axes = tuple("abc"[: values.ndim - 2])
    made = places([values], axes, most=most, moves=100, rng=np.random.default_rng(seed))
    assert made is not None
    return made


def test_blocks_are_those_of_the_slices() -> None:
    x = np.random.default_rng(0).standard_normal((3, 2, 10, 9))
    z = standardised(x).z
    means, variances = figures(whole(x, (4, 3)))
    for i in range(4):
        for j in range(3):
            block = z[:, :, i * 10 // 4 : (i + 1) * 10 // 4, j * 3 : j * 3 + 3]
            assert means[i, j] == pytest.approx(block.mean(axis=(2, 3)).mean(), abs=1e-12)
            assert variances[i, j] == pytest.approx(block.var(axis=(2, 3)).mean(), abs=1e-12)


def test_blocks_of_missing_values() -> None:
    x = np.random.default_rng(1).standard_normal((2, 1, 8))
    x[0, 0, 1] = np.nan
    x[:, 0, 6:] = np.inf
    z, there = standardised(x).z[:, 0], np.isfinite(x[:, 0])
    means, _ = figures(whole(x, (4,)))
    want = [z[n, :2][there[n, :2]].mean() for n in range(2)]
    assert means[0] == pytest.approx(np.mean(want), abs=1e-12)
    assert np.isnan(means[3])


@pytest.mark.parametrize("tiles", [(3,), (2,)])
def test_blocks_under_shuffling_are_those_of_all_orders(tiles: tuple[int, ...]) -> None:
    values = np.array([3.0, 1, 4, 1, 5, 9])
    orders = [whole(np.reshape(o, (1, 1, 6)), tiles) for o in permutations(values)]
    means, variances = (np.array(each) for each in zip(*map(figures, orders), strict=True))
    (low, high), (least, most) = shuffled(orders[0])
    z = NormalDist().inv_cdf(1 - 0.05 / 2 / tiles[0])
    assert high / z == pytest.approx(means.std(axis=0), abs=1e-12)
    assert np.array_equal(low, -high)
    assert (np.maximum(least, 0) <= variances.mean(axis=0)).all()
    middle = (6 - 6 / tiles[0]) / (6 / tiles[0] * 5)
    assert variances.mean(axis=0) == pytest.approx(1 - middle, abs=1e-12)
    assert (most > 1 - middle).all()


@pytest.mark.parametrize("shape", [(1, 1, 40, 40), (1, 3, 30, 40), (20, 2, 12, 12), (1, 1, 400)])
def test_95_percent_of_shufflings_have_all_blocks_inside(shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(2)
    grey = rng.standard_normal((shape[0], 1, *shape[2:]))
    planes = standardised(grey + 0.5 * rng.standard_normal(shape))
    tiles = tuple(4 for _ in shape[2:])
    at = [np.arange(n) for n in shape[2:]]
    inside = np.zeros(2)
    for _ in range(300):
        blocks = tiled(planes.shuffled(rng), at, shape[2:], tiles)
        for k, (values, (low, high)) in enumerate(
            zip(figures(blocks), shuffled(blocks), strict=True)
        ):
            inside[k] += ((values >= low) & (values <= high)).all()
    slack = 5 * np.sqrt(0.95 * 0.05 / 300)
    assert (np.abs(inside / 300 - 0.95) < slack).all()


def test_two_values_have_the_same_variance_everywhere() -> None:
    board = found(np.indices((32, 32)).sum(0)[None, None] % 2)
    assert board.outside("means") == board.outside("variances") == 0


def test_moving_round_is_numpys_roll() -> None:
    x = np.random.default_rng(3).standard_normal((2, 3, 4, 6))
    fine = whole(x, (4, 6))
    turned = fine.moved(np.random.default_rng(0))
    for n in range(2):
        rolled = [np.roll(fine.total[n], (-i, -j), axis=(1, 2)) for i in range(4) for j in range(6)]
        assert any(np.array_equal(turned.total[n], each) for each in rolled)
    assert np.array_equal(np.sort(turned.squares.ravel()), np.sort(fine.squares.ravel()))


def test_tiles_of_tiles_are_blocks() -> None:
    x = np.random.default_rng(4).standard_normal((2, 1, 20, 13))
    assert figures(whole(x, (20, 12)).blocks((4, 4)))[0] == pytest.approx(
        figures(whole(x, (4, 4)))[0], abs=1e-12
    )


def test_samples_of_other_channels_are_put_together() -> None:
    rng = np.random.default_rng(5)
    grey, colour = rng.standard_normal((2, 1, 8)), rng.standard_normal((1, 3, 8))
    means, _ = figures(together([whole(grey, (4,)), whole(colour, (4,))]))
    want = np.concatenate([standardised(v).z.reshape(-1, 8) for v in (grey, colour)])
    assert means == pytest.approx(want.reshape(5, 4, 2).mean(axis=(0, 2)), abs=1e-12)


def textures(seed: int, samples: int = 40) -> Array:
    """Noise that is smooth and wraps round, so that no place differs from any other."""
    rng = np.random.default_rng(seed)
    spectrum = np.fft.rfft2(rng.standard_normal((samples, 1, 24, 24)))
    y, x = np.meshgrid(np.fft.fftfreq(24), np.fft.rfftfreq(24), indexing="ij")
    return np.fft.irfft2(spectrum * np.exp(-100 * (x**2 + y**2)), (24, 24))


def test_places_that_matter_are_told_from_smoothness() -> None:
    alarms = 0
    for seed in range(20):
        made = found(textures(seed), seed)
        assert made.moved_means is not None
        assert made.moved_variances is not None
        assert made.outside("means") > 1  # shuffling would take every texture for a drift
        alarms += made.moved_means.is_more
    assert alarms <= 4  # one in twenty, at most four with a chance of 0.3 %
    values = textures(0)
    values[:, :, 6:12, 6:12] += 1.5 * values.std()
    bright = found(values)
    assert bright.moved_means is not None
    assert bright.moved_means.is_more
    values = textures(0)
    values[:, :, :6] *= 3
    uneven = found(values)
    assert uneven.moved_variances is not None
    assert uneven.moved_variances.is_more


def test_few_samples_are_not_moved() -> None:
    fine = whole(np.random.default_rng(6).standard_normal((SAMPLES - 1, 1, 16)), (16,))
    assert moved(fine, (4,), 50, np.random.default_rng(0)) == (None, None)


def test_drifts_are_fitted_lines() -> None:
    rng = np.random.default_rng(7)
    values = rng.standard_normal((1, 1, 30, 50)) + 0.02 * np.arange(50)
    made = found(values)
    z = standardised(values).z[0, 0]
    slope = np.polyfit(np.tile(np.arange(50), 30), z.ravel(), 1)[0]
    assert made.drifts[1].rise == pytest.approx(49 * slope, abs=1e-9)
    assert not made.drifts[1].is_within
    shape = (1, 1, 200)
    beyond = sum(not found(rng.standard_normal(shape)).drifts[0].is_within for _ in range(200))
    assert beyond <= 10 + 5 * np.sqrt(200 * 0.05 * 0.95)
    assert beyond >= 1
    line = np.arange(9.0)[None, None]
    assert found(line).drifts[0].rise == pytest.approx(8 / line.std(), abs=1e-9)


def test_neighbours_of_blocks_stay_inside_them() -> None:
    rng = np.random.default_rng(8)
    values = rng.standard_normal((1, 1, 40, 40))
    values[..., :20, :20] = np.cumsum(values[..., :20, :20], axis=3)
    made = neighbours([values], (2, 2), 1.0)
    block = values[0, 0, :20, :20]
    want = [
        np.corrcoef(block[:-1].ravel(), block[1:].ravel())[0, 1],
        np.corrcoef(block[:, :-1].ravel(), block[:, 1:].ravel())[0, 1],
    ]
    assert made[0, 0] == pytest.approx(np.mean(want), abs=1e-12)
    assert np.abs(made.ravel()[1:]).max() < 0.2
    still = np.zeros((1, 1, 8))
    still[..., 4:] = [1, 2, 4, 1]
    assert np.isnan(neighbours([still], (2,), 1.0)[0])


def test_a_part_of_the_values_gives_about_the_same() -> None:
    rng = np.random.default_rng(9)
    x = np.cumsum(rng.standard_normal((1, 1, 200, 200)), axis=3)
    every, some = found(x), found(x, most=4000)
    assert np.abs(some.means - every.means).max() < 0.3
    assert some.neighbours == pytest.approx(every.neighbours, abs=0.2)
    assert every.drifts[1].rise == pytest.approx(some.drifts[1].rise, abs=0.3)


def test_sizes_without_blocks() -> None:
    rng = np.random.default_rng(0)
    assert places([np.ones((1, 1, 3))], ("a",), most=9, moves=20, rng=rng) is None
    assert parts_of((3,)) == (1,)
    assert tiles_for((1000, 1000), (4, 4), 1) == (32, 32)
