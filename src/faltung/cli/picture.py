"""Small pictures out of characters: a half block shows two pixels, one above the other."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.color import Color
from rich.console import Console
from rich.style import Style
from rich.table import Table
from rich.text import Text

COUNT = 3
LARGEST = 32
"""Columns of a picture; larger images are thinned out."""
BLOCKS = {(False, False): " ", (True, False): "▀", (False, True): "▄", (True, True): "█"}

Pixels = NDArray[Any]


def pictures(images: Pixels, titles: list[str], console: Console) -> Table | None:
    """The first few images (N, C, H, W) side by side; None where they cannot be drawn.

    Without colours there are two shades, which is enough for grey images and not for others.
    """
    in_colour = console.is_terminal and not console.no_color and console.color_system is not None
    if images.shape[1] not in (1, 3) or (images.shape[1] == 3 and not in_colour):
        return None
    small = shrunk(cropped(images[:COUNT]))
    room = max((console.width + 2) // (small.shape[3] + 2), 1)
    grid = Table.grid(padding=(0, 2, 0, 0))
    drawn = [in_shades(image) if in_colour else in_blocks(image) for image in levels(small)[:room]]
    grid.add_row(*drawn)
    grid.add_row(*[Text(title, style="dim") for title in titles[: len(drawn)]])
    return grid


def cropped(images: Pixels) -> Pixels:
    """Take away rows and columns at the border that are empty in all images."""
    filled = (images != images[:, :, :1, :1]).any(axis=(0, 1))
    rows, columns = np.flatnonzero(filled.any(axis=1)), np.flatnonzero(filled.any(axis=0))
    if not len(rows):
        return images
    return images[:, :, rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def shrunk(images: Pixels) -> Pixels:
    """Every n-th pixel, so that the larger side fits."""
    step = -(-max(images.shape[2:]) // LARGEST)
    return images[:, :, ::step, ::step]


def levels(images: Pixels) -> NDArray[np.uint8]:
    """Pixels as 0 to 255, of floats in any range; an even number of rows."""
    low, high = float(images.min()), float(images.max())
    if images.dtype != np.uint8:
        images = (images - low) * (255.0 / (high - low if high > low else 1.0))
    odd = images.shape[2] % 2
    return np.pad(images.astype(np.uint8), ((0, 0), (0, 0), (0, odd), (0, 0)))


def in_blocks(image: NDArray[np.uint8]) -> Text:
    """A grey image in two shades."""
    bright = image[0] > 127
    rows = zip(bright[::2].tolist(), bright[1::2].tolist(), strict=True)
    lines = ["".join(BLOCKS[pair] for pair in zip(*row, strict=True)) for row in rows]
    return Text("\n".join(lines), no_wrap=True)


def in_shades(image: NDArray[np.uint8]) -> Text:
    """An image in its colours."""
    colours = np.broadcast_to(image, (3, *image.shape[1:])).transpose(1, 2, 0).tolist()
    text = Text(no_wrap=True)
    for upper, lower in zip(colours[::2], colours[1::2], strict=True):
        if text:
            text.append("\n")
        for above, below in zip(upper, lower, strict=True):
            style = Style(color=Color.from_rgb(*above), bgcolor=Color.from_rgb(*below))
            text.append("▀", style)
    return text
