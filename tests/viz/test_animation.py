"""Animations: frames of one size, as a GIF or as one SVG file each."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageSequence

from faltung.errors import PictureError, StorageError
from faltung.graph import layers as L
from faltung.viz import animation, field, slide

IMAGE = np.arange(12).reshape(3, 4)
KERNEL = [[1, 0], [0, -1]]


def test_a_gif_has_a_frame_for_each_position(tmp_path: Path) -> None:
    (path,) = animation.save(slide.frames(IMAGE, KERNEL), tmp_path / "slide.gif", seconds=0.5)
    with Image.open(path) as gif:
        frames = [frame.copy().convert("RGB") for frame in ImageSequence.Iterator(gif)]
        durations = []
        for number in range(gif.n_frames):  # type: ignore[attr-defined]
            gif.seek(number)
            durations.append(gif.info["duration"])
        assert gif.info["loop"] == 0
    assert len(frames) == 2 * 3
    assert durations == [500] * 5 + [1500]
    assert len({frame.tobytes() for frame in frames}) == 6
    assert [each.name for each in tmp_path.iterdir()] == ["slide.gif"]


def test_colours_of_a_gif_are_those_of_the_figures(tmp_path: Path) -> None:
    """Those that areas have, exactly."""
    net = L.build(L.Chain(L.Conv(1, 3), L.Conv(1, 3)), (1, 7, 7))
    (path,) = animation.save(field.frames(net), tmp_path / "field.gif")
    with Image.open(path) as gif:
        gif.seek(1)
        colours = {colour for _, colour in gif.convert("RGB").getcolors(1 << 24) or []}
    blue, orange, green, paper = "#0072b2", "#e69f00", "#009e73", "#fefefe"
    wanted = {tuple(bytes.fromhex(colour[1:])) for colour in (blue, orange, green, paper)}
    assert wanted <= colours


def test_svg_frames_are_numbered(tmp_path: Path) -> None:
    written = animation.save(slide.frames(IMAGE, KERNEL, stride=2), tmp_path / "slide.svg")
    assert [path.name for path in written] == ["slide-001.svg", "slide-002.svg"]
    assert all(path.read_bytes().startswith(b"<?xml") for path in written)


def test_the_same_frames_are_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.gif", "b.gif"):
        animation.save(slide.frames(IMAGE, KERNEL, stride=2), tmp_path / name)
    assert (tmp_path / "a.gif").read_bytes() == (tmp_path / "b.gif").read_bytes()


@pytest.mark.parametrize("name", ["a.png", "a"])
def test_other_suffixes_are_refused(name: str, tmp_path: Path) -> None:
    rule = r"an animation's suffix must be \.gif, or \.svg for one file a frame, got suffix="
    with pytest.raises(PictureError, match=rule):
        animation.save([], tmp_path / name)


@pytest.mark.parametrize("kind", animation.FORMATS)
def test_nothing_to_animate_is_an_error(kind: str, tmp_path: Path) -> None:
    with pytest.raises(PictureError, match="an animation must have a frame"):
        animation.save([], tmp_path / f"a.{kind}")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="its folder does not exist"):
        animation.save(slide.frames(IMAGE, KERNEL, stride=2), tmp_path / "none" / "a.gif")
