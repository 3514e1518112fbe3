"""Around somebody else's parser: whatever it raises on bad bytes becomes one line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from faltung.errors import FaltungError, FileFormatError, StorageError, message


@contextmanager
def parsing(
    path: Path, cure: str, error_type: type[FaltungError] = FileFormatError
) -> Iterator[None]:
    """Turn what a parser raises into an error that names the file.

    zipfile, tarfile, zlib, NumPy and Pillow raise two dozen types between them on damaged input,
    and the list changes with their versions; hence `Exception`.

    >>> with parsing(Path("a.png"), "Draw it"):
    ...     raise IndexError("no byte 7")
    Traceback (most recent call last):
    faltung.errors.FileFormatError: a.png: cannot be read, got error=IndexError: no byte 7. Draw it.
    """
    try:
        yield
    except FaltungError:
        raise
    except Exception as error:
        detail = " ".join(str(error).split())[:120] or "no detail"
        cause = f"{type(error).__name__}: {detail}"
        raise error_type(message(str(path), "cannot be read", {"error": cause}, cure)) from error


def existing(path: Path) -> Path:
    """Return a path that is a file, or say what it is.

    Raises
    ------
    StorageError
        Where there is nothing, or a folder, a device or a pipe, which has no end to read to.
    """
    if path.is_file():
        return path
    what = "is a folder" if path.is_dir() else "is no plain file"
    rule = f"cannot be read, it {what}" if path.exists() else "there is no such file"
    raise StorageError(message(str(path), rule, None, "Name a file that exists"))


def file_bytes(path: Path) -> bytes:
    """Return all of a file.

    Raises
    ------
    StorageError
        As `existing`, and where the system does not let it be read.
    """
    try:
        return existing(path).read_bytes()
    except OSError as error:
        if isinstance(error, StorageError):
            raise
        rule = f"cannot be read, {error.strerror or error}"
        raise StorageError(message(str(path), rule, None, "Name a file you may read")) from error
