"""From a path, a name, a data set or an array to what is looked at."""

from __future__ import annotations

import os
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from faltung import datasets
from faltung.analysis.data.material import MOST, Material, from_array, limited, names_of, sound
from faltung.analysis.data.planes import STRETCH
from faltung.errors import DatasetError, FileFormatError, StorageError, message

Array = NDArray[Any]

FILES: Final = 200
"""Images of a folder that are read, at most."""

VALUES: Final = 1 << 26
"""Values of a folder's images after which no more are read."""

IMAGES: Final = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff")
TABLES: Final = (".csv", ".tsv", ".txt")


def material_of(
    data: Any,
    *,
    layout: str | None,
    data_dir: str | os.PathLike[str] | None,
    seed: int,
) -> Material:
    """Read what is named, or take what is given; see `faltung.data_report`."""
    rng = np.random.default_rng(seed)
    if isinstance(data, str | os.PathLike):
        made = _read(os.fspath(data), layout, data_dir, rng, seed)
    elif isinstance(data, datasets.Dataset):
        made = _of_dataset(data)
    else:
        made = from_array(data, layout)
    if len(made.batches) == 1:
        made = limited(made, rng, seed)
    made = sound(made)
    total = sum(batch.size for batch in made.batches)
    if total > MOST:
        part = f"{MOST:,} of {total:,} values are looked at along each axis, on whole lines chosen"
        cut = f", cut into stretches of {STRETCH:,}" if max(made.sizes) > STRETCH else ""
        made = made.noting(f"{part} by chance (seed {seed}){cut}")
    return made


def _read(
    name: str,
    layout: str | None,
    data_dir: str | os.PathLike[str] | None,
    rng: np.random.Generator,
    seed: int,
) -> Material:
    if name in datasets.PHOTOS:
        return _of_image(datasets.photo(name), name)
    if name in datasets.NAMES or data_dir is not None:
        return _of_dataset(datasets.load(name, data_dir=data_dir))
    path = Path(name)
    if path.is_dir():
        files = _image_files(path)
        return _of_folder(path, files, rng, seed) if files else _of_other_folder(path)
    if path.suffix.lower() == ".npy":
        from faltung.files.array import read_array

        return from_array(read_array(path), layout, name)
    if path.suffix.lower() in TABLES:
        return _of_table(path)
    return _of_file(path)


def _of_file(path: Path) -> Material:
    if not path.exists():
        known = ", ".join((*datasets.NAMES, *datasets.PHOTOS))
        rule = "there is no such file or folder"
        raise StorageError(message(str(path), rule, None, f"Use one that exists, or {known}"))
    if path.suffix.lower() == ".wav":
        return _of_sound(path)
    if path.suffix.lower() == ".npz" or path.name.endswith((".tar.gz", ".tgz", ".tar")):
        return _of_dataset(datasets.load(path))
    # Pillow is loaded only where there are images to read.
    from faltung.files.image import read_image

    return _of_image(read_image(path), str(path))


def _of_image(pixels: Array, name: str) -> Material:
    made = from_array(pixels, "HW" if pixels.ndim == 2 else "HWC", name)
    return replace(made, kind="image", unit="pixels")


def _of_dataset(data: datasets.Dataset) -> Material:
    if not len(data):
        raise DatasetError(message(data.name, "has no images", None, "", "data Q3"))
    made = from_array(data.images, "NCHW", data.name)
    return replace(made, kind="images", unit="pixels")


def _of_sound(path: Path) -> Material:
    from faltung.files.sound import read_sound

    heard = read_sound(path)
    made = from_array(heard.samples, "TC", str(path))
    return replace(made, kind="sound", axes=("time",), rate=heard.rate)


def _image_files(folder: Path) -> list[Path]:
    """Images in a folder and its sub-folders; hidden ones are not looked for."""
    found = (path for path in sorted(folder.rglob("*")) if path.suffix.lower() in IMAGES)
    return [
        path
        for path in found
        if path.is_file()
        and not any(part.startswith((".", "__")) for part in path.relative_to(folder).parts)
    ]


def _of_other_folder(folder: Path) -> Material:
    """IDX and CIFAR files; a folder with nothing in it gets a line of its own."""
    if not any(folder.iterdir()):
        cure = f"Put images there ({', '.join(IMAGES)})"
        raise DatasetError(message(str(folder), "the folder is empty", None, cure, "data Q3"))
    return _of_dataset(datasets.load(folder))


def _of_folder(folder: Path, files: list[Path], rng: np.random.Generator, seed: int) -> Material:
    """Images of any sizes; those much smaller than the others are left out."""
    order = rng.permutation(len(files))[:FILES].tolist()
    images, broken = _read_images([files[i] for i in order])
    read = len(images)
    typical = [median(image.shape[1 + a] for image in images) for a in range(2)]
    images = [
        i for i in images if all(2 * n >= t for n, t in zip(i.shape[1:], typical, strict=True))
    ]
    groups: dict[tuple[int, ...], list[Array]] = defaultdict(list)
    for image in images:
        groups[image.shape].append(image)
    batches = tuple(np.stack(group) for group in groups.values())
    made = Material(str(folder), "images", batches, names_of(2), "pixels", len(files))
    if read + len(broken) < len(files):
        made = made.noting(
            f"{read} of {len(files)} images are read, chosen by chance (seed {seed})"
        )
    if broken:
        made = made.noting(f"{len(broken)} could not be read, the first {broken[0]}: left out")
    if len(images) < read:
        rest = f"{read - len(images)} images are less than half as high or wide as most: left out"
        made = made.noting(rest)
    return made if len(batches) == 1 else made.noting(f"{len(batches)} sizes of images")


def _read_images(files: list[Path]) -> tuple[list[Array], list[str]]:
    """Images as (C, H, W), and the names of those that are broken; at least one is not."""
    from faltung.files.image import read_image

    images: list[Array] = []
    broken: dict[str, FileFormatError] = {}
    for path in files:
        try:
            pixels = read_image(path)
        except FileFormatError as error:
            broken[path.name] = error
            continue
        images.append(pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1))
        if sum(image.size for image in images) > VALUES:
            break
    if not images:
        raise next(iter(broken.values()))
    return images, list(broken)


def _of_table(path: Path) -> Material:
    """Columns of numbers as channels along the rows."""
    from faltung.files.table import read_table

    table = read_table(path)
    notes = [f"no numbers, left out: {name} ({cell!r})" for name, cell in table.others.items()]
    kept = []
    for number, name in enumerate(table.names):
        why = _useless(table.values[:, number])
        kept += [] if why else [number]
        notes += [f"{why}, left out: {name}"] if why else []
    if not kept:
        cure = "; ".join(notes) if notes else ""
        rule = "no column has numbers that vary"
        raise DatasetError(message(str(path), rule, None, cure, "data Q6"))
    names = tuple(table.names[number] for number in kept)
    batch = table.values[:, kept].T[None]
    return Material(str(path), "table", (batch,), ("rows",), "rows", 1, tuple(notes), names)


def _useless(column: Array) -> str:
    """Why a column has nothing to tell; empty if it has."""
    there = column[np.isfinite(column)]
    if not len(there):
        return "every value missing"
    if there.min() == there.max():
        return "one value in every row"
    steps = np.diff(column)
    if len(column) > 2 and len(there) == len(column) and steps.min() == steps.max():
        return "counts the rows"
    return ""
