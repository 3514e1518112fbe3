"""Weights in panels, against NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from faltung.kernels import memory
from faltung.kernels.isa import ISAS, Isa, has
from faltung.kernels.packing import pack, runs_of

HERE = [isa for isa in ISAS if has(isa)]


@pytest.mark.parametrize("isa", HERE)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("groups", "channels", "width"), [(1, 8, 8), (1, 11, 4), (3, 5, 16)])
def test_panels_hold_terms_of_neighbours(
    isa: Isa, dtype: Any, groups: int, channels: int, width: int
) -> None:
    """Terms in any order, zeros where a place is negative and past the last channel."""
    terms = 7
    rng = np.random.default_rng(0)
    w = rng.integers(-9, 10, (groups, channels, terms)).astype(dtype)
    places = np.array([3, 0, -1, 6, 3], np.int64)
    steps = {"step": terms, "groups": groups, "group_step": channels * terms}
    packed = pack(w, places, isa, width=width, channels=channels, **steps)
    panels = -(-channels // width)
    wanted = np.zeros((groups, panels * width, len(places)), dtype)
    for t, place in enumerate(places):
        wanted[:, :channels, t] = w[..., place] if place >= 0 else 0
    wanted = wanted.reshape(groups * panels, width, -1).swapaxes(1, 2)
    np.testing.assert_array_equal(packed, wanted)


def test_nothing_is_read_or_written_past_the_ends(guarded: Any) -> None:
    """The last panel, of fewer channels than it has room for."""
    w = guarded.copy(np.arange(33.0, dtype=np.float32).reshape(11, 3))
    packed = pack(w, np.arange(3), HERE[0], width=8, channels=11, step=3)
    assert packed.base is not None
    assert packed[1, :, 3:].sum() == 0
    assert memory.empty == guarded.array


@pytest.mark.parametrize("isa", HERE)
@pytest.mark.parametrize(("terms", "channels", "groups"), [(1, 1, 1), (37, 33, 2), (64, 16, 1)])
def test_transposes_write_the_same(
    isa: Isa, terms: int, channels: int, groups: int, guarded: Any
) -> None:
    """Terms in a random order, with zeros between them."""
    rng = np.random.default_rng(0)
    w = guarded.copy(rng.standard_normal((groups, channels, terms)).astype(np.float32))
    places = rng.permutation(np.concatenate([np.arange(terms), np.full(5, -1)]))
    steps = {"step": terms, "groups": groups, "group_step": channels * terms}
    sizes = {"width": 2 * isa.lanes(4), "channels": channels}
    runs = runs_of(places, 1, terms, terms)
    assert runs is not None
    packed = pack(w, places, isa, **sizes, **steps, runs=runs)
    np.testing.assert_array_equal(packed, pack(w, places, isa, **sizes, **steps))


@pytest.mark.parametrize("isa", HERE)
def test_terms_in_several_runs(isa: Isa, guarded: Any) -> None:
    """Weights of the input's gradient: channels lie within the runs' distance."""
    w = guarded.copy(np.arange(5 * 7 * 9, dtype=np.float32).reshape(5, 7, 9))
    places = np.array([o * 63 + k for k in range(9) for o in range(5)])
    sizes = {"width": isa.lanes(4), "channels": 7, "step": 9}
    runs = runs_of(places, 5, 9, 63)
    assert runs is not None
    packed = pack(w, places, isa, **sizes, runs=runs)
    np.testing.assert_array_equal(packed, pack(w, places, isa, **sizes))


def test_runs_of_what_is_not_a_permutation() -> None:
    """A number twice, one left out, one of the next channel."""
    assert runs_of(np.array([0, 0, 1]), 1, 2, 2) is None
    assert runs_of(np.array([0]), 1, 2, 2) is None
    assert runs_of(np.array([0, 1, 3]), 1, 3, 3) is None
    assert runs_of(np.array([0, 2]), 1, 2, 3) is None
