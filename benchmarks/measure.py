"""Check every candidate's result, then time all of them in turn, each in a process of its own."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

from benchmarks.oracle import LARGEST_ERROR
from benchmarks.rounds import Rounds, race
from benchmarks.tasks import HERE, Task

LIMITS = ("OMP", "OPENBLAS", "MKL", "FALTUNG")
"""Whose ``_NUM_THREADS`` is set."""


class Candidate:
    """A worker process, asked over its pipes."""

    def __init__(self, name: str, threads: int) -> None:
        self.name = name
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - for as long as the process lives
        self.process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "benchmarks.worker", name, str(threads)],
            cwd=HERE.parent,
            env={**os.environ, **{f"{v}_NUM_THREADS": str(threads) for v in LIMITS}},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            text=True,
            encoding="utf-8",
        )

    def ask(self, what: str, task: Task | None = None, **more: Any) -> Any:
        """Send one request and wait for its answer."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        request = {"ask": what, "task": task and task.as_json(), **more}
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            self._said.seek(0)
            said = self._said.read().decode(errors="replace")[-2000:]
            raise SystemExit(f"{self.name} ended, asked {what} of {task}\n{said}")
        return json.loads(line)

    def close(self) -> None:
        """End the process."""
        with self.process:  # closes its pipes, and waits
            pass
        self._said.close()


class Wrong(Exception):  # noqa: N818 - a finding
    """Our result is not the convolution."""


@contextmanager
def opened(
    names: Sequence[str], threads: int, versions: dict[str, str]
) -> Iterator[list[Candidate]]:
    """Give a process for each of some candidates; tell their versions."""
    with ExitStack() as open_:
        candidates = [Candidate(name, threads) for name in names]
        for candidate in candidates:
            open_.callback(candidate.close)
        versions |= {c.name.split(":")[0]: c.ask("version") for c in candidates}
        yield candidates


@contextmanager
def workers(
    names: Sequence[str], threads: int, rounds: Rounds, block: float, versions: dict[str, str]
) -> Iterator[Callable[[Task], dict[str, Any]]]:
    """Give what measures one task after the other.

    Parameters
    ----------
    names
        The candidates, ours first.
    threads, rounds, block
        Of each: threads, turns, and seconds of a turn.
    versions
        Is told those of the candidates.
    """
    with opened(names, threads, versions) as candidates:
        yield lambda task: measured(task, candidates, rounds, block)


def measured(task: Task, candidates: Sequence[Candidate], rounds: Rounds, block: float) -> dict:
    """Return one row: our time and error, each peer's time and ratio, who cannot do it.

    The first candidate is ours: if it is wrong nothing is timed. A peer that is wrong is not timed
    either, and is named.
    """
    errors, cannot = checked(task, candidates)
    able = [candidate for candidate in candidates if candidate.name in errors]
    times = race({c.name: partial(c.ask, "time", task, block=block) for c in able}, rounds)
    return {
        "name": task.name,
        "listed": task.listed,
        "shape": task.shape_text,
        "macs": task.macs,
        "bytes": task.bytes,
        **compared(times),
        "errors": errors,
        "cannot": cannot,
    }


def checked(task: Task, candidates: Sequence[Candidate]) -> tuple[dict[str, float], dict[str, str]]:
    """Return the errors of those who are right, and why the others are not timed."""
    errors, cannot = {}, {}
    with tempfile.TemporaryDirectory(prefix="faltung-") as folder:
        for candidate in candidates:
            error = candidate.ask("error", task, kept=f"{folder}/expected.npy")
            if isinstance(error, str):
                cannot[candidate.name] = error
            elif not error <= LARGEST_ERROR:
                cannot[candidate.name] = f"is wrong by {error:.1e} of the largest value"
            else:
                errors[candidate.name] = error
            if candidate is candidates[0] and cannot:
                raise Wrong(f"{candidate.name}, {task.name}: {cannot[candidate.name]}")
    return errors, cannot


def compared(times: Mapping[str, Sequence[float]]) -> dict[str, Any]:
    """Return our time and each peer's ratio, of the seconds of all turns, ours first.

    >>> compared({"ours": [1.0, 2.0, 2.0], "theirs": [4.0]})["peers"]["theirs"]["ratio"]
    4.0
    """
    (_, ours), *peers = times.items()
    return {
        "seconds": statistics.median(ours),
        "peers": {name: ratio(theirs, ours[: len(theirs)]) for name, theirs in peers},
    }


def ratio(theirs: Sequence[float], ours: Sequence[float]) -> dict[str, float]:
    """Return a peer's time, and the median and spread over rounds of its time over ours.

    >>> ratio([2.0, 3.0, 8.0], [1.0, 2.0, 2.0])
    {'seconds': 3.0, 'ratio': 2.0, 'low': 1.5, 'high': 4.0}
    """
    each = [t / o for t, o in zip(theirs, ours, strict=True)]
    return {
        "seconds": statistics.median(theirs),
        "ratio": statistics.median(each),
        "low": min(each),
        "high": max(each),
    }


def best(row: Mapping[str, Any]) -> str:
    """Return the quickest peer of a row; empty where none can do it."""
    peers = row["peers"]
    return min(peers, key=lambda name: peers[name]["ratio"]) if peers else ""


def best_ratio(row: Mapping[str, Any]) -> float | None:
    """Return the ratio to the quickest peer."""
    return row["peers"][best(row)]["ratio"] if row["peers"] else None
