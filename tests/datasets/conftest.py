"""Small files of every format, made by hand, and the folder of the full ones."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

ROOT = Path(__file__).parents[2]


def idx_bytes(array: NDArray[np.uint8]) -> bytes:
    """IDX as its definition says, written without the reader's help."""
    sizes = struct.pack(f">{array.ndim}I", *array.shape)
    return bytes([0, 0, 8, array.ndim]) + sizes + array.tobytes()


def write_idx(folder: Path, split: str, images: NDArray[np.uint8], labels: list[int]) -> None:
    """One part: the images packed, the labels plain."""
    stem = {"train": "train", "test": "t10k"}[split]
    folder.mkdir(exist_ok=True)
    packed = gzip.compress(idx_bytes(images), mtime=0)
    (folder / f"{stem}-images-idx3-ubyte.gz").write_bytes(packed)
    plain = idx_bytes(np.array(labels, np.uint8))
    (folder / f"{stem}-labels-idx1-ubyte").write_bytes(plain)


@pytest.fixture
def tiny_images() -> NDArray[np.uint8]:
    """Six images of 3x4 pixels, all values different."""
    return np.arange(72, dtype=np.uint8).reshape(6, 3, 4)


@pytest.fixture
def idx_folder(tmp_path: Path, tiny_images: NDArray[np.uint8]) -> Path:
    """Six training images of three classes, three test images."""
    folder = tmp_path / "shapes"
    write_idx(folder, "train", tiny_images, [0, 1, 2, 0, 1, 2])
    write_idx(folder, "test", tiny_images[:3], [2, 1, 0])
    return folder


def cifar_batch(first_label: int) -> bytes:
    """Two records; the pixels of each count up from its label."""
    pixels = np.arange(3072, dtype=np.uint32)
    labels = (first_label, first_label + 1)
    return b"".join(
        bytes([label]) + (pixels + label).astype(np.uint8).tobytes() for label in labels
    )


@pytest.fixture
def cifar_folder(tmp_path: Path) -> Path:
    """Five training files of two records, so that each class occurs once; one test file."""
    folder = tmp_path / "cifar-10-batches-bin"
    folder.mkdir()
    for number in range(5):
        (folder / f"data_batch_{number + 1}.bin").write_bytes(cifar_batch(2 * number))
    (folder / "test_batch.bin").write_bytes(cifar_batch(3))
    return folder
