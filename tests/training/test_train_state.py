"""A training state owns what it holds."""

from __future__ import annotations

import numpy as np

from faltung.training.state import Array, TrainState


def arrays_of(run: TrainState) -> list[Array]:
    groups = [run.params, run.state, *run.moments.values(), *run.best.values()]
    return [array for group in groups for array in group.values()]


def make() -> tuple[TrainState, list[Array]]:
    given = [np.full((2, 3), value, np.float32) for value in range(5)]
    for array in given:
        array.flags.writeable = False
    w, mean, m, best, start = given
    run = TrainState(
        {"w": w},
        {"mean": mean.T},
        {"m": {"w": m}},
        seed=3,
        step=4,
        epoch=1,
        batch=2,
        best={"params": {"w": best}, "state": {"mean": start}},
    )
    return run, given


def test_arrays_are_copied_writable_and_contiguous() -> None:
    run, given = make()
    assert len(arrays_of(run)) == 5
    for array in arrays_of(run):
        assert array.flags.writeable
        assert array.flags.c_contiguous
        assert not any(np.shares_memory(array, other) for other in given)


def test_a_copy_shares_nothing() -> None:
    run, _ = make()
    again = run.copy()
    assert (again.seed, again.step, again.epoch, again.batch) == (3, 4, 1, 2)
    for array, other in zip(arrays_of(run), arrays_of(again), strict=True):
        assert np.array_equal(array, other)
        assert not np.shares_memory(array, other)


def test_two_states_do_not_share_what_is_empty() -> None:
    one, other = TrainState({}, {}, {}, seed=0), TrainState({}, {}, {}, seed=0)
    one.best["params"] = {}
    assert other.best == {}
