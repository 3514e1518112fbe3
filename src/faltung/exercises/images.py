"""Exercises on images: the definition, and edges on checkerboards."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from faltung.exercises.exercise import Exercise, Task
from faltung.exercises.marking import Array, Marker, Mistake
from faltung.reference.conv import conv_loops
from faltung.report import Table

GROUP: Final = "Images"
SOBEL: Final = np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]])


def correlated(image: Array, kernel: Array, pad: int = 0) -> Array:
    """Return the valid cross-correlation of an image, by the loops of the definition."""
    padded = np.pad(np.asarray(image, float), pad)
    return np.asarray(conv_loops(padded[None, None], np.asarray(kernel)[None, None])[0, 0])


# From the definition ----------------------------------------------------------------------------


def _same(image: Array, kernel: Array) -> Array:
    height, width = kernel.shape
    pads = [((n - 1) // 2, n // 2) for n in (height, width)]
    return correlated(np.pad(np.asarray(image, float), pads), kernel)


def _own_dtype(image: Array, kernel: Array) -> Array:
    with np.errstate(all="ignore"):
        whole = np.trunc(correlated(image, kernel)).astype(np.int64)
        return whole.astype(image.dtype).astype(float)


def _transposed(image: Array, kernel: Array) -> Array:
    """What loops over the output's columns first return, their sizes swapped."""
    return correlated(image, kernel).T


def _images() -> list[dict[str, Any]]:
    rng = np.random.default_rng(3)
    patch = np.array([[1, 2, 0], [0, 1, 2], [2, 0, 1]])
    bright = rng.integers(0, 256, (6, 5)).astype(np.uint8)
    return [
        {"image": patch, "kernel": SOBEL},
        {"image": rng.integers(-9, 10, (5, 7)), "kernel": rng.integers(-9, 10, (2, 3)) / 4},
        {"image": bright, "kernel": rng.integers(1, 9, (3, 2))},
        {"image": rng.integers(-9, 10, (4, 6)), "kernel": np.array([[2]])},
    ]


def one_output(patch: list[list[int]], sizes: tuple[int, int, int, int]) -> dict[str, Any]:
    """Sum the first output, as it is and flipped."""
    image = np.array(patch)
    terms = [
        f"{a}·{b}" if b >= 0 else f"{a}·({b})"
        for a, b in zip(image.ravel(), SOBEL.ravel(), strict=True)
    ]
    height, width, kh, kw = sizes
    return {
        "kernel": SOBEL.tolist(),
        "sum": " + ".join(terms),
        "value": int(correlated(image, SOBEL)[0, 0]),
        "flipped": int(correlated(image, SOBEL[::-1, ::-1])[0, 0]),
        "image_size": f"{height}×{width}",
        "kernel_size": f"{kh}×{kw}",
        "out_size": "×".join(
            map(str, correlated(np.zeros((height, width)), np.zeros((kh, kw))).shape)
        ),
    }


CONV2D: Final = Exercise(
    name="conv2d",
    title="Convolution from its definition",
    group=GROUP,
    question=(
        "Write conv2d(image, kernel): y[i, j] = Σ image[i+a, j+b] kernel[a, b] over the kernel, "
        "wherever the whole kernel fits ('valid'). No library does it for you: loops."
    ),
    hints=(
        "How many rows does a kernel of height k fit on, in an image of height H?",
        "The patch under the kernel is image[i : i + kh, j : j + kw].",
    ),
    answer=(
        "A kernel of height k fits H − k + 1 times: {image_size} under {kernel_size} leaves "
        "{out_size}. Nothing is flipped, as in all layers; mathematics calls this a correlation.",
        "At (0, 0) the patch {patch} under {kernel}: {sum} = {value}. With the kernel flipped on "
        "both axes it would be {flipped}.",
    ),
    given={"patch": [[1, 2, 0], [0, 1, 2], [2, 0, 1]], "sizes": (5, 7, 2, 3)},
    compute=one_output,
    task=Task(
        function="conv2d",
        head='''
import numpy as np


def conv2d(image, kernel):
    """Slide a kernel (kh, kw) over an image (H, W), without flipping it.

    Returns (H - kh + 1, W - kw + 1): the sum of products wherever the whole kernel fits.
    """
''',
        body="""    height, width = image.shape
    kh, kw = kernel.shape
    y = np.zeros((height - kh + 1, width - kw + 1))
    for i in range(y.shape[0]):
        for j in range(y.shape[1]):
            patch = image[i : i + kh, j : j + kw].astype(float)
            y[i, j] = (patch * kernel).sum()
    return y
""",
        marker=Marker(
            correlated,
            _images,
            (
                Mistake(
                    "The kernel is flipped on both axes: that is the convolution of mathematics. "
                    "Here it is image[i+a, j+b] · kernel[a, b], both read forwards.",
                    lambda image, kernel: correlated(image, kernel[::-1, ::-1]),
                ),
                Mistake(
                    "The image is padded with zeros so that its size stays ('same'). Here only "
                    "positions count where the whole kernel fits.",
                    _same,
                ),
                Mistake(
                    "The last row and column are missing: a kernel of height k fits H − k + 1 "
                    "times, not H − k.",
                    lambda image, kernel: correlated(image, kernel)[:-1, :-1],
                ),
                Mistake(
                    "Those are means: the sum of products is divided by the number of entries of "
                    "the kernel.",
                    lambda image, kernel: correlated(image, kernel) / kernel.size,
                ),
                Mistake(
                    "Those are sums of the patches alone: the kernel's entries are not in them.",
                    lambda image, kernel: correlated(image, np.ones_like(kernel)),
                ),
                Mistake(
                    "The result keeps the image's dtype, so fractions are cut off and bytes wrap "
                    "at 256. Make the array with np.zeros(shape), which are floats.",
                    _own_dtype,
                ),
                Mistake(
                    "Rows and columns are swapped: y[i, j] has the row first, as the image has.",
                    _transposed,
                ),
                Mistake(
                    "Only the last product is kept: add up with +=.",
                    lambda image, kernel: _last_product(image, kernel),
                ),
            ),
        ),
    ),
)


