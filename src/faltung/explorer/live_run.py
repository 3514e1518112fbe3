"""A training run in a process of its own, which a page follows.

``python -m faltung.explorer.live_run FOLDER NAME SETTINGS`` trains a network of the zoo on the
digits that ship with the package. It writes what happens into ``NAME.jsonl``, a line for each
event, and the network on its way into ``NAME-0.onnx``, ``NAME-1.onnx`` and so on. It ends when it
is done, when there is a file ``NAME.stop``, when its time is over, or when whoever started it ends
and with it the standard input.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Final, TextIO

from faltung.errors import FaltungError

NETWORKS: Final = ("small", "zero-one", "lenet")
MOST_EPOCHS: Final = 30
SECONDS: Final = 600.0
"""How long a run may take."""
SILENCE: Final = 30.0
"""Seconds after which a run that says nothing has ended."""
SNAPSHOTS: Final = 40
"""Networks that a run keeps at most."""
_PAUSE: Final = 0.2
"""Seconds between two looks at what happened."""

_processes: dict[str, subprocess.Popen[bytes]] = {}


def start(folder: Path, settings: Mapping[str, Any]) -> str:
    """Start a run, end all others of the folder, and return its name."""
    for events in folder.glob("*.jsonl"):
        stop(folder, events.stem)
    name = secrets.token_hex(8)
    command = [sys.executable, "-P", "-m", "faltung.explorer.live_run"]
    (folder / f"{name}.jsonl").touch()
    _processes[name] = subprocess.Popen(
        [*command, str(folder), name, json.dumps(dict(settings))],
        stdin=subprocess.PIPE,  # its end tells the run that nobody is left to follow it
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    for process in _processes.values():
        process.poll()
    return name


def stop(folder: Path, name: str) -> None:
    """Ask a run to end after its next step."""
    (folder / f"{name}.stop").touch()


def events(path: Path, since: int, most: int) -> list[dict[str, Any]]:
    """Return what happened in a run, from one event on."""
    with path.open(encoding="utf-8") as file:
        lines = file.read().splitlines(keepends=True)
    whole = [line for line in lines if line.endswith("\n")]
    found: list[dict[str, Any]] = [json.loads(line) for line in whole[since : since + most]]
    is_silent = time.time() - path.stat().st_mtime > SILENCE
    has_ended = bool(whole) and json.loads(whole[-1])["kind"] == "end"
    if is_silent and not has_ended and since + len(found) == len(whole):
        found.append({"kind": "end", "why": "its process ended"})
    return found


class _Diary:
    """Writes down events, now and then, and networks."""

    def __init__(self, folder: Path, name: str, file: TextIO) -> None:
        self.folder, self.name, self.file = folder, name, file
        self.networks = 0
        self._written = 0.0

    def add(self, kind: str, **figures: Any) -> None:
        self.file.write(json.dumps({"kind": kind, **figures}) + "\n")
        if kind != "step" or time.monotonic() - self._written > _PAUSE:
            self.file.flush()
            self._written = time.monotonic()

    def keep(self, graph: Any, step: int) -> None:
        model = f"{self.name}-{self.networks}.onnx"
        graph.save(self.folder / model)
        self.networks += 1
        self.add("snapshot", step=step, model=model)

    @property
    def is_stopped(self) -> bool:
        return (self.folder / f"{self.name}.stop").exists()


def run(folder: Path, name: str, settings: Mapping[str, Any]) -> None:
    """Train, and write down what happens."""
    with (folder / f"{name}.jsonl").open("a", encoding="utf-8") as file:
        diary = _Diary(folder, name, file)
        try:
            why = _trained(diary, settings)
        except FaltungError as error:
            why = str(error)
        diary.add("end", why=why)


def _trained(diary: _Diary, settings: Mapping[str, Any]) -> str:
    from faltung.datasets import load, zero_one
    from faltung.explorer.follow import begun, reports
    from faltung.training import recipe_for
    from faltung.training.listener import Epoch
    from faltung.training.start import start_new

    start, network = time.monotonic(), settings["network"]
    digits = load("sample")
    digits = zero_one(digits) if network == "zero-one" else digits
    recipe = replace(recipe_for(network), epochs=settings["epochs"], lr=settings["lr"])
    taken = begun(start_new(network, digits), digits, recipe)
    classes = {"classes": json.dumps(list(digits.classes))}
    graph = taken.graph.replace(metadata={**taken.graph.metadata, **classes})
    taken = begun(graph, digits, recipe)
    diary.add("plan", **asdict(taken.plan()))
    diary.keep(graph, 0)
    due = 5
    for report in reports(taken):
        is_epoch = isinstance(report, Epoch)
        figures = asdict(report)
        diary.add("epoch" if is_epoch else "step", **figures)
        if (is_epoch or report.step >= due) and diary.networks < SNAPSHOTS:
            due = max(due, 2 * report.step)
            diary.keep(taken.trained(), report.step)
        if diary.is_stopped:
            return "stopped"
        if time.monotonic() - start > SECONDS:
            return f"more than {SECONDS:g} seconds were over"
    return "finished"


def _end_with_standard_input() -> None:
    """End this process when whoever started it ends."""
    sys.stdin.buffer.read()
    os._exit(0)


if __name__ == "__main__":
    threading.Thread(target=_end_with_standard_input, daemon=True).start()
    run(Path(sys.argv[1]), sys.argv[2], json.loads(sys.argv[3]))
