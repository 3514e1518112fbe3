"""``faltung train``: its report, its JSON, its folders, its settings."""

from __future__ import annotations

import json
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import faltung as package
from faltung.cli import watch
from faltung.training.recipe import recipe_for

RECIPE = recipe_for("zero-one")
QUICK = ("--net", "zero-one", "--epochs", "1")


def test_the_worked_example_learns_zeros_and_ones(example: Any) -> None:
    assert example.said.code == 0, example.said.err
    match = re.search(r"test accuracy: ([\d.]+) %", example.said.out)
    assert match is not None
    assert float(match[1]) >= 99.5
    assert "model: runs/sample-zero-one/model.onnx" in example.said.out
    assert example.said.out.splitlines()[0] == (
        f"$ {shlex.quote(package_python())} -m faltung train --data sample --net zero-one "
        f"--epochs {RECIPE.epochs} --batch {RECIPE.batch} --lr {RECIPE.lr:g} --seed 0 "
        "--out runs/sample-zero-one"
    )


def package_python() -> str:
    """As `faltung.cli.screen.program` shows it: the name if the shell finds it so."""
    import shutil
    import sys

    found = shutil.which("python")
    return "python" if found and Path(found).absolute() == Path(sys.executable) else sys.executable


def test_progress_is_a_line_an_epoch(example: Any) -> None:
    lines = example.said.err.splitlines()
    assert len(lines) == RECIPE.epochs
    pattern = r"epoch +{}/{}  loss \d\.\d{{4}}  accuracy [\d.]+ %  validation [\d.]+ %  [\d,]+ im"
    for number, line in enumerate(lines, 1):
        assert re.match(pattern.format(number, RECIPE.epochs), line), line


def test_the_table_says_what_each_layer_is(example: Any) -> None:
    rows = {
        line.split()[0]: line.split()[1:] for line in example.said.out.splitlines() if line.strip()
    }
    assert rows["conv1"] == ["4×12×12", "40", "5,184", "3×3", "113,472"]
    assert rows["conv2"] == ["8×5×5", "296", "7,200", "5×5", "115,400"]
    assert rows["dense1"] == ["2", "402", "400", "all", "402"]
    assert rows["total"] == ["738", "12,784"]
    assert "Its convolutions have 336 parameters; as dense layers, 228,872." in example.said.out


def test_a_page_of_pictures_lies_beside_the_model(example: Any) -> None:
    assert "report: runs/sample-zero-one/report.html" in example.said.out
    page = example.model.with_name("report.html").read_text(encoding="utf-8")
    assert page.count("<svg") >= 5  # and one of mistakes, if there are any
    for title in ("Curves", "Confusion", "Filters", "Feature maps", "Layers"):
        assert f"<h2>{title}</h2>" in page


