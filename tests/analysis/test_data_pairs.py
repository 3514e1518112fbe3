"""Sums over pairs of values: by Fourier transform as by direct sums, and what shuffling does."""

from __future__ import annotations

from itertools import permutations, product
from math import log2, sqrt
from typing import Any

import numpy as np
import pytest

from faltung.analysis.data.correlations import chance, correlations, derived, half, patch
from faltung.analysis.data.pairs import Pooled, along, apart, line_sums, products
from faltung.analysis.data.planes import some_lines, some_positions, standardised

Array = np.ndarray[Any, np.dtype[Any]]
SHAPES = [(1, 1, 7), (1, 2, 5, 8), (3, 1, 6, 4), (2, 3, 4, 3, 5), (1, 1, 2), (2, 1, 1, 9)]


def rounding(first: Array, second: Array, lags: int) -> float:
    """What `products` says of its error."""
    n = first.shape[2] + lags
    steps = log2(max(2, 2 * n))
    norms = np.linalg.norm(first) * np.linalg.norm(second)
    return 8 * 2.0**-53 * steps * (2 + sqrt(first.shape[2])) * float(norms)


def direct(first: Array, second: Array, lags: int) -> Array:
    """The sums as they are written."""
    out = np.zeros((len(first), lags + 1))
    for p, h in np.ndindex(out.shape):
        for line, i in np.ndindex(first.shape[1], first.shape[2] - h):
            out[p, h] += first[p, line, i] * second[p, line, i + h]
    return out


@pytest.mark.parametrize("n", [1, 2, 3, 7, 16, 33])
@pytest.mark.parametrize(("planes", "lines"), [(1, 1), (2, 3)])
def test_products_are_the_direct_sums(n: int, planes: int, lines: int) -> None:
    rng = np.random.default_rng(n)
    first, second = rng.standard_normal((2, planes, lines, n))
    for other in (first, second):
        found, want = products(first, other, n - 1), direct(first, other, n - 1)
        assert np.abs(found - want).max() <= rounding(first, other, n - 1)
    # One that wraps round, or is off by one distance, is far outside the bound.
    if n > 3:
        wrong = np.fft.irfft(np.abs(np.fft.rfft(first, axis=2)) ** 2, n, axis=2).sum(axis=1)
        assert np.abs(wrong - direct(first, first, n - 1)).max() > rounding(first, first, n - 1)


def test_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.random.default_rng(0).integers(-9, 10, (3, 5, 12)).astype(np.float64)
    whole = products(x, x, 6)
    for chunk in (1, 40, 300):
        monkeypatch.setattr("faltung.analysis.data.pairs._CHUNK", chunk)
        assert np.abs(products(x, x, 6) - whole).max() <= rounding(x, x, 6)


def pairs_of(values: Array, axis: int, h: int) -> tuple[Array, Array]:
    """Left and right ends, plane by plane."""
    n = values.shape[2 + axis]
    left = np.take(values, range(n - h), axis=2 + axis)
    right = np.take(values, range(h, n), axis=2 + axis)
    return left, right


def by_hand(values: Array, offset: tuple[int, ...]) -> float:
    """Pearson's correlation pooled over planes, missing values left out, from its definition."""
    covariance = left = right = 0.0
    scaled = values.copy()
    for plane in np.ndindex(values.shape[:2]):
        there = values[plane][np.isfinite(values[plane])]
        scaled[plane] = (values[plane] - there.mean()) / there.std()
    for plane in np.ndindex(values.shape[:2]):
        x, y = [], []
        for at in np.ndindex(values.shape[2:]):
            to = tuple(a + o for a, o in zip(at, offset, strict=True))
            if all(t < n for t, n in zip(to, values.shape[2:], strict=True)):
                both = float(scaled[plane][at]), float(scaled[plane][to])
                if np.isfinite(both).all():
                    x.append(both[0])
                    y.append(both[1])
        u, v = np.array(x), np.array(y)
        covariance += float(((u - u.mean()) * (v - v.mean())).sum())
        left += float(((u - u.mean()) ** 2).sum())
        right += float(((v - v.mean()) ** 2).sum())
    return covariance / sqrt(left * right) if left * right > 0 else float("nan")


