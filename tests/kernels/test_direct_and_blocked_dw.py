"""The weights' gradient, with pixels or channels in the lanes: exact, whatever the geometry."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from faltung.errors import GeometryError
from faltung.geometry.window import ConvWindow
from faltung.kernels import blocked_dw_call, direct_dw_call
from faltung.kernels.isa import ISAS, VARIABLE, has
from faltung.kernels.numpy_conv import conv_dw as numpy_conv_dw

HERE = [isa.name for isa in ISAS if has(isa)]
ROWS = [direct_dw_call, blocked_dw_call]


@pytest.fixture(params=ROWS, ids=["direct", "blocked"])
def row(request: pytest.FixtureRequest) -> Any:
    """The module of each of the two rows."""
    return request.param


def drawn(seed: int) -> tuple[ConvWindow, Any, Any] | None:
    """Return a random geometry and small integers for it; None for one that is refused."""
    rng = np.random.default_rng(seed)
    axes, groups = int(rng.integers(1, 4)), int(rng.choice([1, 1, 2, 3]))
    most = int(rng.choice([4, 20, 90]))
    channels, out = (groups * int(n) for n in rng.integers(1, most, 2))
    largest = 400 if axes == 1 else 25 if axes == 2 else 8
    x_shape = (int(rng.integers(0, 4)), channels, *(int(n) for n in rng.integers(1, largest, axes)))
    kernel = [int(n) for n in rng.integers(1, 19 if axes == 1 else 6, axes)]
    try:
        window = ConvWindow.of(
            *(x_shape, (out, channels // groups, *kernel)),
            stride=[int(n) for n in rng.integers(1, 4, axes)],
            padding=[(int(a), int(b)) for a, b in rng.integers(-1, 6, (axes, 2))],
            dilation=[int(n) for n in rng.integers(1, 4, axes)],
            groups=groups,
        )
    except GeometryError:
        return None
    dtype = np.float32 if rng.random() < 0.6 else np.float64
    return window, *(rng.integers(-4, 5, s).astype(dtype) for s in (x_shape, window.out_shape))


def check(row: Any, seed: int, guarded: Any) -> bool:
    """Compare one random case with the NumPy row, exactly; whether there was one."""
    case = drawn(seed)
    if case is None:
        return False
    window, x, dout = case
    dw = row.conv_dw(window, guarded.copy(x), guarded.copy(dout))
    np.testing.assert_array_equal(dw, numpy_conv_dw(window, x, dout), err_msg=f"seed {seed}")
    guarded.check()
    return True


@pytest.mark.parametrize("isa", HERE)
def test_random_geometries(
    row: Any, isa: str, guarded: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exact on small integers, no stray byte, on every instruction set."""
    monkeypatch.setenv(VARIABLE, isa)
    assert sum(check(row, seed, guarded) for seed in range(14)) >= 8


@pytest.mark.parametrize("padding", [(0, -1), (-1, 0), (-2, -1)])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_pixels_that_no_output_reads(row: Any, axis: int, padding: Any, guarded: Any) -> None:
    """Rows of a kernel of one position are one long row, but not where some are cropped."""
    pads = [padding if at == axis else (0, 0) for at in range(3)]
    window = ConvWindow.of((2, 3, 4, 5, 8), (4, 3, 1, 1, 1), padding=pads)
    rng = np.random.default_rng(0)
    x, dout = (rng.integers(-4, 5, s).astype("f4") for s in (window.x_shape, window.out_shape))
    dw = row.conv_dw(window, guarded.copy(x), guarded.copy(dout))
    np.testing.assert_array_equal(dw, numpy_conv_dw(window, x, dout))
    guarded.check()


@pytest.mark.long
@pytest.mark.parametrize("isa", HERE)
def test_many_random_geometries(
    row: Any, isa: str, guarded: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same on many more."""
    monkeypatch.setenv(VARIABLE, isa)
    assert sum(check(row, seed, guarded) for seed in range(1000, 3000)) >= 1000


def test_a_broken_kernel_is_caught(row: Any, guarded: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: an offset that is one too far is found."""
    layout = row._layout

    def broken(*given: Any) -> Any:
        right = layout(*given)
        return right._replace(offsets=right.offsets - (right.offsets > 0))

    monkeypatch.setattr(row, "_layout", broken)
    with pytest.raises(AssertionError, match="seed"):
        sum(check(row, seed, guarded) for seed in range(10))


@pytest.mark.parametrize("shape", [(5, 40, 33, 18), (130, 3, 6, 6), (1, 20, 40, 40)])
def test_threads_change_no_bit(row: Any, shape: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """1 to 3 threads, again and again: the same bits."""
    rng = np.random.default_rng(1)
    window = ConvWindow.of(shape, (17, shape[1], 3, 3), padding=1, stride=2)
    x, dout = (rng.standard_normal(s).astype(np.float32) for s in (shape, window.out_shape))
    monkeypatch.setenv("FALTUNG_NUM_THREADS", "1")
    wanted = row.conv_dw(window, x, dout)
    for n in (1, 2, 3):
        monkeypatch.setenv("FALTUNG_NUM_THREADS", str(n))
        for _ in range(5):
            assert (row.conv_dw(window, x, dout) == wanted).all()


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
@pytest.mark.parametrize("place", [(0, 0), (3, 4), (8, 9)])
def test_what_is_not_finite_is_where_it_belongs(
    row: Any, place: tuple[int, int], value: float
) -> None:
    """Padding is zeros: what meets it is as the definition says, and nothing else is touched."""
    rng = np.random.default_rng(3)
    window = ConvWindow.of((2, 20, 9, 10), (18, 20, 3, 3), padding=2, dilation=(1, 2))
    x, dout = (
        rng.standard_normal(s).astype(np.float32) for s in (window.x_shape, window.out_shape)
    )
    x[(1, 7, *place)] = value
    dout[0, 11, 0, 0] = value
    with np.errstate(invalid="ignore"):
        wanted = numpy_conv_dw(window, x, dout)
    dw = row.conv_dw(window, x, dout)
    np.testing.assert_array_equal(np.isnan(dw), np.isnan(wanted))
    np.testing.assert_array_equal(np.isinf(dw), np.isinf(wanted))
