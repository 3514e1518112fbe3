"""``faltung run``: one image, sound or array through a model, and what is said of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import faltung as package
from faltung import layers as L
from faltung import ops
from faltung.cli.settings import read_data
from faltung.datasets import photo
from faltung.files.archive import read_archive, write_archive
from faltung.files.image import read_image, write_image
from faltung.files.sound import Sound, read_sound, write_sound
from faltung.graph import Graph, Node, Value

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
WORDS = ("--mean", "0.485,0.456,0.406", "--std", "0.229,0.224,0.225")


@pytest.fixture
def small() -> Path:
    """Five classes of 3x24x20 images."""
    chain = L.Chain(L.Conv(4, 3), L.Relu(), L.MaxPool(2), L.Flatten(), L.Dense(5))
    return L.build(chain, (3, 24, 20), seed=1).save("small.onnx")


def save(layer: Any, shape: tuple[Any, ...], name: str = "net.onnx", **more: Any) -> Path:
    return L.build(layer, shape, seed=2, **more).save(name)


def softmax(scores: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    powers = np.exp(scores.astype(np.float64) - scores.max())
    return np.array(powers / powers.sum())


def normalised(pixels: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """What a reader of the documentation would feed for `WORDS`."""
    mean, std = np.array(MEAN, np.float32), np.array(STD, np.float32)
    x = (pixels.astype(np.float32) / np.float32(255) - mean) / std
    return np.ascontiguousarray(x.transpose(2, 0, 1)[None])


def test_it_agrees_with_onnx_runtime(faltung: Any, onnxruntime: Any, small: Path) -> None:
    pixels = photo("cat")[40:64, 60:80]
    write_image("in.png", pixels)
    session = onnxruntime.InferenceSession(str(small))
    (expected,) = session.run(None, {session.get_inputs()[0].name: normalised(pixels)})
    assert faltung("run", small, "in.png", "out.npy", *WORDS).code == 0
    assert np.abs(np.load("out.npy") - expected).max() <= 1e-5 * np.abs(expected).max()
    found = faltung("run", small, "in.png", *WORDS, "--json").json
    order = np.argsort(-expected[0])
    assert [each["index"] for each in found["classes"]] == order.tolist()
    shares = [each["probability"] for each in found["classes"]]
    assert shares == pytest.approx(softmax(expected[0])[order].tolist(), rel=1e-4)
    assert found["probabilities"] == "softmax of the scores"
    # A control: other normalisation is another input.
    faltung("run", small, "in.png", "raw.npy")
    assert np.abs(np.load("raw.npy") - expected).max() > 0.1 * np.abs(expected).max()


def planned(path: Path | str, x: np.ndarray) -> np.ndarray:
    """Return what the model's plan gives, which is what the command runs."""
    return np.asarray(package.compile(package.load(path), x.shape)(x))


def test_npy_is_what_the_plan_returns_bit_for_bit(faltung: Any, small: Path) -> None:
    pixels = photo("cat")[40:64, 60:80]
    write_image("in.png", pixels)
    said = faltung("run", small, "in.png", "out.npy", *WORDS)
    assert said.out.splitlines()[-1] == "written: out.npy (float32)"
    assert (np.load("out.npy") == planned(small, normalised(pixels))).all()


def test_numbers_above_one_are_for_pixels_up_to_255(faltung: Any, small: Path) -> None:
    write_image("in.png", photo("cat")[40:64, 60:80])
    faltung("run", small, "in.png", "unit.npy", "--mean", "0.4", "--std", "0.2")
    said = faltung("run", small, "in.png", "wide.npy", "--mean", "102", "--std", "51")
    assert np.allclose(np.load("unit.npy"), np.load("wide.npy"), rtol=1e-4, atol=1e-5)
    assert "pixels 0 to 255, less 102, by 51" in said.out
    assert "note:" not in said.err
    faltung("run", small, "in.png", "unit.npy", "--std", "1")
    faltung("run", small, "in.png", "wide.npy", "--std", "255")
    assert np.allclose(np.load("unit.npy"), np.load("wide.npy"), rtol=1e-5, atol=1e-6)


