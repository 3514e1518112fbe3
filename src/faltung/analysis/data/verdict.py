"""What the figures say about a convolution."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

import numpy as np

from faltung.analysis.data.curves import Curve, Far
from faltung.analysis.data.material import Material
from faltung.analysis.data.places import Places
from faltung.analysis.data.words import (
    MOST_BLOCKS,
    NO_LOCALITY,
    SLIGHT,
    TOO_FEW,
    TOO_SMALL,
    VAGUE,
    column_words,
    cost_of_locality,
    far_words,
    is_alike,
    known_blocks,
    near_words,
    nearest,
    place_words,
)


@dataclass(frozen=True)
class Verdict:
    """Whether a convolution fits, and why.

    Parameters
    ----------
    fits
        ``"yes"``, ``"partly"``, ``"no"``, or ``"unknown"`` where there are too few values.
    axes
        Along which axes near values are alike or opposite.
    how
        Which of these they are.
    locality, sharing
        What the figures say about each of the two constraints, sentence by sentence.
    by_place
        Whether means or variances depend on the place; None where that cannot be told.
    but
        Where a convolution fits in part: what speaks against it.
    columns
        For a table: what the order of its columns means.
    """

    fits: str
    axes: tuple[str, ...]
    how: str
    locality: tuple[str, ...]
    sharing: tuple[str, ...]
    by_place: bool | None = None
    but: str = ""
    columns: str = ""

    @property
    def headline(self) -> str:
        """The verdict in one sentence or two."""
        if self.fits == "unknown":
            return "There are too few values that vary to tell whether a convolution fits."
        if self.fits == "no":
            return (
                "Nothing here speaks for a convolution: near values tell no more of one another "
                "than shuffled ones."
            )
        if self.fits == "partly":
            along = " and ".join(self.axes)
            return f"A convolution fits in part: near values {self.how} ({along}), but {self.but}."
        known = {
            True: "What there is depends on the place: let a layer follow that knows the place.",
            False: "And no figure depends on the place.",
            None: "Whether rules depend on the place cannot be told from so little.",
        }
        return f"A convolution fits: near values {self.how}. {known[self.by_place]}"

    def to_dict(self) -> dict[str, Any]:
        """Return the verdict and its sentences."""
        return {
            "fits": self.fits,
            "headline": self.headline,
            "axes": list(self.axes),
            "by_place": self.by_place,
            "locality": list(self.locality),
            "sharing": list(self.sharing),
            "columns": self.columns,
        }


def verdict_of(
    curves: Sequence[Curve],
    far: Far,
    places: Places | None,
    material: Material,
    columns: Curve | None = None,
) -> Verdict:
    """Put the figures into words.

    Parameters
    ----------
    curves, far, places, columns
        What was measured.
    material
        What it was measured on.
    """
    alike = [curve for curve in curves if is_alike(curve)]
    locality = [near_words(curves)]
    none = NO_LOCALITY if any(map(can_tell, curves)) else TOO_FEW
    locality += cost_of_locality(alike, material.sizes) if alike else [none]
    locality += far_words(far, len(material.axes))
    how = how_alike(alike) if alike else ""
    sharing = place_words(places, material, how) if places else [TOO_SMALL]
    ordered = [columns] if columns is not None and is_alike(columns) else []
    found = [*alike, *ordered]
    but = against(curves, alike, places) if found else ""
    return Verdict(
        "partly" if but else "yes" if found else "no" if any(map(can_tell, curves)) else "unknown",
        tuple(curve.axis for curve in found),
        how_alike(found),
        tuple(locality),
        tuple(sharing),
        depends_on_place(places),
        but,
        column_words(material.columns, columns) if material.columns else "",
    )


def how_alike(found: Sequence[Curve]) -> str:
    """Whether near values are alike or opposite."""
    signs = {bool(curve.values[nearest(curve)] > 0) for curve in found}
    if len(signs) == 2:
        return "are alike or opposite"
    return "are alike" if True in signs else "are opposite"


def can_tell(curve: Curve) -> bool:
    """Whether chance leaves room for neighbours that are alike."""
    wide = float(curve.high[1] - curve.low[1])
    return isfinite(float(curve.values[1])) and wide <= VAGUE


def against(curves: Sequence[Curve], alike: Sequence[Curve], places: Places | None) -> str:
    """What speaks against a convolution where near values are alike along some axis."""
    others = [curve.axis for curve in curves if curve not in alike]
    if others:
        return f"not on every axis ({', '.join(others)})"
    known = known_blocks(places)
    few = known.size and (np.abs(known) >= SLIGHT).mean() < MOST_BLOCKS
    return "not in most blocks" if few else ""


def depends_on_place(places: Places | None) -> bool | None:
    """Whether means or variances of blocks depend on the place; None where nobody can tell."""
    if places is None:
        return None
    if places.moved_means is not None and places.moved_variances is not None:
        return places.moved_means.is_more or places.moved_variances.is_more
    return None if places.outside("means") + places.outside("variances") else False
