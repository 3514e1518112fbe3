"""Direct convolution on random geometries, exact, with an unreadable page behind every buffer."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from faltung.errors import GeometryError, KernelError
from faltung.geometry.window import ConvWindow
from faltung.kernels import direct_call, direct_dx_call
from faltung.kernels.epilogue import Epilogue
from faltung.kernels.isa import ISAS, VARIABLE, has
from faltung.kernels.numpy_conv import conv as numpy_conv
from faltung.kernels.numpy_conv import conv_dx as numpy_conv_dx
from faltung.kernels.registry import ROWS
from faltung.kernels.tile import RUN

HERE = [isa.name for isa in ISAS if has(isa)]


def drawn(rng: np.random.Generator) -> tuple[ConvWindow, Any, Any, Any] | None:
    """Return a random geometry and small integers for it; None for one that is refused."""
    axes, groups = int(rng.integers(1, 4)), int(rng.choice([1, 1, 2, 3]))
    channels, out = groups * int(rng.integers(1, 5)), groups * int(rng.integers(1, 12))
    largest = 40 if axes == 1 else 19 if axes == 2 else 8
    sizes = [int(n) for n in rng.integers(1, largest + 1, axes)]
    kernel = [int(n) for n in rng.integers(1, 6, axes)]
    x_shape, w_shape = (
        (int(rng.integers(0, 3)), channels, *sizes),
        (out, channels // groups, *kernel),
    )
    try:
        window = ConvWindow.of(
            *(x_shape, w_shape),
            stride=[int(n) for n in rng.integers(1, 5, axes)],
            padding=[(int(a), int(b)) for a, b in rng.integers(-1, 6, (axes, 2))],
            dilation=[int(n) for n in rng.integers(1, 4, axes)],
            groups=groups,
        )
    except GeometryError:
        return None
    dtype = np.float32 if rng.random() < 0.6 else np.float64
    arrays = (rng.integers(-4, 5, shape).astype(dtype) for shape in (x_shape, w_shape, (out,)))
    return (window, *arrays)


def check(seed: int, guarded: Any) -> bool:
    """Compare one random case with the NumPy row, exactly; whether there was one."""
    case = drawn(np.random.default_rng(seed))
    if case is None:
        return False
    window, x, w, b = case
    bias = b if seed % 2 else None
    y = direct_call.conv(window, guarded.copy(x), guarded.copy(w), bias)
    np.testing.assert_array_equal(y, numpy_conv(window, x, w, bias), err_msg=f"seed {seed}")
    guarded.check()
    return True


def check_gradient(seed: int, guarded: Any) -> bool:
    """The same for the gradient of the input."""
    rng = np.random.default_rng(seed)
    case = drawn(rng)
    if case is None:
        return False
    window, _, w, _ = case
    dout = rng.integers(-4, 5, window.out_shape).astype(w.dtype)
    dx = direct_dx_call.conv_dx(window, guarded.copy(dout), guarded.copy(w))
    np.testing.assert_array_equal(dx, numpy_conv_dx(window, dout, w), err_msg=f"seed {seed}")
    guarded.check()
    return True


@pytest.mark.parametrize("isa", HERE)
def test_random_geometries(isa: str, guarded: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exact on small integers, no stray byte, on every instruction set."""
    monkeypatch.setenv(VARIABLE, isa)
    assert sum(check(seed, guarded) for seed in range(40)) >= 25


