"""What the figures say about a convolution, in words, with the figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, inf, isfinite, log2, prod
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from faltung.analysis.data.curves import Curve, Far
from faltung.analysis.data.material import Material
from faltung.analysis.data.places import SAMPLES, Places

NEAR: Final = 3
"""Values at most so far apart are near: the reach of a 7×7 kernel."""

SLIGHT, STRONG = 0.1, 0.5
"""Below the first a correlation is slight, from the second on it is strong."""

MOST_BLOCKS: Final = 0.75
"""The share of blocks that have to show what the whole shows."""


@dataclass(frozen=True)
class Verdict:
    """Whether a convolution fits, and why.

    Parameters
    ----------
    fits
        ``"yes"``, ``"partly"`` or ``"no"``.
    axes
        Along which axes near values are alike.
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
    locality: tuple[str, ...]
    sharing: tuple[str, ...]
    by_place: bool | None = None
    but: str = ""
    columns: str = ""

    @property
    def headline(self) -> str:
        """The verdict in one sentence or two."""
        if self.fits == "no":
            return (
                "Nothing here speaks for a convolution: near values tell no more of one another "
                "than shuffled ones."
            )
        if self.fits == "partly":
            along = " and ".join(self.axes)
            return f"A convolution fits in part: near values are alike ({along}), but {self.but}."
        known = {
            True: "What there is depends on the place: let a layer follow that knows the place.",
            False: "And no figure depends on the place.",
            None: "Whether rules depend on the place cannot be told from so few samples.",
        }
        return f"A convolution fits: near values are alike. {known[self.by_place]}"

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
    locality += cost_of_locality(alike, material.sizes) if alike else [NO_LOCALITY]
    locality += far_words(far, len(material.axes))
    sharing = place_words(places, material.seen, bool(alike)) if places else [TOO_SMALL]
    but = against(curves, alike, places) if alike else ""
    return Verdict(
        "no" if not alike else "partly" if but else "yes",
        tuple(curve.axis for curve in alike),
        tuple(locality),
        tuple(sharing),
        depends_on_place(places),
        but,
        column_words(material.columns, columns) if material.columns else "",
    )


def against(curves: Sequence[Curve], alike: Sequence[Curve], places: Places | None) -> str:
    """What speaks against a convolution where near values are alike along some axis."""
    others = [curve.axis for curve in curves if curve not in alike]
    if others:
        return f"not on every axis ({', '.join(others)})"
    known = _known(places)
    few = known.size and (np.abs(known) >= SLIGHT).mean() < MOST_BLOCKS
    return "not in most blocks" if few else ""


def depends_on_place(places: Places | None) -> bool | None:
    """Whether means or variances of blocks depend on the place; None where nobody can tell."""
    if places is None:
        return None
    if places.moved_means is not None and places.moved_variances is not None:
        return places.moved_means.is_more or places.moved_variances.is_more
    return None if places.outside("means") + places.outside("variances") else False


def _known(places: Places | None) -> NDArray[np.float64]:
    """Correlations of neighbours in those blocks that vary."""
    if places is None:
        return np.zeros(0)
    return places.neighbours[np.isfinite(places.neighbours)]


NO_LOCALITY: Final = (
    "Locality would cut off far values that are worth as much as near ones. A correlation sees "
    "two values at a time and straight lines only, so this is no proof that they are independent."
)
TOO_SMALL: Final = "There are too few positions to compare places."


def nearest(curve: Curve) -> int:
    """The distance that speaks for near values: 1, or where they are alike if neighbours are not.

    Values may be interleaved, such as the colours of a camera's sensor.
    """
    alike = (np.abs(curve.values) >= SLIGHT) & ~curve.within()
    near = np.flatnonzero(alike[1 : NEAR + 1])
    if not len(near) or alike[1]:
        return 1
    return 1 + int(max(near, key=lambda at: abs(curve.values[at + 1])))


def is_alike(curve: Curve) -> bool:
    """Whether near values are alike, beyond chance and beyond slightly; or opposite."""
    at = nearest(curve)
    value = float(curve.values[at])
    return abs(value) >= SLIGHT and not curve.within()[at]


def near_words(curves: Sequence[Curve]) -> str:
    """How alike near values are along each axis."""
    return f"Neighbours: {'; '.join(map(near_on, curves))}."


def near_on(curve: Curve) -> str:
    """How alike near values are along one axis, with the figures."""
    at = nearest(curve)
    value, low, high = (float(each[at]) for each in (curve.values, curve.low, curve.high))
    if not isfinite(value):
        return f"{curve.axis}, nothing varies that has one"
    where = f"{curve.axis} {'' if at == 1 else f'(at distance {at}) '}"
    told = f"{where}{value:.4f} (shuffled {low:.4f} to {high:.4f}), "
    if curve.within()[at]:
        return f"{told}no more alike than by chance"
    if abs(value) < SLIGHT:
        return f"{told}beyond the interval but slight"
    kind = "opposite" if value < 0 else "alike"
    return f"{told}{'strongly ' if abs(value) >= STRONG else ''}{kind}"


