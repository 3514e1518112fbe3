"""How the channels of a group are cut into blocks and panels, from their numbers alone."""

from __future__ import annotations

from typing import Final, NamedTuple

MOST: Final = {32: {1: 28, 2: 14, 3: 9}, 16: {1: 12, 2: 6, 3: 4}}
"""Most pixels for each number of vectors of output channels whose sums fit so many registers."""


class Panels(NamedTuple):
    """A panel is `vectors` vectors of output channels; a block `length` input channels."""

    vectors: int
    panels: int
    in_blocks: int
    length: int


def panels_of(lanes: int, group_in: int, group_out: int) -> Panels:
    """Return how channels are cut: little is computed for channels that are not there.

    Parameters
    ----------
    lanes
        Numbers in a vector.
    group_in, group_out
        Channels of a group: those that are summed over, and those that are computed.

    Examples
    --------
    >>> panels_of(16, 24, 48)
    Panels(vectors=3, panels=1, in_blocks=2, length=12)
    >>> panels_of(16, 64, 256)
    Panels(vectors=2, panels=8, in_blocks=4, length=16)
    """
    of_lanes = -(-group_out // lanes)
    vectors = 1 if of_lanes == 1 else min((2, 3), key=lambda v: (-(-of_lanes // v) * v, v))
    in_blocks = -(-group_in // lanes)
    return Panels(vectors, -(-of_lanes // vectors), in_blocks, -(-group_in // in_blocks))
