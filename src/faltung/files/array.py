"""NPY: one array of numbers. Pickles are never opened: they can run code."""

from __future__ import annotations

import os
from math import prod
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.lib import format as npy
from numpy.typing import ArrayLike, NDArray

from faltung.atomic import replacing
from faltung.errors import FileFormatError, message
from faltung.files.parsing import existing, parsing

CURE = "Write it with np.save(path, array) from an array of numbers"
KINDS = "biufc"


def read_array(path: str | os.PathLike[str]) -> NDArray[Any]:
    """Read an array of booleans, integers, floats or complex numbers from an NPY file.

    Parameters
    ----------
    path : str or path
        The file. What its header claims is held against its size before any memory is taken.

    Returns
    -------
    array
        In the machine's byte order and in C order.

    Raises
    ------
    StorageError
        Where there is no such file.
    FileFormatError
        Where the file is no NPY file, is shorter or longer than its header says, or holds
        objects, text, dates or records.
    """
    file_path = existing(Path(path))
    with parsing(file_path, CURE), file_path.open("rb") as file:
        shape, fortran, dtype = read_header(file)
        check_claim(file_path, shape, dtype, file_path.stat().st_size - file.tell())
        values: NDArray[Any] = np.frombuffer(file.read(), dtype).reshape(
            shape, order="F" if fortran else "C"
        )
        return np.array(values, dtype.newbyteorder("="), order="C")


def write_array(path: str | os.PathLike[str], values: ArrayLike) -> None:
    """Write an array of numbers as an NPY file, whole or not at all.

    Parameters
    ----------
    path : str or path
        The file to make or replace.
    values : array_like
        Numbers, of any shape and dtype.

    Raises
    ------
    FileFormatError
        For objects, text, dates or records.
    StorageError
        If the file cannot be written.
    """
    array = np.asarray(values)
    check_kind(Path(path), array.dtype)
    with replacing(path) as file:
        npy.write_array(file, array, allow_pickle=False)


def read_header(file: BinaryIO) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, order and dtype; NumPy limits the header's length and evaluates literals alone."""
    version = npy.read_magic(file)
    readers = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
    if version not in readers:
        raise ValueError(f"version {version[0]}.{version[1]} of the format")
    shape, fortran, dtype = readers[version](file)
    return shape, fortran, dtype


def check_claim(path: Path, shape: tuple[int, ...], dtype: np.dtype[Any], held: int) -> None:
    """Refuse a header that promises other than what the file holds."""
    check_kind(path, dtype)
    claimed = prod(shape) * dtype.itemsize
    if min(shape, default=0) < 0 or claimed != held:
        rule = f"cannot be read, its header promises {claimed} bytes"
        got = {"bytes": held, "shape": shape, "dtype": dtype}
        raise FileFormatError(message(str(path), rule, got, CURE))


def check_kind(path: Path, dtype: np.dtype[Any]) -> None:
    """Refuse what is no array of numbers."""
    if dtype.kind not in KINDS:
        rule = "must hold numbers or booleans"
        raise FileFormatError(message(str(path), rule, {"dtype": dtype}, CURE))