@pytest.mark.parametrize("missing", [False, True])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_the_correlation_is_pearsons(shape: tuple[int, ...], missing: bool) -> None:
    rng = np.random.default_rng(len(shape))
    values = rng.integers(-9, 10, shape).astype(np.float64)
    if missing and values[0, 0].size > 20:
        values[rng.random(shape) < 0.2] = np.nan
    planes = standardised(values)
    for axis, n in enumerate(shape[2:]):
        found = along(planes, axis, n // 2).values
        for h in range(1, n // 2 + 1):
            offset = tuple(h if a == axis else 0 for a in range(len(shape) - 2))
            want = by_hand(values, offset)
            assert apart(planes, offset).values[0] == pytest.approx(want, abs=1e-12, nan_ok=True)
            assert found[h] == pytest.approx(want, abs=1e-12, nan_ok=True)


def test_one_plane_is_numpys_corrcoef() -> None:
    x = np.random.default_rng(1).standard_normal((20, 30))
    found = along(standardised(x[None, None]), 1, 15).values
    for h in (1, 2, 15):
        want = np.corrcoef(x[:, :-h].ravel(), x[:, h:].ravel())[0, 1]
        assert found[h] == pytest.approx(want, abs=1e-13)


def test_pairs_are_counted_as_enumerated() -> None:
    rng = np.random.default_rng(2)
    for _ in range(50):
        shape = tuple(rng.integers(2, 7, rng.integers(1, 4)).tolist())
        planes = standardised(rng.standard_normal((1, 1, *shape)))
        axis = int(rng.integers(len(shape)))
        lags = shape[axis] // 2
        found = along(planes, axis, lags).pairs
        every = list(np.ndindex(*shape))
        for h in range(lags + 1):
            want = sum(1 for at in every if at[axis] + h < shape[axis])
            assert found[h] == want
            # A count that is off by one position is not it.
            assert found[h] != want + len(every) // shape[axis]


def test_a_line_is_alike_at_any_distance_and_a_board_alternates() -> None:
    ramp = along(standardised(np.arange(50.0)[None, None]), 0, 25).values
    assert ramp == pytest.approx(np.ones(26), abs=1e-12)
    board = along(standardised(np.indices((8, 8)).sum(0)[None, None] % 2), 0, 4).values
    assert board == pytest.approx([1, -1, 1, -1, 1], abs=1e-12)


def test_ends_that_do_not_vary_have_no_correlation() -> None:
    spike = np.zeros((1, 1, 9))
    spike[..., 0] = 1
    assert np.isnan(along(standardised(spike), 0, 4).values[1:]).all()
    assert np.isnan(along(standardised(np.full((1, 1, 9), 0.1)), 0, 4).values).all()


def test_what_does_not_vary_counts_nowhere() -> None:
    x = np.random.default_rng(3).standard_normal((1, 1, 5, 6))
    more = np.concatenate([x, np.full_like(x, 0.1)])
    one, both = along(standardised(x), 0, 2), along(standardised(more), 0, 2)
    assert np.array_equal(one.values, both.values)
    assert np.array_equal(one.pairs, both.pairs)


@pytest.mark.parametrize("factor", [1e308, 1e-308, 5e-324 * 8])
def test_large_and_small_numbers(factor: float) -> None:
    x = np.array([1.0, -1, 1, 1, -1, 0.5, 0.25, 1])
    want = along(standardised(x[None, None]), 0, 4).values
    found = along(standardised((x * factor)[None, None]), 0, 4).values
    assert found == pytest.approx(want, abs=1e-9)


# Under shuffling ------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(6,), (2, 3)])
def test_means_under_shuffling_are_those_of_all_orders(shape: tuple[int, ...]) -> None:
    values = np.array([3.0, 1, 4, 1, 5, 9])
    for axis, n in enumerate(shape):
        pools = [
            along(standardised(np.reshape(order, (1, 1, *shape))), axis, n // 2)
            for order in permutations(values)
        ]
        covariance = np.mean([pool.covariance for pool in pools], axis=0)
        left = np.mean([pool.left for pool in pools], axis=0)
        assert covariance[1:] == pytest.approx(pools[0].expected[1:], abs=1e-12)
        assert left == pytest.approx(pools[0].scale, abs=1e-12)


def smooth_channels(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Noise whose channels are nearly the same."""
    grey = rng.standard_normal((shape[0], 1, *shape[2:]))
    return grey + 0.3 * rng.standard_normal(shape)


@pytest.mark.parametrize("shape", [(1, 1, 900), (1, 3, 24, 24), (30, 1, 8, 8), (5, 2, 6, 5, 4)])
def test_the_derived_interval_holds_95_percent_of_shufflings(shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(4)
    planes = standardised(smooth_channels(rng, shape))
    low, high = derived(along(planes, 0, 3))
    drawn = np.array([along(planes.shuffled(rng), 0, 3).values for _ in range(400)])
    inside = ((drawn >= low) & (drawn <= high)).mean(axis=0)[1:]
    slack = 5 * sqrt(0.95 * 0.05 / 400)
    assert (np.abs(inside - 0.95) < slack).all()
    if shape[1] > 1:  # channels taken for independent ones: too narrow
        narrow = (high - low) / 2 / sqrt(shape[1])
        middle = (low + high) / 2
        inside = (np.abs(drawn - middle) <= narrow).mean(axis=0)[1:]
        assert (inside < 0.95 - slack).all()


@pytest.mark.parametrize("missing", [False, True])
def test_shuffling_keeps_values_samples_and_channels_together(missing: bool) -> None:
    rng = np.random.default_rng(5)
    values = rng.standard_normal((3, 2, 4, 5))
    if missing:
        values[0, :, 1, 2] = np.nan
        values[1, 0, 0] = np.nan
    planes = standardised(values)
    moved = planes.shuffled(rng)
    there = np.ones(values.shape, bool) if planes.present is None else planes.present
    after = np.ones(values.shape, bool) if moved.present is None else moved.present
    for n in range(3):
        before = sorted(zip(*planes.z[n].reshape(2, -1), *there[n].reshape(2, -1), strict=True))
        now = sorted(zip(*moved.z[n].reshape(2, -1), *after[n].reshape(2, -1), strict=True))
        assert before == now
    assert not np.array_equal(planes.z, moved.z)
    if missing:  # a position without any value stays one
        assert not after[0, :, 1, 2].any()


def test_unrelated_smooth_pieces_come_as_far_as_bartlett_says() -> None:
    rng = np.random.default_rng(6)
    kernel = np.exp(-((np.arange(-12, 13) / 4.0) ** 2))
    far = []
    wide = []
    for _ in range(200):
        x = np.convolve(rng.standard_normal(824), kernel, "valid")
        planes = standardised(x[None, None])
        pool = apart(planes, (400,))
        far.append(pool.values[0])
        wide.append(chance(pool, patch(along(planes, 0, 400), 800)))
    inside = float((np.abs(far) <= np.array(wide)).mean())
    assert inside > 0.88  # the estimate varies with each signal
    shuffled = 1.96 / 20
    assert float((np.abs(far) <= shuffled).mean()) < 0.75


# Parts of what is large -----------------------------------------------------------------------


def test_lines_are_whole_and_distances_stay() -> None:
    values = np.arange(2 * 1 * 30 * 20.0).reshape(2, 1, 30, 20)
    rng = np.random.default_rng(7)
    some = some_lines(values, 0, 2 * 30 * 5, rng)
    assert some.shape == (2, 1, 5, 30)
    assert (np.diff(some, axis=3) == 20).all()
    assert some_lines(values, 1, values.size, rng).shape == (2, 1, 30, 20)
    assert some_lines(values, 1, 1, rng).shape == (2, 1, 1, 20)


def test_long_lines_are_cut_into_stretches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("faltung.analysis.data.planes.STRETCH", 10)
    some = some_lines(np.arange(105.0)[None, None], 0, 40, np.random.default_rng(0))
    assert some.shape == (1, 1, 4, 10)
    assert (np.diff(some, axis=3) == 1).all()
    assert (some[..., 0] % 10 == 0).all()


def test_grids_have_one_position_in_each_part() -> None:
    at = some_positions((100, 10), 50, np.random.default_rng(8))
    assert len(at[0]) * len(at[1]) <= 50
    edges = [k * 100 // len(at[0]) for k in range(len(at[0]) + 1)]
    assert all(lo <= a < hi for lo, a, hi in zip(edges, at[0], edges[1:], strict=False))
    assert len(set(np.diff(at[0]).tolist())) > 1
    assert [len(a) for a in some_positions((4, 3), 12, np.random.default_rng(0))] == [4, 3]


def test_a_part_of_what_repeats_says_what_all_of_it_does() -> None:
    line = np.random.default_rng(9).standard_normal(64)
    values = np.broadcast_to(line[:, None], (64, 500))[None, None]
    options: Any = {"shuffles": 20, "rng": np.random.default_rng(0)}
    whole = correlations([values], ("a", "b"), "px", most=values.size, **options)
    part = correlations([values], ("a", "b"), "px", most=4000, **options)
    assert part.curves[0].values == pytest.approx(whole.curves[0].values, abs=1e-12)
    assert part.curves[0].pairs[1] == 62 * 63
    assert part.far.value == pytest.approx(whole.far.value, abs=0.2)


def test_pools_of_batches_add_up() -> None:
    x = np.random.default_rng(10).standard_normal((4, 1, 6, 7))
    whole = along(standardised(x), 1, 3)
    one, other = (along(standardised(part), 1, 3) for part in (x[:1], x[1:]))
    both: Pooled = one + other
    for name in ("pairs", "covariance", "left", "right", "expected", "spread", "scale"):
        assert getattr(both, name) == pytest.approx(getattr(whole, name), rel=1e-12, abs=1e-12)


def test_opposite_parts_are_half_of_each_axis_apart() -> None:
    x = np.random.default_rng(11).standard_normal((9, 6))
    found = apart(standardised(x[None, None]), half(x.shape)).values[0]
    assert found == pytest.approx(np.corrcoef(x[:4, :3].ravel(), x[5:, 3:].ravel())[0, 1])
    assert half((1, 1)) == (0, 0)


def test_sums_of_missing_values_are_those_of_complete_ones() -> None:
    x = np.random.default_rng(12).standard_normal((2, 3, 9))
    complete, masked = line_sums(x, None, 4), line_sums(x, np.ones(x.shape), 4)
    for name, h in product(("count", "x", "y", "xx", "yy", "xy"), range(5)):
        assert getattr(masked, name)[:, h] == pytest.approx(getattr(complete, name)[:, h])
