"""Whatever happens to its bytes, a file gives an array or one line; nothing else, and no memory."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from faltung.errors import FileFormatError
from faltung.files.array import read_array
from faltung.files.image import read_image, write_image
from faltung.files.sound import Sound, read_sound, write_sound

# One folder for all examples on purpose: each overwrites the one file it damages.
reuse = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=120)
KINDS = ("cut", "flip", "insert", "repeat", "zero", "huge")
damages = st.lists(
    st.tuples(st.sampled_from(KINDS), st.integers(0, 700), st.integers(1, 255)),
    min_size=1,
    max_size=3,
)


def damaged(content: bytes, steps: list[tuple[str, int, int]]) -> bytes:
    """Cut off, flip, insert, repeat, blank, or put a huge number somewhere."""
    for kind, place, value in steps:
        place = min(place, len(content))
        head, tail = content[:place], content[place:]
        content = (
            head
            + {
                "cut": b"",
                "flip": bytes(byte ^ value for byte in tail[:1]) + tail[1:],
                "insert": bytes([value]) + tail,
                "repeat": tail[:value] + tail,
                "zero": bytes(len(tail[:value])) + tail[value:],
                "huge": struct.pack("<I", 2**32 - value) + tail[4:],
            }[kind]
        )
    return content


def outcome(read: Callable[[Path], object], path: Path, content: bytes) -> str:
    path.write_bytes(content)
    try:
        found = read(path)
    except FileFormatError as error:
        text = str(error)
        return "refused" if text.startswith(str(path)) and "\n" not in text else text
    assert isinstance(found, (np.ndarray, Sound))
    return "read"


def image_bytes(suffix: str, pixels: np.ndarray) -> bytes:
    content = io.BytesIO()
    options = {"gif": {}, "tif": {"compression": "tiff_lzw"}}.get(suffix, {})
    name = {"jpg": "JPEG", "tif": "TIFF"}.get(suffix, suffix.upper())
    Image.fromarray(pixels).save(content, name, **options)
    return content.getvalue()


PIXELS = (np.arange(192).reshape(8, 8, 3) * 37 % 256).astype(np.uint8)


@reuse
@given(steps=damages, suffix=st.sampled_from(["png", "jpg", "bmp", "gif", "tif"]))
def test_images(tmp_path: Path, steps, suffix: str) -> None:
    content = image_bytes(suffix, PIXELS)
    assert outcome(read_image, tmp_path / f"a.{suffix}", damaged(content, steps)) in (
        "read",
        "refused",
    )


@reuse
@given(steps=damages)
def test_deep_colour(tmp_path: Path, steps) -> None:
    path = tmp_path / "a.png"
    write_image(path, PIXELS.astype(np.uint16) * 257)
    assert outcome(read_image, path, damaged(path.read_bytes(), steps)) in ("read", "refused")


@reuse
@given(steps=damages, bits=st.sampled_from([8, 16, 24]))
def test_sound(tmp_path: Path, steps, bits: int) -> None:
    path = tmp_path / "a.wav"
    samples = np.arange(-60, 60).reshape(-1, 2)
    write_sound(path, Sound(samples, 8000, bits))
    assert outcome(read_sound, path, damaged(path.read_bytes(), steps)) in ("read", "refused")


@reuse
@given(steps=damages)
def test_arrays(tmp_path: Path, steps) -> None:
    path = tmp_path / "a.npy"
    np.save(path, np.arange(40.0).reshape(5, 8))
    assert outcome(read_array, path, damaged(path.read_bytes(), steps)) in ("read", "refused")


@reuse
@given(
    shape=st.lists(st.integers(-1, 10**12), max_size=4).map(tuple),
    descr=st.sampled_from(["<f8", "|u1", "<c16", "|O", "<U9", "|V7", "nonsense", [("a", "<f4")]]),
    held=st.integers(0, 64),
)
def test_any_header_of_an_array(tmp_path: Path, shape, descr, held: int) -> None:
    text = repr({"descr": descr, "fortran_order": False, "shape": shape}).encode()
    body = text + b" " * (-(len(text) + 11) % 64) + b"\n"
    content = b"\x93NUMPY\1\0" + struct.pack("<H", len(body)) + body + bytes(held)
    assert outcome(read_array, tmp_path / "a.npy", content) in ("read", "refused")


@pytest.mark.parametrize(
    ("read", "name"), [(read_sound, "a.wav"), (read_array, "a.npy"), (read_image, "a.png")]
)
def test_every_truncation(tmp_path: Path, read, name: str) -> None:
    path = tmp_path / name
    if name == "a.wav":
        write_sound(path, Sound(np.arange(8).reshape(-1, 1), 8000, 16))
    elif name == "a.npy":
        np.save(path, np.arange(4.0))
    else:
        write_image(path, PIXELS.astype(np.uint16))
    content = path.read_bytes()
    assert outcome(read, path, content) == "read"
    kept = [n for n in range(len(content)) if outcome(read, path, content[:n]) == "read"]
    assert kept == []


@pytest.mark.parametrize("kind", KINDS)
def test_damage_damages(kind: str) -> None:
    content = bytes(range(5, 25))
    assert damaged(content, [(kind, 4, 3)]) != content
