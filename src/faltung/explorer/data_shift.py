"""What the view Shift is given: pictures to move, and a network measured under shifts."""

from __future__ import annotations

import base64
import io
from functools import cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from faltung.datasets import photo
from faltung.errors import ExplorerError, message
from faltung.explorer.pictures import fitted
from faltung.explorer.recorded import digit

Pixels = NDArray[np.uint8]

SIDE: Final = 32
PICTURES: Final = {
    "noise": "noise, 0 to 9",
    "arrow": "an arrow",
    "digit": "a handwritten digit",
    "camera": "part of a photograph",
}
"""By name, in words; each 32×32."""
RECORDED: Final = tuple(range(9))
"""Shifts to the right that a saved page has."""
_ARROW: Final = ("....#...", "....##..", "#######.", "########", "#######.", "....##..", "....#...")


@cache
def picture(name: str) -> Pixels:
    """Return one of `PICTURES`, (32, 32).

    Raises
    ------
    ExplorerError
        There is none of this name.

    Examples
    --------
    >>> picture("arrow").shape, picture("noise").max()
    ((32, 32), np.uint8(9))
    """
    if name not in _MAKERS:
        cure = f"Use one of {', '.join(_MAKERS)}"
        raise ExplorerError(
            message("shift", "there is no such picture", {"name": repr(name)}, cure)
        )
    made = _MAKERS[name]()
    made.setflags(write=False)
    return made


def _noise() -> Pixels:
    return np.random.default_rng(5).integers(0, 10, size=(SIDE, SIDE)).astype(np.uint8)


def _arrow() -> Pixels:
    made = np.zeros((SIDE, SIDE), np.uint8)
    ink = np.array([list(row) for row in _ARROW]) == "#"
    made[9:23, 8:24] = 9 * np.kron(ink, np.ones((2, 2), bool))
    return made


def _digit() -> Pixels:
    return np.pad(digit(7)[0], 2)


def _camera() -> Pixels:
    return fitted(photo("camera")[60:220, 180:340], SIDE).copy()


_MAKERS: Final = {"noise": _noise, "arrow": _arrow, "digit": _digit, "camera": _camera}


@cache
def prepared() -> dict[str, Any]:
    """Return pictures as files, and the recorded network under shifts to the right."""
    from faltung.explorer.ask_shift import invariant_share, under_shift
    from faltung.explorer.recorded import network

    graph, image = network(), picture("digit")[2:-2, 2:-2]
    return {
        "pictures": {name: {"label": PICTURES[name], **_as_file(name)} for name in PICTURES},
        "network": {
            "shifts": [under_shift(graph, image, 0, shift) for shift in RECORDED],
            "share": invariant_share(graph),
        },
    }


def _as_file(name: str) -> dict[str, Any]:
    written = io.BytesIO()
    Image.fromarray(picture(name)).save(written, "PNG", optimize=True)
    white = 9 if name in ("noise", "arrow") else 255
    return {"file": base64.b64encode(written.getvalue()).decode(), "white": white}
