from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from faltung.errors import FileFormatError, StorageError
from faltung.files import image as module
from faltung.files.image import read_image, write_image

GREY = np.arange(20, dtype=np.uint8).reshape(4, 5) * 12
COLOUR = np.arange(60, dtype=np.uint8).reshape(4, 5, 3) * 4
DEEP = np.arange(20, dtype=np.uint16).reshape(4, 5) * 3400
LOSSLESS = [".png", ".bmp", ".tif", ".tiff"]


@pytest.mark.parametrize("suffix", LOSSLESS)
@pytest.mark.parametrize("pixels", [GREY, COLOUR], ids=["grey", "colour"])
def test_eight_bits_come_back(tmp_path: Path, suffix: str, pixels: np.ndarray) -> None:
    write_image(tmp_path / f"a{suffix}", pixels)
    found = read_image(tmp_path / f"a{suffix}")
    assert found.dtype == np.uint8
    assert (found == pixels).all()


@pytest.mark.parametrize("suffix", [".png", ".tif", ".PNG"])
def test_sixteen_bit_greys_come_back(tmp_path: Path, suffix: str) -> None:
    write_image(tmp_path / f"a{suffix}", DEEP)
    found = read_image(tmp_path / f"a{suffix}")
    assert found.dtype == np.uint16
    assert (found == DEEP).all()


def test_floats_come_back_in_tiff(tmp_path: Path) -> None:
    values = np.array([[0.25, -1e9]], np.float32)
    write_image(tmp_path / "a.tif", values)
    found = read_image(tmp_path / "a.tif")
    assert found.dtype == np.float32
    assert (found == values).all()


def test_thirty_two_bit_integers_of_tiff(tmp_path: Path) -> None:
    values = np.array([[-5, 2**30]], np.int32)
    Image.fromarray(values).save(tmp_path / "a.tif")
    assert read_image(tmp_path / "a.tif").tolist() == values.tolist()


def test_jpeg_is_near(tmp_path: Path) -> None:
    smooth = np.add.outer(np.arange(16), np.arange(16)).astype(np.uint8) * 8
    write_image(tmp_path / "a.jpg", np.stack([smooth, smooth // 2, 255 - smooth], -1))
    found = read_image(tmp_path / "a.jpg")
    assert found.shape == (16, 16, 3)
    assert np.abs(found[..., 0].astype(int) - smooth).max() <= 4


def test_reading_gives_an_array_of_ones_own(tmp_path: Path) -> None:
    write_image(tmp_path / "a.png", GREY)
    read_image(tmp_path / "a.png")[0, 0] = 1


@pytest.mark.parametrize(("values", "shade"), [([0, 1], 255), ([1, 0], 255)])
def test_one_bit(tmp_path: Path, values: list[int], shade: int) -> None:
    Image.fromarray(np.array([values], bool)).save(tmp_path / "a.png")
    assert read_image(tmp_path / "a.png").tolist() == [[v * shade for v in values]]


@pytest.mark.parametrize("bits", [2, 4])
def test_few_greys_are_spread(tmp_path: Path, bits: int) -> None:
    # Written by hand: Pillow writes no grey PNG of 2 or 4 bits.
    most = 2**bits - 1
    header = struct.pack(">IIBBBBB", 2, 1, bits, 0, 0, 0, 0)
    row = bytes([0, (most << (8 - bits)) & 0xFF])
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(row)), (b"IEND", b""))
    data = b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in parts
    )
    (tmp_path / "a.png").write_bytes(data)
    assert read_image(tmp_path / "a.png").tolist() == [[255, 0]]


def test_palettes(tmp_path: Path) -> None:
    palette = Image.fromarray(GREY % 2).convert("P")
    palette.putpalette([7, 7, 7, 90, 90, 90])
    palette.save(tmp_path / "grey.png")
    assert (read_image(tmp_path / "grey.png") == np.array([7, 90])[GREY % 2]).all()
    palette.putpalette([7, 8, 9, 90, 91, 92])
    palette.save(tmp_path / "colour.gif")
    found = read_image(tmp_path / "colour.gif")
    assert (found == np.array([[7, 8, 9], [90, 91, 92]])[GREY % 2]).all()


def test_cmyk(tmp_path: Path) -> None:
    Image.new("CMYK", (3, 2), (0, 255, 255, 0)).save(tmp_path / "a.jpg", quality=100)
    found = read_image(tmp_path / "a.jpg")
    assert found.shape == (2, 3, 3)
    assert (np.abs(found.astype(int) - [255, 0, 0]) <= 4).all()


