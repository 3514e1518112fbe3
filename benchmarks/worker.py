"""One candidate in a process of its own: two libraries' threads in one would spin at each other.

Reads one JSON request a line, answers one JSON line: the error against float64, seconds a call, or
how soon a network learns.
"""

from __future__ import annotations

import importlib
import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import oracle
from benchmarks.peers.contract import Cannot
from benchmarks.tasks import Task

CHUNK = 0.01
"""Seconds between two looks at the clock, at most a call."""


def seconds_per_call(call: Callable[[], Any], block: float) -> float:
    """Call for a block of time; return the median over its chunks of the mean."""
    many, taken = 1, _timed(call, 1)
    while taken < CHUNK / 4:
        many *= 2
        taken = _timed(call, many)
    chunks, start = [taken / many], time.perf_counter()
    while time.perf_counter() - start < block or len(chunks) < 3:
        chunks.append(_timed(call, many) / many)
    return statistics.median(chunks[1:])


def _timed(call: Callable[[], Any], many: int) -> float:
    turns, start = range(many), time.perf_counter()
    for _ in turns:
        call()
    return time.perf_counter() - start


class Worker:
    """Answers requests for one candidate; keeps the call of the last task."""

    def __init__(self, name: str, threads: int) -> None:
        module, _, self.variant = name.partition(":")
        self.peer = importlib.import_module(f"benchmarks.peers.{module}")
        self.threads = threads
        self.task: Task | None = None
        self.call: Any = None

    def answer(self, request: dict[str, Any]) -> Any:
        """Return what is asked for; a text says why there is nothing."""
        try:
            if request["ask"] == "version":
                return str(self.peer.version())
            task = Task.from_json(request["task"])
            if request["ask"] == "reach":
                from benchmarks.accuracy import reached  # brings along what trains

                return reached(lambda: self._learner(task), request["seed"])
            if task != self.task:
                self.call = None
                self.call = self.peer.make(task, self.variant, self.threads)
                self.task = task
            if request["ask"] == "error":
                kept = request.get("kept")
                return oracle.error(task, self.call.result(), kept and Path(kept))
            return seconds_per_call(self.call.run, request["block"])
        except Cannot as reason:
            self.task = None
            return str(reason)

    def _learner(self, task: Task) -> Any:
        return self.peer.learner(task, self.variant, self.threads)


def main() -> None:
    """Answer until the input ends. What libraries print goes to the standard error."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    worker = Worker(sys.argv[1], int(sys.argv[2]))
    for line in sys.stdin:
        answers.write(json.dumps(worker.answer(json.loads(line))) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
