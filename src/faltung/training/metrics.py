"""Metrics as JSON lines: one line a step, one an epoch, in a file that outlives its process.

A line is appended by one write, so that a process killed at any moment leaves whole lines. Each
has the step it belongs to; a resumed run drops those after its checkpoint and writes them again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from faltung import atomic
from faltung.errors import StorageError, message
from faltung.training.environment import JSON

# Names of our own, so that a test can fill the disk for this file alone.
_open, _write = os.open, os.write


class Metrics:
    """Rows of a run, appended to a file, or kept nowhere if ``path`` is None.

    Use it as a context manager, which closes the file.
    """

    def __init__(self, path: Path | None, *, keep: int = 0) -> None:
        """Open the file with the rows up to step ``keep`` in it, those after it removed."""
        self.path = path
        self._file: int | None = None
        if path is not None:
            kept = [row for row in read_rows(path) if keep and row["step"] <= keep]
            atomic.write_bytes(path, [_line(row) for row in kept])
            self._file = _opened(path)

    def __enter__(self) -> Metrics:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def append(self, kind: str, row: Mapping[str, JSON]) -> None:
        """Add a row; ``kind`` becomes its first entry, ``row`` must have the step.

        Raises
        ------
        StorageError
            The file cannot be written; the message names it and the cause.
        """
        if self._file is None:
            return
        line = _line({"kind": kind, **row})
        try:
            written = _write(self._file, line)
        except OSError as error:
            raise _storage_error(self.path, error.strerror) from error
        if written < len(line):
            raise _storage_error(self.path, "the disk is full")


def read_rows(path: str | Path) -> list[dict[str, Any]]:
    """The rows of a file, in order; none where there is no file.

    A last line that a crash of the machine cut is left out; so is whatever is no row.
    """
    try:
        lines = Path(path).read_bytes().splitlines(keepends=True)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise StorageError(message(str(path), f"cannot be read, {error.strerror}")) from error
    rows = (_parsed(line) for line in lines if line.endswith(b"\n"))
    return [row for row in rows if row is not None]


def _parsed(line: bytes) -> dict[str, Any] | None:
    try:
        row = json.loads(line)
    except ValueError:
        return None
    return row if isinstance(row, dict) and isinstance(row.get("step"), int) else None


def _line(row: Mapping[str, JSON]) -> bytes:
    return json.dumps(row, allow_nan=False).encode() + b"\n"


def _opened(path: Path) -> int:
    try:
        return _open(path, os.O_WRONLY | os.O_APPEND)
    except OSError as error:
        raise _storage_error(path, error.strerror) from error


def _storage_error(path: Path | None, cause: str | None) -> StorageError:
    return StorageError(message(str(path), f"cannot be written, {cause}"))
