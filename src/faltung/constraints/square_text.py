"""The square in words and numbers: the table, and the data behind it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from faltung.constraints.corner import CORNERS, constraints_of
from faltung.report import Table

if TYPE_CHECKING:
    from faltung.constraints.squares import Square

HEADER = ("layer", "shared", "local", "parameters", "non-zeros", "times fewer parameters")


def headline(square: Square) -> str:
    """Say what the layers map to what, and what locality keeps."""
    size = " × ".join(str(n) for n in square.size)
    window = ", ".join(f"{lo}..{hi}" for lo, hi in square.window)
    return (
        f"A layer from {square.in_channels} × {size} to {square.out_channels} × {size} numbers. "
        f"Local: offsets {window} only."
    )


def table(square: Square) -> Table:
    """Return the four corners with their counts."""
    return Table(HEADER, [_row(square, corner) for corner in CORNERS], left=(0, 1, 2))


def _row(square: Square, corner: str) -> Sequence[str]:
    marks = ("yes" if holds else "no" for holds in constraints_of(corner))
    count = square.parameters(corner)
    fewer = ratio(square.parameters("dense"), count)
    return (corner, *marks, f"{count:,}", f"{square.nonzeros(corner):,}", fewer)


def ratio(more: int, less: int) -> str:
    """Return how many times ``more`` is as much as ``less``, as text.

    >>> ratio(16, 9), ratio(10**12, 3996001)
    ('1.8', '250,250')
    """
    return brief(more / less)


def brief(value: float) -> str:
    """Return a number as text, with a decimal where it is small.

    >>> brief(1.75), brief(-6823.4)
    ('1.8', '-6,823')
    """
    return f"{value:,.1f}" if abs(value) < 100 else f"{value:,.0f}"


def as_dict(square: Square) -> dict[str, Any]:
    """Return every figure, fit for JSON."""
    return {
        "size": list(square.size),
        "window": [list(pair) for pair in square.window],
        "in_channels": square.in_channels,
        "out_channels": square.out_channels,
        "matrix": list(square.shape),
        "corners": {corner: _figures(square, corner) for corner in CORNERS},
    }


def _figures(square: Square, corner: str) -> dict[str, Any]:
    return {
        **constraints_of(corner)._asdict(),
        "weight_shape": list(square.weight_shape(corner)),
        "parameters": square.parameters(corner),
        "nonzeros": square.nonzeros(corner),
        "times_fewer": square.parameters("dense") / square.parameters(corner),
    }
