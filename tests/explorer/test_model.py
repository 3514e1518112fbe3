"""Model in a browser: every figure is the inspection's, for the zoo and for files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import faltung
from faltung.errors import ExplorerError
from faltung.explorer.ask_model import inspected, plain_report, prepared, record, verified
from faltung.explorer.uploads import Uploads
from faltung.graph import layers as L


@pytest.fixture
def network(tmp_path: Path) -> Path:
    """A model file with branches, a stride and a global operator."""
    body = L.Chain(L.Conv(4, 3, padding="same"), L.Relu(), L.Conv(4, 3, padding="same"))
    net = L.Chain(
        L.Conv(4, 3, padding=1),
        L.Residual(body),
        L.MaxPool(2),
        L.GlobalAvgPool(),
        L.Flatten(),
        L.Dense(3),
    )
    path = tmp_path / "mine.onnx"
    L.build(net, (1, 16, 16), seed=0).save(path)
    return path


def figures_of(report: Any) -> dict[str, Any]:
    """Return what the page should show of an inspection."""
    import json

    plain: dict[str, Any] = json.loads(json.dumps(plain_report(report)))
    return plain


def test_saved_page_shows_the_example(open_view: Callable[..., Any]) -> None:
    """From disk: the recorded report, its marks, the layer that is picked."""
    view = open_view("model")
    figures = view.figures()
    wanted = figures_of(faltung.inspect("resnet20"))
    assert {name: figures[name] for name in wanted} == wanted
    assert figures["marks"]["conv8"] == "breaks equivariance: stride"
    assert figures["marks"]["maxpool1"] == "breaks equivariance: pooling"
    assert figures["marks"]["globalaveragepool1"].startswith("sees everything")
    view.tab.get_by_role("button", name="conv8", exact=True).click()
    assert view.state()["layer"] == [layer["name"] for layer in wanted["layers"]].index("conv8")
    assert "17 (53.1 %), jump 2, output 0: -8 to 8" in view.text(".ft-detail").replace("−", "-")
    view.tab.keyboard.press("Escape")
    assert view.state()["layer"] is None


def test_files_are_inspected(served_view: Callable[..., Any], network: Path) -> None:
    """An opened file: its figures, the audit, the recount."""
    view = served_view("model")
    view.tab.locator("input[type=file]").set_input_files(network)
    view.tab.locator("dd", has_text="mine.onnx").wait_for(timeout=30_000)
    wanted = figures_of(replace(faltung.inspect(str(network)), name="mine.onnx"))
    figures = view.figures()
    assert {name: figures[name] for name in wanted} == wanted
    view.tab.get_by_role("button", name="Audit equivariance").click()
    view.tab.get_by_text("What is left of equivariance").wait_for(timeout=60_000)
    assert view.figures()["marks"]["maxpool1"] == "breaks equivariance: pooling"
    view.tab.get_by_role("button", name="Verify by brute force").click()
    view.tab.get_by_text("Counted again, by brute force").wait_for(timeout=60_000)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"no model", "damaged, or no ONNX model"),
        (b"", "bad.onnx: model: the file is empty"),
        (b"\x08" * 4096, "ONNX"),
    ],
)
def test_bad_files_are_refused(
    served_view: Callable[..., Any], tmp_path: Path, content: bytes, said: str
) -> None:
    """One line says what is wrong; what was shown stays."""
    path = tmp_path / "bad.onnx"
    path.write_bytes(content)
    view = served_view("model")
    view.tab.locator("input[type=file]").set_input_files(path)
    view.tab.locator(".ft-note:not(:empty)").wait_for(timeout=30_000)
    assert said in view.text(".ft-note")
    assert "Traceback" not in view.text(".ft-note")
    assert view.figures()["name"] == "resnet20"


def test_links_open_networks_of_the_zoo(served_view: Callable[..., Any]) -> None:
    """A state that names a network and a layer."""
    view = served_view("model", states={"model": {"zoo": "lenet5", "layer": 2}})
    view.tab.locator("dd", has_text="lenet5").wait_for(timeout=30_000)
    assert view.figures()["totals"]["params"] == 61_706
    assert view.text(".ft-formula").startswith("C1 (Conv)")


def test_questions_are_checked() -> None:
    """What a page sends may be anything."""
    with Uploads() as uploads:
        with pytest.raises(ExplorerError, match="model: the zoo has no such network, got zoo='x'"):
            inspected({"zoo": "x"}, uploads)
        with pytest.raises(ExplorerError, match="upload: there is no such file, got name=None"):
            inspected({}, uploads)
        name = uploads.add("small.onnx", [Path(__file__).read_bytes()])
        with pytest.raises(ValueError, match="no ONNX model"):
            inspected({"file": name}, uploads)
        assert verified({"zoo": "lenet5"}, uploads)["passed"]


def test_too_many_layers(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page that could not be scrolled is refused, with the way to see it all the same."""
    monkeypatch.setattr("faltung.explorer.ask_model.MOST_LAYERS", 5)
    rule = "model: the page shows at most 5 layers, got layers=14. Use: faltung inspect MODEL"
    with Uploads() as uploads, pytest.raises(ExplorerError, match=rule):
        inspected({"zoo": "lenet5"}, uploads)


def test_what_comes_with_the_page_is_small() -> None:
    """The recorded report stays a small part of a saved page."""
    import json

    assert len(json.dumps(prepared())) < 60_000


def test_the_recording_is_what_is_computed_now() -> None:
    """Every figure of the inspection, and which layers break equivariance."""
    import json

    now, then = json.loads(json.dumps(record())), prepared()
    assert {**then, "audit": None} == {**now, "audit": None}
    assert then["audit"]["culprits"] == now["audit"]["culprits"]
    assert [block["kind"] for block in then["audit"]["blocks"]] == [
        block["kind"] for block in now["audit"]["blocks"]
    ]
