"""Cook and Toom's matrices exactly, and Winograd's convolution within the bound they give."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np
import pytest

from faltung.errors import GeometryError, KernelError
from faltung.geometry.window import ConvWindow
from faltung.kernels import winograd_call, winograd_schedule
from faltung.kernels.cook_toom import CookToom, cook_toom
from faltung.kernels.epilogue import Epilogue
from faltung.kernels.isa import AVX2, AVX512, ISAS, SSE, VARIABLE, has
from faltung.kernels.linear import times
from faltung.kernels.numpy_conv import conv as numpy_conv
from faltung.kernels.numpy_conv import conv_dx as numpy_conv_dx
from faltung.kernels.registry import ROWS, Row
from faltung.kernels.winograd_cost import APART, TAPS, adjoint, tiles_of

FORMS = [
    (1, 1),
    (2, 3),
    (4, 3),
    (3, 3),
    (6, 3),
    (2, 5),
    (3, 5),
    (4, 2),
    (2, 2),
    (4, 4),
    (3, 1),
    (1, 3),
]
CALLS = tuple(f"faltung.kernels.winograd_{name}:" for name in ("call", "rows_call"))
MINE = {row.name: row for row in ROWS if row.function.startswith(CALLS)}
FORWARD = [row for row in MINE.values() if row.operation == "conv"]
HERE = [isa.name for isa in ISAS if has(isa)]
NAMED = {"ids": lambda row: row.name}


def exact_product(matrix: Any, column: Any) -> list[Fraction]:
    """Multiply exactly."""
    return [sum((a * b for a, b in zip(row, column, strict=True)), Fraction(0)) for row in matrix]


@pytest.mark.parametrize(("outputs", "taps"), FORMS)
def test_matrices_correlate_exactly(outputs: int, taps: int) -> None:
    """In fractions the three matrices give the correlation itself."""
    form = cook_toom(outputs, taps)
    rng = np.random.default_rng(0)
    for _ in range(5):
        x = [Fraction(int(v)) for v in rng.integers(-9, 10, form.size)]
        w = [Fraction(int(v)) for v in rng.integers(-9, 10, taps)]
        u, v = exact_product(form.from_weights, w), exact_product(form.from_input, x)
        y = exact_product(form.to_output, [a * b for a, b in zip(u, v, strict=True)])
        assert y == [sum(x[i + k] * w[k] for k in range(taps)) for i in range(outputs)]


@pytest.mark.parametrize(
    "form", [cook_toom(*form) for form in ((2, 3), (3, 3), (4, 3), (2, 5), (3, 5), (4, 2), (2, 4))]
)
def test_constants_are_not_rounded(form: CookToom) -> None:
    """What is compiled into the transforms of inputs and outputs is exact in float32."""
    entries = {v for matrix in (form.from_input, form.to_output) for row in matrix for v in row}
    halves = {v / 2 for v in entries}
    assert all(Fraction(float(np.float32(float(v)))) == v for v in entries | halves)


class Numbers:
    """Stands for `Code`: vectors are plain fractions."""

    def constant(self, value: float) -> Fraction:
        return Fraction(value)

    def fma(self, a: Fraction, b: Fraction, c: Fraction) -> Fraction:
        return a * b + c


@pytest.mark.parametrize(("outputs", "taps"), [(2, 3), (3, 3), (4, 3), (2, 5), (3, 5)])
def test_shared_work_is_the_same_product(outputs: int, taps: int) -> None:
    """`times` gives the matrix product, by whatever it shares."""
    form = cook_toom(outputs, taps)
    column = [Fraction(int(v)) for v in np.random.default_rng(1).integers(-99, 99, form.size)]
    for matrix in (form.from_input, form.to_output):
        assert times(Numbers(), matrix, column) == exact_product(matrix, column)  # type: ignore[arg-type]


def drawn(
    seed: int, taps: int, dtype: Any, depth: tuple[int, ...] = (), dilation: Any = 1
) -> tuple[ConvWindow, Any, Any, Any] | None:
    """Return a random geometry with floats for it; None for one that is refused or empty.

    With a ``depth``, one of volumes: the kernel has so many taps in depth.
    """
    rng = np.random.default_rng(seed)
    groups = int(rng.choice([1, 1, 2]))
    channels, out = groups * int(rng.integers(1, 40)), groups * int(rng.integers(1, 40))
    x_shape = (int(rng.integers(1, 6)), channels, *(int(n) for n in rng.integers(1, 40, 2)))
    padding = [(int(a), int(b)) for a, b in rng.integers(-2, 5, (2, 2))]
    w_shape = (out, channels // groups, *depth, taps, taps)
    if depth:
        x_shape = (*x_shape[:2], int(rng.integers(3, 9)), *(n // 2 + 4 for n in x_shape[2:]))
        padding = [(int(rng.integers(-1, 3)), int(rng.integers(-1, 3))), *padding]
    try:
        slide = {"padding": padding, "dilation": dilation}
        window = ConvWindow.of(x_shape, w_shape, **slide, groups=groups)
    except GeometryError:
        return None
    if any(axis.out_size < axis.dilation for axis in window.axes):
        return None
    return window, *(rng.standard_normal(s).astype(dtype) for s in (x_shape, w_shape, (out,)))


def largest(window: ConvWindow, x: Any, block: int) -> Any:
    """Return, for each output, the largest number that the tiles of its place and group read.

    With a dilation, that all phases' tiles there read.
    """
    blocks = tuple(block * axis.dilation for axis in window.axes)
    spans = tuple(n + axis.extent - 1 for n, axis in zip(blocks, window.axes, strict=True))
    room = [-(-a.out_size // n) * n + a.extent for n, a in zip(blocks, window.axes, strict=True)]
    padded = np.zeros((*x.shape[:2], *room))
    part, inside = np.abs(x), [slice(None)] * 2
    for axis, (side, most) in enumerate(zip(window.axes, room, strict=True), start=2):
        lead = max(0, side.pad_lo)
        part = np.take(part, range(max(0, -side.pad_lo), side.size), axis)
        part = np.take(part, range(min(part.shape[axis], max(0, most - lead))), axis)
        inside.append(slice(lead, lead + part.shape[axis]))
    padded[tuple(inside)] = part
    every = tuple(range(2, x.ndim))
    views = np.lib.stride_tricks.sliding_window_view(padded, spans, every)
    firsts = [slice(None, None, n) for n in blocks]
    whole = views[(..., *firsts, *[slice(None)] * len(every))].max(
        tuple(range(x.ndim, x.ndim + len(every)))
    )
    whole = whole.reshape(len(x), window.groups, -1, *whole.shape[2:]).max(2)
    for axis, side in enumerate(window.axes, start=2):
        whole = np.take(whole.repeat(blocks[axis - 2], axis), range(side.out_size), axis)
    return whole.repeat(window.group_out, 1)


def bound(row: Row, window: ConvWindow, x: Any, w: Any, b: Any = 0.0) -> Any:
    """Return how far rounding may move each output; of a gradient, ``x`` is `dout`."""
    ones = (1,) * len(window.axes)
    if row.operation == "conv":
        weights = np.abs(w).reshape(len(w), -1).sum(1, dtype=np.float64)
        total = largest(window, x, row.block) * weights.reshape(-1, *ones)
    else:
        grouped = np.abs(w).reshape(window.groups, window.group_out, window.group_in, -1)
        weights = grouped.sum((1, 3), dtype=np.float64).ravel()
        total = largest(adjoint(window), x, row.block) * weights.reshape(-1, *ones)
    return row.error_bound(window, x.dtype) * (total + np.abs(b))


def wide(*arrays: Any) -> list[Any]:
    """Return the same numbers with more digits."""
    return [array.astype(np.longdouble if array.dtype == np.float64 else float) for array in arrays]


def exact_conv(window: ConvWindow, x: Any, w: Any, b: Any) -> Any:
    """Convolve with more digits than the arrays have."""
    x, w, b = wide(x, w, b)
    grouped = w.reshape(window.groups, -1, *w.shape[1:])
    lead = [(max(0, axis.pad_lo), max(0, axis.pad_hi)) for axis in window.axes]
    x = np.pad(x, ((0, 0), (0, 0), *lead))
    for axis, side in enumerate(window.axes, start=2):
        x = np.take(x, range(max(0, -side.pad_lo), x.shape[axis] - max(0, -side.pad_hi)), axis)
    y = np.zeros(window.out_shape, x.dtype)
    parts = np.split(x, window.groups, 1)
    for tap in np.ndindex(window.kernel):
        starts = (k * axis.dilation for k, axis in zip(tap, window.axes, strict=True))
        here = tuple(slice(k, k + n) for k, n in zip(starts, window.out_space, strict=True))
        for g, part in enumerate(parts):
            outs = slice(g * window.group_out, (g + 1) * window.group_out)
            weights = grouped[(g, slice(None), slice(None), *tap)]
            y[:, outs] += np.einsum("nc...,oc->no...", part[(..., *here)], weights)
    return y + spread(b, window)


def spread(b: Any, window: ConvWindow) -> Any:
    """Return one number for each channel such that it is added to all of its pixels."""
    return b.reshape(-1, *(1,) * len(window.axes))


def run(row: Row, window: ConvWindow, x: Any, w: Any, b: Any, guarded: Any) -> Any:
    """Return a row's error over what is allowed."""
    x, w = guarded.copy(x), guarded.copy(w)
    if row.operation == "conv":
        y, wanted = row.load()(window, x, w, b), exact_conv(window, x, w, b)
        return np.abs(y - wanted) / np.maximum(bound(row, window, x, w, spread(b, window)), 1e-300)
    rng = np.random.default_rng(len(x))
    dout = guarded.copy(rng.standard_normal(window.out_shape).astype(x.dtype))
    back = adjoint(window)
    flipped = w.reshape(window.groups, window.group_out, -1, *w.shape[2:])
    flipped = np.flip(flipped.swapaxes(1, 2).reshape(back.w_shape), range(2, w.ndim))
    y = row.load()(window, dout, w)
    wanted = exact_conv(back, dout, flipped, np.zeros(back.out_channels, x.dtype))
    return np.abs(y - wanted) / np.maximum(bound(row, window, dout, w), 1e-300)


