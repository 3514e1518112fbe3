"""NumPy archives: ``images`` and ``labels``, or one pair for training and one for testing."""

from __future__ import annotations

import sys
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faltung.datasets.dataset import Dataset, Labels
from faltung.datasets.source import Source, check_every_class, numbered_classes, parsing
from faltung.errors import DatasetError, message

# The names that Keras, MedMNIST and people use.
TRAIN_NAMES = (("x_train", "y_train"), ("train_images", "train_labels"))
TEST_NAMES = (("x_test", "y_test"), ("test_images", "test_labels"))
WHOLE_NAMES = (("images", "labels"), ("x", "y"))
CURE = "Write it with np.savez_compressed(path, images=..., labels=...)"
CHANNEL_COUNTS = (1, 2, 3, 4)


def npz_source(path: Path, name: str) -> Source:
    """An archive of arrays.

    Images have the shape (N, H, W), (N, C, H, W) or (N, H, W, C); the last is taken where the
    last axis has 1 to 4 entries and the second has not. Booleans become 0 and 255; integers must
    lie in 0 to 255; floats stay as they are (float16 becomes float32). Labels are integers from
    0, shape (N,) or (N, 1), or strings. An array ``classes`` of strings names the classes.
    """
    with parsing(path, CURE), zipfile.ZipFile(path) as archive:
        members = {member.removesuffix(".npy") for member in archive.namelist()}
    train = find_names(members, TRAIN_NAMES + WHOLE_NAMES)
    test = find_names(members, TEST_NAMES)
    if train is None:
        rule = "holds no pair of images and labels"
        values = {"arrays": ", ".join(sorted(members)[:8]) or "none"}
        raise DatasetError(message(str(path), rule, values, CURE))
    names = {"train": train, "test": test or train}
    return Source(lambda split: read_npz(path, name, names[split], train[1]), test is not None)


def find_names(
    members: set[str], candidates: tuple[tuple[str, str], ...]
) -> tuple[str, str] | None:
    """The first pair of names of which both are there."""
    return next((pair for pair in candidates if members.issuperset(pair)), None)


def read_npz(path: Path, name: str, names: tuple[str, str], train_labels: str) -> Dataset:
    """One part of an archive; the classes are those of the training part."""
    arrays = read_arrays(path, {*names, train_labels, "classes"})
    where = f"{path}: {names[1]}"
    known = flat_labels(arrays[train_labels], f"{path}: {train_labels}")
    known, classes = named_classes(known, arrays.get("classes"), f"{path}: {train_labels}")
    labels = flat_labels(arrays[names[1]], where)
    if labels.dtype.kind == "U":
        labels = label_numbers(labels, classes, where)
    images = channels_first(arrays[names[0]], f"{path}: {names[0]}")
    if not len(images):
        raise DatasetError(message(f"{path}: {names[0]}", "holds no image", None, CURE))
    return replace(Dataset(images, labels, classes, str(path)), name=name)


def read_arrays(path: Path, names: set[str]) -> dict[str, NDArray[Any]]:
    """The named arrays that are there. Pickles are never opened: they can run code."""
    with parsing(path, CURE), np.load(path, allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in names if name in archive}
        for name, array in arrays.items():
            check_array(array, f"{path}: {name}")
        return arrays


def check_array(array: object, where: str) -> None:
    """Refuse what NumPy hands out unseen: other members as bytes, strings of no characters."""
    if not isinstance(array, np.ndarray):
        raise DatasetError(message(where, "is not an array", None, CURE))
    if array.dtype.kind == "U" and (code_points(array) > sys.maxunicode).any():
        raise DatasetError(message(where, "holds what is no character", None, CURE))


def code_points(strings: NDArray[Any]) -> NDArray[np.uint32]:
    """The characters of an array of strings, as numbers."""
    return np.ascontiguousarray(strings).reshape(-1).view(strings.dtype.byteorder + "u4")


