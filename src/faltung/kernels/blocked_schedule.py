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


class Cut(NamedTuple):
    """How a grid plane is cut into blocks of rows, columns and parts of the panels."""

    strip_rows: int
    segment: int
    pixels: int
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
    parts = 1
    if weights > panels.in_blocks * lanes * prod(axis.source for axis in axes):
        parts = min(panels.panels, wanted)
    strips, segments = blocks_of(rows.grid, strip_rows), blocks_of(columns.grid, segment)
    others = images * parts * (segments if rows.grid > 1 else strips)
    if rows.grid > 1:
        strips = min(rows.grid, shared(strips, others, wanted))
    else:
        segments = min(shared(segments, others, wanted), blocks_of(columns.grid, most))
    strip_rows, segment = blocks_of(rows.grid, strips), blocks_of(columns.grid, segments)
    together = blocks_of(segment, blocks_of(segment, most))
    pixels = blocks_of(segment, together) * together
    segment = pixels if segments > 1 else segment
    return Cut(strip_rows, segment, pixels, together, blocks_of(panels.panels, parts))


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
