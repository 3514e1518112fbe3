"""Kernels of one position, and what direct kernels do to an output before they store it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from faltung.geometry.window import ConvWindow
from faltung.kernels import direct_call, gemm_call, pointwise_call
from faltung.kernels.direct_cost import is_pointwise
from faltung.kernels.epilogue import Epilogue
from faltung.kernels.isa import ISAS, VARIABLE, has
from faltung.kernels.numpy_conv import conv as numpy_conv
from faltung.kernels.numpy_conv import conv_dx as numpy_conv_dx

HERE = [isa.name for isa in ISAS if has(isa)]
EPILOGUES = [("", 0.0, 0.0), ("relu", 0.0, 0.0), ("leaky_relu", 0.5, 0.0), ("clip", -3.0, 5.0)]


def applied(y: Any, epilogue: Epilogue) -> Any:
    """Return what an epilogue makes of sums, by NumPy."""
    if epilogue.residual is not None:
        y = y + epilogue.residual
    match epilogue.activation:
        case "relu":
            return np.maximum(y, 0)
        case "leaky_relu":
            return np.where(y < 0, y * epilogue.low, y)
        case "clip":
            return np.clip(y, epilogue.low, epilogue.high)
    return y


def check(conv: Any, window: ConvWindow, dtype: Any, guarded: Any, seed: int) -> None:
    """Compare with NumPy's row: plain, and with everything that a row can be given."""
    rng = np.random.default_rng(seed)
    shapes = (window.x_shape, window.w_shape, window.out_shape[1:2], window.out_shape)
    x, w, b, residual = (rng.integers(-4, 5, shape).astype(dtype) for shape in shapes)
    y = conv(window, guarded.copy(x), guarded.copy(w))
    np.testing.assert_array_equal(y, numpy_conv(window, x, w), err_msg=f"seed {seed}")
    name = EPILOGUES[seed % 4]
    epilogue = Epilogue(*name, guarded.copy(residual) if seed % 3 else None)
    out = guarded.array(window.out_shape, dtype)
    given = {"out": out, "epilogue": epilogue}
    assert conv(window, guarded.copy(x), guarded.copy(w), guarded.copy(b), **given) is out
    wanted = applied(numpy_conv(window, x, w, b), epilogue)
    np.testing.assert_array_equal(out, wanted, err_msg=f"seed {seed}")
    guarded.check()


def drawn(seed: int) -> tuple[ConvWindow, Any]:
    """Return a random geometry with kernels of one position."""
    rng = np.random.default_rng(seed)
    groups, axes = int(rng.integers(1, 3)), int(rng.integers(1, 4))
    sizes = [int(n) for n in rng.integers(1, (90, 12, 5)[axes - 1], axes)]
    channels, out = groups * int(rng.integers(1, 150)), groups * int(rng.integers(1, 20))
    x_shape = (int(rng.integers(1, 3)), channels, *sizes)
    window = ConvWindow.of(x_shape, (out, channels // groups, *[1] * axes), groups=groups)
    return window, np.float32 if rng.random() < 0.6 else np.float64


@pytest.mark.parametrize("isa", HERE)
def test_pointwise(isa: str, guarded: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exact on small integers, no stray byte, on every instruction set."""
    monkeypatch.setenv(VARIABLE, isa)
    for seed in range(16):
        window, dtype = drawn(seed)
        check(pointwise_call.conv, window, dtype, guarded, seed)


@pytest.mark.parametrize("isa", HERE)
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("size", "stride"), [(7, 1), (35, 1), (33, 2)])
def test_direct_fuses(
    isa: str, seed: int, size: int, stride: int, guarded: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows that are written at once, and such that are copied out."""
    monkeypatch.setenv(VARIABLE, isa)
    shapes = (2, 20, 9, size), (9, 20, 3, 3)
    window = ConvWindow.of(*shapes, padding=1, stride=stride)
    check(direct_call.conv, window, np.float32, guarded, seed)


def test_segments_change_no_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    """How pixels are dealt out is a schedule: so are threads."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((2, 300, 21, 23)).astype(np.float32)
    w = rng.standard_normal((40, 300, 1, 1)).astype(np.float32)
    window = ConvWindow.of(x.shape, w.shape)
    wanted = pointwise_call.conv(window, x, w)
    for threads, enough in ((1, 1 << 30), (2, 1 << 19), (3, 1)):
        gemm_call._cut.cache_clear()
        monkeypatch.setattr(gemm_call, "ENOUGH", enough)
        monkeypatch.setenv("FALTUNG_NUM_THREADS", str(threads))
        assert (pointwise_call.conv(window, x, w) == wanted).all()
    gemm_call._cut.cache_clear()
    one = ConvWindow.of((1, *x.shape[1:]), w.shape)
    assert (pointwise_call.conv(one, x[1:], w) == wanted[1:]).all()


@pytest.mark.parametrize("isa", HERE)
def test_gradient(isa: str, guarded: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights are read column by column; a bias and an activation as a forward pass has them."""
    monkeypatch.setenv(VARIABLE, isa)
    for seed in range(8):
        window, dtype = drawn(seed)
        rng = np.random.default_rng(seed)
        shapes = (window.out_shape, window.w_shape, window.x_shape[1:2], window.x_shape)
        dout, w, b, residual = (rng.integers(-4, 5, shape).astype(dtype) for shape in shapes)
        wanted = numpy_conv_dx(window, dout, w)
        dx = pointwise_call.conv_dx(window, guarded.copy(dout), guarded.copy(w))
        np.testing.assert_array_equal(dx, wanted, err_msg=f"seed {seed}")
        epilogue = Epilogue("relu", residual=guarded.copy(residual))
        out = guarded.array(window.x_shape, dtype)
        given = (guarded.copy(dout), guarded.copy(w), guarded.copy(b))
        assert pointwise_call.conv_dx(window, *given, out=out, epilogue=epilogue) is out
        wanted = wanted + b.reshape(-1, *[1] * len(window.axes)) + residual
        np.testing.assert_array_equal(out, np.maximum(wanted, 0), err_msg=f"seed {seed}")
        guarded.check()


@pytest.mark.parametrize("isa", HERE)
@pytest.mark.parametrize(
    ("space", "stride"),
    [((40,), 2), ((9, 33), (3, 4)), ((5, 7, 50), (2, 1, 3)), ((1, 1), 2), ((30, 1), (1, 2))],
)
def test_strides(
    isa: str, space: Any, stride: Any, guarded: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pixels that a stride passes over are left out, at the end of a row as well."""
    monkeypatch.setenv(VARIABLE, isa)
    shapes = (2, 6, *space), (10, 3, *[1] * len(space))
    window = ConvWindow.of(*shapes, stride=stride, groups=2)
    assert is_pointwise(window, np.dtype(np.float32))
    check(pointwise_call.conv, window, np.float32, guarded, 1)
