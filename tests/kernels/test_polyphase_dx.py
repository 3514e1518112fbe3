"""The input's gradient with stride 2 by phases: within its bound, whatever threads and batches do.

Its rows are also drawn by `faltung.testing.random_kernels`, with guard pages, as all rows are.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

from faltung.errors import GeometryError
from faltung.geometry.window import ConvWindow
from faltung.kernels import polyphase_dx_call
from faltung.kernels.epilogue import Epilogue
from faltung.kernels.isa import ISAS, VARIABLE, has
from faltung.kernels.numpy_conv import conv_dx as numpy_dx
from faltung.kernels.registry import ROWS
from faltung.testing.random_kernels.oracle import block_sums

HERE = [isa.name for isa in ISAS if has(isa)]
CONV: dict[int, Callable[..., Any]] = {
    outputs: partial(polyphase_dx_call.conv_dx, outputs=outputs) for outputs in (2, 4)
}
BY_OUTPUTS = {
    outputs: next(row for row in ROWS if row.name == f"conv_dx_polyphase_f{outputs}_any_nchw")
    for outputs in (2, 4)
}


def drawn(seed: int) -> tuple[ConvWindow, Any, Any, Any] | None:
    """Return a random geometry with floats for it; None for one that is refused."""
    rng = np.random.default_rng(seed)
    kernel, groups = int(rng.choice([4, 6])), int(rng.choice([1, 1, 2]))
    channels, out = (groups * int(n) for n in rng.integers(1, int(rng.choice([5, 40])), 2))
    x_shape = (int(rng.integers(0, 4)), channels, *(int(n) for n in rng.integers(2, 40, 2)))
    w_shape = (out, channels // groups, kernel, kernel)
    padding = [(int(a), int(b)) for a, b in rng.integers(-1, 5, (2, 2))]
    try:
        window = ConvWindow.of(x_shape, w_shape, padding=padding, groups=groups, stride=2)
    except GeometryError:
        return None
    dtype = np.float32 if seed % 2 else np.float64
    shapes = (window.out_shape, w_shape, (channels,))
    dout, w, b = (rng.standard_normal(s).astype(dtype) for s in shapes)
    return window, dout, w, b


def within(outputs: int, window: ConvWindow, dout: Any, w: Any, b: Any, dx: Any) -> bool:
    """Whether each number is as near the float64 one as the row's bound says."""
    row, bias = BY_OUTPUTS[outputs], b.astype(np.float64).reshape(-1, 1, 1)
    wanted = numpy_dx(window, dout.astype(np.float64), w.astype(np.float64)) + bias
    sums = block_sums("conv_dx", row.block, window, {"dout": dout, "w": w})
    bound = row.error_bound(window, dout.dtype) * (sums + np.abs(bias))
    return dx.shape == wanted.shape and bool((np.abs(dx - wanted) <= bound).all())


