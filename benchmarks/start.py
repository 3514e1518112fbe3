"""How long a first call takes: with nothing compiled yet, and with all of it there."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping

from benchmarks.tasks import HERE

FIRST = """
import time
import numpy as np
start = time.perf_counter()
import faltung
x, w = np.ones((1, 16, 32, 32), np.float32), np.ones((32, 16, 3, 3), np.float32)
faltung.conv(x, w, padding=1)
print(time.perf_counter() - start)
"""
TRAIN = """
import contextlib, io, sys, tempfile
from faltung.cli import main
from pathlib import Path
with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
    main(["train", *sys.argv[1:], "--out", str(Path(folder, "run"))])
"""
BARS = {
    "empty cache: first faltung.conv": 3.0,
    "empty cache: all of make train's compiling": 6.0,
    "warm cache: python -c with one faltung.conv": 0.4,
}
"""What is measured, and the most seconds that it should take."""


def measured(rounds: int) -> list[dict]:
    """Return a row for each of `BARS`."""
    seconds: dict[str, list[float]] = {name: [] for name in BARS}
    first, train, warm = BARS
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as cache:
            seconds[first].append(float(_run(FIRST, cache)[1]))
            seconds[warm].append(_run(FIRST, cache)[0])
    for _ in range(min(rounds, 2)):
        with tempfile.TemporaryDirectory() as cache:
            cold, again = (_run(TRAIN, cache, "--epochs", "1")[0] for _ in range(2))
            seconds[train].append(cold - again)
    return [
        {"name": name, "bar": BARS[name], "value": statistics.median(s), "high": max(s)}
        for name, s in seconds.items()
    ]


def _run(code: str, cache: str, *arguments: str) -> tuple[float, str]:
    """Run code in a new process; return how long that took, and what it printed."""
    environment: Mapping[str, str] = {**os.environ, "FALTUNG_CACHE": cache}
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=HERE.parent,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    taken = time.perf_counter() - start
    if done.returncode:
        raise SystemExit(f"start: a first call failed\n{done.stderr}")
    return taken, done.stdout
