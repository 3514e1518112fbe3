"""The record that every reader returns: images, their labels, the names of the classes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from faltung.errors import DatasetError, message

Images = NDArray[Any]
Labels = NDArray[np.int64]

IMAGE_DTYPES = ("uint8", "float32", "float64")


@dataclass(frozen=True, eq=False)
class Dataset:
    """Images with labels.

    Parameters
    ----------
    images : array, shape (N, C, H, W), uint8 (0 to 255), float32 or float64
        Floats are finite, in whatever range the source has. Kept as a read-only view.
    labels : array, shape (N,), any integer dtype
        Class numbers, 0 to ``len(classes) - 1``. Kept as read-only int64.
    classes : sequence of str
        The name of each class.
    name : str
        What the data are called in tables and messages.
    note : str
        What a user should know about where the data come from, such as a part held out.

    Raises
    ------
    DatasetError
        Where shapes, dtypes, counts or label values contradict each other.

    Examples
    --------
    >>> data = Dataset(np.zeros((4, 1, 2, 2), np.uint8), [0, 1, 0, 1], ("cat", "dog"), "pets")
    >>> len(data), data.image_shape, data.class_counts
    (4, (1, 2, 2), (2, 2))
    """

    images: Images
    labels: Labels
    classes: tuple[str, ...]
    name: str
    note: str = ""

    def __post_init__(self) -> None:
        images = np.asarray(self.images)
        check_images(images, self.name)
        labels = checked_labels(self.labels, len(images), self.name)
        check_classes(tuple(self.classes), self.name)
        check_range(labels, len(self.classes), self.name)
        # Views: a caller's own array must not become read-only by being handed over.
        for field, array in (("images", images.view()), ("labels", labels.view())):
            array.flags.writeable = False
            object.__setattr__(self, field, array)
        object.__setattr__(self, "classes", tuple(self.classes))

    def __len__(self) -> int:
        return len(self.labels)

    def __repr__(self) -> str:
        shape = "x".join(map(str, self.image_shape))
        return f"Dataset({self.name!r}: {len(self)} images {shape}, {len(self.classes)} classes)"

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(C, H, W) of each image."""
        channels, height, width = self.images.shape[1:]
        return channels, height, width

    @property
    def class_counts(self) -> tuple[int, ...]:
        """How many images each class has."""
        return tuple(np.bincount(self.labels, minlength=len(self.classes)).tolist())

    def subset(self, indices: ArrayLike) -> Dataset:
        """Return some of the images, copied; all classes are kept.

        Parameters
        ----------
        indices : array_like of int or bool
            Positions, or one boolean an image.

        Examples
        --------
        >>> data = Dataset(np.zeros((4, 1, 2, 2), np.uint8), [0, 1, 0, 1], ("cat", "dog"), "pets")
        >>> data.subset(data.labels == 1).class_counts
        (0, 2)
        """
        chosen = np.asarray(indices)
        if chosen.size == 0:
            chosen = chosen.astype(np.int64)
        return replace(self, images=self.images[chosen], labels=self.labels[chosen])

    def with_labels(self, labels: ArrayLike, classes: Sequence[str] | None = None) -> Dataset:
        """Return the same images under other labels, such as permuted or random ones.

        Parameters
        ----------
        labels : array_like of int, (N,)
            Class numbers.
        classes : sequence of str, optional
            Other names; without them the classes keep theirs.

        Raises
        ------
        DatasetError
            As `Dataset`.
        """
        names = self.classes if classes is None else tuple(classes)
        return replace(self, labels=np.asarray(labels), classes=names)

    def split(self, fraction: float, seed: int = 0) -> tuple[Dataset, Dataset]:
        """Hold out ``fraction`` of each class: (the rest, the part held out).

        The choice depends on the labels and ``seed`` alone; both parts keep the order of the
        images. A class of two images or more gives at least one and keeps at least one.

        Parameters
        ----------
        fraction : float
            Between 0 and 1.
        seed : int
            Chooses the images.

        Returns
        -------
        rest, held : Dataset

        Raises
        ------
        DatasetError
            Where ``fraction`` is not between 0 and 1, or no class has two images.

        Examples
        --------
        >>> data = Dataset(np.zeros((6, 1, 2, 2), np.uint8), [0, 1, 0, 1, 1, 1], "ab", "letters")
        >>> [part.class_counts for part in data.split(0.5)]
        [(1, 2), (1, 2)]
        """
        held = held_out(self.labels, fraction, seed, self.name)
        return self.subset(~held), self.subset(held)


