"""``faltung bench``: a model is timed in a process of its own, and what is wrong is not timed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from faltung.cli import bench_worker, benching
from faltung.graph import layers as L


@pytest.fixture
def model(tmp_path: Path) -> str:
    graph = L.build(L.Chain(L.Conv(4, 3), L.Relu(), L.Flatten(), L.Dense(3)), (1, 8, 8))
    return str(graph.save(tmp_path / "model.onnx"))


def test_a_model_is_timed(faltung: Any, model: str) -> None:
    said = faltung("bench", model, "--rounds", "1", "--threads", "1", "--json").json
    assert said["shape"] == [1, 1, 8, 8]
    assert said["threads"] == 1
    assert list(said["ratios"]) == ["faltung"]
    assert said["seconds"]["faltung"][0] > 0


def test_peers_are_timed_beside_it(faltung: Any, model: str, onnxruntime: Any) -> None:
    said = faltung("bench", model, "--peers", "--rounds", "1", "--shape", "3x1x8x8")
    assert said.code == 0, said.err
    assert "ONNX Runtime" in said.out
    assert "3x1x8x8" in said.out


def test_an_open_shape_must_be_given(faltung: Any, tmp_path: Path) -> None:
    graph = L.build(L.Relu(), (1, "height", "width"))
    path = str(graph.save(tmp_path / "open.onnx"))
    assert "the input's shape is open" in faltung("bench", path).error
    assert "is not written like" in faltung("bench", path, "--shape", "1xa").err


def test_only_models_of_one_input_are_timed(faltung: Any, tmp_path: Path) -> None:
    from faltung.graph.symbols import Input

    a, b = Input((1, 4, 4), name="a"), Input((1, 4, 4), name="b")
    path = str(L.build(L.Add()(a, b)).save(tmp_path / "two.onnx"))
    assert "only models of one input are timed" in faltung("bench", path).error


def test_a_wrong_runtime_is_named_and_not_timed(tmp_path: Path) -> None:
    class Fake:
        def __init__(self, name: str, y: float, said: dict[str, Any]) -> None:
            self.name, self.said, self.y = name, said, tmp_path / f"{name}.npy"
            np.save(self.y, np.full(3, y))

        def ask(self) -> dict[str, Any]:
            return self.said

    ready = {"ready": True}
    fakes = [Fake("faltung", 1, ready), Fake("onnxruntime", 2, ready)]
    fakes.append(Fake("openvino", 1, {"cannot": "no such operator"}))
    able, cannot = benching._checked(fakes)  # type: ignore[arg-type]
    assert [each.name for each in able] == ["faltung"]
    assert cannot["onnxruntime"] == "its result differs by 1.0e+00 of the largest value"
    assert cannot["openvino"] == "no such operator"


def test_a_block_is_the_median_of_its_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_worker, "BLOCK", 0.0)
    called = []
    assert bench_worker.block(called.append, 1) >= 0
    assert called == [1, 1, 1]
