"""Folders of images: one sub-folder a class, with ``train/`` and ``test/`` above them or not.

PNG, JPEG, BMP and GIF, all of one size. What a viewer shows is what is read: EXIF orientation is
applied, transparency lies on white, 16 bits are rounded to 8, of an animation the first frame
counts. Grey images have one channel, colour images three; where both occur, all have three.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faltung.datasets.dataset import Dataset
from faltung.datasets.source import Source
from faltung.errors import DatasetError, FileFormatError, StorageError, message
from faltung.files.image import read_image as read_pixels

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif")
FORMATS = ("PNG", "JPEG", "BMP", "GIF")


def folder_source(root: Path, name: str) -> Source:
    """A folder of images. Hidden files, other suffixes and deeper folders are ignored."""
    parts = {"train": root, "test": root / "test"}
    has_parts = bool(class_names(root / "train"))
    if has_parts:
        parts["train"] = root / "train"
    classes = class_names(parts["train"])
    if not classes:
        rule = "holds neither IDX nor CIFAR files nor one sub-folder of images a class"
        raise DatasetError(message(str(root), rule, None, "Name the folder that does"))
    has_test = has_parts and bool(class_names(root / "test"))
    return Source(lambda split: read_split(parts[split], name, classes), has_test)


def class_names(folder: Path) -> tuple[str, ...]:
    """The sub-folders in order; as numbers, where all of them are numbers."""
    if not folder.is_dir():
        return ()
    names = sorted(entry.name for entry in folder.iterdir() if is_shown(entry) and entry.is_dir())
    if all(name.isascii() and name.isdigit() for name in names):
        names.sort(key=int)
    return tuple(names)


def is_shown(entry: Path) -> bool:
    """Whether it is data, not something that an operating system left there."""
    return not entry.name.startswith((".", "__"))


def read_split(folder: Path, name: str, classes: tuple[str, ...]) -> Dataset:
    """All images below a folder; classes in order, files of a class by name."""
    extra = sorted(set(class_names(folder)) - set(classes))
    if extra:
        cure = "Use the same sub-folders in train and test"
        rule = "a class of the test part is missing from the training part"
        raise DatasetError(message(str(folder), rule, {"class": repr(extra[0])}, cure))
    present = [label for label, title in enumerate(classes) if (folder / title).is_dir()]
    files = {label: image_files(folder / classes[label]) for label in present}
    pixels = read_images([path for label in present for path in files[label]])
    labels = np.repeat(present, [len(files[label]) for label in present])
    return Dataset(pixels, labels, classes, name)


def image_files(folder: Path) -> list[Path]:
    """The images of one class, at least one."""
    entries = (entry for entry in sorted(folder.iterdir()) if is_shown(entry))
    files = [path for path in entries if path.suffix.lower() in SUFFIXES and path.is_file()]
    if not files:
        values = {"class": repr(folder.name)}
        cure = f"Put images there ({', '.join(SUFFIXES)}) or take the folder away"
        raise DatasetError(message(str(folder), "a class has no image", values, cure))
    return files


def read_images(paths: list[Path]) -> NDArray[np.uint8]:
    """Images of one size as (N, C, H, W)."""
    images: list[NDArray[np.uint8]] = []
    for path in paths:
        image = read_image(path)
        if images and image.shape[1:] != images[0].shape[1:]:
            (height, width), (first_height, first_width) = image.shape[1:], images[0].shape[1:]
            rule = (
                f"all images must have one size, {paths[0].name} has {first_width}x{first_height}"
            )
            values = {"size": f"{width}x{height}"}
            raise DatasetError(message(str(path), rule, values, "Crop or scale it"))
        images.append(image)
    channels = max(len(image) for image in images)
    return np.stack([np.broadcast_to(image, (channels, *image.shape[1:])) for image in images])


def read_image(path: Path) -> NDArray[np.uint8]:
    """One image as (1, H, W) or (3, H, W)."""
    try:
        pixels = read_pixels(path, formats=FORMATS)
    except (FileFormatError, StorageError) as error:
        raise DatasetError(str(error)) from error
    pixels = eight_bits(pixels)
    return pixels[None] if pixels.ndim == 2 else np.ascontiguousarray(pixels.transpose(2, 0, 1))


def eight_bits(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    """16 bits rounded to 8; 257 steps are one."""
    if pixels.dtype == np.uint8:
        return pixels
    return ((pixels.astype(np.int64) + 128) // 257).astype(np.uint8)
