"""``FALTUNG_KERNEL``: the choice, the reference, or a row by name."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from faltung import reference
from faltung.errors import KernelError
from faltung.geometry import ConvWindow, PoolWindow
from faltung.kernels import numpy_conv
from faltung.ops import dispatch

CONV = ConvWindow.of((2, 2, 5, 6), (4, 1, 3, 2), padding=((1, 0), (0, 2)), stride=(1, 2), groups=2)
POOL = PoolWindow.of((2, 3, 5, 5), 2, padding=1, ceil=True)
CALLS: dict[str, tuple[Any, ...]] = {
    "conv": (CONV, "x", "w", "b"),
    "conv_dx": (CONV, "dout", "w"),
    "conv_dw": (CONV, "x", "dout"),
    "max_pool": (POOL, "x"),
    "max_pool_dx": (POOL, "x", "dout"),
    "avg_pool": (POOL, "x"),
    "avg_pool_dx": (POOL, "dout"),
}


def arguments(operation: str, dtype: type = np.float32) -> list[Any]:
    window, *names = CALLS[operation]
    shapes = {"x": window.x_shape, "dout": window.out_shape}
    if window is CONV:
        shapes |= {"w": CONV.w_shape, "b": (CONV.out_channels,)}
    rng = np.random.default_rng(1)
    return [window, *(rng.integers(-9, 9, shapes[name]).astype(dtype) for name in names)]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("operation", CALLS)
def test_the_reference_runs_on_request_and_keeps_the_dtype(
    operation: str, dtype: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    call, args = getattr(dispatch, operation), arguments(operation, dtype)
    chosen = call(*args)
    ran = []
    original = getattr(reference, operation)
    monkeypatch.setattr(reference, operation, lambda *a, **k: ran.append(1) or original(*a, **k))
    call(*args)
    assert not ran
    monkeypatch.setenv("FALTUNG_KERNEL", "reference")
    defined = call(*args)
    assert ran
    assert defined.dtype == chosen.dtype == dtype
    np.testing.assert_allclose(chosen, defined, rtol=1e-6 if "avg" in operation else 0)


def test_both_divisors_reach_the_kernel_and_the_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    ones = np.ones(POOL.x_shape, np.float32)
    for kernel in ("", "reference"):
        monkeypatch.setenv("FALTUNG_KERNEL", kernel)
        assert dispatch.avg_pool(POOL, ones)[0, 0, 0, 0] == 1
        assert dispatch.avg_pool(POOL, ones, True)[0, 0, 0, 0] == 0.25


def test_a_row_s_name_imposes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    window = ConvWindow.of((1, 2, 5, 5), (2, 2, 3, 3))
    dout, w = np.ones(window.out_shape, np.float32), np.ones(window.w_shape, np.float32)
    monkeypatch.setenv("FALTUNG_KERNEL", "conv_dx_adjoint_any_nchw")
    monkeypatch.setattr(numpy_conv, "_add_columns", lambda *_: None)  # col2im alone uses it
    assert dispatch.conv_dx(window, dout, w).any()
    monkeypatch.setenv("FALTUNG_KERNEL", "conv_dx_col2im_any_nchw")
    assert not dispatch.conv_dx(window, dout, w).any()
    monkeypatch.setenv("FALTUNG_KERNEL", "conv_dx_adjoint_any_nchw")
    assert dispatch.conv_dx(window, dout, w).any()


def test_an_unknown_name_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FALTUNG_KERNEL", "refrence")
    with pytest.raises(KernelError, match=r"FALTUNG_KERNEL='refrence'.*max_pool_taps_any_nchw"):
        dispatch.max_pool(*arguments("max_pool"))


def test_no_bias() -> None:
    window, x, w, b = arguments("conv")
    np.testing.assert_array_equal(
        dispatch.conv(window, x, w) + b[:, None, None], dispatch.conv(window, x, w, b)
    )


def test_infinities_pass_without_a_warning() -> None:
    window, x, w, b = arguments("conv")
    x[0, 0, 0] = np.inf
    x[0, 0, 1] = -np.inf
    assert np.isnan(dispatch.conv(window, x, w, b)).any()
    huge = np.full(window.x_shape, 3e38, np.float32)
    assert np.isinf(dispatch.conv(window, huge, w, b)).any()
