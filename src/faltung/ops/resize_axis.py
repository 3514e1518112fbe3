"""Resizing along one axis as what it is: a small matrix of weights, most of them 0.

The formulas are those of ONNX's Resize-19: a coordinate for each output, the inputs next to it, and
a weight for each of these. Inputs past an end are the end's own value; their weights add up.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np

from faltung.errors import GeometryError, message
from faltung.ops.operator import Array

COORDINATES: Final = (
    "half_pixel",
    "half_pixel_symmetric",
    "pytorch_half_pixel",
    "align_corners",
    "asymmetric",
    "tf_crop_and_resize",
)
MODES: Final = ("nearest", "linear", "cubic")
NEAREST: Final = ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")

LARGEST_TABLE: Final = 2**23
"""How many weights one axis may have: outputs times taps."""


@dataclass(frozen=True, slots=True)
class AxisResize:
    """Resizing of one axis from ``size`` to ``out`` values.

    ``scale`` is the exact ratio that was asked for, which ``out / size`` may fall short of; ``roi``
    the part of the axis that "tf_crop_and_resize" takes, in shares of it.
    """

    size: int
    out: int
    scale: float
    mode: str = "nearest"
    coordinate: str = "half_pixel"
    nearest_mode: str = "round_prefer_floor"
    cubic_coeff_a: float = -0.75
    exclude_outside: bool = False
    antialias: bool = False
    roi: tuple[float, float] = (0.0, 1.0)

    @property
    def is_kept(self) -> bool:
        """Whether every output is the input at its place."""
        whole = self.coordinate != "tf_crop_and_resize" or self.roi == (0.0, 1.0)
        return self.out == self.size and self.scale == 1 and whole

    @property
    def resized(self) -> float:
        """The length after resizing, which may be a fraction of a value longer than ``out``."""
        product = self.scale * self.size
        nearest = round(product)
        return float(nearest) if math.isclose(product, nearest, rel_tol=1e-12) else product

    @property
    def shrink(self) -> float:
        """How much the kernel is squeezed: wide enough to see all of the input."""
        return min(self.scale, 1.0) if self.antialias else 1.0

    @property
    def first(self) -> int:
        """Where the first tap is, counted from the left neighbour of a coordinate."""
        reach = 2 if self.mode == "cubic" else 1
        return 0 if self.mode == "nearest" else math.floor(-reach / self.shrink) + 1


@dataclass(frozen=True, slots=True, eq=False)
class Weights:
    """What each output sums: input positions, and the weight of each, both (out, taps).

    Where an output has fewer taps, the rest have weight 0. ``outside`` says which outputs lie
    outside of the input, and take a constant.
    """

    positions: Array
    values: Array
    outside: Array

    @property
    def counts(self) -> Array:
        """How many inputs each output sums."""
        found: Array = np.count_nonzero(self.values, axis=1)
        return found

    def ends(self) -> tuple[Array, Array]:
        """Return, for each output, its first tap and the one past its last; equal if it has none.

        >>> weights(AxisResize(2, 4, 2.0, "linear")).ends()
        (array([0, 0, 0, 1]), array([1, 2, 2, 2]))
        """
        used = self.values != 0
        far = np.iinfo(np.int64).max
        low = np.where(used, self.positions, far).min(axis=1, initial=far)
        high = np.where(used, self.positions + 1, 0).max(axis=1, initial=0)
        return np.minimum(low, high), high


@lru_cache(maxsize=64)
def weights(axis: AxisResize) -> Weights:
    """Return the weights of an axis.

    >>> weights(AxisResize(2, 4, 2.0, "linear")).values.tolist()
    [[1.0, 0.0], [0.75, 0.25], [0.25, 0.75], [1.0, 0.0]]
    """
    _check_room(axis)
    x, outside = _coordinates(axis)
    whole = x == np.floor(x)
    # At a whole coordinate the left neighbour comes first, and has weight 0.
    floor = np.where(whole, x - 1, np.floor(x)).astype(np.int64)
    start, values = _kernels(axis, x - floor)
    positions = floor[:, None] + start + np.arange(values.shape[1])
    if axis.exclude_outside:
        values = np.where((positions < 0) | (positions >= axis.size), 0.0, values)
        total = values.sum(axis=1, keepdims=True)
        values = values / np.where(total == 0, 1.0, total)
    values = np.where(outside[:, None], 0.0, values)
    positions = np.clip(positions, 0, max(axis.size - 1, 0))
    return Weights(*_merged(positions, values), outside)


@lru_cache(maxsize=8)
def ends(axis: AxisResize) -> tuple[Array, Array]:
    """Return the ends of an axis's weights, kept for whoever asks for one span after another."""
    return weights(axis).ends()


