"""The exercise on what moves when the input moves."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from faltung.exercises.exercise import Exercise, Task
from faltung.exercises.images import correlated
from faltung.exercises.marking import Array, Marker, Mistake, numbers


def layer(image: Array, kernel: Array, circular: bool) -> Array:
    """Return an output of the image's size: zeros outside, or the image again."""
    mode: Any = "wrap" if circular else "constant"
    pads = [((n - 1) // 2, n // 2) for n in kernel.shape]
    return correlated(np.pad(np.asarray(image, float), pads, mode=mode), kernel)


def _where(one: Array, other: Array, axis: int = 0) -> Array:
    return np.flatnonzero((one != other).any(axis=axis)).astype(float)


def differing(image: Array, kernel: Array, shift: int, circular: bool) -> Array:
    """Return the columns in which shift-then-layer differs from layer-then-shift."""
    moved = layer(np.roll(image, shift, 1), kernel, circular)
    return _where(moved, np.roll(layer(image, kernel, circular), shift, 1))


def _unmoved(image: Array, kernel: Array, shift: int, circular: bool) -> Array:
    return _where(layer(np.roll(image, shift, 1), kernel, circular), layer(image, kernel, circular))


def _backwards(image: Array, kernel: Array, shift: int, circular: bool) -> Array:
    moved = layer(np.roll(image, shift, 1), kernel, circular)
    return _where(moved, np.roll(layer(image, kernel, circular), -shift, 1))


def _down(image: Array, kernel: Array, shift: int, circular: bool) -> Array:
    moved = layer(np.roll(image, shift, 0), kernel, circular)
    return _where(moved, np.roll(layer(image, kernel, circular), shift, 0), 1)


def _rows(image: Array, kernel: Array, shift: int, circular: bool) -> Array:
    moved = layer(np.roll(image, shift, 1), kernel, circular)
    return _where(moved, np.roll(layer(image, kernel, circular), shift, 1), 1)


def _equal(image: Array, kernel: Array, shift: int, circular: bool) -> Array:
    return np.setdiff1d(np.arange(image.shape[1]), differing(image, kernel, shift, circular))


def _unpadded(image: Array, kernel: Array, shift: int, circular: bool) -> Array:
    one = correlated(np.roll(image, shift, 1), kernel)
    return _where(one, np.roll(correlated(image, kernel), shift, 1))


def _shifted_cases() -> list[dict[str, Any]]:
    rng = np.random.default_rng(5)
    image, kernel = rng.integers(1, 10, (8, 32)), rng.integers(1, 10, (3, 3))
    wide = rng.integers(1, 10, (6, 20)), rng.integers(1, 10, (3, 5))
    twice = np.tile(rng.integers(1, 10, (6, 10)), 2)  # a shift by 5 is one by 5 the other way
    return [
        {"image": image, "kernel": kernel, "shift": 5, "circular": False},
        {"image": image, "kernel": kernel, "shift": 5, "circular": True},
        {"image": wide[0], "kernel": wide[1], "shift": 7, "circular": False},
        {"image": wide[0], "kernel": wide[1], "shift": 0, "circular": False},
        {"image": twice, "kernel": kernel, "shift": 5, "circular": True},
    ]


def _columns(answer: Any) -> Array:
    return numbers(np.asarray(answer if len(answer) else [], float).reshape(-1))


def moved(width: int, shift: int, size: int) -> dict[str, Any]:
    """Do the experiment with zeros and in a circle."""
    rng = np.random.default_rng(5)
    image, kernel = rng.integers(1, 10, (8, width)), rng.integers(1, 10, (size, size))
    zeros = differing(image, kernel, shift, False).astype(int).tolist()
    around = differing(image, kernel, shift, True).astype(int).tolist()
    return {
        "columns": ", ".join(map(str, zeros)),
        "border": " and ".join(map(str, (0, width - 1))),
        "went_to": " and ".join(str((c + shift) % width) for c in (0, width - 1)),
        "circular": len(around),
        "equal": width - len(zeros),
    }


SHIFT: Final = Exercise(
    name="shift",
    title="The shift experiment",
    group="Principles",
    question=(
        "An image {width} columns wide is shifted by {shift}, what leaves coming in at the other "
        "end. A {size}×{size} layer keeps its size. Shift-then-layer and layer-then-shift: in "
        "which columns do they differ, with zeros outside and with circular padding? Write "
        "differing(image, kernel, shift, circular)."
    ),
    hints=(
        "Which columns of the output use a padding zero? Where are they after the shift?",
        "np.roll(image, shift, axis=1) shifts; np.pad(..., mode='wrap') pads in a circle.",
    ),
    answer=(
        "With zeros: columns {columns}. Columns {border} use padding; there shift-then-layer sees "
        "other neighbours. And layer-then-shift takes its own border values along, to columns "
        "{went_to}. In the other {equal} columns both agree: that is equivariance, up to the "
        "border.",
        "Circular: {circular} columns differ. On a circle there is no border, and the shift by any "
        "number of columns commutes with the layer exactly.",
    ),
    given={"width": 32, "shift": 5, "size": 3},
    compute=moved,
    task=Task(
        function="differing",
        head='''
import numpy as np


def differing(image, kernel, shift, circular):
    """Return the columns, from the left, in which two outputs differ in some row.

    The layer: cross-correlation of an image (H, W) with a kernel of odd sizes, padded
    so that the size stays, with zeros or (circular=True) in a circle. One output: the
    layer of the image that was shifted to the right, np.roll(image, shift, axis=1).
    The other: the layer's output, shifted as far.
    """
''',
        body="""    def layer(x):
        kh, kw = kernel.shape
        mode = "wrap" if circular else "constant"
        x = np.pad(x, ((kh // 2, kh // 2), (kw // 2, kw // 2)), mode=mode)
        y = np.zeros(image.shape)
        for i in range(y.shape[0]):
            for j in range(y.shape[1]):
                y[i, j] = (x[i : i + kh, j : j + kw] * kernel).sum()
        return y

    one = layer(np.roll(image, shift, axis=1))
    other = np.roll(layer(image), shift, axis=1)
    return [j for j in range(image.shape[1]) if (one[:, j] != other[:, j]).any()]
""",
        marker=Marker(
            differing,
            _shifted_cases,
            (
                Mistake(
                    "The second output is not shifted: it is compared with the layer of the image "
                    "as it was. That asks for invariance; equivariance says that the output moves "
                    "along.",
                    _unmoved,
                ),
                Mistake(
                    "The second output is shifted the other way: both shifts are to the right, by "
                    "the same number of columns.",
                    _backwards,
                ),
                Mistake(
                    "The image is shifted down: columns move with np.roll(image, shift, axis=1).",
                    _down,
                ),
                Mistake(
                    "Those are the rows that differ: compare column by column, one[:, j].",
                    _rows,
                ),
                Mistake(
                    "`circular` changes nothing: it pads with zeros always. np.pad has "
                    "mode='wrap'.",
                    lambda image, kernel, shift, circular: differing(image, kernel, shift, False),
                ),
                Mistake(
                    "Zeros are never there: it pads in a circle always. They are what makes "
                    "columns differ.",
                    lambda image, kernel, shift, circular: differing(image, kernel, shift, True),
                ),
                Mistake(
                    "Those are the columns that are equal; the others are asked for.",
                    _equal,
                ),
                Mistake(
                    "The output is smaller than the image: it is not padded, so its columns are "
                    "not the image's.",
                    _unpadded,
                ),
            ),
            wants="a list of columns",
            read=_columns,
        ),
    ),
)
