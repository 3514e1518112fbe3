"""Depthwise convolution and its gradients on random geometries, exact, every buffer guarded."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from faltung.errors import GeometryError
from faltung.geometry.window import ConvWindow
from faltung.kernels import (
    depthwise_call,
    depthwise_cost,
    depthwise_dw_call,
    depthwise_lanes_dw_call,
    depthwise_lanes_dx_call,
    numpy_conv,
)
from faltung.kernels.epilogue import Epilogue
from faltung.kernels.isa import ISAS, VARIABLE, has
from faltung.kernels.numpy_conv import conv as numpy_forward
from faltung.kernels.registry import gamma

HERE = [isa.name for isa in ISAS if has(isa)]


@pytest.fixture(autouse=True)
def compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compile here, also where the suite as a whole runs on NumPy alone."""
    monkeypatch.delenv("FALTUNG_ISA", raising=False)


def drawn(rng: np.random.Generator, longest: int) -> ConvWindow | None:
    """Return a random depthwise geometry; None for one that is refused."""
    axes, channels = int(rng.integers(1, 4)), int(rng.integers(1, 5))
    space = rng.integers(1, {1: 60, 2: 40, 3: 9}[axes], axes).tolist()
    kernel = rng.integers(1, {1: 2 * longest, 2: longest, 3: 4}[axes], axes).tolist()
    try:
        window = ConvWindow.of(
            (int(rng.integers(0, 3)), channels, *space),
            (channels * int(rng.choice([1, 1, 2, 3])), 1, *kernel),
            stride=rng.integers(1, 5, axes).tolist(),
            padding=[tuple(pair) for pair in rng.integers(-1, 6, (axes, 2)).tolist()],
            dilation=rng.integers(1, 4, axes).tolist(),
            groups=channels,
        )
    except GeometryError:
        return None
    return window if depthwise_cost.applies(window, np.dtype(np.float32)) else None


def check(seed: int, guarded: Any, longest: int = 4) -> bool:
    """Compare one random case with the NumPy rows, exactly; whether there was one."""
    rng = np.random.default_rng(seed)
    window = drawn(rng, longest)
    if window is None:
        return False
    dtype = np.float32 if rng.random() < 0.6 else np.float64

    def whole(shape: Any) -> Any:
        return guarded.copy(rng.integers(-4, 5, shape).astype(dtype))

    x, w, dout = whole(window.x_shape), whole(window.w_shape), whole(window.out_shape)
    b = whole(window.out_channels) if seed % 2 else None
    named = {"err_msg": f"seed {seed}"}
    y = depthwise_call.conv(window, x, w, b)
    np.testing.assert_array_equal(y, numpy_forward(window, x, w, b), **named)
    dx = depthwise_call.conv_dx(window, dout, w)
    np.testing.assert_array_equal(dx, numpy_conv.conv_dx(window, dout, w), **named)
    if depthwise_cost.applies_lanes_dx(window, dx.dtype):
        other = depthwise_lanes_dx_call.conv_dx(window, dout, w)
        np.testing.assert_array_equal(other, dx, **named)
    wanted = numpy_conv.conv_dw(window, x, dout)
    dw = depthwise_dw_call.conv_dw(window, x, dout)
    np.testing.assert_array_equal(dw, wanted, **named)
    if depthwise_cost.applies_lanes(window, dw.dtype):
        dw = depthwise_lanes_dw_call.conv_dw(window, x, dout)
        np.testing.assert_array_equal(dw, wanted, **named)
    guarded.check()
    return True


