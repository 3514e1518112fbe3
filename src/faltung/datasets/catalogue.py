"""Data sets by name or path: which reader reads what is there."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from faltung.datasets.cifar import cifar_source, has_cifar
from faltung.datasets.dataset import Dataset
from faltung.datasets.idx import has_idx, idx_source
from faltung.datasets.npz import npz_source
from faltung.datasets.source import SPLITS, Source
from faltung.errors import DatasetError, message

NAMES = ("sample", "mnist", "fashion-mnist", "cifar10")
SAMPLE = Path(__file__).with_name("sample.npz")
HELD_OUT = 0.15
ARCHIVES = (".tar.gz", ".tgz", ".tar")
CLASSES = {
    "mnist": tuple("0123456789"),
    "fashion-mnist": (
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    ),
}

PathLike = str | os.PathLike[str]


def load(
    name_or_path: PathLike, *, data_dir: PathLike | None = None, split: str = "train"
) -> Dataset:
    """One part of a data set.

    Parameters
    ----------
    name_or_path : str or path
        ``sample`` (7,000 real handwritten digits, part of the package), ``mnist``,
        ``fashion-mnist``, ``cifar10``; or a path: an ``.npz`` file, a folder with IDX or CIFAR
        files, a folder of images with one sub-folder a class. ``./mnist`` is always a path.
    data_dir : path, optional
        The folder that holds the files of a named data set. Without it they come from the cache
        folder, after a checked download.
    split : {"train", "test"}
        Which part. A source without a test part has all its images in ``train``.

    Returns
    -------
    Dataset
        Images (N, C, H, W) and int64 labels.

    Raises
    ------
    DatasetError
        Where files are missing, malformed, truncated or mismatched, or there is no such part.

    Examples
    --------
    >>> load("sample", split="test").class_counts
    (100, 100, 100, 100, 100, 100, 100, 100, 100, 100)
    """
    if split not in SPLITS:
        cure = "Use split='train' or split='test'"
        raise DatasetError(message("load", "no such part", {"split": repr(split)}, cure))
    source = find_source(name_or_path, data_dir)
    if split == "test" and not source.has_test:
        cure = "Use load_pair, which holds some of the images out"
        raise DatasetError(message(str(name_or_path), "has no test part", None, cure))
    return source.read(split)


def load_pair(
    name_or_path: PathLike, *, data_dir: PathLike | None = None, seed: int = 0
) -> tuple[Dataset, Dataset]:
    """Training and test part; 15 % of each class is held out where there is no test part.

    `Dataset.note` of both parts says so if it was.

    Parameters
    ----------
    name_or_path, data_dir
        As in `load`.
    seed : int
        Chooses the images held out.

    Returns
    -------
    train, test : Dataset

    Raises
    ------
    DatasetError
        As `load`; also where the two parts differ in the size of their images.

    Examples
    --------
    >>> [len(part) for part in load_pair("sample")]
    [6000, 1000]
    """
    source = find_source(name_or_path, data_dir)
    train = source.read("train")
    if source.has_test:
        return matching(train, source.read("test"))
    rest, held = train.split(HELD_OUT, seed)
    note = f"no test part: {len(held):,} of {len(train):,} images held out for testing"
    return replace(rest, note=note), replace(held, note=note)


def matching(train: Dataset, test: Dataset) -> tuple[Dataset, Dataset]:
    """Both parts, if a network for the one can run on the other."""
    if train.image_shape != test.image_shape:
        values = {"train": train.image_shape, "test": test.image_shape}
        rule, cure = "training and test images differ in size", "Use two parts of one data set"
        raise DatasetError(message(train.name, rule, values, cure))
    return train, test


def find_source(name_or_path: PathLike, data_dir: PathLike | None) -> Source:
    """The reader for a name or for what lies at a path."""
    name = os.fspath(name_or_path)
    if name in NAMES:
        return named_source(name, None if data_dir is None else Path(data_dir))
    if data_dir is not None:
        cure = f"Use one of {', '.join(NAMES[1:])} with it, or the path alone"
        raise DatasetError(message(name, "a data folder goes with a named data set", None, cure))
    return path_source(Path(name))


def named_source(name: str, data_dir: Path | None) -> Source:
    """The reader for a named data set."""
    if name == "sample":
        if data_dir is not None:
            rule, cure = "sample is part of the package", f"Add --data {' or '.join(NAMES[1:])}"
            raise DatasetError(message(str(data_dir), rule, None, cure))
        return npz_source(SAMPLE, name)
    folder = fetched(name) if data_dir is None else data_dir
    if name == "cifar10":
        return cifar_source(find_cifar(folder), name)
    return idx_source(find_folder(folder, name), name, CLASSES[name])


def fetched(name: str) -> Path:
    """The cache folder of a data set, filled by a checked download where it is not."""
    from faltung.datasets.download import fetch

    return fetch(name)


def find_folder(data_dir: Path, name: str) -> Path:
    """The folder itself, or its sub-folder of that name where the files lie in there."""
    inner = data_dir / name
    return inner if has_idx(inner) and not has_idx(data_dir) else data_dir


def find_cifar(data_dir: Path) -> Path:
    """The folder of the files, or the archive, in or below a folder."""
    folders = (data_dir, data_dir / "cifar-10-batches-bin", data_dir / "cifar10")
    archives = (folder / "cifar-10-binary.tar.gz" for folder in (data_dir, data_dir / "cifar10"))
    found = next((folder for folder in folders if has_cifar(folder)), None)
    return found or next((archive for archive in archives if archive.is_file()), data_dir)


def path_source(path: Path) -> Source:
    """The reader for what lies at a path."""
    if not path.exists():
        cure = f"Use a file or folder that exists, or one of {', '.join(NAMES)}"
        raise DatasetError(message(str(path), "there is no such data set", None, cure))
    if path.is_dir():
        return folder_source_of(path)
    if path.suffix == ".npz":
        return npz_source(path, path.stem)
    if path.name.endswith(ARCHIVES):
        return cifar_source(path, path.name.split(".")[0])
    cure = "Use a folder, an .npz file or the CIFAR-10 archive"
    raise DatasetError(message(str(path), "is none of the files that are read", None, cure))


def folder_source_of(path: Path) -> Source:
    """The reader for what lies in a folder."""
    name = path.resolve().name
    if has_idx(path):
        return idx_source(path, name)
    if has_cifar(path):
        return cifar_source(path, name)
    # Pillow is loaded only where there are images to read.
    from faltung.datasets.folder import folder_source

    return folder_source(path, name)
