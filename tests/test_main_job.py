"""The main job, end to end: the wheel trains, and other runtimes run what it saves.

Minutes long: `make test-long` runs it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import faltung

ROOT = Path(__file__).parents[1]

pytestmark = pytest.mark.long


def run(command: list[str], folder: Path) -> str:
    """Run a command in a folder, without this project's own environment."""
    kept = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run(
        command, cwd=folder, env=kept, capture_output=True, text=True, timeout=900, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The default training run, as the command line does it."""
    folder = tmp_path_factory.mktemp("trained")
    out = run([sys.executable, "-m", "faltung", "train", "--json"], folder)
    found: dict[str, Any] = json.loads(out)
    found["path"] = folder / found["model"]
    return found


def test_the_sample_is_learned(trained: dict[str, Any]) -> None:
    assert trained["test_accuracy"] >= 0.975
    assert {"seconds", "params", "epochs", "images_per_second", "model"} <= set(trained)


def test_onnx_runtime_gives_the_same_predictions(
    trained: dict[str, Any], onnxruntime: ModuleType
) -> None:
    net = faltung.load(trained["path"])
    test = faltung.datasets.load("sample", split="test")
    session = onnxruntime.InferenceSession(trained["path"], providers=["CPUExecutionProvider"])
    (theirs,) = session.run(None, {net.inputs[0].name: test.images.astype(np.float32)})
    ours = net(test.images)
    np.testing.assert_array_equal(ours.argmax(axis=1), theirs.argmax(axis=1))
    assert (ours.argmax(axis=1) == test.labels).mean() == pytest.approx(trained["test_accuracy"])


def test_digits_outside_the_sample_are_read_as_well(
    trained: dict[str, Any], onnxruntime: ModuleType, full_data: Path
) -> None:
    full = faltung.datasets.load("mnist", data_dir=full_data / "mnist", split="test")
    sample = Path(faltung.datasets.__file__).with_name("sample.npz")
    with np.load(sample) as stored:
        others = np.setdiff1d(np.arange(len(full)), stored["test_source"])
    assert len(others) == 9000
    session = onnxruntime.InferenceSession(trained["path"], providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    (scores,) = session.run(None, {name: full.images[others].astype(np.float32)})
    accuracy = float((scores.argmax(axis=1) == full.labels[others]).mean())
    print(f"test digits outside the sample: {accuracy:.2%}, inside: {trained['test_accuracy']:.2%}")
    assert abs(accuracy - trained["test_accuracy"]) <= 0.01


def test_the_wheel_trains_in_an_empty_environment(tmp_path: Path) -> None:
    run([sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", ".", str(ROOT)], tmp_path)
    (wheel,) = tmp_path.glob("faltung-*.whl")
    assert wheel.stat().st_size < 4 << 20
    venv.create(tmp_path / "empty", with_pip=True)
    python = str(tmp_path / "empty" / "bin" / "python")
    run([python, "-m", "pip", "install", "-q", str(wheel)], tmp_path)
    where = run([python, "-c", "import faltung; print(faltung.__file__)"], tmp_path)
    assert str(tmp_path / "empty") in where
    told = json.loads(
        run([python, "-m", "faltung", "train", "--net", "zero-one", "--json"], tmp_path)
    )
    assert told["test_accuracy"] >= 0.995
    assert (tmp_path / told["model"]).is_file()
