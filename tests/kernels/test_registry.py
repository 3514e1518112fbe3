"""The table of kernels, and the choice from it."""

from __future__ import annotations

import re
import sys

import numpy as np
import pytest

from faltung.errors import KernelError
from faltung.geometry import ConvWindow, PoolWindow
from faltung.kernels.choose import _choose, _isa, candidates, choose
from faltung.kernels.isa import host_isa
from faltung.kernels.registry import ROWS, gamma, rows_of

FLOAT32 = np.dtype(np.float32)
CONV = ConvWindow.of((2, 4, 8, 8), (4, 4, 3, 3), padding=1)
STRIDED = ConvWindow.of((2, 4, 8, 8), (4, 4, 3, 3), padding=1, stride=2)


def test_names_are_unique_and_say_operation_algorithm_dtype_layout() -> None:
    names = [row.name for row in ROWS]
    assert len(set(names)) == len(names)
    for row in ROWS:
        assert re.fullmatch(rf"{row.operation}_[a-z0-9_]+_(any|float32|float64)_nchw", row.name)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_every_function_is_there(row) -> None:
    assert callable(row.load())
    assert row.load() is row.load()
    assert row.block == 1 or not row.is_exact


def test_gamma_is_highams() -> None:
    u = 2.0**-24
    assert gamma(9, FLOAT32) == 9 * u / (1 - 9 * u)
    assert gamma(0, FLOAT32) == 0
    assert gamma(2**24, FLOAT32) == np.inf


def test_a_bound_grows_with_what_one_output_sums() -> None:
    conv, dx, dw = (rows_of(name)[0] for name in ("conv", "conv_dx", "conv_dw"))
    assert conv.terms(CONV) == 4 * 9 + 1
    assert dx.terms(CONV) == 4 * 9 + 1
    assert dw.terms(CONV) == 2 * 64 + 1
    assert conv.error_bound(CONV, FLOAT32) == gamma(37, FLOAT32)


def test_without_a_compiler_dx_of_stride_1_is_the_adjoint_convolution() -> None:
    def row(window: ConvWindow) -> str:
        return choose("conv_dx", window, FLOAT32, isa="none").name

    wide = ConvWindow.of((2, 64, 56, 56), (64, 64, 3, 3), padding=1)
    assert row(wide) == "conv_dx_adjoint_any_nchw"
    assert row(STRIDED) == "conv_dx_col2im_any_nchw"
    assert row(ConvWindow.of((2, 1, 8, 8), (16, 1, 3, 3))) == "conv_dx_col2im_any_nchw"


@pytest.mark.skipif(host_isa() is None, reason="nothing can be compiled for this CPU")
@pytest.mark.parametrize("operation", ["conv", "conv_dx", "conv_dw"])
def test_compiled_rows_go_first_where_they_pay(operation: str) -> None:
    """Whatever the batch."""
    assert not choose(operation, CONV, FLOAT32, isa="none").is_compiled
    for batch in (1, 8, 128):
        wide = ConvWindow.of((batch, 64, 56, 56), (64, 64, 3, 3), padding=1)
        assert choose(operation, wide, FLOAT32).is_compiled


def test_without_the_compiler_numpy_does_everything_and_says_so_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "faltung.kernels.isa", None)
    _isa.cache_clear()
    _choose.cache_clear()
    with pytest.warns(RuntimeWarning, match="nothing is compiled, NumPy does everything"):
        assert choose("conv", CONV, FLOAT32, isa="sse").name == "conv_im2col_any_nchw"
    choose("conv_dx", CONV, FLOAT32, isa="sse")
    _isa.cache_clear()
    _choose.cache_clear()


def test_an_imposed_row_replaces_the_choice_for_its_operation_alone() -> None:
    name = "conv_dx_col2im_any_nchw"
    assert choose("conv_dx", CONV, FLOAT32, name).name == name
    assert choose("conv", CONV, FLOAT32, name) == choose("conv", CONV, FLOAT32)


def test_an_unknown_row_is_refused_and_the_rows_listed() -> None:
    with pytest.raises(KernelError, match=r"got FALTUNG_KERNEL='fast'\..*conv_im2col_any_nchw.*K1"):
        choose("conv", CONV, FLOAT32, "fast")
    with pytest.raises(LookupError):
        choose("conv", CONV, FLOAT32, "fast")


def test_an_imposed_row_that_cannot_is_refused() -> None:
    with pytest.raises(KernelError, match=r"conv_dx_adjoint_any_nchw does not take.*col2im.*K2"):
        choose("conv_dx", STRIDED, FLOAT32, "conv_dx_adjoint_any_nchw")


@pytest.mark.parametrize("dtype", [np.float16, np.int64, np.complex64, object])
def test_other_dtypes_have_no_kernel(dtype: type) -> None:
    window = PoolWindow.of((1, 1, 4, 4), 2)
    with pytest.raises(KernelError, match=r"no kernel takes these arrays.*float32 or float64.*K3"):
        choose("max_pool", window, np.dtype(dtype))


def rows_chosen(batch: int) -> list[str]:
    sizes = (1, 7, 8, 14, 56, 112)
    windows = [
        ConvWindow.of((batch, c, n, n), (c, c, k, k), padding=k // 2)
        for n in sizes
        for c in (1, 16, 64, 512)
        for k in (1, 3, 5)
    ]
    return [
        choose(operation, window, FLOAT32, prepared=prepared).name
        for operation in ("conv", "conv_dx", "conv_dw")
        for window in windows
        for prepared in (False, True)
    ]


def test_the_batch_has_no_part_in_the_choice() -> None:
    assert rows_chosen(1) == rows_chosen(2) == rows_chosen(128) == rows_chosen(0)


def test_the_row_with_the_fewest_cycles_is_taken() -> None:
    for operation in ("conv", "conv_dx", "conv_dw"):
        taken = choose(operation, CONV, FLOAT32)
        others = candidates(operation, CONV, FLOAT32)
        assert taken.cycles(CONV, FLOAT32) == min(row.cycles(CONV, FLOAT32) for row in others)


def test_exact_keeps_to_rows_with_the_error_of_direct_summation() -> None:
    window = ConvWindow.of((1, 64, 56, 56), (64, 64, 3, 3), padding=1)
    for operation in ("conv", "conv_dx", "conv_dw"):
        assert choose(operation, window, FLOAT32, exact=True).is_exact
        for row in candidates(operation, window, FLOAT32, exact=True):
            assert row.is_exact
            assert row.growth(window) == 1.0


def _window_of(operation: str, size: int) -> ConvWindow | PoolWindow:
    if "pool" in operation:
        return PoolWindow.of((1, 16, size, size), 2)
    return ConvWindow.of((1, 64, size, size), (64, 64, 3, 3), padding=1)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_every_estimate_counts_more_for_more_work_and_less_for_prepared_weights(row) -> None:
    small, large = (_window_of(row.operation, size) for size in (28, 56))
    if not row.costs or not row.applies(small, FLOAT32):
        pytest.skip("has no estimate here")
    plain, prepared = (row.cycles(small, FLOAT32, is_prepared) for is_prepared in (False, True))
    assert 0 < prepared <= plain < row.cycles(large, FLOAT32)
    assert plain < row.cycles(small, np.dtype(np.float64))
