"""Matrix products against NumPy's: exact, inside their memory, and the same for any threads."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from faltung.kernels import gemm_call, numpy_dense
from faltung.kernels.gemm import CHUNK
from faltung.kernels.isa import AVX512, ISAS, VARIABLE, has
from faltung.kernels.matrices import matmul
from faltung.kernels.tile import RUN

HERE = [isa.name for isa in ISAS if has(isa)]
SHAPES = [(1, 1, 1), (7, 5, 3), (9, RUN + 1, 17), (33, 300, 50), (200, 40, 130), (5, 2 * RUN, 16)]
SHAPES += [(3, CHUNK + 5, 9)]


@pytest.mark.parametrize("isa", HERE)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("ways", [(False, False), (True, False), (False, True), (True, True)])
def test_products(
    isa: str, dtype: Any, ways: tuple[bool, bool], guarded: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Row by row and column by column, on every instruction set."""
    monkeypatch.setenv(VARIABLE, isa)
    rng = np.random.default_rng(0)
    for m, k, n in SHAPES:
        a, b = (
            guarded.copy(rng.integers(-4, 5, shape[:: -1 if turned else 1]).astype(dtype))
            for shape, turned in zip(((m, k), (k, n)), ways, strict=True)
        )
        a, b = (x.T if turned else x for x, turned in zip((a, b), ways, strict=True))
        out = guarded.array((m, n), dtype)
        assert gemm_call.matmul(a, b, out=out) is out
        np.testing.assert_array_equal(out, a.astype(np.float64) @ b.astype(np.float64))
        np.testing.assert_array_equal(gemm_call.matmul(a, b), out)
        guarded.check()


def test_other_strides_are_copied() -> None:
    """Every second number, backwards, one row for all, and from the middle of a number."""
    a, b = np.arange(60.0).reshape(6, 10), np.arange(40.0).reshape(4, 10)
    for left in (a[:, ::2], a[::-1, :5], np.broadcast_to(a[0, :5], (6, 5))):
        np.testing.assert_array_equal(gemm_call.matmul(left, b.T[::2]), left @ b.T[::2])
    odd = np.frombuffer(b"0" + a.tobytes(), np.uint8)[1:].view(np.float64).reshape(6, 10)
    np.testing.assert_array_equal(gemm_call.matmul(odd, b.T), a @ b.T)


def test_schedules_change_no_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads and blocks are a schedule, and so is the number of rows."""
    rng = np.random.default_rng(1)
    a = rng.standard_normal((100, 700)).astype(np.float32)
    b = rng.standard_normal((700, 90)).astype(np.float32)
    y = gemm_call.matmul(a, b)
    for threads, enough, many in ((1, 1 << 30, 1), (2, 1 << 19, 12), (3, 1, 1000)):
        monkeypatch.setenv("FALTUNG_NUM_THREADS", str(threads))
        monkeypatch.setattr(gemm_call, "ENOUGH", enough)
        monkeypatch.setattr(gemm_call, "MANY", many)
        for kept in (gemm_call._cut, gemm_call._layout):
            kept.cache_clear()
        for _ in range(5):
            assert (gemm_call.matmul(a, b) == y).all()
        assert (gemm_call.matmul(a[:50], b) == y[:50]).all()
        assert (gemm_call.matmul(a, b.T.copy().T) == y).all()
    for kept in (gemm_call._cut, gemm_call._layout):
        kept.cache_clear()


def test_long_sums_go_on_as_they_began() -> None:
    """A column that lies apart is turned in chunks; its sums are those of one in a row."""
    rng = np.random.default_rng(2)
    a = rng.standard_normal((20, 2 * CHUNK + 300)).astype(np.float32)
    b = rng.standard_normal((2 * CHUNK + 300, 40)).astype(np.float32)
    assert (gemm_call.matmul(a, b.T.copy().T) == gemm_call.matmul(a, b)).all()


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("shape", [(1, 1, 1), (64, 256, 3136), (512, 2048, 49), (480, 480, 240)])
def test_cuts_leave_no_thread_waiting(threads: int, shape: tuple[int, int, int]) -> None:
    """What a thread does is at most a tenth more than its share, where there is enough."""
    rows, terms, columns = shape
    cut = gemm_call._cut(gemm_call.Shape(*shape), 16, AVX512, threads, False)
    steps, panels = -(-columns // (16 * cut.vectors)), -(-rows // cut.channels)
    blocks = -(-steps // cut.steps) * -(-panels // cut.panels)
    if rows * terms * columns < gemm_call.ENOUGH:
        assert blocks == 1
    else:
        assert -(-blocks // threads) * cut.steps * cut.panels < 1.1 * steps * panels / threads + 1


def test_runs_of_sums_are_added() -> None:
    """One sum after the other, all terms behind the first would be rounded away."""
    a, b = np.ones((4, 4096), np.float32), np.ones((4096, 2), np.float32)
    a[:, 0] = 2.0**24
    y = gemm_call.matmul(a, b)
    assert np.all(np.abs(y.astype(np.float64) - (2.0**24 + 4095)) < 2 * RUN)


def test_what_is_small_or_odd_goes_to_numpy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Vectors, batches, integers, few rows; and everything where nothing is compiled."""
    calls: list[Any] = []

    def by_numpy(a: Any, b: Any) -> Any:
        calls.append(a.shape)
        return np.matmul(a, b)

    monkeypatch.setattr(numpy_dense, "matmul", by_numpy)
    large = np.ones((128, 128), np.float32)
    others = [large[:3], large.astype(int), np.ones((2, 128, 128), np.float32), large[:63]]
    for other in others:
        np.testing.assert_array_equal(matmul(other, large), other @ large)
    assert len(calls) == len(others)
    matmul(large, large)
    assert len(calls) == len(others)
    monkeypatch.setenv(VARIABLE, "none")
    matmul(large, large)
    assert len(calls) == len(others) + 1