def test_predictions_are_those_of_evaluate(faltung: Any, example: Any) -> None:
    said = faltung("evaluate", example.model, "--split", "test", "--json").json
    images = read_data("sample", None, "zero-one")[1]
    right = 0
    for index in range(40):
        np.save("one.npy", images.images[index])
        found = faltung("run", example.model, "one.npy", "--json").json
        right += found["classes"][0]["index"] == images.labels[index]
        scores = planned(example.model, images.images[index : index + 1])
        assert sorted(each["score"] for each in found["classes"]) == sorted(scores[0].tolist())
    assert right >= 40 * said["accuracy"] - 2
    assert {each["name"] for each in found["classes"]} == set(images.classes)


def test_a_trained_model_takes_raw_pixels(faltung: Any, squares: Path) -> None:
    words = ("--net", "zero-one", "--epochs", "1", "--out", "mine")
    assert faltung("train", "--data", squares, *words).code == 0
    with np.load(squares) as archive:
        images = archive["images"]
    for index in (0, 1, 2):
        write_image("one.png", images[index])
        said = faltung("run", "mine", "one.png", "--json")
        assert said.err.startswith("one.png 12×12 uint8 -> x 1×1×12×12 float32; pixels 0 to 255")
        assert "note:" not in said.err
        scores = planned("mine/model.onnx", images[index][None, None])
        found = {each["name"]: each["score"] for each in said.json["classes"]}
        assert [found[n] for n in ("top", "middle [b]", "bottom")] == scores[0].tolist()
    said = faltung("run", "mine", "one.png", "--mean", "1", "--std", "2")
    assert "normalises pixels itself; this comes on top" in said.err


def test_the_report(faltung: Any, small: Path) -> None:
    Path("labels.txt").write_text("a\nb b\nc\nd\ne\n\n")
    said = faltung("run", small, "coffee", "--labels", "labels.txt", "--top", "2")
    assert said.code == 0, said.err
    lines = said.out.splitlines()
    assert lines[0].startswith("coffee 400×600×3 uint8 -> x 1×3×24×20 float32; resized to 24×20")
    assert "(linear, antialiased)" in lines[0]
    assert lines[1].split() == ["class", "name", "score", "probability"]
    assert len(lines) == 7
    assert lines[5] == "probabilities: softmax of the scores"
    assert lines[6].endswith(" ms)")
    assert "note: pixels go in as 0 to 255; if the model wants others, say so" in said.err


ENDS = {
    "softmax": (L.Softmax(), "the model ends in a softmax"),
    "log": (L.Operation(ops.LogSoftmax()), "the model ends in a logarithmic softmax"),
    "sigmoid": (L.Operation(ops.Sigmoid()), "the model ends in a sigmoid: each class by itself"),
    "none": (L.Chain(), "softmax of the scores"),
}


@pytest.mark.parametrize("name", ENDS)
def test_probabilities_are_not_made_twice(faltung: Any, name: str) -> None:
    last, source = ENDS[name]
    path = save(L.Chain(L.Flatten(), L.Dense(3), last), (1, 4, 4))
    np.save("x.npy", np.linspace(-1, 1, 16).reshape(1, 4, 4))
    found = faltung("run", path, "x.npy", "--json").json
    out = package.load(path)(np.load("x.npy")[None])
    assert isinstance(out, np.ndarray)
    wanted = {"softmax": out[0], "log": np.exp(out[0].astype(float)), "sigmoid": out[0]}
    shares = wanted.get(name, softmax(out[0]))
    assert source in found["probabilities"]
    for each in found["classes"]:
        assert each["probability"] == pytest.approx(float(shares[each["index"]]), rel=1e-6)


