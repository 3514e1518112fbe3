"""Steps by plans beside steps by the interpreter."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable

import numpy as np
import pytest

from faltung.errors import TrainingError
from faltung.graph import Graph
from faltung.graph import layers as L
from faltung.kernels.choose import compiled_for
from faltung.training import planned
from faltung.training.losses import cross_entropy
from faltung.training.optimisers import SGD, AbstractOptimiser, Adam, AdamW
from faltung.training.planned import InterpretedStep, PlannedStep, step_of
from faltung.training.state import TrainState
from faltung.training.step import descend

RNG = np.random.default_rng(0)
IMAGES = RNG.normal(size=(40, 1, 12, 12)).astype(np.float32)
LABELS = RNG.integers(0, 5, 40)


@pytest.fixture
def net() -> Graph:
    # With a bias there, Adam would divide rounding by rounding: its gradient is nothing else.
    conv = L.Conv(8, 3, padding=1, bias=False)
    first = (conv, L.BatchNorm(), L.Relu(), L.MaxPool(2), L.Dropout(0.3))
    return L.build(L.Chain(*first, L.Conv(8, 3), L.Relu(), L.Flatten(), L.Dense(5)), (1, 12, 12))


def run_of(net: Graph, optimiser: AbstractOptimiser) -> TrainState:
    return TrainState(dict(net.params), dict(net.state), optimiser.init(net.params), seed=0)


def taken(net: Graph, run: TrainState, optimiser: AbstractOptimiser, sizes: list[int]) -> None:
    for size in sizes:
        feeds = {net.inputs[0].name: IMAGES[:size]}
        labels = LABELS[:size]
        key = (0, run.step)
        descend(
            net, run, feeds, lambda y, t=labels: cross_entropy(y, t), optimiser, key=key, lr=0.01
        )
        run.step += 1


@pytest.mark.parametrize(
    "optimiser",
    [SGD(), SGD(0.0), SGD(nesterov=True, weight_decay=0.1), Adam(), AdamW(weight_decay=0.1)],
)
def test_several_steps_equal_those_of_the_interpreter(
    net: Graph, optimiser: AbstractOptimiser, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, other = run_of(net, optimiser), run_of(net, optimiser)
    taken(net, run, optimiser, [16, 16, 8, 16])
    monkeypatch.setattr(planned, "compiled_for", lambda: "")
    taken(net, other, optimiser, [16, 16, 8, 16])
    groups = (run.params, run.state), (other.params, other.state)
    for arrays, wanted in zip(*groups, strict=True):
        for name, array in wanted.items():
            np.testing.assert_allclose(arrays[name], array, rtol=0, atol=1e-4)


@pytest.mark.usefixtures("compiler")
def test_a_few_plans_are_kept_in_the_memory_of_the_largest(net: Graph) -> None:
    optimiser = SGD()
    run = run_of(net, optimiser)
    taken(net, run, optimiser, [40, 7, 13, 21, 30, 5, 40, 7])
    kept = planned._kept[run]
    assert len(kept) == planned.KEPT
    memories = {step.plan.memory.ctypes.data for step in kept.values()}
    assert len(memories) <= 2  # the largest may have been let go, and made anew


def test_the_size_of_batches_before_changes_no_bit(net: Graph) -> None:
    optimiser = SGD()
    run = run_of(net, optimiser)
    taken(net, run, optimiser, [40, 8, 16])
    again = run_of(net, optimiser)
    for size in (40, 8, 16):
        planned._kept.pop(again, None)  # as if each were the first
        taken(net, again, optimiser, [size])
    for name, array in run.params.items():
        np.testing.assert_array_equal(again.params[name], array)


@pytest.mark.usefixtures("compiler")
def test_plans_go_with_their_state(net: Graph) -> None:
    run = run_of(net, SGD())
    taken(net, run, SGD(), [8])
    (step,) = planned._kept[run].values()
    gone = weakref.ref(step)
    del run, step
    gc.collect()
    assert gone() is None


def test_arrays_that_were_exchanged_are_noticed(net: Graph) -> None:
    optimiser = SGD()
    run, other = run_of(net, optimiser), run_of(net, optimiser)
    for each in (run, other):
        taken(net, each, optimiser, [8])
    run.params = {name: array.copy() for name, array in run.params.items()}
    run.moments = {w: {n: a.copy() for n, a in arrays.items()} for w, arrays in run.moments.items()}
    for each in (run, other):
        taken(net, each, optimiser, [8, 8])
    for name, array in other.params.items():
        np.testing.assert_array_equal(run.params[name], array)


class Halving(AbstractOptimiser):
    """Knows nothing of flat arrays."""

    init = SGD(0.0).init

    def update(self, params, grads, moments, *, lr, step):  # type: ignore[no-untyped-def]
        for name, p in params.items():
            p -= 0.5 * lr * grads[name]


def test_an_optimiser_of_ones_own_gets_parameters_by_name(net: Graph) -> None:
    run, other = run_of(net, SGD(0.0)), run_of(net, SGD(0.0))
    taken(net, run, Halving(), [8])
    feeds = {net.inputs[0].name: IMAGES[:8]}
    descend(net, other, feeds, judged(8), SGD(0.0), key=(0, 0), lr=0.005)
    for name, array in other.params.items():
        np.testing.assert_allclose(run.params[name], array, rtol=1e-5, atol=1e-7)


def judged(size: int) -> Callable[[np.ndarray], tuple[float, np.ndarray]]:
    return lambda y: cross_entropy(y, LABELS[:size])


def test_where_nothing_is_compiled_the_interpreter_takes_the_step(
    net: Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, feeds = run_of(net, SGD()), {net.inputs[0].name: IMAGES[:4]}
    assert isinstance(step_of(net, run, feeds), PlannedStep) == bool(compiled_for())
    monkeypatch.setenv("FALTUNG_KERNEL", "reference")
    assert isinstance(step_of(net, run, feeds), InterpretedStep)


def test_a_step_that_goes_wrong_changes_nothing(net: Graph) -> None:
    run = run_of(net, SGD())
    before = run.copy()
    feeds = {net.inputs[0].name: np.full((4, 1, 12, 12), np.inf, np.float32)}
    with np.errstate(all="ignore"), pytest.raises(TrainingError, match="first not finite"):
        descend(net, run, feeds, judged(4), SGD(), key=(0,), lr=0.1)
    bad = np.full((4, 5), np.nan, np.float32)
    feeds = {net.inputs[0].name: IMAGES[:4]}
    with pytest.raises(TrainingError, match="is not finite"):
        descend(net, run, feeds, lambda y: (1.0, bad), SGD(), key=(0,), lr=0.1)
    for now, then in ((run.params, before.params), (run.state, before.state)):
        for name, array in then.items():
            np.testing.assert_array_equal(now[name], array)
