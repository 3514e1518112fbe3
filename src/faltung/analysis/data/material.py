"""What is looked at: samples of one kind, their axes, and what was left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from faltung.errors import DatasetError, DTypeError, GeometryError, message

Array = NDArray[Any]

MOST: Final = 1 << 22
"""Values that are looked at; of more, a part."""

SAMPLES: Final = 64
"""So many samples are looked at even if they hold more values: each in part."""

COLOURS: Final = (1, 3)
"""Sizes of an axis that is taken for channels where no layout is given."""


@dataclass(frozen=True, eq=False)
class Material:
    """Samples of some channels, in batches of equal sizes.

    Parameters
    ----------
    name
        What the data are called.
    kind
        ``"image"``, ``"images"``, ``"sound"``, ``"array"`` or ``"table"``.
    batches
        Arrays (samples, channels, *space) of numbers; NaN and infinity are missing values.
    axes
        Names of the axes of space.
    unit
        What distances are counted in.
    samples
        How many samples there are, those not looked at too.
    notes
        What was assumed, chosen and left out.
    columns
        Names of a table's columns.
    rate
        Samples a second of a sound.
    """

    name: str
    kind: str
    batches: tuple[Array, ...]
    axes: tuple[str, ...]
    unit: str
    samples: int
    notes: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    rate: int | None = None

    @property
    def seen(self) -> int:
        """How many samples are looked at."""
        return sum(len(batch) for batch in self.batches)

    @property
    def sizes(self) -> tuple[int, ...]:
        """Positions along each axis, of the smallest sample."""
        return tuple(
            min(batch.shape[2 + a] for batch in self.batches) for a in range(len(self.axes))
        )

    def noting(self, *notes: str) -> Material:
        """Return the same with more notes."""
        return replace(self, notes=(*self.notes, *notes))


def names_of(axes: int) -> tuple[str, ...]:
    """Return what the axes of space are called.

    >>> names_of(1), names_of(2), names_of(3)
    (('position',), ('vertical', 'horizontal'), ('axis 1', 'axis 2', 'axis 3'))
    """
    known = {1: ("position",), 2: ("vertical", "horizontal")}
    return known.get(axes) or tuple(f"axis {a + 1}" for a in range(axes))


def from_array(values: ArrayLike, layout: str | None = None, name: str = "array") -> Material:
    """Take an array for samples, channels and space.

    Parameters
    ----------
    values : array_like
        Booleans, integers or floats.
    layout
        A letter for each axis: N for samples, C for channels, others for space. Without it an
        image is taken for one where its last axis (or the first of three) has 3 entries.
    name
        What the array is called.

    Raises
    ------
    DTypeError
        data Q1: complex numbers, text, objects.
    GeometryError
        data Q2: a layout that does not fit. Q3: no values.
    """
    array = np.asarray(values)
    if array.dtype.kind not in "biuf":
        rule, cure = "must hold booleans, integers or floats", "Take parts or magnitudes first"
        raise DTypeError(message(name, rule, {"dtype": array.dtype}, cure, "data Q1"))
    if not array.size or not array.ndim:
        rule, shape = "must be an array with values", {"shape": array.shape}
        raise GeometryError(message(name, rule, shape, "", "data Q3"))
    letters = layout_of(array.shape) if layout is None else checked(layout, array.shape, name)
    space = [letter for letter in letters if letter not in "NC"]
    batch = arranged(array, letters)
    unit = "samples" if len(space) == 1 else "positions"
    taken = f"{'×'.join(map(str, array.shape))} taken as {letters}"
    made = Material(name, "array", (batch,), names_of(len(space)), unit, len(batch))
    return made.noting(f"{taken}: N samples, C channels, others space") if layout is None else made


def layout_of(shape: Sequence[int]) -> str:
    """Guess what the axes of an array are.

    >>> layout_of((9,)), layout_of((9, 9)), layout_of((9, 9, 3)), layout_of((5, 1, 9, 9))
    ('T', 'HW', 'HWC', 'NCHW')
    """
    guesses = {1: "T", 2: "HW", 3: "DHW"}
    if len(shape) == 3 and shape[2] in COLOURS:
        return "HWC"
    if len(shape) == 3 and shape[0] in COLOURS:
        return "CHW"
    if len(shape) == 4 and shape[3] in COLOURS:
        return "NHWC"
    if len(shape) == 4 and shape[1] in COLOURS:
        return "NCHW"
    others = "DEFGHIJKLMOPQRSTUVWXYZAB"
    return guesses.get(len(shape)) or others[: len(shape)]


def checked(layout: str, shape: Sequence[int], name: str) -> str:
    """Return a layout in capitals, if it has a letter for each axis and one for space."""
    letters = layout.upper()
    fits = len(letters) == len(shape) == len(set(letters)) and letters.isalpha()
    if not fits or not set(letters) - set("NC"):
        rule = "layout must have a letter for each axis, N samples, C channels, others space"
        got = {"layout": repr(layout), "shape": tuple(shape)}
        cure = f"Use {layout_of(shape)}, for example"
        raise GeometryError(message(name, rule, got, cure, "data Q2"))
    return letters


def arranged(array: Array, letters: str) -> Array:
    """Bring the axes into the order samples, channels, space; missing ones have one entry."""
    order = [letters.index(letter) for letter in ("N", "C") if letter in letters]
    order += [i for i, letter in enumerate(letters) if letter not in "NC"]
    moved = array.transpose(order)
    return moved[tuple(slice(None) if letter in letters else None for letter in "NC")]


def limited(made: Material, rng: np.random.Generator, seed: int) -> Material:
    """Look at some of many samples, chosen by chance.

    So many as hold `MOST` values, or `SAMPLES` where these are more.
    """
    (batch,) = made.batches
    fit = max(SAMPLES, MOST // max(1, prod(batch.shape[1:])))
    if len(batch) <= fit:
        return made
    chosen = np.sort(rng.choice(len(batch), fit, replace=False))
    note = f"{fit:,} of {len(batch):,} samples are looked at, chosen by chance (seed {seed})"
    return replace(made, batches=(batch[chosen],)).noting(note)


def sound(made: Material) -> Material:
    """Refuse what has nothing to correlate; note what is missing and what does not vary.

    Raises
    ------
    DatasetError
        data Q4: no axis of two positions. Q5: every value missing. Q6: no two different values.
    """
    if max(made.sizes) < 2:
        rule, sizes = "an axis needs two positions at least", {"sizes": made.sizes}
        raise DatasetError(message(made.name, rule, sizes, "Use a larger one", "data Q4"))
    counts = [_planes(batch) for batch in made.batches]
    planes, still, missing, values = (sum(each) for each in zip(*counts, strict=True))
    if missing == values:
        rule = "every value is missing, NaN or infinite"
        raise DatasetError(message(made.name, rule, {"values": values}, "", "data Q5"))
    if still == planes:
        one = {"planes": planes} if planes > 1 or missing else {"value": made.batches[0].flat[0]}
        rule = "values must vary to be correlated"
        raise DatasetError(message(made.name, rule, one, "", "data Q6"))
    notes = []
    if missing:
        notes.append(f"{missing:,} of {values:,} values are missing, NaN or infinite: left out")
    if still:
        notes.append(f"{still:,} of {planes:,} planes have one value everywhere: left out")
    return made.noting(*notes)


def _planes(batch: Array) -> tuple[int, int, int, int]:
    """Planes, those that do not vary, missing values, all values."""
    space = tuple(range(2, batch.ndim))
    if batch.dtype.kind == "f":
        there = np.isfinite(batch)
        high = np.where(there, batch, -np.inf).max(axis=space)
        low = np.where(there, batch, np.inf).min(axis=space)
        missing = batch.size - int(there.sum())
    else:
        high, low, missing = batch.max(axis=space), batch.min(axis=space), 0
    return high.size, int((high <= low).sum()), missing, batch.size
