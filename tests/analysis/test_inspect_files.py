"""Whatever parses is inspected: the models that come with ONNX, known operators or not."""

from __future__ import annotations

import json
from pathlib import Path

import onnx
import pytest

from faltung.analysis.inspect import inspect

DATA = Path(onnx.__file__).parent / "backend" / "test" / "data"
MODELS = sorted(DATA.glob("*/*/model.onnx"))


@pytest.mark.parametrize("path", MODELS, ids=lambda path: f"{path.parts[-3]}-{path.parts[-2]}")
def test_a_model_of_onnx_is_inspected(path: Path) -> None:
    report = inspect(path)
    assert str(report).startswith("model: ")
    found = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    assert [layer["unknown"] is not None for layer in found["layers"]] == [
        bool(layer.unknown) for layer in report.layers
    ]
    assert report.html().endswith("</html>\n")
    assert report.markdown().count("\n| ") >= len(report.layers)
    for layer in report.layers:
        assert str(report.detail(layer.name))


def test_there_are_models_known_and_unknown() -> None:
    assert len(MODELS) > 100
    known = {path.parent.name: not inspect(path).at_least for path in MODELS[:: len(MODELS) // 60]}
    assert {True, False} == set(known.values())