def _check_room(axis: AxisResize) -> None:
    """Refuse a table that no image needs; a file may ask for any size, and for any scale."""
    taps = 2 * (1 - axis.first)
    if axis.out * taps > LARGEST_TABLE:
        rule = f"an axis must need at most {LARGEST_TABLE} weights"
        values = {"size": axis.size, "to": axis.out, "scale": axis.scale}
        raise GeometryError(message("Resize", rule, values))


def _merged(positions: Array, values: Array) -> tuple[Array, Array]:
    """Add up the weights that meet at an end of the axis, and put the used ones first."""
    merged = np.zeros(values.shape)
    for k in range(values.shape[1]):
        first = np.argmax(positions == positions[:, k : k + 1], axis=1)
        np.add.at(merged, (np.arange(len(values)), first), values[:, k])
    order = np.argsort(merged == 0, axis=1, kind="stable")
    merged = np.take_along_axis(merged, order, axis=1)
    positions = np.take_along_axis(positions, order, axis=1)
    used = max(int(np.count_nonzero(merged, axis=1).max(initial=1)), 1)
    return positions[:, :used], merged[:, :used]


def _coordinates(axis: AxisResize) -> tuple[Array, Array]:
    """Return each output's place on the input, and which lie outside."""
    y = np.arange(axis.out, dtype=np.float64)
    last, resized = axis.size - 1, axis.resized
    inside = np.zeros(axis.out, np.bool_)
    match axis.coordinate:
        case "align_corners":
            return (0 * y if resized == 1 else y * last / (resized - 1)), inside
        case "asymmetric":
            return y / axis.scale, inside
        case "tf_crop_and_resize":
            low, high = axis.roi
            if resized == 1:
                x = np.full(axis.out, (high - low) * last / 2)
            else:
                x = y * (high - low) * last / (resized - 1)
            x = x + low * last
            return x, (x < 0) | (x > last)
        case "pytorch_half_pixel" if resized == 1:
            return np.full(axis.out, -0.5), inside
        case "half_pixel_symmetric":
            offset = axis.size / 2 * (1 - axis.out / resized)
            return offset + (y + 0.5) / axis.scale - 0.5, inside
    return (y + 0.5) / axis.scale - 0.5, inside


def _kernels(axis: AxisResize, ratio: Array) -> tuple[int, Array]:
    """Return the weights around each coordinate, ``ratio`` in (0, 1] past its left neighbour.

    With them goes where the first of them is, counted from that neighbour.
    """
    if axis.mode == "nearest":
        right = {
            "round_prefer_floor": ratio > 0.5,
            "round_prefer_ceil": ratio >= 0.5,
            "floor": ratio == 1,
            "ceil": ratio > 0,
        }[axis.nearest_mode]
        return 0, np.stack([~right, right], axis=1).astype(np.float64)
    curve: Callable[[Array], Array] = _hat
    if axis.mode == "cubic":
        curve = _cubic(axis.cubic_coeff_a)
    places = np.arange(axis.first, 2 - axis.first)
    values = curve((places - ratio[:, None]) * axis.shrink)
    if axis.antialias:
        values = values / values.sum(axis=1, keepdims=True)
    return axis.first, values


def _hat(distance: Array) -> Array:
    return np.asarray(np.maximum(1 - np.abs(distance), 0))


def _cubic(a: float) -> Callable[[Array], Array]:
    """Return Keys' kernel; source: *Cubic convolution interpolation* (1981), equation 4."""

    def curve(distance: Array) -> Array:
        d = np.abs(distance)
        near = ((a + 2) * d - (a + 3)) * d * d + 1
        far = ((a * d - 5 * a) * d + 8 * a) * d - 4 * a
        return np.where(d <= 1, near, np.where(d < 2, far, 0.0))

    return curve
