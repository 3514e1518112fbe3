"""A model and a picture from the command line, as the views show them."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from PIL import Image

from faltung import inspect, layers
from faltung.errors import ExplorerError, FileFormatError
from faltung.explorer.given import prepared
from faltung.explorer.page import saved_page
from faltung.explorer.pictures import MOST_PIXELS, fitted, read_picture
from faltung.explorer.uploads import Uploads
from faltung.files.image import write_image


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "mine.png"
    rng = np.random.default_rng(0)
    write_image(path, rng.integers(0, 256, (300, 600, 3)).astype(np.uint8))
    return path


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """One that no other view's data has: 12 by 12, five classes."""
    chain = layers.Chain(
        layers.Conv(3, 5, stride=2), layers.Relu(), layers.Flatten(), layers.Dense(5)
    )
    path = tmp_path / "mine.onnx"
    layers.build(chain, (1, 12, 12)).save(path)
    return path


def test_nothing_given() -> None:
    assert prepared() == ({}, {})


def test_a_network_of_the_zoo() -> None:
    data, states = prepared("vgg16")
    report = data["model"]["report"]
    assert report["totals"]["params"] == inspect("vgg16").to_dict()["totals"]["params"]
    assert data["model"]["audit"] is None  # it would take minutes
    assert data["model"]["source"] == {"zoo": "vgg16"}
    assert states["field"]["file"] == {"zoo": "vgg16"}
    assert len(data["field"]["recorded"]["vgg16"]["values"]) == len(report["layers"])


def test_a_file_for_a_page_without_python(model: Path) -> None:
    """Its report, its audit, and what its layers see are written into the page."""
    data, states = prepared(model)
    assert data["model"]["report"]["name"] == "mine.onnx"
    assert data["model"]["report"]["totals"]["params"] == 78 + 245
    assert data["model"]["audit"]["culprits"]
    assert data["field"]["recorded"]["mine.onnx"]["input"]["space"] == [12, 12]
    assert set(states) == {"field", "model"}
    page = saved_page("model", data=data, states=states)
    assert str(model.parent) not in page


def test_a_file_for_a_page_that_asks(model: Path) -> None:
    """It is kept where questions find it."""
    with Uploads() as uploads:
        data, states = prepared(model, None, uploads)
        source = data["model"]["source"]
        assert uploads.path(source["file"]).read_bytes() == model.read_bytes()
        assert states["network"] == {"model": source["file"], "label": "mine.onnx"}
        assert states["field"]["file"] == {"name": source["file"], "label": "mine.onnx"}


def test_weights_beside_a_model(model: Path) -> None:
    """They are brought along; what is not named stays where it is."""
    made = onnx.load(model)
    settings = {"save_as_external_data": True, "location": "mine.weights", "size_threshold": 0}
    onnx.save(made, model, **settings)
    (model.parent / "diary.txt").write_text("not for anybody")
    with Uploads() as uploads:
        data, _ = prepared(model, None, uploads)
        assert data["model"]["report"]["totals"]["params"] == 323
        assert not data["model"]["report"]["totals"]["at_least"]
        assert (uploads.folder / "mine.weights").is_file()
        assert not (uploads.folder / "diary.txt").exists()


def test_a_model_that_is_none(tmp_path: Path) -> None:
    """The error names the file as it came."""
    path = tmp_path / "bad.onnx"
    path.write_bytes(b"no model")
    with pytest.raises(ExplorerError, match=r"^bad\.onnx: model: the file is damaged"):
        prepared(path)


@pytest.mark.parametrize("name", ["cat", "camera"])
def test_a_photograph(name: str) -> None:
    data, states = prepared(None, name)
    for view in ("lab", "shift"):
        pictures = data[view]["pictures"]
        assert pictures["own"]["label"] == name
        assert len(pictures) > 3
        with Image.open(io.BytesIO(base64.b64decode(pictures["own"]["file"]))) as image:
            assert max(image.size) == 256
            assert image.mode == ("L" if name == "camera" else "RGB")
        assert states[view] == {"picture": "own"}


def test_a_picture_is_seen(open_view: Callable[..., Any], picture: Path) -> None:
    """Lab and Shift open with it."""
    data, states = prepared(None, picture)
    for view in ("lab", "shift"):
        opened = open_view(view, states[view], data=data[view])
        for _ in range(200):
            if opened.figures()["isLoaded"]:
                break
            opened.tab.wait_for_timeout(25)
        assert opened.state()["picture"] == "own"
        assert view == "shift" or "Picture, 128×256, colour" in opened.text(".ft-view")
        assert "mine.png" in opened.figures().get("python", "mine.png")


def test_a_model_is_seen(open_view: Callable[..., Any], model: Path) -> None:
    """Model and Field open with it, from disk."""
    data, states = prepared(model)
    opened = open_view("model", states["model"], data=data["model"])
    assert opened.figures()["totals"]["params"] == 323
    opened = open_view("field", states["field"], data=data["field"])
    assert "12×12" in opened.text(".ft-view")


def test_a_model_is_asked_about(served_view: Callable[..., Any], model: Path) -> None:
    """Network, Field and Model of a served page ask about it."""
    uploads = Uploads()
    data, states = prepared(model, None, uploads)
    given = {"data": data, "states": states, "uploads": uploads}
    opened = served_view("model", **given)
    opened.tab.get_by_role("button", name="Verify by brute force").click()
    opened.tab.get_by_role("heading", name="Counted again, by brute force").wait_for()


def test_pictures_of_every_depth(tmp_path: Path) -> None:
    grey = np.arange(256, dtype=np.uint8).reshape(16, 16)
    write_image(tmp_path / "a.png", grey)
    assert (read_picture(tmp_path / "a.png") == grey).all()
    write_image(tmp_path / "b.png", grey.astype(np.uint16) * 257)
    assert (read_picture(tmp_path / "b.png") == grey).all()
    reals = (grey / np.float32(10) - 3).astype(np.float32)
    reals[0, 0] = np.nan
    write_image(tmp_path / "c.tif", reals)
    read = read_picture(tmp_path / "c.tif")
    assert (read.min(), read.max(), read.dtype) == (0, 255, np.uint8)


def test_pictures_that_are_too_large(tmp_path: Path) -> None:
    side = int(MOST_PIXELS**0.5)
    write_image(tmp_path / "a.png", np.zeros((side, side), np.uint8))
    assert read_picture(tmp_path / "a.png").shape == (side, side)
    write_image(tmp_path / "b.png", np.zeros((side, side + 1), np.uint8))
    with pytest.raises(FileFormatError, match="claims more than 16,777,216 pixels"):
        read_picture(tmp_path / "b.png")


@pytest.mark.parametrize(
    ("shape", "longest", "wanted"),
    [((40, 20), 10, (10, 5)), ((1, 999, 3), 100, (1, 100, 3)), ((5, 5), 5, (5, 5))],
)
def test_pictures_are_made_to_fit(
    shape: tuple[int, ...], longest: int, wanted: tuple[int, ...]
) -> None:
    assert fitted(np.full(shape, 7, np.uint8), longest).shape == wanted
    assert (fitted(np.full(shape, 7, np.uint8), longest) == 7).all()