def cost_of_locality(alike: Sequence[Curve], sizes: Sequence[int]) -> list[str]:
    """What locality brings here, and what it takes to see as far as values are alike."""
    kernel, whole = 3 ** len(sizes), prod(sizes)
    words = [
        f"Locality and sharing leave {kernel} weights of a kernel of 3 where a dense layer to the "
        f"same size has {whole:,}² = {whole**2:,}, for each two channels."
    ]
    length = max(curve.length for curve in alike)
    if isfinite(length):
        far = max(1, ceil(length))
        words.append(
            f"To see as far as the correlation length, {length:.1f} {alike[0].unit}, takes "
            f"{far} layers with kernels of 3, or {ceil(log2(far + 1))} with doubling dilation."
        )
    else:
        at = max(curve.size // 2 for curve in alike if curve.length == inf)
        words.append(
            f"The correlation has not fallen to 1/e by {at} {alike[0].unit}, half of the axis: "
            "locality has a cost here. Depth, dilation, pooling or a global layer brings back "
            "what lies far away."
        )
    return words


def far_words(far: Far, axes: int) -> list[str]:
    """What is left between opposite parts."""
    if not isfinite(far.value):
        return []
    parts = {1: "The two halves", 2: "Opposite quarters"}.get(axes, "Opposite parts")
    told = f"{parts}, position by position, correlate {far.value:.4f}"
    told += f"; shuffled, {far.low:.4f} to {far.high:.4f}"
    if far.is_within:
        return [f"{told}: no more than by chance."]
    if abs(far.value) <= far.smooth:
        return [
            f"{told}. But pieces as smooth as these come to ±{far.smooth:.2f} by chance where "
            "they have nothing to do with one another."
        ]
    return [f"{told}, and by chance ±{far.smooth:.2f} for unrelated pieces as smooth as these."]


def place_words(places: Places, samples: int, alike: bool) -> list[str]:
    """Whether the statistics depend on the place, and what that means for sharing."""
    words = [block_words(_known(places))] if alike and _known(places).size else []
    means, variances = places.outside("means"), places.outside("variances")
    words.append(
        f"Means of blocks: {means} of {places.means.size} lie outside what shuffling gives to "
        f"all; variances: {variances} of {places.variances.size}."
    )
    if places.moved_means is None or places.moved_variances is None:
        return [*words, few_words(samples, means + variances)]
    return [*words, *moved_words(places)]


def block_words(known: NDArray[np.float64]) -> str:
    """In how many blocks neighbours are alike, and what that means for a shared kernel."""
    many = int((np.abs(known) >= SLIGHT).sum())
    use = "is of use in the others" if many >= MOST_BLOCKS * known.size else "may be of no use here"
    return (
        f"Neighbours are alike in {many} of {known.size} blocks ({known.min():.2f} to "
        f"{known.max():.2f}): what a kernel learns in one block {use}."
    )


def few_words(samples: int, outside: int) -> str:
    """What few samples can tell of places."""
    if not outside:
        return "No sign that anything depends on the place: sharing costs nothing that is seen."
    count = "One sample" if samples == 1 else f"{samples} samples"
    return (
        f"{count} cannot tell a rule that depends on the place from chance: where near values are "
        f"alike, blocks differ by themselves. {SAMPLES} samples or more can."
    )


def moved_words(places: Places) -> list[str]:
    """What many samples tell of places."""
    found = {"means": places.moved_means, "variances": places.moved_variances}
    told = [
        f"{name} {moved.spread:.3f} (moved round, below {moved.high:.3f} in 95 %)"
        for name, moved in found.items()
        if moved is not None
    ]
    more = [name for name, moved in found.items() if moved is not None and moved.is_more]
    words = f"How far blocks differ, beside samples each moved round by chance: {', '.join(told)}."
    if not more:
        return [words, "So nothing depends on the place that would speak against sharing."]
    return [
        words,
        f"So {' and '.join(more)} depend on the place, which sharing alone does not see: a dense "
        "layer after the convolutions, or coordinate channels, bring it back.",
    ]


def column_words(names: Sequence[str], columns: Curve | None) -> str:
    """Whether the order of a table's columns means anything."""
    told = "The order of columns is arbitrary as a rule: columns are channels, rows are positions."
    if columns is None:
        return told if len(names) > 1 else ""
    at = nearest(columns)
    value, low, high = (float(each[at]) for each in (columns.values, columns.low, columns.high))
    told += f" Columns {at} apart correlate {value:.4f} in magnitude; in random orders, {low:.4f} "
    told += f"to {high:.4f}"
    if value > high:
        return f"{told}: here their order means something, and a convolution along it may fit too."
    return f"{told}: their order means nothing, and a convolution along it would not fit."
