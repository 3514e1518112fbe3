"""A path holds the old content or the new one, whatever happens, and whenever it happens."""

from __future__ import annotations

import errno
import io
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from faltung import atomic
from faltung.errors import StorageError

OLD, NEW = b"old" * 1000, b"new!" * 50_000


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_makes_a_file_from_one_piece_or_several(tmp_path: Path) -> None:
    atomic.write_bytes(tmp_path / "one", NEW)
    atomic.write_bytes(
        str(tmp_path / "several"), (NEW[at : at + 999] for at in range(0, 200_000, 999))
    )
    assert (tmp_path / "one").read_bytes() == (tmp_path / "several").read_bytes() == NEW
    assert names(tmp_path) == ["one", "several"]


def test_replaces_a_longer_file(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(NEW)
    atomic.write_bytes(path, b"")
    assert path.read_bytes() == b""


def test_keeps_permissions_and_links(tmp_path: Path) -> None:
    path, link = tmp_path / "a", tmp_path / "link"
    path.write_bytes(OLD)
    path.chmod(0o640)
    link.symlink_to("a")
    atomic.write_bytes(link, NEW)
    assert link.is_symlink()
    assert path.read_bytes() == NEW
    assert path.stat().st_mode & 0o777 == 0o640


def test_a_new_file_has_the_usual_permissions(tmp_path: Path) -> None:
    (tmp_path / "plain").write_bytes(b"")
    atomic.write_bytes(tmp_path / "ours", b"")
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_syncs_the_whole_content_before_the_rename_and_the_folder_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, events = tmp_path / "a", list[tuple[str, bytes | None]]()
    sync, rename = os.fsync, os.replace

    def fsync(descriptor: int) -> None:
        at = Path(f"/proc/self/fd/{descriptor}").readlink()
        events.append(("sync", at.read_bytes() if at.is_file() else None))
        assert at.parent == tmp_path or at == tmp_path
        sync(descriptor)

    def replace(source: Any, target: Any) -> None:
        events.append(("rename", None))
        rename(source, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "replace", replace)
    atomic.write_bytes(path, NEW)
    assert events == [("sync", NEW), ("rename", None), ("sync", None)]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_an_error_of_the_caller_leaves_the_old_file(tmp_path: Path, error: type) -> None:
    path = tmp_path / "a"
    path.write_bytes(OLD)

    def pieces() -> Iterator[bytes]:
        yield NEW
        raise error

    with pytest.raises(error):
        atomic.write_bytes(path, pieces())
    assert path.read_bytes() == OLD
    assert names(tmp_path) == ["a"]


def test_an_error_about_another_file_is_the_callers(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="input"), atomic.replacing(tmp_path / "a"):
        (tmp_path / "input").read_bytes()
    assert names(tmp_path) == []


def test_a_storage_error_of_the_caller_passes_unchanged(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"^mine$"), atomic.replacing(tmp_path / "a"):
        raise StorageError("mine")


BAD_PATHS = {
    "missing/a": "missing/a: cannot be written, its folder does not exist. Make the folder first.",
    "file/a": "file/a: cannot be written, a part of its folder's path is a file. "
    "Choose another folder.",
    "folder": "folder: cannot be written, it is a folder. Choose the name of a file.",
    "pipe": "pipe: cannot be written, it is a device or a pipe. Choose the name of a file.",
    "x" * 300: "cannot be written, File name too long.",
}


@pytest.mark.parametrize("name", BAD_PATHS)
def test_names_what_is_wrong_with_a_path(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_bytes(OLD)
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    before = names(tmp_path)
    with pytest.raises(StorageError) as caught:
        atomic.write_bytes(tmp_path / name, NEW)
    assert str(caught.value).endswith(BAD_PATHS[name])
    assert "\n" not in str(caught.value)
    assert names(tmp_path) == before


def test_a_folder_that_takes_no_files() -> None:
    # /proc refuses even root, and says "no such file" where it means "no".
    with pytest.raises(
        StorageError, match="/proc/a: cannot be written, its folder is not writable"
    ):
        atomic.write_bytes("/proc/a", NEW)


class FullDisk(io.FileIO):
    """A file on a disk that has room for 64 KiB more."""

    room = 1 << 16

    def write(self, data: Any) -> int:
        view = memoryview(data)[: self.room]
        if not view.nbytes:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.room -= view.nbytes
        return super().write(view)


@pytest.mark.parametrize("size", [70_000, 1 << 20])
def test_a_full_disk_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    path = tmp_path / "a"
    path.write_bytes(OLD)
    monkeypatch.setattr(atomic, "_create", lambda new, _: io.BufferedWriter(FullDisk(new, "xb")))
    with pytest.raises(StorageError, match=r"a: cannot be written, the disk is full\. Free some"):
        atomic.write_bytes(path, [b"x" * 1000] * (size // 1000))
    assert path.read_bytes() == OLD
    assert names(tmp_path) == ["a"]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EDQUOT])
@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_failing_step_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, number: int
) -> None:
    path = tmp_path / "a"
    path.write_bytes(OLD)

    def fail(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, step, fail)
    with pytest.raises(StorageError, match="a: cannot be written, "):
        atomic.write_bytes(path, NEW)
    assert path.read_bytes() == OLD
    assert names(tmp_path) == ["a"]


@pytest.mark.parametrize(("number", "is_error"), [(errno.EINVAL, False), (errno.EIO, True)])
def test_a_folder_that_cannot_be_synced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, is_error: bool
) -> None:
    sync = os.fsync

    def fsync(descriptor: int) -> None:
        if Path(f"/proc/self/fd/{descriptor}").is_dir():
            raise OSError(number, os.strerror(number))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    if is_error:
        with pytest.raises(StorageError, match="a: cannot be written, Input/output error"):
            atomic.write_bytes(tmp_path / "a", NEW)
    else:
        atomic.write_bytes(tmp_path / "a", NEW)
    assert (tmp_path / "a").read_bytes() == NEW  # the rename was done, and was whole
    assert names(tmp_path) == ["a"]


