"""Pooling and its gradients on random geometries, with every buffer guarded."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from faltung.errors import GeometryError
from faltung.geometry.window import PoolWindow
from faltung.kernels import numpy_pool, pooling_call, pooling_cost, pooling_tiles_call
from faltung.kernels.isa import ISAS, VARIABLE, has
from faltung.kernels.registry import gamma

HERE = [isa.name for isa in ISAS if has(isa)]


@pytest.fixture(autouse=True)
def compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compile here, also where the suite as a whole runs on NumPy alone."""
    monkeypatch.delenv("FALTUNG_ISA", raising=False)


def drawn(rng: np.random.Generator, longest: int) -> PoolWindow | None:
    """Return a random geometry; None for one that is refused."""
    axes = int(rng.integers(1, 4))
    space = rng.integers(1, {1: 90, 2: 40, 3: 9}[axes], axes).tolist()
    try:
        window = PoolWindow.of(
            (int(rng.integers(0, 3)), int(rng.integers(1, 4)), *space),
            rng.integers(1, {1: 2 * longest, 2: longest, 3: 4}[axes], axes).tolist(),
            stride=rng.integers(1, 5, axes).tolist(),
            padding=[tuple(pair) for pair in rng.integers(-1, 3, (axes, 2)).tolist()],
            dilation=rng.integers(1, 3, axes).tolist(),
            ceil=bool(rng.integers(2)),
        )
    except GeometryError:
        return None
    return window if pooling_cost.applies(window, np.dtype(np.float32)) else None


def check(seed: int, guarded: Any, longest: int = 4) -> bool:
    """Compare one random case with the NumPy rows; whether there was one."""
    rng = np.random.default_rng(seed)
    window = drawn(rng, longest)
    if window is None or 0 in window.out_shape:
        return False
    dtype = np.float32 if rng.random() < 0.6 else np.float64
    x, dout = (
        guarded.copy(rng.integers(-4, 5, shape).astype(dtype))
        for shape in (window.x_shape, window.out_shape)
    )
    for include in (False, True):
        ours = pooling_call.avg_pool(window, x, include)
        theirs = numpy_pool.avg_pool(window, x, include)
        np.testing.assert_array_equal(ours, theirs, err_msg=f"seed {seed}")
        ours = pooling_call.avg_pool_dx(window, dout, include)
        theirs = numpy_pool.avg_pool_dx(window, dout, include)
        size = numpy_pool.avg_pool_dx(window, np.abs(dout), include)
        bound = 2 * gamma(int(np.prod(window.kernel)) + 1, np.dtype(dtype))
        assert (np.abs(ours - theirs) <= bound * size).all(), f"seed {seed}"
    for share, value in ((0.1, np.nan), (0.3, -np.inf))[: seed % 3]:
        x[rng.random(x.shape) < share] = value
    ours, theirs = pooling_call.max_pool(window, x), numpy_pool.max_pool(window, x)
    np.testing.assert_array_equal(ours, theirs, err_msg=f"seed {seed}")
    dx = pooling_call.max_pool_dx(window, x, dout)
    wanted = numpy_pool.max_pool_dx(window, x, dout)
    np.testing.assert_array_equal(dx, wanted, err_msg=f"seed {seed}")
    guarded.check()
    return True


