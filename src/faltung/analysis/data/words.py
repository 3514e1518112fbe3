"""Sentences on locality and on sharing, each with its figures."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, inf, isfinite, log2, prod
from typing import Final

import numpy as np
from numpy.typing import NDArray

from faltung.analysis.data.curves import NEAR, Curve, Far
from faltung.analysis.data.material import Material
from faltung.analysis.data.places import SAMPLES, Places

SLIGHT, STRONG = 0.1, 0.5
"""Below the first a correlation is slight, from the second on it is strong."""

VAGUE: Final = 0.6
"""An interval of shuffled values that is wider than this tells nothing."""

MOST_BLOCKS: Final = 0.75
"""The share of blocks that have to show what the whole shows."""

NO_LOCALITY: Final = (
    "Locality would cut off far values that are worth as much as near ones. A correlation sees "
    "two values at a time and straight lines only, so this is no proof that they are independent."
)
TOO_FEW: Final = "By chance alone, they could be alike or opposite."
TOO_SMALL: Final = "There are too few positions to compare places."


def known_blocks(places: Places | None) -> NDArray[np.float64]:
    """Correlations of neighbours in those blocks that vary."""
    if places is None:
        return np.zeros(0)
    return places.neighbours[np.isfinite(places.neighbours)]


def nearest(curve: Curve) -> int:
    """The distance that speaks for near values: 1, or where they are alike if neighbours are not.

    Values may be interleaved, such as the colours of a camera's sensor.
    """
    alike = [at for at in range(1, min(NEAR, len(curve.values) - 1) + 1) if is_alike_at(curve, at)]
    if not alike or alike[0] == 1:
        return 1
    return max(alike, key=lambda at: abs(float(curve.values[at])))


def is_alike(curve: Curve) -> bool:
    """Whether near values are alike, or opposite."""
    return is_alike_at(curve, nearest(curve))


def is_alike_at(curve: Curve, at: int) -> bool:
    """Whether values so far apart are alike, or opposite: beyond chance, and beyond slightly."""
    value = abs(float(curve.values[at]))
    by_chance = not curve.beyond()[at] or value <= curve.by_order
    return value >= SLIGHT and not by_chance


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
    if not curve.beyond()[at]:
        return f"{told}no more alike than by chance"
    if abs(value) < SLIGHT:
        return f"{told}beyond the interval but slight"
    if abs(value) <= curve.by_order:
        return f"{told}but slices in random orders come to ±{curve.by_order:.4f}: by chance"
    kind = "opposite" if value < 0 else "alike"
    return f"{told}{'strongly ' if abs(value) >= STRONG else ''}{kind}"


def cost_of_locality(alike: Sequence[Curve], sizes: Sequence[int]) -> list[str]:
    """What locality brings here, and what it takes to see as far as values are alike."""
    kernel, whole = 3 ** len(sizes), prod(sizes)
    words = [
        f"Locality and sharing leave {kernel} weights of a kernel of 3 where a dense layer to the "
        f"same size has {whole:,}² = {whole**2:,}, for each two channels."
    ]
    length, unit = max(curve.length for curve in alike), alike[0].unit
    if length == inf:
        at = max(curve.size // 2 for curve in alike if curve.length == inf)
        words.append(
            f"The correlation has not fallen to 1/e by {at:,} {unit}, half of the axis: locality "
            "has a cost here. Depth, dilation, pooling or a global layer brings back what lies "
            "far away."
        )
    elif length > 1:
        far = ceil(length)
        words.append(
            f"To see as far as the correlation length, {length:.1f} {unit}, takes {far} layers "
            f"with kernels of 3, or {ceil(log2(far + 1))} with doubling dilation."
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


def place_words(places: Places, material: Material, how: str) -> list[str]:
    """Whether the statistics depend on the place, and what that means for sharing."""
    known = known_blocks(places)
    words = [block_words(known, how)] if how and known.size else []
    means, variances = places.outside("means"), places.outside("variances")
    words.append(
        f"Means of blocks: {means} of {places.means.size} lie outside what shuffling gives to "
        f"all; variances: {variances} of {places.variances.size}."
    )
    if places.moved_means is None or places.moved_variances is None:
        return [*words, few_words(material, means + variances)]
    return [*words, *moved_words(places)]


def block_words(known: NDArray[np.float64], how: str) -> str:
    """In how many blocks neighbours are alike, or opposite; what that means for one kernel."""
    many = int((np.abs(known) >= SLIGHT).sum())
    use = "is of use" if many >= MOST_BLOCKS * known.size else "may be of no use"
    return (
        f"Neighbours {how} in {many} of {known.size} blocks ({known.min():.2f} to "
        f"{known.max():.2f}): what a kernel learns in one block {use} in the others."
    )


def few_words(material: Material, outside: int) -> str:
    """What few samples can tell of places."""
    if not outside:
        return "No sign that anything depends on the place: sharing costs nothing that is seen."
    kind = material.kind.removesuffix("s")
    count = f"One {kind}" if material.seen == 1 else f"{material.seen} samples"
    return (
        f"{count} cannot tell a rule that depends on the place from chance: where near values are "
        f"alike, blocks differ by themselves. {SAMPLES} or more can."
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
    if is_alike(columns):
        return f"{told}: here their order means something, and a convolution along it may fit too."
    return f"{told}: their order means nothing, and a convolution along it would not fit."
