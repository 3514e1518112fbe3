"""Small files that claim to be large, handed to the page: each is one line, in time and memory."""

from __future__ import annotations

import io
import struct
import time
import zipfile
import zlib
from typing import Any

import numpy as np
import onnx
import pytest
from PIL import Image

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")

HUGE = 100_000


def png(width: int, height: int) -> bytes:
    """A grey PNG whose data unpack to all the zeros that its header claims, up to 64 MiB."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", check)

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    zeros = zlib.compress(bytes(min(2**26, (width + 1) * height)), 9)
    start = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header)
    return start + chunk(b"IDAT", zeros) + chunk(b"IEND", b"")


def png_text() -> bytes:
    """A PNG of one pixel with a compressed text that unpacks to 64 MiB."""
    small = png(1, 1)
    data = b"k\0\0" + zlib.compress(bytes(2**26), 9)
    text = struct.pack(">I", len(data)) + b"zTXt" + data
    return small[:33] + text + struct.pack(">I", zlib.crc32(b"zTXt" + data)) + small[33:]


def gif() -> bytes:
    return b"GIF89a" + struct.pack("<HHBBB", 65535, 65535, 0, 0, 0) + b"," + struct.pack(
        "<HHHHB", 0, 0, 65535, 65535, 0
    ) + b"\x02\x02\x4c\x01\x00;"  # fmt: skip


def bmp() -> bytes:
    size = struct.pack("<IiiHHIIiiII", 40, HUGE, HUGE, 1, 24, 0, 0, 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 54, 0, 0, 54) + size


def tiff() -> bytes:
    tags = [(256, HUGE), (257, HUGE), (258, 8), (259, 1), (262, 1), (273, 8), (278, HUGE), (279, 9)]
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + struct.pack("<I", 0)


def jpeg() -> bytes:
    content = io.BytesIO()
    Image.new("L", (8, 8)).save(content, "JPEG")
    data = bytearray(content.getvalue())
    at = data.index(b"\xff\xc0") + 5
    data[at : at + 4] = struct.pack(">HH", 65535, 65535)
    return bytes(data)


def npz(claimed: tuple[int, ...], data: bytes) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        head = io.BytesIO()
        header = {"descr": "<f8", "fortran_order": False, "shape": claimed}
        np.lib.format.write_array_header_1_0(head, header)
        archive.writestr("x.npy", head.getvalue() + data)
    return content.getvalue()


def model(dims: list[int], raw: bytes = b"", location: str = "") -> bytes:
    """An ONNX model whose weights claim to be large, or to lie elsewhere."""
    weights = onnx.TensorProto(data_type=1, dims=dims, name="w", raw_data=raw)
    if location:
        weights.ClearField("raw_data")
        weights.data_location = onnx.TensorProto.EXTERNAL
        weights.external_data.add(key="location", value=location)
    x = onnx.helper.make_tensor_value_info("x", 1, [1, 3, 8, 8])
    y = onnx.helper.make_tensor_value_info("y", 1, ["n", "c", "h", "w"])
    node = onnx.helper.make_node("Conv", ["x", "w"], ["y"])
    graph = onnx.helper.make_graph([node], "g", [x], [y], [weights])
    made = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)])
    return bytes(made.SerializeToString())


def filled(dims: list[int]) -> bytes:
    """A model that fills a huge tensor by an operator."""
    shape = onnx.helper.make_tensor("s", 7, [len(dims)], dims)
    nodes = [
        onnx.helper.make_node("ConstantOfShape", ["s"], ["w"]),
        onnx.helper.make_node("Conv", ["x", "w"], ["y"]),
    ]
    x = onnx.helper.make_tensor_value_info("x", 1, [1, 3, 8, 8])
    y = onnx.helper.make_tensor_value_info("y", 1, ["n", "c", "h", "w"])
    graph = onnx.helper.make_graph(nodes, "g", [x], [y], [shape])
    made = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)])
    return bytes(made.SerializeToString())


BOMBS = {
    "png.png": lambda: png(HUGE, HUGE),
    "png-that-is-large.png": lambda: png(8000, 8000),
    "text.png": png_text,
    "gif.gif": gif,
    "bmp.bmp": bmp,
    "tiff.tif": tiff,
    "jpeg.jpg": jpeg,
    "zeros.npz": lambda: npz((2**27,), bytes(2**28)),
    "claims.npz": lambda: npz((2**40,), b""),
    "overflows.npz": lambda: npz((2**32, 2**32, 2**32), b""),
    "no-zip.npz": lambda: b"PK\x03\x04" + bytes(100),
    "claims.onnx": lambda: model([2**20, 3, 1024, 1024]),
    "overflows.onnx": lambda: model([2**31, 2**31, 2**31, 2**31], b"1234"),
    "negative.onnx": lambda: model([-1, 3, 3, 3], b"1234"),
    "elsewhere.onnx": lambda: model([1, 3, 3, 3], location="../../../../etc/passwd"),
    "absolute.onnx": lambda: model([1, 3, 3, 3], location="/etc/passwd"),
    "endless.onnx": lambda: model([1, 3, 3, 3], location="/dev/zero"),
    "filled.onnx": lambda: filled([2**12, 3, 2**12, 2**12]),
    "no-model.onnx": lambda: bytes(10_000),
    "no-picture.png": lambda: b"<svg onload=alert(1)>",
    "empty.png": lambda: b"",
}


@pytest.mark.parametrize("name", BOMBS)
def test_bombs(page: Any, name: str) -> None:
    """One line that tells of the file by its own name, in seconds; and the page goes on."""
    data = BOMBS[name]()
    assert len(data) < 2**20
    status, got = page.upload(data, name)
    assert status == 200
    start = time.monotonic()
    status, answer = page.ask("test.read", {"file": got["name"]})
    assert time.monotonic() - start < 20
    assert page.is_well()
    assert status == 400
    assert "\n" not in answer["error"]
    assert "Traceback" not in answer["error"]
    assert "it failed" not in answer["error"]
    assert got["name"] not in answer["error"]
    assert "/tmp" not in answer["error"]
    assert answer["error"].startswith((name, "test.read: "))


def test_what_is_fine(page: Any) -> None:
    """None of it is refused for its kind."""
    _, got = page.upload(png(30, 20), "fine.png")
    assert page.ask("test.read", {"file": got["name"]}) == (200, [20, 30])
    _, got = page.upload(npz((4,), bytes(32)), "fine.npz")
    assert page.ask("test.read", {"file": got["name"]}) == (200, ["x"])
    _, got = page.upload(model([2, 3, 3, 3], bytes(4 * 54)), "fine.onnx")
    assert page.ask("test.read", {"file": got["name"]}) == (200, 54)
