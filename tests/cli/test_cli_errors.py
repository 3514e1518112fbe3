"""What goes wrong: one line on standard error, exit code 2, no traceback."""

from __future__ import annotations

import gzip
import os
import resource
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest

from faltung.cli import failures
from faltung.errors import GeometryError, MissingExtraError

SMALL_FILES = 8 * 1024


@pytest.mark.parametrize(
    ("command", "text"),
    [
        ("bogus", "No such command 'bogus'. Try 'faltung --help'."),
        ("train --nope", "No such option"),
        ("train more", "unexpected extra argument (more) Try 'faltung train --help'."),
        ("train --epochs many", "Invalid value for '--epochs': 'many' is not a valid integer."),
        ("train --epochs 0", "recipe: epochs must be at least 1, got epochs=0. [recipe R1]"),
        ("train --batch 0", "batch must be at least 1"),
        ("train --lr nan", "lr must be finite and not negative, got lr=nan."),
        ("train --seed -1", "seed must be 0 or more"),
        ("train --patience 2 --validation 0", "early stopping needs images to watch"),
        ("train --net huge", "zoo: no such network, got name='huge'. Use one of small, zero-one"),
        ("train --data nowhere", "nowhere: there is no such data set."),
        ("train --data mnist --data-dir .", "train-images-idx3-ubyte[.gz]: there is no such file"),
        ("train --data-dir .", "sample is part of the package."),
        ("train --init none.onnx", "none.onnx: cannot be read, No such file or directory."),
        ("train --init m.onnx --net lenet", "--init brings its own network, got --net=lenet."),
        ("train --resume", "runs/: there is no unfinished run to resume."),
        ("train --resume --out new", "new: there is no checkpoint to resume from."),
        ("train --net zero-one --out file", "file: is a file, not a folder."),
        ("train --net zero-one --out file/new", "file/new: cannot be made, Not a directory."),
        ("evaluate none.onnx", "none.onnx: there is no such model."),
        ("evaluate .", ".: is a folder without model.onnx."),
        ("evaluate file", "file: model: the file is damaged, or no ONNX model."),
        ("evaluate --split half", "'half' is not one of 'train', 'test'."),
        ("doctor more", "unexpected extra argument (more)"),
    ],
)
def test_one_line(faltung: Any, command: str, text: str) -> None:
    Path("file").write_bytes(b"no model")
    said = faltung(*command.split())
    assert text in said.error
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert not Path("runs").exists() or not [*Path("runs").iterdir()]


def test_a_loss_that_is_no_number_names_step_and_operator(faltung: Any) -> None:
    said = faltung("train", "--net", "zero-one", "--lr", "1e30", "--schedule", "constant")
    assert "training step 2: first not finite in layer 'conv2' (Conv)" in said.error
    assert "Use a smaller learning rate." in said.error
    assert not [*Path("runs").iterdir()]  # nothing to come back to, so nothing is left


def idx(array: np.ndarray) -> bytes:
    sizes = struct.pack(f">{array.ndim}I", *array.shape)
    return gzip.compress(bytes([0, 0, 8, array.ndim]) + sizes + array.tobytes())


def write_mnist(folder: Path, labels: list[int], images: int) -> None:
    folder.mkdir()
    for stem in ("train", "t10k"):
        pixels = np.zeros((images, 8, 8), np.uint8)
        (folder / f"{stem}-images-idx3-ubyte.gz").write_bytes(idx(pixels))
        (folder / f"{stem}-labels-idx1-ubyte.gz").write_bytes(idx(np.array(labels, np.uint8)))


def test_label_counts_that_are_wrong(faltung: Any) -> None:
    write_mnist(Path("digits"), [0, 1, 2], images=4)
    said = faltung("train", "--data", "mnist", "--data-dir", "digits")
    assert "every image needs one label" in said.error


def test_a_class_without_an_image(faltung: Any, squares: Path) -> None:
    arrays = dict(np.load(squares))
    arrays["labels"][arrays["labels"] == 1] = 0
    np.savez("gap.npz", **arrays)
    assert (
        "a class has no image, got class='middle [b]'"
        in faltung("train", "--data", "gap.npz").error
    )
    Path("folder/cats").mkdir(parents=True)
    assert "folder/cats: a class has no image" in faltung("train", "--data", "folder").error


@pytest.mark.parametrize("size", [10, 14])
def test_images_of_another_size(faltung: Any, squares: Path, size: int) -> None:
    words = ("--net", "zero-one", "--epochs", "1", "--out", "mine")
    assert faltung("train", "--data", squares, *words).code == 0
    np.savez("other.npz", images=np.zeros((9, size, size), np.uint8), labels=np.arange(9) % 3)
    start = faltung("train", "--data", "other.npz", "--init", "mine/model.onnx")
    assert "cannot take images of this shape, got takes=1x12x12" in start.error
    judged = faltung("evaluate", "mine", "--data", "other.npz")
    assert f"got takes=1x12x12, images=1x{size}x{size}" in judged.error


def test_another_number_of_classes(faltung: Any, squares: Path, example: Any) -> None:
    arrays = dict(np.load(squares))
    images = np.zeros((90, 14, 14), np.uint8)
    np.savez("three.npz", images=images, labels=arrays["labels"])
    said = faltung("evaluate", example.model, "--data", "three.npz")
    assert "must have a score for each class of three, got scores=2, classes=3." in said.error


