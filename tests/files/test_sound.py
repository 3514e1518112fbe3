from __future__ import annotations

import struct
import wave
from pathlib import Path

import numpy as np
import pytest

from faltung.errors import FileFormatError, StorageError
from faltung.files.sound import GUID_TAIL, Sound, read_sound, write_sound

DEPTHS = {8: np.int8, 16: np.int16, 24: np.int32, 32: np.int32}


def integers(bits: int, channels: int = 2, frames: int = 50) -> np.ndarray:
    """Random samples with both ends of the range."""
    low, high = -(2 ** (bits - 1)), 2 ** (bits - 1)
    values = np.random.default_rng(bits).integers(low, high, (frames, channels))
    values[0], values[1] = low, high - 1
    return values.astype(DEPTHS[bits])


@pytest.mark.parametrize("bits", sorted(DEPTHS))
@pytest.mark.parametrize("channels", [1, 2, 3])
def test_integers_come_back(tmp_path: Path, bits: int, channels: int) -> None:
    samples = integers(bits, channels, 51)  # an odd number of bytes for 8 and 24 bits
    write_sound(tmp_path / "a.wav", Sound(samples, 44100, bits))
    found = read_sound(tmp_path / "a.wav")
    assert (found.rate, found.bits, found.samples.dtype) == (44100, bits, DEPTHS[bits])
    assert (found.samples == samples).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_floats_come_back(tmp_path: Path, dtype: type) -> None:
    samples = np.random.default_rng(0).normal(size=(9, 1)).astype(dtype)
    write_sound(tmp_path / "a.wav", Sound(samples, 8000, 8 * samples.itemsize))
    found = read_sound(tmp_path / "a.wav")
    assert found.samples.dtype == dtype
    assert (found.samples == samples).all()


