"""What the view Lab is given: pictures to try things on, the library's kernels, a scene detected.

`picture` gives in Python what the page shows, pixel by pixel::

    from faltung.explorer.data_lab import picture
    picture("squares1")
"""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from faltung.datasets import photo
from faltung.errors import ExplorerError, message
from faltung.explorer.lettering import page_of
from faltung.explorer.pictures import fitted
from faltung.explorer.recorded import digit
from faltung.imaging.hiding import hide
from faltung.imaging.library import named_filter

Pixels = NDArray[np.uint8]

PICTURES: Final = {
    "camera": "photograph, grey",
    "cat": "photograph, colour",
    "squares1": "squares of 1 pixel",
    "squares2": "squares of 2 pixels",
    "digit": "handwritten digit",
    "text": "text",
    "noise": "noise",
    "hidden": "scene with hidden eyes",
    "page": "page of digits",
}
"""By name, in words."""
FILTERS: Final = (
    *(
        "box:3",
        "box:5",
        "gaussian:1",
        "gaussian:1.5",
        "motion:9,45",
        "sharpen",
        "unsharp",
        "emboss",
    ),
    *("sobel-x", "sobel-y", "sobel", "prewitt-x", "prewitt-y", "prewitt"),
    *("scharr-x", "scharr-y", "scharr", "laplacian", "log", "dog"),
    *("gabor:4", "gabor:4,90", "complex:4"),
)
"""Those of the library that are one kernel or a pair, none larger than 15×15."""
CERTAIN: Final = 0.999
"""The least probability of what is found on the page of digits."""
SQUARES: Final = 24
WORDS: Final = ("let a kernel slide", "over all the letters", "and find the e in it")
EYE: Final = (46, 76, 34, 36)
"""Where the cat's eye is cut out: top, left, height, width."""


@cache
def picture(name: str) -> Pixels:
    """Return one of `PICTURES`, (H, W) or (H, W, 3), or ``"eye"``, which is hidden in a scene.

    The squares are 0 and 1, all others 0 to 255. Photographs are what is left of them in JPEG.

    Raises
    ------
    ExplorerError
        There is none of this name.

    Examples
    --------
    >>> picture("squares2")[:2, :5].tolist()
    [[0, 0, 1, 1, 0], [0, 0, 1, 1, 0]]
    """
    if name not in _MAKERS:
        cure = f"Use one of {', '.join(_MAKERS)}"
        raise ExplorerError(message("lab", "there is no such picture", {"name": repr(name)}, cure))
    made = _MAKERS[name]()
    made.setflags(write=False)
    return made


@cache
def _jpeg(name: str) -> bytes:
    """A photograph as a file; each pixel keeps its own colour, so that all decoders agree."""
    written = io.BytesIO()
    pixels = np.ascontiguousarray(_hidden() if name == "hidden" else fitted(photo(name), 256))
    Image.fromarray(pixels).save(written, "JPEG", quality=78, subsampling=0)
    return written.getvalue()


def _photograph(name: str) -> Pixels:
    with Image.open(io.BytesIO(_jpeg(name))) as image:
        pixels: Pixels = np.array(image)
        return pixels


def _squares(size: int) -> Pixels:
    y, x = np.indices((SQUARES, SQUARES)) // size
    return ((x + y) % 2).astype(np.uint8)


def _noise() -> Pixels:
    values = 128 + 40 * np.random.default_rng(0).normal(size=(64, 64))
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def _eye() -> Pixels:
    top, left, height, width = EYE
    return picture("cat")[top : top + height, left : left + width].copy()


def _hidden() -> Pixels:
    ground = fitted(photo("coffee"), 168)
    return hide(picture("eye"), ground, copies=3, decoys=2, noise=4.0, seed=1).scene


def _page() -> Pixels:
    page = np.zeros((112, 168), np.uint8)
    places = np.random.default_rng(3).integers(0, 12, size=(10, 2))
    for label, (y, x) in enumerate(places):
        top, left = 56 * (label // 5) + int(y) + 8, 33 * (label % 5) + int(x) // 2
        page[top : top + 28, left : left + 28] = digit(label)[0]
    return page


_MAKERS: Final[Mapping[str, Callable[[], Pixels]]] = {
    "camera": lambda: _photograph("camera"),
    "cat": lambda: _photograph("cat"),
    "squares1": lambda: _squares(1),
    "squares2": lambda: _squares(2),
    "digit": lambda: digit(3)[0].copy(),
    "text": lambda: page_of(WORDS),
    "noise": _noise,
    "hidden": lambda: _photograph("hidden"),
    "page": _page,
    "eye": _eye,
}


@cache
def prepared() -> dict[str, Any]:
    """Return pictures as files, kernels by name, and what a detector finds on the page of digits.

    >>> [each["name"] for each in prepared()["library"]][:2]
    ['box:3', 'box:5']
    """
    from faltung.explorer.ask_lab import scanned
    from faltung.explorer.recorded import network

    return {
        "pictures": {name: {"label": PICTURES[name], **_as_file(name)} for name in PICTURES},
        "eye": _as_file("eye"),
        "library": [_as_kernels(name) for name in FILTERS],
        "detected": scanned(network(), picture("page"), CERTAIN),
    }


def _as_file(name: str) -> dict[str, Any]:
    pixels = picture(name)
    if name in ("camera", "cat", "hidden"):
        file = _jpeg(name)
    else:
        written = io.BytesIO()
        Image.fromarray(pixels).save(written, "PNG", optimize=True)
        file = written.getvalue()
    white = 1 if name.startswith("squares") else 255
    return {"file": base64.b64encode(file).decode(), "white": white}


def _as_kernels(name: str) -> dict[str, Any]:
    found = named_filter(name)
    return {"name": name, "kernels": [kernel.tolist() for kernel in found.kernels]}
