"""Questions about values: sums at a position, the flip, the matrix."""

from __future__ import annotations

from random import Random
from typing import Any, Final

import numpy as np

from faltung.constraints.toeplitz import ConvMatrix
from faltung.explorer.quiz.problem import Family, Problem, Rows, minus, misses
from faltung.functional import conv
from faltung.signal import convolve, correlate


def _drawn(rng: Random, rows: int, cols: int, most: int, least: int = 0) -> Rows:
    return tuple(tuple(rng.randint(least, most) for _ in range(cols)) for _ in range(rows))


def _sum(patch: Any, kernel: Any) -> str:
    pairs = zip(np.ravel(patch).tolist(), np.ravel(kernel).tolist(), strict=True)
    terms = [f"{a}·{b}" if b >= 0 else f"{a}·(−{-b})" for a, b in pairs]
    return " + ".join(terms).replace("-", "−")


def at_position(rng: Random) -> Problem:
    """One output of a layer, or of a convolution with the flip."""
    size, k = rng.choice((4, 5)), rng.choice((2, 3))
    image, kernel = _drawn(rng, size, size, 3), _drawn(rng, k, k, 2, -2)
    is_flipped = rng.random() < 0.5
    i, j = rng.randint(0, size - k), rng.randint(0, size - k)
    x, w = np.array(image), np.array(kernel)
    turned = w[::-1, ::-1]
    plain, flipped = (conv(x[None, None], each[None, None])[0, 0] for each in (w, turned))
    mine, other = (flipped, plain) if is_flipped else (plain, flipped)
    answer = int(mine[i, j])
    patch = x[i : i + k, j : j + k]
    name = "convolution, flip included," if is_flipped else "cross-correlation, as layers do it,"
    first = f"The kernel turned round: {turned.tolist()}. " if is_flipped else ""
    how = "[:, ::-1, ::-1]"
    return Problem(
        f"The {name} of this image with this kernel, 'valid': what is the output at row {i}, "
        f"column {j}, counted from 0?",
        (answer,),
        f"{first}{_sum(patch, turned if is_flipped else w)} = {minus(answer)}.".replace("-", "−"),
        misses(
            answer,
            (
                int(other[i, j]),
                "That is " + ("without the flip." if is_flipped else "with the flip."),
            ),
            (int(mine[j, i]), "Row first, then column."),
            (int((patch * w.T).sum()), "The kernel was transposed."),
            (int((patch * w[::-1]).sum()), "The flip is on both axes, not on one."),
            (int((patch * w[:, ::-1]).sum()), "The flip is on both axes, not on one."),
            (int(patch.sum()), "Each value has its weight."),
        ),
        code=f"int(faltung.conv(np.array([[{x.tolist()}]]), np.array([{w.tolist()}])"
        f"{how if is_flipped else ''}[None])[0, 0, {i}, {j}])",
        grids=(("image", image), ("kernel", kernel)),
    )


def on_a_line(rng: Random) -> Problem:
    """A full convolution of two short signals at one place."""
    n, k = rng.randint(4, 6), rng.randint(2, 4)
    (f,), (g,) = _drawn(rng, 1, n, 4), _drawn(rng, 1, k, 3, -3)
    full = convolve(np.array(f), np.array(g))
    at = rng.randint(1, n + k - 3)
    answer = int(full[at])
    used = [a for a in range(n) if 0 <= at - a < k]
    terms = " + ".join(f"f({a})·g({at - a})" for a in used)
    numbers = _sum([f[a] for a in used], [g[at - a] for a in used])
    other = correlate(np.array(f), np.array(g))
    return Problem(
        f"The convolution of f and g, full: what is (f∗g)({at})? Indices begin at 0.",
        (answer,),
        f"Σ f(a)·g({at} − a): {terms} = {numbers} = {minus(answer)}.",
        misses(
            answer,
            (int(other[at]), "That is the cross-correlation: g was not flipped."),
            (int(other[-1 - at]), "That is the cross-correlation, from the other end."),
            (int(full[at - 1]), "That is one place too early."),
            (int(full[at + 1]) if at + 1 < len(full) else answer, "That is one place too late."),
            (sum(f[a] * g[a] for a in range(min(n, k))), "The indices must add up to the place."),
            (sum(f) * sum(g), "That is the sum of all of f∗g."),
        ),
        code=f"int(faltung.convolve({list(f)}, {list(g)})[{at}])",
        grids=(("f", (f,)), ("g", (g,))),
    )


