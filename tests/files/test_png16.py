from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from faltung.errors import FileFormatError
from faltung.files import png16
from faltung.files.image import read_image, write_image

Deep = Callable[..., np.ndarray]
Write = Callable[..., bytes]


@pytest.mark.parametrize("channels", [2, 3, 4])
@pytest.mark.parametrize("kinds", [None, 0, 1, 2, 3, 4])
@pytest.mark.parametrize("size", [(1, 1), (1, 7), (6, 1), (9, 5), (4, 11)])
def test_every_filter(deep: Deep, write_png16: Write, channels, kinds, size) -> None:
    samples = deep(*size, channels)
    found = png16.decode(write_png16(samples, kinds=kinds))
    assert (found.samples == samples).all()
    assert (found.key, found.exif) == (None, b"")


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (5, 4), (8, 8), (13, 17)])
def test_interlaced(deep: Deep, write_png16: Write, size) -> None:
    samples = deep(*size, 3)
    assert (png16.decode(write_png16(samples, interlaced=True)).samples == samples).all()


def test_colour_keeps_its_sixteen_bits_both_ways(deep: Deep, tmp_path: Path) -> None:
    samples = deep(6, 7, 3)
    write_image(tmp_path / "a.png", samples)
    assert (read_image(tmp_path / "a.png") == samples).all()
    # Pillow reads the same file, at 8 bits: what it shows agrees.
    with Image.open(tmp_path / "a.png") as image:
        assert (np.asarray(image) == samples >> 8).all()


def test_alpha_lies_on_white(tmp_path: Path, write_png16: Write) -> None:
    samples = np.array([[[1000, 2000, 3000, 65535], [1, 2, 3, 0], [100, 200, 300, 32768]]])
    (tmp_path / "a.png").write_bytes(write_png16(samples.astype(np.uint16)))
    half = [round((v * 32768 + 65535 * 32767) / 65535) for v in (100, 200, 300)]
    assert read_image(tmp_path / "a.png").tolist() == [[[1000, 2000, 3000], [65535] * 3, half]]


def test_grey_with_alpha_stays_grey(tmp_path: Path, write_png16: Write) -> None:
    samples = np.array([[[1000, 65535], [5, 0]]], np.uint16)
    (tmp_path / "a.png").write_bytes(write_png16(samples))
    assert read_image(tmp_path / "a.png").tolist() == [[1000, 65535]]


def test_a_transparent_colour_is_white(tmp_path: Path, write_png16: Write) -> None:
    samples = np.array([[[1, 2, 3], [1, 2, 4]]], np.uint16)
    extra = ((b"tRNS", struct.pack(">3H", 1, 2, 3)),)
    (tmp_path / "a.png").write_bytes(write_png16(samples, extra=extra))
    assert read_image(tmp_path / "a.png").tolist() == [[[65535] * 3, [1, 2, 4]]]


def test_a_transparent_grey_is_white(tmp_path: Path, write_png16: Write) -> None:
    samples = np.array([[[700], [701]]], np.uint16)
    extra = ((b"tRNS", struct.pack(">H", 700)),)
    (tmp_path / "a.png").write_bytes(write_png16(samples, extra=extra))
    assert read_image(tmp_path / "a.png").tolist() == [[65535, 701]]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied_as_pillow_does(
    tmp_path: Path, deep: Deep, write_png16: Write, orientation: int
) -> None:
    samples = deep(3, 4, 3)
    exif = Image.Exif()
    exif[0x0112] = orientation
    body = exif.tobytes().removeprefix(b"Exif\0\0")
    (tmp_path / "deep.png").write_bytes(write_png16(samples, extra=((b"eXIf", body),)))
    eight = Image.fromarray((samples >> 8).astype(np.uint8))
    eight.save(tmp_path / "eight.png", exif=exif)
    assert (read_image(tmp_path / "deep.png") >> 8 == read_image(tmp_path / "eight.png")).all()


def test_other_pngs_are_not_taken(deep: Deep) -> None:
    assert png16.header_of(b"GIF89a" + bytes(60)) is None
    with pytest.raises(ValueError, match="no PNG of 16 bits"):
        png16.decode(b"GIF89a" + bytes(60))


@pytest.mark.parametrize(
    ("damage", "text"),
    [
        (lambda d: d[:-12], "the file ends before its end chunk"),
        (lambda d: d[:-20], "the file ends before its end chunk"),
        (
            lambda d: d[:-13] + bytes([d[-13] ^ 1]) + d[-12:],
            "a wrong checksum in its b'IDAT' chunk",
        ),
        (lambda d: d[:30], "UnidentifiedImageError"),
    ],
)
def test_broken_files_are_one_line(tmp_path, deep, write_png16, damage, text: str) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(damage(write_png16(deep(5, 5, 3))))
    with pytest.raises(FileFormatError, match=rf"a\.png: cannot be read, got error=.*({text})"):
        read_image(path)


def test_a_stream_may_not_expand_past_its_image(deep: Deep, write_png16: Write) -> None:
    data = write_png16(np.zeros((1, 1, 3), np.uint16))
    start = data.index(b"IDAT") - 4
    head = data[:start]
    for length in (6, 8, 10**7):  # one byte of filter and six of samples were right
        body = zlib.compress(bytes(length))
        tail = struct.pack(">I", len(body)) + b"IDAT" + body
        tail += struct.pack(">I", zlib.crc32(b"IDAT" + body))
        with pytest.raises(ValueError, match="7 bytes of pixels were promised"):
            png16.decode(head + tail + data[-12:])


def test_an_unknown_filter_is_refused() -> None:
    with pytest.raises(ValueError, match="filter 5"):
        png16.unfiltered(np.zeros((1, 1, 6), np.uint8), np.array([5], np.uint8))
