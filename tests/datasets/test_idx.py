from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from faltung.datasets import load, load_pair
from faltung.datasets.idx import read_idx
from faltung.errors import DatasetError

IMAGES = "train-images-idx3-ubyte.gz"
LABELS = "train-labels-idx1-ubyte"


def header(*sizes: int) -> bytes:
    return bytes([0, 0, 8, len(sizes)]) + b"".join(size.to_bytes(4, "big") for size in sizes)


def packed(content: bytes) -> bytes:
    """Compress without the time of day: two runs know a test by the same name."""
    return gzip.compress(content, mtime=0)


def test_folder_of_idx_files(idx_folder: Path, tiny_images: NDArray[np.uint8]) -> None:
    train, test = load_pair(idx_folder)
    assert (train.images[:, 0] == tiny_images).all()
    assert train.labels.tolist() == [0, 1, 2, 0, 1, 2]
    assert test.labels.tolist() == [2, 1, 0]
    assert train.classes == test.classes == ("0", "1", "2")
    assert train.name == "shapes"


@pytest.mark.parametrize("name", ["train-images.idx3-ubyte", "train-images.idx3-ubyte.gz"])
def test_names_with_a_dot_are_found(idx_folder: Path, name: str) -> None:
    content = (idx_folder / IMAGES).read_bytes()
    (idx_folder / IMAGES).unlink()
    packed = name.endswith(".gz")
    (idx_folder / name).write_bytes(content if packed else gzip.decompress(content))
    assert len(load(idx_folder)) == 6


def test_without_test_files_some_images_are_held_out(idx_folder: Path) -> None:
    for file in idx_folder.glob("t10k*"):
        file.unlink()
    train, test = load_pair(idx_folder)
    assert (train.class_counts, test.class_counts) == ((1, 1, 1), (1, 1, 1))
    assert train.note == test.note == "no test part: 3 of 6 images held out for testing"
    with pytest.raises(DatasetError, match=r"has no test part\. Use load_pair"):
        load(idx_folder, split="test")


def test_full_mnist_and_fashion_mnist(full_data: Path) -> None:
    counts = {
        "mnist": (980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009),
        "fashion-mnist": (1000,) * 10,
    }
    for name, expected in counts.items():
        test = load(name, data_dir=full_data / name, split="test")
        assert test.class_counts == expected
        train = load(name, data_dir=full_data, split="train")  # the sub-folder is found
        assert (len(train), train.image_shape, train.name) == (60_000, (1, 28, 28), name)
    assert train.classes[9] == "Ankle boot"


@pytest.mark.parametrize(
    ("name", "content", "text"),
    [
        (LABELS, b"", "not an IDX file of unsigned bytes.*first bytes=none"),
        (LABELS, b"\x00\x00", "not an IDX file of unsigned bytes.*first bytes=00 00"),
        (LABELS, b"\x89PNG\r\n", r"bytes \(00 00 08 01\), got first bytes=89 50 4e 47"),
        (LABELS, bytes([0, 0, 13, 1]) + bytes(99), "unsigned bytes.*first bytes=00 00 0d 01"),
        (LABELS, header(1, 2, 3) + bytes(6), "3 axes, a label file 1, got axes=3"),
        (LABELS, header(6)[:6], "ends inside its header"),
        (LABELS, header(6) + bytes(5), r"shorter than its header says, got.*\(6,\), bytes=5"),
        (LABELS, header(6) + bytes(7), r"longer than its header says, got.*\(6,\)"),
        (LABELS, header(2**32 - 1) + bytes(5), "shorter than its header says.*bytes=fewer"),
        (LABELS, header(5) + bytes([0, 1, 2, 0, 1]), r"labels in train-labels.*=5, images=6"),
        (LABELS, header(6) + bytes([0, 0, 2, 2, 0, 0]), "a class has no image, got class='1'"),
        (LABELS, header(6) + bytes([0, 1, 2, 9, 0, 0]), "larger than the data, got label=9"),
        (IMAGES, header(0, 3, 4), "holds no image"),
        (IMAGES, header(6, 3, 4) + bytes(71), r"shorter than.*\(6, 3, 4\), bytes=71"),
        (IMAGES, packed(header(6, 3, 4) + bytes(72))[:-9], "cannot be read, got error=EOF"),
        (IMAGES, packed(header(6, 3, 4) + bytes(73)), "longer than its header says"),
        (IMAGES, packed(header(6, 3, 4) + bytes(10**7)), "longer than its header says"),
        (IMAGES, b"\x1f\x8b" + bytes(50), "cannot be read, got error=BadGzipFile"),
        (IMAGES, packed(header(*[2**31] * 3)), "shorter than its header says.*=fewer"),
        (IMAGES, header(6, 0, 4), r"\(N, C, H, W\), got shape=\(6, 1, 0, 4\)"),
    ],
)
def test_damaged_files_are_named_with_the_cause(
    idx_folder: Path, name: str, content: bytes, text: str
) -> None:
    (idx_folder / name).write_bytes(content)
    with pytest.raises(DatasetError, match=text) as caught:
        load(idx_folder)
    assert "shapes" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_checksum_of_gzip_is_checked(idx_folder: Path) -> None:
    content = bytearray((idx_folder / IMAGES).read_bytes())
    content[-8] ^= 1
    (idx_folder / IMAGES).write_bytes(content)
    with pytest.raises(DatasetError, match="cannot be read, got error=BadGzipFile: CRC"):
        load(idx_folder)


def test_test_labels_must_be_classes_of_the_training_part(idx_folder: Path) -> None:
    (idx_folder / "t10k-labels-idx1-ubyte").write_bytes(header(3) + bytes([0, 3, 1]))
    with pytest.raises(DatasetError, match="lie in 0 to 2, got label=3, position=1") as caught:
        load(idx_folder, split="test")
    assert "t10k-labels-idx1-ubyte" in str(caught.value)


def test_a_named_data_set_has_ten_classes(idx_folder: Path) -> None:
    with pytest.raises(DatasetError, match="a class has no image, got class='3'"):
        load("mnist", data_dir=idx_folder)


def test_a_missing_file_is_named(idx_folder: Path) -> None:
    (idx_folder / LABELS).unlink()
    with pytest.raises(DatasetError, match=r"train-labels-idx1-ubyte\[\.gz\]: there is no such"):
        load(idx_folder)
    with pytest.raises(DatasetError, match="use another --data-dir"):
        load("fashion-mnist", data_dir=idx_folder / "nowhere")


def test_parts_of_different_size_are_refused(idx_folder: Path) -> None:
    (idx_folder / "t10k-images-idx3-ubyte.gz").write_bytes(header(3, 2, 2) + bytes(12))
    with pytest.raises(DatasetError, match=r"differ in size, got train=\(1, 3, 4\), test=\(1, 2"):
        load_pair(idx_folder)


def test_an_unreadable_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="missing: cannot be read, got error=FileNotFoundError"):
        read_idx(tmp_path / "missing", axes=1)
