"""PNG with 16 bits a sample and colour or alpha, which Pillow reads as 8 bits.

Source: W3C, *Portable Network Graphics (PNG) Specification (Third Edition)*, sections 5 (chunks),
8 (interlacing), 9 (filtering).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

SIGNATURE = b"\x89PNG\r\n\x1a\n"
CHANNELS = {0: 1, 2: 3, 4: 2, 6: 4}
# Adam7: first row and column of each pass, and the steps between its rows and columns.
PASSES = (
    (0, 0, 8, 8),
    (0, 4, 8, 8),
    (4, 0, 8, 4),
    (0, 2, 4, 4),
    (2, 0, 4, 2),
    (0, 1, 2, 2),
    (1, 0, 2, 1),
)


@dataclass(frozen=True)
class Header:
    """What the first chunk says."""

    width: int
    height: int
    bits: int
    colour: int
    interlaced: bool

    @property
    def is_deep_colour(self) -> bool:
        """Whether Pillow would lose bits of it."""
        return self.bits == 16 and self.colour in (2, 4, 6)


@dataclass(frozen=True)
class Png:
    """Samples (H, W, channels) as uint16, and the chunks that say how to show them."""

    samples: NDArray[np.uint16]
    key: tuple[int, ...] | None
    exif: bytes


def header_of(data: bytes) -> Header | None:
    """The header, or None where these are not the bytes of a PNG."""
    if data[:8] != SIGNATURE or data[12:16] != b"IHDR" or len(data) < 33:
        return None
    width, height, bits, colour, _, _, interlace = struct.unpack_from(">IIBBBBB", data, 16)
    return Header(width, height, bits, colour, interlace == 1)


def decode(data: bytes) -> Png:
    """Read a PNG of 16 bits; `ValueError` or `zlib.error` where it is broken.

    The caller has held width and height against its limit: they say how much memory is taken.
    """
    header = header_of(data)
    if header is None or header.bits != 16 or header.colour not in CHANNELS:
        raise ValueError("no PNG of 16 bits")
    found: dict[bytes, list[bytes]] = {}
    for kind, body in chunks(data):
        found.setdefault(kind, []).append(body)
    key = found.get(b"tRNS", [b""])[0]
    numbers = struct.unpack(f">{len(key) // 2}H", key) if len(key) in (2, 6) else None
    samples = samples_of(header, b"".join(found.get(b"IDAT", [])))
    return Png(samples, numbers, found.get(b"eXIf", [b""])[0])


def chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Every chunk up to the end chunk, its checksum checked."""
    at = len(SIGNATURE)
    while at + 12 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        body, rest = data[at + 8 : at + 8 + length], data[at + 8 + length : at + 12 + length]
        if len(rest) < 4:
            break
        if zlib.crc32(kind + body) != int.from_bytes(rest, "big"):
            raise ValueError(f"a wrong checksum in its {kind!r} chunk")
        yield kind, body
        if kind == b"IEND":
            return
        at += 12 + length
    raise ValueError("the file ends before its end chunk")


def samples_of(header: Header, packed: bytes) -> NDArray[np.uint16]:
    """Unpack, undo the filters pass by pass, and put the passes together."""
    channels = CHANNELS[header.colour]
    image = np.zeros((header.height, header.width, channels), np.uint16)
    parts = [image]
    if header.interlaced:
        parts = [image[y0::dy, x0::dx] for y0, x0, dy, dx in PASSES]
        parts = [part for part in parts if part.size]
    lengths = [len(part) * (1 + part.shape[1] * channels * 2) for part in parts]
    raw = unpacked(packed, sum(lengths))
    for part, end, length in zip(parts, np.cumsum(lengths).tolist(), lengths, strict=True):
        lines = np.frombuffer(raw[end - length : end], np.uint8).reshape(len(part), -1)
        pixels = lines[:, 1:].reshape(*part.shape[:2], 2 * channels)
        part[...] = unfiltered(pixels, lines[:, 0]).view(">u2")
    return image


def unpacked(packed: bytes, length: int) -> bytes:
    """So many bytes and no more, however far the stream would expand."""
    stream = zlib.decompressobj()
    raw = stream.decompress(packed, length + 1)
    if len(raw) != length or not stream.eof:
        raise ValueError(f"{length} bytes of pixels were promised")
    return raw


def unfiltered(pixels: NDArray[np.uint8], kinds: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Add to each byte what its row's filter predicts of its neighbours left, up and up left.

    A pixel needs the three before it, so whole diagonals are done at once, from the upper left.
    """
    if kinds.max(initial=0) > 4:
        raise ValueError(f"filter {kinds.max()}")
    height, width, size = pixels.shape
    # One row and one column of zeros before the image; flat, a diagonal is a slice.
    out = np.zeros(((height + 1) * (width + 1), size), np.int16)
    source = pixels.reshape(-1, size)
    for diagonal in range(height + width - 1):
        first, last = max(0, diagonal - width + 1), min(height - 1, diagonal)
        rows = slice(first, last + 1)
        count, start = last - first + 1, first * (width + 1) + diagonal - first
        left, up, corner = (
            out[at : at + (count - 1) * width + 1 : width]
            for at in (start + width + 1, start + 1, start)
        )
        begin, step = first * width + diagonal - first, max(width - 1, 1)
        values = source[begin : begin + (count - 1) * step + 1 : step]
        here = start + width + 2
        out[here : here + (count - 1) * width + 1 : width] = (
            values + predicted(kinds[rows, None], left, up, corner)
        ) & 0xFF
    kept = out.reshape(height + 1, width + 1, size)[1:, 1:]
    return np.ascontiguousarray(kept.astype(np.uint8))


def predicted(
    kinds: NDArray[np.uint8], left: NDArray[Any], up: NDArray[Any], corner: NDArray[Any]
) -> NDArray[np.int16]:
    """Filter 1 predicts the left byte, 2 the upper one, 3 their mean, 4 the nearest of Paeth's."""
    guess = left + up - corner
    a, b, c = abs(guess - left), abs(guess - up), abs(guess - corner)
    paeth = np.where((a <= b) & (a <= c), left, np.where(b <= c, up, corner))
    choices = [np.zeros_like(left), left, up, (left + up) >> 1, paeth]
    return np.choose(kinds, choices)


def encode(samples: NDArray[np.uint16]) -> bytes:
    """(H, W, 3) as the bytes of a PNG: not interlaced, every row less its left neighbour."""
    height, width, channels = samples.shape
    lines = samples.astype(">u2").view(np.uint8).reshape(height, -1)
    lines[:, 2 * channels :] -= lines[:, : -2 * channels].copy()
    filtered = np.insert(lines, 0, 1, axis=1)
    colour = {count: code for code, count in CHANNELS.items()}[channels]
    header = struct.pack(">IIBBBBB", width, height, 16, colour, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(filtered.tobytes())), (b"IEND", b""))
    return SIGNATURE + b"".join(_chunk(kind, body) for kind, body in parts)


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + zlib.crc32(kind + body).to_bytes(4, "big")