def test_a_file_that_can_be_made_anew_waits_for_no_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And its folder, which may hold thousands, is not read."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: pytest.fail("synced"))
    monkeypatch.setattr(atomic, "remove_stale", lambda *given: pytest.fail("looked for litter"))
    atomic.write_bytes(tmp_path / "a", NEW, synced=False)
    assert (tmp_path / "a").read_bytes() == NEW
    assert names(tmp_path) == ["a"]


CHILD = """
import os, signal, sys
from faltung import atomic

path, point = sys.argv[1:]
sync, rename, create = os.fsync, os.replace, atomic._create
syncs = 0

def die(here):
    if here == point:
        os.kill(os.getpid(), signal.SIGKILL)

def fsync(descriptor):
    global syncs
    syncs += 1
    kind = "file" if syncs == 1 else "folder"
    die(f"before syncing the {kind}")
    sync(descriptor)
    die(f"after syncing the {kind}")

def replace(source, target):
    die("before the rename")
    rename(source, target)
    die("after the rename")

def created(temporary, target):
    file = create(temporary, target)
    die("before the first byte")
    return file

def pieces():
    for number in range(50):
        yield b"new!" * 1000
        if number == 25:
            die("in the middle of writing")
    die("before the flush")

os.fsync, os.replace, atomic._create = fsync, replace, created
atomic.write_bytes(path, pieces())
die("at the end")
"""

KILL_POINTS = {
    "before the first byte": OLD,
    "in the middle of writing": OLD,
    "before the flush": OLD,
    "before syncing the file": OLD,
    "after syncing the file": OLD,
    "before the rename": OLD,
    "after the rename": NEW,
    "before syncing the folder": NEW,
    "after syncing the folder": NEW,
    "at the end": NEW,
}


@pytest.mark.parametrize("point", KILL_POINTS)
def test_a_killed_writer_leaves_the_old_content_or_the_new(tmp_path: Path, point: str) -> None:
    path = tmp_path / "a"
    path.write_bytes(OLD)
    killed = subprocess.run([sys.executable, "-c", CHILD, str(path), point], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert path.read_bytes() == KILL_POINTS[point]
    others = [name for name in names(tmp_path) if name != "a"]
    assert len(others) == (KILL_POINTS[point] == OLD)
    assert all(atomic.is_temporary(name) for name in others)
    atomic.write_bytes(path, NEW)  # what is left over is in nobody's way
    assert path.read_bytes() == NEW


LIMITED = """
import resource, sys
from faltung import atomic
resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))
try:
    atomic.write_bytes(sys.argv[1], b"x" * 1_000_000)
except OSError as error:
    print(type(error).__name__, error)
"""


def test_a_size_limit_of_the_system(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(OLD)
    command = [sys.executable, "-c", LIMITED, str(path)]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert said == (
        f"StorageError {path}: cannot be written, the file would pass the size limit. "
        "Raise the limit (ulimit -f).\n"
    )
    assert path.read_bytes() == OLD
    assert names(tmp_path) == ["a"]


def aged(path: Path, seconds: float) -> Path:
    path.write_bytes(b"part")
    os.utime(path, (time.time() - seconds,) * 2)
    return path


def test_only_stale_temporaries_of_the_same_name_are_removed(tmp_path: Path) -> None:
    old, key = 2 * atomic.STALE_SECONDS, "0123456789abcdef"
    stale = aged(tmp_path / f".a.{key}.tmp", old)
    kept = [
        aged(tmp_path / f".a.{key[::-1]}.tmp", 0),
        aged(tmp_path / f".ab.{key}.tmp", old),
        aged(tmp_path / f".x.a.{key}.tmp", old),
        aged(tmp_path / ".a.backup.tmp", old),
        aged(tmp_path / f"a.{key}.tmp", old),
    ]
    folder = tmp_path / f".a.{key[:8]}{key[:8]}.tmp"
    folder.mkdir()
    os.utime(folder, (0, 0))
    atomic.write_bytes(tmp_path / "a", NEW)
    assert not stale.exists()
    assert all(path.exists() for path in [*kept, folder])
    atomic.remove_stale(tmp_path)
    assert [path.exists() for path in kept] == [True, False, False, True, True]


def test_a_failed_write_removes_no_stale_temporary(tmp_path: Path) -> None:
    stale = aged(tmp_path / ".a.0123456789abcdef.tmp", 2 * atomic.STALE_SECONDS)
    with pytest.raises(RuntimeError), atomic.replacing(tmp_path / "a"):
        raise RuntimeError
    assert stale.exists()


def test_writers_at_the_same_time_do_not_mix(tmp_path: Path) -> None:
    path = tmp_path / "a"
    contents = [bytes([letter]) * 100_000 for letter in b"abcd"]

    def pieces(content: bytes) -> Iterator[bytes]:
        for at in range(0, len(content), 10_000):
            time.sleep(0.001)
            yield content[at : at + 10_000]

    writers = [
        threading.Thread(target=atomic.write_bytes, args=(path, pieces(content)))
        for content in contents
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert path.read_bytes() in contents
    assert names(tmp_path) == ["a"]
