"""The vector vocabulary: each word against NumPy, on every instruction set that this CPU has."""

from __future__ import annotations

import ctypes
import mmap
import multiprocessing
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from faltung import cache
from faltung.errors import KernelError
from faltung.kernels import objects
from faltung.kernels.compiled import assembly, function, kernel, object_code
from faltung.kernels.isa import AVX2, AVX512, ISAS, NEON, SSE, chosen, has
from faltung.kernels.pool import Pool
from faltung.kernels.simd import INT, INTS, POINTER, Code, Int, Pointer

NUMBERS = {"f32": np.float32, "f64": np.float64}
HERE = [isa for isa in ISAS if has(isa)]
CASES = [(isa, number) for isa in HERE for number in NUMBERS]


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep what is compiled here apart."""
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path))
    return tmp_path / "kernels"


@kernel(x=POINTER, y=POINTER, n=INT)
def add_scaled(code: Code, x: Pointer, y: Pointer, n: Int, *, a: float) -> None:
    """y += a x, the last few by a mask."""
    whole = n // code.lanes * code.lanes
    scale = code.constant(a)
    with code.loop(whole, step=code.lanes) as i:
        code.store(y + i, code.fma(scale, code.load(x + i), code.load(y + i)))
    left = code.first(n - whole)
    some = code.fma(scale, code.load_some(left, x + whole), code.load_some(left, y + whole))
    code.store_some(left, y + whole, some)


@kernel(x=POINTER, y=POINTER)
def every_word(code: Code, x: Pointer, y: Pointer) -> None:
    """One vector for each word of the vocabulary."""
    a, b = code.load(x), code.load(x + code.lanes)
    results = [a + b, a - b, a * b, a / b, -a, code.maximum(a, b), code.broadcast(x + 1)]
    results.append(code.shuffle(a, b, [2 * i for i in range(code.lanes)]))
    results.append(code.select(code.first(1), a, b))
    code.prefetch(x)
    for i, vector in enumerate(results):
        code.store(y + i * code.lanes, vector)


@kernel(p=INTS)
def integers(code: Code, p: Pointer) -> None:
    """Integer arithmetic, loops that run not at all, conditions."""
    a, b = p[0], p[1]
    found = [a + b, a - b, a * b, a // b, a % b, 7 - a, a.at_most(b), a.at_least(b), a + 0, a * 1]
    total = code.variable(code.integer(0))
    with code.loop(a, start=b, step=2) as i:
        total.set(total.get() + i)
    with code.when(a < b):
        total.set(total.get() + 1000)
    for at, value in enumerate([*found, total.get()]):
        code.build.store(value.value, (p + 2 + at).value, align=8)


@kernel(add_scaled, x=POINTER, y=POINTER, n=INT)
def twice(code: Code, x: Pointer, y: Pointer, n: Int) -> None:
    """Call another kernel two times."""
    add_scaled.call(code, x, y, n, a=1.0)
    add_scaled.call(code, x, y, n, a=3.0)


@pytest.mark.parametrize(("isa", "number"), CASES)
def test_every_word(isa: Any, number: str) -> None:
    """Each word gives NumPy's values, in f32 and f64."""
    lanes = isa.lanes(np.dtype(NUMBERS[number]).itemsize)
    x = np.random.default_rng(0).integers(1, 9, 2 * lanes).astype(NUMBERS[number])
    y = np.zeros((9, lanes), NUMBERS[number])
    function(every_word.address(number, isa), 2)(x.ctypes.data, y.ctypes.data)
    a, b = x[:lanes], x[lanes:]
    first = np.where(np.arange(lanes) < 1, a, b)
    wanted = [a + b, a - b, a * b, a / b, -a, np.maximum(a, b), a[1], x[::2], first]
    for got, want in zip(y, wanted, strict=True):
        np.testing.assert_array_equal(got, np.broadcast_to(want, lanes))