def flat_labels(labels: NDArray[Any], where: str) -> NDArray[Any]:
    """Labels of shape (N,), integers or strings."""
    flat = labels[:, 0] if labels.ndim == 2 and labels.shape[1] == 1 else labels
    if flat.ndim != 1 or flat.dtype.kind not in "iubU":
        rule = "labels must be integers or strings, one an image"
        values = {"shape": labels.shape, "dtype": labels.dtype}
        raise DatasetError(message(where, rule, values, "Use labels.argmax(axis=1) for one-hot"))
    return flat.astype(np.uint8) if flat.dtype.kind == "b" else flat


def named_classes(
    labels: NDArray[Any], names: NDArray[Any] | None, where: str
) -> tuple[Labels, tuple[str, ...]]:
    """Training labels as numbers, and the classes: as stored, as found, or "0", "1", ..."""
    if names is None and labels.dtype.kind == "U":
        names = np.unique(labels)
    if names is None:
        numbers = checked_numbers(labels, where)
        return numbers, numbered_classes(numbers, where)
    if names.dtype.kind != "U" or names.ndim != 1:
        values = {"shape": names.shape, "dtype": names.dtype}
        rule, cure = "classes must be a list of strings", "Use classes=np.array(['cat', 'dog'])"
        raise DatasetError(message(where, rule, values, cure))
    classes = tuple(names.tolist())
    numbers = label_numbers(labels, classes, where)
    check_every_class(numbers, classes, where)
    return numbers, classes


def checked_numbers(labels: NDArray[Any], where: str) -> Labels:
    """Labels as int64, from 0."""
    numbers = labels.astype(np.int64)
    if (numbers < 0).any():  # this also catches uint64 past int64, which turns negative
        rule, cure = "labels must be numbered from 0", "Number the classes 0, 1, 2, ..."
        raise DatasetError(message(where, rule, {"smallest": int(numbers.min())}, cure))
    return numbers


def label_numbers(labels: NDArray[Any], classes: tuple[str, ...], where: str) -> Labels:
    """Strings to class numbers; numbers stay."""
    if labels.dtype.kind != "U":
        return checked_numbers(labels, where)
    index = {label: number for number, label in enumerate(classes)}
    unknown = next((label for label in labels.tolist() if label not in index), None)
    if unknown is not None:
        rule, cure = "a label names no class", "Name every class in `classes`"
        raise DatasetError(message(where, rule, {"label": repr(unknown)}, cure))
    return np.array([index[label] for label in labels.tolist()], np.int64)


def channels_first(images: NDArray[Any], where: str) -> NDArray[Any]:
    """Images as (N, C, H, W), uint8 or float."""
    pixels = as_pixels(images, where)
    if pixels.ndim == 3:
        return pixels[:, None]
    if pixels.ndim != 4:
        rule, cure = "images must be (N, H, W), (N, C, H, W) or (N, H, W, C)", "Reshape them"
        raise DatasetError(message(where, rule, {"shape": images.shape}, cure))
    if pixels.shape[3] in CHANNEL_COUNTS and pixels.shape[1] not in CHANNEL_COUNTS:
        return np.ascontiguousarray(pixels.transpose(0, 3, 1, 2))
    return pixels


def as_pixels(images: NDArray[Any], where: str) -> NDArray[Any]:
    """Pixels in a dtype that `Dataset` takes, where no value changes its meaning."""
    kind = images.dtype.kind
    if kind == "b":
        return images.astype(np.uint8) * np.uint8(255)
    if kind in "iu" and (not images.size or (images.min() >= 0 and images.max() <= 255)):
        return images.astype(np.uint8)
    if kind == "f":
        return images.astype(np.float32 if images.dtype.itemsize <= 4 else np.float64)
    rule, cure = "images must be numbers, integers in 0 to 255", "Scale them or convert to float32"
    raise DatasetError(message(where, rule, {"dtype": images.dtype}, cure))
