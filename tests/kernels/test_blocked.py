"""Direct convolution with channels in the lanes, forward and backward, on random geometries."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from faltung.errors import GeometryError
from faltung.geometry.window import ConvWindow
from faltung.kernels import blocked_call, blocked_schedule
from faltung.kernels.blocked import RUN
from faltung.kernels.epilogue import Epilogue
from faltung.kernels.isa import ISAS, VARIABLE, has
from faltung.kernels.numpy_conv import conv as numpy_conv
from faltung.kernels.numpy_conv import conv_dx as numpy_conv_dx

HERE = [isa.name for isa in ISAS if has(isa)]


def drawn(seed: int) -> ConvWindow | None:
    """Return a random geometry; None for one that is refused."""
    rng = np.random.default_rng(seed)
    axes, groups = int(rng.integers(1, 4)), int(rng.choice([1, 1, 1, 2]))
    channels, out = groups * int(rng.integers(1, 40)), groups * int(rng.integers(1, 50))
    largest = (60, 15, 6)[axes - 1]
    sizes = [int(n) for n in rng.integers(1, largest + 1, axes)]
    kernel = [int(n) for n in rng.integers(1, 5, axes)]
    x_shape = (int(rng.integers(1, 3)), channels, *sizes)
    try:
        return ConvWindow.of(
            *(x_shape, (out, channels // groups, *kernel)),
            stride=[int(n) for n in rng.integers(1, 4, axes)],
            padding=[(int(a), int(b)) for a, b in rng.integers(-1, 4, (axes, 2))],
            dilation=[int(n) for n in rng.integers(1, 4, axes)],
            groups=groups,
        )
    except GeometryError:
        return None


def check(seed: int, guarded: Any) -> bool:
    """Compare forward and backward with NumPy's rows, exactly; whether there was a case."""
    window = drawn(seed)
    if window is None:
        return False
    rng = np.random.default_rng(seed)
    dtype = np.float64 if seed % 3 == 0 else np.float32
    shapes = (window.x_shape, window.w_shape, window.out_shape, window.out_shape[1:2])
    x, w, dout, b = (rng.integers(-4, 5, shape).astype(dtype) for shape in shapes)
    out, packed = guarded.array(window.out_shape, dtype), blocked_call.packed_weights(window, w)
    epilogue = Epilogue("relu", residual=dout) if seed % 2 else Epilogue()
    given = {"out": out, "packed": guarded.copy(packed), "epilogue": epilogue}
    y = blocked_call.conv(window, guarded.copy(x), w, b, **given)
    wanted = numpy_conv(window, x, w, b)
    wanted = np.maximum(wanted + dout, 0) if seed % 2 else wanted
    np.testing.assert_array_equal(y, wanted, err_msg=f"seed {seed}")
    y = blocked_call.conv(window, guarded.copy(x), guarded.copy(w), b, epilogue=epilogue)
    np.testing.assert_array_equal(y, wanted, err_msg=f"as given, seed {seed}")
    dx = blocked_call.conv_dx(window, guarded.copy(dout), guarded.copy(w))
    np.testing.assert_array_equal(dx, numpy_conv_dx(window, dout, w), err_msg=f"dx, seed {seed}")
    guarded.check()
    return True