def test_shares_are_known_by_their_sum_and_one_score_is_logistic(faltung: Any) -> None:
    shares = np.array([0.25, 0.5, 0.25], np.float32)
    node = Node("add", ops.Add(), ("x", "b"), ("y",))
    Graph((Value("x", ("N", 3)),), (node,), ("y",), {"b": shares}).save("sum.onnx")
    np.save("x.npy", np.zeros(3, np.float32))
    found = faltung("run", "sum.onnx", "x.npy", "--json").json
    assert found["probabilities"] == "the scores add up to 1 already"
    assert found["classes"][0]["probability"] == 0.5
    np.save("x.npy", np.ones(3, np.float32))
    assert "softmax" in faltung("run", "sum.onnx", "x.npy", "--json").json["probabilities"]
    save(L.Chain(L.Flatten(), L.Dense(1)), (1, 4, 4), "one.onnx")
    np.save("x.npy", np.ones((1, 1, 4, 4)))
    (each,) = faltung("run", "one.onnx", "x.npy", "--json").json["classes"]
    assert each["probability"] == pytest.approx(1 / (1 + np.exp(-each["score"])))


@pytest.mark.parametrize(("channels", "name"), [(1, "cat"), (3, "camera")])
def test_grey_and_colour_become_what_the_model_takes(
    faltung: Any, channels: int, name: str
) -> None:
    path = save(L.Relu(), (channels, 300, 451))
    assert faltung("run", path, name, "out.npy").code == 0
    found, pixels = np.load("out.npy")[0], photo(name)
    if channels == 1:
        grey = np.array(Image.fromarray(pixels).convert("L"), float)
        assert np.abs(found[0] - grey).max() <= 1  # Pillow rounds
    else:
        small = Image.fromarray(pixels.astype(np.float32)).resize((451, 300), 2)
        assert np.abs(found - np.array(small)).max() < 1e-3
        assert (found == found[:1]).all()


def with_open_sizes(path: Path, name: str, **sizes: str) -> str:
    """The same model with names for sizes: ``d2="H"`` is the third one's."""
    import onnx

    model = onnx.load(path)
    for place, called in sizes.items():
        model.graph.input[0].type.tensor_type.shape.dim[int(place[1:])].dim_param = called
    for number, dim in enumerate(model.graph.output[0].type.tensor_type.shape.dim):
        dim.dim_param = f"out{number}"
    onnx.save(model, name)
    return name


def test_open_sizes_are_the_images_own(faltung: Any) -> None:
    path = with_open_sizes(save(L.Conv(2, 3), (3, 48, 8)), "open.onnx", d2="H", d3="W")
    found = faltung("run", path, "cat", "--json").json
    assert found["inputs"] == {"x": [1, 3, 300, 451]}
    found = faltung("run", path, "cat", "--size", "30x40", "--json").json
    assert found["inputs"] == {"x": [1, 3, 30, 40]}
    half = with_open_sizes(Path("net.onnx"), "half.onnx", d3="W")
    found = faltung("run", half, "cat", "--json").json
    assert found["inputs"] == {"x": [1, 3, 48, 72]}  # 451 * 48 / 300


def sized_by_itself(side: int) -> str:
    """A model that flattens by its input's own sizes, and has weights for one size alone."""
    import onnx
    from onnx import TensorProto, helper

    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 3, "H", "W"])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 2])
    whole = helper.make_tensor("whole", TensorProto.INT64, [1], [-1])
    zero = helper.make_tensor("zero", TensorProto.INT64, [1], [0])
    weights = np.ones((3 * side * side, 2), np.float32)
    nodes = [
        helper.make_node("Shape", ["x"], ["s"]),
        helper.make_node("Gather", ["s", "zero"], ["n"]),
        helper.make_node("Concat", ["n", "whole"], ["to"], axis=0),
        helper.make_node("Reshape", ["x", "to"], ["flat"]),
        helper.make_node("MatMul", ["flat", "w"], ["y"]),
    ]
    stored = [whole, zero, onnx.numpy_helper.from_array(weights, "w")]
    graph = helper.make_graph(nodes, "g", [x], [y], stored)
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8),
        "own.onnx",
    )
    return "own.onnx"