@pytest.mark.parametrize("isa", HERE)
def test_random_gradients(isa: str, guarded: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The gradient of the input, too; strides of 1 to 4 on each axis."""
    monkeypatch.setenv(VARIABLE, isa)
    assert sum(check_gradient(seed, guarded) for seed in range(30)) >= 18


@pytest.mark.long
@pytest.mark.parametrize("isa", HERE)
def test_many_random_geometries(isa: str, guarded: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same on many more."""
    monkeypatch.setenv(VARIABLE, isa)
    assert sum(check(seed, guarded) for seed in range(1000, 31_000)) >= 20_000
    assert sum(check_gradient(seed, guarded) for seed in range(1000, 11_000)) >= 6_000


def test_a_broken_kernel_is_caught(guarded: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: an offset that is one too far is found."""
    layout = direct_call._layout

    def broken(*given: Any) -> Any:
        right = layout(*given)
        return right._replace(offsets=right.offsets + (right.offsets > 0))

    monkeypatch.setattr(direct_call, "_layout", broken)
    with pytest.raises(AssertionError, match="seed"):
        sum(check(seed, guarded) for seed in range(60))


@pytest.mark.parametrize("n", [1, 2, 3])
def test_threads_change_no_bit(n: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Random floats, 1 to 3 threads, and images one by one: the same bits."""
    rng = np.random.default_rng(1)
    x = rng.standard_normal((4, 12, 33, 47)).astype(np.float32)
    w = rng.standard_normal((20, 12, 3, 5)).astype(np.float32)
    window = ConvWindow.of(x.shape, w.shape, padding=2, stride=(1, 2))
    monkeypatch.setenv("FALTUNG_NUM_THREADS", "1")
    wanted = direct_call.conv(window, x, w)
    monkeypatch.setenv("FALTUNG_NUM_THREADS", str(n))
    for _ in range(10):
        assert (direct_call.conv(window, x, w) == wanted).all()
    one = ConvWindow.of((1, *x.shape[1:]), w.shape, padding=2, stride=(1, 2))
    split = np.concatenate([direct_call.conv(one, x[i : i + 1], w) for i in range(4)])
    assert (split == wanted).all()


def test_strips_change_no_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    """How many rows a strip has is a schedule: any gives the same bits."""
    rng = np.random.default_rng(2)
    x = rng.standard_normal((1, 5, 29, 31)).astype(np.float32)
    w = rng.standard_normal((9, 5, 3, 3)).astype(np.float32)
    window = ConvWindow.of(x.shape, w.shape, padding=1)
    wanted = direct_call.conv(window, x, w)
    for strip in (1, 2000, 9000):
        direct_call._layout.cache_clear()
        monkeypatch.setattr(direct_call, "STRIP_BYTES", strip)
        assert (direct_call.conv(window, x, w) == wanted).all()
    direct_call._layout.cache_clear()


@pytest.mark.parametrize("stride", [(2, 2), (1, 3), (6, 5)])
def test_schedules_of_the_gradient_change_no_bit(
    stride: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor do rows of a strip, parts of a row, threads or the other images of a batch."""
    rng = np.random.default_rng(3)
    window = ConvWindow.of((3, 5, 29, 131), (9, 5, 3, 4), padding=1, stride=stride)
    dout = rng.standard_normal(window.out_shape).astype(np.float32)
    w = rng.standard_normal(window.w_shape).astype(np.float32)
    wanted = direct_dx_call.conv_dx(window, dout, w)
    np.testing.assert_allclose(wanted, numpy_conv_dx(window, dout, w), atol=1e-4)
    one = ConvWindow.of((1, 5, 29, 131), (9, 5, 3, 4), padding=1, stride=stride)
    for strip, threads in ((1, 2), (2000, 3), (9000, 1)):
        direct_dx_call._layout.cache_clear()
        monkeypatch.setattr(direct_dx_call, "STRIP_BYTES", strip)
        monkeypatch.setenv("FALTUNG_NUM_THREADS", str(threads))
        assert (direct_dx_call.conv_dx(window, dout, w) == wanted).all()
        assert (direct_dx_call.conv_dx(one, dout[1:2], w) == wanted[1:2]).all()
    direct_dx_call._layout.cache_clear()


@pytest.mark.parametrize("stride", [(1, 1), (2, 2), (2, 6)])
def test_what_follows_the_gradient(stride: tuple[int, int]) -> None:
    """A bias, an array that is added and an activation, exact; into memory that is given."""
    rng = np.random.default_rng(4)
    window = ConvWindow.of((2, 6, 13, 19), (4, 3, 3, 3), padding=1, stride=stride, groups=2)
    shapes = (window.out_shape, window.w_shape, (6,), window.x_shape)
    dout, w, b, residual = (rng.integers(-4, 5, shape).astype(np.float32) for shape in shapes)
    out, epilogue = np.empty_like(residual), Epilogue("relu", residual=residual)
    packed = direct_dx_call.packed_for_dx(window, w)
    direct_dx_call.conv_dx(window, dout, w, b, out=out, packed=packed, epilogue=epilogue)
    wanted = numpy_conv_dx(window, dout, w) + b[:, np.newaxis, np.newaxis] + residual
    np.testing.assert_array_equal(out, np.maximum(wanted, 0))


def test_nothing_compiles(monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked for by name where nothing is compiled, the row says so."""
    monkeypatch.setenv(VARIABLE, "none")
    row = next(row for row in ROWS if row.name == "conv_direct_any_nchw")
    x = np.zeros((1, 1, 3, 3), np.float32)
    rule = "conv_direct_any_nchw: nothing is compiled here, got FALTUNG_ISA=none. Unset FALTUNG_ISA"
    with pytest.raises(KernelError, match=rule):
        row.load()(ConvWindow.of(x.shape, x.shape), x, x)


def test_first_call_in_a_new_process(tmp_path: Any) -> None:
    """With an empty cache, and again with what the first one left."""
    code = (
        "import numpy as np, faltung\n"
        "x = np.ones((1, 2, 5, 5), np.float32)\n"
        "print(faltung.conv(x, x[:, :, :3, :3]).sum())"
    )
    environment = {
        **os.environ,
        "FALTUNG_CACHE": str(tmp_path),
        "FALTUNG_KERNEL": "conv_direct_any_nchw",
    }
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            env=environment,
            check=True,
        )
        assert done.stdout.strip() == "162.0"
    assert list((tmp_path / "kernels").glob("convolve_block_*.o"))


@pytest.mark.parametrize("isa", HERE)
def test_runs_of_sums_are_added(isa: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One sum after the other, all terms behind the first would be rounded away."""
    monkeypatch.setenv(VARIABLE, isa)
    x = np.ones((1, 4096, 1, 3), np.float32)
    x[0, 0] = 2.0**24
    w = np.ones((2, 4096, 1, 1), np.float32)
    y = direct_call.conv(ConvWindow.of(x.shape, w.shape), x, w)
    assert np.all(np.abs(y.astype(np.float64) - (2.0**24 + 4095)) < RUN)
