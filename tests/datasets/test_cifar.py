from __future__ import annotations

import tarfile
from pathlib import Path

import numpy as np
import pytest

from faltung.datasets import load, load_pair
from faltung.errors import DatasetError

RECORD = 3073


def pack(folder: Path, path: Path, prefix: str = "cifar-10-batches-bin/") -> Path:
    """An archive like the published one."""
    with tarfile.open(path, "w:gz") as archive:
        for file in sorted(folder.iterdir()):
            archive.add(file, arcname=prefix + file.name)
    return path


@pytest.fixture
def archive(cifar_folder: Path, tmp_path: Path) -> Path:
    return pack(cifar_folder, tmp_path / "cifar-10-binary.tar.gz")


def check_records(train) -> None:
    """Every pixel is where the definition of a record puts it."""
    assert train.labels.tolist() == list(range(10))
    assert train.images.shape == (10, 3, 32, 32)
    for label, image in enumerate(train.images):
        expected = (np.arange(3072, dtype=np.uint32) + label).astype(np.uint8)
        assert (image.ravel() == expected).all()
    assert (train.classes[0], train.classes[9]) == ("airplane", "truck")


def test_folder(cifar_folder: Path) -> None:
    train, test = load_pair(cifar_folder)
    check_records(train)
    assert test.labels.tolist() == [3, 4]


def test_archive_is_read_without_being_extracted(archive: Path, tmp_path: Path) -> None:
    before = sorted(tmp_path.rglob("*"))
    train, test = load_pair(archive)
    check_records(train)
    assert test.labels.tolist() == [3, 4]
    assert train.name == "cifar-10-binary"
    assert sorted(tmp_path.rglob("*")) == before


def test_names_that_climb_out_are_names_and_no_more(cifar_folder: Path, tmp_path: Path) -> None:
    hostile = pack(cifar_folder, tmp_path / "hostile.tgz", "../../../etc/")
    check_records(load(hostile))


def test_links_in_the_archive_are_not_followed(cifar_folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "links.tar"
    with tarfile.open(path, "w") as archive:
        link = tarfile.TarInfo("data_batch_1.bin")
        link.type, link.linkname = tarfile.SYMTYPE, str(cifar_folder / "data_batch_1.bin")
        archive.addfile(link)
    with pytest.raises(DatasetError, match=r"data_batch_1\.bin: there is no such file"):
        load(path)


@pytest.mark.parametrize("place", [".", "cifar10", "cifar-10-batches-bin"])
def test_named_data_set_finds_its_files(cifar_folder: Path, tmp_path: Path, place: str) -> None:
    target = tmp_path / "data" / place
    target.parent.mkdir(exist_ok=True)
    if place == ".":
        cifar_folder.rename(tmp_path / "data")
    else:
        cifar_folder.rename(target)
    train = load("cifar10", data_dir=tmp_path / "data")
    check_records(train)
    assert train.name == "cifar10"


def test_named_data_set_finds_its_archive(archive: Path) -> None:
    for file in (archive.parent / "cifar-10-batches-bin").iterdir():
        file.unlink()
    check_records(load("cifar10", data_dir=archive.parent))


def test_class_names_come_from_the_files(cifar_folder: Path, tmp_path: Path) -> None:
    names = [f"thing {number}" for number in range(10)]
    (cifar_folder / "batches.meta.txt").write_text("\n".join(names) + "\n\n")
    assert load(cifar_folder).classes == tuple(names)
    packed = pack(cifar_folder, tmp_path / "named.tar.gz")
    assert load(packed).classes == tuple(names)


def test_without_a_test_file_some_images_are_held_out(cifar_folder: Path) -> None:
    (cifar_folder / "test_batch.bin").unlink()
    first = (cifar_folder / "data_batch_1.bin").read_bytes()
    (cifar_folder / "data_batch_1.bin").write_bytes(first * 3)
    train, test = load_pair(cifar_folder)
    assert test.class_counts == (1, 1, 0, 0, 0, 0, 0, 0, 0, 0)
    assert len(train) + len(test) == 14
    assert "2 of 14 images held out" in test.note


@pytest.mark.parametrize(
    ("name", "content", "text"),
    [
        ("data_batch_2.bin", b"", "whole records of 3,073 bytes.*got bytes=0"),
        ("data_batch_2.bin", bytes(RECORD - 1), "whole records.*got bytes=3072"),
        ("data_batch_5.bin", bytes(RECORD + 1), "whole records.*got bytes=3074"),
        ("data_batch_3.bin", bytes(RECORD) + b"\x0a" + bytes(3072), "0 to 9, got label=10, rec.*1"),
        ("data_batch_4.bin", bytes(RECORD), "a class has no image, got class='frog'"),
        ("batches.meta.txt", b"cat\ndog\n", "must name ten classes, got names=2"),
        ("batches.meta.txt", b"\xff\xfe", "cannot be read, got error=UnicodeDecodeError"),
        ("batches.meta.txt", b"cat\n" * 10, "class names must differ, got class='cat'"),
    ],
)
def test_damaged_files_are_named(
    cifar_folder: Path, tmp_path: Path, name: str, content: bytes, text: str
) -> None:
    (cifar_folder / name).write_bytes(content)
    for path in (cifar_folder, pack(cifar_folder, tmp_path / "damaged.tar.gz")):
        with pytest.raises(DatasetError, match=text):
            load(path)


def test_a_missing_batch_is_named(cifar_folder: Path) -> None:
    (cifar_folder / "data_batch_4.bin").unlink()
    with pytest.raises(DatasetError, match=r"data_batch_4\.bin: there is no such file"):
        load(cifar_folder)


def test_the_python_version_is_told_apart(tmp_path: Path) -> None:
    (tmp_path / "data_batch_1").write_bytes(b"\x80\x02}q\x01.")
    with pytest.raises(DatasetError, match="the binary version, not the Python one"):
        load(tmp_path)


def test_an_absurd_size_is_refused_before_it_is_read(tmp_path: Path) -> None:
    size = 1_000_000 * RECORD
    header = tarfile.TarInfo("data_batch_1.bin")
    header.size = size
    (tmp_path / "bomb.tar").write_bytes(header.tobuf() + bytes(4096))
    with pytest.raises(DatasetError, match=f"at most 100,000, got bytes={size}"):
        load(tmp_path / "bomb.tar")
    sparse = tmp_path / "data_batch_1.bin"
    with sparse.open("wb") as stream:
        stream.truncate(size)
    with pytest.raises(DatasetError, match=f"at most 100,000, got bytes={size}"):
        load(tmp_path)


def test_a_truncated_archive_is_named(archive: Path) -> None:
    content = archive.read_bytes()
    archive.write_bytes(content[: len(content) // 2])
    with pytest.raises(DatasetError, match=r"cifar-10-binary\.tar\.gz: cannot be read, got error"):
        load(archive)


def test_a_huge_list_of_class_names_is_refused(cifar_folder: Path, tmp_path: Path) -> None:
    header = tarfile.TarInfo("batches.meta.txt")
    header.size = 400_000_000
    (tmp_path / "names.tar").write_bytes(header.tobuf() + bytes(1024))
    with pytest.raises(DatasetError, match=r"whole records.*got bytes=400000000"):
        load(tmp_path / "names.tar")