@pytest.mark.parametrize("isa", HERE)
@pytest.mark.parametrize("row", MINE.values(), **NAMED)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_within_the_bound(
    row: Row, dtype: Any, isa: str, guarded: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Random geometries with every kernel that the row takes; no stray byte."""
    monkeypatch.setenv(VARIABLE, isa)
    worst, seeds = 0.0, range(5 if dtype == np.float32 else 3)
    forms: list[tuple[Any, Any]] = [((), 1), ((1,), 1), ((3,), 1), ((4,), 1)]
    forms += [((), (3, 2)), ((2,), (1, 2, 2))]
    if isa != HERE[0] or dtype != np.float32:  # whose code is of the same source
        forms = forms[::4]
    for taps, (depth, dilation) in product(TAPS[row.block], forms):
        some = range(12) if dilation != 1 else seeds[:3] if depth else seeds
        found = [drawn(s, taps, dtype, depth, dilation) for s in some]
        fits = [case for case in found if case and row.applies(case[0], np.dtype(dtype))]
        cases = fits[: 2 if depth else len(seeds)]
        assert cases or depth or dilation != 1
        for window, x, w, b in cases:
            shares = run(row, window, x, w, b, guarded)
            worst = max(worst, float(shares.max()))
            assert worst <= 1, window
            guarded.check()
    # The bound is of the right size: it is neither never nor nearly reached.
    assert worst > 1e-5


@pytest.mark.parametrize("isa", HERE)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_signals_and_slices_have_rows(
    dtype: Any, isa: str, guarded: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One row that is dealt out, and kernels that reach in depth alone, forward and back."""
    monkeypatch.setenv(VARIABLE, isa)
    rng = np.random.default_rng(5)
    for shape, out, kernel, padding in (
        ((2, 6, 203), 5, (3,), 1),
        ((1, 8, 331), 6, (9,), ((5, 2),)),
        ((3, 40, 70), 3, (6,), ((-2, 3),)),
        ((1, 30, 6, 5, 11), 7, (3, 1, 1), ((1, 2), (0, 0), (0, 0))),
    ):
        window = ConvWindow.of(shape, (out, shape[1], *kernel), padding=padding)
        w, b = (rng.standard_normal(s).astype(dtype) for s in (window.w_shape, (out,)))
        for row in (row for name, row in MINE.items() if "_rows_" in name):
            read = window.x_shape if row.operation == "conv" else window.out_shape
            x = rng.standard_normal(read).astype(dtype)
            assert row.applies(window, np.dtype(dtype))
            shares = run(row, window, x, w, b, guarded)
            assert 1e-6 < shares.max() <= 1, (row.name, window)
            guarded.check()


@pytest.mark.parametrize("outputs", [2, 4])
@pytest.mark.parametrize("shape", [(1, 150, 14, 11), (3, 70, 5, 6)])
def test_weights_transformed_before_or_as_they_are_used(
    outputs: int, shape: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A block that alone uses a panel transforms it, in several goes: the same bits."""
    rng = np.random.default_rng(2)
    window = ConvWindow.of(shape, (70, shape[1], 3, 3), padding=1)
    x, w = (rng.standard_normal(s).astype(np.float32) for s in (shape, window.w_shape))
    row = MINE[f"conv_winograd_f{outputs}_any_nchw"]
    wanted = row.load()(window, x, w, packed=row.pack(window, w))
    isa = winograd_call.required_isa("winograd")
    for threads in (1, 2, 3):
        monkeypatch.setenv("FALTUNG_NUM_THREADS", str(threads))
        layout = winograd_schedule.layout_of(window, x.dtype, isa, outputs, threads, False)
        assert not layout.is_packed
        assert (row.load()(window, x, w) == wanted).all()


@pytest.mark.parametrize("row", FORWARD, **NAMED)
def test_the_bound_can_fail(row: Row) -> None:
    """The control: a swapped kernel is far outside it."""
    case = drawn(1, TAPS[row.block][0], np.float32)
    assert case is not None
    window, x, w, b = case
    y = row.load()(window, x, np.ascontiguousarray(w[:, :, ::-1]), b)
    wanted = exact_conv(window, x, w, b)
    assert not (np.abs(y - wanted) <= bound(row, window, x, w, spread(b, window))).all()


@pytest.mark.parametrize("isa", HERE)
def test_the_exact_sum_is_the_other_row_s(isa: str) -> None:
    """The oracle of this file agrees with the NumPy row."""
    case = drawn(3, 5, np.float32)
    assert case is not None
    window, *arrays = case
    wanted = numpy_conv(window, *(a.astype(float) for a in arrays))
    np.testing.assert_allclose(exact_conv(window, *arrays), wanted, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("row", FORWARD, **NAMED)
@pytest.mark.parametrize("name", ["", "relu", "leaky_relu", "clip"])
def test_what_follows_is_fused(row: Row, name: str) -> None:
    """Bias, residual and activation give what they give afterwards, into a given array."""
    rng = np.random.default_rng(4)
    taps = TAPS[row.block][0]
    x, w = rng.standard_normal((2, 20, 9, 11)), rng.standard_normal((37, 20, taps, taps))
    x, w = x.astype(np.float32), w.astype(np.float32)
    window = ConvWindow.of(x.shape, w.shape, padding=1)
    b, residual = (rng.standard_normal(s).astype(np.float32) for s in (37, window.out_shape))
    out, packed = np.empty(window.out_shape, np.float32), row.pack(window, w)
    y = row.load()(
        *(window, x, w, b),
        out=out,
        packed=packed,
        epilogue=Epilogue(name, 0.25 if name == "leaky_relu" else -1.0, 2.0, residual),
    )
    assert y is out
    plain = row.load()(window, x, w, b) + residual
    followed = {
        "": plain,
        "relu": np.maximum(plain, 0),
        "leaky_relu": np.where(plain < 0, plain * np.float32(0.25), plain),
        "clip": np.clip(plain, -1, 2),
    }
    np.testing.assert_array_equal(y, followed[name])


SHAPES = [
    ((3, 17, 33, 30), 40, 1),
    ((5, 40, 9, 6), 100, 1),
    ((1, 20, 70, 70), 24, 2),
    ((9, 16, 4, 4), 16, 1),
    ((3, 20, 7, 13, 18), 40, 2),
]


def shaped(row: Row, shape: Any, out: int, groups: int) -> ConvWindow:
    """Return a geometry with the first kernel that a row takes; two taps in depth."""
    kernel = (*(2,) * (len(shape) - 4), *(TAPS[row.block][0],) * 2)
    return ConvWindow.of(shape, (out, shape[1] // groups, *kernel), padding=1, groups=groups)


@pytest.mark.parametrize("row", MINE.values(), **NAMED)
def test_threads_and_batches_change_no_bit(row: Row, monkeypatch: pytest.MonkeyPatch) -> None:
    """1 to 3 threads, and images one by one."""
    rng = np.random.default_rng(1)
    windows = [shaped(row, *case) for case in SHAPES]
    for window in (w for w in windows if row.applies(w, np.dtype(np.float32))):
        one = replace(window, batch=1)
        read = window.x_shape if row.operation == "conv" else window.out_shape
        x, w = (rng.standard_normal(s).astype(np.float32) for s in (read, window.w_shape))
        found = []
        for threads in "123":
            monkeypatch.setenv("FALTUNG_NUM_THREADS", threads)
            found.append(row.load()(window, x, w))
            singly = [row.load()(one, x[i : i + 1], w) for i in range(len(x))]
            found.append(np.concatenate(singly))
        assert all((y == found[0]).all() for y in found)


def test_schedules_change_no_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    """However blocks are cut, in both modes: many tiles a block, or all output channels dealt."""
    rng = np.random.default_rng(2)
    x = rng.standard_normal((5, 36, 22, 18)).astype(np.float32)
    w = rng.standard_normal((150, 36, 3, 3)).astype(np.float32)
    window = ConvWindow.of(x.shape, w.shape, padding=((2, 0), (1, 1)))
    wanted = winograd_call.conv(window, x, w, outputs=4)
    rows, columns = tiles_of(window, 4)
    cuts = [(1, 1, 1), (1, 2, 3), (1, rows, columns), (1, rows, 2), (2, rows, columns)]
    for cut in [*cuts, (5, rows, columns)]:
        for parts, together, pixels in ((1, 2, 14), (1, 5, 3), (3, 1, 7), (5, 1, 14)):
            plan = winograd_schedule.Schedule(*cut, parts, together, pixels)
            winograd_schedule.layout_of.cache_clear()
            monkeypatch.setattr(winograd_schedule, "schedule_of", lambda *given, p=plan: p)
            np.testing.assert_array_equal(winograd_call.conv(window, x, w, outputs=4), wanted)
    winograd_schedule.layout_of.cache_clear()


def test_schedules_of_phases_change_no_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks that begin and end within a phase, or have parts of several."""
    rng = np.random.default_rng(2)
    x = rng.standard_normal((2, 18, 31, 38)).astype(np.float32)
    w = rng.standard_normal((40, 18, 3, 3)).astype(np.float32)
    window = ConvWindow.of(x.shape, w.shape, padding=((3, 2), (2, 1)), dilation=(3, 2))
    wanted = winograd_call.conv(window, x, w, outputs=2)
    rows, columns = tiles_of(window, 2)
    for frames, height, width in product((1, 2), (1, 4, 7, rows), (2, 6, columns)):
        plan = winograd_schedule.Schedule(frames, height, width, 2, 1, 5)
        winograd_schedule.layout_of.cache_clear()
        monkeypatch.setattr(winograd_schedule, "schedule_of", lambda *given, p=plan: p)
        np.testing.assert_array_equal(winograd_call.conv(window, x, w, outputs=2), wanted)
    winograd_schedule.layout_of.cache_clear()


def test_schedules_of_volumes_change_no_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many slices, rows and columns a block has; edges leave blocks of all sizes."""
    rng = np.random.default_rng(2)
    x = rng.standard_normal((2, 18, 7, 22, 18)).astype(np.float32)
    w = rng.standard_normal((40, 18, 3, 3, 3)).astype(np.float32)
    window = ConvWindow.of(x.shape, w.shape, padding=((2, 1), (2, 0), (1, 1)))
    wanted = winograd_call.conv(window, x, w, outputs=4)
    for frames, rows, columns in product((1, 3, 8), (1, 4, 6), (2, 5)):
        plan = winograd_schedule.Schedule(frames, rows, columns, 2, 1, 5)
        winograd_schedule.layout_of.cache_clear()
        monkeypatch.setattr(winograd_schedule, "schedule_of", lambda *given, p=plan: p)
        np.testing.assert_array_equal(winograd_call.conv(window, x, w, outputs=4), wanted)
    winograd_schedule.layout_of.cache_clear()


@pytest.mark.parametrize("isa", [isa for isa in (AVX512, AVX2, SSE) if has(isa)])
def test_large_images_and_layers_have_blocks_that_fit(isa: Any) -> None:
    """Working memory stays bounded for any geometry."""
    for shape, out in (
        ((1, 64, 5000, 5000), 64),
        ((1, 512, 3, 100_000), 512),
        ((999, 8, 2, 2), 8),
        ((1, 64, 200, 300, 500), 64),
    ):
        w_shape = (out, shape[1], *(3,) * (len(shape) - 2))
        window = ConvWindow.of(shape, w_shape, padding=1)
        layout = winograd_schedule.layout_of(window, np.dtype(np.float32), isa, 4, 2)
        assert layout.fields["scratch_size"] * 4 < 48 << 20
        assert layout.blocks >= 2
    for dilation in (2, 24, APART):
        window = ConvWindow.of(
            (1, 512, 500, 3000), (512, 512, 3, 3), padding=dilation, dilation=dilation
        )
        layout = winograd_schedule.layout_of(window, np.dtype(np.float32), isa, 4, 2)
        assert layout.fields["scratch_size"] * 4 < 48 << 20


@pytest.mark.parametrize("row", MINE.values(), **NAMED)
@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("dilation", [1, 2])
def test_non_finite_inputs_stay_in_their_tiles(row: Row, value: float, dilation: int) -> None:
    """Wherever the definition has them, and in no tile that does not read them."""
    m, n, taps = row.block, 22, TAPS[row.block][0]
    half = taps // 2
    pad = half * dilation
    window = ConvWindow.of((1, 3, n, n), (5, 3, taps, taps), padding=pad, dilation=dilation)
    if not row.applies(window, np.dtype(np.float32)):
        return
    x = np.ones((1, 3 if row.operation == "conv" else 5, n, n), np.float32)
    x[0, 1, 9, 13] = value
    w = np.random.default_rng(0).standard_normal(window.w_shape).astype(np.float32)
    with np.errstate(invalid="ignore"):
        y = row.load()(window, x, w)

    def read(place: int) -> Any:
        """Which outputs have a tile that reads a place: those of its phase, near enough."""
        turns, phases = np.divmod(np.arange(n), dilation)
        turn, phase = divmod(place, dilation)
        first = turns // m * m
        return (phases == phase) & (first - half <= turn) & (turn < first + m + half)

    is_tile = read(9)[:, None] & read(13)
    is_lost = ~np.isfinite(y[0])
    rows, columns = (slice(at - pad, at + pad + 1, dilation) for at in (9, 13))
    assert is_lost[:, rows, columns].all()
    assert not is_lost[:, ~is_tile].any()


@pytest.mark.parametrize("row", MINE.values(), **NAMED)
def test_what_is_cropped_is_not_read(row: Row) -> None:
    """Negative padding crops, and what no window reaches does not count either."""
    rng = np.random.default_rng(6)
    taps = TAPS[row.block][0]
    window = ConvWindow.of((1, 2, 12, 13), (3, 2, taps, taps), padding=((-2, -1), (-1, -3)))
    w = rng.standard_normal(window.w_shape).astype(np.float32)
    if row.operation == "conv_dx":
        dout = rng.standard_normal(window.out_shape).astype(np.float32)
        dx, wanted = row.load()(window, dout, w), numpy_conv_dx(window, dout, w)
        np.testing.assert_allclose(dx, wanted, atol=1e-4)
        return
    x = np.full(window.x_shape, np.nan, np.float32)
    x[:, :, 2:-1, 1:-3] = 1
    assert np.isfinite(row.load()(window, x, w)).all()


def test_nothing_compiles(monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked for by name where nothing is compiled, the row says so."""
    monkeypatch.setenv(VARIABLE, "none")
    x = np.zeros((1, 1, 3, 3), np.float32)
    rule = "winograd: nothing is compiled here, got FALTUNG_ISA=none. Unset FALTUNG_ISA"
    with pytest.raises(KernelError, match=rule):
        winograd_call.conv(ConvWindow.of(x.shape, x.shape), x, x, outputs=4)
