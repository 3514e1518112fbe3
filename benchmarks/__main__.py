"""Time faltung.conv against its peers: ``python -m benchmarks [--threads N] [NAME ...]``.

Results are checked first. Then each candidate runs in a process of its own, in blocks of time whose
order rotates over the rounds; the ratio (peer's time / ours) is the median over rounds.
"""

from __future__ import annotations

import argparse
import dataclasses
import importlib.util
import json
import os
import platform
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.layers import Layer, read

HERE = Path(__file__).parent
PEERS = ("torch",)
LARGEST_ERROR = 1e-4


class Candidate:
    """A worker process, asked over its pipes."""

    def __init__(self, name: str, threads: int) -> None:
        self.name = name
        limits = {f"{v}_NUM_THREADS": str(threads) for v in ("OMP", "OPENBLAS", "MKL", "FALTUNG")}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.worker", name],
            cwd=HERE.parent,
            env={**os.environ, **limits},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, layer: Layer, what: str, **more: Any) -> float:
        """Send one request and wait for its answer."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        request = {"ask": what, "layer": dataclasses.asdict(layer), **more}
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        return float(json.loads(self.process.stdout.readline()))

    def close(self) -> None:
        """End the process."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()


def cpu_model() -> str:
    """The processor's name, as the system tells it."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def commit() -> str:
    """The commit that is measured."""
    command = ["git", "rev-parse", "--short", "HEAD"]
    told = subprocess.run(command, cwd=HERE, capture_output=True, text=True, check=False)
    return told.stdout.strip() or "no commit"


def measure(layer: Layer, candidates: list[Candidate], rounds: int, block: float) -> str:
    """Check, time and return one row."""
    for candidate in candidates:
        error = candidate.ask(layer, "error")
        if not error < LARGEST_ERROR:
            raise SystemExit(f"{candidate.name} is wrong on {layer.name}: error {error:.1e}")
    times: dict[str, list[float]] = {c.name: [] for c in candidates}
    for turn in range(rounds):
        start = turn % len(candidates)
        for candidate in candidates[start:] + candidates[:start]:
            times[candidate.name].append(candidate.ask(layer, "time", block=block))
    ours = times["faltung"]
    cells = [f"{layer.name:18}", f"{1e3 * statistics.median(ours):9.3f}"]
    cells.append(f"{2e-9 * layer.macs / statistics.median(ours):9.1f}")
    for candidate in candidates[1:]:
        ratios = sorted(t / o for t, o in zip(times[candidate.name], ours, strict=True))
        spread = f"{ratios[0]:.2f}-{ratios[-1]:.2f}"
        cells.append(f"{statistics.median(ratios):8.2f} ({spread})")
    return " ".join(cells)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", help="layers of layers.txt; all of them by default")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--block", type=float, default=0.3, help="seconds")
    options = parser.parse_args()
    layers = [x for x in read(HERE / "layers.txt") if not options.names or x.name in options.names]
    peers = [name for name in PEERS if importlib.util.find_spec(name)]
    print(f"{cpu_model()}, {options.threads} threads, float32, commit {commit()}")
    missing = sorted(set(PEERS) - set(peers))
    if missing:
        print(f"not installed, not measured: {', '.join(missing)}")
    heads = " ".join(f"{f'{name} / ours':>20}" for name in peers)
    print(f"{'layer':18} {'ours, ms':>9} {'GFLOP/s':>9} {heads}")
    candidates = [Candidate(name, options.threads) for name in ("faltung", *peers)]
    try:
        for layer in layers:
            print(measure(layer, candidates, options.rounds, options.block), flush=True)
    finally:
        for candidate in candidates:
            candidate.close()


if __name__ == "__main__":
    main()
