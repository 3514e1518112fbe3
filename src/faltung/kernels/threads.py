"""Blocks of work in parallel, their results in order.

A thread takes whole blocks, and blocks follow from the geometry alone: how many threads there are
changes no bit. NumPy lets go of the interpreter while it copies and multiplies.
"""

from __future__ import annotations

import operator
import os
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, TypeVar

from faltung.errors import KernelError, message
from faltung.kernels.blas import one_thread

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

Block = TypeVar("Block")
Result = TypeVar("Result")

_POOLS: dict[int, ThreadPoolExecutor] = {}
# A forked child has the pool but none of its threads: it makes its own.
os.register_at_fork(after_in_child=_POOLS.clear)


class _Set:
    """What `set_num_threads` was given; 0 where it was not called."""

    number = 0


_set = _Set()


def set_num_threads(n: int | None) -> None:
    """Set how many threads the kernels of this process take, from the next call on.

    The number changes no bit of any result: which thread computes what never matters.

    Parameters
    ----------
    n : int or None
        At least 1; None goes back to ``FALTUNG_NUM_THREADS``, or the cores of this process.

    Raises
    ------
    KernelError
        If `n` is not a number of at least 1 (K4).

    Examples
    --------
    >>> import faltung
    >>> faltung.set_num_threads(1)
    >>> faltung.num_threads()
    1
    >>> faltung.set_num_threads(None)
    """
    if n is None:
        _set.number = 0
        return
    try:
        number = operator.index(n)
    except TypeError:
        number = 0
    if number < 1 or isinstance(n, bool):
        rule, cure = "must be a number of at least 1", "Use None for all cores of this process"
        raise KernelError(message("set_num_threads", rule, {"n": repr(n)}, cure, "kernel K4"))
    _set.number = number


def num_threads() -> int:
    """How many threads the kernels take.

    Returns
    -------
    int
        What `set_num_threads` was given, else ``FALTUNG_NUM_THREADS``, else the cores that this
        process may use. A forked child works with one thread, whatever it says here.

    Raises
    ------
    KernelError
        If the variable is not a number of at least 1 (K4).
    """
    if _set.number:
        return _set.number
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
        from concurrent.futures import ThreadPoolExecutor

        _POOLS[threads] = ThreadPoolExecutor(threads, thread_name_prefix="faltung")
    return _POOLS[threads]
