"""Filters of one channel against their definition, with an unreadable page behind every buffer."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from faltung.geometry.border import BORDERS, source
from faltung.kernels import (
    filter2d_call,
    filters,
    frames,
    passes2d_call,
    taps1d_call,
    toom1d_call,
    toom2d_call,
)
from faltung.kernels.filter_choice import DIRECT, FFT, TOOM, algorithm
from faltung.kernels.isa import ISAS, VARIABLE, has, host_isa
from faltung.kernels.registry import gamma
from faltung.kernels.toom_form import FORM, GROWTH, at_points

pytestmark = pytest.mark.skipif(host_isa() is None, reason="nothing can be compiled for this CPU")
HERE = [isa.name for isa in ISAS if has(isa)]
KINDS = [
    ("uint8", "float32", "uint8"),
    ("float32", "float32", "float32"),
    ("float64", "float64", "float64"),
    ("int16", "float64", "int64"),
    ("float32", "float64", "int16"),
    ("uint16", "float32", "int8"),
]
Pads = tuple[tuple[int, int], tuple[int, int]]


def framed(x: Any, pads: Any, border: str, channels: int = 1) -> Any:
    """Return images (N, H, W * channels) with their border, as float64."""
    x = x.reshape(*x.shape[:2], -1, channels).astype(np.float64)
    for axis, (lo, hi) in enumerate(pads, start=1):
        at = [source(border, i, x.shape[axis]) for i in range(-lo, x.shape[axis] + hi)]
        x = np.stack(
            [x.take(i, axis) if i is not None else np.zeros_like(x.take(0, axis)) for i in at], axis
        )
    return x


def by_definition(x: Any, w: Any, pads: Any, border: str, channels: int, to: Any) -> Any:
    """Sum products of shifted frames, in float64; rounded and clipped for integers."""
    frame = framed(x, pads, border, channels)
    height, width = (frame.shape[1 + i] - w.shape[i] + 1 for i in range(2))
    y = np.zeros((len(x), max(0, height), max(0, width), channels))
    for ky, kx in np.ndindex(*w.shape):
        y += float(w[ky, kx]) * frame[:, ky : ky + y.shape[1], kx : kx + y.shape[2]]
    if np.dtype(to).kind == "i" or np.dtype(to).kind == "u":
        y = np.clip(np.rint(y), np.iinfo(to).min, np.iinfo(to).max)
    return y.reshape(*y.shape[:2], -1)


def drawn(seed: int, largest: int = 24) -> tuple[Any, Any, Pads, str, int, str]:
    rng = np.random.default_rng(seed)
    kind, number, to = KINDS[seed % len(KINDS)]
    height, width = (int(n) for n in rng.integers(1, 90, 2))
    # Few heights: each is a kernel of its own that has to be compiled.
    rows = int(rng.choice([1, 5, 18])) if largest < 40 else int(rng.choice([15, 33]))
    columns, channels = int(rng.integers(1, largest)), int(rng.choice([1, 1, 3]))
    x = rng.integers(0, 9, (2, height, width * channels)).astype(kind)
    w = rng.integers(-4, 5, (rows, columns)).astype(number)
    lo, left = int(rng.integers(0, rows)), int(rng.integers(0, columns))
    pads = ((lo, rows - 1 - lo + int(rng.integers(0, 2))), (left, columns - 1 - left))
    return x, w, pads, str(rng.choice(BORDERS)), channels, to


@pytest.mark.parametrize("isa", HERE)
def test_images(isa: str, guarded: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exact on small integers, for every border and type, no stray byte."""
    monkeypatch.setenv(VARIABLE, isa)
    for seed in range(24):
        x, w, pads, border, channels, to = drawn(seed)
        y = filter2d_call.filter_images(
            guarded.copy(x), w, pads, border, channels=channels, dtype=np.dtype(to)
        )
        wanted = by_definition(x, w, pads, border, channels, to)
        np.testing.assert_array_equal(y, wanted, err_msg=f"seed {seed}")
        guarded.check()


