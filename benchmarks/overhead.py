"""What a step of a plan costs beside its work: plans of steps that have next to nothing to do."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from functools import partial
from itertools import pairwise

import numpy as np

import faltung
from faltung import ops
from faltung.graph import Graph
from faltung.graph.graph import Node, Value
from faltung.kernels.compiled import kernel
from faltung.kernels.isa import required_isa
from faltung.kernels.program import Program
from faltung.kernels.replay import Launch
from faltung.kernels.simd import INT, INTS, Code, Int, Pointer

Made = Callable[[int], Callable[[], object]]
"""Makes so many steps; the result runs them."""
STEPS = 200
CALLS = 200
SHAPE = (1, 8, 4, 4)
REGION = 2.0
"""Microseconds that it takes by itself until all threads have begun and ended."""
STEP = 0.5
"""Microseconds that a step may take beside its work."""


@kernel(arguments=INTS, block=INT, thread=INT)
def nothing(code: Code, arguments: Pointer, block: Int, thread: Int) -> None:
    """Return at once."""


def measured(rounds: int) -> list[dict]:
    """Return a row for steps that do nothing, by one thread and by all, and for the least work."""
    steps: dict[str, tuple[float, Made]] = {
        "a step that does nothing": (STEP, partial(_idle, is_parallel=False)),
        "the same for all threads": (REGION + STEP, partial(_idle, is_parallel=True)),
        "1x1 convolution, 8 channels of 4x4 pixels": (STEP, _plan),
    }
    found = []
    for name, (bar, made) in steps.items():
        few, many = made(STEPS), made(2 * STEPS)
        taken = [(_seconds(many) - _seconds(few)) / STEPS * 1e6 for _ in range(rounds)]
        found.append(
            {"name": name, "bar": bar, "value": statistics.median(taken), "high": max(taken)}
        )
    return found


def _seconds(call: Callable[[], object]) -> float:
    """Return the median time of a call: what a step adds to it is what more steps add."""
    taken = []
    for _ in range(CALLS):
        begin = time.perf_counter()
        call()
        taken.append(time.perf_counter() - begin)
    return statistics.median(taken)


def _idle(steps: int, *, is_parallel: bool) -> Callable[[], object]:
    address = nothing.address("f32", required_isa("overhead"))
    launch = Launch(address, (), {}, {}, 2, 0, 0)
    return Program([launch] * steps, [is_parallel] * steps).run


def _plan(steps: int) -> Callable[[], object]:
    """Return a call of a plan of so many convolutions, one after the other."""
    names = [f"x{at}" for at in range(steps + 1)]
    nodes = tuple(Node(y, ops.Conv(), (x, "w"), (y,)) for x, y in pairwise(names))
    w = np.eye(SHAPE[1], dtype=np.float32).reshape(SHAPE[1], SHAPE[1], 1, 1)
    inputs = (Value(names[0], SHAPE, "float32"),)
    graph = Graph(inputs, nodes, (names[-1],), {"w": w}, {}, {})
    plan, x = faltung.compile(graph, SHAPE), np.zeros(SHAPE, np.float32)
    return lambda: plan(x)
