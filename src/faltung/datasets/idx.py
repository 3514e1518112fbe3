"""IDX files, the format of MNIST: a header of sizes, then bytes; plain or gzip.

Format: two zero bytes, the type (8 is unsigned byte), the number of axes, then each axis as a
big-endian 32-bit integer, then the values in row-major order (Y. LeCun, *The MNIST database of
handwritten digits*, section "The IDX file format").
"""

from __future__ import annotations

import gzip
import math
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from faltung.datasets.dataset import Dataset, Labels
from faltung.datasets.source import Source, check_every_class, numbered_classes, parsing
from faltung.errors import DatasetError, message

STEMS = {"train": "train", "test": "t10k"}
UNSIGNED_BYTE = 8
MAX_AXES = 4
# A byte of deflate can stand for at most 1032 (RFC 1951: 258 bytes in two bits).
MAX_EXPANSION = 1032
CURE = "Get the file again"


def idx_names(split: str) -> tuple[str, str]:
    """File names of images and labels, as published, without ``.gz``."""
    return f"{STEMS[split]}-images-idx3-ubyte", f"{STEMS[split]}-labels-idx1-ubyte"


def find_idx(folder: Path, name: str) -> Path | None:
    """The file, plain or gzip, with the dot that some copies have instead of the hyphen."""
    dotted = name.replace("-idx", ".idx")
    candidates = (folder / f"{stem}{end}" for stem in (name, dotted) for end in ("", ".gz"))
    return next((path for path in candidates if path.is_file()), None)


def has_idx(folder: Path) -> bool:
    """Whether a folder holds a training part in IDX files."""
    return any(find_idx(folder, name) for name in idx_names("train"))


def idx_source(folder: Path, name: str, classes: tuple[str, ...] | None = None) -> Source:
    """The four files of MNIST, Fashion-MNIST or data in their form; the test files may lack."""
    has_test = any(find_idx(folder, file) for file in idx_names("test"))
    return Source(lambda split: read_split(folder, name, split, classes), has_test)


def read_split(folder: Path, name: str, split: str, classes: tuple[str, ...] | None) -> Dataset:
    """One part: images, labels, and the classes of the training part."""
    image_path, label_path = (require(folder, file) for file in idx_names(split))
    images = read_idx(image_path, axes=3)
    labels = read_idx(label_path, axes=1).astype(np.int64)
    if not len(images):
        raise DatasetError(message(str(image_path), "holds no image", None, CURE))
    if classes is None:
        classes = classes_of(folder)
    check_pair(image_path, len(images), label_path, labels, len(classes))
    if split == "train":
        check_every_class(labels, classes, str(label_path))
    return Dataset(images[:, None], labels, classes, name)


def classes_of(folder: Path) -> tuple[str, ...]:
    """Numbers as names, from the labels of the training part."""
    path = require(folder, idx_names("train")[1])
    return numbered_classes(read_idx(path, axes=1).astype(np.int64), str(path))


def check_pair(
    image_path: Path, images: int, label_path: Path, labels: Labels, classes: int
) -> None:
    """Refuse labels that do not belong to the images."""
    if images != len(labels):
        values = {f"labels in {label_path.name}": len(labels), "images": images}
        rule, cure = "every image needs one label", "Use image and label file of the same part"
        raise DatasetError(message(str(image_path), rule, values, cure))
    if labels.max() >= classes:
        index = int(labels.argmax())
        values = {"label": int(labels[index]), "position": index}
        rule = f"labels must lie in 0 to {classes - 1}"
        raise DatasetError(message(str(label_path), rule, values, CURE))


def require(folder: Path, name: str) -> Path:
    """The file, or an error that names it."""
    path = find_idx(folder, name)
    if path is None:
        values = {"folder": folder}
        cure = "Put the file there or use another --data-dir"
        raise DatasetError(message(f"{name}[.gz]", "there is no such file", values, cure))
    return path


def read_idx(path: Path, axes: int) -> NDArray[np.uint8]:
    """An IDX file of unsigned bytes.

    Never reads more than the header promises: a small file that expands to gigabytes is refused.

    Raises
    ------
    DatasetError
        Where the file is not IDX, has another number of axes, or ends early or late.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "labels"
    >>> _ = path.write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 3, 7, 2, 1]))
    >>> read_idx(path, axes=1)
    array([7, 2, 1], dtype=uint8)
    """
    with parsing(path, CURE), path.open("rb") as raw:
        packed = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        stream = cast(BinaryIO, gzip.GzipFile(fileobj=raw)) if packed else raw
        shape = read_header(stream, path, axes)
        room = path.stat().st_size * (MAX_EXPANSION if packed else 1)
        return read_body(stream, path, shape, room)


def read_header(stream: BinaryIO, path: Path, axes: int) -> tuple[int, ...]:
    """The size of each axis."""
    magic = stream.read(4)
    if magic[:3] != bytes([0, 0, UNSIGNED_BYTE]) or len(magic) != 4:
        values = {"first bytes": magic.hex(" ") or "none"}
        rule = f"is not an IDX file of unsigned bytes (00 00 08 0{axes})"
        raise DatasetError(message(str(path), rule, values, CURE))
    if magic[3] != axes:
        what = "an image file has 3 axes, a label file 1"
        cure = "Give images and labels their own file names"
        raise DatasetError(message(str(path), what, {"axes": magic[3]}, cure))
    sizes = stream.read(4 * axes)
    if len(sizes) != 4 * axes:
        raise DatasetError(message(str(path), "ends inside its header", None, CURE))
    return tuple(np.frombuffer(sizes, ">u4").tolist())


def read_body(stream: BinaryIO, path: Path, shape: tuple[int, ...], room: int) -> NDArray[np.uint8]:
    """The values, exactly as many as the header promises."""
    size = math.prod(shape)
    # Asked before any memory is: a damaged header may promise an exabyte.
    values = stream.read(size) if size <= room else b""
    if len(values) != size:
        got = {"sizes in the header": shape, "bytes": len(values) if size <= room else "fewer"}
        raise DatasetError(message(str(path), "is shorter than its header says", got, CURE))
    if stream.read(1):
        rule = "is longer than its header says"
        raise DatasetError(message(str(path), rule, {"sizes in the header": shape}, CURE))
    return np.frombuffer(values, np.uint8).reshape(shape)
