"""Threads that share the blocks of one kernel: awake in a microsecond, asleep between calls.

A parallel kernel is called once for each block, ``f(arguments, block, thread)``; which thread takes
which block is decided as they go, and changes no bit of the result. Whoever calls takes part; if no
helper wakes up, it does everything itself, and never waits for a thread that has not begun.

The loop of a helper is machine code, called by a thread of Python's without the interpreter's lock.
It watches a word in memory for `SPINS` turns; then it returns to Python and sleeps on a lock, from
which only Python wakes it. So as long as machine code opens one job after the other (``held``), it
watches on, however long a job or what lies between two of them may take.
So nothing here depends on OpenMP or on any other library's threads. After ``fork`` a child has
no helpers and works alone; two threads that call at once do not meet: the second works alone.

How helpers leave a job is Dekker's rule: a helper first announces itself (``active``), then looks
whether the job is still open; the caller first closes the job, then waits until nobody is active.
Both in one total order, so that no helper reads a job that is being replaced.
"""

from __future__ import annotations

import ctypes
import functools
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import numpy as np
from llvmlite import ir

from faltung.kernels.compiled import function, kernel
from faltung.kernels.simd import I32, I64, INT, INTS, Code, Int, Pointer
from faltung.kernels.threads import num_threads

SPINS: Final = 100
"""Turns that a helper watches before it sleeps, each of `PAUSES` pauses: some 100 us in all."""
PAUSES: Final = 32
"""Pauses until a thread that waits lets others run: on a busy machine it must not keep them."""

_LINE: Final = 16
"""64-bit words between two that different threads write: two cache lines."""
# Words of a job.
_EPOCH, _OPEN, _FUNCTION, _ARGUMENTS, _BLOCKS, _YIELD, _HELD = range(7)
_NEXT, _ACTIVE, _STOP = _LINE, 2 * _LINE, 3 * _LINE
_WORDS: Final = 4 * _LINE


def _word(job: Pointer, at: int) -> Any:
    return (job + at).value


def _read(code: Code, job: Pointer, at: int) -> Int:
    return Int(code.build, code.build.load_atomic(_word(job, at), "seq_cst", 8, typ=I64))


def _write(code: Code, job: Pointer, at: int, value: Int | int) -> None:
    given = value.value if isinstance(value, Int) else I64(value)
    code.build.atomic_rmw("xchg", _word(job, at), given, "seq_cst")


def _add(code: Code, job: Pointer, at: int, by: int) -> Int:
    before = code.build.atomic_rmw("add", _word(job, at), I64(by), "seq_cst")
    return Int(code.build, before)


def _wait_a_turn(code: Code, job: Pointer) -> None:
    """Pause for a while, then let the system run somebody else if there is anybody."""
    with code.loop(code.integer(PAUSES)):
        if code.isa.name == "neon":
            code.intrinsic("llvm.aarch64.hint", ir.VoidType(), (I32,), [I32(1)])
        else:
            code.intrinsic("llvm.x86.sse2.pause", ir.VoidType(), (), [])
    give_way = job[_YIELD]
    with code.when(give_way > 0):
        kind = ir.FunctionType(I32, [])
        code.build.call(code.build.inttoptr(give_way.value, kind.as_pointer()), [])


def _give_way() -> int:
    """Return the address of the system's function that lets other threads run; 0 for none."""
    name, library = ("SwitchToThread", "kernel32") if os.name == "nt" else ("sched_yield", None)
    try:
        function = getattr(ctypes.CDLL(library), name)
    except (OSError, AttributeError):
        return 0
    return ctypes.cast(function, ctypes.c_void_p).value or 0


def _take_blocks(code: Code, job: Pointer, thread: Int) -> None:
    """Call the job's function for one block after another, as long as there are any."""
    build = code.build
    kind = ir.FunctionType(ir.VoidType(), [I64] * 3)
    called = build.inttoptr(job[_FUNCTION].value, kind.as_pointer())
    arguments, blocks = job[_ARGUMENTS], job[_BLOCKS]
    take, work, end = (build.append_basic_block(n) for n in ("take", "work", "end"))
    build.branch(take)
    build.position_at_end(take)
    block = _add(code, job, _NEXT, 1)
    build.cbranch(block < blocks, work, end)
    build.position_at_end(work)
    build.call(called, [arguments.value, block.value, thread.value])
    build.branch(take)
    build.position_at_end(end)


@kernel(job=INTS, function=INT, arguments=INT, blocks=INT)
def dispatch(code: Code, job: Pointer, function: Int, arguments: Int, blocks: Int) -> None:
    """Open a job, take part in it, close it, wait for those who are still in it."""
    build = code.build
    for at, value in ((_FUNCTION, function), (_ARGUMENTS, arguments), (_BLOCKS, blocks)):
        build.store(value.value, _word(job, at), align=8)
    _write(code, job, _NEXT, 0)
    _write(code, job, _EPOCH, job[_EPOCH] + 1)
    _write(code, job, _OPEN, 1)
    _take_blocks(code, job, code.integer(0))
    _write(code, job, _OPEN, 0)
    wait, turn, end = (build.append_basic_block(n) for n in ("wait", "turn", "end"))
    build.branch(wait)
    build.position_at_end(wait)
    build.cbranch(_read(code, job, _ACTIVE) > 0, turn, end)
    build.position_at_end(turn)
    _wait_a_turn(code, job)
    build.branch(wait)
    build.position_at_end(end)


@kernel(function=INT, arguments=INT, blocks=INT)
def call_alone(code: Code, function: Int, arguments: Int, blocks: Int) -> None:
    """Call a function for one block after another."""
    kind = ir.FunctionType(ir.VoidType(), [I64] * 3)
    called = code.build.inttoptr(function.value, kind.as_pointer())
    with code.loop(blocks) as block:
        code.build.call(called, [arguments.value, block.value, I64(0)])


