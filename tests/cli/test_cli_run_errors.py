"""What goes wrong in ``faltung run``: one line, exit code 2, and nothing is left behind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from faltung import layers as L
from faltung.files.sound import Sound, write_sound


def save(layer: Any, shape: tuple[int, ...], name: str) -> None:
    L.build(layer, shape, seed=2).save(name)


def broken_files() -> None:
    Path("text.png").write_text("no picture")
    Path("empty.onnx").write_bytes(b"")
    Path("bad.npz").write_bytes(b"PK no archive")
    Path("short.txt").write_text("a\nb\n")
    Path("bytes.txt").write_bytes(b"\xff\xfe\xff")
    np.save("rank.npy", np.zeros((2, 2)))
    np.save("text.npy", np.array(["a"]))
    write_sound("in.wav", Sound(np.zeros((4, 1), np.int16), 8000, 16))
    save(L.Chain(L.Flatten(), L.Dense(2)), (4, 6, 6), "four.onnx")
    save(L.Chain(L.Flatten(), L.Dense(2)), (3, 6, 6), "fixed.onnx")
    save(L.Dense(2), (7,), "flat.onnx")
    save(L.Chain(L.Flatten(), L.Dense(5)), (3, 24, 20), "small.onnx")
    save(L.Conv(2, 3), (3, 6, 6), "maps.onnx")
    Path("folder").mkdir()


@pytest.mark.parametrize(
    ("command", "text"),
    [
        ("none.onnx cat", "none.onnx: there is no such model."),
        ("empty.onnx cat", "empty.onnx"),
        ("fixed.onnx none.png", "none.png: there is no such file."),
        ("fixed.onnx text.png", "text.png: cannot be read"),
        ("fixed.onnx bad.npz", "bad.npz: cannot be read"),
        ("fixed.onnx text.npy", "text.npy: must hold numbers or booleans"),
        ("fixed.onnx", "IN is missing. Name an image, a sound or an array."),
        ("four.onnx cat", "the image must have the channels that the model takes, got image=3"),
        ("flat.onnx cat", "an image goes to inputs (N, C, H, W), got input=x, shape=(N, 7)."),
        ("fixed.onnx rank.npy", "does not take inputs of this shape"),
        ("fixed.onnx cat --size 9x9", "fixed.onnx: does not take inputs of this shape"),
        ("fixed.onnx cat --labels short.txt --size 6x6 out", "its suffix names no format to write"),
        ("maps.onnx cat --labels short.txt", "labels are for models of one output (1, classes)"),
        ("fixed.onnx cat --labels none.txt", "none.txt: there is no such file."),
        ("fixed.onnx cat --labels bytes.txt", "bytes.txt: the labels must be UTF-8 text."),
        ("small.onnx cat --labels short.txt", "got labels=2, classes=5."),
        ("fixed.onnx cat no/out.npy", "no/out.npy: cannot be written, its folder does not exist"),
        ("fixed.onnx cat out.png", "only (1, 1, H, W) and (1, 3, H, W) are written as images"),
        ("fixed.onnx cat out.wav", "only a sound that became (1, C, frames) is written as sound"),
        ("fixed.onnx in.wav", "fixed.onnx: does not take inputs of this shape"),
        ("fixed.onnx in.wav --mean 1", "in.wav: --mean, --std and --size are for images"),
        ("fixed.onnx cat --mean 1,2", "--mean must have one number, or one for each channel"),
        ("fixed.onnx cat --std 0", "'0' must be greater than 0"),
        ("fixed.onnx cat --mean nan", "'nan' is not written like 0.5 or 0.485,0.456,0.406"),
        ("fixed.onnx cat --size 9", "'9' is not written like 224x224"),
        ("fixed.onnx cat --size 99999x99999", "becomes one of at least 1 and at most 100,000,000"),
        ("fixed.onnx cat --top 0", "--top"),
    ],
)
def test_what_goes_wrong_is_one_line(faltung: Any, command: str, text: str) -> None:
    broken_files()
    before = {path.name for path in Path().iterdir()}
    said = faltung("run", *command.split())
    assert text in said.error
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert {path.name for path in Path().iterdir()} == before


def test_operators_that_are_not_there_are_all_named_before_anything(faltung: Any) -> None:
    import onnx
    from onnx import TensorProto, helper

    info = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, 3, 4, 4]) for n in "xy"]
    nodes = [helper.make_node("Det", ["x"], ["z"]), helper.make_node("Einsum", ["z"], ["y"])]
    nodes[1].attribute.append(helper.make_attribute("equation", "a->a"))
    graph = helper.make_graph(nodes, "g", info[:1], info[1:])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), "odd.onnx")
    error = faltung("run", "odd.onnx", "cat", "out.npy").error
    assert "Det" in error
    assert "Einsum" in error
    assert not Path("out.npy").exists()


def test_a_folder_in_the_way_is_one_line(faltung: Any) -> None:
    broken_files()
    Path("out.npy").mkdir()
    assert (
        "out.npy: cannot be written, it is a folder"
        in faltung("run", "small.onnx", "cat", "out.npy").error
    )
