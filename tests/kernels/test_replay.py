"""Calls that come again: the same bits as the first one, with every check still in force."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import faltung
from faltung import functional
from faltung.errors import FaltungError, KernelError
from faltung.geometry import ConvWindow
from faltung.kernels import memory, replay, settings
from faltung.kernels.choose import choose
from faltung.kernels.isa import host_isa
from faltung.kernels.registry import ROWS, Row
from faltung.kernels.replay import Recorder
from faltung.kernels.schedule import alone, recorded

pytestmark = pytest.mark.skipif(host_isa() is None, reason="nothing can be compiled for this CPU")

CASES = [
    ((1, 16, 8, 8), (32, 16, 3, 3), {"padding": 1}),
    ((2, 3, 9, 7), (5, 3, 3, 2), {"padding": ((1, 0), (0, 2)), "stride": (2, 1)}),
    ((1, 1, 8, 8), (1, 1, 3, 3), {}),
    ((3, 8, 11), (6, 4, 3), {"groups": 2, "dilation": 2, "padding": "same"}),
    ((2, 4, 5, 6, 7), (3, 4, 2, 2, 2), {"padding": 1}),
    ((4, 24, 30, 31), (17, 24, 3, 3), {"padding": 1}),
    ((2, 24, 13, 13), (17, 24, 1, 1), {}),
    ((2, 6, 13, 13), (6, 1, 3, 3), {"groups": 6}),
    ((2, 6, 20, 21), (7, 6, 7, 7), {"padding": 3, "stride": 2}),
    ((2, 6, 20, 21), (7, 6, 5, 5), {"padding": 2}),
    ((2, 6, 20, 21), (7, 6, 4, 4), {"padding": 1, "stride": 2}),
    ((3, 8, 90), (6, 8, 9), {"padding": 4}),
]
REPLAYING = [row for row in ROWS if row.replays and row.operation.startswith("conv")]


@pytest.fixture(autouse=True)
def _nothing_remembered() -> Iterator[None]:
    functional._replays.clear()
    yield
    functional._replays.clear()


def drawn(x_shape: Any, w_shape: Any, seed: int, dtype: Any = np.float32) -> list[Any]:
    rng = np.random.default_rng(seed)
    shapes = (x_shape, w_shape, w_shape[:1])
    return [rng.standard_normal(shape).astype(dtype) for shape in shapes]


def given(row: Row, window: ConvWindow, seed: int, biased: bool) -> list[Any]:
    """What a row's operation takes: x or dout with w, and a bias, or x and dout."""
    x, w, b = drawn(window.x_shape, window.w_shape, seed)
    if row.operation == "conv":
        return [x, w, b][: 2 + biased]
    dout = drawn(window.out_shape, window.w_shape, seed + 2)[0]
    if row.operation == "conv_dx":
        return [dout, w, x[0, :, *(0 for _ in window.axes)].copy()][: 2 + biased]
    return [x, dout]


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("x_shape", "w_shape", "options"), CASES)
def test_a_repeated_call_has_the_bits_of_a_first_one(
    x_shape: Any, w_shape: Any, options: Any, dtype: Any, threads: int
) -> None:
    faltung.set_num_threads(threads)
    for biased in (False, True):
        calls = []
        for seed in (1, 2):
            x, w, b = drawn(x_shape, w_shape, seed, dtype)
            calls.append((x, w, b if biased else None))
        wanted = []
        for call in calls:
            functional._replays.clear()
            wanted.append(faltung.conv(*call, **options))
        repeated = [faltung.conv(*call, **options) for call in calls * 2]
        for y, right in zip(repeated, wanted * 2, strict=True):
            np.testing.assert_array_equal(y, right)
    faltung.set_num_threads(None)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("x_shape", "w_shape", "options"),
    [
        ((1, 32, 8, 9), (32, 20, 4, 4), {"stride": 2, "padding": 1}),
        ((2, 32, 8, 9), (32, 8, 2, 2), {"stride": 2, "groups": 2, "output_padding": 1}),
        ((2, 6, 9, 9), (6, 1, 3, 3), {"groups": 6, "padding": 1}),
        ((1, 17, 30, 31), (17, 24, 3, 3), {"dilation": 2}),
    ],
)
def test_a_transposed_convolution_has_the_bits_of_a_first_one(
    x_shape: Any, w_shape: Any, options: Any, dtype: Any
) -> None:
    for biased in (False, True):
        calls = []
        for seed in (1, 2):
            x, w, _ = drawn(x_shape, w_shape, seed, dtype)
            b = drawn((w_shape[1] * options.get("groups", 1),), w_shape, seed, dtype)[0]
            calls.append([x, w, b][: 2 + biased])
        wanted = []
        for call in calls:
            functional._replays.clear()
            wanted.append(faltung.conv_transpose(*call, **options))
        for call, right in zip(calls * 2, wanted * 2, strict=True):
            np.testing.assert_array_equal(faltung.conv_transpose(*call, **options), right)