def test_a_model_that_computes_with_its_sizes_gets_those_of_the_image(faltung: Any) -> None:
    path = sized_by_itself(4)
    write_image("in.png", photo("cat")[:4, :4])
    found = faltung("run", path, "in.png", "--json").json
    assert found["inputs"] == {"x": [1, 3, 4, 4]}
    assert found["classes"][0]["score"] == photo("cat")[:4, :4].sum()
    found = faltung("run", path, "cat", "--size", "4x4", "--json").json
    assert found["inputs"] == {"x": [1, 3, 4, 4]}
    assert "Name a size that it takes with --size." in faltung("run", path, "cat").error
    said = faltung("run", sized_by_itself(32), "cat", "--json")
    assert said.json["inputs"] == {"x": [1, 3, 32, 32]}
    assert "own.onnx leaves its sizes open, and does not take the image's own" in said.err


def test_channels_may_be_last(faltung: Any) -> None:
    node = Node("neg", ops.Neg(), ("x",), ("y",))
    Graph((Value("x", (1, 10, 12, 3)),), (node,), ("y",), {}).save("last.onnx")
    write_image("in.png", photo("cat")[:10, :12])
    assert faltung("run", "last.onnx", "in.png", "out.npy").code == 0
    assert (np.load("out.npy")[0] == -photo("cat")[:10, :12].astype(float)).all()


def test_sixteen_bits_are_rounded_to_eight(faltung: Any) -> None:
    pixels = photo("camera")[:8, :9]
    write_image("deep.png", pixels.astype(np.uint16) * 257)
    path = save(L.Relu(), (1, 8, 9))
    faltung("run", path, "deep.png", "out.npy")
    assert (np.load("out.npy")[0, 0] == pixels).all()


@pytest.mark.parametrize(
    ("values", "how", "pixels"),
    [
        ([[0.0, 0.5], [1.0, 0.25]], "0 to 1 became 0 to 255", [[0, 128], [255, 64]]),
        ([[0.0, 2.0], [254.75, 7.0]], "values as they are, rounded", [[0, 2], [255, 7]]),
        ([[-1.0, 0.0], [1.0, 3.0]], "-1 to 3 became 0 to 255", [[0, 64], [128, 255]]),
    ],
)
def test_images_are_scaled_as_it_says(
    faltung: Any, values: list[list[float]], how: str, pixels: list[list[int]]
) -> None:
    path = save(L.Operation(ops.Identity()), (1, 2, 2))
    np.save("x.npy", np.array(values)[None])
    said = faltung("run", path, "x.npy", "out.png")
    assert said.out.splitlines()[-1] == f"written: out.png (uint8): {how}"
    assert read_image("out.png").tolist() == pixels
    faltung("run", path, "x.npy", "out.tif")
    assert read_image("out.tif").tolist() == values


def test_masks_are_black_and_white_and_numbers_of_classes_stay(faltung: Any) -> None:
    node = Node("more", ops.Greater(), ("x", "t"), ("y",))
    limit = {"t": np.array([2.0], np.float32)}
    Graph((Value("x", (1, 1, 2, 2)),), (node,), ("y",), limit).save("mask.onnx")
    np.save("x.npy", np.array([[[1.0, 2.0], [3.0, 4.0]]]))
    faltung("run", "mask.onnx", "x.npy", "out.png")
    assert read_image("out.png").tolist() == [[0, 0], [255, 255]]
    node = Node("best", ops.ArgMax(axis=1), ("x",), ("y",))
    Graph((Value("x", (1, 3, 1, 2)),), (node,), ("y",), {}).save("best.onnx")
    np.save("x.npy", np.array([[[1.0, 2]], [[3, 0]], [[0, 4]]]))
    said = faltung("run", "best.onnx", "x.npy", "out.png")
    assert said.out.splitlines()[-1] == "written: out.png (uint8): values as they are"
    assert read_image("out.png").tolist() == [[1, 2]]


def test_colour_outputs_are_colour_images(faltung: Any) -> None:
    path = save(L.Operation(ops.Identity()), (3, 20, 30))
    write_image("in.png", photo("cat")[:20, :30])
    assert faltung("run", path, "in.png", "out.bmp").code == 0
    assert (read_image("out.bmp") == photo("cat")[:20, :30]).all()


def two_by_two() -> Path:
    """Two inputs, two outputs."""
    nodes = (Node("add", ops.Add(), ("a", "b"), ("s",)), Node("mul", ops.Mul(), ("a", "b"), ("p",)))
    inputs = (Value("a", ("N", 3)), Value("b", ("N", 3)))
    return Graph(inputs, nodes, ("s", "p"), {}).save("two.onnx")