@kernel(job=INTS, seen=INTS)
def _help(code: Code, job: Pointer, seen: Pointer, *, spins: int) -> None:
    """Watch for jobs and take part in them, until nothing has come for a while, nor is held.

    ``seen`` holds the epoch of the last job that this helper took part in, and its number.
    """
    build = code.build
    left = code.variable(code.integer(spins))
    names = ("watch", "look", "join", "work", "leave", "turn", "end")
    watch, look, join, work, leave, turn, end = (build.append_basic_block(n) for n in names)
    build.branch(watch)
    build.position_at_end(watch)
    is_idle = build.and_(left.get() <= 0, _read(code, job, _HELD).equals(0))
    is_over = build.or_(is_idle, _read(code, job, _STOP) > 0)
    build.cbranch(is_over, end, look)
    build.position_at_end(look)
    epoch = _read(code, job, _EPOCH)
    is_new = build.not_(epoch.equals(seen[0]))
    build.cbranch(build.and_(is_new, _read(code, job, _OPEN) > 0), join, turn)
    build.position_at_end(join)
    _add(code, job, _ACTIVE, 1)
    build.cbranch(_read(code, job, _OPEN) > 0, work, leave)
    build.position_at_end(work)
    # The job may be a newer one than was seen above; it is open, so its fields are whole.
    build.store(_read(code, job, _EPOCH).value, seen.value, align=8)
    _take_blocks(code, job, seen[1])
    left.set(code.integer(spins))
    build.branch(leave)
    build.position_at_end(leave)
    _add(code, job, _ACTIVE, -1)
    build.branch(watch)
    build.position_at_end(turn)
    _wait_a_turn(code, job)
    left.set(left.get() - 1)
    build.branch(watch)
    build.position_at_end(end)


@functools.cache
def _pool(threads: int) -> Pool:
    return Pool(threads)


def shared_pool() -> Pool:
    """Return the pool that every kernel of this process shares."""
    return _pool(shared_threads())


def shared_threads() -> int:
    """Return how many threads the shared pool has; a forked child's works alone."""
    return 1 if _process.is_child else num_threads()


class _Process:
    """Whether this process was forked by another that had the pool."""

    is_child = False

    def forked(self) -> None:
        """Note it: none of the helpers came along, and the lock may be held by one of them."""
        self.is_child = True


_process = _Process()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_process.forked)


class Pool:
    """Helpers beside the thread that calls.

    Parameters
    ----------
    threads
        All threads that take part, the caller's included.
    """

    def __init__(self, threads: int) -> None:
        self.threads = max(1, threads)
        self._job = np.zeros(_WORDS, np.int64)
        self._job[_YIELD] = _give_way()
        self._place = self._job.ctypes.data
        self._calls = threading.Lock()
        self._asleep: list[threading.Lock] = []
        self._count = threading.Lock()
        self._dispatch = function(dispatch.address(), 4)
        self._alone = function(call_alone.address(), 3)
        for number in range(1, self.threads):
            helper = threading.Thread(target=self._helper, args=(number,), daemon=True)
            helper.start()

    def run(self, address: int, arguments: int, blocks: int, *, is_serial: bool = False) -> None:
        """Call ``f(arguments, block, thread)`` for each block of ``range(blocks)``.

        ``thread`` is below `threads`, and no two calls of one `run` that happen at once share it,
        so that each may have working memory of its own.

        Parameters
        ----------
        address
            Machine code of three integers.
        arguments
            Handed on: the address of whatever it needs.
        blocks
            How many.
        is_serial
            Whether the calling thread does everything: there is too little to do for two.
        """
        is_alone = is_serial or self.threads == 1 or blocks < 2 or _process.is_child
        if is_alone or not self._calls.acquire(blocking=False):
            self._alone(address, arguments, blocks)
            return
        try:
            self._wake(blocks - 1)
            self._dispatch(self._place, address, arguments, blocks)
        finally:
            self._calls.release()

    @contextmanager
    def taken(self) -> Iterator[int]:
        """Give the job's address, all helpers awake; 0 where the calling thread works alone.

        They stay awake meanwhile: machine code that opens many jobs, one after the other, can wake
        nobody (see `dispatch`).
        """
        is_alone = self.threads == 1 or _process.is_child
        if is_alone or not self._calls.acquire(blocking=False):
            yield 0
            return
        try:
            self._job[_HELD] = 1
            self._wake(self.threads)
            yield self._place
        finally:
            self._job[_HELD] = 0
            self._calls.release()

    def close(self) -> None:
        """End the helpers."""
        self._job[_STOP] = 1
        self._wake(self.threads)

    def _wake(self, most: int) -> None:
        if self._asleep:
            with self._count:
                bells, self._asleep = self._asleep[:most], self._asleep[most:]
            for bell in bells:
                bell.release()

    def _helper(self, number: int) -> None:
        bell, seen = threading.Lock(), np.array([0, number])
        watch: Callable[..., None] = function(_help.address(spins=SPINS), 2)
        while not self._job[_STOP]:
            watch(self._place, seen.ctypes.data)
            bell.acquire(blocking=False)
            with self._count:
                self._asleep.append(bell)
            is_open = self._job[_OPEN] and self._job[_EPOCH] != seen[0]
            if is_open or self._job[_HELD]:
                # A job began before anybody knew that this one sleeps: nobody wakes it for that.
                with self._count:
                    if bell in self._asleep:
                        self._asleep.remove(bell)
                        continue
            bell.acquire()