@pytest.mark.parametrize("isa", HERE)
@pytest.mark.parametrize("outputs", [2, 4])
def test_within_the_bound(
    outputs: int, isa: str, guarded: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Random geometries on every instruction set, no stray byte."""
    monkeypatch.setenv(VARIABLE, isa)
    count = 0
    for seed in range(8):
        case = drawn(seed)
        if case is None:
            continue
        window, dout, w, b = case
        assert BY_OUTPUTS[outputs].applies(window, dout.dtype)
        dx = CONV[outputs](window, guarded.copy(dout), guarded.copy(w), b)
        assert within(outputs, window, dout, w, b, dx), f"seed {seed}"
        guarded.check()
        count += 1
    assert count >= 4


@pytest.mark.long
@pytest.mark.parametrize("outputs", [2, 4])
def test_many_within_the_bound(outputs: int) -> None:
    """The same on many more."""
    for window, dout, w, b in filter(None, map(drawn, range(1000, 3000))):
        assert within(outputs, window, dout, w, b, CONV[outputs](window, dout, w, b))


@pytest.mark.parametrize("padding", [0, 1])
def test_the_check_sees_a_broken_kernel(padding: int) -> None:
    """The control: shifted by one, turned, or nothing at all is outside of the bound."""
    window = ConvWindow.of((2, 3, 18, 16), (4, 3, 4, 4), padding=padding, stride=2)
    rng = np.random.default_rng(0)
    dout, w, b = (rng.standard_normal(s) for s in (window.out_shape, window.w_shape, (3,)))
    dx = polyphase_dx_call.conv_dx(window, dout, w, b, outputs=4)
    assert within(4, window, dout, w, b, dx)
    for wrong in (dx[..., ::-1], np.roll(dx, 1, -1), np.zeros_like(dx), dx - b.reshape(3, 1, 1)):
        assert not within(4, window, dout, w, b, wrong)


@pytest.mark.parametrize("shape", [(1, 3, 50, 47), (1, 70, 28, 28), (5, 20, 8, 9), (1, 150, 8, 8)])
@pytest.mark.parametrize("outputs", [2, 4])
def test_threads_and_batches_change_no_bit(
    outputs: int, shape: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """1 to 3 threads, images one by one, weights brought into order before: the same bits."""
    rng = np.random.default_rng(1)
    window = ConvWindow.of(shape, (34, shape[1], 4, 4), padding=1, stride=2)
    dout, w = (
        rng.standard_normal(s).astype(np.float32) for s in (window.out_shape, window.w_shape)
    )
    monkeypatch.setenv("FALTUNG_NUM_THREADS", "1")
    wanted = CONV[outputs](window, dout, w)
    packed = BY_OUTPUTS[outputs].pack(window, w)
    for n in (1, 2, 3):
        monkeypatch.setenv("FALTUNG_NUM_THREADS", str(n))
        for _ in range(5):
            assert (CONV[outputs](window, dout, w, packed=packed) == wanted).all()
    one = ConvWindow.of((1, *shape[1:]), window.w_shape, padding=1, stride=2)
    split = [CONV[outputs](one, image[None], w) for image in dout]
    assert (np.concatenate(split) == wanted).all()


def test_what_follows_is_fused(guarded: Any) -> None:
    """A residual and an activation, into an array that is given."""
    rng = np.random.default_rng(2)
    window = ConvWindow.of((2, 33, 15, 13), (20, 33, 4, 4), padding=1, stride=2)
    dout, w, b = (rng.standard_normal(s) for s in (window.out_shape, window.w_shape, (33,)))
    residual, out = rng.standard_normal(window.x_shape), guarded.array(window.x_shape, dout.dtype)
    plain = polyphase_dx_call.conv_dx(window, dout, w, b, outputs=2)
    epilogue = Epilogue("clip", -0.5, 3.0, guarded.copy(residual))
    dx = polyphase_dx_call.conv_dx(window, dout, w, b, out=out, epilogue=epilogue, outputs=2)
    assert dx is out
    np.testing.assert_array_equal(dx, np.clip(plain + residual, -0.5, 3.0))


@pytest.mark.parametrize("outputs", [2, 4])
@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
def test_what_is_not_finite_stays_in_its_tiles(outputs: int, value: float) -> None:
    """Nothing but tiles that read such a number is not finite, and all that should not be."""
    rng = np.random.default_rng(3)
    window = ConvWindow.of((2, 18, 40, 40), (20, 18, 4, 4), padding=1, stride=2)
    dout, w = (
        rng.standard_normal(s).astype(np.float32) for s in (window.out_shape, window.w_shape)
    )
    dout[1, 7, 9, 4] = value
    with np.errstate(invalid="ignore"):
        wanted = numpy_dx(window, dout, w)
    dx = CONV[outputs](window, dout, w)
    touched = np.zeros(dx.shape, bool)
    side = 2 * outputs
    # Positions 2i - 1 to 2i + 2 read the number i: their tiles, and no others.
    for ty in {(2 * 9 + d) // side for d in range(-1, 3)}:
        for tx in {(2 * 4 + d) // side for d in range(-1, 3)}:
            touched[1, :, ty * side : (ty + 1) * side, tx * side : (tx + 1) * side] = True
    assert not np.isfinite(dx[~np.isfinite(wanted)]).any()
    assert np.isfinite(dx[~touched]).all()
