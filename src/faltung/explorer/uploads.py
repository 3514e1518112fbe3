"""Files that somebody dropped onto a page or handed to a widget: kept in one temporary folder.

A file has the name that it was given here; the one it came with is a label and never a path.
"""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Iterable
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Final

from faltung.errors import ExplorerError, message

LARGEST: Final = 256 * 2**20
"""Bytes of one file."""
MOST: Final = 32
"""Files that are kept; the oldest goes when another comes."""
TOGETHER: Final = 1024 * 2**20
"""Bytes of all files that are kept."""


class Uploads:
    """A temporary folder of files by name. Use it as a context manager, or `close` it.

    Parameters
    ----------
    folder
        An existing one, of which only files that are there can be asked for; one of its own,
        removed at the end, if left out.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._own = tempfile.TemporaryDirectory(prefix="faltung-") if folder is None else None
        self.folder = Path(self._own.name) if self._own is not None else Path(str(folder))
        self._sizes: dict[str, int] = {}

    def __enter__(self) -> Uploads:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Remove the folder, if it is its own."""
        if self._own is not None:
            self._own.cleanup()

    def add(self, label: str, parts: Iterable[bytes]) -> str:
        """Keep a file and return its name.

        Parameters
        ----------
        label
            What the file was called where it came from; only its suffix is used.
        parts
            Its bytes; no more than `LARGEST`.

        Raises
        ------
        ExplorerError
            It is too large; nothing is left of it.
        """
        name = secrets.token_hex(8) + suffix_of(label)
        path, size = self.folder / name, 0
        try:
            with path.open("xb") as file:
                for part in parts:
                    size = checked_size(size + len(part), label)
                    file.write(part)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        self.admit(name, size)
        return name

    def admit(self, name: str, size: int) -> None:
        """Count a file that was written into the folder, and let the oldest go for it."""
        self._sizes[name] = size
        while len(self._sizes) > MOST or sum(self._sizes.values()) > TOGETHER:
            oldest = next(iter(self._sizes))
            del self._sizes[oldest]
            (self.folder / oldest).unlink(missing_ok=True)

    def path(self, name: object) -> Path:
        """Return where a file is.

        Raises
        ------
        ExplorerError
            There is no file of this name, or none any more.
        """
        known = isinstance(name, str) and name == Path(name).name and not name.startswith(".")
        path = self.folder / str(name) if known else None
        if path is None or path.is_symlink() or not path.is_file():
            rule, cure = "there is no such file", "Choose it again"
            raise ExplorerError(message("upload", rule, {"name": repr(name)}, cure))
        return path


def suffix_of(label: str) -> str:
    """Return a suffix that is safe in a name: letters and digits, at most eight.

    >>> suffix_of("../../etc/model.ONNX"), suffix_of("x.p/ng"), suffix_of("x.tar.gz;rm")
    ('.onnx', '', '')
    """
    suffix = PurePosixPath(PureWindowsPath(label).name).suffix.lower()
    return suffix if suffix[1:].isascii() and suffix[1:].isalnum() and len(suffix) <= 9 else ""


def checked_size(size: int, label: str) -> int:
    """Return a size, or refuse it as larger than a file may be."""
    if size > LARGEST:
        rule = f"a file must not be larger than {LARGEST:,} bytes"
        raise ExplorerError(message("upload", rule, {"file": repr(label[:60])}))
    return size
