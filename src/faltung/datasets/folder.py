"""Folders of images: one sub-folder a class, with ``train/`` and ``test/`` above them or not.

PNG, JPEG, BMP and GIF, all of one size. What a viewer shows is what is read: EXIF orientation is
applied, transparency lies on white, 16 bits are rounded to 8, of an animation the first frame
counts. Grey images have one channel, colour images three; where both occur, all have three.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from faltung.datasets.dataset import Dataset
from faltung.datasets.source import Source, parsing
from faltung.errors import DatasetError, message

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif")
FORMATS = ("PNG", "JPEG", "BMP", "GIF")
GREY_MODES = ("1", "L", "LA")
CURE = "Replace it by a PNG, JPEG, BMP or GIF, or take it away"


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
    with opened(path) as image:
        return pixels_of(ImageOps.exif_transpose(image))


@contextmanager
def opened(path: Path) -> Iterator[Image.Image]:
    """An image file; a decompression bomb is an error, never a warning."""
    with parsing(path, CURE), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        with Image.open(path, formats=FORMATS) as image:
            yield image


def pixels_of(image: Image.Image) -> NDArray[np.uint8]:
    """The pixels that a viewer shows, channels first."""
    if image.mode.startswith("I"):
        return eight_bits(np.asarray(image))[None]
    mode = "L" if is_grey(image) else "RGB"
    if image.has_transparency_data:
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image.convert("RGBA"))
    pixels = np.asarray(image.convert(mode))
    return pixels[None] if mode == "L" else np.ascontiguousarray(pixels.transpose(2, 0, 1))


def eight_bits(values: NDArray[Any]) -> NDArray[np.uint8]:
    """0 to 65535 rounded to 0 to 255; 257 steps are one."""
    wide = values.astype(np.int64)
    if wide.min() < 0 or wide.max() > 65535:
        raise ValueError("more than 16 bits a pixel")
    return ((wide + 128) // 257).astype(np.uint8)


def is_grey(image: Image.Image) -> bool:
    """Whether no colour can occur: by mode, or by the colours of the palette."""
    if image.mode == "P":
        palette = np.reshape(image.getpalette("RGB") or [], (-1, 3))
        return bool((palette == palette[:, :1]).all())
    return image.mode in GREY_MODES
