"""Many launches as one call of machine code: the steps of a network, one after the other.

A launch is written down while a row runs on arrays that will stay where they are (`noted`). What
is written down can be run again without the row: `Program` lays the arguments of all launches in
one table, and one compiled loop goes through it. Between two steps there is nothing of Python's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from itertools import accumulate
from typing import Any, Final

import numpy as np
from numpy.lib.array_utils import byte_bounds
from numpy.typing import NDArray

from faltung.kernels import memory
from faltung.kernels.compiled import function, kernel
from faltung.kernels.pool import call_alone, dispatch, shared_pool
from faltung.kernels.replay import Launch, Recorder
from faltung.kernels.simd import INT, INTS, Code, Int, Pointer

Array = NDArray[Any]

_FUNCTION, _RECORD, _BLOCKS, _PARALLEL = range(4)
_WORDS: Final = 4


@kernel(dispatch, call_alone, job=INTS, table=INTS, count=INT, together=INT)
def run_all(code: Code, job: Pointer, table: Pointer, count: Int, together: Int) -> None:
    """Run so many steps of a table; with ``together`` 0 the calling thread does all of them."""
    with code.loop(count) as number:
        step = table + number * _WORDS
        given = (step[_FUNCTION], step[_RECORD], step[_BLOCKS])
        is_parallel = code.build.and_(together > 0, step[_PARALLEL] > 0)
        with code.either(is_parallel) as (parallel, alone):
            with parallel:
                dispatch.call(code, job, *given)
            with alone:
                call_alone.call(code, *given)


@contextmanager
def noted(*, is_dry: bool = False) -> Iterator[Recorder]:
    """Give what notes launches, and the memory that is taken for results, meanwhile.

    Parameters
    ----------
    is_dry
        Whether they are noted alone, and not run.
    """
    before, recorder = memory.kept.recorder, Recorder((), is_dry=is_dry)
    memory.kept.recorder = recorder
    try:
        yield recorder
    finally:
        memory.kept.recorder = before


def moved(launch: Launch, old: Array, new: Array) -> Launch:
    """Return a launch that reads and writes one array in the place of another of its size."""
    start, end = byte_bounds(old)

    def there(array: Array) -> Array:
        first, last = byte_bounds(array)
        if not (start <= first and last <= end and array.size):
            return array
        begin = first - start
        bytes_of = new.reshape(-1).view(np.uint8)[begin : begin + array.nbytes]
        return bytes_of.view(array.dtype).reshape(array.shape)

    return launch._replace(arrays={name: there(array) for name, array in launch.arrays.items()})


Words = Sequence[tuple[int, int]]
"""Words of a program's arguments that hold one array's address, each with an offset."""


class Program:
    """Launches that are run again and again on the arrays that they were noted with.

    Parameters
    ----------
    launches
        In their order.
    parallel
        For each whether there is enough to do for several threads.
    """

    def __init__(self, launches: Sequence[Launch], parallel: Sequence[bool]) -> None:
        self._launches = tuple(launches)
        self._parallel = tuple(parallel)
        self._threads = 0
        self._lay_out(shared_pool().threads)

    @property
    def nbytes(self) -> int:
        """Working memory of all steps, which take it in turn."""
        return int(self._scratch.nbytes)

    def run(self) -> None:
        """Run all steps."""
        pool = shared_pool()
        if pool.threads > self._threads:
            self._lay_out(pool.threads)
        if not self._is_parallel:
            _run_all()(0, self._place, len(self._launches), 0)
            return
        with pool.taken() as job:
            _run_all()(job, self._place, len(self._launches), int(job != 0))

    def words(self, array: Array, steps: range) -> Words:
        """Return where an array's address stands in the arguments of some launches.

        Parameters
        ----------
        array
            Launches read or write it, or parts of it.
        steps
            The launches to look at.
        """
        start, end = byte_bounds(array)
        words: list[tuple[int, int]] = []
        for number in steps:
            launch, first = self._launches[number], self._starts[number]
            for name, other in launch.arrays.items():
                begin, stop = byte_bounds(other)
                if start <= begin and stop <= end and other.size:
                    offset = other.ctypes.data - start
                    words.append((first + launch.names.index(name), offset))
        return words

    def put(self, words: Words, address: int) -> None:
        """Have launches read or write an array at another address."""
        records = self._records
        for place, offset in words:
            records[place] = address + offset

    def _lay_out(self, threads: int) -> None:
        size = max((n.shared + threads * n.scratch for n in self._launches), default=0)
        self._scratch = np.empty(size + memory.LINE, np.uint8)
        start = self._scratch.ctypes.data
        start += -start % memory.LINE
        records = [_record(launch, start) for launch in self._launches]
        self._starts = [0, *accumulate(len(record) for record in records)]
        self._records = np.concatenate([np.zeros(0, np.int64), *records])
        first = self._records.ctypes.data
        rows = [
            (launch.address, first + 8 * at, launch.blocks, is_parallel and launch.blocks > 1)
            for launch, at, is_parallel in zip(
                self._launches, self._starts, self._parallel, strict=False
            )
        ]
        self._is_parallel = any(row[_PARALLEL] for row in rows)
        self._table = np.array(rows, np.int64).reshape(-1, _WORDS)
        self._place, self._threads = self._table.ctypes.data, threads


@cache
def _run_all() -> Callable[..., None]:
    return function(run_all.address(), 4)


def _record(launch: Launch, shared: int) -> Array:
    """Return the arguments of a launch, whose working memory begins at an address."""
    values = {**launch.sizes, **{n: array.ctypes.data for n, array in launch.arrays.items()}}
    values |= {"shared": shared, "scratch": shared + launch.shared}
    return np.array([values[name] for name in launch.names], np.int64)