def test_a_run_is_not_continued_as_another(faltung: Any, squares: Path) -> None:
    words = ("--net", "zero-one", "--epochs", "1", "--out", "mine")
    assert faltung("train", "--data", squares, *words).code == 0
    said = faltung("train", "--resume", "--out", "mine", "--batch", "7")
    assert "belongs to another run: batch was 32, is 7." in said.error


@pytest.mark.parametrize("record", ["{", "[]", "{}", '{"data": "sample"}'])
def test_a_damaged_record_of_a_run(faltung: Any, record: str) -> None:
    Path("mine").mkdir()
    Path("mine/run.json").write_text(record)
    assert (
        "mine/run.json: is no record of a run"
        in faltung("train", "--resume", "--out", "mine").error
    )


def test_a_model_that_does_not_say_its_data(faltung: Any, example: Any) -> None:
    Path("stray.onnx").write_bytes(example.model.read_bytes())
    assert faltung("evaluate", "stray.onnx").code == 0  # its metadata name the sample
    import faltung as package

    graph = package.load("stray.onnx")
    graph.replace(metadata={}).save("stray.onnx")
    said = faltung("evaluate", "stray.onnx")
    assert "does not say which data it was trained on. Name some with --data." in said.error


def test_a_folder_that_may_not_be_written(
    faltung: Any, squares: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", "locked")

    monkeypatch.setattr(Path, "mkdir", refuse)
    said = faltung("train", "--data", squares, "--net", "zero-one", "--out", "locked/new")
    assert "locked/new: cannot be made, Permission denied." in said.error


def test_a_full_disk(squares: Path, tmp_path: Path, spawn: Callable[..., Any]) -> None:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (SMALL_FILES, SMALL_FILES))

    words = ("--net", "zero-one", "--checkpoint-every", "1", "--out", "mine")
    done = spawn("train", "--data", squares, *words, cwd=tmp_path, preexec_fn=limit)
    assert done.returncode == 2
    error = done.stderr.splitlines()[-1]
    assert error.startswith("error: mine/")
    assert "cannot be written, the file would pass the size limit" in error or "full" in error
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "mine/model.onnx").exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_output_that_cannot_be_written(tmp_path: Path, spawn: Callable[..., Any]) -> None:
    with Path("/dev/full").open("w") as full:
        options = {"capture_output": False, "stdout": full, "stderr": subprocess.PIPE}
        done = spawn("doctor", cwd=tmp_path, **options)
    assert done.returncode == 2
    assert done.stderr == "error: output: No space left on device\n"


def test_a_reader_that_has_gone(tmp_path: Path, spawn: Callable[..., Any]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    options = {"capture_output": False, "stdout": writer, "stderr": subprocess.PIPE}
    done = spawn("doctor", cwd=tmp_path, **options)
    os.close(writer)
    assert done.returncode == 2
    assert done.stderr == "error: output: whoever was reading it has gone (broken pipe)\n"


def with_note(error: Exception, note: str) -> Exception:
    error.add_note(note)
    return error


@pytest.mark.parametrize(
    ("error", "text", "code"),
    [
        (GeometryError("a\nb"), "a b", 2),
        (with_note(GeometryError("conv: no."), "in layer 'c1'"), "conv: no. (in layer 'c1')", 2),
        (MissingExtraError("plots: install it"), "plots: install it", 2),
        (ModuleNotFoundError("x", name="onnx.helper"), "python -m pip install onnx", 2),
        (MemoryError(), "not enough memory. Use a smaller --batch", 2),
        (MemoryError("Unable to allocate 3 GiB"), "(Unable to allocate 3 GiB)", 2),
        (OSError(5, "Input/output error", "a.npz"), "a.npz: Input/output error", 2),
        (OSError(), "output: OSError", 2),
        (click.UsageError("odd"), "odd", 2),
        (KeyboardInterrupt(), "interrupted", 130),
        (
            ZeroDivisionError("by 0"),
            "internal error, ZeroDivisionError: by 0; run with FALTUNG_",
            1,
        ),
        (ModuleNotFoundError("x", name="faltung.gone"), "internal error, ModuleNotFoundError", 1),
    ],
)
def test_each_kind_of_error(error: BaseException, text: str, code: int) -> None:
    line, found = failures.described(error)
    assert text in line
    assert "\n" not in line
    assert found == code


def test_the_traceback_is_for_those_who_ask(faltung: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise ZeroDivisionError("planted")

    monkeypatch.setattr("faltung.cli.machine.facts", fail)
    said = faltung("doctor")
    assert said.code == 1
    assert said.err == (
        "error: internal error, ZeroDivisionError: planted; "
        "run with FALTUNG_DEBUG=1 for the traceback\n"
    )
    monkeypatch.setenv("FALTUNG_DEBUG", "1")
    said = faltung("doctor")
    assert said.err.startswith("Traceback")
    assert said.err.splitlines()[-1].startswith("error: internal error")


def test_ctrl_c_outside_training(faltung: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("faltung.cli.machine.facts", stop)
    said = faltung("doctor")
    assert (said.code, said.out, said.err) == (130, "", "error: interrupted\n")


def test_a_missing_package_is_named(faltung: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rich.console", None)
    monkeypatch.delitem(sys.modules, "faltung.cli.screen", raising=False)
    assert "Install it with: python -m pip install rich" in faltung("doctor").error


def test_a_warning_is_one_line(faltung: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import warnings

    def warn() -> dict[str, Any]:
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.warn("careful\nnow", stacklevel=1)
        raise KeyboardInterrupt

    monkeypatch.setattr("faltung.cli.machine.facts", warn)
    assert faltung("doctor").err == "warning: careful now\nerror: interrupted\n"
