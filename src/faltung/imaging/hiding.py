"""A scene with a template hidden in it, to look for: paler copies, noise, and decoys."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from faltung.errors import GeometryError, message

TRIES = 2000


@dataclass(frozen=True, eq=False)
class Hidden:
    """A scene and what is in it.

    Parameters
    ----------
    scene : array, (H, W, C)
        uint8.
    places : tuple of (int, int)
        Upper left corners of the copies; the first ones hang over the border.
    decoys : tuple of (int, int)
        Upper left corners of patches with the template's pixels in another order.
    """

    scene: NDArray[np.uint8]
    places: tuple[tuple[int, int], ...]
    decoys: tuple[tuple[int, int], ...]


def hide(
    template: ArrayLike,
    ground: ArrayLike,
    *,
    copies: int = 5,
    decoys: int = 4,
    gain: float = 0.6,
    offset: float = 20.0,
    noise: float = 10.0,
    seed: int = 0,
) -> Hidden:
    """Hide copies of a template, ``gain · template + offset``, and decoys; add noise everywhere.

    Parameters
    ----------
    template, ground : array_like, (h, w, C) and (H, W, C)
        Images of 8 bits.
    copies, decoys : int
        How many of each. The first two copies hang over the upper and the left border by a third.
    gain, offset : float
        What becomes of a copy's pixels.
    noise : float
        Standard deviation.
    seed : int
        Decides places and noise.

    Raises
    ------
    GeometryError
        hide H1: there is no room for so many.
    """
    picture, scene = np.asarray(template), np.array(ground, np.float64)
    random = np.random.default_rng(seed)
    places = _places(random, picture.shape, scene.shape, copies + decoys, min(copies, 2))
    for index, (y, x) in enumerate(places):
        pixels = picture
        if index >= copies:
            flat = random.permutation(picture.reshape(-1, picture.shape[2]))
            pixels = flat.reshape(picture.shape)
        _put(scene, gain * pixels + offset, y, x)
    scene += noise * random.normal(size=scene.shape)
    levels = np.clip(np.rint(scene), 0, 255).astype(np.uint8)
    return Hidden(levels, tuple(places[:copies]), tuple(places[copies:]))


def _places(
    random: np.random.Generator,
    size: tuple[int, ...],
    scene: tuple[int, ...],
    count: int,
    over: int,
) -> list[tuple[int, int]]:
    """Corners of boxes apart from one another; the first hang over the upper and left border."""
    height, width = size[:2]
    lowest, rightmost = scene[0] - height, scene[1] - width
    found: list[tuple[int, int]] = []
    for _ in range(TRIES if min(lowest, rightmost) >= 0 else 0):
        if len(found) == count:
            return found
        y, x = int(random.integers(lowest + 1)), int(random.integers(rightmost + 1))
        if len(found) < over:
            y, x = (-(height // 3), x) if len(found) == 0 else (y, -(width // 3))
        if all(abs(y - row) > height or abs(x - column) > width for row, column in found):
            found.append((y, x))
    if len(found) == count:
        return found
    rule, got = "there is no room for so many", {"wanted": count, "room": len(found)}
    raise GeometryError(message("hide", rule, got, "Use a larger scene", "hide H1"))


def _put(scene: NDArray[Any], pixels: NDArray[Any], y: int, x: int) -> None:
    """Lay pixels over a scene; what reaches past its upper or left border is cut off."""
    inside = pixels[max(-y, 0) :, max(-x, 0) :]
    top, left = max(y, 0), max(x, 0)
    scene[top : top + inside.shape[0], left : left + inside.shape[1]] = inside
