"""Cards 1 to 4: from what a dense layer costs to the four matrices, by hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from faltung.analysis.costs import cost
from faltung.analysis.data import data_report
from faltung.analysis.data.tables import curve_table
from faltung.constraints import CORNERS, Square, project, square
from faltung.constraints.corner import constraints_of
from faltung.report import Table
from faltung.tour.card import Card, Question, View

Shape = tuple[int, ...]


def by_size(shape: Sequence[int]) -> str:
    """Return (C, *space) as people write it, a single channel left out.

    >>> by_size((3, 224, 224)), by_size((1, 28, 28))
    ('224×224×3', '28×28')
    """
    channels, *space = shape
    return "×".join(map(str, [*space, channels] if channels > 1 else space))


# 1 ---------------------------------------------------------------------------------------------


def what_it_costs(
    shape: Shape, outputs: int, kernel: int, channels: int, others: Sequence[Shape], asked: Shape
) -> View:
    """Count a dense layer and a convolution on images of several sizes."""
    sizes = sorted([shape, *others], key=lambda s: s[0] * s[1] * s[2])
    made = {s: cost(s, outputs=outputs, kernel=kernel, channels=channels) for s in sizes}
    rows = [
        (
            by_size(s),
            f"{report.dense.params:,}",
            f"{report.convolution.params:,}",
            f"{report.ratios['params']:,.0f}",
        )
        for s, report in made.items()
    ]
    title = f"dense to {outputs:,}, and {channels} kernels {kernel}×{kernel}; biases included"
    header = ("image", "dense", "convolution", "times as many")
    report, other = made[shape], cost(asked, outputs=outputs)
    name, size = report.yardstick
    figures = {
        "image": by_size(shape),
        "dense": report.dense.params,
        "conv": report.convolution.params,
        "network": name,
        "networks": report.dense.params / size,
        "size": "x".join(map(str, (*shape[1:], shape[0]))),
        "asked_image": by_size(asked),
        "answer": other.dense.params,
        "inputs": other.dense.inputs,
    }
    return View(figures, [Table(header, rows, title=title)])


COST: Final = Card(
    name="cost",
    title="What it costs",
    question="What does it cost to connect every pixel with every output?",
    text=(
        "A dense layer gives each output a weight for each input. On an image of {image}, "
        "{outputs:,} outputs take {dense:,} parameters, {networks:.3f} times all of {network}. "
        "A convolution with {channels} kernels of {kernel}×{kernel} takes {conv:,}, however "
        "large the image is."
    ),
    given={
        "shape": (3, 224, 224),
        "outputs": 1000,
        "kernel": 3,
        "channels": 64,
        "others": ((1, 28, 28), (3, 32, 32), (3, 1080, 1920)),
        "asked": (3, 512, 512),
    },
    compute=what_it_costs,
    check=Question(
        "A dense layer from {asked_image} to {outputs:,} outputs, with biases: how many "
        "parameters?",
        "answer",
        "{inputs:,} inputs times {outputs:,} outputs, and a bias for each output.",
    ),
    cells=(
        "report = faltung.cost($shape, outputs=$outputs, kernel=$kernel, channels=$channels)\n"
        "{layer.name: layer.params for layer in report.layers}",
        'show("costs", report)',
    ),
    command="explain cost --input {size} --outputs {outputs} --kernel {kernel} "
    "--channels {channels}",
    loose=("a dense layer on HD", "what locality and sharing save"),
)


def says_of_shifts(size: int = 8) -> str:
    """Return which constraint a layer needs to do the same to a dot wherever the dot is.

    Each corner's layer sees a dot, and the dot one place further; the answer must be that of the
    constraints which just those corners have whose output moves along.

    >>> says_of_shifts()
    'shared'
    """
    made = square((size,), 1)
    moves = {corner: moves_along(made, corner) for corner in CORNERS}
    names = ("shared", "local")
    (found,) = (
        name for name in names if all(getattr(constraints_of(c), name) == moves[c] for c in CORNERS)
    )
    return found


def moves_along(made: Square, corner: str) -> bool:
    """Return whether a dot that moves by one place moves the output of a layer by one place."""
    weights = np.random.RandomState(1).permutation(np.arange(1, made.parameters(corner) + 1))
    matrix = made.matrix(corner, weights.reshape(made.weight_shape(corner)))
    middle = made.size[0] // 2
    here, further = matrix[:, middle], matrix[:, middle + 1]
    return bool((further[1:] == here[:-1]).all())


# 2 ---------------------------------------------------------------------------------------------


def two_principles(photo: str, far: int) -> View:
    """Measure both principles on a photograph; ask which of them moves along with a dot."""
    report = data_report(photo)
    (down, *_), places = report.curves, report.places
    assert places is not None
    names = {"shared": "translation invariance", "local": "locality"}
    figures = {
        **names,
        "near": down.neighbours,
        "apart": float(down.values[far]),
        "blocks": places.neighbours.size,
        "least": float(places.neighbours.min()),
        "answer": names[says_of_shifts()],
        "movers": sum(moves_along(square((8,), 1), corner) for corner in CORNERS),
        "corners": len(CORNERS),
    }
    return View(figures, [curve_table(report.curves), report.verdict.headline])


PRINCIPLES: Final = Card(
    name="principles",
    title="Two principles",
    question="What do we know about an image before we see it?",
    text=(
        "In this photograph of a {photo} neighbouring pixels correlate by {near:.2f}, pixels {far} "
        "apart by {apart:.2f}: look near ({local}). In each of its {blocks} parts neighbours "
        "correlate by {least:.2f} or more: what helps in one place helps in others, so look in "
        "the same way everywhere ({shared})."
    ),
    given={"photo": "cat", "far": 100},
    compute=two_principles,
    check=Question(
        "A cat in the corner should be seen like a cat in the middle. Which principle makes a "
        "layer do that?",
        "answer",
        "Of the {corners} layers on the next card just the {movers} with shared weights move their "
        "output along with the cat, be they local or not.",
        ("{shared}", "{local}", "neither"),
    ),
    cells=(
        'report = faltung.data_report("$photo")\n'
        "{curve.axis: curve.values[[1, $far]].round(2).tolist() for curve in report.curves}",
        "curves = {c.axis: (c.distances, c.values, c.low, c.high) for c in report.curves}\n"
        'show("distance", curves)',
    ),
    command="explain data {photo}",
    loose=("far pixels",),
)


# 3 ---------------------------------------------------------------------------------------------


def counts_of(made: Square) -> dict[str, int]:
    """Return the parameters of the four corners."""
    return {corner: made.parameters(corner) for corner in CORNERS}


def four_corners(size: Shape, window: tuple[int, int], large: Shape, small: Shape) -> View:
    """Count the four layers; put the constraints on in both orders."""
    made = square(size, window)
    figures: dict[str, Any] = {
        **counts_of(made),
        "image": by_size((1, *size)),
        "size_option": "x".join(map(str, size)),
        "window_option": f"{window[0]}:{window[1]}",
        "orders_differ": orders_differ(square(small, window)),
        "large_image": by_size((1, *large)),
        "answer": square(large, window).parameters("shared"),
        "furthest": max(large) - 1,
    }
    headline, table, *_ = made.blocks()
    order = (
        f"One constraint first or the other: {figures['orders_differ']} entries of a random "
        f"{by_size((1, *small))} layer's matrix differ."
    )
    return View(figures, [headline, table, order])


def orders_differ(made: Square) -> int:
    """Return how many entries depend on which constraint is put on first."""
    w = np.random.RandomState(0).randint(-9, 10, made.shape).astype(np.float64)
    one = project(made, project(made, w, "shared"), "local")
    other = project(made, project(made, w, "local"), "shared")
    return int((one != other).sum())


FOUR_CORNERS: Final = Card(
    name="corners",
    title="Four corners",
    question="What does each principle take away from a dense layer?",
    text=(
        "Between images of {image} a dense layer has {dense:,} weights. The same weights "
        "everywhere leave {shared:,}; near pixels alone leave {local:,}; both leave "
        "{convolution}. Neither principle needs the other, and their order does not matter: four "
        "layers, at the corners of a square."
    ),
    given={"size": (28, 28), "window": (-1, 1), "large": (224, 224), "small": (4, 4)},
    compute=four_corners,
    check=Question(
        "On {large_image}, with the same weights everywhere but all pixels: how many weights?",
        "answer",
        "One for each offset, from -{furthest} to {furthest} along each axis.",
    ),
    cells=(
        "corners = faltung.square($size, window=$window)\ncorners",
        "counts = {name: corners.parameters(name) for name in faltung.constraints.CORNERS}\n"
        'show("bars", counts, unit="weights", highlighted="convolution")',
    ),
    command="explain square --size {size_option} --window={window_option}",
    loose=("weights left by translation invariance", "what translation invariance saves"),
)


# 4 ---------------------------------------------------------------------------------------------


def by_hand(small: Shape, window: tuple[int, int], large: Shape, wide: tuple[int, int]) -> View:
    """Write the matrices of the smallest images out."""
    one, two = square(small, window), square(large, wide)
    nonzero = two.nonzeros("convolution")
    figures: dict[str, Any] = {
        "small_image": by_size((1, *small)),
        "large_image": by_size((1, *large)),
        "entries": two.parameters("dense"),
        "zeros": two.parameters("dense") - nonzero,
        "nonzero": nonzero,
        "weights": two.parameters("convolution"),
        "window_text": f"{window[0]}..{window[1]}",
        "wide_text": f"{wide[0]}..{wide[1]}",
        "size_option": "x".join(map(str, small)),
        "window_option": f"{window[0]}:{window[1]}",
        "answer": tuple(counts_of(square(large, window)).values()),
    }
    return View(figures, [*one.blocks(), *two.blocks()])


BY_HAND: Final = Card(
    name="matrices",
    title="{small_image} and {large_image}",
    question="Can one see all four layers at once?",
    text=(
        "As matrices: rows are outputs, columns inputs, equal letters are tied weights, dots are "
        "zeros. The convolution on {large_image} is a dense layer too, a very special one: of its "
        "{entries} entries {zeros} are zeros, and the other {nonzero} share {weights} weights."
    ),
    given={"small": (2, 2), "window": (0, 1), "large": (3, 3), "wide": (-1, 1)},
    compute=by_hand,
    check=Question(
        "On {large_image} with offsets {window_text}: how many weights have dense, shared, local "
        "and convolution?",
        "answer",
        "Pairs of positions; offsets; pairs within the window; offsets within the window.",
    ),
    cells=(
        'show("square", faltung.square($small, window=$window))',
        'show("square", faltung.square($large, window=$wide))',
    ),
    command="explain square --size {size_option} --window {window_option}",
    loose=("generalisation",),
)
