"""Schedules: torch's numbers, the ends, and purity."""

from __future__ import annotations

from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faltung.errors import TrainingError
from faltung.training.schedules import AbstractSchedule, Constant, Cosine, OneCycle

U = 2.0**-53


def theirs(torch: ModuleType, steps: int, rate: float, make: str, **settings: float) -> list[float]:
    """Rates that a scheduler of PyTorch's sets."""
    optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=rate, momentum=0.9)
    schedule = getattr(torch.optim.lr_scheduler, make)(optimiser, **settings)
    rates = []
    for _ in range(steps):
        rates.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        schedule.step()
    return rates


def ours(schedule: AbstractSchedule, steps: int) -> list[float]:
    return [schedule.lr(step, steps) for step in range(steps)]


@pytest.mark.parametrize("final", [0.0, 0.01])
@pytest.mark.parametrize("steps", [1, 2, 7, 100])
def test_cosine_agrees_with_torch(torch: ModuleType, steps: int, final: float) -> None:
    their = theirs(torch, steps, 0.3, "CosineAnnealingLR", T_max=steps, eta_min=final)
    for mine, other in zip(ours(Cosine(0.3, final), steps), their, strict=True):
        # Theirs goes from step to step: about eight roundings of a number below 0.3 in each.
        assert abs(mine - other) <= 8 * steps * U * 0.3


@pytest.mark.parametrize(
    ("steps", "warmup"), [(10, 0.3), (97, 0.3), (100, 0.25), (12, 0.5), (3, 0.4)]
)
def test_one_cycle_agrees_with_torch(torch: ModuleType, steps: int, warmup: float) -> None:
    settings = {"max_lr": 0.3, "total_steps": steps + 1, "pct_start": warmup}
    settings["total_steps"] = steps
    optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0, momentum=0.9)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, **settings)
    their = [optimiser.param_groups[0]["lr"]]
    for _ in range(steps - 1):
        optimiser.step()
        schedule.step()
        their.append(optimiser.param_groups[0]["lr"])
    for mine, other in zip(ours(OneCycle(0.3, warmup), steps), their, strict=True):
        # The share of the way has a few roundings, which pi and the steps before it enlarge.
        assert abs(mine - other) <= 40 * U * 0.3 / min(warmup, 1 - warmup)


def test_constant() -> None:
    assert ours(Constant(0.25), 5) == [0.25] * 5


@given(st.integers(1, 300), st.floats(0, 1))
def test_one_cycle_stays_between_its_ends(steps: int, warmup: float) -> None:
    rates = ours(OneCycle(1.0, warmup), steps)
    top = rates.index(max(rates))
    assert all(4e-6 - 1e-15 <= rate <= 1.0 for rate in rates)
    assert rates[: top + 1] == sorted(rates[: top + 1])
    assert rates[top:] == sorted(rates[top:], reverse=True)
    if warmup * steps <= 1:
        assert rates[0] == 1.0


@given(st.integers(1, 300))
def test_cosine_falls_from_the_rate_towards_the_end(steps: int) -> None:
    rates = ours(Cosine(1.0, 0.125), steps)
    assert rates[0] == 1.0
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] > 0.125 or steps == 1


def test_short_runs_learn_too() -> None:
    assert ours(OneCycle(0.5), 1) == [0.5]
    assert ours(OneCycle(0.5), 2) == [0.5, 0.5 / 25 / 1e4]


@pytest.mark.parametrize("schedule", [Constant(1.0), Cosine(1.0), OneCycle(1.0)])
@pytest.mark.parametrize(("step", "total"), [(-1, 5), (5, 5), (0, 0)])
def test_a_step_outside_the_run(schedule: AbstractSchedule, step: int, total: int) -> None:
    text = rf"step must be in \[0, total_steps\), got step={step}, total_steps={total}.*S1\]"
    with pytest.raises(TrainingError, match=text):
        schedule.lr(step, total)


@pytest.mark.parametrize("rate", [-1.0, float("nan"), float("inf")])
@pytest.mark.parametrize("kind", [Constant, Cosine, OneCycle])
def test_a_rate_that_is_none(kind: type, rate: float) -> None:
    with pytest.raises(
        TrainingError, match=r"rate must be finite and not negative, got rate=.*S2\]"
    ):
        kind(rate)


def test_settings_that_are_none() -> None:
    with pytest.raises(TrainingError, match=r"Cosine: final must be finite.*final=-1.*S2\]"):
        Cosine(1.0, -1.0)
    with pytest.raises(
        TrainingError, match=r"warmup must be a share of the steps, got warmup=30.*S3"
    ):
        OneCycle(1.0, warmup=30)
    with pytest.raises(
        TrainingError, match=r"start_divisor must be at least 1.*=0.5\. \[schedule S4"
    ):
        OneCycle(1.0, start_divisor=0.5)
    with pytest.raises(TrainingError, match=r"final_divisor must be at least 1.*\[schedule S4\]"):
        OneCycle(1.0, final_divisor=0.0)