def matrix(rng: Random) -> Problem:
    """The matrix that a convolution is."""
    height, width, k = rng.randint(3, 9), rng.randint(3, 9), rng.choice((2, 3))
    stride, padding = rng.choice((1, 1, 2)), rng.choice(("valid", "same"))
    made = ConvMatrix.of((height, width), (1, 1, k, k), stride=stride, padding=padding)
    (rows, cols), (down, across) = made.shape, made.window.out_space
    return Problem(
        f"One kernel of {k}×{k} on {height}×{width} pixels, padding {padding!r}, stride {stride}, "
        "written as a matrix that takes the image as one long column: how many rows and how many "
        "columns (two numbers)?",
        (rows, cols),
        f"A row for each output: {down}·{across} = {rows}; a column for each pixel: "
        f"{height}·{width} = {cols}.",
        misses(
            (rows, cols),
            ((cols, rows), "Rows are outputs, columns are inputs."),
            ((cols, cols), "Fewer come out than go in."),
            ((rows, k * k), "Each row has an entry for every pixel, most of them 0."),
            ((down, across), "That is how the output is arranged: each of its pixels is a row."),
            ((height * width, k * k), "That is neither outputs nor pixels."),
        ),
        code=f"faltung.constraints.ConvMatrix.of(({height}, {width}), (1, 1, {k}, {k}), "
        f"stride={stride}, padding={padding!r}).shape",
    )


def nonzeros(rng: Random) -> Problem:
    """How many entries of that matrix are not zero."""
    height, width, k = rng.randint(3, 8), rng.randint(3, 8), rng.choice((2, 3))
    padding = rng.choice(("valid", "same"))
    made = ConvMatrix.of((height, width), (1, 1, k, k), padding=padding)
    rows, cols = made.shape
    near, far = (axis.connections(padding=False) for axis in made.window.axes)
    one, two = made.window.out_space
    if padding == "valid":
        steps = f"{one}·{two} = {rows} rows with {k}·{k} = {k * k} each: {made.nonzeros}"
    else:
        steps = (
            f"Down {one}·{k} taps, {one * k - near} of them on padding: {near}; across "
            f"{two}·{k} − {two * k - far} = {far}; {near}·{far} = {made.nonzeros}"
        )
    return Problem(
        f"One kernel of {k}×{k} without a zero in it, on {height}×{width} pixels, padding "
        f"{padding!r}, as a matrix: how many of its entries are not 0?",
        (made.nonzeros,),
        f"{steps}.",
        misses(
            made.nonzeros,
            (rows * cols, "That is all of its entries."),
            (cols * k * k, "Taps on padding, or windows that do not fit, have no entry."),
            (rows * k * k, "Taps on padding have no entry."),
            (k * k, "Those are its different values: each stands many times."),
            (rows * cols - made.nonzeros, "Those are its zeros."),
            (rows, "Each output has more than one."),
        ),
        code=f"faltung.constraints.ConvMatrix.of(({height}, {width}), (1, 1, {k}, {k}), "
        f"padding={padding!r}).nonzeros",
    )


def composed(rng: Random) -> Problem:
    """Two layers without an activation are one."""
    sizes = [rng.randint(2, 9) for _ in range(rng.choice((2, 2, 3)))]
    kernel = np.ones(1, int)
    for size in sizes:
        kernel = convolve(kernel, np.ones(size, int))
    answer, told = len(kernel), " and ".join(f"{n}×{n}" for n in sizes)
    adds = " + ".join(f"({n} − 1)" for n in sizes)
    product = 1
    for size in sizes:
        product *= size
    code = "np.ones(1)"
    for size in sizes:
        code = f"faltung.convolve({code}, np.ones({size}))"
    return Problem(
        f"Convolutions with kernels {told} in a row, nothing between them: one convolution does "
        "the same. How wide is its kernel?",
        (answer,),
        f"Each adds its size − 1: 1 + {adds} = {answer}.",
        misses(
            answer,
            (sum(sizes), "Kernels overlap in one position: k₁ + k₂ − 1."),
            (product, "Kernels add up, they do not multiply."),
            (max(sizes), "It sees what all of them see together."),
            (sum(sizes) - len(sizes), "The position itself counts too: + 1."),
        ),
        code=f"len({code})",
    )


VALUES: Final = (
    Family("value", "The sum at a position", at_position),
    Family("flip", "Convolution on a line", on_a_line),
    Family("matrix", "Size of the matrix", matrix),
    Family("nonzeros", "Non-zeros of the matrix", nonzeros),
    Family("composed", "Layers in a row", composed),
)