@pytest.mark.parametrize("isa", HERE)
def test_random_geometries(isa: str, guarded: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same as NumPy's, no stray byte, on every instruction set."""
    monkeypatch.setenv(VARIABLE, isa)
    assert sum(check(seed, guarded) for seed in range(50)) >= 8


@pytest.mark.long
@pytest.mark.parametrize("isa", HERE)
def test_many_random_geometries(isa: str, guarded: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same on many more."""
    monkeypatch.setenv(VARIABLE, isa)
    assert sum(check(seed, guarded, 12) for seed in range(1000, 5000)) >= 1000


def tiled(rng: np.random.Generator) -> PoolWindow:
    """Return a random geometry whose windows tile the input."""
    axes = int(rng.integers(1, 4))
    kernel = [1, *rng.integers(1, 5, 2).tolist()][-axes:]
    count = rng.integers(1, {1: 70, 2: 22, 3: 6}[axes], axes).tolist()
    space = [k * n for k, n in zip(kernel, count, strict=True)]
    return PoolWindow.of((int(rng.integers(1, 3)), int(rng.integers(1, 9)), *space), kernel)


@pytest.mark.parametrize("isa", HERE)
def test_tiles(isa: str, guarded: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows side by side, in rows of any width: the same as NumPy's, no stray byte."""
    monkeypatch.setenv(VARIABLE, isa)
    for seed in range(24):
        rng = np.random.default_rng(seed)
        window, dtype = tiled(rng), np.dtype(np.float32 if seed % 2 else np.float64)
        assert pooling_cost.is_tiled(window, dtype)
        x, dout = (
            guarded.copy(rng.integers(-4, 5, shape).astype(dtype))
            for shape in (window.x_shape, window.out_shape)
        )
        named = {"err_msg": f"seed {seed}"}
        y = pooling_tiles_call.avg_pool(window, x)
        np.testing.assert_array_equal(y, numpy_pool.avg_pool(window, x), **named)
        dx = pooling_tiles_call.avg_pool_dx(window, dout)
        np.testing.assert_array_equal(dx, numpy_pool.avg_pool_dx(window, dout), **named)
        for share, value in ((0.1, np.nan), (0.3, -np.inf))[: seed % 3]:
            x[rng.random(x.shape) < share] = value
        y = pooling_tiles_call.max_pool(window, x)
        np.testing.assert_array_equal(y, numpy_pool.max_pool(window, x), **named)
        dx = pooling_tiles_call.max_pool_dx(window, x, dout)
        np.testing.assert_array_equal(dx, numpy_pool.max_pool_dx(window, x, dout), **named)
        guarded.check()


@pytest.mark.parametrize("isa", HERE)
@pytest.mark.parametrize(
    ("kernel", "count"), [((7, 7), (3, 5)), ((5, 8), (2, 19)), ((1, 6), (4, 2))]
)
def test_large_tiles_of_means(
    kernel: Any, count: Any, isa: str, guarded: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sides that only means have: the same as NumPy's, no stray byte."""
    monkeypatch.setenv(VARIABLE, isa)
    rng = np.random.default_rng(count[0])
    space = [k * n for k, n in zip(kernel, count, strict=True)]
    window = PoolWindow.of((2, 3, *space), kernel)
    assert pooling_cost.is_mean_tiled(window, np.dtype(np.float32))
    assert not pooling_cost.is_tiled(window, np.dtype(np.float32))
    x, dout = (
        guarded.copy(rng.integers(-4, 5, shape).astype(np.float32))
        for shape in (window.x_shape, window.out_shape)
    )
    y = pooling_tiles_call.avg_pool(window, x)
    np.testing.assert_array_equal(y, numpy_pool.avg_pool(window, x))
    dx = pooling_tiles_call.avg_pool_dx(window, dout)
    np.testing.assert_array_equal(dx, numpy_pool.avg_pool_dx(window, dout))


@pytest.mark.parametrize("kernel", [{}, {"stride": 1}, {"padding": 1}, {"dilation": 2}])
def test_only_tiles_are_taken_as_such(kernel: Any) -> None:
    """Gaps, overlaps, padding and dropped columns are for the other row."""
    for width, is_tiled in ((8, not kernel), (9, False)):
        window = PoolWindow.of((1, 2, 8, width), 2, **kernel)
        assert pooling_cost.is_tiled(window, np.dtype(np.float32)) == is_tiled


CASES = [
    ((2, 3, 33, 70), 2, {}),
    ((2, 3, 33, 70), 3, {"stride": 2, "padding": 1}),
    ((1, 2, 40, 37), 11, {"stride": 1, "padding": 5}),
    ((2, 3, 16, 16), 2, {}),
    ((2, 5, 8, 8), 2, {}),
    ((2, 3, 14, 14), 2, {}),
    ((1, 2, 50), 12, {"stride": 4}),
]


@pytest.mark.parametrize(("shape", "kernel", "settings"), CASES)
def test_means_are_within_the_bound(shape: Any, kernel: Any, settings: Any) -> None:
    """On random floats, forward and backward."""
    window = PoolWindow.of(shape, kernel, **settings)
    rng = np.random.default_rng(4)
    x, dout = (rng.standard_normal(s).astype(np.float32) for s in (shape, window.out_shape))
    bound = gamma(int(np.prod(window.kernel)) + 1, np.dtype(np.float32))
    for run, definition, given in (
        (pooling_call.avg_pool, numpy_pool.avg_pool, x),
        (pooling_call.avg_pool_dx, numpy_pool.avg_pool_dx, dout),
    ):
        error = np.abs(run(window, given) - definition(window, given.astype(np.float64)))
        size = definition(window, np.abs(given).astype(np.float64))
        assert (error <= 1.001 * bound * size).all()


@pytest.mark.parametrize(("shape", "kernel", "settings"), CASES)
def test_the_first_winner_takes_all(shape: Any, kernel: Any, settings: Any) -> None:
    """Everything is equal: every window's first tap inside has its gradient."""
    window = PoolWindow.of(shape, kernel, **settings)
    x = np.ones(shape, np.float32)
    x[:, 0] = np.nan
    dout = np.random.default_rng(0).integers(-4, 5, window.out_shape).astype(np.float32)
    wanted = numpy_pool.max_pool_dx(window, x, dout)
    np.testing.assert_array_equal(pooling_call.max_pool_dx(window, x, dout), wanted)


def cut(x: Any, first: int = 0) -> list[Any]:
    """Compute everything on a part of a batch."""
    window = PoolWindow.of(x.shape, 3, stride=2, padding=1)
    dout = np.random.default_rng(2).standard_normal((4, *window.out_shape[1:]))
    dout = dout.astype(np.float32)[first : first + len(x)]
    return [
        pooling_call.max_pool(window, x),
        pooling_call.avg_pool(window, x),
        pooling_call.max_pool_dx(window, x, dout),
        pooling_call.avg_pool_dx(window, dout),
    ]


@pytest.mark.parametrize("threads", ["1", "2", "3"])
def test_threads_and_batches_change_no_bit(threads: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """1 to 3 threads, ten runs, images one by one: the same bits."""
    x = np.random.default_rng(1).standard_normal((4, 5, 33, 47)).astype(np.float32)
    monkeypatch.setenv("FALTUNG_NUM_THREADS", "1")
    wanted = cut(x)
    monkeypatch.setenv("FALTUNG_NUM_THREADS", threads)
    monkeypatch.setattr(pooling_call, "BLOCK", 1)
    pooling_call._forward.cache_clear()
    pooling_call._backward.cache_clear()
    for _ in range(10):
        for ours, theirs in zip(cut(x), wanted, strict=True):
            assert (ours == theirs).all()
    for i in range(4):
        for ours, theirs in zip(cut(x[i : i + 1], i), wanted, strict=True):
            assert (ours[0] == theirs[i]).all()
    pooling_call._forward.cache_clear()
    pooling_call._backward.cache_clear()


def test_a_broken_kernel_is_caught(guarded: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: one row off is found."""
    layout = pooling_call._forward

    def broken(*given: Any) -> Any:
        right = layout(*given)
        return right._replace(fields=right.fields | {"pad_y": right.fields["pad_y"] + 1})

    monkeypatch.setattr(pooling_call, "_forward", broken)
    with pytest.raises(AssertionError, match="seed"):
        sum(check(seed, guarded) for seed in range(30))