def test_without_matplotlib_training_goes_on(
    faltung: Any, squares: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.partition(".")[2].startswith("viz")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delattr("faltung.viz", raising=False)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    said = faltung("train", "--data", squares, *QUICK)
    assert said.code == 0, said.err
    note = "note: no report.html: its pictures need Matplotlib, pip install 'faltung[viz]'"
    assert note in said.err.splitlines()
    assert "report:" not in said.out
    assert not Path("runs/squares-zero-one/report.html").exists()


def test_the_model_takes_raw_pixels_and_knows_its_classes(example: Any) -> None:
    model = package.load(example.model)
    assert json.loads(model.metadata["classes"]) == ["0", "1"]
    zeros_and_ones = package.datasets.zero_one(package.datasets.load("sample", split="test"))
    assert zeros_and_ones.images.max() == 255
    predictions = model(zeros_and_ones.images).argmax(axis=1)
    assert np.mean(predictions == zeros_and_ones.labels) >= 0.995


def test_the_model_runs_elsewhere(example: Any, onnxruntime: Any) -> None:
    digits = package.datasets.zero_one(package.datasets.load("sample", split="test"))
    session = onnxruntime.InferenceSession(str(example.model))
    (scores,) = session.run(None, {"x": digits.images.astype(np.float32)})
    ours = package.load(example.model)(digits.images)
    assert (scores.argmax(axis=1) == ours.argmax(axis=1)).all()


def test_the_next_commands_work(faltung: Any, squares: Path) -> None:
    first = faltung("train", "--data", squares, *QUICK)
    shown = re.findall(r"^  faltung (.+)$", first.out, re.MULTILINE)
    assert len(shown) == 3
    for line in shown:
        said = faltung(*shlex.split(line))
        assert said.code == 0, (line, said.err)


def test_the_full_command_means_the_same(faltung: Any, squares: Path) -> None:
    switch = "--no-augment" if RECIPE.shift else "--augment"
    words = (switch, "--optimiser", "nesterov", "--patience", "3", "--validation", "0.2")
    first = faltung("train", "--data", squares, *QUICK, *words, "--seed", "5")
    assert first.code == 0, first.err
    command = shlex.split(first.out.splitlines()[0])[2:]
    command[command.index("--out") + 1] = "again"
    again = faltung(*command)
    assert again.code == 0, again.err
    assert same_numbers("runs/squares-zero-one", "again")
    records = [
        json.loads(Path(out, "run.json").read_text()) for out in ("again", "runs/squares-zero-one")
    ]
    assert records[0] == records[1]
    assert records[0]["recipe"]["optimiser"] == "nesterov"
    assert records[0]["recipe"]["lr"] == 0.05
    assert records[0]["recipe"]["shift"] == (0 if RECIPE.shift else 2)


def same_numbers(one: str, other: str) -> bool:
    return Path(one, "model.onnx").read_bytes() == Path(other, "model.onnx").read_bytes()


def test_json_is_one_object_and_nothing_else(faltung: Any, squares: Path) -> None:
    said = faltung("train", "--data", squares, *QUICK, "--json", "--seed", "3")
    assert said.code == 0, said.err
    assert said.out.count("\n") == 1
    found = said.json
    assert 0 <= found["test_accuracy"] <= 1
    assert found["seconds"] > 0
    assert found["images_per_second"] > 0
    assert found["epochs"] == 1
    assert found["net"] == "zero-one"
    assert found["data"] == str(squares)
    assert found["seed"] == 3
    assert found["stopped_early"] is False
    assert found["report"] == "runs/squares-zero-one/report.html"
    assert found["params"] == package.load(found["model"]).trainable
    assert found["macs"] == package.summarize(package.load(found["model"])).macs
    assert "epoch 1/1" in said.err
    assert "$ faltung train" in said.err


def test_quiet_says_the_result_alone(faltung: Any, squares: Path) -> None:
    said = faltung("train", "--data", squares, *QUICK, "--quiet")
    assert said.err == ""
    folder = "runs/squares-zero-one"
    pattern = rf"test accuracy: .+\nmodel: {folder}/model.onnx\nreport: {folder}/report.html\n"
    assert re.fullmatch(pattern, said.out)


def test_every_run_gets_its_own_folder(faltung: Any, squares: Path) -> None:
    models = [faltung("train", "--data", squares, *QUICK, "--json").json["model"] for _ in range(3)]
    names = ("squares-zero-one", "squares-zero-one-2", "squares-zero-one-3")
    assert models == [f"runs/{name}/model.onnx" for name in names]


def test_a_run_is_replaced_only_when_told(faltung: Any, squares: Path) -> None:
    command = ("train", "--data", squares, *QUICK, "--out", "mine")
    assert faltung(*command).code == 0
    before = Path("mine/model.onnx").stat().st_mtime_ns
    assert "mine: holds a run already. Continue it with --resume" in faltung(*command).error
    assert Path("mine/model.onnx").stat().st_mtime_ns == before
    assert faltung(*command, "--force").code == 0
    assert Path("mine/model.onnx").stat().st_mtime_ns > before


def test_a_model_is_trained_on(faltung: Any, squares: Path) -> None:
    assert faltung("train", "--data", squares, *QUICK, "--out", "first").code == 0
    said = faltung(
        "train",
        "--data",
        squares,
        "--init",
        "first/model.onnx",
        "--lr",
        "0",
        "--json",
        "--epochs",
        "1",
    )
    assert said.code == 0, said.err
    assert said.json["init"] == "first/model.onnx"
    old, new = package.load("first/model.onnx"), package.load(said.json["model"])
    assert all(np.array_equal(new.params[name], old.params[name]) for name in old.params)


def test_a_model_gets_other_classes(faltung: Any, squares: Path) -> None:
    assert faltung("train", "--data", squares, *QUICK, "--out", "first").code == 0
    arrays = dict(np.load(squares))
    np.savez("two.npz", images=arrays["images"], labels=arrays["labels"] % 2)
    said = faltung(
        "train", "--data", "two.npz", "--init", "first/model.onnx", "--json", "--epochs", "1"
    )
    assert said.code == 0, said.err
    assert package.load(said.json["model"])(arrays["images"][:1, None]).shape == (1, 2)


def test_an_interrupted_run_goes_on_to_the_same_bits(
    faltung: Any, squares: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = (
        "train",
        "--data",
        squares,
        "--net",
        "zero-one",
        "--epochs",
        "6",
        "--batch",
        "8",
        "--checkpoint-every",
        "7",
    )
    assert faltung(*command, "--out", "whole").code == 0
    with monkeypatch.context() as patch:
        patch.setattr(watch.Watch, "step", interrupt_at(30))
        said = faltung(*command, "--out", "stopped")
    assert said.code == 130
    last = said.err.splitlines()[-1]
    assert last == (
        "error: interrupted after step 30; go on with: faltung train --resume --out stopped"
    )
    assert not Path("stopped/model.onnx").exists()
    again = faltung(*shlex.split(last)[-4:], "--json")
    assert again.code == 0, again.err
    assert "resuming from step 28 of 54 (epoch 4 of 6)" in again.err
    assert again.json["resumed_from_step"] == 28
    assert same_numbers("whole", "stopped")


def interrupt_at(step: int) -> Any:
    def listen(self: watch.Watch, report: Any) -> None:
        self.taken = report.step
        if report.step == step:
            raise KeyboardInterrupt

    return listen


def test_a_run_stopped_before_its_first_checkpoint_starts_anew(
    faltung: Any, squares: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(watch.Watch, "step", interrupt_at(1))
        assert faltung("train", "--data", squares, *QUICK).code == 130
    said = faltung("train", "--resume")
    assert said.code == 0, said.err
    assert "so training starts at the beginning" in said.err
    assert "model: runs/squares-zero-one/model.onnx" in said.out


def test_a_finished_run_has_nothing_left(faltung: Any, squares: Path) -> None:
    assert faltung("train", "--data", squares, *QUICK, "--out", "mine").code == 0
    before = Path("mine/model.onnx").read_bytes()
    said = faltung("train", "--resume", "--out", "mine")
    assert said.code == 0, said.err
    assert "the last one: nothing is left to train" in said.err
    assert Path("mine/model.onnx").read_bytes() == before


def test_it_stops_early(faltung: Any, squares: Path) -> None:
    words = ("--epochs", "50", "--patience", "1", "--lr", "0")
    said = faltung("train", "--data", squares, "--net", "zero-one", *words, "--out", "mine")
    assert "Stopped early after 2 of 50 epochs; kept the weights of epoch 1." in said.out


def test_images_held_out_for_testing_are_said(faltung: Any, squares: Path) -> None:
    said = faltung("train", "--data", squares, *QUICK)
    assert "no test part" in said.err
    assert "held out for testing" in said.err


def test_ctrl_c_says_how_to_go_on(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "faltung", "train", "--net", "zero-one", "--epochs", "5000"]
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd=tmp_path, **pipes) as process:
        assert process.stderr.readline().startswith("epoch ")
        process.send_signal(signal.SIGINT)
        lines = process.stderr.read().splitlines()
    assert process.returncode == 130
    assert re.match(r"error: interrupted after step [\d,]+; go on with: ", lines[-1])
    assert lines[-1].endswith(" train --resume --out runs/sample-zero-one")
    assert all(line.startswith("epoch ") for line in lines[:-1])