def _last_product(image: Array, kernel: Array) -> Array:
    only = np.zeros(kernel.shape)
    only[-1, -1] = kernel[-1, -1]
    return correlated(image, only)


# Edges ------------------------------------------------------------------------------------------


def checkerboard(size: int, square: int) -> Array:
    """Return squares of 0 and 1."""
    at = np.arange(size) // square
    return (at[:, None] + at) % 2


def slopes(image: Array, kernel: Array = SOBEL) -> Array:
    """Return how an image rises to the right and downwards."""
    return np.stack([correlated(image, kernel), correlated(image, kernel.T)])


def _narrow(image: Array) -> Array:
    """What sums in bytes give: they wrap, as does a minus sign."""
    y = slopes(image)
    return np.mod(y, 256) if image.dtype == np.uint8 else y


def _boards() -> list[dict[str, Any]]:
    rng = np.random.default_rng(4)
    return [
        {"image": np.array([[0, 1, 3], [0, 2, 3], [1, 2, 5]])},
        {"image": checkerboard(8, 2)},
        {"image": rng.integers(0, 256, (5, 7)).astype(np.uint8)},
        {"image": rng.integers(-9, 10, (6, 4))},
    ]


def boards(squares: tuple[int, ...], size: int) -> dict[str, Any]:
    """Measure Sobel's responses on checkerboards."""
    inner = [np.abs(slopes(checkerboard(size, s))).max() for s in squares]
    padded = [
        np.abs(np.stack([correlated(checkerboard(size, s), k, 1) for k in (SOBEL, SOBEL.T)])).max()
        for s in squares
    ]
    rows = [[str(s), f"{a:g}", f"{b:g}"] for s, a, b in zip(squares, inner, padded, strict=True)]
    step = np.repeat([[0, 0, 1, 1]], 3, axis=0)
    header = ["pixels a square", "largest response", "with a border of zeros"]
    return {
        "table": Table(header, rows),
        "smallest": squares[0],
        "none": float(inner[0]),
        "at_border": float(padded[0]),
        "next": squares[1],
        "some": float(inner[1]),
        "step": float(np.abs(slopes(step)).max()),
    }


EDGES: Final = Exercise(
    name="edges",
    title="Edge detectors on checkerboards",
    group=GROUP,
    question=(
        "Write edges(image): Sobel's two slopes, to the right and downwards. What do they find on "
        "a checkerboard whose squares are {smallest} pixel wide? And {next}?"
    ),
    hints=(
        "Sobel's kernel compares the column to the right with the column to the left.",
        "How far apart are these two columns? What does a checkerboard have there?",
    ),
    answer=(
        "{table}",
        "With squares of {smallest} pixel everything changes everywhere, and Sobel finds {none:g}: "
        "it compares pixels two places apart, which are alike. Only a border of zeros makes "
        "responses, up to {at_border:g}. With {next} pixels a square the largest is {some:g}, "
        "half of the {step:g} of a straight edge, as the rows under the kernel disagree.",
        "A detector sees the edges of its own scale.",
    ),
    given={"squares": (1, 2, 3, 4), "size": 12},
    compute=boards,
    task=Task(
        function="edges",
        head='''
import numpy as np


def edges(image):
    """Return Sobel's slopes of an image (H, W) as one array (2, H - 2, W - 2).

    First to the right, sum of image[i+a, j+b] K[a, b], where K is
    [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]; then downwards, with K transposed.
    Nothing is padded. The image may be of any dtype.
    """
''',
        body="""    image = image.astype(float)
    right = np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]])
    height, width = image.shape
    y = np.zeros((2, height - 2, width - 2))
    for n, kernel in enumerate((right, right.T)):
        for i in range(height - 2):
            for j in range(width - 2):
                y[n, i, j] = (image[i : i + 3, j : j + 3] * kernel).sum()
    return y
""",
        marker=Marker(
            slopes,
            _boards,
            (
                Mistake(
                    "The two slopes are swapped: the first one is to the right, where columns "
                    "differ; its kernel has −1, 0, 1 along a row.",
                    lambda image: slopes(image)[::-1],
                ),
                Mistake(
                    "The signs are the other way round: the kernel is flipped. Rising to the right "
                    "is positive.",
                    lambda image: -slopes(image),
                ),
                Mistake(
                    "Those are absolute values: the sign, which tells rising from falling, is "
                    "lost.",
                    lambda image: np.abs(slopes(image)),
                ),
                Mistake(
                    "That is Prewitt's kernel: in Sobel's the middle row counts twice.",
                    lambda image: slopes(image, np.sign(SOBEL)),
                ),
                Mistake(
                    "The image is padded with zeros: at its border these make edges that it does "
                    "not have.",
                    lambda image: slopes(np.pad(np.asarray(image, float), 1)),
                ),
                Mistake(
                    "Those are eighths: the slopes are divided by the sum of the kernel's sizes. "
                    "Here they are not.",
                    lambda image: slopes(image) / 8,
                ),
                Mistake(
                    "Bytes wrap: on an image of uint8 differences below 0 become large numbers. "
                    "Begin with image.astype(float).",
                    _narrow,
                ),
                Mistake(
                    "Both are added up to one strength of edges; two slopes are asked for.",
                    lambda image: np.hypot(*slopes(image)),
                ),
            ),
            wants="an array (2, H − 2, W − 2)",
        ),
    ),
)
