"""Damage to files, and 16-bit PNGs written from the specification without the reader's help."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

SEVENTH = [  # the specification's picture of the seven passes
    [1, 6, 4, 6, 2, 6, 4, 6],
    [7, 7, 7, 7, 7, 7, 7, 7],
    [5, 6, 5, 6, 5, 6, 5, 6],
    [7, 7, 7, 7, 7, 7, 7, 7],
    [3, 6, 4, 6, 3, 6, 4, 6],
    [7, 7, 7, 7, 7, 7, 7, 7],
    [5, 6, 5, 6, 5, 6, 5, 6],
    [7, 7, 7, 7, 7, 7, 7, 7],
]


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def paeth(a: int, b: int, c: int) -> int:
    guess = a + b - c
    return min((abs(guess - a), 0, a), (abs(guess - b), 1, b), (abs(guess - c), 2, c))[2]


def filtered(rows: list[bytes], size: int, kinds: list[int]) -> bytes:
    """Each row by its filter, byte by byte, as section 9.2 says it."""
    out, above = bytearray(), bytes(len(rows[0]))
    for row, kind in zip(rows, kinds, strict=True):
        out.append(kind)
        for i, value in enumerate(row):
            a = row[i - size] if i >= size else 0
            b, c = above[i], above[i - size] if i >= size else 0
            out.append((value - (0, a, b, (a + b) // 2, paeth(a, b, c))[kind]) % 256)
        above = row
    return bytes(out)


def passes(samples: NDArray[np.uint16]) -> list[NDArray[np.uint16]]:
    """The pixels of each pass, picked one by one from the picture."""
    height, width, _ = samples.shape
    found = []
    for number in range(1, 8):
        rows = [
            [samples[y, x] for x in range(width) if SEVENTH[y % 8][x % 8] == number]
            for y in range(height)
        ]
        found.append([row for row in rows if row])
    return [np.array(rows, np.uint16) for rows in found if rows]


def png_of(
    samples: NDArray[np.uint16],
    *,
    kinds: int | None = None,
    interlaced: bool = False,
    extra: tuple[tuple[bytes, bytes], ...] = (),
) -> bytes:
    """A PNG of (H, W, channels): filters 0 to 4 in turn, or one alone."""
    height, width, channels = samples.shape
    colour = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    raw = b""
    for part in passes(samples) if interlaced else [samples]:
        rows = [row.astype(">u2").tobytes() for row in part]
        used = [i % 5 if kinds is None else kinds for i in range(len(rows))]
        raw += filtered(rows, 2 * channels, used)
    header = struct.pack(">IIBBBBB", width, height, 16, colour, 0, 0, int(interlaced))
    parts = ((b"IHDR", header), *extra, (b"IDAT", zlib.compress(raw)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


@pytest.fixture
def write_png16() -> Callable[..., bytes]:
    return png_of


@pytest.fixture
def deep() -> Callable[..., NDArray[np.uint16]]:
    """Random 16-bit samples (H, W, channels), smooth enough for every filter to differ."""

    def draw(height: int, width: int, channels: int, seed: int = 0) -> NDArray[np.uint16]:
        steps = np.random.default_rng(seed).integers(-900, 900, (height, width, channels))
        return (steps.cumsum(0).cumsum(1) % 65536).astype(np.uint16)

    return draw