@pytest.mark.parametrize(("a", "b"), [(9, 4), (4, 9), (5, 5), (20, 3)])
def test_integers(a: int, b: int) -> None:
    """Integers and loops are Python's."""
    p = np.array([a, b, *[0] * 11])
    function(integers.address(), 1)(p.ctypes.data)
    wanted = [a + b, a - b, a * b, a // b, a % b, 7 - a, min(a, b), max(a, b), a, a]
    total = sum(range(b, a, 2)) + (1000 if a < b else 0)
    assert p[2:].tolist() == [*wanted, total]


@pytest.fixture
def page() -> Iterator[tuple[int, int]]:
    """A page with an unreadable one behind it: its address and its bytes."""
    size = mmap.PAGESIZE
    memory = mmap.mmap(-1, 2 * size)
    address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    protect = ctypes.CDLL(None).mprotect
    behind = ctypes.c_void_p(address + size)
    assert protect(behind, ctypes.c_size_t(size), 0) == 0
    yield address, size
    assert protect(behind, ctypes.c_size_t(size), 3) == 0


@pytest.mark.parametrize(("isa", "number"), CASES)
@pytest.mark.parametrize("n", [0, 1, 3, 7, 8, 16, 17, 31, 33])
def test_masks_touch_nothing_else(isa: Any, number: str, n: int, page: tuple[int, int]) -> None:
    """Buffers that end at an unreadable page, and guards before them."""
    address, size = page
    dtype = np.dtype(NUMBERS[number])
    count = size // dtype.itemsize
    buffer = (ctypes.c_char * size).from_address(address)
    y = np.frombuffer(buffer, dtype)
    y[:] = np.arange(count)
    x = np.arange(n, dtype=dtype)
    run = function(add_scaled.address(number, isa, a=2.0), 3)
    run(x.ctypes.data, address + (count - n) * dtype.itemsize, n)
    wanted = np.arange(count, dtype=dtype)
    wanted[count - n :] += 2 * x
    np.testing.assert_array_equal(y, wanted)


def test_kernels_call_kernels() -> None:
    """A called kernel's constants are its own."""
    x, y = np.arange(21, dtype=np.float32), np.zeros(21, np.float32)
    function(twice.address(), 3)(x.ctypes.data, y.ctypes.data, 21)
    np.testing.assert_array_equal(y, 4 * x)


def test_maximum_keeps_nan() -> None:
    """NaN on either side is the result."""
    isa = HERE[0]
    lanes = isa.lanes(4)
    x = np.ones(2 * lanes, np.float32)
    x[0] = x[lanes + 1] = np.nan
    y = np.zeros((9, lanes), np.float32)
    function(every_word.address("f32", isa), 2)(x.ctypes.data, y.ctypes.data)
    assert np.isnan(y[5]).tolist() == [True, True, *[False] * (lanes - 2)]


def test_neon_compiles_elsewhere() -> None:
    """Code for ARM is an ELF object of its machine (183), compiled on whatever this is."""
    code = object_code(add_scaled, "f32", NEON, a=2.0)
    assert code[:4] == b"\x7fELF"
    assert int.from_bytes(code[18:20], "little") == 183


@pytest.mark.skipif(NEON in HERE, reason="the registers are those of x86")
@pytest.mark.parametrize(("isa", "number"), CASES)
def test_widths_are_those_of_the_set(isa: Any, number: str) -> None:
    """Code uses the set's registers and no wider ones, whatever this CPU has."""
    text = assembly(add_scaled, number, isa, a=2.0)
    widths = {AVX512: "zmm", AVX2: "ymm", SSE: "xmm"}
    wider = [sign for other, sign in widths.items() if other.width > isa.width]
    assert widths[isa] in text
    assert not [sign for sign in wider if sign in text]


def test_kept_and_made_anew(own_cache: Path) -> None:
    """Code is read from the folder; a damaged file is replaced."""
    made: list[int] = []

    def make() -> bytes:
        made.append(1)
        return b"machine code"

    assert objects.kept("k", make) == objects.kept("k", make) == b"machine code"
    assert len(made) == 1
    path = own_cache / "k.o"
    for damaged in (b"", path.read_bytes()[:-1], path.read_bytes() + b"x"):
        path.write_bytes(damaged)
        assert objects.kept("k", make) == b"machine code"
    assert len(made) == 4
    assert objects.kept("k", make) == b"machine code"
    assert len(made) == 4


def test_folder_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a folder everything works, compiled in each process."""
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setenv(cache.VARIABLE, str(blocked))
    assert objects.kept("k", lambda: b"code") == b"code"


def _compile_and_run(folder: str) -> bool:
    os.environ[cache.VARIABLE] = folder
    x, y = np.arange(21, dtype=np.float32), np.zeros(21, np.float32)
    function(twice.address(), 3)(x.ctypes.data, y.ctypes.data, 21)
    return bool((y == 4 * x).all())


def test_processes_that_start_together(tmp_path: Path) -> None:
    """Four processes compile the same kernel at once: all work, and one file is left."""
    with multiprocessing.get_context("spawn").Pool(4) as processes:
        assert all(processes.map(_compile_and_run, [str(tmp_path / "new")] * 4))
    assert len(list((tmp_path / "new" / "kernels").iterdir())) == 1


def test_unknown_isa() -> None:
    """FALTUNG_ISA names one that is here, or none."""
    assert chosen("none") is None
    with pytest.raises(KernelError, match=r"FALTUNG_ISA: this CPU does not run it, got .*=mmx"):
        chosen("mmx")


@kernel(arguments=INTS, block=INT, thread=INT)
def add_one(code: Code, arguments: Pointer, block: Int, thread: Int, *, vectors: int) -> None:
    """Add one to each number of a block."""
    place = code.address(arguments[0]) + block * (vectors * code.lanes)
    with code.loop(vectors * code.lanes, step=code.lanes) as i:
        code.store(place + i, code.load(place + i) + code.constant(1.0))


def numbers_of(blocks: int) -> tuple[Any, Any]:
    """Return zeros for so many blocks, and the arguments that lead to them."""
    y = np.zeros((blocks, 4 * HERE[0].lanes(4)), np.float32)
    return y, np.array([y.ctypes.data])


@pytest.mark.parametrize("threads", [1, 2, 3, 5])
@pytest.mark.parametrize("blocks", [0, 1, 2, 7, 64])
def test_each_block_once(threads: int, blocks: int) -> None:
    """Every block is done exactly once, in each of many calls."""
    pool = Pool(threads)
    y, arguments = numbers_of(max(blocks, 1))
    for _ in range(300):
        pool.run(add_one.address(vectors=4), arguments.ctypes.data, blocks)
    np.testing.assert_array_equal(y[:blocks], 300)
    np.testing.assert_array_equal(y[blocks:], 0)
    pool.close()


def test_callers_at_once() -> None:
    """Threads that call one pool together each get all of their own blocks."""
    pool = Pool(2)
    given = [numbers_of(32) for _ in range(4)]

    def call(arguments: Any) -> None:
        for _ in range(200):
            pool.run(add_one.address(vectors=4), arguments.ctypes.data, 32)

    callers = [threading.Thread(target=call, args=(arguments,)) for _, arguments in given]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert all((y == 200).all() for y, _ in given)
    pool.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
def test_forked_child_works_alone() -> None:
    """A child has no helpers, and the same result."""
    pool = Pool(2)
    y, arguments = numbers_of(32)
    pool.run(add_one.address(vectors=4), arguments.ctypes.data, 32)
    child = os.fork()
    if child == 0:
        pool.run(add_one.address(vectors=4), arguments.ctypes.data, 32)
        os._exit(0 if (y == 2).all() else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    pool.close()


FAR_APART = """
import numpy as np
from faltung.kernels import compiled
from faltung.kernels.interleave import row_to_lanes
from faltung.kernels.isa import host_isa

code = compiled._compiled(row_to_lanes, "f32", host_isa(), {}, "kernel_0000")
held = []
for number in range(1, 400):
    symbol = f"kernel_{number:04}"
    assert compiled._linked(symbol, code.replace(b"kernel_0000", symbol.encode()))
    # What lies between two kernels grows: small pieces that leave gaps, large ones behind them.
    held.append(np.empty(1 << 20 if number % 3 else 8 << 20, np.uint8))
    if number % 100 == 1:
        held.append(np.empty(1 << 31, np.uint8))
print("linked")
"""


def test_code_may_lie_far_from_its_constants(tmp_path: Path) -> None:
    """In a process with much memory there may be no room for both near each other."""
    environment = {**os.environ, cache.VARIABLE: str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", FAR_APART], capture_output=True, text=True, env=environment
    )
    assert (done.returncode, done.stdout) == (0, "linked\n"), done.stderr
