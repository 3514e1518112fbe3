"""NPZ files: what NumPy writes is read, what NumPy reads is written, the rest is refused."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from faltung.errors import FileFormatError, StorageError
from faltung.files.archive import read_archive, write_archive

Arrays = dict[str, np.ndarray[Any, Any]]


@pytest.fixture
def arrays() -> Arrays:
    rng = np.random.default_rng(0)
    return {
        "x": rng.standard_normal((2, 3)),
        "turned": np.asfortranarray(rng.integers(0, 9, (3, 4))),
        "none": np.zeros((0, 2), np.float32),
        "one": np.array(True),
        "big": np.arange(4, dtype=">i4"),
    }


def same(a: Arrays, b: Arrays) -> bool:
    return list(a) == list(b) and all(
        (a[name] == b[name]).all() and a[name].shape == b[name].shape for name in a
    )


def test_both_ways(tmp_path: Path, arrays: Arrays) -> None:
    write_archive(tmp_path / "ours.npz", arrays)
    assert same(read_archive(tmp_path / "ours.npz"), arrays)
    with np.load(tmp_path / "ours.npz") as theirs:
        assert same(dict(theirs), arrays)
    for save in (np.savez, np.savez_compressed):
        save(tmp_path / "theirs.npz", **arrays)  # type: ignore[arg-type]
        found = read_archive(tmp_path / "theirs.npz")
        assert same(found, arrays)
        assert found["big"].dtype.isnative


def test_nothing_is_left_of_what_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(FileFormatError, match="must hold numbers or booleans"):
        write_archive(tmp_path / "a.npz", {"x": np.array(["text"])})
    with pytest.raises(StorageError, match="its folder does not exist"):
        write_archive(tmp_path / "no" / "a.npz", {"x": np.zeros(2)})
    assert not [*tmp_path.iterdir()]


def test_what_is_no_archive_of_numbers_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    with pytest.raises(StorageError, match="there is no such file"):
        read_archive(path)
    for data in (b"", b"PK", b"\x93NUMPY"):
        path.write_bytes(data)
        with pytest.raises(FileFormatError, match="cannot be read, got error=BadZipFile"):
            read_archive(path)
    np.savez(path, x=np.array([{}], object))
    with pytest.raises(FileFormatError, match=r"a.npz: x.npy: must hold numbers or booleans"):
        read_archive(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.npy", b"no array")
    with pytest.raises(FileFormatError, match="cannot be read"):
        read_archive(path)


def test_claims_are_checked_before_memory_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.npz"
    np.save(tmp_path / "x.npy", np.zeros(4))
    member = (tmp_path / "x.npy").read_bytes()
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.npy", member.replace(b"(4,), }      ", b"(4000000000,), }")[:-24])
    with pytest.raises(FileFormatError, match="its header promises 32000000000 bytes"):
        read_archive(path)
    np.savez_compressed(path, x=np.zeros(1000))
    monkeypatch.setattr("faltung.files.archive.MAX_BYTES", 8000)
    with pytest.raises(FileFormatError, match="claims more than 8,000 bytes, got bytes=8128"):
        read_archive(path)
