"""What a network learned: its own weights, chosen filters, and the interpreter's values."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

import faltung
from faltung import layers as L
from faltung.cli.explain import explain
from faltung.errors import GraphError

NET = L.build(L.Chain(L.Conv(8, 3), L.Relu(), L.Conv(4, 3), L.Flatten(), L.Dense(2)), (1, 9, 9))


def test_filters_are_the_weights_and_maps_the_values() -> None:
    image = np.arange(81, dtype=np.uint8).reshape(1, 9, 9)
    report = faltung.learned(NET, image, layer="conv2", most=3)
    np.testing.assert_array_equal(report.filters, NET.params["conv2.weight"])
    assert len(set(report.chosen)) == 3
    np.testing.assert_array_equal(report.maps[-1].values, NET(image[None])[0])
    assert "conv2: 4 filters of 8×3×3" in str(report)
    assert faltung.learned(NET).layer == "conv1"
    assert faltung.learned(NET, most=99).chosen == tuple(range(8))


def test_a_layer_that_is_not_there() -> None:
    with pytest.raises(GraphError, match=r"convolution of this name.*\['conv1', 'conv2'\]"):
        faltung.learned(NET, layer="conv9")


def test_on_the_command_line(tmp_path: Path) -> None:
    model, picture = tmp_path / "m.onnx", tmp_path / "i.png"
    NET.save(model)
    Image.fromarray(np.arange(81, dtype=np.uint8).reshape(9, 9)).save(picture)
    told = CliRunner().invoke(explain, ["learned", str(model), "--image", str(picture), "--json"])
    assert told.exit_code == 0, told.output
    assert len(json.loads(told.stdout)["layers"]) == len(NET.nodes)


@pytest.mark.parametrize("options", [[], ["--image"]])
def test_pictures(tmp_path: Path, options: list[str]) -> None:
    pytest.importorskip("matplotlib")
    model, picture, out = tmp_path / "m.onnx", tmp_path / "i.png", tmp_path / "o.png"
    NET.save(model)
    Image.fromarray(np.arange(81, dtype=np.uint8).reshape(9, 9)).save(picture)
    more = [*options, str(picture)] if options else []
    done = CliRunner().invoke(explain, ["learned", str(model), *more, "--out", str(out)])
    assert done.exit_code == 0, done.output
    assert out.read_bytes()[:4] == b"\x89PNG"
