"""What stands beyond the border of an axis: the padding modes, as integers."""

from __future__ import annotations

from typing import Final

from faltung.errors import GeometryError, message

PADDING_MODES: Final = ("zeros", "reflect", "replicate", "circular")
"""What a layer may pad with; ONNX has an operator for each."""
BORDERS: Final = (*PADDING_MODES, "symmetric")
"""What a filter may pad with: ``symmetric`` also repeats the border value."""


def check_mode(mode: str, subject: str) -> None:
    """Refuse a padding mode that is not one of the four."""
    if mode not in PADDING_MODES:
        cure = f"Use one of {', '.join(PADDING_MODES)}"
        rule = "padding_mode must be known"
        raise GeometryError(message(subject, rule, {"padding_mode": repr(mode)}, cure))


def source(mode: str, position: int, size: int) -> int | None:
    """Return the position inside [0, size) whose value stands at ``position``; None for zero.

    ``reflect`` does not repeat the border value, ``symmetric`` does; both go on reflecting however
    far they are asked.

    >>> [source("reflect", i, 3) for i in range(-3, 6)]
    [1, 2, 1, 0, 1, 2, 1, 0, 1]
    >>> [source("circular", i, 3) for i in range(-2, 5)]
    [1, 2, 0, 1, 2, 0, 1]
    >>> [source("symmetric", i, 3) for i in range(-4, 7)]
    [2, 2, 1, 0, 0, 1, 2, 2, 1, 0, 0]
    >>> [source("replicate", i, 3) for i in (-2, 4)], source("zeros", -1, 3)
    ([0, 2], None)
    """
    if 0 <= position < size:
        return position
    if mode == "zeros":
        return None
    if size == 0:
        rule = "an empty axis has no values to pad with"
        raise GeometryError(message("padding", rule, {"padding_mode": repr(mode)}, "Use zeros"))
    if mode == "circular":
        return position % size
    if mode == "replicate":
        return min(max(position, 0), size - 1)
    if size == 1:
        return 0
    repeated = mode == "symmetric"
    period = 2 * size - 2 * (not repeated)
    folded = position % period
    return folded if folded < size else period - folded - repeated