@pytest.mark.parametrize("isa", HERE)
def test_random_geometries(isa: str, guarded: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exact on small integers, no stray byte, on every instruction set."""
    monkeypatch.setenv(VARIABLE, isa)
    assert sum(check(seed, guarded) for seed in range(10)) >= 5


@pytest.mark.long
@pytest.mark.parametrize("isa", HERE)
def test_many_random_geometries(isa: str, guarded: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same on many more."""
    monkeypatch.setenv(VARIABLE, isa)
    assert sum(check(seed, guarded) for seed in range(1000, 2000)) >= 500


@pytest.mark.parametrize("kernel", [1, 3])
def test_weights_packed_before_or_as_they_are_used(
    kernel: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A block that alone uses a panel packs it itself: the same bits, by any number of threads."""
    rng = np.random.default_rng(0)
    window = ConvWindow.of((1, 300, 9, 9), (90, 300, kernel, kernel), padding=1, stride=2)
    x = rng.standard_normal(window.x_shape).astype(np.float32)
    w = rng.standard_normal(window.w_shape).astype(np.float32)
    y = blocked_call.conv(window, x, w, packed=blocked_call.packed_weights(window, w))
    isa, launched = blocked_call.required_isa(blocked_call.ROW), []
    for threads in (1, 2, 3):
        monkeypatch.setenv("FALTUNG_NUM_THREADS", str(threads))
        assert (blocked_call.conv(window, x, w) == y).all()
        layout = blocked_call._layout(window, x.dtype, isa, False, threads, False)
        launched.append(layout.form["is_packed"])
    assert not all(launched)


@pytest.mark.parametrize("count", range(1, 120))
@pytest.mark.parametrize("most", [4, 9, 14, 28])
def test_register_blocks_cover_a_row(count: int, most: int) -> None:
    """Wide ones, then such as have a pixel less, or all alike with few pixels in vain."""
    pixels, wide, together = blocked_schedule.shares_of(count, most)
    assert together <= most
    assert wide % together == 0
    assert pixels == wide or (pixels - wide) % (together - 1) == 0
    assert count <= pixels <= count * (1 + 1 / blocked_schedule.LITTLE)


@pytest.mark.parametrize("stride", [1, 2])
def test_schedules_change_no_bit(stride: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads, strips, parts and the batch: the same bits, forward and backward."""
    rng = np.random.default_rng(0)
    window = ConvWindow.of((3, 70, 33, 47), (90, 70, 3, 3), padding=1, stride=stride)
    x = rng.standard_normal(window.x_shape).astype(np.float32)
    w = rng.standard_normal(window.w_shape).astype(np.float32)
    y = blocked_call.conv(window, x, w)
    dx = blocked_call.conv_dx(window, y, w)
    for threads, size in ((1, 1 << 24), (2, 1 << 14), (3, 1 << 18)):
        blocked_call._layout.cache_clear()
        monkeypatch.setenv("FALTUNG_NUM_THREADS", str(threads))
        monkeypatch.setattr(blocked_schedule, "STRIP_BYTES", size)
        for _ in range(3):
            assert (blocked_call.conv(window, x, w) == y).all()
            assert (blocked_call.conv_dx(window, y, w) == dx).all()
    one = ConvWindow.of((1, 70, 33, 47), (90, 70, 3, 3), padding=1, stride=stride)
    assert (blocked_call.conv(one, x[2:], w) == y[2:]).all()
    blocked_call._layout.cache_clear()


def test_runs_of_sums_are_added() -> None:
    """One sum after the other, all terms behind the first would be rounded away."""
    x = np.ones((1, 4096, 1, 3), np.float32)
    x[0, 0] = 2.0**24
    w = np.ones((2, 4096, 1, 1), np.float32)
    y = blocked_call.conv(ConvWindow.of(x.shape, w.shape), x, w)
    assert np.all(np.abs(y.astype(np.float64) - (2.0**24 + 4095)) < 2 * RUN)


def test_infinite_weights_stay_where_they_are() -> None:
    """Zeros around dout do not meet them."""
    window = ConvWindow.of((1, 1, 4, 4), (1, 1, 3, 3), padding=1)
    w = np.ones(window.w_shape, np.float32)
    w[0, 0, 0, 0] = np.inf
    dout = np.ones(window.out_shape, np.float32)
    with np.errstate(all="ignore"):
        dx = blocked_call.conv_dx(window, dout, w)
        np.testing.assert_array_equal(dx, numpy_conv_dx(window, dout, w))


def test_a_broken_kernel_is_caught(guarded: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: a table that is one row off is found."""
    tables = blocked_call._tables

    def broken(*given: Any) -> Any:
        right = tables(*given)
        return {**right, "offsets": right["offsets"][::-1].copy()}

    monkeypatch.setattr(blocked_call, "_tables", broken)
    blocked_call._layout.cache_clear()
    with pytest.raises(AssertionError, match="seed"):
        sum(check(seed, guarded) for seed in range(12))
    blocked_call._layout.cache_clear()
