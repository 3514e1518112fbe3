"""Sizes and windows of offsets, as callers write them."""

from __future__ import annotations

from collections.abc import Sequence
from operator import index
from typing import SupportsIndex

from faltung.geometry.checks import refuse

Offsets = tuple[tuple[int, int], ...]
WindowLike = int | tuple[int, int] | Sequence[tuple[int, int]]


def explicit_size(size: Sequence[int]) -> tuple[int, ...]:
    """Return the positions of each axis as ints.

    Raises
    ------
    GeometryError
        square S1: not 1 to 3 ints of at least 1.
    """
    try:
        sizes = tuple(index(n) for n in size)
    except TypeError:
        sizes = ()
    if not 1 <= len(sizes) <= 3 or min(sizes) < 1:
        rule = "size must be 1 to 3 ints of at least 1"
        refuse("square", rule, {"size": size}, "Use size=(3, 3)", "square S1")
    return sizes


def explicit_window(window: WindowLike, axes: int) -> Offsets:
    """Return the first and the last offset for each axis.

    Parameters
    ----------
    window : int, pair or one pair for each axis
        ``2`` stands for (-2, 2); one pair holds for every axis.
    axes
        How many there are.

    Raises
    ------
    GeometryError
        square S2: none of these, or not a pair for each axis.

    Examples
    --------
    >>> explicit_window(2, 1), explicit_window((0, 1), 2)
    (((-2, 2),), ((0, 1), (0, 1)))
    """
    pairs = _pairs(window, axes)
    if len(pairs) != axes:
        rule = f"window must be an int, or a pair of ints for each of the {axes} axes"
        refuse("square", rule, {"window": window}, f"Use window={((-1, 1),) * axes}", "square S2")
    return pairs


def _pairs(window: object, axes: int) -> Offsets:
    try:
        if isinstance(window, SupportsIndex):
            return ((-index(window), index(window)),) * axes
        given = list(window)  # type: ignore[call-overload]
        if len(given) == 2 and all(isinstance(v, SupportsIndex) for v in given):
            return ((index(given[0]), index(given[1])),) * axes
        return tuple((index(lo), index(hi)) for lo, hi in given)
    except (TypeError, ValueError):
        return ()
