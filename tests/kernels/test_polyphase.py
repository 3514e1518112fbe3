"""Convolution with stride 2 by phases: within its bound, whatever threads and batches do."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

from faltung.errors import GeometryError
from faltung.geometry.window import ConvWindow
from faltung.kernels import polyphase_call
from faltung.kernels.epilogue import Epilogue
from faltung.kernels.isa import ISAS, VARIABLE, has
from faltung.kernels.numpy_conv import conv as numpy_conv
from faltung.kernels.polyphase_cost import phases_at, taps_of
from faltung.kernels.registry import ROWS

HERE = [isa.name for isa in ISAS if has(isa)]
CONV: dict[int, Callable[..., Any]] = {
    outputs: partial(polyphase_call.conv, outputs=outputs) for outputs in (2, 4)
}
BY_OUTPUTS = {
    outputs: next(row for row in ROWS if row.name == f"conv_polyphase_f{outputs}_any_nchw")
    for outputs in (2, 4)
}


def drawn(seed: int) -> tuple[ConvWindow, Any, Any, Any] | None:
    """Return a random geometry with floats for it; None for one that is refused."""
    rng = np.random.default_rng(seed)
    kernel, groups = int(rng.integers(3, 8)), int(rng.choice([1, 1, 2]))
    channels, out = (groups * int(n) for n in rng.integers(1, int(rng.choice([5, 40])), 2))
    x_shape = (int(rng.integers(0, 4)), channels, *(int(n) for n in rng.integers(1, 40, 2)))
    w_shape = (out, channels // groups, kernel, kernel)
    padding = [(int(a), int(b)) for a, b in rng.integers(-1, 5, (2, 2))]
    try:
        window = ConvWindow.of(x_shape, w_shape, padding=padding, groups=groups, stride=2)
    except GeometryError:
        return None
    dtype = np.float32 if seed % 2 else np.float64
    return window, *(rng.standard_normal(s).astype(dtype) for s in (x_shape, w_shape, (out,)))


def within(outputs: int, window: ConvWindow, x: Any, w: Any, b: Any, y: Any) -> bool:
    """Whether each output is as near the float64 one as the row's bound says."""
    wanted = numpy_conv(window, *(array.astype(np.float64) for array in (x, w, b)))
    if not wanted.size or not x.size:
        return bool(np.allclose(y, wanted))
    largest = np.abs(x).reshape(window.batch, window.groups, -1).max(2)
    sums = np.abs(w).sum((1, 2, 3), dtype=np.float64).reshape(window.groups, -1)
    bias = np.abs(b).reshape(sums.shape)
    bound = BY_OUTPUTS[outputs].error_bound(window, x.dtype) * (largest[..., None] * sums + bias)
    error = np.abs(y - wanted).max((2, 3)).reshape(bound.shape)
    return y.shape == wanted.shape and bool((error <= bound).all())


