"""WAV: sound as samples, read and written by our own code.

Python's `wave` knows no floats and, before 3.12, no extensible header. Read are PCM of 1 to 32
bits and IEEE floats of 32 and 64 bits, plain or in the extensible header; compressed sound is
refused by its number. Source: Microsoft and IBM, *Multimedia Programming Interface and Data
Specifications 1.0* (1991), chapter 3, and Microsoft, *Multiple channel audio data and WAVE files*
(2007).
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from faltung.atomic import write_bytes
from faltung.errors import FileFormatError, message
from faltung.files.parsing import file_bytes, parsing

PCM, FLOAT, EXTENSIBLE = 1, 3, 0xFFFE
# The tail of every format number that is written as a GUID.
GUID_TAIL = bytes.fromhex("000000001000800000aa00389b71")
CURE = "Write it as WAV with PCM or float samples"
MOST_BYTES = 2**32 - 1


@dataclass(frozen=True, eq=False)
class Sound:
    """Samples in time.

    Parameters
    ----------
    samples : array, (frames, channels)
        int8 (8 bits), int16 (9 to 16), int32 (17 to 32), float32 or float64. Integers are signed
        and centred on 0, those of 8-bit files too, which the file stores from 0 to 255.
    rate : int
        Frames a second.
    bits : int
        The depth of a sample; 24 for int32 samples of 24 bits.
    """

    samples: NDArray[Any]
    rate: int
    bits: int


class Format(NamedTuple):
    """What a ``fmt`` chunk says."""

    code: int
    channels: int
    rate: int
    block: int
    bits: int


def read_sound(path: str | os.PathLike[str]) -> Sound:
    """Read a WAV file.

    Parameters
    ----------
    path : str or path
        The file.

    Returns
    -------
    Sound
        Its samples at their depth.

    Raises
    ------
    StorageError
        Where there is no such file.
    FileFormatError
        Where the file is no WAV file, is truncated, or holds compressed sound.
    """
    data = file_bytes(Path(path))
    with parsing(Path(path), CURE):
        return decode(data)


def write_sound(path: str | os.PathLike[str], sound: Sound) -> None:
    """Write a WAV file, whole or not at all.

    Parameters
    ----------
    path : str or path
        The file to make or replace.
    sound : Sound
        Integers within ``bits`` of 8, 16, 24 or 32, or floats of 32 or 64 bits.

    Raises
    ------
    FileFormatError
        For samples that WAV cannot hold: another dtype, values beyond ``bits``, 4 GiB or more.
    StorageError
        If the file cannot be written.
    """
    samples, bits = np.asarray(sound.samples), sound.bits
    _check_samples(Path(path), samples, bits)
    code = FLOAT if samples.dtype.kind == "f" else PCM
    channels, size = samples.shape[1], bits // 8
    fields = (code, channels, sound.rate, sound.rate * channels * size, channels * size, bits)
    body = _chunk(b"fmt ", struct.pack("<HHIIHH", *fields))
    if code == FLOAT:
        body += _chunk(b"fact", struct.pack("<I", len(samples)))
    body += _chunk(b"data", _bytes_of(samples, bits))
    write_bytes(path, [b"RIFF", struct.pack("<I", 4 + len(body)), b"WAVE", body])


def decode(data: bytes) -> Sound:
    """Samples from the bytes of a file; `ValueError` where they are none."""
    form: Format | None = None
    for kind, body in chunks(data):
        if kind == b"fmt ":
            form = format_of(body)
        if kind == b"data":
            if form is None:
                raise ValueError("samples without a format before them")
            return Sound(samples_of(body, form), form.rate, form.bits)
    raise ValueError("no samples")


def chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The chunks of a RIFF file; one that its file cuts off is an error."""
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        raise ValueError("not a RIFF file of WAVE")
    at = 12
    while at + 8 <= len(data):
        kind, size = struct.unpack_from("<4sI", data, at)
        if size > len(data) - at - 8:
            raise ValueError(f"the file ends inside its {kind!r} chunk")
        yield kind, data[at + 8 : at + 8 + size]
        at += 8 + size + size % 2