def test_several_inputs_and_outputs_go_by_name(faltung: Any) -> None:
    path = two_by_two()
    write_archive("in.npz", {"a": np.arange(3), "b": np.array([[1.0, 2, 3]])})
    said = faltung("run", path, "in.npz", "out.npz")
    assert said.code == 0, said.err
    found = read_archive("out.npz")
    assert {name: array.tolist() for name, array in found.items()} == {
        "s": [[1.0, 3.0, 5.0]],
        "p": [[0.0, 2.0, 6.0]],
    }
    shown = faltung("run", path, "in.npz").out
    assert "nothing written: no OUT was given" in shown
    assert shown.splitlines()[3].split() == ["s", "1×3", "float32", "1", "3", "5"]
    assert "the model has several outputs" in faltung("run", path, "in.npz", "out.npy").error
    write_archive("in.npz", {"a": np.arange(3), "c": np.arange(3)})
    assert "must have the names of the model's inputs" in faltung("run", path, "in.npz").error
    assert "the model must have one input for it" in faltung("run", path, "cat").error
    np.savez("one.npz", anything=np.ones((1, 2, 2)))
    relu = save(L.Relu(), (1, 2, 2), "relu.onnx")
    assert faltung("run", relu, "one.npz", "out.npz").code == 0
    assert read_archive("out.npz")["relu1"].tolist() == np.ones((1, 1, 2, 2)).tolist()


def test_sound_goes_through_one_axis(faltung: Any) -> None:
    samples = np.array([[-32768, 0], [16384, 0], [0, 16384]], np.int16)
    write_sound("in.wav", Sound(samples, 8000, 16))
    path = save(L.Operation(ops.Neg()), (2, 3))
    assert faltung("run", path, "in.wav", "out.wav").code == 0
    assert read_sound("out.wav").samples.tolist() == [[1, 0], [-0.5, 0], [0, -0.5]]
    assert read_sound("out.wav").rate == 8000
    mono = save(L.Operation(ops.Neg()), (1, 3), "mono.onnx")
    said = faltung("run", mono, "in.wav", "out.npy")
    assert "mean of the channels; samples -1 to 1" in said.out
    assert np.load("out.npy").tolist() == [[[0.5, -0.25, -0.25]]]
    np.save("x.npy", np.zeros((2, 3), np.float32))
    assert "only a sound that became" in faltung("run", path, "x.npy", "out.wav").error


def test_values_that_are_not_finite_are_flagged(faltung: Any) -> None:
    path = save(L.Operation(ops.Log()), (4,))
    np.save("x.npy", np.array([-1.0, 1.0, 0.0, 2.0], np.float32))
    said = faltung("run", path, "x.npy", "out.npy", "--json")
    assert said.code == 0
    assert "note: 2 of 4 values of log1 are NaN or infinite" in said.err
    (output,) = said.json["outputs"].values()
    assert (output["not_finite"], said.json["classes"]) == (2, None)
    assert np.isnan(np.load("out.npy")[0, 0])


def test_a_bare_run_is_a_worked_example(faltung: Any) -> None:
    said = faltung("run")
    assert said.code == 0, said.err
    commands = [line for line in said.out.splitlines() if line.startswith("$ ")]
    assert commands[1] == "$ faltung run run-model.onnx run-digit.png"
    again = faltung(*commands[1].split()[2:])
    assert again.code == 0
    lines = said.out.splitlines()
    assert again.out.splitlines()[:-1] == lines[lines.index(commands[1]) + 1 : -1]
    assert (read_image("run-digit.png") > 0).any()


def test_json_is_one_object(faltung: Any, small: Path) -> None:
    found = faltung("run", small, "cat", "out.npy", "--json").json
    assert found["prepared"] == ["resized to 24×20 (linear, antialiased)", "pixels 0 to 255"]
    assert found["written"] == {
        "path": "out.npy",
        "dtype": "float32",
        "clipped": 0,
        "values": 5,
        "scaling": "",
    }
