"""Batch normalisation in one launch: its formula to the bit, statistics within their bound."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from faltung.kernels import norm_batch_call
from faltung.kernels.channel_sums import channel_sums
from faltung.kernels.isa import ISAS, VARIABLE, has
from faltung.kernels.norm_batch_call import (
    Running,
    Statistics,
    norm_backward,
    norm_forward,
    standardised,
    standardised_dx,
)
from faltung.kernels.program import Program, noted
from faltung.kernels.row import gamma

HERE = [isa.name for isa in ISAS if has(isa)]
SHAPES = [
    (2, 3, 5),
    (1, 1, 1),
    (4, 3),
    (3, 4, 16, 16),
    (2, 9, 67, 3),
    (5, 40, 2, 2),
    (2, 2, 2, 3, 4),
]
DTYPES = [np.float32, np.float64]
WIDE = np.dtype(np.float64)
EPS = 1e-5


@pytest.fixture(autouse=True)
def compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compile here, also where the suite as a whole runs on NumPy alone."""
    monkeypatch.delenv("FALTUNG_ISA", raising=False)


def drawn(shape: Any, dtype: Any, seed: int = 0) -> Any:
    """Numbers around 3."""
    return (3 + np.random.default_rng(seed).standard_normal(shape)).astype(dtype)


def column(values: Any, x: Any) -> Any:
    """One value a channel."""
    return values.reshape(-1, *(1 for _ in x.shape[2:]))


def axes(x: Any) -> tuple[int, ...]:
    """All but the channels'."""
    return (0, *range(2, x.ndim))


@pytest.mark.parametrize("isa", HERE)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("adds", "relu"), [(False, False), (True, True)])
def test_what_comes_out_is_the_formula_of_its_statistics(
    isa: str, dtype: Any, shape: Any, adds: Any, relu: Any, guarded: Any, monkeypatch: Any
) -> None:
    """To the bit, operation by operation; running statistics too."""
    monkeypatch.setenv(VARIABLE, isa)
    x, residual = (guarded.copy(drawn(shape, dtype, seed)) for seed in (0, 1))
    scale, bias, old_mean, old_variance = (
        guarded.copy(drawn(shape[1], dtype, seed)) for seed in range(2, 6)
    )
    running = Running(
        old_mean, old_variance, *(guarded.array(shape[1:2], dtype) for _ in "mv"), 0.9
    )
    given = {"residual": residual} if adds else {}
    y, mean, variance, rstd = norm_forward(x, scale, bias, EPS, relu=relu, running=running, **given)
    np.testing.assert_array_equal(rstd, 1 / np.sqrt(variance + EPS))
    wanted = x - column(mean.astype(dtype), x)
    wanted = wanted * column(scale * rstd.astype(dtype), x) + column(bias, x)
    wanted = wanted + residual if adds else wanted
    np.testing.assert_array_equal(y, np.maximum(wanted, 0) if relu else wanted)
    for old, moved, batch in (
        (old_mean, running.moved_mean, mean),
        (old_variance, running.moved_variance, variance),
    ):
        np.testing.assert_array_equal(
            moved, (0.9 * old.astype(WIDE) + (1 - 0.9) * batch).astype(dtype)
        )
    guarded.check()


@pytest.mark.parametrize("isa", HERE)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("far", [0.0, 1e4, 1e7])
def test_statistics_are_within_their_bound(
    isa: str, dtype: Any, shape: Any, far: float, monkeypatch: Any
) -> None:
    """The mean may lie many deviations from 0, and the first number many from the mean."""
    monkeypatch.setenv(VARIABLE, isa)
    x = drawn(shape, dtype) + dtype(far)
    x.reshape(shape[0], shape[1], -1)[0, 0, 0] += dtype(far / 2)
    one = np.ones(shape[1], dtype)
    _, mean, variance, _ = norm_forward(x, one, one, EPS)
    exact = x.astype(np.longdouble)
    first = exact.reshape(shape[0], shape[1], -1)[0, :, 0]
    n, found, spread = x.size // shape[1], exact.mean(axes(x)), exact.var(axes(x))
    away = np.abs(exact - column(first, x)).mean(axes(x))
    assert (np.abs(mean - found) <= 2.0**-53 * np.abs(found) + gamma(n + 2, WIDE) * away).all()
    bound = 2 * gamma(n + 6, WIDE) * (spread + (found - first) ** 2)
    assert (np.abs(variance - spread) <= bound).all()


