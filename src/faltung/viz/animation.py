"""Figures in a row: an animated GIF, or one SVG file for each."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from faltung import atomic
from faltung.errors import PictureError, message
from faltung.viz.style import encoded

Array = NDArray[Any]

FORMATS: Final = ("gif", "svg")
COLOURS: Final = 64
"""Of a GIF: flat areas and a few steps between them for smooth edges."""


def check_suffix(path: str | os.PathLike[str]) -> str:
    """Return which kind of animation a path asks for, before anything is computed for it.

    Parameters
    ----------
    path
        Where an animation is to go.

    Raises
    ------
    PictureError
        Its suffix names none of `FORMATS`.

    Examples
    --------
    >>> check_suffix("slide.gif")
    'gif'
    """
    suffix = Path(path).suffix
    kind = suffix.lower().removeprefix(".")
    if kind not in FORMATS:
        rule = "an animation's suffix must be .gif, or .svg for one file a frame"
        cure = f"Use {Path(path).with_suffix('.gif').name}"
        raise PictureError(message(str(path), rule, {"suffix": repr(suffix)}, cure))
    return kind


def save(
    frames: Iterable[Figure], path: str | os.PathLike[str], *, seconds: float = 0.8
) -> list[Path]:
    """Write figures of one size as an animation.

    Parameters
    ----------
    frames
        One after the other; each is let go once it is drawn.
    path
        ``x.gif``, or ``x.svg`` for ``x-001.svg``, ``x-002.svg`` and so on.
    seconds
        How long each frame of a GIF is shown; the last one three times as long.

    Returns
    -------
    list of pathlib.Path
        The files.

    Raises
    ------
    PictureError
        Another suffix, or no frames.
    StorageError
        A file cannot be written.
    """
    kind, target = check_suffix(path), Path(path)
    if kind == "gif":
        atomic.write_bytes(target, _gif(frames, round(1000 * seconds)))
        return [target]
    written = []
    for number, frame in enumerate(frames, start=1):
        written.append(target.with_name(f"{target.stem}-{number:03}{target.suffix}"))
        atomic.write_bytes(written[-1], encoded(frame, "svg"))
    if not written:
        _refuse(target)
    return written


def _refuse(target: Path) -> None:
    raise PictureError(message(str(target), "an animation must have a frame", {"frames": 0}))


def _gif(frames: Iterable[Figure], milliseconds: int) -> bytes:
    """One palette for all frames: the colours that most pixels have, exactly."""
    images = [_packed(Image.open(io.BytesIO(encoded(f, "png"))).convert("RGB")) for f in frames]
    if not images:
        raise PictureError(message("gif", "an animation must have a frame", {"frames": 0}))
    palette = _palette(images)
    first, *rest = (_indexed(image, palette) for image in images)
    buffer = io.BytesIO()
    durations = [milliseconds] * len(rest) + [3 * milliseconds]
    first.save(
        buffer, "GIF", save_all=True, append_images=rest, duration=durations, loop=0, optimize=False
    )
    return buffer.getvalue()


def _packed(image: Image.Image) -> Array:
    """Each pixel as one number, 0xRRGGBB: numbers are sorted faster than triples."""
    packed: Array = np.asarray(image).astype(np.int64) @ np.array([1 << 16, 1 << 8, 1])
    return packed


def _channels(colours: Array) -> Array:
    return np.stack([colours >> 16, colours >> 8 & 255, colours & 255], axis=-1)


def _palette(images: list[Array]) -> Array:
    """The commonest colours; of equally common ones the lower number, to be the same always."""
    colours, counts = np.unique(np.stack(images), return_counts=True)
    chosen: Array = colours[np.argsort(-counts, kind="stable")[:COLOURS]]
    return chosen


def _indexed(image: Array, palette: Array) -> Image.Image:
    """An image whose every pixel has the colour of the palette that is nearest to its own."""
    colours, where = np.unique(image, return_inverse=True)
    far = np.square(_channels(colours)[:, None] - _channels(palette)).sum(axis=2)
    nearest = far.argmin(axis=1).astype(np.uint8)
    made = Image.fromarray(nearest[where].reshape(image.shape), "P")
    made.putpalette(_channels(palette).ravel().tolist())
    return made
