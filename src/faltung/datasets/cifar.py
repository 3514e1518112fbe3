"""The binary version of CIFAR-10: a folder of its files, or the published archive.

Format: records of one label byte and 3 x 32 x 32 pixels, red, green and blue plane after each
other, each in row-major order (A. Krizhevsky, https://www.cs.toronto.edu/~kriz/cifar.html,
section "Binary version"). The archive is read in place: nothing is extracted, so that no path
inside it is ever used as one.
"""

from __future__ import annotations

import tarfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from faltung.datasets.dataset import Dataset
from faltung.datasets.source import Source, check_every_class, parsing
from faltung.errors import DatasetError, message

CLASSES = (
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
)
FILES = {
    "train": tuple(f"data_batch_{number}.bin" for number in range(1, 6)),
    "test": ("test_batch.bin",),
}
META = "batches.meta.txt"
IMAGE_SHAPE = (3, 32, 32)
RECORD = 1 + 3 * 32 * 32
# The published files have 10,000 records each; ten times that is room enough for anybody's own.
MAX_BYTES = 100_000 * RECORD
CURE = "Get cifar-10-binary.tar.gz again"

Read = Callable[[set[str]], dict[str, bytes]]


def has_cifar(folder: Path) -> bool:
    """Whether a folder holds training files of the binary or of the Python version."""
    return any((folder / name).is_file() for name in ("data_batch_1.bin", "data_batch_1"))


def cifar_source(path: Path, name: str) -> Source:
    """The files in a folder, where the test file may lack, or the whole archive."""
    if path.is_dir():
        has_test = (path / FILES["test"][0]).is_file()
        return Source(lambda split: read_split(path, name, split, folder_files(path)), has_test)
    return Source(lambda split: read_split(path, name, split, archive_files(path)), True)


def read_split(path: Path, name: str, split: str, read: Read) -> Dataset:
    """One part: the records of all its files, in order."""
    files = read({*FILES[split], META})
    for file in FILES[split]:
        if file not in files:
            cure = f"{CURE}: the binary version, not the Python one"
            raise DatasetError(message(str(path / file), "there is no such file", None, cure))
    parts = [read_records(path / file, files[file]) for file in FILES[split]]
    images = np.concatenate([pixels for _, pixels in parts])
    labels = np.concatenate([numbers for numbers, _ in parts]).astype(np.int64)
    classes = read_meta(path / META, files[META]) if META in files else CLASSES
    if split == "train":
        check_every_class(labels, classes, str(path))
    return Dataset(images, labels, classes, name)


def read_records(path: Path, content: bytes) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """(labels, images) of one file."""
    check_size(path, len(content))
    records = np.frombuffer(content, np.uint8).reshape(-1, RECORD)
    labels, images = records[:, 0], records[:, 1:].reshape(-1, *IMAGE_SHAPE)
    if labels.max() >= len(CLASSES):
        position = int(labels.argmax())
        values = {"label": int(labels[position]), "record": position}
        raise DatasetError(message(str(path), "labels must lie in 0 to 9", values, CURE))
    return labels, images


def check_size(path: Path, size: int) -> None:
    """Refuse a file that is no whole number of records, or absurdly large."""
    if size == 0 or size % RECORD or size > MAX_BYTES:
        rule = f"must be whole records of {RECORD:,} bytes, at most {MAX_BYTES // RECORD:,}"
        raise DatasetError(message(str(path), rule, {"bytes": size}, CURE))


def read_meta(path: Path, content: bytes) -> tuple[str, ...]:
    """Class names, one a line."""
    with parsing(path, CURE):
        names = tuple(line.strip() for line in content.decode("utf-8").splitlines() if line.strip())
    if len(names) != len(CLASSES):
        values = {"names": len(names)}
        raise DatasetError(message(str(path), "must name ten classes", values, CURE))
    return names


def folder_files(folder: Path) -> Read:
    """A reader of files in a folder."""

    def read(wanted: set[str]) -> dict[str, bytes]:
        found = {name: folder / name for name in wanted if (folder / name).is_file()}
        return {name: read_file(path) for name, path in found.items()}

    return read


def read_file(path: Path) -> bytes:
    """The content, its size checked before it takes memory."""
    with parsing(path, CURE):
        if path.name != META:
            check_size(path, path.stat().st_size)
        return path.read_bytes()


def archive_files(path: Path) -> Read:
    """A reader of files in a tar archive, compressed or not, in whatever folder they lie there."""

    def read(wanted: set[str]) -> dict[str, bytes]:
        files: dict[str, bytes] = {}
        with parsing(path, CURE), tarfile.open(path) as archive:
            for member in archive:
                name = PurePosixPath(member.name).name
                if member.isreg() and name in wanted and name not in files:
                    files[name] = read_member(archive, member, path / name)
                if len(files) == len(wanted):
                    break
        return files

    return read


def read_member(archive: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> bytes:
    """The content of one member, its size checked before it takes memory."""
    if path.name != META or member.size > MAX_BYTES:
        check_size(path, member.size)
    stream = archive.extractfile(member)
    return stream.read() if stream is not None else b""
