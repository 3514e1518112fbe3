"""Threads change no bit, survive a fork, and leave NumPy's own threads as they were."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import numpy as np
import pytest

from faltung.errors import KernelError
from faltung.geometry import ConvWindow
from faltung.kernels import blas, numpy_conv, numpy_dense, pool, program
from faltung.kernels.compiled import kernel
from faltung.kernels.isa import host_isa
from faltung.kernels.replay import Launch
from faltung.kernels.simd import INT, INTS, Code, Int, Pointer
from faltung.kernels.threads import in_order, num_threads

WINDOW = ConvWindow.of((40, 8, 28, 28), (16, 8, 3, 3), stride=2, padding=1)


def run_all() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    x, w, dout = (
        rng.standard_normal(shape).astype(np.float32)
        for shape in (WINDOW.x_shape, WINDOW.w_shape, WINDOW.out_shape)
    )
    return [
        numpy_conv.conv(WINDOW, x, w),
        numpy_conv.conv_dx(WINDOW, dout, w),
        numpy_conv.conv_dw(WINDOW, x, dout),
    ]


def test_the_number_of_threads_changes_no_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    results = []
    for threads in ("1", "2", "3", "7"):
        monkeypatch.setenv("FALTUNG_NUM_THREADS", threads)
        results += [run_all(), run_all()]
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            np.testing.assert_array_equal(a, b)


def test_results_come_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FALTUNG_NUM_THREADS", "3")
    first = threading.Event()

    def work(i: int) -> int:
        # Block 0 waits until another thread has done block 2.
        if i == 0:
            assert first.wait(10)
        if i == 2:
            first.set()
        return i

    assert list(in_order(work, range(9))) == list(range(9))


def test_an_error_in_a_block_reaches_the_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FALTUNG_NUM_THREADS", "2")
    with pytest.raises(ZeroDivisionError):
        list(in_order(lambda i: 1 // i, [1, 0, 1]))


@pytest.mark.parametrize("value", ["0", "-1", "two", "1.5"])
def test_a_number_of_threads_that_is_none(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("FALTUNG_NUM_THREADS", value)
    with pytest.raises(KernelError, match=r"must be a number of at least 1.*\[kernel K4\]"):
        num_threads()


def test_numpys_threads_are_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    before = blas.describe()[1]
    monkeypatch.setenv("FALTUNG_NUM_THREADS", "2")
    inside = []
    with blas.one_thread():
        inside.append(blas.describe()[1])
        run_all()
        inside.append(blas.describe()[1])
    assert blas.describe()[1] == before
    if before > 1 and blas.describe()[0] != "unknown":
        assert inside == [1, 1]
    with pytest.raises(RuntimeError), blas.one_thread():
        raise RuntimeError
    assert blas.describe()[1] == before


def test_without_openblas_nothing_is_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blas, "_functions", lambda: None)
    with blas.one_thread():
        assert blas.describe() == ("unknown", os.cpu_count() or 1)


FORK = """
import os, sys, warnings
warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 warns of fork with threads
sys.path.insert(0, {folder!r})
os.environ["FALTUNG_NUM_THREADS"] = "2"
from test_threads import run_all
before = [a.tobytes() for a in run_all()]
child = os.fork()
if child == 0:
    os._exit(0 if [a.tobytes() for a in run_all()] == before else 3)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_child_computes_the_same_bits() -> None:
    code = FORK.format(folder=os.path.dirname(__file__))  # noqa: PTH120
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True
    )
    assert run.stdout.strip() == "0", run.stderr


@pytest.mark.parametrize("n", [8, 400])
def test_matmul_of_either_size(n: int) -> None:
    rng = np.random.default_rng(1)
    a, b = rng.integers(-9, 10, (2, n, n)).astype(np.float64)
    np.testing.assert_array_equal(numpy_dense.matmul(a, b), a @ b)


@kernel(arguments=INTS, block=INT, thread=INT)
def count_slowly(code: Code, arguments: Pointer, block: Int, thread: Int) -> None:
    """Add to the count of a thread, one after the other."""
    place = code.ints(code.address(arguments[0])) + thread
    with code.loop(arguments[1]):
        pool._add(code, place, 0, 1)


@pytest.mark.skipif(host_isa() is None, reason="nothing can be compiled for this CPU")
def test_helpers_stay_awake_from_one_step_to_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    """A step of one thread takes long; in the next one they take part again."""
    monkeypatch.setattr(pool, "SPINS", 1)
    own = pool.Pool(2)
    monkeypatch.setattr(program, "shared_pool", lambda: own)
    alone, together = np.zeros(2, np.int64), np.zeros(2, np.int64)
    address = count_slowly.address("f32", host_isa())
    times, blocks, runs = {"alone": 600_000, "together": 20_000}, 40, 3
    launches = [
        Launch(address, ("x", "times"), {"times": times[name]}, {"x": counts}, blocks, 0, 0)
        for name, counts in (("alone", alone), ("together", together))
    ]
    steps = program.Program(launches, [False, True])
    for _ in range(runs):  # a busy machine may keep a thread from running for a while
        steps.run()
    own.close()
    assert alone.tolist() == [runs * blocks * times["alone"], 0]
    assert together.sum() == runs * blocks * times["together"]
    assert together[1] > 0
