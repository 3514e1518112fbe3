"""The exercise that writes a convolution as a dense layer."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from faltung.constraints import conv_matrix
from faltung.exercises.exercise import Exercise, Task
from faltung.exercises.marking import Array, Marker, Mistake
from faltung.report import Table


def matrix(kernel: Array, height: int, width: int) -> Array:
    """Return a layer's matrix, from `faltung.conv_matrix`."""
    weights = np.asarray(kernel, float)[None, None]
    return np.asarray(conv_matrix(weights, (height, width)))


def _columns_first(kernel: Array, height: int, width: int) -> Array:
    """Positions counted down the columns, outputs and inputs alike."""
    made = matrix(kernel, height, width)
    out = (height - kernel.shape[0] + 1, width - kernel.shape[1] + 1)
    rows = np.arange(made.shape[0]).reshape(out).T.ravel()
    columns = np.arange(made.shape[1]).reshape(height, width).T.ravel()
    return made[rows][:, columns]


def _out_width(kernel: Array, height: int, width: int) -> Array:
    """The kernel's rows laid out with the output's width in place of the input's."""
    made = np.zeros_like(matrix(kernel, height, width))
    (kh, kw), out_width = kernel.shape, width - kernel.shape[1] + 1
    for row in range(len(made)):
        i, j = divmod(row, out_width)
        for a, b in np.ndindex(kh, kw):
            made[row, (i + a) * out_width + j + b] += kernel[a, b]
    return made


def _close_rows(kernel: Array, height: int, width: int) -> Array:
    """Each row one place further than the one before, also at the end of an image's row."""
    made = np.zeros_like(matrix(kernel, height, width))
    for row in range(len(made)):
        for a, b in np.ndindex(*kernel.shape):
            made[row, row + a * width + b] = kernel[a, b]
    return made


def _cases() -> list[dict[str, Any]]:
    rng = np.random.default_rng(6)
    sizes = [((2, 2), 3, 3), ((3, 3), 6, 6), ((2, 3), 4, 5), ((1, 2), 5, 3)]
    kernels = [rng.permutation(np.arange(1, h * w + 1)).reshape(h, w) for (h, w), _, _ in sizes]
    return [
        {"kernel": kernel, "height": height, "width": width}
        for kernel, (_, height, width) in zip(kernels, sizes, strict=True)
    ]


def laid_out(height: int, width: int, size: int, small: int) -> dict[str, Any]:
    """Count the entries of a matrix, and show a small one."""
    kernel = np.arange(1, size * size + 1).reshape(size, size)
    made = matrix(kernel, height, width)
    tiny = matrix(np.array([[1, 2], [3, 4]]), small, small).astype(int)
    rows = [[str(n), *(str(v) if v else "·" for v in row)] for n, row in enumerate(tiny.tolist())]
    header = ["output", *(str(n) for n in range(tiny.shape[1]))]
    return {
        "image": f"{height}×{width}",
        "kernel": f"{size}×{size}",
        "out": f"{height - size + 1}×{width - size + 1}",
        "shape": f"{made.shape[0]}×{made.shape[1]}",
        "entries": made.size,
        "nonzero": int((made != 0).sum()),
        "a_row": int((made[0] != 0).sum()),
        "values": len(set(made[made != 0].tolist())),
        "zeros": int((made == 0).sum()),
        "tiny": f"{small}×{small}",
        "tiny_kernel": "2×2",
        "table": Table(header, rows),
    }


MATRIX: Final = Exercise(
    name="matrix",
    title="A dense layer that is a convolution",
    group="Networks",
    question=(
        "A convolution is a dense layer, a special one. Write matrix(kernel, height, width): the "
        "weights of the dense layer that takes the flattened image to the flattened output of the "
        "convolution. What shape has it for {image} under {kernel}?"
    ),
    hints=(
        "A row of the matrix is one output, a column one input.",
        "Flattened by rows, pixel (i, j) of an image is number i·width + j.",
    ),
    answer=(
        "{image} under {kernel} leaves {out}: the matrix is {shape}. Of its {entries} entries "
        "{nonzero} are not zero, {a_row} in each row, and these share {values} values: locality is "
        "the {zeros} zeros, sharing the equal entries.",
        "{tiny} under {tiny_kernel}, the kernel 1, 2 over 3, 4; dots are zeros:",
        "{table}",
        "So convolution is no generalisation of the dense layer; it is one with two constraints.",
    ),
    given={"height": 6, "width": 6, "size": 3, "small": 3},
    compute=laid_out,
    task=Task(
        function="matrix",
        head='''
import numpy as np


def matrix(kernel, height, width):
    """Return the matrix M with M @ image.ravel() = output.ravel().

    The output is the valid cross-correlation of an image (height, width) with a
    kernel (kh, kw), so M is ((height - kh + 1) * (width - kw + 1), height * width).
    """
''',
        body="""    kh, kw = kernel.shape
    rows, columns = height - kh + 1, width - kw + 1
    m = np.zeros((rows * columns, height * width))
    for i in range(rows):
        for j in range(columns):
            for a in range(kh):
                for b in range(kw):
                    m[i * columns + j, (i + a) * width + j + b] = kernel[a, b]
    return m
""",
        marker=Marker(
            matrix,
            _cases,
            (
                Mistake(
                    "The kernel is flipped: a layer's correlation reads it forwards.",
                    lambda kernel, height, width: matrix(kernel[::-1, ::-1], height, width),
                ),
                Mistake(
                    "It is transposed: outputs are rows, inputs columns. (The transpose is the "
                    "transposed convolution.)",
                    lambda kernel, height, width: matrix(kernel, height, width).T,
                ),
                Mistake(
                    "Positions are counted down the columns: flattening goes along the rows, pixel "
                    "(i, j) is number i·width + j.",
                    _columns_first,
                ),
                Mistake(
                    "Inputs are numbered with the output's width: the input at (i+a, j+b) is "
                    "number (i+a)·width + j+b, with the width of the image.",
                    _out_width,
                ),
                Mistake(
                    "At the end of an image's row the kernel must not go on in the next one: each "
                    "output's first column is i·width + j, not the output's own number.",
                    _close_rows,
                ),
                Mistake(
                    "Each weight is 1: the matrix has to have the kernel's entries.",
                    lambda kernel, height, width: matrix(np.ones_like(kernel), height, width),
                ),
                Mistake(
                    "Only the first row is there, or the first is in all of them: each output has "
                    "its own row, in which the kernel stands elsewhere.",
                    lambda kernel, height, width: _first_row(kernel, height, width),
                ),
            ),
            wants="a matrix",
        ),
    ),
)


def _first_row(kernel: Array, height: int, width: int) -> Array:
    made = matrix(kernel, height, width)
    return np.repeat(made[:1], len(made), axis=0)