def held_out(labels: Labels, fraction: float, seed: int, name: str) -> NDArray[np.bool_]:
    """A mask, stratified by class, of the images that are held out."""
    if not 0 < fraction < 1:
        rule = "the fraction held out must lie between 0 and 1"
        raise DatasetError(message(name, rule, {"fraction": fraction}, "Use 0.1, for example"))
    generator = np.random.default_rng(seed)
    held = np.zeros(len(labels), bool)
    for label in np.unique(labels):
        members = generator.permutation(np.flatnonzero(labels == label))
        count = min(max(round(fraction * len(members)), 1), len(members) - 1)
        held[members[:count]] = True
    if not held.any():
        rule = "no class has two images, so nothing can be held out"
        raise DatasetError(message(name, rule, {"images": len(labels)}, "Add images"))
    return held


def check_images(images: Images, name: str) -> None:
    """Refuse anything but (N, C, H, W) of finite pixels."""
    if images.dtype.name not in IMAGE_DTYPES:
        rule, cure = "images must be uint8, float32 or float64", "Convert them with astype"
        raise DatasetError(message(name, rule, {"dtype": images.dtype}, cure))
    if images.ndim != 4 or 0 in images.shape[1:]:
        rule, cure = "images must have the shape (N, C, H, W)", "Use images[:, None] for grey ones"
        raise DatasetError(message(name, rule, {"shape": images.shape}, cure))
    if images.dtype != np.uint8 and not np.isfinite(images).all():
        index = int(np.argmin(np.isfinite(images).all(axis=(1, 2, 3))))
        rule, cure = "pixels must be finite", "Leave the image out"
        raise DatasetError(message(name, rule, {"image": index}, cure))


def checked_labels(labels: ArrayLike, count: int, name: str) -> Labels:
    """The labels as int64, one an image."""
    array = np.asarray(labels)
    if array.size == 0:
        array = array.astype(np.int64)
    if array.ndim != 1 or not np.issubdtype(array.dtype, np.integer):
        rule = "labels must be integers, one an image"
        values = {"shape": array.shape, "dtype": array.dtype}
        raise DatasetError(message(name, rule, values, "Use labels.argmax(axis=1) for one-hot"))
    if len(array) != count:
        values = {"images": count, "labels": len(array)}
        cure = "Use images and labels of the same part"
        raise DatasetError(message(name, "every image needs one label", values, cure))
    return array.astype(np.int64)


def check_classes(classes: tuple[str, ...], name: str) -> None:
    """Refuse names that a table could not show or tell apart."""
    odd = next((label for label in classes if not (label and label.isprintable())), None)
    if odd is not None:
        rule, cure = "class names must be printable, not empty", "Give the class another name"
        raise DatasetError(message(name, rule, {"class": ascii(odd)}, cure))
    label, count = Counter(classes).most_common(1)[0] if classes else ("", 0)
    if count > 1:
        rule, cure = "class names must differ", "Name every class once"
        raise DatasetError(message(name, rule, {"class": repr(label)}, cure))


def check_range(labels: Labels, classes: int, name: str) -> None:
    """Refuse a label that names no class."""
    wrong = (labels < 0) | (labels >= classes)
    if wrong.any():
        index = int(wrong.argmax())
        rule = f"labels must lie in 0 to {classes - 1}"
        values = {"label": int(labels[index]), "image": index}
        raise DatasetError(message(name, rule, values, "Correct the label or name every class"))
