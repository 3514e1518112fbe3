"""Files that are whole or not there: written beside their name, synced, then renamed.

Whoever looks, and whenever the machine stops, a path holds the old content or the new, never a
part. What a crash leaves behind is a hidden file ``.<name>.<16 hex digits>.tmp`` beside it.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import stat
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from faltung.errors import StorageError, message

# A temporary that nobody wrote to for this long belongs to a process that is gone.
STALE_SECONDS = 3600.0
_TEMPORARY = re.compile(r"\.(?P<name>.+)\.[0-9a-f]{16}\.tmp", re.DOTALL)

_CAUSES: dict[int, tuple[str, str]] = {
    errno.ENOSPC: ("the disk is full", "Free some space or choose another folder"),
    errno.EDQUOT: ("the disk quota is used up", "Free some space or choose another folder"),
    errno.EFBIG: ("the file would pass the size limit", "Raise the limit (ulimit -f)"),
    errno.EACCES: ("its folder is not writable", "Choose a folder you may write to"),
    errno.EPERM: ("its folder is not writable", "Choose a folder you may write to"),
    errno.EROFS: ("its file system is read-only", "Choose another folder"),
    errno.ENOENT: ("its folder does not exist", "Make the folder first"),
    errno.ENOTDIR: ("a part of its folder's path is a file", "Choose another folder"),
    errno.EISDIR: ("it is a folder", "Choose the name of a file"),
}


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str], *, synced: bool = True) -> Iterator[BinaryIO]:
    """Open a binary file whose content takes the place of ``path`` when the block ends.

    The content goes to a temporary name in the same folder, is flushed and synced, and is then
    renamed onto ``path``; the folder is synced last, so that the rename itself is on the disk.
    When the block raises, or a step up to the rename fails, the temporary is removed and ``path``
    is as it was; when only the folder's sync fails, ``path`` holds the new content, whole.
    A symbolic link stays one: the file it points to is replaced.

    Parameters
    ----------
    path : str or path
        The file to make or replace. Its folder must exist.
    synced : bool
        False for one of many files that can be made anew: nobody waits for the disk, and what a
        crash left behind in the folder is not looked for. A crash of the machine may then leave
        any content: the file should hold a checksum.

    Yields
    ------
    BinaryIO
        A buffered file, open for writing, at position 0.

    Raises
    ------
    StorageError
        The file cannot be written; the message names the file and the cause: a full disk, a
        folder that is missing or not writable, a path that is a folder or a device.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> with replacing(folder / "a.txt") as file:
    ...     _ = file.write(b"whole")
    >>> (folder / "a.txt").read_bytes()
    b'whole'
    """
    named = Path(path)
    target = Path(os.path.realpath(named))
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(8)}.tmp")
    with _one_line(named, (target, temporary)):
        _check_replaceable(named, target)
        with _removed_on_failure(temporary):
            with _create(temporary, target) as file:
                yield file
                file.flush()
                if synced:
                    os.fsync(file.fileno())
            temporary.replace(target)
        if synced:
            _sync_folder(target.parent)
            remove_stale(target.parent, target.name)


def write_bytes(
    path: str | os.PathLike[str], data: bytes | Iterable[bytes], *, synced: bool = True
) -> None:
    """Make or replace ``path`` with ``data``, wholly or not at all; see `replacing`.

    Parameters
    ----------
    path : str or path
        The file to make or replace.
    data : bytes or iterable of bytes
        The content, in one piece or in several.
    synced : bool
        As `replacing`.

    Raises
    ------
    StorageError
        As `replacing`.
    """
    pieces = (data,) if isinstance(data, bytes) else data
    with replacing(path, synced=synced) as file:
        for piece in pieces:
            file.write(piece)


def is_temporary(name: str) -> bool:
    """Whether a file name is that of an unfinished write.

    >>> is_temporary(".m.onnx.0123456789abcdef.tmp"), is_temporary("m.onnx")
    (True, False)
    """
    return _TEMPORARY.fullmatch(name) is not None


def remove_stale(folder: Path, name: str | None = None) -> None:
    """Remove temporaries that a crash left behind: those of ``name``, or all; the young ones stay.

    A young temporary may belong to a process that is writing now. A failure is no error: what
    stays is only litter.
    """
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            match = _TEMPORARY.fullmatch(entry.name)
            if match and name in (None, match["name"]) and _is_stale(entry):
                Path(entry.path).unlink(missing_ok=True)


def _is_stale(entry: os.DirEntry[str]) -> bool:
    """Whether an entry is a plain file that was last written to long ago."""
    if not entry.is_file(follow_symlinks=False):
        return False
    return time.time() - entry.stat(follow_symlinks=False).st_mtime > STALE_SECONDS


def _create(temporary: Path, target: Path) -> BinaryIO:
    """A new file with the permissions of the one it will replace."""
    file = temporary.open("xb")
    if target.exists():
        temporary.chmod(stat.S_IMODE(target.stat().st_mode))
    return file


def _check_replaceable(named: Path, target: Path) -> None:
    """Refuse what a rename would destroy or cannot replace: a folder, a device, a pipe."""
    if target.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(target))
    if target.exists() and not target.is_file():
        rule = "cannot be written, it is a device or a pipe"
        raise StorageError(message(str(named), rule, cure="Choose the name of a file"))


@contextlib.contextmanager
def _removed_on_failure(temporary: Path) -> Iterator[None]:
    try:
        yield
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def _one_line(named: Path, ours: tuple[Path, ...]) -> Iterator[None]:
    """Turn a system's error about our files into a `StorageError`; others pass unchanged.

    An error that names another file comes from the caller's block, which may read while it writes.
    """
    names = {None, *map(str, ours), *(str(path.parent) for path in ours)}
    try:
        yield
    except StorageError:
        raise
    except OSError as error:
        if error.filename is not None and str(error.filename) not in names:
            raise
        cause, cure = _cause(error, ours[0].parent)
        raise StorageError(message(str(named), f"cannot be written, {cause}", cure=cure)) from error


def _cause(error: OSError, folder: Path) -> tuple[str, str]:
    """What is wrong and what helps."""
    number = error.errno or 0
    if number == errno.ENOENT and folder.is_dir():  # as /proc says it
        number = errno.EACCES
    return _CAUSES.get(number, (error.strerror or str(error) or type(error).__name__, ""))


def _sync_folder(folder: Path) -> None:
    """Put a rename on the disk, where the system can sync a folder."""
    if os.name == "nt":  # a folder cannot be opened there
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # this file system has no such sync
            raise
    finally:
        os.close(descriptor)
