"""Processes killed at any moment, between write, sync and rename of a checkpoint above all."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from faltung.training import checkpoint
from faltung.training.metrics import read_rows
from faltung.training.state import TrainState

DRIVER = Path(__file__).with_name("kill_driver.py")
pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="the system has no SIGKILL")


def run_to_the_end(folder: Path) -> TrainState:
    done = subprocess.run(
        [sys.executable, DRIVER, folder], check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return newest(folder)


def killed_by_itself(folder: Path, where: str, count: int) -> None:
    done = subprocess.run(
        [sys.executable, DRIVER, folder, where, str(count)],
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr


def killed_from_outside(folder: Path, steps: int) -> None:
    """Kill the process as soon as it has said so many steps, wherever it is by then."""
    with subprocess.Popen([sys.executable, DRIVER, folder], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        for _ in range(steps):
            assert process.stdout.readline(), "it ended before it was killed"
        process.kill()
    assert process.returncode == -signal.SIGKILL


def newest(folder: Path) -> TrainState:
    path = checkpoint.latest(folder / "checkpoints")
    assert path is not None
    return checkpoint.load(path)[0]


def check_whole(folder: Path) -> None:
    """Whatever is named like a checkpoint is one, and the metrics are whole lines."""
    for step, path in checkpoint.checkpoints(folder / "checkpoints"):
        assert checkpoint.load(path)[0].step == step
    metrics = folder / "metrics.jsonl"
    if metrics.exists():
        assert len(read_rows(metrics)) == len(metrics.read_bytes().splitlines())


def check_same(one: TrainState, other: TrainState) -> None:
    assert (one.seed, one.step, one.epoch, one.batch) == (
        other.seed,
        other.step,
        other.epoch,
        other.batch,
    )
    groups = ("params", "state")
    pairs = [(getattr(one, group), getattr(other, group)) for group in groups]
    pairs += [(one.moments[word], other.moments[word]) for word in one.moments]
    pairs += [(one.best[word], other.best[word]) for word in one.best]
    for ours, theirs in pairs:
        assert set(ours) == set(theirs)
        assert all(np.array_equal(ours[name], theirs[name]) for name in ours)


def check_killed(folder: Path, kills: list[tuple[str, int]]) -> None:
    whole = run_to_the_end(folder / "whole")
    cut = folder / "cut"
    for where, count in kills:
        if where == "outside":
            killed_from_outside(cut, count)
        else:
            killed_by_itself(cut, where, count)
        check_whole(cut)
    check_same(run_to_the_end(cut), whole)
    steps = [row["step"] for row in read_rows(cut / "metrics.jsonl") if row["kind"] == "step"]
    assert steps == list(range(1, whole.step + 1))


def test_killed_three_times(tmp_path: Path) -> None:
    # To open the metrics takes two syncs (file and folder) and a rename; so do checkpoints. The
    # fifth sync is that of the second checkpoint's content, the third rename is its own.
    check_killed(tmp_path, [("fsync", 5), ("replace", 3), ("outside", 5)])


@pytest.mark.long
def test_killed_thirty_times(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    inside = [("fsync", int(n)) for n in generator.choice([3, 5, 7], 5)]  # written, not synced
    inside += [("replace", int(n)) for n in generator.choice([2, 3, 4], 5)]  # synced, not renamed
    outside = [("outside", int(n)) for n in generator.integers(1, 9, 16)]
    stepping = [("step", int(n)) for n in generator.integers(1, 9, 4)]
    kills = [*inside, *outside, *stepping]
    order = generator.permutation(len(kills))
    assert len(kills) == 30
    check_killed(tmp_path, [kills[i] for i in order])