@pytest.mark.parametrize("isa", HERE)
@pytest.mark.parametrize("outputs", [2, 4])
def test_within_the_bound(
    outputs: int, isa: str, guarded: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Random geometries on every instruction set, no stray byte."""
    monkeypatch.setenv(VARIABLE, isa)
    count = 0
    for seed in range(10):
        case = drawn(seed)
        if case is None:
            continue
        window, x, w, b = case
        assert BY_OUTPUTS[outputs].applies(window, x.dtype)
        y = CONV[outputs](window, guarded.copy(x), guarded.copy(w), b)
        assert within(outputs, window, x, w, b, y), f"seed {seed}"
        guarded.check()
        count += 1
    assert count >= 5


@pytest.mark.long
@pytest.mark.parametrize("outputs", [2, 4])
def test_many_within_the_bound(outputs: int) -> None:
    """The same on many more."""
    for window, x, w, b in filter(None, map(drawn, range(1000, 3000))):
        assert within(outputs, window, x, w, b, CONV[outputs](window, x, w, b))


def test_the_check_sees_a_broken_kernel() -> None:
    """The control: shifted by one, turned, or nothing at all is outside of the bound."""
    window = ConvWindow.of((2, 3, 17, 16), (4, 3, 3, 3), padding=1, stride=2)
    rng = np.random.default_rng(0)
    x, w, b = (rng.standard_normal(s) for s in (window.x_shape, window.w_shape, (4,)))
    y = polyphase_call.conv(window, x, w, b, outputs=4)
    assert within(4, window, x, w, b, y)
    for wrong in (y[..., ::-1], np.roll(y, 1, -1), np.zeros_like(y), y - b.reshape(4, 1, 1)):
        assert not within(4, window, x, w, b, wrong)


@pytest.mark.parametrize("kernel", [3, 4, 5, 6, 7])
def test_phases_that_are_left_out_have_no_tap(kernel: int) -> None:
    """At infinity a phase's last tap is taken: an odd kernel's odd phases have none there."""
    window = ConvWindow.of((1, 1, 9, 9), (1, 1, kernel, kernel), stride=2)
    taps = taps_of(window)
    size = taps + 3
    for p in range(size * size):
        ends = [taps - 1 if place == size - 1 else 0 for place in divmod(p, size)]
        there = {
            2 * py + px
            for py in (0, 1)
            for px in (0, 1)
            if 2 * ends[0] + py < kernel and 2 * ends[1] + px < kernel
        }
        assert set(phases_at(p, size, kernel, is_wide=True)) == there
        assert phases_at(p, size, kernel, is_wide=False) == (0, 1, 2, 3)


@pytest.mark.parametrize("shape", [(1, 3, 50, 47), (1, 34, 29, 29), (5, 20, 9, 9), (1, 150, 9, 9)])
@pytest.mark.parametrize("outputs", [2, 4])
def test_threads_and_batches_change_no_bit(
    outputs: int, shape: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """1 to 3 threads, images one by one, weights brought into order before: the same bits."""
    rng = np.random.default_rng(1)
    window = ConvWindow.of(shape, (70, shape[1], 3, 3), padding=1, stride=2)
    x, w = (rng.standard_normal(s).astype(np.float32) for s in (shape, window.w_shape))
    monkeypatch.setenv("FALTUNG_NUM_THREADS", "1")
    wanted = CONV[outputs](window, x, w)
    packed = BY_OUTPUTS[outputs].pack(window, w)
    for n in (1, 2, 3):
        monkeypatch.setenv("FALTUNG_NUM_THREADS", str(n))
        for _ in range(5):
            assert (CONV[outputs](window, x, w, packed=packed) == wanted).all()
    one = ConvWindow.of((1, *shape[1:]), window.w_shape, padding=1, stride=2)
    split = [CONV[outputs](one, image[None], w) for image in x]
    assert (np.concatenate(split) == wanted).all()


def test_what_follows_is_fused(guarded: Any) -> None:
    """A residual and an activation, into an array that is given."""
    rng = np.random.default_rng(2)
    window = ConvWindow.of((2, 20, 15, 13), (33, 20, 3, 3), padding=1, stride=2)
    x, w, b = (rng.standard_normal(s) for s in (window.x_shape, window.w_shape, (33,)))
    residual, out = rng.standard_normal(window.out_shape), guarded.array(window.out_shape, x.dtype)
    plain = polyphase_call.conv(window, x, w, b, outputs=2)
    epilogue = Epilogue("clip", -0.5, 3.0, guarded.copy(residual))
    y = polyphase_call.conv(window, x, w, b, out=out, epilogue=epilogue, outputs=2)
    assert y is out
    np.testing.assert_array_equal(y, np.clip(plain + residual, -0.5, 3.0))


@pytest.mark.parametrize("outputs", [2, 4])
@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
def test_what_is_not_finite_stays_in_its_tiles(outputs: int, value: float) -> None:
    """Outputs are not finite where the definition's are not, and nowhere else but in tiles
    that read such a number.
    """
    rng = np.random.default_rng(3)
    window = ConvWindow.of((2, 20, 40, 40), (18, 20, 3, 3), padding=1, stride=2)
    x, w = (rng.standard_normal(s).astype(np.float32) for s in (window.x_shape, window.w_shape))
    x[1, 7, 19, 4] = value
    with np.errstate(invalid="ignore"):
        wanted = numpy_conv(window, x, w)
    y = CONV[outputs](window, x, w)
    touched = np.zeros(y.shape, bool)
    # A tile reads the rows from 2·outputs·tile - 1 on, so many that no output is left out.
    reads = 2 * (outputs + 1)
    tiles = [t for t in range(20 // outputs) if 0 <= 20 - 2 * outputs * t < reads]
    across = [t for t in range(20 // outputs) if 0 <= 5 - 2 * outputs * t < reads]
    for ty in tiles:
        for tx in across:
            rows = slice(ty * outputs, (ty + 1) * outputs)
            touched[1, :, rows, tx * outputs : (tx + 1) * outputs] = True
    assert not np.isfinite(y[~np.isfinite(wanted)]).any()
    assert np.isfinite(y[~touched]).all()
