"""The weights' gradient in Winograd's form: within its bound, the same bits for any threads."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from faltung.errors import GeometryError
from faltung.geometry.window import ConvWindow
from faltung.kernels import numpy_conv, winograd_dw_call
from faltung.kernels.isa import ISAS, VARIABLE, has
from faltung.kernels.registry import ROWS, Row
from faltung.kernels.winograd_dw_cost import OUTPUTS, tiles

HERE = [isa.name for isa in ISAS if has(isa)]
BY_TAPS = {
    taps: next(row for row in ROWS if row.name == f"conv_dw_winograd_f{OUTPUTS[taps]}_any_nchw")
    for taps in (3, 5)
}


def drawn(seed: int, taps: int) -> tuple[ConvWindow, Any, Any] | None:
    """Return a random geometry with floats for it; None for one that is refused."""
    rng = np.random.default_rng(seed)
    groups, most = int(rng.choice([1, 1, 2])), int(rng.choice([5, 24, 150]))
    channels, out = (groups * int(n) for n in rng.integers(1, most, 2))
    x_shape = (int(rng.integers(0, 4)), channels, *(int(n) for n in rng.integers(1, 30, 2)))
    padding = [(int(a), int(b)) for a, b in rng.integers(-1, 5, (2, 2))]
    try:
        w_shape = (out, channels // groups, taps, taps)
        window = ConvWindow.of(x_shape, w_shape, padding=padding, groups=groups)
    except GeometryError:
        return None
    dtype = np.float32 if seed % 2 else np.float64
    return window, *(rng.standard_normal(s).astype(dtype) for s in (x_shape, window.out_shape))


def within(row: Row, window: ConvWindow, x: Any, dout: Any, dw: Any) -> bool:
    """Whether each weight's gradient is as near the float64 one as the row's bound says."""
    wanted = numpy_conv.conv_dw(window, x.astype(np.float64), dout.astype(np.float64))
    if not x.size or not dout.size:
        return bool((dw == wanted).all())
    groups, taps = window.groups, window.kernel[0]
    largest = np.abs(x).max((0, 2, 3)).reshape(groups, 1, -1)
    sums = np.abs(dout).sum((0, 2, 3), dtype=np.float64).reshape(groups, -1, 1)
    bound = row.error_bound(window, x.dtype) * (sums * largest)
    error = np.abs(
        dw.reshape(groups, *bound.shape[1:], taps, taps)
        - wanted.reshape(groups, *bound.shape[1:], taps, taps)
    )
    return dw.shape == wanted.shape and bool((error <= bound[..., None, None]).all())


@pytest.mark.parametrize("isa", HERE)
@pytest.mark.parametrize("taps", [3, 5])
def test_within_the_bound(
    taps: int, isa: str, guarded: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Random geometries on every instruction set, no stray byte."""
    monkeypatch.setenv(VARIABLE, isa)
    row, count = BY_TAPS[taps], 0
    for seed in range(40):
        case = drawn(seed, taps)
        if case is None:
            continue
        window, x, dout = case
        assert row.applies(window, x.dtype)
        dw = winograd_dw_call.conv_dw(window, guarded.copy(x), guarded.copy(dout))
        assert within(row, window, x, dout, dw), f"seed {seed}"
        guarded.check()
        count += 1
    assert count >= 20


@pytest.mark.long
@pytest.mark.parametrize("taps", [3, 5])
def test_many_within_the_bound(taps: int) -> None:
    """The same on many more."""
    cases = [drawn(seed, taps) for seed in range(1000, 4000)]
    for window, x, dout in filter(None, cases):
        assert within(BY_TAPS[taps], window, x, dout, winograd_dw_call.conv_dw(window, x, dout))


def test_the_check_sees_a_broken_kernel() -> None:
    """The control: turned round, shifted by one, or nothing at all is outside of the bound."""
    window = ConvWindow.of((2, 3, 9, 8), (4, 3, 3, 3), padding=1)
    rng = np.random.default_rng(0)
    x, dout = rng.standard_normal(window.x_shape), rng.standard_normal(window.out_shape)
    dw = winograd_dw_call.conv_dw(window, x, dout)
    assert within(BY_TAPS[3], window, x, dout, dw)
    for wrong in (dw[..., ::-1], np.roll(dw, 1, -1), np.zeros_like(dw), dw.swapaxes(2, 3)):
        assert not within(BY_TAPS[3], window, x, dout, wrong)


@pytest.mark.parametrize("shape", [(5, 40, 33, 18), (130, 3, 4, 4), (9, 20, 8, 8)])
def test_threads_change_no_bit(shape: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """1 to 3 threads, again and again: the same bits."""
    rng = np.random.default_rng(1)
    window = ConvWindow.of(shape, (17, shape[1], 3, 3), padding=1)
    x, dout = (rng.standard_normal(s).astype(np.float32) for s in (shape, window.out_shape))
    monkeypatch.setenv("FALTUNG_NUM_THREADS", "1")
    wanted = winograd_dw_call.conv_dw(window, x, dout)
    for n in (1, 2, 3):
        monkeypatch.setenv("FALTUNG_NUM_THREADS", str(n))
        for _ in range(5):
            assert (winograd_dw_call.conv_dw(window, x, dout) == wanted).all()


def test_images_side_by_side_change_no_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    """How many small images are transformed together is a schedule."""
    rng = np.random.default_rng(2)
    window = ConvWindow.of((50, 6, 8, 7), (7, 6, 3, 3), padding=1)
    x, dout = (
        rng.standard_normal(s).astype(np.float32) for s in (window.x_shape, window.out_shape)
    )
    wanted = winograd_dw_call.conv_dw(window, x, dout)
    layout = winograd_dw_call._layout

    def other(*given: Any) -> Any:
        found = layout(*given)
        fields = {**found.fields, "together": found.fields["together"] // 3}
        return found._replace(fields=fields)

    monkeypatch.setattr(winograd_dw_call, "_layout", other)
    assert (winograd_dw_call.conv_dw(window, x, dout) == wanted).all()


def test_runs_follow_from_the_geometry() -> None:
    """There are several for a long batch, each of many tiles; one for a short one."""
    isa, dtype = winograd_dw_call.required_isa(""), np.dtype(np.float32)
    for batch, several in ((1, False), (512, True)):
        window = ConvWindow.of((batch, 1, 8, 8), (1, 1, 3, 3), padding=1)
        runs = winograd_dw_call._layout(window, dtype, isa).fields["runs"]
        assert (runs > 1) == several
        assert batch * tiles(window) // runs >= winograd_dw_call.RUN_TILES or runs == 1


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
def test_what_is_not_finite_stays_with_its_channels(value: float) -> None:
    """A weight's gradient is not finite where the definition's is not, and nowhere else
    but with the channel of x, or of dout, that holds such a number.
    """
    rng = np.random.default_rng(3)
    window = ConvWindow.of((2, 20, 9, 10), (18, 20, 3, 3), padding=1)
    x, dout = (
        rng.standard_normal(s).astype(np.float32) for s in (window.x_shape, window.out_shape)
    )
    x[1, 7, 3, 4] = value
    dout[0, 11, 0, 0] = value
    with np.errstate(invalid="ignore"):
        wanted = numpy_conv.conv_dw(window, x, dout)
    dw = winograd_dw_call.conv_dw(window, x, dout)
    touched = np.zeros(dw.shape, bool)
    touched[:, 7] = touched[11] = True
    assert not np.isfinite(dw[~np.isfinite(wanted)]).any()
    assert np.isfinite(dw[~touched]).all()
