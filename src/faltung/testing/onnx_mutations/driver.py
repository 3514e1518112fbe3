"""Many mutants in a few processes, each watched from outside: a crash or a hang ends one case."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from typing import Final

from faltung.testing.onnx_mutations.bases import bases
from faltung.testing.onnx_mutations.cases import case_of
from faltung.testing.onnx_mutations.examine import Outcome
from faltung.testing.onnx_mutations.worker import Answer, work

LONGEST: Final = 5.0
"""Seconds that one mutant may take."""

CHUNK: Final = 50
STARTING: Final = 120.0
"""Seconds that a process may take to start."""

THREADS: Final = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")


class _Worker:
    """One process, and the cases that it was given and has not answered."""

    def __init__(self, seed: int, planted: str) -> None:
        context = get_context("spawn")
        self.channel, theirs = context.Pipe()
        self.process = context.Process(target=work, args=(theirs, seed, planted), daemon=True)
        with _one_thread():
            self.process.start()
        theirs.close()
        self.open: deque[int] = deque()
        self.last = time.monotonic()
        self.started = False

    def give(self, indices: list[int]) -> None:
        self.last = time.monotonic()
        self.open.extend(indices)
        self.channel.send(indices)

    def late(self) -> bool:
        most = LONGEST if self.started else STARTING
        return bool(self.open) and time.monotonic() - self.last > most

    def stop(self) -> int:
        """End the process and return its exit code."""
        if self.process.is_alive():
            self.process.kill()
        self.process.join()
        self.channel.close()
        return self.process.exitcode or 0


@contextmanager
def _one_thread() -> Iterator[None]:
    """Have processes that start now compute in one thread."""
    before = {name: os.environ.get(name) for name in THREADS}
    os.environ.update(dict.fromkeys(THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def examined(
    indices: range, *, seed: int = 0, workers: int = 2, planted: str = ""
) -> Iterator[Answer]:
    """Examine cases in several processes; answers come as they are found.

    Parameters
    ----------
    indices : range
        Which cases.
    seed : int
        Of all of them.
    workers : int
        How many processes.
    planted : str
        The bug of the importer, of `planted.PLANTED`; "" for `faltung.load` as it is.

    Yields
    ------
    Answer
        One for each case. A case that ran over `LONGEST` is tried once more by itself before it is
        called a hang, as another program may have held the machine.
    """
    left, tried = deque(indices), set[int]()
    running = [_Worker(seed, planted) for _ in range(min(workers, len(indices)))]
    try:
        while left or any(worker.open for worker in running):
            for worker in running:
                if not worker.open and left:
                    worker.give([left.popleft() for _ in range(min(CHUNK, len(left)))])
            busy: list[Connection] = [worker.channel for worker in running if worker.open]
            ready = wait(busy, timeout=0.2)
            for place, worker in enumerate(running):
                ended = False
                if worker.channel in ready:
                    try:
                        found = worker.channel.recv()
                    except (EOFError, OSError):
                        ended = True
                    else:
                        worker.last, worker.started = time.monotonic(), True
                        if found is not None:
                            worker.open.popleft()
                            yield found
                if ended or worker.late():
                    index, code = worker.open.popleft(), worker.stop()
                    running[place] = _Worker(seed, planted)
                    left.extendleft(reversed(worker.open))
                    if not ended and index not in tried:
                        tried.add(index)
                        running[place].give([index])
                        continue
                    yield _lost(seed, index, "crash" if ended else "hang", code)
    finally:
        for worker in running:
            worker.stop()


def _lost(seed: int, index: int, verdict: str, code: int) -> Answer:
    """Return the answer for a case that ended its process, or had to be ended."""
    case = case_of(seed, index)
    said = f"exit code {code}" if verdict == "crash" else f"over {LONGEST:.0f} s, twice"
    outcome = Outcome(verdict, text=said)
    return Answer(index, case.base.name, case.what, case.structural, outcome, LONGEST, 0)


def names() -> tuple[str, ...]:
    """Return the names of the files that are mutated."""
    return tuple(base.name for base in bases())
