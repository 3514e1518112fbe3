from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faltung.errors import DTypeError, FileFormatError, StorageError
from faltung.files.array import read_array, write_array
from faltung.files.depth import to_depth


@pytest.mark.parametrize("dtype", ["?", "u1", "i2", "<i4", ">i4", "f2", ">f8", "c16"])
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 0, 4), (2, 3, 4)])
def test_numbers_come_back(tmp_path: Path, dtype: str, shape: tuple[int, ...]) -> None:
    values = np.random.default_rng(0).integers(0, 2, shape).astype(dtype)
    for order in "CF":
        np.save(tmp_path / "a.npy", np.array(values, order=order))
        found = read_array(tmp_path / "a.npy")
        assert found.dtype == np.dtype(dtype).newbyteorder("=")
        assert found.shape == shape
        assert (found == values).all()
    write_array(tmp_path / "b.npy", values)
    assert (np.load(tmp_path / "b.npy") == values).all()


def header(text: str, version: tuple[int, int] = (1, 0)) -> bytes:
    body = text.encode() + b" " * (63 - (len(text) + 10) % 64) + b"\n"
    return b"\x93NUMPY" + bytes(version) + struct.pack("<H", len(body)) + body


@pytest.mark.parametrize(
    "shape", ["(10**15,)", "(4000000000, 4000000000)", "(3,)", "(-4,)", "(5,)"]
)
def test_a_claim_is_held_against_the_file(tmp_path: Path, shape: str) -> None:
    # The last two are the near misses: a file of 32 bytes holds four of these numbers.
    shape = shape.replace("10**15", str(10**15))
    text = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}"
    (tmp_path / "a.npy").write_bytes(header(text) + bytes(32))
    with pytest.raises(FileFormatError, match=r"a\.npy: cannot be read, its header promises .* by"):
        read_array(tmp_path / "a.npy")


def test_pickles_are_never_opened(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([print], object), allow_pickle=True)
    with pytest.raises(FileFormatError, match=r"must hold numbers or booleans, got dtype=object"):
        read_array(tmp_path / "a.npy")


@pytest.mark.parametrize("values", [np.array(["a"]), np.array([("a", 1)], "U1,i4"), [None]])
def test_only_numbers_are_written(tmp_path: Path, values) -> None:
    with pytest.raises(FileFormatError, match=r"b\.npy: must hold numbers or booleans"):
        write_array(tmp_path / "b.npy", values)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"\x93NUMPY", b"PK\3\4" + bytes(60), header("{", (9, 0))])
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.npy").write_bytes(content)
    with pytest.raises(FileFormatError, match=r"a\.npy: cannot be read, got error=") as caught:
        read_array(tmp_path / "a.npy")
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="there is no such file"):
        read_array(tmp_path / "a.npy")


@given(
    values=st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=8),
    dtype=st.sampled_from(["u1", "u2", "i1", "i2", "i4", "u8", "i8"]),
)
def test_floats_are_rounded_and_clipped(values: list[float], dtype: str) -> None:
    found = to_depth(np.array(values, float), dtype)
    limits = np.iinfo(dtype)
    rounded = [round(Fraction(v)) for v in values]
    expected = [min(max(v, int(limits.min)), int(limits.max)) for v in rounded]
    assert found.values.tolist() == expected
    assert found.clipped == sum(a != b for a, b in zip(rounded, expected, strict=True))


@given(
    values=st.lists(st.integers(-(2**63), 2**63 - 1), max_size=8),
    dtype=st.sampled_from(["u1", "u2", "i1", "u8", "i8"]),
)
def test_integers_are_clipped(values: list[int], dtype: str) -> None:
    found = to_depth(np.array(values, np.int64), dtype)
    limits = np.iinfo(dtype)
    expected = [min(max(v, int(limits.min)), int(limits.max)) for v in values]
    assert (found.values.tolist(), found.values.dtype) == (expected, np.dtype(dtype))
    assert found.clipped == sum(a != b for a, b in zip(values, expected, strict=True))


def test_the_largest_unsigned_numbers_are_clipped() -> None:
    assert to_depth(np.array([2**64 - 1, 5], np.uint64), np.int64).values.tolist() == [2**63 - 1, 5]
    assert to_depth([True, False], np.uint8).values.tolist() == [1, 0]


@pytest.mark.parametrize(
    ("values", "dtype", "text"),
    [
        ([1], np.float32, "must be an integer dtype, got dtype=float32"),
        ([1j], np.uint8, "values must be real numbers, got dtype=complex128"),
        ([1, np.nan, -np.inf], np.uint8, "NaN and infinity are no whole numbers, got values=2"),
    ],
)
def test_what_has_no_depth_is_said(values, dtype: type, text: str) -> None:
    with pytest.raises(DTypeError, match=text):
        to_depth(values, dtype)
