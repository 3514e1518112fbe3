"""Many cases in several processes; one that dies is a finding too, and another takes its place."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from queue import Empty, SimpleQueue

from faltung.kernels.isa import VARIABLE
from faltung.kernels.registry import ROWS, Row
from faltung.testing.random_kernels.check import ARGUMENTS
from faltung.testing.random_kernels.worker import PROGRESS

TRIED = 50
"""Seeds that are tried for each case at most: some have none, or need too much compiled."""


@dataclass(frozen=True)
class Chunk:
    """Some seeds of a row on an instruction set, and at most so many cases of them, where not 0.

    See `worker.findings`.
    """

    isa: str
    row: str
    start: int
    stop: int
    what: str = "values"
    how: str = ""
    most: int = 0


@dataclass
class Found:
    """What a hunt found."""

    checked: Counter[tuple[str, str]] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)


def rows(names: Sequence[str] = ()) -> list[Row]:
    """Return the rows that are drawn, or those of some names."""
    chosen = [row for row in ROWS if row.operation in ARGUMENTS]
    return [row for row in chosen if not names or row.name in names]


def chunks(isa: str, cases: int, seed: int = 0, names: Sequence[str] = ()) -> list[Chunk]:
    """Share out so many cases over the rows: an eighth as many for those that NumPy runs."""
    weights = {row.name: 8 if row.is_compiled else 1 for row in rows(names)}
    total = sum(weights.values())
    return [share(isa, name, seed, -(-cases * n // total)) for name, n in weights.items()]


def share(isa: str, name: str, seed: int, cases: int, what: str = "values") -> Chunk:
    """Return so many cases of a row, whatever is passed over."""
    return Chunk(isa, name, seed, seed + TRIED * cases, what, most=cases)


def hunt(work: Iterable[Chunk], processes: int = 2) -> Found:
    """Check all chunks, those of one instruction set after those of another."""
    queue: SimpleQueue[Chunk] = SimpleQueue()
    for chunk in work:
        queue.put(chunk)
    found, lock = Found(), threading.Lock()
    threads = [
        threading.Thread(target=_worked, args=(queue, found, lock)) for _ in range(processes)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def _worked(queue: SimpleQueue[Chunk], found: Found, lock: threading.Lock) -> None:
    """Hand chunks to a worker until there are none; one worker for each instruction set."""
    worker: _Worker | None = None
    with suppress(Empty):
        while True:
            chunk = queue.get_nowait()
            if worker is None or worker.isa != chunk.isa:
                if worker is not None:
                    worker.close()
                worker = _Worker(chunk.isa)
            rest: Chunk | None = chunk
            while rest is not None:
                rest = worker.ask(rest, found, lock)
    if worker is not None:
        worker.close()


class _Worker:
    """A process of `worker`, and where it says how far it is."""

    def __init__(self, isa: str) -> None:
        self.isa = isa
        self._folder = tempfile.TemporaryDirectory()
        self._progress = Path(self._folder.name, "progress")
        self._progress.write_bytes(bytes(PROGRESS.size))
        self._start()

    def _start(self) -> None:
        module = "faltung.testing.random_kernels.worker"
        self.process = subprocess.Popen(
            [sys.executable, "-m", module, str(self._progress)],
            # A thread each: the processes keep the cores busy.
            env={"FALTUNG_NUM_THREADS": "1", **os.environ, VARIABLE: self.isa},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, chunk: Chunk, found: Found, lock: threading.Lock) -> Chunk | None:
        """Have a chunk checked; return what is left of it where the worker died."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(asdict(chunk)) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if line:
            answer = json.loads(line)
            with lock:
                found.checked[chunk.isa, chunk.row] += answer["checked"]
                found.wrong += [f"--isa {chunk.isa} {said}" for said in answer["wrong"]]
            return None
        return self._died(chunk, found, lock)

    def _died(self, chunk: Chunk, found: Found, lock: threading.Lock) -> Chunk | None:
        code = self.process.wait()
        self._close_pipes()
        seed, before = PROGRESS.unpack(self._progress.read_bytes())
        said = f"--isa {chunk.isa} --row {chunk.row} --seed {seed}: the process ended, code {code}"
        with lock:
            found.checked[chunk.isa, chunk.row] += before + 1
            found.wrong.append(said)
        self._start()
        left = replace(chunk, start=seed + 1, most=chunk.most and chunk.most - before - 1)
        is_done = chunk.how or left.start >= left.stop or (chunk.most and not left.most)
        return None if is_done else left

    def _close_pipes(self) -> None:
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                with suppress(BrokenPipeError):
                    pipe.close()

    def close(self) -> None:
        """End the process."""
        self._close_pipes()
        self.process.wait()
        self._folder.cleanup()