@pytest.mark.parametrize("bits", sorted(DEPTHS))
def test_the_standard_library_agrees(tmp_path: Path, bits: int) -> None:
    samples = integers(bits)
    write_sound(tmp_path / "a.wav", Sound(samples, 8000, bits))
    with wave.open(str(tmp_path / "a.wav")) as file:
        assert (file.getnchannels(), file.getsampwidth()) == (2, bits // 8)
        assert (file.getframerate(), file.getnframes()) == (8000, len(samples))
        data = file.readframes(100)
    with wave.open(str(tmp_path / "b.wav"), "wb") as file:
        file.setparams((2, bits // 8, 8000, 0, "NONE", ""))
        file.writeframes(data)
    assert (read_sound(tmp_path / "b.wav").samples == samples).all()


@pytest.mark.parametrize("name", ["uint8", "int16", "int32", "float32", "float64"])
def test_scipy_agrees(tmp_path: Path, scipy: object, name: str) -> None:
    from scipy.io import wavfile

    values = (np.random.default_rng(1).normal(size=(40, 2)) * 20 + 100).astype(name)
    wavfile.write(tmp_path / "a.wav", 8000, values)
    found = read_sound(tmp_path / "a.wav").samples
    assert (found == (values.astype(int) - 128 if name == "uint8" else values)).all()
    write_sound(tmp_path / "b.wav", read_sound(tmp_path / "a.wav"))
    assert (wavfile.read(tmp_path / "b.wav")[1] == values).all()


def riff(*chunks: tuple[bytes, bytes]) -> bytes:
    body = b"WAVE" + b"".join(
        kind + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)
        for kind, data in chunks
    )
    return b"RIFF" + struct.pack("<I", len(body)) + body


def form(code: int, channels: int, block: int, bits: int, rate: int = 8000) -> bytes:
    return struct.pack("<HHIIHH", code, channels, rate, rate * block, block, bits)


def extensible(code: int, bits: int, valid: int, tail: bytes = GUID_TAIL) -> bytes:
    head = form(0xFFFE, 1, bits // 8, bits)
    return head + struct.pack("<HHIH", 22, valid, 4, code) + tail


def read(tmp_path: Path, *chunks: tuple[bytes, bytes]) -> Sound:
    (tmp_path / "a.wav").write_bytes(riff(*chunks))
    return read_sound(tmp_path / "a.wav")


def test_extensible_headers(tmp_path: Path) -> None:
    data = (b"data", struct.pack("<2h", -5, 6))
    assert read(tmp_path, (b"fmt ", extensible(1, 16, 16)), data).samples.tolist() == [[-5], [6]]
    floats = (b"data", struct.pack("<f", 0.5))
    assert read(tmp_path, (b"fmt ", extensible(3, 32, 32)), floats).samples.tolist() == [[0.5]]


def test_twelve_bits_stand_in_the_upper_bits_of_sixteen(tmp_path: Path) -> None:
    data = (b"data", struct.pack("<2h", -2048 << 4, 2047 << 4))
    found = read(tmp_path, (b"fmt ", extensible(1, 16, 12)), data)
    assert (found.samples.tolist(), found.bits) == ([[-2048], [2047]], 12)


def test_other_chunks_are_passed_over(tmp_path: Path) -> None:
    chunks = ((b"LIST", b"odd"), (b"fmt ", form(1, 1, 1, 8)), (b"fact", bytes(4)))
    assert read(tmp_path, *chunks, (b"data", b"\x80\xff\0")).samples.tolist() == [
        [0],
        [127],
        [-128],
    ]


def test_no_frames(tmp_path: Path) -> None:
    assert read(tmp_path, (b"fmt ", form(1, 2, 4, 16)), (b"data", b"")).samples.shape == (0, 2)


FMT = (b"fmt ", form(1, 1, 2, 16))
DATA = (b"data", bytes(4))


@pytest.mark.parametrize(
    ("chunks", "text"),
    [
        ([DATA], "samples without a format before them"),
        ([FMT], "no samples"),
        ([(b"fmt ", form(2, 1, 2, 4)), DATA], "compressed sound, format 2"),
        ([(b"fmt ", extensible(1, 16, 16, bytes(14))), DATA], "an unknown kind of samples"),
        ([(b"fmt ", form(1, 0, 2, 16)), DATA], "0 channels of 16 bits in 2 bytes"),
        ([(b"fmt ", form(1, 1, 2, 16, 0)), DATA], "1 channels of 16 bits in 2 bytes at 0 Hz"),
        ([(b"fmt ", form(1, 2, 3, 8)), DATA], "2 channels of 8 bits in 3 bytes"),
        ([(b"fmt ", form(1, 1, 5, 40)), DATA], "samples of 40 bits in 5 bytes"),
        ([(b"fmt ", form(3, 1, 8, 32)), DATA], "samples of 32 bits in 8 bytes"),
        ([(b"fmt ", b"short"), DATA], "error="),
        ([FMT, (b"data", bytes(3))], "3 bytes are no whole frames of 2"),
    ],
)
def test_what_is_no_sound_is_one_line(tmp_path: Path, chunks, text: str) -> None:
    with pytest.raises(FileFormatError, match=rf"a\.wav: cannot be read, got .*{text}") as caught:
        read(tmp_path, *chunks)
    assert "\n" not in str(caught.value)


def test_a_claim_past_the_end_takes_no_memory(tmp_path: Path) -> None:
    data = riff(FMT, DATA)
    at = data.index(b"data") + 4
    (tmp_path / "a.wav").write_bytes(data[:at] + struct.pack("<I", 2**32 - 2) + data[at + 4 :])
    with pytest.raises(FileFormatError, match="the file ends inside its b'data' chunk"):
        read_sound(tmp_path / "a.wav")


def test_another_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"RIFF    AVI ")
    with pytest.raises(FileFormatError, match="not a RIFF file of WAVE"):
        read_sound(tmp_path / "a.wav")
    with pytest.raises(StorageError, match="there is no such file"):
        read_sound(tmp_path / "b.wav")


@pytest.mark.parametrize(
    ("samples", "bits", "text"),
    [
        (np.zeros(4, np.int16), 16, "samples must be .frames, channels., signed integers"),
        (np.zeros((4, 0), np.int16), 16, "samples must be .frames, channels., signed integers"),
        (np.zeros((4, 1), np.uint8), 8, "samples must be .frames, channels., signed integers"),
        (np.zeros((4, 1), np.float32), 16, "samples must be .frames, channels., signed integers"),
        (np.zeros((4, 1), np.int16), 12, "samples must be .frames, channels., signed integers"),
        (np.array([[-129]]), 8, "samples must lie within 8 bits, got least=-129, greatest=-129"),
        (np.array([[2**23]]), 24, "samples must lie within 24 bits, got least=8388608"),
        (np.broadcast_to(np.int8(0), (2**32, 1)), 8, "a WAV file ends before 4 GiB"),
    ],
)
def test_what_cannot_be_written_is_said(tmp_path: Path, samples, bits: int, text: str) -> None:
    if samples.size > 2**31:
        samples = np.broadcast_to(np.float64(0), (2**29, 1))
        bits = 64
    with pytest.raises(FileFormatError, match=text):
        write_sound(tmp_path / "a.wav", Sound(samples, 8000, bits))
    assert list(tmp_path.iterdir()) == []
