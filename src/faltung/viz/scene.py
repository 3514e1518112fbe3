"""One position of a kernel as rows and columns: image with padding, kernel as it lies, outputs."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from faltung.definitions import Expansion
from faltung.definitions.expansion import PATCH
from faltung.errors import PictureError, message
from faltung.geometry import AxisWindow
from faltung.geometry.border import source
from faltung.viz.cells import cell_for, numbers

Array = NDArray[Any]

LARGEST: Final = 24
"""Rows or columns, padding included, whose numbers can be drawn."""
SMALLEST_CELL: Final = 0.46


class Scene(NamedTuple):
    """What there is to draw.

    ``image`` (rows, columns) has its padding around it, of which ``rows`` and ``columns`` say how
    the kernel moves; ``position`` is the output that is shown; ``cell`` are inches; ``limit`` is
    the output of the strongest colour, if it is not the largest one that is known.
    """

    image: Array
    kernel: Array
    outputs: Array
    rows: AxisWindow
    columns: AxisWindow
    position: tuple[int, int]
    cell: float
    limit: float | None = None

    @property
    def panels(self) -> tuple[Array, Array, Array]:
        """Image, kernel, outputs."""
        return self.image, self.kernel, self.outputs


def scene_of(
    step: Expansion, image: ArrayLike | None = None, outputs: ArrayLike | None = None
) -> Scene:
    """Lay out what an expansion is about.

    Parameters
    ----------
    step
        What `faltung.expand` returns.
    image : array_like of one or two axes, optional
        What it was asked about.
    outputs : array_like, optional
        The outputs that are known, NaN elsewhere; else this one alone.

    Raises
    ------
    PictureError
        slide V1: three axes, or more numbers than can be drawn.
    """
    placement = step.placement
    _check(placement.axes)
    rows, columns = (AxisWindow(1, 1), *placement.axes)[-2:]
    pixels = np.atleast_2d(np.asarray(PATCH if image is None else image, np.float64))
    padded = _padded(pixels, rows, columns, step.padding_mode)
    weights = [term.kernel_value for term in step.terms]
    lying = weights[::-1] if placement.is_flipped else weights
    kernel = np.atleast_2d(np.reshape(lying, placement.kernel_shape).astype(np.float64))
    known = np.full(placement.out_shape, np.nan) if outputs is None else np.array(outputs, float)
    known[step.position] = step.value
    known = np.atleast_2d(known)
    words = {w for panel in (padded, kernel, known) for row in numbers(panel) for w in row}
    cell = max(SMALLEST_CELL, *(cell_for(word) for word in words))
    y, x = (0, *step.position)[-2:]
    return Scene(padded, kernel, known, rows, columns, (y, x), cell)


def _check(axes: tuple[AxisWindow, ...]) -> None:
    sizes = tuple(max(axis.padded, axis.size, axis.out_size) for axis in axes)
    if len(axes) > 2 or max(sizes) > LARGEST:
        rule = f"one or two axes of at most {LARGEST} positions can be drawn"
        raise PictureError(message("slide", rule, {"sizes": sizes}, "", "slide V1"))


def _padded(image: Array, rows: AxisWindow, columns: AxisWindow, mode: str) -> Array:
    """The image with what stands around it; what negative padding crops is still there."""
    down, across = (
        [source(mode, place, axis.size) for place in places_of(axis)] for axis in (rows, columns)
    )
    filled = [[0.0 if y is None or x is None else image[y, x] for x in across] for y in down]
    return np.array(filled)


def places_of(axis: AxisWindow) -> range:
    """Return the positions of an axis, those of its padding included.

    >>> places_of(AxisWindow(4, kernel=3, pad_lo=1, pad_hi=-1))
    range(-1, 4)
    """
    return range(-max(axis.pad_lo, 0), axis.size + max(axis.pad_hi, 0))


def unreached(axis: AxisWindow) -> list[range]:
    """Return the positions that no window touches: cropped ones, and those the stride drops.

    >>> unreached(AxisWindow(6, kernel=3, stride=2))
    [range(5, 6)]
    >>> unreached(AxisWindow(6, kernel=3, pad_lo=-1))
    [range(0, 1)]
    """
    end = axis.size + axis.pad_hi
    first = -axis.pad_lo
    parts = (range(first), range(end - axis.dropped, max(axis.size, end)))
    return [part for part in parts if part]
