"""What this machine can do at most: multiply-adds a second, bytes a second.

Both are measured by kernels of our own: one that does nothing but multiply-adds in registers, one
that copies, on sizes that lie in each of the caches and in memory.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from faltung.kernels.compiled import kernel
from faltung.kernels.isa import Isa, required_isa
from faltung.kernels.pool import shared_pool
from faltung.kernels.simd import INT, INTS, Code, Int, Pointer

TURNS = 200_000
SIZES = tuple(1 << n for n in range(18, 28, 2))
"""Bytes that a copy reads and writes: 256 KiB to 64 MiB, each way half."""


@kernel(arguments=INTS, block=INT, thread=INT)
def multiply(code: Code, arguments: Pointer, block: Int, thread: Int, *, sums: int) -> None:
    """``sum = sum * a + b``, so many sums that none waits for itself."""
    numbers = code.address(arguments[1]) + thread * (16 * code.lanes)
    a, b = code.load(numbers), code.load(numbers + code.lanes)
    total = [code.variable(code.constant(n)) for n in range(sums)]
    with code.loop(arguments[0]):
        for each in total:
            each.set(code.fma(each.get(), a, b))
    result = total[0].get()
    for each in total[1:]:
        result = result + each.get()
    code.store(numbers + 2 * code.lanes, result)


@kernel(arguments=INTS, block=INT, thread=INT)
def copy(code: Code, arguments: Pointer, block: Int, thread: Int) -> None:
    """One block of numbers from one place to another, as often as is said."""
    size, times = arguments[0], arguments[3]
    x, y = (code.address(arguments[i]) + block * size for i in (1, 2))
    step = 4 * code.lanes
    with code.loop(times), code.loop(size, step=step) as i:
        vectors = [code.load(x + i + n * code.lanes) for n in range(4)]
        for n, vector in enumerate(vectors):
            code.store(y + i + n * code.lanes, vector)


def peak(isa: Isa) -> float:
    """Return float32 operations a second, all threads together; a multiply-add counts as two."""
    sums, pool = isa.registers * 3 // 4, shared_pool()
    numbers = np.full(16 * isa.lanes(4) * pool.threads, 0.5, np.float32)
    arguments = np.array([TURNS, numbers.ctypes.data])
    address = multiply.address("f32", isa, sums=sums)
    blocks = 4 * pool.threads
    seconds = _least(lambda: pool.run(address, arguments.ctypes.data, blocks))
    return 2 * TURNS * sums * isa.lanes(4) * blocks / seconds


def bandwidths(isa: Isa) -> dict[int, float]:
    """Return bytes a second, read and written together, by how many are touched."""
    return {size: _bandwidth(size, isa) for size in SIZES}


def _bandwidth(size: int, isa: Isa) -> float:
    pool = shared_pool()
    x = np.ones(size // 8, np.float32)
    y = np.zeros_like(x)
    times = max(1, (1 << 26) // size)
    part = len(x) // pool.threads // 256 * 256
    arguments = np.array([part, x.ctypes.data, y.ctypes.data, times])
    address = copy.address("f32", isa)
    seconds = _least(lambda: pool.run(address, arguments.ctypes.data, pool.threads))
    return 8 * part * pool.threads * times / seconds


def _least(call: Callable[[], Any], turns: int = 9) -> float:
    taken = []
    for _ in range(turns):
        start = time.perf_counter()
        call()
        taken.append(time.perf_counter() - start)
    return min(taken)


def share(row: Mapping[str, Any], roofline: Mapping[str, Any]) -> float:
    """Return a row's least possible time by the direct algorithm over its own.

    Algorithms that multiply less than the direct one may pass 1.

    >>> row = {"macs": 1000, "bytes": 10, "seconds": 2.0}
    >>> share(row, {"flops": 1000.0, "bandwidths": {"8": 10.0, "64": 5.0}})
    1.0
    """
    sizes = {int(size): value for size, value in roofline["bandwidths"].items()}
    fitting = [size for size in sizes if size >= row["bytes"]] or [max(sizes)]
    least = max(2 * row["macs"] / roofline["flops"], row["bytes"] / sizes[min(fitting)])
    return float(least / row["seconds"])


if __name__ == "__main__":
    here = required_isa("roofline")
    print(json.dumps({"flops": peak(here), "bandwidths": bandwidths(here)}), file=sys.stdout)
