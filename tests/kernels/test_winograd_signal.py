"""Signals in Winograd's form: within the bound, whatever threads and batches do.

The row is also drawn by `faltung.testing.random_kernels`, with guard pages, as all rows are.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from faltung.errors import GeometryError
from faltung.geometry.window import ConvWindow
from faltung.kernels import winograd_signal_call
from faltung.kernels.epilogue import Epilogue
from faltung.kernels.isa import ISAS, VARIABLE, has
from faltung.kernels.numpy_conv import conv as numpy_conv
from faltung.kernels.registry import ROWS
from faltung.kernels.winograd_signal_cost import taps_of
from faltung.testing.random_kernels.oracle import block_sums

HERE = [isa.name for isa in ISAS if has(isa)]
ROW = next(row for row in ROWS if row.name == "conv_winograd_signal_any_nchw")


def drawn(seed: int) -> tuple[ConvWindow, Any, Any, Any] | None:
    """Return a random geometry with floats for it; None for one that is refused."""
    rng = np.random.default_rng(seed)
    kernel, groups = int(rng.choice([3, 4, 6, 8, 9, 12, 15])), int(rng.choice([1, 1, 2]))
    channels, out = (groups * int(n) for n in rng.integers(1, int(rng.choice([5, 40])), 2))
    x_shape = (int(rng.integers(0, 4)), channels, int(rng.integers(1, rng.choice([60, 900]))))
    w_shape = (out, channels // groups, kernel)
    low, high = (int(n) for n in rng.integers(-1, 9, 2))
    try:
        window = ConvWindow.of(x_shape, w_shape, padding=[(low, high)], groups=groups)
    except GeometryError:
        return None
    dtype = np.float32 if seed % 2 else np.float64
    x, w, b = (rng.standard_normal(s).astype(dtype) for s in (x_shape, w_shape, (out,)))
    return window, x, w, b


def within(window: ConvWindow, x: Any, w: Any, b: Any, y: Any) -> bool:
    """Whether each output is as near the float64 one as the row's bound says."""
    wanted = numpy_conv(window, *(array.astype(np.float64) for array in (x, w, b)))
    sums = block_sums("conv", ROW.block, window, {"x": x, "w": w})
    bound = ROW.error_bound(window, x.dtype) * (sums + np.abs(b).astype(np.float64)[:, None])
    return y.shape == wanted.shape and bool((np.abs(y - wanted) <= bound).all())


@pytest.mark.parametrize("isa", HERE)
def test_within_the_bound(isa: str, guarded: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Random geometries on every instruction set, no stray byte."""
    monkeypatch.setenv(VARIABLE, isa)
    count = 0
    for seed in range(10):
        case = drawn(seed)
        if case is None:
            continue
        window, x, w, b = case
        assert ROW.applies(window, x.dtype)
        y = winograd_signal_call.conv(window, guarded.copy(x), guarded.copy(w), b)
        assert within(window, x, w, b, y), f"seed {seed}"
        guarded.check()
        count += 1
    assert count >= 5


@pytest.mark.long
def test_many_within_the_bound() -> None:
    """The same on many more."""
    for window, x, w, b in filter(None, map(drawn, range(1000, 3000))):
        assert within(window, x, w, b, winograd_signal_call.conv(window, x, w, b))


def test_the_check_sees_a_broken_kernel() -> None:
    """The control: shifted by one, turned, or nothing at all is outside of the bound."""
    window = ConvWindow.of((2, 3, 170), (4, 3, 9), padding=4)
    rng = np.random.default_rng(0)
    x, w, b = (rng.standard_normal(s) for s in (window.x_shape, window.w_shape, (4,)))
    y = winograd_signal_call.conv(window, x, w, b)
    assert within(window, x, w, b, y)
    for wrong in (y[..., ::-1], np.roll(y, 1, -1), np.zeros_like(y), y - b.reshape(4, 1)):
        assert not within(window, x, w, b, wrong)


@pytest.mark.parametrize("shape", [(1, 64, 1601), (4, 20, 90), (2, 150, 500)])
@pytest.mark.parametrize("kernel", [4, 9])
def test_threads_and_batches_change_no_bit(
    kernel: int, shape: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """1 to 3 threads, signals one by one, weights brought into order before: the same bits."""
    rng = np.random.default_rng(1)
    window = ConvWindow.of(shape, (70, shape[1], kernel), padding=4)
    x, w = (rng.standard_normal(s).astype(np.float32) for s in (shape, window.w_shape))
    monkeypatch.setenv("FALTUNG_NUM_THREADS", "1")
    wanted = winograd_signal_call.conv(window, x, w)
    packed = ROW.pack(window, w)
    for n in (1, 2, 3):
        monkeypatch.setenv("FALTUNG_NUM_THREADS", str(n))
        for _ in range(5):
            assert (winograd_signal_call.conv(window, x, w, packed=packed) == wanted).all()
    one = ConvWindow.of((1, *shape[1:]), window.w_shape, padding=4)
    split = [winograd_signal_call.conv(one, signal[None], w) for signal in x]
    assert (np.concatenate(split) == wanted).all()


def test_what_follows_is_fused(guarded: Any) -> None:
    """A residual and an activation, into an array that is given."""
    rng = np.random.default_rng(2)
    window = ConvWindow.of((2, 20, 155), (33, 20, 3), padding=1)
    x, w, b = (rng.standard_normal(s) for s in (window.x_shape, window.w_shape, (33,)))
    residual, out = rng.standard_normal(window.out_shape), guarded.array(window.out_shape, x.dtype)
    plain = winograd_signal_call.conv(window, x, w, b)
    epilogue = Epilogue("clip", -0.5, 3.0, guarded.copy(residual))
    y = winograd_signal_call.conv(window, x, w, b, out=out, epilogue=epilogue)
    assert y is out
    np.testing.assert_array_equal(y, np.clip(plain + residual, -0.5, 3.0))


@pytest.mark.parametrize("kernel", [4, 9])
@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
def test_what_is_not_finite_stays_in_its_tiles(kernel: int, value: float) -> None:
    """Nothing but tiles that read such a number is not finite, and all that should not be."""
    rng = np.random.default_rng(3)
    window = ConvWindow.of((2, 20, 100), (18, 20, kernel), padding=4)
    x, w = (rng.standard_normal(s).astype(np.float32) for s in (window.x_shape, window.w_shape))
    x[1, 7, 40] = value
    with np.errstate(invalid="ignore"):
        wanted = numpy_conv(window, x, w)
    y, taps = winograd_signal_call.conv(window, x, w), taps_of(window)
    touched = np.zeros(y.shape, bool)
    # The outputs 44 - k read it through the tap k: their tiles, and no others.
    for tile in {(44 - k) // taps for k in range(kernel)}:
        touched[1, :, tile * taps : (tile + 1) * taps] = True
    assert not np.isfinite(y[~np.isfinite(wanted)]).any()
    assert np.isfinite(y[~touched]).all()