@pytest.mark.parametrize("isa", HERE)
def test_random_geometries(isa: str, guarded: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exact on small integers, no stray byte, on every instruction set."""
    monkeypatch.setenv(VARIABLE, isa)
    # Few rows together: less to compile, and the last ones overlap.
    few = lambda isa, out_rows, *given: min(out_rows, 3)  # noqa: E731
    monkeypatch.setattr(depthwise_call, "rows_together", few)
    assert sum(check(seed, guarded) for seed in range(16)) >= 8


@pytest.mark.long
@pytest.mark.parametrize("isa", HERE)
def test_many_random_geometries(isa: str, guarded: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same on many more."""
    monkeypatch.setenv(VARIABLE, isa)
    assert sum(check(seed, guarded, 10) for seed in range(1000, 3000)) >= 1000


CASES = [
    ((2, 3, 31, 47), (3, 1, 3, 3), {"padding": 1}),
    ((2, 3, 33, 40), (6, 1, 3, 3), {"padding": 1, "stride": 2}),
    ((1, 2, 29, 50), (2, 1, 7, 7), {"padding": 3}),
    ((1, 2, 40, 37), (2, 1, 21, 19), {"padding": 9, "stride": (2, 1)}),
    ((2, 2, 400), (2, 1, 70), {"padding": 3, "dilation": 2}),
    ((1, 2, 9, 12, 20), (4, 1, 3, 3, 3), {"padding": 1, "stride": (2, 1, 3)}),
]


@pytest.mark.parametrize(("x_shape", "w_shape", "settings"), CASES)
def test_errors_stay_within_the_bound(x_shape: Any, w_shape: Any, settings: Any) -> None:
    """On random floats: direct summation's bound, in every pass."""
    window = ConvWindow.of(x_shape, w_shape, **settings, groups=x_shape[1])
    rng = np.random.default_rng(4)
    x, w, dout = (
        rng.standard_normal(s).astype(np.float32) for s in (x_shape, w_shape, window.out_shape)
    )
    given = {"conv": (x, w), "conv_dx": (dout, w), "conv_dw": (x, dout)}
    ours = {
        "conv": (depthwise_call.conv, window.reduction + 1),
        "conv_dx": (depthwise_call.conv_dx, window.group_out * window.reduction),
        "conv_dw": (depthwise_dw_call.conv_dw, dout[:, 0].size + 1),
    }
    for name, (run, terms) in ours.items():
        definition = getattr(numpy_conv, name)
        wide = [a.astype(np.float64) for a in given[name]]
        error = np.abs(run(window, *given[name]) - definition(window, *wide))
        size = definition(window, *map(np.abs, wide))
        assert (error <= gamma(terms, np.dtype(np.float32)) * size + 1e-300).all(), name


def cut(x: Any) -> Any:
    """Compute all passes, on a batch that must not matter for the first two."""
    rng = np.random.default_rng(6)
    w = rng.standard_normal((24, 1, 3, 5)).astype(np.float32)
    window = ConvWindow.of(x.shape, w.shape, padding=2, stride=(1, 2), groups=12)
    dout = rng.standard_normal((4, *window.out_shape[1:])).astype(np.float32)[: len(x)]
    y, dx = depthwise_call.conv(window, x, w), depthwise_call.conv_dx(window, dout, w)
    return y, dx, depthwise_dw_call.conv_dw(window, x, dout)


@pytest.mark.parametrize("threads", ["1", "2", "3"])
def test_threads_and_batches_change_no_bit(threads: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """1 to 3 threads, ten runs, images one by one, small blocks: the same bits."""
    x = np.random.default_rng(1).standard_normal((4, 12, 33, 47)).astype(np.float32)
    monkeypatch.setenv("FALTUNG_NUM_THREADS", "1")
    wanted = cut(x)
    monkeypatch.setenv("FALTUNG_NUM_THREADS", threads)
    monkeypatch.setattr(depthwise_call, "BLOCK_MACS", 1)
    depthwise_call._forward.cache_clear()
    depthwise_call._backward.cache_clear()
    for _ in range(10):
        for ours, theirs in zip(cut(x), wanted, strict=True):
            assert (ours == theirs).all()
    for i, image in enumerate(wanted[0]):
        assert (cut(x[i : i + 1])[0] == image).all()
    depthwise_call._forward.cache_clear()
    depthwise_call._backward.cache_clear()


def test_strips_and_row_blocks_change_no_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    """How a plane is cut is a schedule."""
    rng = np.random.default_rng(2)
    x, w = (rng.standard_normal(s).astype(np.float32) for s in ((1, 3, 45, 31), (3, 1, 5, 3)))
    window = ConvWindow.of(x.shape, w.shape, padding=2, groups=3)
    wanted = depthwise_call.conv(window, x, w)
    for rows, macs in ((1, 1), (3, 2000), (7, 9000), (14, 1)):
        depthwise_call._forward.cache_clear()
        monkeypatch.setattr(depthwise_call, "rows_together", lambda *given, rows=rows: rows)
        monkeypatch.setattr(depthwise_call, "STRIP_MACS", macs)
        assert (depthwise_call.conv(window, x, w) == wanted).all()
    depthwise_call._forward.cache_clear()


@pytest.mark.parametrize(
    ("isa", "activation", "stride"),
    [(isa, "clip", 1) for isa in HERE] + [(HERE[0], a, 2) for a in ("", "relu", "leaky_relu")],
)
def test_what_follows_is_fused(
    isa: str, activation: str, stride: int, guarded: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A residual in place, where the last rows overlap; then the activation; `out` is used."""
    monkeypatch.setenv(VARIABLE, isa)
    rng = np.random.default_rng(3)
    x, w = (rng.integers(-4, 5, s).astype(np.float32) for s in ((2, 3, 35, 37), (3, 1, 3, 3)))
    window = ConvWindow.of(x.shape, w.shape, padding=1, stride=stride, groups=3)
    out = guarded.copy(rng.integers(-4, 5, window.out_shape).astype(np.float32))
    plain = numpy_forward(window, x, w) + out
    low, high = (0.25, 0.0) if activation == "leaky_relu" else (-3.0, 5.0)
    wanted = {
        "": plain,
        "relu": np.maximum(plain, 0),
        "leaky_relu": np.where(plain < 0, np.float32(0.25) * plain, plain),
        "clip": np.clip(plain, low, high),
    }[activation]
    epilogue = Epilogue(activation, low, high, out)
    y = depthwise_call.conv(window, x, w, out=out, epilogue=epilogue)
    assert y is out
    np.testing.assert_array_equal(y, wanted)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_non_finite_values_stay_where_they_belong(value: float) -> None:
    """An infinite weight meets padding only where the definition has padding."""
    rng = np.random.default_rng(9)
    x, w = (rng.integers(-4, 5, s).astype(np.float32) for s in ((1, 2, 9, 20), (2, 1, 3, 3)))
    window = ConvWindow.of(x.shape, w.shape, padding=2, stride=2, groups=2)
    dout = rng.integers(-4, 5, window.out_shape).astype(np.float32)
    for array in (x, w, dout):
        array.flat[:: max(7, array.size // 3)] = value
    with np.errstate(all="ignore"):
        pairs = [
            (depthwise_call.conv(window, x, w), numpy_forward(window, x, w)),
            (depthwise_call.conv_dx(window, dout, w), numpy_conv.conv_dx(window, dout, w)),
            (depthwise_dw_call.conv_dw(window, x, dout), numpy_conv.conv_dw(window, x, dout)),
        ]
    for ours, theirs in pairs:
        np.testing.assert_array_equal(ours, theirs)


def test_a_broken_kernel_is_caught(guarded: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: one position off is found."""
    layout = depthwise_call._forward

    def broken(*given: Any) -> Any:
        right = layout(*given)
        return right._replace(fields=right.fields | {"lead": right.fields["lead"] + 1})

    monkeypatch.setattr(depthwise_call, "_forward", broken)
    with pytest.raises(AssertionError, match="seed"):
        sum(check(seed, guarded) for seed in range(20))


@pytest.mark.parametrize("isa", HERE)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("size", "kernel", "stride"), [(7, 3, 1), (14, 5, 2), (9, 7, 1)])
def test_channels_in_the_lanes(
    size: int,
    kernel: int,
    stride: int,
    dtype: Any,
    isa: str,
    guarded: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Exact, with channels that fill no vector; the same bits for any threads."""
    monkeypatch.setenv(VARIABLE, isa)
    rng = np.random.default_rng(size)
    x = rng.integers(-4, 5, (20, 37, size, size + 2)).astype(dtype)
    w_shape = (37, 1, kernel, kernel)
    window = ConvWindow.of(x.shape, w_shape, stride=stride, padding=kernel // 2, groups=37)
    dout = rng.integers(-4, 5, window.out_shape).astype(dtype)
    dw = depthwise_lanes_dw_call.conv_dw(window, guarded.copy(x), guarded.copy(dout))
    np.testing.assert_array_equal(dw, numpy_conv.conv_dw(window, x, dout))
    w = rng.integers(-4, 5, w_shape).astype(dtype)
    dx = depthwise_lanes_dx_call.conv_dx(window, guarded.copy(dout), guarded.copy(w))
    np.testing.assert_array_equal(dx, numpy_conv.conv_dx(window, dout, w))
    x, dout = (rng.standard_normal(a.shape).astype(dtype) for a in (x, dout))
    found = []
    for n in ("1", "2", "3"):
        monkeypatch.setenv("FALTUNG_NUM_THREADS", n)
        found.append(depthwise_lanes_dw_call.conv_dw(window, x, dout))
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], found[2])