def test_transparency_lies_on_white(tmp_path: Path) -> None:
    pixels = np.array([[[10, 20, 30, 255], [10, 20, 30, 0]]], np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    assert read_image(tmp_path / "a.png").tolist() == [[[10, 20, 30], [255] * 3]]


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif"])
def test_orientation_is_applied(tmp_path: Path, suffix: str) -> None:
    pixels = np.kron(np.array([[0, 255], [255, 255]], np.uint8), np.ones((8, 16), np.uint8))
    exif = Image.Exif()
    exif[0x0112] = 6  # the viewer turns it by 90 degrees clockwise
    Image.fromarray(pixels).save(tmp_path / f"a.{suffix}", exif=exif)
    found = read_image(tmp_path / f"a.{suffix}")
    assert ((found > 127) == (np.rot90(pixels, -1) > 127)).all()


def test_of_an_animation_the_first_frame(tmp_path: Path) -> None:
    frames = [Image.fromarray(np.full((2, 2), shade, np.uint8)) for shade in (9, 200)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    assert (read_image(tmp_path / "a.gif") == 9).all()


def bomb(width: int, height: int) -> bytes:
    """A PNG of a few bytes that claims to be huge."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    pixels = b"\0\0\0\x05IDAT" + bytes(20)
    return b"\x89PNG\r\n\x1a\n\0\0\0\x0d" + header + struct.pack(">I", zlib.crc32(header)) + pixels


@pytest.mark.parametrize(
    ("size", "text"),
    [
        ((20_000, 6_000), r"claims more than 100,000,000 pixels, got size=20000x6000\. Scale"),
        ((2**31 - 1, 2**31 - 1), "cannot be read, got error=DecompressionBombError"),
    ],
)
def test_a_decompression_bomb_is_refused(tmp_path: Path, size, text: str) -> None:
    (tmp_path / "bomb.png").write_bytes(bomb(*size))
    with pytest.raises(FileFormatError, match=rf"bomb\.png: {text}"):
        read_image(tmp_path / "bomb.png")


def test_the_limit_can_be_given(tmp_path: Path) -> None:
    write_image(tmp_path / "a.png", GREY)
    assert read_image(tmp_path / "a.png", max_pixels=20).shape == (4, 5)
    with pytest.raises(FileFormatError, match="claims more than 19 pixels"):
        read_image(tmp_path / "a.png", max_pixels=19)


def test_no_pixel(tmp_path: Path) -> None:
    with pytest.raises(FileFormatError, match=r"a\.png: holds no pixel, got size=0x3"):
        module.check_size(Path("a.png"), (0, 3), 100)


def test_deep_colour_of_a_tiff_is_refused(tmp_path: Path) -> None:
    # Made from an 8-bit one by its tags: BitsPerSample 16, and as many bytes again.
    content = io.BytesIO()
    Image.fromarray(np.zeros((1, 2, 3), np.uint8)).save(content, "TIFF")
    data = content.getvalue().replace(struct.pack("<3H", 8, 8, 8), struct.pack("<3H", 16, 16, 16))
    assert data != content.getvalue()
    (tmp_path / "a.tif").write_bytes(data)
    with pytest.raises(FileFormatError, match=r"a\.tif: cannot be read"):
        read_image(tmp_path / "a.tif")


@pytest.mark.parametrize("keep", [0, 1, 7, 40, -20])
def test_truncated_files_are_named(tmp_path: Path, keep: int) -> None:
    write_image(tmp_path / "a.png", COLOUR)
    data = (tmp_path / "a.png").read_bytes()
    (tmp_path / "a.png").write_bytes(data[:keep])
    with pytest.raises(FileFormatError, match=r"a\.png: cannot be read, got error=") as caught:
        read_image(tmp_path / "a.png")
    assert "\n" not in str(caught.value)


def test_what_is_no_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"none\.png: there is no such file\. Name a file"):
        read_image(tmp_path / "none.png")
    with pytest.raises(StorageError, match="cannot be read, it is a folder"):
        read_image(tmp_path)
    with pytest.raises(StorageError, match="cannot be read, it is no plain file"):
        read_image("/dev/null")


def test_formats_can_be_left_out(tmp_path: Path) -> None:
    write_image(tmp_path / "a.tif", GREY)
    with pytest.raises(FileFormatError, match="Replace it by a PNG or JPEG"):
        read_image(tmp_path / "a.tif", formats=("PNG", "JPEG"))


@pytest.mark.parametrize(
    ("name", "pixels", "text"),
    [
        ("a.xyz", GREY, r"its suffix names no image format, got suffix='\.xyz'\. Use one of \.png"),
        ("a.png", GREY[0], "an image has the shape"),
        ("a.png", GREY[:0], "an image has the shape"),
        ("a.png", COLOUR[..., :2], "an image has the shape"),
        ("a.png", GREY.astype(float), "PNG holds uint8 or uint16 here, got shape=.4, 5., dtype=fl"),
        ("a.jpg", DEEP, r"JPEG holds uint8 here, got .*uint16\. Round with faltung\.files\.depth"),
        ("a.tif", COLOUR.astype(np.uint16), "TIFF holds uint8 here"),
    ],
)
def test_what_cannot_be_written_is_said(tmp_path: Path, name: str, pixels, text: str) -> None:
    with pytest.raises(FileFormatError, match=text):
        write_image(tmp_path / name, pixels)
    assert list(tmp_path.iterdir()) == []


def test_writing_is_whole_or_not_at_all(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="its folder does not exist"):
        write_image(tmp_path / "none" / "a.png", GREY)


def test_a_file_that_may_not_be_read_is_named(tmp_path: Path, monkeypatch) -> None:
    write_image(tmp_path / "a.png", GREY)

    def refuse(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(StorageError, match=r"a\.png: cannot be read, Permission denied\. Name a"):
        read_image(tmp_path / "a.png")
