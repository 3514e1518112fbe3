"""Blocks of work in parallel, their results in order.

A thread takes whole blocks, and blocks follow from the geometry alone: how many threads there are
changes no bit. NumPy lets go of the interpreter while it copies and multiplies.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from faltung.errors import KernelError, message
from faltung.kernels.blas import one_thread

Block = TypeVar("Block")
Result = TypeVar("Result")

_POOLS: dict[int, ThreadPoolExecutor] = {}
# A forked child has the pool but none of its threads: it makes its own.
os.register_at_fork(after_in_child=_POOLS.clear)


def num_threads() -> int:
    """How many threads the kernels take: FALTUNG_NUM_THREADS, or the cores of this process.

    Raises
    ------
    KernelError
        If the variable is not a number of at least 1 (K4).
    """
    given = os.environ.get("FALTUNG_NUM_THREADS", "")
    if not given:
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else _cores()
    if not given.isdecimal() or int(given) < 1:
        rule = "must be a number of at least 1"
        values = {"FALTUNG_NUM_THREADS": repr(given)}
        raise KernelError(message("FALTUNG_NUM_THREADS", rule, values, "Unset it", "kernel K4"))
    return int(given)


def _cores() -> int:
    return os.cpu_count() or 1


def in_order(work: Callable[[Block], Result], blocks: Iterable[Block]) -> Iterator[Result]:
    """Do the work of each block, in parallel where that pays, and give the results in order."""
    blocks = list(blocks)
    threads = min(num_threads(), len(blocks))
    with one_thread():
        if threads <= 1:
            yield from map(work, blocks)
        else:
            yield from _pool(threads).map(work, blocks)


def _pool(threads: int) -> ThreadPoolExecutor:
    if threads not in _POOLS:
        _POOLS[threads] = ThreadPoolExecutor(threads, thread_name_prefix="faltung")
    return _POOLS[threads]
