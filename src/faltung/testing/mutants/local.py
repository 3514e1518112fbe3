"""Bugs in local connection: which weight meets which value, and what flows back to it."""

# ruff: noqa: E731 - a bug is one line, named where it is planted
from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

import numpy as np

from faltung.ops import LocallyConnected, local
from faltung.ops.operator import Array
from faltung.testing.mutants.mutant import Mutant, Operator, answer, arguments

FORWARD: Final = "check_values"
BACKWARD: Final = "check_gradients"


def local_mutants(cls: Operator) -> Iterator[Mutant]:
    """Return the bugs of LocallyConnected; none for others."""
    if cls is LocallyConnected:
        yield from _weights()
        yield from _tables()
        yield from _gradients()
        yield from _weight_taps()


def _weights() -> Iterator[Mutant]:
    changes: dict[str, Callable[[Array], Array]] = {
        "those of the next pair": lambda w: np.roll(w, 1, axis=-1),
        "in reverse": lambda w: w[..., ::-1].copy(),
        "filters in reverse": lambda w: w[::-1].copy(),
        "channels in reverse": lambda w: w[:, ::-1].copy(),
        "the first one for all": lambda w: np.repeat(w[..., :1], w.shape[-1], axis=-1),
        "the last one left out": lambda w: _without_last(w),
        "without their sign": np.abs,
    }
    for name, change in changes.items():
        wrong = lambda window, w, change=change: (window, change(w))
        yield arguments(f"weights: {name}", FORWARD, local, "_weights", wrong)


def _without_last(array: Array) -> Array:
    out = array.copy()
    out[..., -1:] = 0
    return out


def _tables() -> Iterator[Mutant]:
    """Positions and weights laid out by tap, absent ones included."""
    changes: dict[str, Callable[[Array], Array]] = {
        "taps in reverse": lambda t: t[:, ::-1],
        "one tap late": lambda t: np.roll(t, 1, axis=1),
        "one output late": lambda t: np.roll(t, 1, axis=0),
        "the absent taken for the last": lambda t: np.minimum(t, max(int(t.max(initial=0)) - 1, 0)),
    }
    for which, what in enumerate(("positions", "places of weights")):
        for name, change in changes.items():

            def wrong(tables: Any, *rest: Any, which: int = which, change: Any = change) -> Any:
                return tuple(
                    change(table) if i == which else table for i, table in enumerate(tables)
                )

            yield answer(f"{what}: {name}", FORWARD, local, "_flat_tables", wrong)


def _gradients() -> Iterator[Mutant]:
    given: dict[str, Callable[[Array], Array]] = {
        "of the next position": lambda d: np.roll(d, 1, axis=0),
        "first position left out": lambda d: np.concatenate([0 * d[:1], d[1:]]),
        "twice": lambda d: 2 * d,
        "without its sign": np.abs,
    }
    for target, function in (("dx", "_patches_backward"), ("dw", "_weights_backward")):
        for name, change in given.items():
            wrong = lambda window, d, change=change: (window, change(d))
            yield arguments(f"{target}: {name}", BACKWARD, local, function, wrong)
    results: dict[str, tuple[str, Callable[[Array], Array]]] = {
        "dx: shifted by one": ("_patches_backward", lambda d: np.roll(d, 1, axis=-1)),
        "dx: channels in reverse": ("_patches_backward", lambda d: d[:, ::-1].copy()),
        "dx: images in reverse": ("_patches_backward", lambda d: d[::-1].copy()),
        "dx: summed over the batch": (
            "_patches_backward",
            lambda d: d * 0 + d.sum(axis=0, keepdims=True),
        ),
        "dw: of the next pair": ("_weights_backward", lambda d: np.roll(d, 1, axis=-1)),
        "dw: filters in reverse": ("_weights_backward", lambda d: d[::-1].copy()),
        "dw: channels in reverse": ("_weights_backward", lambda d: d[:, ::-1].copy()),
        "dw: tied over the outputs": (
            "_weights_backward",
            lambda d: d * 0 + d.mean(axis=-1, keepdims=True),
        ),
    }
    for name, (function, result) in results.items():
        after = lambda d, *rest, result=result: result(d).astype(d.dtype)
        yield answer(name, BACKWARD, local, function, after)


def _weight_taps() -> Iterator[Mutant]:
    def others(change: Callable[[range, int], range]) -> Callable[..., Any]:
        def wrong(taps: Any, operator: Any, shapes: Any, *rest: Any) -> Any:
            x, (co, ci, pairs) = taps
            return x, (co, ci, change(pairs, shapes[1][2]))

        return wrong

    aim = "check_dependencies"
    changes: dict[str, Callable[[range, int], range]] = {
        "the first alone": lambda r, n: r[:1],
        "all of them": lambda r, n: range(n),
        "of the next output": lambda r, n: range(r.stop, min(r.stop + len(r), n)),
    }
    for name, change in changes.items():
        yield answer(f"taps of w: {name}", aim, LocallyConnected, "taps", others(change))
