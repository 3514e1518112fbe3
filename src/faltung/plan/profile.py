"""Where a plan's time goes: step by step, beside what the machine could do at most."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from faltung.kernels.isa import Isa, host_isa
from faltung.kernels.roofline import bandwidths, peak, share
from faltung.report import AbstractReport, Table

if TYPE_CHECKING:
    from faltung.ops.operator import Array
    from faltung.plan.room import Step
    from faltung.plan.values import Value

LISTED: Final = 24
"""Steps that the table names, those that take longest."""


@dataclass(frozen=True)
class StepTime:
    """One step.

    Parameters
    ----------
    name
        Of the nodes that it computes.
    operator
        Of the first of them, as ONNX calls it.
    kernel
        What computed it.
    seconds
        The least of all runs.
    macs
        Multiply-accumulates, counted as the direct algorithm makes them.
    nbytes
        Read and written, each once.
    roofline
        The least possible time by the direct algorithm over `seconds`; algorithms that multiply
        less than it may pass 1. None where the machine was not measured.
    """

    name: str
    operator: str
    kernel: str
    seconds: float
    macs: int
    nbytes: int
    roofline: float | None

    @property
    def gflops(self) -> float:
        """Operations a second, two for each multiply-accumulate, in thousands of millions."""
        return 2e-9 * self.macs / self.seconds if self.seconds else 0.0


@dataclass(frozen=True)
class Profile(AbstractReport):
    """The time of every step of a plan; made by `faltung.Plan.profile`.

    Parameters
    ----------
    steps
        In their order; those that do nothing are left out.
    seconds
        Of a whole call, the least of all runs.
    nbytes
        Room for the values of one call.
    threads
        That took part.
    """

    steps: tuple[StepTime, ...]
    seconds: float
    nbytes: int
    threads: int

    def longest(self, count: int = LISTED) -> list[StepTime]:
        """Return the steps that take longest, the longest first."""
        return sorted(self.steps, key=lambda step: -step.seconds)[:count]

    def blocks(self) -> Sequence[Table | str]:
        """Return the whole call, what each kernel takes, and the longest steps."""
        macs = sum(step.macs for step in self.steps)
        first = (
            f"{len(self.steps)} steps, {1e3 * self.seconds:.3g} ms a call, "
            f"{2e-9 * macs / self.seconds:.0f} GFLOP/s, {self.threads} threads, "
            f"{self.nbytes:,} bytes for values"
        )
        return [first, self._by_kernel(), self._by_step()]

    def _by_kernel(self) -> Table:
        total = sum(step.seconds for step in self.steps)
        groups: dict[str, list[StepTime]] = defaultdict(list)
        for step in self.steps:
            groups[step.kernel].append(step)
        rows = []
        for kernel, steps in sorted(groups.items(), key=lambda item: -_seconds(item[1])):
            taken = _seconds(steps)
            rate = 2e-9 * sum(step.macs for step in steps) / taken
            share = f"{100 * taken / total:.1f} %"
            rows.append((kernel, f"{len(steps)}", f"{1e3 * taken:.3f}", share, _rate(rate)))
        return Table(("kernel", "steps", "ms", "of time", "GFLOP/s"), rows)

    def _by_step(self) -> Table:
        total = sum(step.seconds for step in self.steps)
        rows = [
            (
                *(_short(step.name), step.operator, step.kernel, f"{1e3 * step.seconds:.3f}"),
                *(f"{100 * step.seconds / total:.1f} %", _rate(step.gflops)),
                "" if step.roofline is None else f"{100 * step.roofline:.0f} %",
            )
            for step in self.longest()
        ]
        header = ("step", "operator", "kernel", "ms", "of time", "GFLOP/s", "of roofline")
        return Table(header, rows, left=(0, 1, 2), spare=(1, 5))

    def to_dict(self) -> dict[str, Any]:
        """Return all steps and the whole call."""
        steps = [{**asdict(step), "gflops": step.gflops} for step in self.steps]
        whole = {"seconds": self.seconds, "nbytes": self.nbytes, "threads": self.threads}
        return {**whole, "steps": steps}


def step_time(step: Step, seconds: float, arrays: Mapping[str, Array | Value]) -> StepTime:
    """Return what a step took beside what it does.

    Parameters
    ----------
    step
        Of a plan.
    seconds
        That it took.
    arrays
        The values that it reads and writes by name, or what they are.
    """
    stage = step.stage
    known = [name for name in (*stage.inputs, *stage.outputs) if name in arrays]
    nbytes = sum(arrays[name].nbytes for name in known)
    macs = 0
    for node in stage.nodes:
        if all(name in arrays for name in node.inputs):
            macs += node.operator.cost([arrays[name].shape for name in node.inputs]).macs
    limits = roofline()
    part = None
    if limits is not None and seconds > 0:
        part = share({"macs": macs, "bytes": nbytes, "seconds": seconds}, limits)
    name = stage.main.operator.onnx_type
    return StepTime(stage.name, name, step.kernel, seconds, macs, nbytes, part)


def roofline() -> Mapping[str, Any] | None:
    """Return what this machine can do at most, measured once; None where nothing is compiled."""
    isa = host_isa()
    return None if isa is None else _roofline(isa)


@cache
def _roofline(isa: Isa) -> Mapping[str, Any]:
    return {"flops": peak(isa), "bandwidths": bandwidths(isa)}


def _seconds(steps: Sequence[StepTime]) -> float:
    return sum(step.seconds for step in steps) or 1e-12


def _rate(gflops: float) -> str:
    return f"{gflops:.0f}" if gflops >= 1 else ""


def _short(name: str) -> str:
    return name if len(name) <= 32 else f"{name[:31]}…"
