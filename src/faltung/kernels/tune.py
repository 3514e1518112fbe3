"""Measuring rows: for one layer, each that could run it, in turns."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from faltung.geometry.window import ConvWindow
from faltung.kernels import settings
from faltung.kernels.choose import candidates
from faltung.kernels.registry import Row
from faltung.kernels.tuned import Table, key_of
from faltung.kernels.tuned_files import cpu_key

Array = NDArray[Any]

OPERATIONS: Final = ("conv", "conv_dx", "conv_dw")
ROUNDS: Final = 5
"""Turns that each row takes; the fastest counts, as others only add to it."""
TURN: Final = 0.01
"""Seconds of a turn."""
HOPELESS: Final = 4.0
"""A row that takes so many times as long as the fastest gets no second turn."""


def measure(
    operation: str,
    window: ConvWindow,
    dtype: np.dtype[Any],
    *,
    is_prepared: bool = False,
    clock: Callable[[], float] = time.perf_counter,
) -> Table:
    """Return a table of one layer: the fastest row, and the milliseconds of each.

    Parameters
    ----------
    operation : str
        ``"conv"``, ``"conv_dx"`` or ``"conv_dw"``.
    window : ConvWindow
        The geometry; of a batch, the batch is measured.
    dtype : numpy.dtype
        float32 or float64.
    is_prepared : bool
        Whether the weights are brought into the row's order beforehand.
    clock : callable
        Returns seconds.
    """
    isa = settings.settings().isa
    arrays = _drawn(operation, window, dtype)
    calls = {
        row.name: _call(row, window, arrays, is_prepared)
        for row in candidates(operation, window, dtype, isa)
    }
    best: dict[str, float] = {}
    with np.errstate(all="ignore"):
        for call in calls.values():
            call()  # compiles it, and takes its memory
        for turn in range(ROUNDS):
            fastest = min(best.values(), default=np.inf)
            for name, call in calls.items():
                if turn == 0 or best[name] <= HOPELESS * fastest:
                    best[name] = min(best.get(name, np.inf), _seconds(call, clock))
    key = key_of(operation, window, dtype, is_prepared)
    taken = min(best, key=lambda name: best[name])
    times = {name: round(1e3 * seconds, 6) for name, seconds in best.items()}
    return Table({key: taken}, {key: times}, cpu_key(isa))


def _drawn(operation: str, window: ConvWindow, dtype: np.dtype[Any]) -> tuple[Array, Array]:
    rng = np.random.default_rng(0)
    shapes = {"x": window.x_shape, "w": window.w_shape, "dout": window.out_shape}
    made = {
        name: rng.standard_normal(shape).astype(dtype, copy=False) for name, shape in shapes.items()
    }
    names = {"conv": ("x", "w"), "conv_dx": ("dout", "w"), "conv_dw": ("x", "dout")}[operation]
    return made[names[0]], made[names[1]]


def _call(
    row: Row, window: ConvWindow, arrays: tuple[Array, Array], is_prepared: bool
) -> Callable[[], Array]:
    kernel = row.load()
    if is_prepared and row.packs:
        packed = row.pack(window, arrays[1])
        return lambda: kernel(window, *arrays, packed=packed)
    return lambda: kernel(window, *arrays)


def _seconds(call: Callable[[], Array], clock: Callable[[], float]) -> float:
    """Return the shortest of the calls that one turn has time for."""
    best, start = np.inf, clock()
    while True:
        before = clock()
        call()
        now = clock()
        best = min(best, now - before)
        if now - start >= TURN:
            return float(best)
