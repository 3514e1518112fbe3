"""Inputs are only read: whatever their layout, twice with the same bits, and they stay theirs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from faltung.ops.operator import Array
from faltung.testing.cases import Case
from faltung.testing.compare import assert_exact, assert_same_bits, require
from faltung.testing.data import draw, draw_like, laid_out
from faltung.testing.running import Run, naming, run

LAYOUTS: Final = ("read-only", "strided", "column-major")


def check_inputs(case: Case) -> None:
    """Check what callers rely on when they hand over arrays.

    Neither forward nor backward writes to its inputs, to ``dout`` or to what was saved. Read-only,
    strided and column-major arrays give the same results. The same inputs give the same bits, and
    later calls do not reach into earlier results. Gradients and state share no memory with the
    inputs: training changes parameters in place.
    """
    with naming("check_inputs", case):
        _check_twice(case)
        inputs = draw(case, "integers")
        done = run(case, inputs, training=True)
        douts = draw_like(case, done.outputs)
        wanted = done.gradients(douts)
        for layout in LAYOUTS:
            _check_layout(case, layout, done, douts, wanted)


def _check_twice(case: Case) -> None:
    inputs = draw(case, "reals", np.float32)
    first = run(case, inputs, training=True)
    douts = draw_like(case, first.outputs, "reals")
    arrays = [*inputs, *first.outputs, *douts]
    before = [x.copy() for x in arrays]
    grads = first.gradients(douts)
    kept = [x.copy() for x in _present(grads)]
    again = run(case, inputs, training=True)
    other = run(case, draw(case._replace(name="other"), "integers", np.float32), training=True)
    other.gradients(draw_like(case, other.outputs))
    for x, copy in zip(arrays, before, strict=True):
        assert_same_bits(x, copy, "an input, an output or dout, after other calls")
    for x, copy in zip(_present(first.gradients(douts)), kept, strict=True):
        assert_same_bits(x, copy, "gradients, asked for a second time")
    for a, b in zip(_results(first), _results(again), strict=True):
        assert_same_bits(b, a, "results of the same inputs")
    for made in (*_present(grads), *first.state.values()):
        shared = any(np.shares_memory(made, x) for x in inputs)
        require(not shared, "a gradient or the next state shares memory with an input")


def _results(done: Run) -> Iterator[Array]:
    yield from done.outputs
    yield from (done.state[i] for i in sorted(done.state))


def _present(arrays: Sequence[Array | None]) -> list[Array]:
    return [x for x in arrays if x is not None]


def _check_layout(
    case: Case,
    layout: str,
    done: Run,
    douts: Sequence[Array],
    wanted: Sequence[Array | None],
) -> None:
    inputs = [laid_out(x, layout) for x in done.inputs]
    other = run(case, inputs, training=True)
    for i, (a, b) in enumerate(zip(other.outputs, done.outputs, strict=True)):
        _require_equal(a, b, f"output {i} of {layout} inputs")
    given = [laid_out(dout, layout) for dout in douts]
    for i, (dx, want) in enumerate(zip(other.gradients(given), wanted, strict=True)):
        if dx is not None and want is not None:
            _require_equal(dx, want, f"gradient {i} of {layout} inputs")
    for x, same in zip((*inputs, *given), (*done.inputs, *douts), strict=True):
        assert_same_bits(np.array(x), np.array(same), f"a {layout} input or dout, afterwards")


def _require_equal(a: Array, b: Array, what: str) -> None:
    """Compare exactly on whole results; else up to the order of sums, which a layout may change."""
    if np.all(b % 1 == 0):
        assert_exact(a, b, what)
        return
    require(a.shape == b.shape, f"{what}: the shapes differ")
    scale = float(np.abs(b).max(initial=1.0))
    close = np.abs(a - b) <= 2**10 * np.finfo(b.dtype).eps * scale
    require(bool(np.all(close)), f"{what}: further off than another order of sums may be")
