"""Checked downloads of the named data sets into a cache folder.

What is checked is the *content*: mirrors pack the same files again now and then, so that the
sums of the ``.gz`` files differ while what is in them does not. A file is renamed to its final
name only after its check; what lies in the cache under its own name is whole.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from faltung.cache import cache_folder
from faltung.errors import DatasetError, StorageError, message

# No published file is larger; a "file" that expands further is not one of them.
MAX_CONTENT = 200_000_000
CHUNK = 1 << 20
TIMEOUT_SECONDS = 30


@dataclass(frozen=True)
class Remote:
    """One file: its name, where it lies, and the SHA-256 sum of its (unpacked) content."""

    name: str
    mirrors: tuple[str, ...]
    sha256: str
    packed: bool = True


def idx_remotes(mirrors: tuple[str, ...], sums: dict[str, str]) -> tuple[Remote, ...]:
    """The four files of a data set in MNIST's form."""
    return tuple(Remote(f"{name}.gz", mirrors, sha256) for name, sha256 in sums.items())


REMOTES: dict[str, tuple[Remote, ...]] = {
    "mnist": idx_remotes(
        (
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
            "https://storage.googleapis.com/cvdf-datasets/mnist/",
        ),
        {
            "train-images-idx3-ubyte": (
                "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"
            ),
            "train-labels-idx1-ubyte": (
                "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"
            ),
            "t10k-images-idx3-ubyte": (
                "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"
            ),
            "t10k-labels-idx1-ubyte": (
                "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"
            ),
        },
    ),
    "fashion-mnist": idx_remotes(
        (
            "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        ),
        {
            "train-images-idx3-ubyte": (
                "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888"
            ),
            "train-labels-idx1-ubyte": (
                "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9"
            ),
            "t10k-images-idx3-ubyte": (
                "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b"
            ),
            "t10k-labels-idx1-ubyte": (
                "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34"
            ),
        },
    ),
    "cifar10": (
        Remote(
            "cifar-10-binary.tar.gz",
            ("https://www.cs.toronto.edu/~kriz/",),
            "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
            packed=False,
        ),
    ),
}


def fetch(name: str) -> Path:
    """Download the files of a named data set that the cache lacks; return their folder.

    Raises
    ------
    DatasetError
        Where no mirror gives a file of the right content.
    StorageError
        Where the cache folder cannot be written.
    """
    folder = cache_folder() / name
    missing = [remote for remote in REMOTES[name] if not (folder / remote.name).is_file()]
    if missing:
        make_folder(folder)
    for remote in missing:
        fetch_file(remote, folder, name)
    return folder


def make_folder(folder: Path) -> None:
    """The folder, made and writable."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".write-{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        cure = "Set FALTUNG_CACHE to a folder that can be, or use --data-dir"
        values = {"error": type(error).__name__}
        raise StorageError(message(str(folder), "cannot be written", values, cure)) from error


def fetch_file(remote: Remote, folder: Path, name: str) -> None:
    """The file from the first mirror that gives the right content."""
    causes = []
    for mirror in remote.mirrors:
        try:
            return fetch_from(mirror + remote.name, remote, folder)
        except (OSError, DatasetError) as error:
            close_response(error)
            causes.append(error)
    # A file of wrong content tells more than a mirror that did not answer.
    cause = next((error for error in causes if isinstance(error, DatasetError)), causes[-1])
    rule = f"{remote.name} could not be downloaded"
    cure = f"Put {', '.join(each.name for each in REMOTES[name])} in a folder and use --data-dir"
    raise DatasetError(message(name, rule, {"cause": detail(cause)}, cure)) from cause


def close_response(error: Exception) -> None:
    """Close what pooch leaves open after an HTTP error."""
    response = getattr(error, "response", None)
    if response is not None:
        response.close()


def detail(error: OSError | DatasetError) -> str:
    """A few words; those of a failed connection would fill several lines."""
    if isinstance(error, DatasetError):
        return str(error)
    status = getattr(getattr(error, "response", None), "status_code", None)
    return f"HTTP {status}" if status else error.strerror or type(error).__name__


def fetch_from(url: str, remote: Remote, folder: Path) -> None:
    """Download beside the final name, check, rename."""
    import pooch

    part = folder / f".{remote.name}.{os.getpid()}"
    try:
        pooch.HTTPDownloader(chunk_size=CHUNK, timeout=TIMEOUT_SECONDS)(url, str(part), None)
        got = content_sum(part, remote.packed)
        if got != remote.sha256:
            raise DatasetError(f"{url} has other content than published: sha256 {got[:12]}")
        part.replace(folder / remote.name)
    finally:
        part.unlink(missing_ok=True)


def content_sum(path: Path, packed: bool) -> str:
    """SHA-256 of a file's content, unpacked if it is gzip; "damaged" if it cannot be."""
    digest = hashlib.sha256()
    size = 0
    with path.open("rb") as raw:
        # A server may unpack on the way: then there is nothing left to unpack.
        is_gzip = packed and raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        stream = cast(BinaryIO, gzip.GzipFile(fileobj=raw)) if is_gzip else raw
        try:
            while (chunk := stream.read(CHUNK)) and size <= MAX_CONTENT:
                digest.update(chunk)
                size += len(chunk)
        except (OSError, EOFError, zlib.error):
            return "damaged"
    return digest.hexdigest()