@pytest.mark.parametrize("isa", HERE)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("relu", "keeps"), [(False, False), (True, False), (True, True)])
def test_gradients_are_those_of_the_formula(
    isa: str, dtype: Any, shape: Any, relu: Any, keeps: Any, guarded: Any, monkeypatch: Any
) -> None:
    """Sums within the bound of float64's, the rest to a few roundings of the terms."""
    monkeypatch.setenv(VARIABLE, isa)
    x, dy = (guarded.copy(drawn(shape, dtype, seed) - dtype(3)) for seed in (0, 1))
    scale, bias = (drawn(shape[1], dtype, seed) for seed in (2, 3))
    y, mean, _, rstd = norm_forward(x, scale, bias - 3, EPS, relu=relu)
    kept = {"dresidual": guarded.array(shape, dtype)} if keeps else {}
    dx, dscale, dbias = norm_backward(x, y, dy, scale, mean, rstd, relu=relu, **kept)
    g = np.where(y > 0, dy, 0) if relu else dy
    if keeps:
        np.testing.assert_array_equal(kept["dresidual"], g)
    unit, n = float(np.finfo(dtype).eps) / 2, x.size // shape[1]
    wide, away = g.astype(WIDE), x.astype(WIDE) - column(mean, x)
    sums, products = wide.sum(axes(x)), (wide * away).sum(axes(x))
    inexact = gamma(n + 4, WIDE)
    size, sizes = np.abs(wide).sum(axes(x)), np.abs(wide * away).sum(axes(x))
    assert (np.abs(dbias - sums) <= 2 * unit * np.abs(sums) + 2 * inexact * size).all()
    slope = products * rstd
    assert (np.abs(dscale - slope) <= 2 * unit * np.abs(slope) + 3 * inexact * sizes * rstd).all()
    terms = (
        wide,
        away * column(rstd * slope / n, x),
        np.broadcast_to(column(sums / n, x), x.shape),
    )
    outer = column(scale * rstd, x)
    wanted = (terms[0] - terms[1] - terms[2]) * outer
    # What is summed wrongly is an error of every number; the mean is rounded to x's dtype.
    apart = column((size + sizes * rstd) / n, x) * (1 + np.abs(away * column(rstd, x)))
    shift = np.abs(column(mean * rstd * slope / n, x))
    bound = np.abs(outer) * (8 * unit * (sum(map(np.abs, terms)) + shift) + 4 * inexact * apart)
    assert (np.abs(dx - wanted) <= bound).all()
    guarded.check()


@pytest.mark.parametrize("isa", HERE)
@pytest.mark.parametrize("dtype", DTYPES)
def test_frozen_statistics_let_the_gradient_pass_scaled(
    isa: str, dtype: Any, guarded: Any, monkeypatch: Any
) -> None:
    """To the bit; the scale's and the bias's are sums as ever."""
    monkeypatch.setenv(VARIABLE, isa)
    x, dy = (guarded.copy(drawn((3, 5, 7, 9), dtype, seed)) for seed in (0, 1))
    scale, rstd = drawn(5, dtype, 2), np.abs(drawn(5, np.float64, 3))
    given = (x, x, dy, scale, drawn(5, np.float64, 4), rstd)
    dx, dscale, dbias = norm_backward(*given, through=False)
    np.testing.assert_array_equal(dx, dy * column(scale * rstd.astype(dtype), x))
    _, *wanted = norm_backward(*given)
    np.testing.assert_array_equal([dscale, dbias], wanted)
    guarded.check()


@pytest.mark.parametrize("isa", HERE)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(1, 1), (7, 33), (40, 100), (3, 5000)])
def test_rows_are_normalised_as_channels_are(
    isa: str, dtype: Any, shape: Any, guarded: Any, monkeypatch: Any
) -> None:
    """With a scale of 1 and no bias; their gradients too, from what came out."""
    monkeypatch.setenv(VARIABLE, isa)
    x, dy = (guarded.copy(drawn(shape, dtype, seed)) for seed in (0, 1))
    y, mean, rstd = standardised(x, EPS)
    one, image = np.ones(len(x), dtype), x[np.newaxis]
    wanted, means, _, rstds = norm_forward(image, one, 0 * one, EPS)
    np.testing.assert_array_equal([mean, rstd], [means, rstds])
    np.testing.assert_array_equal(y, wanted[0])
    dx = standardised_dx(y, dy, rstd)
    wide, values = dy.astype(WIDE), y.astype(WIDE)
    terms = [wide, np.ones_like(wide) * wide.mean(1, keepdims=True)]
    terms.append(values * (wide * values).mean(1, keepdims=True))
    bound = 8 * float(np.finfo(dtype).eps) * sum(map(np.abs, terms)) * rstd[:, None]
    assert (np.abs(dx - (terms[0] - terms[1] - terms[2]) * rstd[:, None]) <= bound).all()
    guarded.check()