@pytest.mark.parametrize("isa", HERE)
def test_signals(isa: str, guarded: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same for signals, whose taps are rows of vectors."""
    monkeypatch.setenv(VARIABLE, isa)
    for seed in range(18):
        rng = np.random.default_rng(seed)
        kind, number, to = KINDS[seed % 3]
        samples, taps = int(rng.integers(1, 20_000)), int(rng.choice([1, 7, 16, 33, 290]))
        x = rng.integers(0, 9, (2, samples)).astype(kind)
        w = rng.integers(-4, 5, taps).astype(number)
        pads, border = (taps // 3, taps - 1 - taps // 3), str(rng.choice(BORDERS))
        y = taps1d_call.filter_signals(guarded.copy(x), w, pads, border, dtype=np.dtype(to))
        both = ((0, 0), pads)
        wanted = by_definition(x[:, np.newaxis], w[np.newaxis], both, border, 1, to)
        np.testing.assert_array_equal(y, wanted[:, 0], err_msg=f"seed {seed}")
        guarded.check()


@pytest.mark.parametrize("isa", HERE)
def test_passes(isa: str, guarded: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Outer products in one visit: exact on small integers."""
    monkeypatch.setenv(VARIABLE, isa)
    for seed in range(12):
        x, w, pads, border, channels, to = drawn(seed)
        down, across = w[:, 0], w[0]
        given = (guarded.copy(x), down, across, pads, border)
        y = passes2d_call.passes_images(*given, channels=channels, dtype=np.dtype(to))
        wanted = by_definition(x, np.outer(down, across), pads, border, channels, to)
        np.testing.assert_array_equal(y, wanted, err_msg=f"seed {seed}")
        guarded.check()


def toom_bound(w: Any, largest: float, axes: int) -> float:
    """What the module states, with the rounding of the transforms as further terms."""
    return GROWTH**axes * gamma(w.size + 16 * axes, w.dtype) * largest * float(np.abs(w).sum())


@pytest.mark.parametrize("isa", HERE)
@pytest.mark.parametrize("number", ["float32", "float64"])
def test_toom_on_images(
    isa: str, number: str, guarded: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within the bound that the matrices give."""
    monkeypatch.setenv(VARIABLE, isa)
    for seed in range(6):
        _, w, pads, border, _, _ = drawn(seed, 60)
        rng = np.random.default_rng(seed)
        x = rng.standard_normal((2, *rng.integers(1, 150, 2))).astype(number)
        w = rng.standard_normal(w.shape).astype(number)
        y = toom2d_call.toom_images(guarded.copy(x), w, pads, border)
        wanted = by_definition(x, w, pads, border, 1, number)
        bound = toom_bound(w, float(np.abs(x).max()), 2) + gamma(w.size, np.dtype("f8"))
        assert np.abs(y - wanted).max(initial=0) <= bound
        guarded.check()


@pytest.mark.parametrize("isa", HERE)
@pytest.mark.parametrize("number", ["float32", "float64"])
def test_toom_on_signals(
    isa: str, number: str, guarded: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, isa)
    for seed, taps in enumerate((15, 64, 290)):
        rng = np.random.default_rng(seed)
        x = rng.standard_normal((2, int(rng.integers(1, 40_000)))).astype(number)
        w = rng.standard_normal(taps).astype(number)
        pads, both = (taps - 1, 3), ((0, 0), (taps - 1, 3))
        y = toom1d_call.toom_signals(guarded.copy(x), w, pads, "replicate")
        wanted = by_definition(x[:, np.newaxis], w[np.newaxis], both, "replicate", 1, number)[:, 0]
        assert np.abs(y - wanted).max(initial=0) <= toom_bound(w, float(np.abs(x).max()), 1)
        guarded.check()


def test_the_matrices_are_right() -> None:
    """Four outputs of four taps, exactly: the identity that all else rests on."""
    x, w = np.arange(7.0), np.array([2.0, -1, 3, 5])
    a, g, b = (
        np.array(m, np.float64) for m in (FORM.to_output, FORM.from_weights, FORM.from_input)
    )
    np.testing.assert_allclose(a @ ((g @ w) * (b @ x)), np.correlate(x, w), rtol=1e-13)
    np.testing.assert_allclose(at_points(w, 0)[:, 0], g @ w, rtol=1e-15)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_toom_keeps_what_is_not_finite_to_its_outputs(value: float) -> None:
    """Blocks that it spoils are summed directly."""
    x, w = np.ones((1, 80, 300), np.float32), np.ones((15, 15), np.float32)
    x[0, 40, 100] = value
    y = toom2d_call.toom_images(x, w, ((7, 7), (7, 7)))
    assert (~np.isfinite(y)).sum() == 225
    assert not np.isfinite(y[0, 33:48, 93:108]).any()
    line = toom1d_call.toom_signals(x[:, 40], w[0], (7, 7))
    assert (~np.isfinite(line)).sum() == 15


@pytest.mark.parametrize("by", ["filter", "toom"])
def test_schedules_change_no_bit(by: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads, the size of tiles, and images beside each other."""
    rng = np.random.default_rng(1)
    x = rng.standard_normal((2, 150, 400)).astype(np.float32)
    w = rng.standard_normal((16, 19)).astype(np.float32)
    module = filter2d_call if by == "filter" else toom2d_call
    run = filter2d_call.filter_images if by == "filter" else toom2d_call.toom_images
    pads = ((8, 7), (9, 9))
    wanted = run(x, w, pads, "reflect").copy()
    for threads in "123":
        monkeypatch.setenv("FALTUNG_NUM_THREADS", threads)
        for _ in range(3):
            assert (run(x, w, pads, "reflect") == wanted).all()
    assert (run(x[1:], w, pads, "reflect") == wanted[1:]).all()
    monkeypatch.setattr(module, "FRAME_BYTES", 30_000, raising=False)
    monkeypatch.setattr(module, "TILE", (32, 128), raising=False)
    module._layout.cache_clear()
    assert (run(x, w, pads, "reflect") == wanted).all()
    module._layout.cache_clear()


def test_a_broken_table_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: a border that is one off is found."""
    x, w, pads, border, channels, to = drawn(1)
    table = frames.row_table
    monkeypatch.setattr(filter2d_call, "row_table", lambda *a: np.roll(table(*a), 1))
    y = filter2d_call.filter_images(x, w, pads, border, channels=channels, dtype=np.dtype(to))
    assert not (y == by_definition(x, w, pads, border, channels, to)).all()


def test_images_by_transforms_have_their_border(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every border, and the same as direct sums but for rounding."""
    rng = np.random.default_rng(5)
    x, w = rng.standard_normal((70, 90)), rng.standard_normal((33, 21))
    pads = [(16, 16), (10, 10)]
    for border in BORDERS:
        how: dict[str, Any] = {"channels": 1, "dtype": np.dtype(np.float64)}
        direct = filters.images(x, [w], pads, border, **how, is_direct=True)
        monkeypatch.setattr(filters, "algorithm", lambda *a: FFT)
        y = filters.images(x, [w], pads, border, **how, is_direct=False)
        monkeypatch.undo()
        np.testing.assert_allclose(y, direct, atol=1e-11)


def test_which_algorithm() -> None:
    """Each has sizes for which it is taken; exact mode keeps to direct sums."""
    assert algorithm((2048, 2048), (7, 7), 4) == DIRECT
    assert algorithm((2048, 2048), (31, 31), 8) == TOOM
    assert algorithm((2048, 2048), (500, 500), 4) == FFT
    assert algorithm((20, 20), (15, 15), 4) == DIRECT


def test_exact_mode_sums_directly(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(6)
    x, w = rng.standard_normal((200, 300)), rng.standard_normal((31, 31))
    how: dict[str, Any] = {"channels": 1, "dtype": np.dtype(np.float64)}
    pads = [(15, 15), (15, 15)]
    direct = filters.images(x, [w], pads, "zeros", **how, is_direct=True)
    assert (filters.images(x, [w], pads, "zeros", **how, is_direct=False) != direct).any()
    monkeypatch.setenv("FALTUNG_EXACT", "1")
    assert (filters.images(x, [w], pads, "zeros", **how, is_direct=False) == direct).all()