@pytest.mark.parametrize("row", REPLAYING, ids=lambda row: row.name)
@pytest.mark.parametrize("is_small", [False, True])
def test_every_row_that_says_so_can_be_repeated(row: Row, is_small: bool) -> None:
    """What a row's launches leave out, a repeated call would leave out too."""
    tried = 0
    for x_shape, w_shape, options in CASES:
        window = ConvWindow.of(x_shape, w_shape, **options)
        if not row.applies(window, np.dtype(np.float32)):
            continue
        for biased in (False, True)[: 1 + row.takes("b")]:
            first, second = (given(row, window, seed, biased) for seed in (1, 2))
            with alone(is_small), recorded(Recorder(first)) as recorder:
                y = row.load()(window, *first)
            call = recorder.replay(y, is_small)
            assert call is not None, "an argument is neither an input nor read-only"
            again = call(*second)
            np.testing.assert_array_equal(again, row.load()(window, *second))
            tried += 1
    assert tried


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("by_hand", [False, True])
def test_memory_that_has_to_be_zeros_is(
    threads: int, by_hand: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever other calls have left in a thread's working memory."""
    if by_hand:
        monkeypatch.setattr(replay, "_repeat", lambda runs: None)
    faltung.set_num_threads(threads)
    window = ConvWindow.of((8, 24, 30, 31), (17, 24, 3, 3), padding=1)
    x, dout = drawn(window.x_shape, window.out_shape, 0)[:2]
    row = choose("conv_dw", window, x.dtype, "conv_dw_direct_any_nchw")
    assert row is not None
    with recorded(Recorder([x, dout])) as recorder:
        right = row.load()(window, x, dout)
    assert recorder.zeros
    call = recorder.replay(right, is_small=False)
    assert call is not None
    for value in (1, 255):
        memory.working(1 << 21)[...] = value
        np.testing.assert_array_equal(call(x, dout, None), right)
    faltung.set_num_threads(None)


def test_a_number_of_another_kind_is_another_call() -> None:
    """1, 1.0 and True are equal; whether each is a stride is for the checks to say."""
    known = {functional._exactly(value) for value in (1, 1.0, True, "1", (1, 1), (1.0, 1), [1, 1])}
    assert len(known) == 7
    x, w, _ = drawn((1, 2, 6, 6), (3, 2, 3, 3), 0)
    faltung.conv(x, w, stride=1, padding=(1, 1))
    assert functional._replays
    for wrong in ({"stride": 1.5}, {"padding": ("1", 1)}, {"groups": 2}):
        with pytest.raises(FaltungError):
            faltung.conv(x, w, **{"stride": 1, "padding": (1, 1), **wrong})  # type: ignore[arg-type]


def test_arrays_that_lie_otherwise_are_not_taken_for_those_before() -> None:
    x, w, b = drawn((2, 4, 9, 8), (6, 4, 3, 3), 0)
    right = faltung.conv(x, w, b)
    assert functional._replays
    np.testing.assert_array_equal(faltung.conv(np.asfortranarray(x), w, b), right)
    np.testing.assert_array_equal(faltung.conv(x, w[:, ::-1][:, ::-1], b), right)
    np.testing.assert_array_equal(faltung.conv(x, w, np.repeat(b, 2)[::2]), right)
    wide = faltung.conv(x.astype(np.float64), w, b)
    assert wide.dtype == np.float64
    np.testing.assert_allclose(wide, right, rtol=1e-4, atol=1e-4)


def test_one_array_for_two_inputs_is_not_written_down() -> None:
    x, w, _ = drawn((3, 3, 3, 3), (3, 3, 3, 3), 0)
    faltung.conv(x, x)
    right = faltung.conv(x, w)
    functional._replays.clear()
    np.testing.assert_array_equal(faltung.conv(x, w), right)


def test_what_a_row_keeps_and_might_change_is_not_written_down() -> None:
    """The control: an array that is neither given nor read-only."""
    window = ConvWindow.of((1, 4, 5, 5), (4, 4, 1, 1))
    x, w, _ = drawn(window.x_shape, window.w_shape, 0)
    row = choose("conv", window, x.dtype, "conv_direct_any_nchw")
    with recorded(Recorder([x, w])) as recorder:
        y = row.load()(window, x, w)
    assert recorder.replay(y, is_small=False) is not None
    launch = recorder.launches[-1]
    changed = {**launch.arrays, "offsets": np.array(launch.arrays["offsets"])}
    recorder.launches[-1] = launch._replace(arrays=changed)
    assert recorder.replay(y, is_small=False) is None


def test_a_variable_that_changes_is_seen_by_the_next_call(monkeypatch: pytest.MonkeyPatch) -> None:
    x, w, _ = drawn((1, 2, 6, 6), (3, 2, 3, 3), 0)
    before = settings.token()
    right = faltung.conv(x, w)
    monkeypatch.setenv("FALTUNG_KERNEL", "no such row")
    assert settings.token() != before
    with pytest.raises(KernelError, match="K1"):
        faltung.conv(x, w)
    monkeypatch.setenv("FALTUNG_KERNEL", "")
    assert settings.token() == before
    np.testing.assert_array_equal(faltung.conv(x, w), right)


def test_exact_is_0_or_1(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FALTUNG_EXACT", "1")
    assert settings.settings().is_exact
    monkeypatch.setenv("FALTUNG_EXACT", "yes")
    with pytest.raises(KernelError, match=r"FALTUNG_EXACT: must be 0 or 1, got .*'yes'.*K5"):
        faltung.conv(*drawn((1, 1, 4, 4), (1, 1, 3, 3), 0)[:2])


def test_only_so_many_calls_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(functional, "_REPLAYS", 3)
    w = np.ones((1, 1, 2), np.float32)
    for size in range(2, 12):
        faltung.conv(np.ones((1, 1, size), np.float32), w)
        assert len(functional._replays) <= 3


def test_working_memory_is_kept_reported_and_given_back() -> None:
    memory.release()
    before = memory.kept_bytes()
    x, w, _ = drawn((1, 16, 20, 20), (32, 16, 3, 3), 0)
    faltung.conv(x, w)
    faltung.conv(x, w)
    after = memory.kept_bytes()
    assert after > before
    for _ in range(3):
        faltung.conv(x, w)
    assert memory.kept_bytes() == after
    memory.working(memory.KEPT + 1)
    assert memory.kept_bytes() == after
    memory.release()
    assert memory.kept_bytes() == before


@pytest.mark.parametrize(("x_shape", "w_shape", "options"), CASES[:2] + CASES[5:6])
def test_records_can_be_laid_down_by_hand(
    x_shape: Any, w_shape: Any, options: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where NumPy's arrays do not begin with their address."""
    monkeypatch.setattr(replay, "_repeat", lambda runs: None)
    x, w, b = drawn(x_shape, w_shape, 0)
    right = faltung.conv(x, w, b, **options)
    assert functional._replays
    for _ in range(2):
        np.testing.assert_array_equal(faltung.conv(x, w, b, **options), right)
