"""How the blocked direct convolution is cut into blocks of work; nothing here changes a bit."""

from __future__ import annotations

from math import prod
from typing import Final, NamedTuple

from faltung.geometry.window import ConvWindow
from faltung.kernels.isa import Isa
from faltung.kernels.panels import MOST, Panels
from faltung.kernels.reaches import Reach

STRIP_BYTES: Final = 896 * 1024
"""What a strip and its results should take at most, in the second-level cache of a core."""
FEW: Final = 4
"""Blocks for each thread; where there are fewer, each thread should have as many as the others."""
ENOUGH: Final = 1 << 19
"""Products of a block, at least: for less it is not worth waking a thread."""
LITTLE: Final = 24
"""Of so many pixels, one may be computed in vain."""


class Cut(NamedTuple):
    """How a grid plane is cut into blocks of rows, columns and parts of the panels."""

    strip_rows: int
    segment: int
    pixels: int
    wide_pixels: int
    together: int
    part_panels: int


def cut_of(
    window: ConvWindow,
    axes: tuple[Reach, ...],
    panels: Panels,
    isa: Isa,
    itemsize: int,
    threads: int,
) -> Cut:
    """Return blocks that stay in a core's cache, as many as there is work for.

    Each block fills a strip of its own, so there are no more of them than threads want.
    """
    depth, rows, columns = axes
    lanes = isa.lanes(itemsize)
    most = MOST[32 if isa.registers >= 32 else 16][panels.vectors]
    each = panels.in_blocks * lanes * len(depth.distances) * itemsize
    first = each * rows.span * columns.step
    segment = max(most, min(columns.grid, STRIP_BYTES // first))
    images = window.batch * window.groups * depth.grid
    wanted = max(1, blocks_of(min(threads, blocks_of(window.macs, ENOUGH)), images))
    row = each * rows.step * (segment * columns.step + columns.span - 1)
    row += panels.vectors * lanes * len(columns.phases) * segment * itemsize
    fitting = max(1, (STRIP_BYTES - each * (rows.span - 1) * segment * columns.step) // row)
    strip_rows = min(rows.grid, fitting)
    weights = prod(window.w_shape) // window.groups
    # Parts fill the same strip again, other cuts read the same weights again.
    inputs = panels.in_blocks * lanes * prod(axis.source for axis in axes)
    parts = 1
    if weights > (2 * inputs if rows.span == columns.span == 1 else inputs):
        parts = min(panels.panels, wanted)
    strips, segments = blocks_of(rows.grid, strip_rows), blocks_of(columns.grid, segment)
    others = images * parts * (segments if rows.grid > 1 else strips)
    if rows.grid > 1:
        strips = min(rows.grid, shared(strips, others, wanted))
    else:
        segments = min(shared(segments, others, wanted), blocks_of(columns.grid, most))
    strip_rows, segment = blocks_of(rows.grid, strips), blocks_of(columns.grid, segments)
    pixels, wide, together = shares_of(segment, most)
    segment = pixels if segments > 1 else segment
    return Cut(strip_rows, segment, pixels, wide, together, blocks_of(panels.panels, parts))


def shares_of(count: int, most: int) -> tuple[int, int, int]:
    """Return how a row is cut into register blocks of at most so many pixels.

    Its pixels, filled up; those that are in blocks of the widest size; and this size. All others
    are one narrower. Machine code for a second size is worth it where filling up costs more.

    >>> shares_of(56, 14), shares_of(49, 14), shares_of(83, 14), shares_of(6, 14)
    ((56, 56, 14), (49, 13, 13), (84, 84, 14), (6, 6, 6))
    """
    blocks = blocks_of(count, most)
    together = blocks_of(count, blocks)
    missing = blocks * together - count
    if missing * LITTLE <= count:
        return count + missing, count + missing, together
    return count, (blocks - missing) * together, together


def shared(count: int, others: int, threads: int) -> int:
    """Return at least so many cuts, such that few blocks are shared out evenly.

    >>> shared(3, 1, 2), shared(1, 1, 2), shared(3, 2, 2), shared(9, 1, 2)
    (4, 2, 3, 9)
    """
    while count * others < FEW * threads and count * others % threads:
        count += 1
    return count


def blocks_of(count: int, size: int) -> int:
    """Return how many blocks of a size hold so many."""
    return -(-count // size)