def format_of(body: bytes) -> Format:
    """The format, its depth held against the size of a sample."""
    code, channels, rate, _, block, bits = struct.unpack_from("<HHIIHH", body)
    if code == EXTENSIBLE:
        valid, _, code, tail = struct.unpack_from("<HIH14s", body, 18)
        if tail != GUID_TAIL:
            raise ValueError("an unknown kind of samples")
        bits = valid or bits
    if code not in (PCM, FLOAT):
        raise ValueError(f"compressed sound, format {code}")
    size = block // channels if channels else 0
    depths = (32, 64) if code == FLOAT else range(8 * (size - 1) + 1, 8 * size + 1)
    if not channels or not rate or block != size * channels or bits not in depths:
        raise ValueError(f"{channels} channels of {bits} bits in {block} bytes at {rate} Hz")
    if (code == FLOAT and bits != 8 * size) or (code == PCM and not 1 <= size <= 4):
        raise ValueError(f"samples of {bits} bits in {size} bytes")
    return Format(code, channels, rate, block, bits)


def samples_of(body: bytes, form: Format) -> NDArray[Any]:
    """(frames, channels), signed."""
    if len(body) % form.block:
        raise ValueError(f"{len(body)} bytes are no whole frames of {form.block}")
    size = form.block // form.channels
    if form.code == FLOAT:
        floats = np.frombuffer(body, f"<f{size}").astype(f"f{size}")
        return floats.reshape(-1, form.channels)
    if size == 1:
        values = (np.frombuffer(body, np.uint8) ^ 0x80).view(np.int8)
    elif size == 3:
        wide = np.zeros((len(body) // 3, 4), np.uint8)
        wide[:, 1:] = np.frombuffer(body, np.uint8).reshape(-1, 3)
        values = wide.view("<i4")[:, 0].astype(np.int32) >> 8
    else:
        values = np.frombuffer(body, f"<i{size}").astype(f"i{size}")
    # Depths between whole bytes stand in the upper bits.
    return values.reshape(-1, form.channels) >> (8 * size - form.bits)


def _bytes_of(samples: NDArray[Any], bits: int) -> bytes:
    if samples.dtype.kind == "f":
        return samples.astype(f"<f{bits // 8}").tobytes()
    if bits == 8:
        return (samples.astype(np.int8).view(np.uint8) ^ 0x80).tobytes()
    wide = np.ascontiguousarray(samples.astype("<i4"))
    return wide.view(np.uint8).reshape(-1, 4)[:, : bits // 8].tobytes()


def _chunk(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)


def _check_samples(path: Path, samples: NDArray[Any], bits: int) -> None:
    """Refuse what a WAV file cannot hold, with the numbers."""
    got = {"shape": samples.shape, "dtype": samples.dtype, "bits": bits}
    is_float, is_integer = samples.dtype.kind == "f", samples.dtype.kind == "i"
    fits = (is_float and bits == 8 * samples.itemsize and bits in (32, 64)) or (
        is_integer and bits in (8, 16, 24, 32)
    )
    if samples.ndim != 2 or not samples.shape[1] or not fits:
        rule = "samples must be (frames, channels), signed integers or floats of 8 to 64 bits"
        raise FileFormatError(message(str(path), rule, got, CURE))
    if is_integer and samples.size:
        low, high = int(samples.min()), int(samples.max())
        if low < -(2 ** (bits - 1)) or high >= 2 ** (bits - 1):
            rule = f"samples must lie within {bits} bits"
            values = {"least": low, "greatest": high}
            raise FileFormatError(message(str(path), rule, values, "Scale or clip them first"))
    if samples.size * (bits // 8) > MOST_BYTES - 100:
        rule = "a WAV file ends before 4 GiB"
        raise FileFormatError(message(str(path), rule, got, "Cut it"))
