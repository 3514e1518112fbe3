"""NPZ: several arrays of numbers by name. Pickles are never opened: they can run code."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from faltung.atomic import replacing
from faltung.errors import FileFormatError, message
from faltung.files.array import check_claim, check_kind, read_header
from faltung.files.parsing import existing, parsing

CURE = "Write it with np.savez(path, name=array) from arrays of numbers"
MAX_BYTES: Final = 2**32
"""What the arrays of an archive may claim to hold before any is unpacked."""


def read_archive(path: str | os.PathLike[str]) -> dict[str, NDArray[Any]]:
    """Read the arrays of an NPZ file.

    Parameters
    ----------
    path : str or path
        The file. What the headers claim is held against the sizes that the archive tells, and
        these against `MAX_BYTES`, before any memory is taken.

    Returns
    -------
    dict of str to array
        In the machine's byte order and in C order.

    Raises
    ------
    StorageError
        Where there is no such file.
    FileFormatError
        Where the file is no NPZ file, claims too much, or holds other than arrays of numbers.
    """
    file_path = existing(Path(path))
    with parsing(file_path, CURE), zipfile.ZipFile(file_path) as archive:
        claimed = sum(member.file_size for member in archive.infolist())
        if claimed > MAX_BYTES:
            rule = f"claims more than {MAX_BYTES:,} bytes"
            raise FileFormatError(message(str(file_path), rule, {"bytes": claimed}))
        return {
            member.filename.removesuffix(".npy"): _member(file_path, archive, member)
            for member in archive.infolist()
        }


def _member(path: Path, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> NDArray[Any]:
    named = Path(f"{path}: {member.filename}")
    with archive.open(member) as file:
        shape, fortran, dtype = read_header(file)  # type: ignore[arg-type]
        check_claim(named, shape, dtype, member.file_size - file.tell())
        order = "F" if fortran else "C"
        values: NDArray[Any] = np.frombuffer(file.read(), dtype).reshape(shape, order=order)  # type: ignore[call-overload]
        return np.array(values, dtype.newbyteorder("="), order="C")


def write_archive(path: str | os.PathLike[str], arrays: Mapping[str, ArrayLike]) -> None:
    """Write arrays of numbers as an NPZ file, whole or not at all.

    Parameters
    ----------
    path : str or path
        The file to make or replace.
    arrays : mapping of str to array_like
        Numbers, of any shape and dtype.

    Raises
    ------
    FileFormatError
        For objects, text, dates or records.
    StorageError
        If the file cannot be written.
    """
    given = {name: np.asarray(values) for name, values in arrays.items()}
    for array in given.values():
        check_kind(Path(path), array.dtype)
    with replacing(path) as file, zipfile.ZipFile(file, "w") as archive:
        for name, array in given.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, array, allow_pickle=False)
