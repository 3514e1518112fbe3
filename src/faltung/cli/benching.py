"""How `faltung bench` times a model: each runtime in a process of its own, in turns."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from rich.table import Table as Drawn

from faltung.cli.inspection import file_of
from faltung.cli.machine import cpu_model
from faltung.cli.screen import Screen
from faltung.errors import GraphError, message
from faltung.graph import Graph, load
from faltung.kernels.choose import compiled_for
from faltung.kernels.threads import num_threads
from faltung.zoo.catalogue import NETWORKS, build

OURS: Final = "faltung"
PEERS: Final = {"onnxruntime": "ONNX Runtime", "openvino": "OpenVINO"}
"""Packages that run a model, and what they are called."""
APART: Final = 1e-3
"""Of the largest value, how far two runtimes may be apart: far less than a wrong one is."""
LIMITS: Final = ("OMP", "OPENBLAS", "MKL", "FALTUNG")
"""Whose ``_NUM_THREADS`` is set."""


class Timed(NamedTuple):
    """Seconds of a call by runtime, a median for each round; and why others have none."""

    seconds: dict[str, list[float]]
    cannot: dict[str, str]


class Runtime:
    """A process that runs the model when it is asked to."""

    def __init__(self, name: str, model: Path, x: Path, threads: int) -> None:
        self.name, self.y = name, x.with_name(f"{name}.npy")
        words = [name, str(model), str(x), str(self.y), str(threads)]
        self.process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "faltung.cli.bench_worker", *words],
            env={**os.environ, **{f"{name}_NUM_THREADS": str(threads) for name in LIMITS}},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )

    def ask(self) -> dict[str, Any]:
        """Return the next thing that the process says; why it ended, if it did."""
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        line = self.process.stdout.readline()
        if not line:
            lines = self.process.stderr.read().strip().splitlines() or ["it ended"]
            return {"cannot": lines[-1]}
        said: dict[str, Any] = json.loads(line)
        return said

    def block(self) -> float:
        """Return the median seconds of a call, of a block of calls."""
        assert self.process.stdin is not None
        self.process.stdin.write("block\n")
        self.process.stdin.flush()
        return float(self.ask()["seconds"])

    def close(self) -> None:
        """End the process."""
        with self.process:
            if self.process.stdin is not None:
                self.process.stdin.close()


def run(
    screen: Screen,
    model: str,
    shape: tuple[int, ...] | None,
    threads: int | None,
    rounds: int,
    *,
    with_peers: bool,
) -> None:
    """Time, compare, and show."""
    count = threads or num_threads()
    names = [OURS, *(name for name in PEERS if with_peers and find_spec(name))]
    with tempfile.TemporaryDirectory(prefix="faltung-") as folder:
        path, x = _prepared(model, shape, Path(folder))
        found = timed(path, x, names, count, rounds)
        given = np.load(x).shape
    _show(screen, model, given, count, found)


@contextmanager
def opened(
    model: Path, x: Path, names: Sequence[str], threads: int
) -> Iterator[tuple[list[Runtime], dict[str, str]]]:
    """Give runtimes that compute what ours does, and why others do not.

    Parameters
    ----------
    model, x
        An ONNX file of one input, and the file (.npy) of what it is given. Results are written
        beside the input.
    names
        `OURS` first, then some of `PEERS`.
    threads
        Of each runtime.

    Raises
    ------
    GraphError
        The model does not run here.
    """
    with ExitStack() as open_:
        runtimes = [Runtime(name, model, x, threads) for name in names]
        for runtime in runtimes:
            open_.callback(runtime.close)
        yield _checked(runtimes)


def timed(model: Path, x: Path, names: Sequence[str], threads: int, rounds: int) -> Timed:
    """Time runtimes in turns, as often as there are rounds; the others as of `opened`."""
    with opened(model, x, names, threads) as (able, cannot):
        times: dict[str, list[float]] = {runtime.name: [] for runtime in able}
        for turn in range(rounds):
            for runtime in able[turn % len(able) :] + able[: turn % len(able)]:
                times[runtime.name].append(runtime.block())
    return Timed(times, cannot)


def _prepared(model: str, shape: tuple[int, ...] | None, folder: Path) -> tuple[Path, Path]:
    """Return the model's file, and one with its input."""
    graph: Graph = build(model) if model in NETWORKS else load(file_of(model))
    if len(graph.inputs) != 1:
        names = [value.name for value in graph.inputs]
        raise GraphError(message(model, "only models of one input are timed", {"inputs": names}))
    path = Path(graph.save(folder / "model.onnx")) if model in NETWORKS else Path(file_of(model))
    (value,) = graph.inputs
    declared = (1, *value.shape[1:]) if isinstance(value.shape[0], str) else value.shape
    sizes = shape or declared
    if not all(isinstance(size, int) for size in sizes):
        values = {value.name: value.shape}
        cure = "Give it, as in --shape 1x3x224x224"
        raise GraphError(message(model, "the input's shape is open", values, cure))
    drawn = np.random.default_rng(0).standard_normal([int(size) for size in sizes])
    x = folder / "x.npy"
    np.save(x, drawn.astype(value.dtype))
    return path, x


def _checked(runtimes: Sequence[Runtime]) -> tuple[list[Runtime], dict[str, str]]:
    """Return those that compute what ours does, and why others do not."""
    able, cannot = [], {}
    for runtime in runtimes:
        said = runtime.ask()
        if "cannot" in said:
            if runtime.name == OURS:
                raise GraphError(message(OURS, str(said["cannot"])))
            cannot[runtime.name] = str(said["cannot"])
            continue
        ours, theirs = np.load(runtimes[0].y), np.load(runtime.y)
        apart = float(np.abs(ours - theirs).max() / max(np.abs(ours).max(), 1e-30))
        if apart <= APART:
            able.append(runtime)
        else:
            cannot[runtime.name] = f"its result differs by {apart:.1e} of the largest value"
    return able, cannot


def _show(
    screen: Screen,
    model: str,
    shape: Sequence[int],
    threads: int,
    found: Timed,
) -> None:
    times, cannot = found
    facts = {"cpu": cpu_model(), "isa": compiled_for() or "none (NumPy)", "threads": threads}
    screen.say(
        f"{model} {'x'.join(map(str, shape))}, {facts['cpu']}, {facts['isa']}, "
        f"{threads} thread{'s' if threads > 1 else ''}"
    )
    drawn = Drawn("runtime", "ms", "spread", "time / ours", box=None, pad_edge=False)
    ratios: dict[str, float] = {}
    for name, taken in times.items():
        own = [a / b for a, b in zip(taken, times[OURS], strict=True)]
        ratios[name] = statistics.median(own)
        spread = f"{1e3 * min(taken):.3f} to {1e3 * max(taken):.3f}"
        middle = f"{1e3 * statistics.median(taken):.3f}"
        drawn.add_row(PEERS.get(name, name), middle, spread, f"{ratios[name]:.2f}")
    screen.show(drawn)
    for name, reason in cannot.items():
        screen.note(f"{PEERS[name]} is not timed: {reason}")
    values = {"model": model, "shape": list(shape), **facts}
    values |= {"seconds": times, "ratios": ratios, "cannot": cannot}
    ours = statistics.median(times[OURS])
    screen.result(f"{1e3 * ours:.3g} ms a call", values)
