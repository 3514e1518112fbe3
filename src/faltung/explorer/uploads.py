"""Files that somebody dropped onto a page or handed to a widget: kept in one temporary folder.

A file has the name that it was given here; the one it came with is a label and never a path.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import BinaryIO, Final

from faltung.errors import ExplorerError, message, plain

LARGEST: Final = 256 * 2**20
"""Bytes of one file."""
MOST: Final = 32
"""Files that are kept; the oldest goes when another comes."""
TOGETHER: Final = 1024 * 2**20
"""Bytes of all files that are kept."""
LONGEST_LABEL: Final = 120
"""Characters of a file's own name that are remembered."""
_NAME: Final = re.compile(r"[A-Za-z0-9][\w-]{0,63}(\.[a-z0-9]{1,8})?", re.ASCII)


class Uploads:
    """A temporary folder of files by name. Use it as a context manager, or `close` it.

    Parameters
    ----------
    folder
        An existing one, of which only files that are there can be asked for; one of its own,
        removed at the end, if left out.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._own = (
            tempfile.TemporaryDirectory(prefix="faltung-", ignore_cleanup_errors=True)
            if folder is None
            else None
        )
        self.folder = Path(self._own.name) if self._own is not None else Path(str(folder))
        self._sizes: dict[str, int] = {}
        self._labels: dict[str, str] = {}

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
        with self.arriving(label) as arrival:
            for part in parts:
                arrival.write(part)
        return arrival.name

    @contextlib.contextmanager
    def arriving(self, label: str) -> Iterator[Arrival]:
        """Keep a file that comes in parts: whole at the end of the block, or nothing of it.

        Where it is the one too many, or all are too large together, the oldest ones go.
        """
        label = plain(label[:LONGEST_LABEL])
        name = secrets.token_hex(8) + suffix_of(label)
        path = self.folder / name
        try:
            with path.open("xb") as file:
                arrival = Arrival(name, label, file)
                yield arrival
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        self._sizes[name], self._labels[name] = arrival.size, label
        while len(self._sizes) > MOST or sum(self._sizes.values()) > TOGETHER:
            oldest = next(iter(self._sizes))
            del self._sizes[oldest], self._labels[oldest]
            (self.folder / oldest).unlink(missing_ok=True)

    def path(self, name: object) -> Path:
        """Return where a file is.

        Raises
        ------
        ExplorerError
            There is no file of this name, or none any more.
        """
        known = isinstance(name, str) and _NAME.fullmatch(name)
        path = self.folder / str(name) if known else None
        if path is None or path.is_symlink() or not path.is_file():
            rule, cure = "there is no such file", "Choose it again"
            raise ExplorerError(message("upload", rule, {"name": repr(name)}, cure))
        return path

    def tidied(self, text: str) -> str:
        """Return a text that a page may show: files by their labels, and no folder's path."""
        for name, label in list(self._labels.items()):
            text = text.replace(name, label or "the file")
        roots = {self.folder, self.folder.resolve(), Path(__file__).parents[1]}
        roots |= {Path(os.path.expanduser("~"))}  # noqa: PTH111, there may be no home
        for root in sorted(map(str, roots), key=len, reverse=True):
            if len(Path(root).parts) > 1:
                text = re.sub(re.escape(root) + r"[/\\]?", "", text)
        return text


class Arrival:
    """A file that is coming in."""

    def __init__(self, name: str, label: str, file: BinaryIO) -> None:
        self.name = name
        self.size = 0
        self._label, self._file = label, file

    def write(self, part: bytes) -> None:
        """Take the next part, or refuse it where the file becomes larger than it may be."""
        self.size = checked_size(self.size + len(part), self._label)
        self._file.write(part)


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
