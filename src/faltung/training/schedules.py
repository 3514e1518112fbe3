"""Learning rates as pure functions of the step, so that a resumed run needs no memory of them."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

from faltung.errors import TrainingError, message


class AbstractSchedule(ABC):
    """What the training loop asks of a schedule."""

    @abstractmethod
    def lr(self, step: int, total_steps: int) -> float:
        """Return the learning rate of step ``step``, 0 <= step < ``total_steps``.

        Raises
        ------
        TrainingError
            A step outside [0, total_steps) [schedule S1].
        """


@dataclass(frozen=True, slots=True)
class Constant(AbstractSchedule):
    """The same rate at every step.

    Parameters
    ----------
    rate : float
        Finite and not negative, or a TrainingError [schedule S2].

    Examples
    --------
    >>> Constant(0.1).lr(7, 10)
    0.1
    """

    rate: float

    def __post_init__(self) -> None:
        _check_rate("Constant", "rate", self.rate)

    def lr(self, step: int, total_steps: int) -> float:
        """See `AbstractSchedule.lr`."""
        _check_step("Constant", step, total_steps)
        return self.rate


@dataclass(frozen=True, slots=True)
class Cosine(AbstractSchedule):
    """Half a cosine from ``rate`` at the first step towards ``final``, which step T would reach.

    ``final + (rate - final) (1 + cos(pi step / T)) / 2``. Source: Loshchilov, Hutter, *SGDR*
    (2017), equation 5, without restarts.

    Parameters
    ----------
    rate, final : float
        Finite and not negative, or a TrainingError [schedule S2].

    Examples
    --------
    >>> [round(Cosine(1.0).lr(step, 4), 3) for step in range(4)]
    [1.0, 0.854, 0.5, 0.146]
    """

    rate: float
    final: float = 0.0

    def __post_init__(self) -> None:
        _check_rate("Cosine", "rate", self.rate)
        _check_rate("Cosine", "final", self.final)

    def lr(self, step: int, total_steps: int) -> float:
        """See `AbstractSchedule.lr`."""
        _check_step("Cosine", step, total_steps)
        return _cosine(self.rate, self.final, step / total_steps)


@dataclass(frozen=True, slots=True)
class OneCycle(AbstractSchedule):
    """Up to ``rate`` over the first ``warmup`` of the steps, then down to almost nothing.

    Both ways are half a cosine: from ``rate / start_divisor`` up, and down to
    ``rate / (start_divisor final_divisor)`` at the last step. Source: Smith, Topin,
    *Super-convergence* (2018), in the form PyTorch gives it. The peak is step
    ``warmup * total_steps - 1``, and never before the first.

    Parameters
    ----------
    rate : float
        The greatest, finite and not negative.
    warmup : float
        A share of the steps, 0 to 1.
    start_divisor, final_divisor : float
        At least 1.

    Raises
    ------
    TrainingError
        A value outside its range [schedule S2, S3, S4].

    Examples
    --------
    >>> [round(OneCycle(1.0).lr(step, 10), 3) for step in range(10)]
    [0.04, 0.52, 1.0, 0.95, 0.812, 0.611, 0.389, 0.188, 0.05, 0.0]
    """

    rate: float
    warmup: float = 0.3
    start_divisor: float = 25.0
    final_divisor: float = 1e4

    def __post_init__(self) -> None:
        _check_rate("OneCycle", "rate", self.rate)
        if not 0.0 <= self.warmup <= 1.0:
            rule, values = "warmup must be a share of the steps", {"warmup": self.warmup}
            raise TrainingError(message("OneCycle", rule, values, "Use 0.3", "schedule S3"))
        for name, value in (("start", self.start_divisor), ("final", self.final_divisor)):
            if not value >= 1.0:
                rule = f"{name}_divisor must be at least 1"
                values = {f"{name}_divisor": value}
                raise TrainingError(message("OneCycle", rule, values, "", "schedule S4"))

    def lr(self, step: int, total_steps: int) -> float:
        """See `AbstractSchedule.lr`."""
        _check_step("OneCycle", step, total_steps)
        start = self.rate / self.start_divisor
        peak, last = max(self.warmup * total_steps - 1.0, 0.0), total_steps - 1.0
        if step < peak:
            return _cosine(start, self.rate, step / peak)
        if step == peak:
            return self.rate
        return _cosine(self.rate, start / self.final_divisor, (step - peak) / (last - peak))


def _cosine(first: float, last: float, share: float) -> float:
    """Half a cosine from ``first`` at share 0 to ``last`` at share 1."""
    return last + (first - last) * (1.0 + math.cos(math.pi * share)) / 2.0


def _check_step(subject: str, step: int, total_steps: int) -> None:
    if not 0 <= step < total_steps:
        rule, values = (
            "step must be in [0, total_steps)",
            {"step": step, "total_steps": total_steps},
        )
        raise TrainingError(message(subject, rule, values, "", "schedule S1"))


def _check_rate(subject: str, name: str, value: float) -> None:
    if not (value >= 0.0 and math.isfinite(value)):
        rule = f"{name} must be finite and not negative"
        raise TrainingError(message(subject, rule, {name: value}, "", "schedule S2"))