@pytest.mark.parametrize("isa", HERE)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES)
def test_sums_of_whole_numbers_are_exact(
    isa: str, dtype: Any, shape: Any, guarded: Any, monkeypatch: Any
) -> None:
    """What the gradient of a bias is."""
    monkeypatch.setenv(VARIABLE, isa)
    x = guarded.copy(np.random.default_rng(0).integers(-4, 5, shape).astype(dtype))
    np.testing.assert_array_equal(channel_sums(x), x.sum(axes(x)))
    guarded.check()


@pytest.mark.parametrize("threads", ["1", "2", "3"])
def test_threads_and_blocks_change_no_bit(threads: str, monkeypatch: Any) -> None:
    """1 to 3 threads, ten runs, channels taken together or not: the same bits."""
    x, dy = (drawn((5, 21, 11, 13), np.float32, seed) for seed in (0, 1))
    scale, bias = (drawn(21, np.float32, seed) for seed in (2, 3))

    def results() -> list[Any]:
        y, mean, variance, rstd = norm_forward(x, scale, bias, EPS, relu=True)
        return [y, mean, variance, *norm_backward(x, y, dy, scale, mean, rstd, relu=True)]

    monkeypatch.setenv("FALTUNG_NUM_THREADS", "1")
    wanted = results()
    monkeypatch.setenv("FALTUNG_NUM_THREADS", threads)
    for piece in (1, 1000, 1 << 20):
        monkeypatch.setattr(norm_batch_call, "PIECE", piece)
        for _ in range(4):
            for found, one in zip(results(), wanted, strict=True):
                np.testing.assert_array_equal(found, one)


def test_results_may_take_the_place_of_what_was_read() -> None:
    """y that of x or of the residual, dx and the residual's gradient that of dy."""
    x, residual, dy = (drawn((3, 5, 7, 9), np.float32, seed) for seed in range(3))
    scale, bias = (drawn(5, np.float32, seed) for seed in (3, 4))
    y, mean, _, rstd = norm_forward(x, scale, bias, EPS, residual=residual, relu=True)
    for out in (x.copy(), residual.copy()):
        given = (out if (out == x).all() else x, scale, bias, EPS)
        other = out if (out == residual).all() else residual
        norm_forward(*given, residual=other, relu=True, out=out)
        np.testing.assert_array_equal(out, y)
    wanted, *_ = norm_backward(x, y, dy, scale, mean, rstd, relu=True)
    out = dy.copy()
    norm_backward(x, y, out, scale, mean, rstd, relu=True, out=out)
    np.testing.assert_array_equal(out, wanted)
    out = dy.copy()
    dx, *_ = norm_backward(x, y, out, scale, mean, rstd, relu=True, dresidual=out)
    np.testing.assert_array_equal(dx, wanted)
    np.testing.assert_array_equal(out, np.where(y > 0, dy, 0))


def test_launches_can_be_written_down_and_repeated() -> None:
    """Other numbers in the same arrays give what calls on those give."""
    x, dy = (drawn((3, 5, 8, 8), np.float32, seed) for seed in (0, 1))
    scale, bias = (drawn(5, np.float32, seed) for seed in (2, 3))
    out, dx = np.empty_like(x), np.empty_like(x)
    statistics = Statistics(*(np.empty(5) for _ in range(3)))
    grads = {"dscale": np.empty_like(scale), "dbias": np.empty_like(bias)}
    with noted() as recorder:
        norm_forward(x, scale, bias, EPS, out=out, statistics=statistics)
        mean, rstd = statistics.mean, statistics.rstd
        norm_backward(x, out, dy, scale, mean, rstd, out=dx, **grads)
    assert not recorder.made
    x += 1
    dy *= 2
    Program(recorder.launches, [True, True]).run()
    y, mean, _, rstd = norm_forward(x, scale, bias, EPS)
    np.testing.assert_array_equal(out, y)
    wanted = norm_backward(x, y, dy, scale, mean, rstd)
    for found, one in zip((dx, grads["dscale"], grads["dbias"]), wanted, strict=True):
        np.testing.assert_array_equal(found, one)


def test_non_finite_numbers_make_their_channel_so() -> None:
    """And no other; the mean of one infinity is infinite."""
    x = np.ones((2, 4, 40), np.float32)
    x[1, 0, 5], x[0, 1, 39], x[0, 2, 0] = np.nan, np.inf, np.inf
    one = np.ones(4, np.float32)
    y, mean, variance, _ = norm_forward(x, one, one, EPS)
    assert np.isnan(mean[0])
    assert (mean[1:3] == np.inf).all()
    assert np.isnan(variance[:3]).all()
    assert np.isnan(y[:, :3]).all()
    assert (y[:, 3] == 1).all()
