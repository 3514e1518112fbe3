"""Frames: a tile of an image with what stands around it, copied once into working memory.

The border is a matter of copying alone: a table says which row stands where, another which columns
stand left and right of the image. So zeros, mirrors, edges and tori are the same code, no padded
copy of a whole image is ever made, and numbers of other types are widened on the way.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from faltung.geometry.border import source
from faltung.kernels.compiled import kernel
from faltung.kernels.pixels import number, typed, widened
from faltung.kernels.simd import INT, INTS, POINTER, Code, Int, Pointer

Array = NDArray[Any]

FRAME: Final = ("source", "row_table", "column_table", "height", "width", "left", "right")
"""What `pack_row` is told, first of a kernel's fields: the image, the tables, how wide the border
is in numbers of a row."""
NOWHERE: Final = -1
"""In a table: there stands a zero."""


@kernel(arguments=INTS, image=INT, row=INT, first=INT, out=POINTER, count=INT)
def pack_row(
    code: Code,
    arguments: Pointer,
    image: Int,
    row: Int,
    first: Int,
    out: Pointer,
    count: Int,
    *,
    kind: str,
) -> None:
    """Copy ``count`` numbers of a row of the frame, from its column ``first`` on.

    Zeros follow where the frame ends. ``row`` counts from the border's first one.
    """
    x, rows, columns, height, width, left, right = (arguments[i] for i in range(len(FRAME)))
    at = code.ints(code.address(rows))[row]
    table = code.ints(code.address(columns))
    is_image = at >= 0
    line = (image * height + at.at_least(0)) * width
    place = typed(code, x, kind) + line
    stop = first + count

    def span(start: Int | int, end: Int) -> tuple[Int, Int]:
        """Return the part of the row's columns that lies in an interval, counted from `first`."""
        low = (first.at_least(start) - first).at_most(count)
        return low, (stop.at_most(end) - first).at_least(low)

    def put(column: Int, value: Any) -> None:
        code.build.store(value, (out + column).value, align=code.itemsize)

    def border(start: Int | int, end: Int, shift: Int | int) -> None:
        low, high = span(start, end)
        with code.loop(high, start=low) as j:
            source_column = table[first + j - shift]
            is_there = code.build.and_(is_image, source_column >= 0)
            put(j, _number_if(code, is_there, place, source_column, kind))

    border(0, left, 0)
    low, high = span(left, left + width)
    inside = place + (first - left)
    with code.either(is_image) as (some, none):
        with some:
            whole = low + (high - low) // code.lanes * code.lanes
            with code.loop(whole, step=code.lanes, start=low) as j:
                code.store(out + j, widened(code, inside + j, kind))
            with code.loop(high, start=whole) as j:
                put(j, number(code, inside + j, kind))
        with none, code.loop(high, start=low) as j:
            put(j, code.element(0.0))
    border(left + width, left + width + right, width)
    low, high = span(left + width + right, stop.at_least(left + width + right))
    with code.loop(high, start=low) as j:
        put(j, code.element(0.0))


def _number_if(code: Code, condition: Any, place: Pointer, offset: Int, kind: str) -> Any:
    """Read one number where a condition holds; 0 where it does not."""
    before = code.build.block
    with code.build.if_then(condition):
        read = number(code, place + offset, kind)
        inside = code.build.block
    either = code.build.phi(code.element)
    either.add_incoming(read, inside)
    either.add_incoming(code.element(0.0), before)
    return either


@lru_cache(256)
def row_table(size: int, lo: int, hi: int, mode: str, more: int) -> Array:
    """Return which row of an image stands in each row of its frame; ``more`` rows of zeros follow.

    >>> row_table(3, 2, 1, "reflect", 1).tolist()
    [2, 1, 0, 1, 2, 1, -1]
    """
    before, after = (_outside(size, span, mode) for span in (range(-lo, 0), range(size, size + hi)))
    parts = (before, np.arange(size), after, np.full(more, NOWHERE))
    return np.concatenate(parts).astype(np.int64)


@lru_cache(256)
def column_table(size: int, lo: int, hi: int, mode: str, channels: int = 1) -> Array:
    """Return which number of a row stands left and right of it, its channels side by side.

    >>> column_table(3, 1, 2, "circular").tolist(), column_table(2, 1, 0, "replicate", 2).tolist()
    ([2, 0, 1], [0, 1])
    """
    pixels = np.concatenate(
        [_outside(size, span, mode) for span in (range(-lo, 0), range(size, size + hi))]
    )
    numbers = pixels[:, np.newaxis] * channels + np.arange(channels)
    numbers[pixels == NOWHERE] = NOWHERE
    return np.append(numbers.ravel(), NOWHERE)[:-1].astype(np.int64)


def _outside(size: int, span: range, mode: str) -> Array:
    found = (source(mode, position, size) for position in span)
    return np.array([NOWHERE if s is None else s for s in found], np.int64)
