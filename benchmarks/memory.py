"""How much memory whole networks take: loaded, planned and run, in a process of their own.

What counts is by how much the process grows, over what it has when its library is imported and a
model of one layer was loaded and run. The most that it has meanwhile is compared with ONNX
Runtime's; what stays with it, with what the plan says that it holds.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from benchmarks.models import Model, models
from benchmarks.tasks import HERE
from faltung.graph import layers

THREADS: Final = 2
NEAR: Final = 5.0
"""By how many percent what a plan says may differ from what stays with the process."""
OURS, THEIRS = "faltung", "onnxruntime"
MODEL, ONE = "model.onnx", "one.onnx"
SHAPE: Final = (1, 8, 16, 16)


def measured(rounds: int) -> list[dict]:
    """Return our peak in percent of ONNX Runtime's, and how far the plan is off, by network."""
    if not Path("/proc/self/clear_refs").exists():
        print("asked of Linux alone, not measured here")
        return []
    peaks: list[dict] = []
    told: list[dict] = []
    with tempfile.TemporaryDirectory(prefix="faltung-") as folder:
        one = layers.build(layers.Chain(layers.Conv(8, 3, padding=1), layers.Relu()), SHAPE[1:])
        one.with_input_shape(SHAPE).save(Path(folder) / ONE)
        for model in models():
            if model.listed and model.shape[0] == 1:
                _add(model, Path(folder), rounds, peaks, told)
    mean = statistics.geometric_mean(row["value"] for row in peaks)
    return [*peaks, _row("geometric mean of these", [mean], 100.0), *told]


def _add(model: Model, folder: Path, rounds: int, peaks: list[dict], told: list[dict]) -> None:
    model.made(model.shape).save(folder / MODEL)
    grown(OURS, folder, model.shape)  # compiles
    pairs = [[grown(name, folder, model.shape) for name in (OURS, THEIRS)] for _ in range(rounds)]
    (ours, theirs), name = pairs[0], model.name.removesuffix(".1")
    shown = f"{name}: peak {_mb(ours['peak'])}, ONNX Runtime's {_mb(theirs['peak'])}"
    known = f"{name}: {_mb(ours['held'])} stay, reported {_mb(ours['told'])}, off by"
    peaks.append(_row(shown, [100 * a["peak"] / b["peak"] for a, b in pairs], 100.0))
    off = [100 * abs(a["held"] - a["told"]) / a["held"] for a, _ in pairs]
    told.append(_row(known, off, NEAR))


def _row(name: str, values: Sequence[float], bar: float) -> dict:
    return {"name": name, "value": statistics.median(values), "high": max(values), "bar": bar}


def _mb(size: float) -> str:
    return f"{size / 1e6:.0f} MB"


def grown(name: str, folder: Path, shape: tuple[int, ...]) -> dict[str, int]:
    """Return by how many bytes a new process grows: at most (``peak``), and to stay (``held``).

    Parameters
    ----------
    name
        A runtime.
    folder
        Where the model is, and one of a single layer.
    shape
        Of the model's input.

    Returns
    -------
    dict
        ``told`` as well, what the plan says of itself; 0 of others.
    """
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "benchmarks.memory", name, str(folder)]
        + [str(n) for n in shape],
        cwd=HERE.parent,
        env={**os.environ, "FALTUNG_NUM_THREADS": str(THREADS)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"{name} failed\n{done.stderr}")
    found: dict[str, int] = json.loads(done.stdout)
    return found


# In the process that grows ------------------------------------------------------------------


def main(name: str, folder: str, *sizes: str) -> None:
    """Load, plan and run a model; print by how much the process has grown."""
    prepared = {OURS: _planned, THEIRS: _session}[name]
    run, _ = prepared(f"{folder}/{ONE}", SHAPE)
    run(np.ones(SHAPE, np.float32))
    shape = tuple(map(int, sizes))
    x = np.ones(shape, np.float32)
    Path("/proc/self/clear_refs").write_text("5")  # the highest that was is what is now
    before = _status("VmRSS")
    run, told = prepared(f"{folder}/{MODEL}", shape)
    for _ in range(3):
        run(x)
    peak, held = _status("VmHWM") - before, _status("VmRSS") - before
    print(json.dumps({"peak": peak, "held": held, "told": told()}))


Prepared = tuple[Callable[[Any], Any], Callable[[], int]]


def _planned(path: str, shape: tuple[int, ...]) -> Prepared:
    import faltung

    plan = faltung.compile(faltung.load(path), shape)
    return plan, lambda: plan.footprint.total


def _session(path: str, shape: tuple[int, ...]) -> Prepared:
    from faltung.cli.bench_worker import RUNTIMES

    return RUNTIMES[THEIRS](path, np.ones(shape, np.float32), THREADS), lambda: 0


def _status(key: str) -> int:
    """Return a size of this process in bytes: ``VmRSS``, what it has, ``VmHWM``, the most."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(f"{key}:"))


if __name__ == "__main__":
    main(*sys.argv[1:])
