"""The report on whether a convolution fits data."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from faltung.analysis.data.blocks import places
from faltung.analysis.data.columns import columns_curve
from faltung.analysis.data.correlations import SHUFFLED, correlations
from faltung.analysis.data.curves import Curve, Far
from faltung.analysis.data.material import MOST, Material
from faltung.analysis.data.orders import by_order
from faltung.analysis.data.places import Places
from faltung.analysis.data.planes import shuffled_values
from faltung.analysis.data.reading import material_of
from faltung.analysis.data.tables import curve_table, lengths, place_blocks, said
from faltung.analysis.data.verdict import Verdict, verdict_of
from faltung.errors import GeometryError, message
from faltung.report import AbstractReport, Table

SHUFFLES: Final = 200
EXAMPLE: Final = "cat"

LISTED: Final = 8
"""Names of columns that a title lists."""


@dataclass(frozen=True, eq=False)
class DataReport(AbstractReport):
    """Correlation against distance, places, and a verdict, beside the same values shuffled.

    Parameters
    ----------
    material
        What was looked at.
    curves
        Correlation against distance, one curve for each axis.
    far
        The correlation of opposite parts.
    places
        Blocks and drifts; None where the samples are too small for blocks.
    columns
        For a table of four columns or more: how alike columns are, by their distance.
    verdict
        What it all means for a convolution.
    shuffles
        How often the values were shuffled for the intervals; 0 where these are derived.
    seed
        What chance depended on.
    is_shuffled
        Whether the values were shuffled before they were looked at.
    """

    material: Material
    curves: tuple[Curve, ...]
    far: Far
    places: Places | None
    columns: Curve | None
    verdict: Verdict
    shuffles: int
    seed: int
    is_shuffled: bool = False

    def blocks(self) -> list[Table | str]:
        """Return the verdict, the curves, the places, and how all of it was found."""
        made: list[Table | str] = [self._title(), self.verdict.headline]
        made += ["\n".join(("Locality", *self.verdict.locality))]
        made += ["\n".join(("Sharing", *self.verdict.sharing))]
        made += [self.verdict.columns] if self.verdict.columns else []
        made += [curve_table(self.curves), lengths(self.curves, self.material)]
        made += [said(self.curves)] if self.material.unit == "pixels" else []
        made += [curve_table([self.columns])] if self.columns is not None else []
        made += place_blocks(self.places) if self.places is not None else []
        return [*made, *(f"Note: {note}." for note in self.material.notes), self._how()]

    def _title(self) -> str:
        made, mixed = self.material, ", shuffled" if self.is_shuffled else ""
        sizes = "×".join(f"{n:,}" for n in made.sizes)
        channels = sorted({batch.shape[1] for batch in made.batches})
        count = " or ".join(map(str, channels))
        one = "channel" if channels == [1] else "channels"
        if made.kind == "table":
            more = " and more" if channels[0] > LISTED else ""
            listed = ", ".join(made.columns[:LISTED]) + more
            return f"{made.name}{mixed}: {sizes} rows of {count} columns: {listed}."
        noun = "images" if made.kind == "images" else "samples"
        many = f"{made.samples:,} {noun} of " if made.samples > 1 else ""
        least = "at least " if len(made.batches) > 1 else ""
        return f"{made.name}{mixed}: {many}{least}{sizes} {made.unit}, {count} {one}."

    def _how(self) -> str:
        told = (
            f"the same values in {self.shuffles} random orders (seed {self.seed})"
            if self.shuffles
            else f"more than {SHUFFLED:,} values, so mean and variance under random orders, derived"
        )
        return (
            "How: Pearson's correlation of all pairs of values so far apart along an axis. "
            f"Shuffled: {told}; channels stay together, samples are shuffled each on its own; "
            "95 % lie within the interval. Blocks: each sample with mean 0 and standard deviation "
            "1; shuffled, 95 % have all blocks within."
        )

    def to_dict(self) -> dict[str, Any]:
        """Return every figure, the curves too."""
        made = self.material
        return {
            "name": made.name,
            "kind": made.kind,
            "samples": made.samples,
            "samples_seen": made.seen,
            "sizes": list(made.sizes),
            "unit": made.unit,
            "rate": made.rate,
            "table_columns": list(made.columns),
            "is_shuffled": self.is_shuffled,
            "verdict": self.verdict.to_dict(),
            "curves": [curve.to_dict() for curve in self.curves],
            "far": self.far.to_dict(),
            "places": self.places and self.places.to_dict(),
            "columns": self.columns and self.columns.to_dict(),
            "shuffles": self.shuffles,
            "seed": self.seed,
            "notes": list(made.notes),
        }


def data_report(
    data: Any = EXAMPLE,
    *,
    layout: str | None = None,
    data_dir: str | os.PathLike[str] | None = None,
    shuffled: bool = False,
    shuffles: int = SHUFFLES,
    seed: int = 0,
) -> DataReport:
    """Tell whether a convolution fits data: whether near values are alike, and everywhere so.

    Parameters
    ----------
    data : path, name, `Dataset` or array_like
        An image, a folder of images (of any sizes), a WAV, NPY, NPZ or CSV file; a name of
        `faltung.datasets` (``"sample"``, ``"mnist"`` ...) or of a photograph (``"cat"`` ...); or
        an array. NaN and infinity are missing values.
    layout : str, optional
        For arrays and NPY files: a letter for each axis, N for samples, C for channels, others for
        space, such as ``"NCHW"`` or ``"T"``. Without it the shape decides, and the report says so.
    data_dir : path, optional
        The folder with the files of a named data set.
    shuffled : bool
        Shuffle the values first. What a convolution needs is gone then, and the report says so.
    shuffles : int
        How many random orders give the intervals, 20 at least.
    seed : int
        What chance depends on: orders, and which part of large data is looked at.

    Returns
    -------
    DataReport
        A report: text when printed, HTML in notebooks, ``to_dict()`` for JSON; its curves are
        drawn by ``faltung explain data --out``.

    Raises
    ------
    StorageError, FileFormatError, DatasetError
        What cannot be read; data Q4: no axis of two positions. Q5: nothing but missing values.
        Q6: values that do not vary.
    DTypeError
        data Q1: complex numbers, text, objects.
    GeometryError
        data Q2: a layout that does not fit. Q3: no values. Q7: too few shuffles, or a negative
        seed.

    Notes
    -----
    The *correlation length* is the distance at which the correlation has fallen to 1/e. It is
    measured up to half of each axis. At most 4 million values are looked at, on whole lines, so
    that distances stay what they are; lines of more than 262,144 values in stretches of as many.

    Examples
    --------
    >>> noise = np.random.RandomState(42).randn(100, 100)
    >>> report = data_report(noise)
    >>> round(report.curves[0].neighbours, 4), round(report.far.value, 4), report.verdict.fits
    (-0.014, 0.0106, 'no')
    """
    check_chance(shuffles, seed)
    made = material_of(data, layout=layout, data_dir=data_dir, seed=seed)
    rng = np.random.default_rng(seed)
    batches = made.batches
    if shuffled:
        batches = tuple(shuffled_values(batch, rng) for batch in batches)
    found = correlations(batches, made.axes, made.unit, most=MOST, shuffles=shuffles, rng=rng)
    where = places(batches, made.axes, most=MOST, moves=shuffles, rng=rng)
    curves = tuple(
        replace(curve, by_order=by_order(batches, made.axes.index(curve.axis), shuffles, MOST, rng))
        for curve in found.curves
    )
    is_table = made.kind == "table"
    across = columns_curve(batches[0][0], shuffles, rng) if is_table else None
    verdict = verdict_of(curves, found.far, where, made, across)
    return DataReport(
        made, curves, found.far, where, across, verdict, found.shuffles, seed, shuffled
    )


def check_chance(shuffles: int, seed: int) -> None:
    """Refuse what is no number of random orders, and no seed."""
    for name, value, least in (("shuffles", shuffles, 20), ("seed", seed, 0)):
        if value < least:
            rule = f"{name} must be at least {least}"
            raise GeometryError(message("data", rule, {name: value}, "", "data Q7"))
