"""What Network asks of Python: every answer checked, every refusal one line, runs that end."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from faltung import zoo
from faltung.analysis.feature_maps import feature_maps
from faltung.datasets import load
from faltung.errors import ExplorerError, FaltungError
from faltung.explorer import live_run
from faltung.explorer.activations import MOST_VALUES, fed, probabilities, way, window
from faltung.explorer.layer_record import layer_records, map_shape
from faltung.explorer.live_run import events
from faltung.explorer.questions import answer
from faltung.explorer.recorded import network, packed, recording, text_of, weights_of
from faltung.explorer.uploads import Uploads
from faltung.graph import Graph
from faltung.graph import layers as L
from faltung.training import score

PIXELS = packed(load("sample", split="test").images[3])


@pytest.fixture
def files() -> Iterator[Uploads]:
    with Uploads() as kept:
        yield kept
        for process in live_run._processes.values():
            process.kill()
            process.wait()
            process.stdin.close()
        live_run._processes.clear()


NETWORKS = {
    "recorded": network,
    "resnet": lambda: zoo.build("resnet"),
    "groups": lambda: L.build(
        L.Chain(
            L.Conv(6, 3, padding="same", padding_mode="reflect"),
            L.Conv(6, (2, 3), stride=2, groups=3, bias=False),
            L.Tanh(),
            L.AvgPool(2),
            L.ConvTranspose(4, 3),
            L.GlobalAvgPool(),
            L.Flatten(),
            L.Dense(5),
            L.Softmax(),
        ),
        (3, 13, 17),
        seed=1,
    ),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_windows(name: str) -> None:
    """Every layer, three cells each: the products and the bias are the value, within rounding."""
    graph = NETWORKS[name]()
    rng = np.random.default_rng(0)
    records = layer_records(graph)
    image = rng.uniform(0, 255, records[0]["shape"]).astype(np.float32)
    maps = {m.name: m.values for m in feature_maps(graph, image)}
    kinds = set()
    for layer, record in enumerate(records[1:], start=1):
        values = maps[record["name"]].reshape(record["shape"])
        for _ in range(3):
            at = tuple(int(rng.integers(n)) for n in record["shape"])
            found = window(graph, image, layer, at)
            kinds.add(found["kind"])
            assert found["value"] == values[at]
            read = np.array([v for r in found["reads"] for v in r["values"]])
            if found["kind"] == "sum":
                products = read * np.array(found["weights"])
                room = np.abs(products).sum() + abs(found["bias"] or 0)
                bound = room * 2.0**-23 * (len(products) + 2)
                assert abs(found["sum"] - found["value"]) <= bound
                assert abs(products.sum() + (found["bias"] or 0) - found["value"]) <= bound
            elif found["kind"] == "max":
                assert read.max() == found["value"]
            elif found["kind"] == "mean":
                assert read.mean() == pytest.approx(found["value"], rel=1e-5, abs=1e-6)
            for part in found["reads"]:
                source = records[part["from"]]
                earlier = image if part["from"] == 0 else maps[source["name"]]
                earlier = earlier.reshape(source["shape"])
                for cell, value in zip(part["at"], part["values"], strict=True):
                    if all(0 <= i < n for i, n in zip(cell, earlier.shape, strict=True)):
                        assert earlier[tuple(cell)] == value
    assert "sum" in kinds


@pytest.mark.parametrize("name", NETWORKS)
def test_way(name: str) -> None:
    """The maps are those of the graph to the bit, and the probabilities add up to 1."""
    graph = NETWORKS[name]()
    records = layer_records(graph)
    image = np.random.default_rng(0).uniform(0, 255, records[0]["shape"]).astype(np.float32)
    told = way(graph, image)
    expected = [image, *(m.values for m in feature_maps(graph, image))]
    for record, sent, values in zip(records, told["maps"], expected, strict=True):
        shown = np.frombuffer(base64.b64decode(sent["values"]), np.float32)
        whole = values.reshape(record["shape"])[: sent["shown"]]
        np.testing.assert_array_equal(shown.reshape(whole.shape), whole)
    assert sum(told["probabilities"]) == pytest.approx(1)
    np.testing.assert_allclose(told["scores"], graph(image[None])[0], rtol=0)


def test_large_networks_are_sent_in_part() -> None:
    """What is sent stays bounded; large images that would break it are not sent at all."""
    graph = L.build(L.Chain(L.Conv(100, 3, padding="same"), L.Relu(), L.Conv(2, 3)), (1, 300, 300))
    told = way(graph, np.ones((1, 300, 300), np.float32))
    assert [sent["shown"] for sent in told["maps"]] == [1, 2, 2, 2]
    assert told["scores"] is None
    graph = L.build(L.Chain(*[L.Conv(3, 3, padding="same")] * 4), (1, 900, 1000))
    told = way(graph, np.ones((1, 900, 1000), np.float32))
    assert [sent["shown"] for sent in told["maps"]] == [1, 1, 1, 0, 0]
    assert sum(len(sent["values"]) for sent in told["maps"]) < 3 * MOST_VALUES * 4 * 4 / 3


def test_fed() -> None:
    """28x28 goes in as it is; into 32x32 with a border, into 14x14 as means; units; channels."""
    ink = load("sample", split="test").images[3, 0]
    np.testing.assert_array_equal(fed(ink, (1, 28, 28), is_centred=True, unit="255")[0], ink)
    large = fed(ink, (3, 32, 32), is_centred=False, unit="1")
    np.testing.assert_allclose(large[2, 2:-2, 2:-2] * 255, ink, atol=1e-4)
    assert large.sum() == pytest.approx(3 * ink.sum() / 255, rel=1e-6)
    small = fed(ink, (1, 14, 14), is_centred=False, unit="255")[0]
    np.testing.assert_array_equal(small, ink.reshape(14, 2, 14, 2).mean(axis=(1, 3)))
    assert fed(ink, (1, 28, 28), is_centred=False, unit="-1").min() == -1


def test_probabilities() -> None:
    """A softmax, but for what is one already."""
    shares = probabilities(np.array([1.0, 2.0]))
    assert shares[1] / shares[0] == pytest.approx(np.e)
    np.testing.assert_array_equal(probabilities(np.array([0.25, 0.75])), [0.25, 0.75])


def test_map_shapes() -> None:
    assert map_shape((1, 3, 7)) == (3, 1, 7)


# The recording -----------------------------------------------------------------------------------


def test_recording() -> None:
    """Each snapshot is worth on the test digits what the recording says."""
    test = load("sample", split="test")
    for i in (0, 2, -1):
        kept, found = recording()["snapshots"][i], score(network(i), test)
        assert found.accuracy == pytest.approx(kept["accuracy"], abs=0.0021)  # ties of rounding
        assert found.loss == pytest.approx(kept["loss"], abs=1e-3)
    with pytest.raises(ExplorerError, match=r"there is no such snapshot, got at=6"):
        network(6)


def test_levels() -> None:
    """A character for each weight, and back."""
    levels = np.arange(-31, 32)
    kept = {"shape": [63], "scales": [0.5], "levels": text_of(levels)}
    np.testing.assert_array_equal(weights_of(kept), levels / 2)
    assert not set('<"') & set(kept["levels"])


# What is given -----------------------------------------------------------------------------------

GOOD = {"model": "", "snapshot": 5, "pixels": PIXELS, "centred": False, "unit": "255"}


@pytest.mark.parametrize(
    ("question", "given", "told"),
    [
        ("open", {"model": 3}, "model must be a name"),
        ("open", {"model": "", "snapshot": "x"}, "snapshot must be a whole number"),
        ("open", {"model": "../../etc/passwd"}, "there is no such file"),
        ("open", {"model": "zoo:nothing"}, "no such network"),
        ("forward", {**GOOD, "pixels": "!!"}, "pixels must be a square of 28 or 112"),
        ("forward", {**GOOD, "pixels": [1]}, "pixels must be a square of 28 or 112"),
        ("forward", {**GOOD, "pixels": "é"}, "pixels must be a square of 28 or 112"),
        ("forward", {**GOOD, "pixels": PIXELS[:400]}, "pixels must be a square of 28 or 112"),
        ("forward", {**GOOD, "unit": "7"}, "no such unit"),
        ("forward", {**GOOD, "unit": ["7"]}, "no such unit"),
        ("window", {**GOOD, "layer": 0}, "layer must be a whole number from 1 to 11"),
        ("window", {**GOOD, "layer": True}, "layer must be a whole number"),
        ("window", {**GOOD, "layer": 3}, "at must be a map, a row and a column"),
        ("window", {**GOOD, "layer": 3, "at": [0, 28, 0]}, "at must be a map, a row and a column"),
        ("window", {**GOOD, "layer": 3, "at": [0, -1, 0]}, "at must be a map, a row and a column"),
        ("window", {**GOOD, "layer": 3, "at": "abc"}, "at must be a map, a row and a column"),
        ("digits", {"seed": -1}, "seed must be a whole number"),
        ("train", {"network": "vgg16", "epochs": 1, "lr": 0.1}, "no such network to train here"),
        ("train", {"network": ["small"], "epochs": 1, "lr": 0.1}, "no such network to train"),
        ("train", {"network": "small", "epochs": 99, "lr": 0.1}, "epochs must be a whole number"),
        ("train", {"network": "small", "epochs": 1, "lr": 0}, "the learning rate must be above 0"),
        ("train", {"network": "small", "epochs": 1, "lr": "1"}, "the learning rate must be"),
        ("events", {"run": "0123456789abcdef", "since": 0}, "there is no such file"),
        ("events", {"run": "../x", "since": 0}, "there is no such run"),
        ("stop", {"run": "0123456789abcdef"}, "there is no such file"),
        ("stop", {}, "there is no such run"),
    ],
)
def test_refused(question: str, given: dict[str, Any], told: str, files: Uploads) -> None:
    with pytest.raises(FaltungError, match=told) as caught:
        answer(f"network.{question}", given, files)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "graph",
    [
        L.build(L.Dense(2), (5,)),
        L.build(L.Conv(2, 3), (4, 9, 9)),
        L.build(L.Conv(2, 3), (1, 2000, 9)),
    ],
)
def test_models_that_take_no_digit(graph: Graph, files: Uploads, tmp_path: Path) -> None:
    """Vectors, many channels, huge images: told so."""
    path = graph.save(tmp_path / "model.onnx")
    name = files.add("model.onnx", [Path(path).read_bytes()])
    with pytest.raises(ExplorerError, match=r"^network: (it must take one|its images must have)"):
        answer("network.open", {"model": name}, files)


def test_a_model_of_ones_own(files: Uploads, tmp_path: Path) -> None:
    """An ONNX file is opened with its classes and filters; every answer is plain JSON."""
    graph = zoo.build("lenet", (3, 32, 36), 4)
    graph = graph.replace(metadata={"classes": json.dumps(["a", "b", "c", "d"])})
    name = files.add("m.onnx", [Path(graph.save(tmp_path / "m.onnx")).read_bytes()])
    opened = answer("network.open", {"model": name}, files)
    assert opened["classes"] == ["a", "b", "c", "d"]
    assert opened["in_shape"] == [3, 32, 36]
    first = opened["filters"]["C1"]
    shown = np.frombuffer(base64.b64decode(first["values"]), np.float32).reshape(first["shape"])
    np.testing.assert_array_equal(shown, graph.params["C1.weight"][:, :4])
    assert len(first["chosen"]) == 6
    given = {**GOOD, "model": name, "layer": 3, "at": [1, 2, 3]}
    for question in ("forward", "window"):
        json.dumps(answer(f"network.{question}", given, files), allow_nan=False)


# A run -------------------------------------------------------------------------------------------


def ended(files: Uploads, run: str) -> list[dict[str, Any]]:
    """Follow a run to its end."""
    found: list[dict[str, Any]] = []
    for _ in range(600):
        given = {"run": run, "since": len(found)}
        found += answer("network.events", given, files)["events"]
        if found and found[-1]["kind"] == "end":
            return found
        time.sleep(0.1)
    raise AssertionError("the run goes on and on")


def test_a_run_to_its_end(files: Uploads) -> None:
    """Steps, epochs and networks in order; the last network is better than the first."""
    given = {"network": "zero-one", "epochs": 2, "lr": 0.01}
    run = answer("network.train", given, files)["run"]
    found = ended(files, run)
    assert found[-1]["why"] == "finished"
    assert [e["step"] for e in found if e["kind"] == "step"] == list(range(1, 69))
    assert found[0]["kind"] == "plan"
    assert found[0]["total_steps"] == 68
    models = [e["model"] for e in found if e["kind"] == "snapshot"]
    assert answer("network.open", {"model": models[0]}, files)["classes"] == ["0", "1"]
    losses = [e["loss"] for e in found if e["kind"] == "epoch"]
    assert losses[1] < losses[0]
    assert found[-2]["kind"] == "snapshot"
    assert found[-2]["step"] == 68


def test_a_run_is_stopped_by_another(files: Uploads) -> None:
    """Only one run goes on; a stop ends it after its next step."""
    given = {"network": "small", "epochs": 30, "lr": 0.01}
    first = answer("network.train", given, files)["run"]
    second = answer("network.train", {**given, "network": "zero-one"}, files)["run"]
    assert ended(files, first)[-1]["why"] == "stopped"
    answer("network.stop", {"run": second}, files)
    assert ended(files, second)[-1]["why"] in ("stopped", "finished")


def test_a_run_that_diverges_says_so(files: Uploads) -> None:
    """What training refuses ends the run, in its own words."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(live_run, "_trained", lambda *_: (_ for _ in ()).throw(ExplorerError("no")))
        (files.folder / "abc.jsonl").touch()
        live_run.run(files.folder, "abc", {})
    assert events(files.folder / "abc.jsonl", 0, 9) == [{"kind": "end", "why": "no"}]


def test_a_run_ends_with_who_started_it(tmp_path: Path) -> None:
    """The end of its standard input ends it, whatever it is doing."""
    settings = json.dumps({"network": "small", "epochs": 30, "lr": 0.01})
    command = [sys.executable, "-m", "faltung.explorer.live_run", str(tmp_path), "abc", settings]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        while not list(tmp_path.glob("abc-0.onnx")):
            assert process.poll() is None
            time.sleep(0.05)
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(10) == 0
    lines = (tmp_path / "abc.jsonl").read_text().splitlines()
    assert json.loads(lines[0])["kind"] == "plan"


def test_a_run_that_fell_silent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody ended it: told after a while, and half a line is not read."""
    path = tmp_path / "abc.jsonl"
    path.write_text('{"kind": "step"}\n{"kind": "st')
    assert events(path, 0, 9) == [{"kind": "step"}]
    monkeypatch.setattr(live_run, "SILENCE", -1.0)
    assert events(path, 1, 9) == [{"kind": "end", "why": "its process ended"}]
