"""Sizes, windows and padding as they are written on a command line."""

from __future__ import annotations

from typing import Any, NoReturn

import click

Pairs = tuple[tuple[int, int], ...]


def whole(text: str) -> int:
    """Return a whole number, written with digits alone.

    >>> whole(" -3 ")
    -3
    """
    if not text.strip().lstrip("+-").isdecimal():
        raise ValueError(text)
    return int(text)


class _Written(click.ParamType):  # type: ignore[type-arg]
    """Something that `parse` reads, or refuses with a ValueError."""

    example = ""

    def parse(self, text: str) -> Any:
        """Return what a text means."""
        raise NotImplementedError

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return what the user wrote, or say how it is written."""
        if not isinstance(value, str):
            return value
        try:
            return self.parse(value)
        except ValueError:
            self._refuse(value, param, ctx)

    def _refuse(
        self, value: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> NoReturn:
        self.fail(f"{value!r} is not written like {self.example}", param, ctx)


class Sizes(_Written):
    """One number for each axis: 28x28.

    >>> Sizes().parse("28x28"), Sizes().parse("8")
    ((28, 28), (8,))
    """

    name = "sizes"
    example = "28x28"

    def parse(self, text: str) -> tuple[int, ...]:
        """Return the numbers."""
        return tuple(whole(part) for part in text.lower().replace("×", "x").split("x"))


class Window(_Written):
    """Offsets: 1, or -1:1 for all axes, or -1:1,0:1 axis by axis.

    >>> Window().parse("2"), Window().parse("-1:1"), Window().parse("-1:1,0:1")
    (2, (-1, 1), ((-1, 1), (0, 1)))
    """

    name = "offsets"
    example = "1, -1:1 or -1:1,0:1"

    def parse(self, text: str) -> int | tuple[int, int] | Pairs:
        """Return a distance, a pair, or one pair for each axis."""
        if ":" not in text:
            return whole(text)
        pairs = _pairs(text)
        return pairs[0] if len(pairs) == 1 else pairs


class Padding(_Written):
    """Padding: a word, an amount, or lo:hi axis by axis.

    >>> Padding().parse("same"), Padding().parse("1"), Padding().parse("0:1,2:2")
    ('same', 1, ((0, 1), (2, 2)))
    """

    name = "padding"
    example = "same, 1 or 0:1,0:1"

    def parse(self, text: str) -> str | int | Pairs:
        """Return a word, an amount, or pairs; which words there are is not known here."""
        if ":" in text:
            return _pairs(text)
        return text if text.replace("_", "").isalpha() else whole(text)


def _pairs(text: str) -> Pairs:
    pairs = []
    for part in text.split(","):
        lo, _, hi = part.partition(":")
        pairs.append((whole(lo), whole(hi)))
    return tuple(pairs)


def written(value: Any) -> str:
    """Return a size, window or padding as it is written on a command line.

    >>> written((3, 3)), written(((-1, 1), (0, 1))), written("same")
    ('3x3', '-1:1,0:1', 'same')
    """
    if not isinstance(value, tuple):
        return str(value)
    if value and isinstance(value[0], tuple):
        return ",".join(f"{lo}:{hi}" for lo, hi in value)
    return "x".join(str(n) for n in value)
