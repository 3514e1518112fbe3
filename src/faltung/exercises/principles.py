"""Questions on the two principles: the same everywhere, and near pixels alone."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from faltung.analysis.layer_cost import convolution, layer_cost
from faltung.exercises.exercise import Exercise
from faltung.functional import avg_pool, conv, max_pool
from faltung.report import Table

GROUP: Final = "Principles"


def pixelwise(size: int, channels: int, maps: int) -> dict[str, Any]:
    """Compare a 1×1 convolution with a dense layer at each pixel."""
    rng = np.random.default_rng(0)
    x = rng.integers(-9, 10, (1, channels, size, size)).astype(float)
    w = rng.integers(-9, 10, (maps, channels, 1, 1)).astype(float)
    y, differ = conv(x, w), 0
    for i, j in np.ndindex(size, size):
        differ += int((w[:, :, 0, 0] @ x[0, :, i, j] != y[0, :, i, j]).sum())
    return {
        "image": f"{size}×{size}",
        "differ": differ,
        "values": y.size,
        "params": layer_cost("1×1", convolution(maps, 1), (channels, size, size)).params,
        "window": "1×1",
    }


DELTA_ZERO: Final = Exercise(
    name="delta-zero",
    title="Δ = 0",
    group=GROUP,
    question=(
        "In h[i,j,d] = Σ V[a,b,c,d] x[i+a, j+b, c] the offsets a and b go from −Δ to Δ. What is "
        "left for Δ = 0? What is it good for?"
    ),
    hints=("Only a = b = 0 is left. What is still summed over?",),
    answer=(
        "h[i,j,d] = Σ V[0,0,c,d] x[i,j,c], over the channels c: a dense layer from channels to "
        "channels, the same one at every pixel. It is called a {window} convolution.",
        "From {channels} to {maps} channels it has {params} parameters, with biases. On "
        "{image} all {values} values were compared with the dense layer applied pixel by "
        "pixel: {differ} differ.",
        "It sees no neighbours at all. It mixes channels, makes them fewer before an expensive "
        "layer, or more after a cheap one, and with an activation it is a small network at each "
        "pixel.",
    ),
    given={"size": 8, "channels": 16, "maps": 4},
    compute=pixelwise,
)


def halves(size: int) -> dict[str, Any]:
    """Ask a layer with a global maximum on which side a dot is; then give it coordinates."""
    rng = np.random.default_rng(1)
    w = rng.integers(-9, 10, (4, 1, 3, 3)).astype(float)
    sides = np.zeros((2, 1, size, size))
    sides[0, 0, size // 2, size // 4] = sides[1, 0, size // 2, size - 1 - size // 4] = 1
    blind = conv(sides, w, padding=1).max(axis=(2, 3))
    column = np.broadcast_to(np.arange(size, dtype=float), (2, 1, size, size))
    knows = np.concatenate([w, np.zeros_like(w)], axis=1)
    knows[:, 1, 1, 1] = 1
    told = conv(np.concatenate([sides, column * sides], axis=1), knows, padding=1).max(axis=(2, 3))
    return {
        "image": f"{size}×{size}",
        "blind": float(np.abs(blind[0] - blind[1]).max()),
        "told": float(np.abs(told[0] - told[1]).max()),
        "kernels": len(w),
    }


BAD_IDEA: Final = Exercise(
    name="bad-idea",
    title="When invariance is a bad idea",
    group=GROUP,
    question=(
        "The same weights everywhere, and in the end a decision that does not depend on the place: "
        "for which tasks is that wrong?"
    ),
    hints=(
        "Where would you look for eyes on a passport photograph? For the sky in a landscape?",
        "Is the dot to the left or to the right?",
    ),
    answer=(
        "Where the place itself means something: eyes on a centred face, sky above and street "
        "below, the position in a board game, organs in an aligned scan, frequency on the vertical "
        "axis of a spectrogram. And where the answer is a place.",
        "A dot on {image}, left or right: {kernels} random kernels and a global maximum give "
        "outputs that differ by {blind:g}. They cannot know. With the column's number as a second "
        "channel the outputs differ by {told:g}.",
        "So: coordinate channels, locally connected layers where faces are aligned, a dense layer "
        "at the end instead of global pooling. Weights that are shared need not be thrown away; "
        "the place has to be told.",
    ),
    given={"size": 16},
    compute=halves,
)


def corner(size: int, cat: int) -> dict[str, Any]:
    """Look for a small pattern in the middle and in a corner, by one template in two layers."""
    rng = np.random.default_rng(2)
    pattern = rng.integers(1, 10, (cat, cat)).astype(float)
    middle, edge = np.zeros((size, size)), np.zeros((size, size))
    start = (size - cat) // 2
    middle[start : start + cat, start : start + cat] = pattern
    edge[-cat:, :cat] = pattern
    maps = conv(np.stack([middle, edge])[:, None], pattern[None, None])[:, 0]
    places = [np.unravel_index(int(m.argmax()), m.shape) for m in maps]
    dense = [float((middle * x).sum()) for x in (middle, edge)]
    return {
        "image": f"{size}×{size}",
        "pattern": f"{cat}×{cat}",
        "conv_middle": float(maps[0].max()),
        "conv_corner": float(maps[1].max()),
        "at_middle": f"({places[0][0]}, {places[0][1]})",
        "at_corner": f"({places[1][0]}, {places[1][1]})",
        "dense_middle": dense[0],
        "dense_corner": dense[1],
        "places": maps[0].size,
    }


CAT: Final = Exercise(
    name="cat",
    title="A cat in the corner",
    group=GROUP,
    question=(
        "A network has seen cats in the middle of its pictures only. What does a dense layer make "
        "of a cat in the corner, what a convolution, and what has to follow the convolution?"
    ),
    hints=(
        "Which weights of the dense layer meet the cat in the corner? Did they ever meet one?",
        "The convolution's answer moves along with the cat. Who does not mind where it is?",
    ),
    answer=(
        "A pattern of {pattern} in place of the cat, on {image}. A dense neuron whose weights are "
        "the picture with the pattern in the middle answers {dense_middle:g} to that picture, and "
        "{dense_corner:g} to the pattern in the corner: other weights meet it there.",
        "A convolution with the pattern as its kernel answers {conv_middle:g}, at {at_middle}, and "
        "{conv_corner:g}, at {at_corner}: the same, elsewhere. That is equivariance.",
        "A dense layer would need cats at all {places} places to learn that. But the convolution "
        "says where, and a dense layer behind it would again have to learn each place: a global "
        "maximum makes equivariance into invariance.",
    ),
    given={"size": 24, "cat": 5},
    compute=corner,
)


def measured(size: int, shift: int) -> dict[str, Any]:
    """Shift an image in a circle and see which operations follow, and which stay as they are."""
    rng = np.random.default_rng(3)
    x = rng.integers(-9, 10, (1, 1, size, size)).astype(float)
    w = rng.integers(-9, 10, (1, 1, 3, 3)).astype(float)
    dense = rng.integers(-9, 10, (size * size, size * size)).astype(float)

    def around(image: Any, **how: Any) -> Any:
        return conv(image, w, padding="same", padding_mode="circular", **how)

    operations: dict[str, Any] = {
        "convolution": around,
        "ReLU": lambda image: np.maximum(image, 0),
        "convolution, stride 2": lambda image: around(image, stride=2),
        "max pooling of 2": lambda image: max_pool(image, 2),
        "global average": lambda image: avg_pool(image, size),
        "dense layer": lambda image: (dense @ image.ravel()).reshape(image.shape),
    }
    rows = []
    for name, operation in operations.items():
        y, moved = operation(x), operation(np.roll(x, shift, axis=3))
        follows = np.array_equal(moved, np.roll(y, shift * y.shape[3] // size, axis=3))
        same = np.array_equal(moved, y)
        word = "invariant" if same else "equivariant" if follows else "neither"
        rows.append([name, word])
    strided, one = around(x, stride=2), around(np.roll(x, 1, axis=3), stride=2)
    return {
        "table": Table(["operation", f"under a shift by {shift}"], rows, left=(0, 1)),
        "by_one": sum(np.array_equal(one, np.roll(strided, s, axis=3)) for s in range(size // 2)),
        "ways": size // 2,
    }


EQUIVARIANCE: Final = Exercise(
    name="equivariance",
    title="Equivariance or invariance?",
    group=GROUP,
    question=(
        "Which is which: a convolution, a ReLU, a stride, max pooling, a global average, a dense "
        "layer? The image is shifted by {shift}, in a circle."
    ),
    hints=(
        "Equivariant: the output moves along. Invariant: the output stays as it was.",
        "An output with half the columns can only move by half as much.",
    ),
    answer=(
        "{table}",
        "Convolution is equivariant, not invariant, though the latter is often said. Strides and "
        "pooling follow shifts by multiples of the stride alone: after a shift by one column the "
        "strided output is the one before in {by_one} of {ways} ways to move that. Pooling "
        "adds a little invariance; only global pooling is invariant.",
    ),
    given={"size": 8, "shift": 2},
    compute=measured,
)
