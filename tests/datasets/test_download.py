"""Checked downloads, from a server on this machine: nothing here leaves it."""

from __future__ import annotations

import gzip
import hashlib
import tarfile
import threading
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from faltung.cache import cache_folder
from faltung.datasets import download, load, load_pair
from faltung.errors import DatasetError, StorageError

DIGITS = np.arange(10, dtype=np.uint8)


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


def idx(array: np.ndarray) -> bytes:
    sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)
    return bytes([0, 0, 8, array.ndim]) + sizes + array.astype(np.uint8).tobytes()


CONTENTS = {
    "train-images-idx3-ubyte": idx(DIGITS[:, None, None] * np.ones((10, 4, 4), np.uint8)),
    "train-labels-idx1-ubyte": idx(DIGITS),
    "t10k-images-idx3-ubyte": idx(DIGITS[:5, None, None] * np.ones((5, 4, 4), np.uint8)),
    "t10k-labels-idx1-ubyte": idx(DIGITS[:5]),
}


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """The folder that the server serves."""
    folder = tmp_path / "site"
    folder.mkdir()
    for name, content in CONTENTS.items():
        (folder / f"{name}.gz").write_bytes(gzip.compress(content))
    return folder


@pytest.fixture
def mirror(site: Path, tmp_path: Path, monkeypatch) -> Iterator[str]:
    """The server's address, the only mirror of a small stand-in for MNIST."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(site)))
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    address = f"http://127.0.0.1:{server.server_address[1]}/"
    sums = {name: hashlib.sha256(content).hexdigest() for name, content in CONTENTS.items()}
    monkeypatch.setitem(download.REMOTES, "mnist", download.idx_remotes((address,), sums))
    monkeypatch.setenv("FALTUNG_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    yield address
    server.shutdown()
    server.server_close()
    thread.join()


def use_mirrors(monkeypatch, *mirrors: str) -> None:
    remotes = tuple(replace(each, mirrors=mirrors) for each in download.REMOTES["mnist"])
    monkeypatch.setitem(download.REMOTES, "mnist", remotes)


def test_files_are_fetched_once_and_kept(mirror: str, site: Path, tmp_path: Path) -> None:
    train, test = load_pair("mnist")
    assert train.labels.tolist() == list(range(10))
    assert (train.images[7] == 7).all()
    assert len(test) == 5
    kept = sorted(path.name for path in (tmp_path / "cache" / "mnist").iterdir())
    assert kept == sorted(f"{name}.gz" for name in CONTENTS)
    for file in site.iterdir():
        file.unlink()
    assert len(load("mnist")) == 10


def test_packing_does_not_matter_content_does(mirror: str, site: Path) -> None:
    name = "train-labels-idx1-ubyte"
    (site / f"{name}.gz").write_bytes(gzip.compress(CONTENTS[name], 1, mtime=1))
    (site / "t10k-labels-idx1-ubyte.gz").write_bytes(CONTENTS["t10k-labels-idx1-ubyte"])
    assert len(load("mnist")) == 10


@pytest.mark.parametrize("kind", ["other", "truncated", "no gzip"])
def test_a_corrupt_download_is_refused_and_not_kept(
    mirror: str, site: Path, tmp_path: Path, kind: str
) -> None:
    name = "train-images-idx3-ubyte"
    packed = gzip.compress(CONTENTS[name])
    corrupt = {
        "other": gzip.compress(CONTENTS[name] + b"\0"),
        "truncated": packed[:-10],
        "no gzip": b"<html>Please log in</html>",
    }
    (site / f"{name}.gz").write_bytes(corrupt[kind])
    text = r"images-idx3-ubyte\.gz could not be downloaded.*has other content than published"
    with pytest.raises(DatasetError, match=text) as caught:
        load("mnist")
    assert "--data-dir" in str(caught.value)
    assert not list((tmp_path / "cache" / "mnist").iterdir())


def test_the_next_mirror_is_tried(mirror: str, monkeypatch) -> None:
    use_mirrors(monkeypatch, "http://127.0.0.1:9/", mirror + "nowhere/", mirror)
    assert len(load("mnist")) == 10


def test_a_missing_file_is_named(mirror: str, site: Path) -> None:
    (site / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(DatasetError, match=r"t10k-labels-idx1-ubyte\.gz .*got cause=HTTP 404\."):
        load("mnist")


def test_offline_is_one_line_with_the_cure(mirror: str, monkeypatch) -> None:
    use_mirrors(monkeypatch, "http://127.0.0.1:9/", "http://127.0.0.1:9/again/")
    with pytest.raises(DatasetError) as caught:
        load("mnist")
    assert str(caught.value) == (
        "mnist: train-images-idx3-ubyte.gz could not be downloaded, got cause=ConnectionError. "
        "Put train-images-idx3-ubyte.gz, train-labels-idx1-ubyte.gz, t10k-images-idx3-ubyte.gz, "
        "t10k-labels-idx1-ubyte.gz in a folder and use --data-dir."
    )


def test_an_unwritable_cache_is_named(mirror: str, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where the folder should be")
    with pytest.raises(StorageError, match=r"mnist: cannot be written.*Set FALTUNG_CACHE"):
        load("mnist")


def test_a_full_disk_says_so(mirror: str, monkeypatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pooch.HTTPDownloader.__call__", full)
    with pytest.raises(DatasetError, match="got cause=No space left on device"):
        load("mnist")


def test_content_that_never_ends_is_cut_off(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(download, "MAX_CONTENT", 10_000)
    monkeypatch.setattr(download, "CHUNK", 1000)
    content = bytes(1_000_000)
    (tmp_path / "bomb.gz").write_bytes(gzip.compress(content))
    got = download.content_sum(tmp_path / "bomb.gz", packed=True)
    assert got == hashlib.sha256(content[:11_000]).hexdigest()


def test_without_a_wish_the_cache_is_the_users(monkeypatch) -> None:
    monkeypatch.delenv("FALTUNG_CACHE", raising=False)
    assert "faltung" in str(cache_folder())


def test_published_sums_are_those_of_the_full_files(full_data: Path) -> None:
    for name in ("mnist", "fashion-mnist"):
        for remote in download.REMOTES[name]:
            assert download.content_sum(full_data / name / remote.name, True) == remote.sha256


def test_cifar10_is_checked_as_a_whole_archive(
    cifar_folder: Path, mirror: str, site: Path, monkeypatch
) -> None:
    with tarfile.open(site / "cifar-10-binary.tar.gz", "w:gz") as archive:
        archive.add(cifar_folder, arcname="cifar-10-batches-bin")
    packed = (site / "cifar-10-binary.tar.gz").read_bytes()
    (remote,) = download.REMOTES["cifar10"]
    sha256 = hashlib.sha256(packed).hexdigest()
    monkeypatch.setitem(
        download.REMOTES, "cifar10", (replace(remote, mirrors=(mirror,), sha256=sha256),)
    )
    assert load("cifar10").labels.tolist() == list(range(10))
