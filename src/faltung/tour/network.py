"""Cards 9 to 12: what networks of convolutions see, lose, learn and find."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from faltung import zoo
from faltung.analysis import receptive_fields, summarize
from faltung.analysis.loose_fields import exact_field, loose_field, stage_ends
from faltung.analysis.scale import reach, stack
from faltung.constraints import explained, square
from faltung.datasets import load_pair, zero_one
from faltung.functional import conv, max_pool
from faltung.graph.layers import Chain, Conv, MaxPool, sketch
from faltung.imaging import find
from faltung.imaging.hiding import hide
from faltung.ops.operator import Everything
from faltung.report import Table
from faltung.tour.card import Card, Question, View
from faltung.tour.dense import by_size
from faltung.tour.letters import beside, picture
from faltung.tour.scene import small_photo, somebody
from faltung.training import Recipe, train
from faltung.training.start import start_new

Array = NDArray[Any]

# 9 ---------------------------------------------------------------------------------------------


def how_far(kernel: int, count: int, width: int, network: str, asked: Sequence[int]) -> View:
    """Follow the receptive field through a stack, through a network, through strides."""
    layers = Chain(*(Conv(1, kernel, padding="same") for _ in range(count)))
    fields = receptive_fields(sketch(layers, (1, width, width)))
    sizes = {name: each[0] for name, each in fields.items()}
    rows = [(name, f"{f.size}×{f.size}", f"{100 * f.share**2:.1f} %") for name, f in sizes.items()]
    table = Table(("layer", "one output sees", f"share of {width}×{width}"), rows)
    graph, compared = zoo.sketch(network), stack(64, count, kernel)
    *ends, last = stage_ends(graph)
    first, stride, pool, pool_stride = asked
    strided = Chain(Conv(1, first, stride=stride), MaxPool(pool, pool_stride))
    other = sketch(strided, (1, 64, 64))
    seen = [f.size for f in sizes.values() if not isinstance(f.size, Everything)]
    figures = {
        "sees": " → ".join(str(n) for n in [1, *seen]),
        "end": seen[-1],
        "small": compared.per_square[0],
        "large": compared.per_square[1],
        "network_name": zoo_name(network),
        "network_sees": last,
        "first": first,
        "stride": stride,
        "pool": pool,
        "pool_stride": pool_stride,
        "answer": exact_field(other),
        "loose": loose_field(other),
        "jump": stride,
    }
    stages = f"{zoo_name(network)}: its stages see {', '.join(map(str, ends))}; {last} at the end."
    return View(figures, [table, stages])


def zoo_name(network: str) -> str:
    """Return a network's name as it is printed: the number set off, the letters large.

    >>> zoo_name("vgg16")
    'VGG-16'
    """
    letters = network.rstrip("0123456789")
    return f"{letters.upper()}-{network[len(letters) :]}"


FIELD: Final = Card(
    name="field",
    title="How far",
    question="If every kernel looks only near, how does a network see far?",
    text=(
        "Layer upon layer: with {kernel}×{kernel} kernels one output sees {sees} pixels across, "
        "with {small}C² weights where a single {end}×{end} has {large}C². A stride spreads all "
        "layers after it, never its own; so {network_name} sees {network_sees} pixels at its end."
    ),
    given={"kernel": 3, "count": 3, "width": 7, "network": "vgg16", "asked": (5, 2, 3, 2)},
    compute=how_far,
    check=Question(
        "A convolution {first}×{first} with stride {stride}, then pooling {pool}×{pool} with "
        "stride {pool_stride}: how many pixels across does one output see?",
        "answer",
        "{first}, and {pool} windows that stand {jump} apart. With each layer's own stride it "
        "would be {loose}, which is wrong.",
    ),
    cells=(
        'layers = [L.Conv(1, $kernel, padding="same") for _ in range($count)]\n'
        "net = L.sketch(L.Chain(*layers), input_shape=(1, $width, $width))\n"
        "{name: f[0].size for name, f in faltung.receptive_fields(net).items()}",
        'show("field.frames", net)',
        'fields = faltung.receptive_fields(faltung.zoo.sketch("$network"))\n'
        '{name: f[0].size for name, f in fields.items() if "pool" in name}',
    ),
    loose=("the field by the layer's own stride", "what layers see"),
)


# 10 --------------------------------------------------------------------------------------------


def given_up(size: int, window: tuple[int, int], far: int, kernel: int, asked: int) -> View:
    """See what no convolution can do, and what brings it back."""
    made = square((size, size), window)
    shares = explained(made, mirror(size))
    held = {each.corner: each.share for each in shares.shares}
    without, coordinate = place_counts(size)
    distance, other = reach(far, kernel), reach(asked, kernel)
    assert distance is not None
    assert other is not None
    figures = {
        "image": by_size((1, size, size)),
        "share": f"{100 * held['convolution']:.2f} %",
        "without": without,
        "coordinate": coordinate,
        "plain": distance.plain,
        "doubling": distance.doubling,
        "answer": other.plain,
        "asked_sees": other.plain_sees,
        "growth": kernel - 1,
    }
    dots = (
        "A dot at the left and a dot at the right, after a convolution and global pooling: scores "
        f"differ by {without}. With a channel that holds each pixel's column: by {coordinate}."
    )
    return View(figures, [*shares.blocks(), dots])


def mirror(size: int) -> Array:
    """Return the weight matrix of the layer that mirrors an image left to right.

    >>> mirror(1).tolist()
    [[1.0]]
    """
    positions = np.arange(size * size).reshape(size, size)
    matrix: Array = np.eye(size * size)[positions[:, ::-1].ravel()]
    return matrix


def place_counts(size: int) -> tuple[int, int]:
    """Return how far scores of a dot at two places differ: without and with a coordinate channel.

    A convolution of whole numbers, and the sum over all positions; the dot is never at the border.

    >>> place_counts(8)[0]
    0
    """
    rng = np.random.RandomState(0)
    w = rng.randint(1, 10, (1, 2, 3, 3))
    scores = []
    for column in (2, size - 3):
        dot = np.zeros((size, size), int)
        dot[size // 2, column] = 1
        columns = dot * np.arange(size)
        plain = conv(dot[None, None], w[:, :1], padding=1)
        both = conv(np.stack([dot, columns])[None], w, padding=1)
        scores.append((int(plain.sum()), int(both.sum())))
    (plain_left, left), (plain_right, right) = scores
    return plain_right - plain_left, right - left


LOST: Final = Card(
    name="lost",
    title="What is lost",
    question="What has been given up on the way?",
    text=(
        "Rules that depend on the place: mirroring an image is a dense layer, but its nearest "
        "convolution holds {share} of it. A channel with coordinates brings place back. And "
        "far pixels: {plain} layers of {kernel}×{kernel} span {far} pixels; with doubling "
        "dilation {doubling} do."
    ),
    given={"size": 8, "window": (-1, 1), "far": 224, "kernel": 3, "asked": 100},
    compute=given_up,
    check=Question(
        "How many layers of {kernel}×{kernel}, without stride or dilation, until one output sees "
        "{asked} pixels across?",
        "answer",
        "Each adds {growth}: so many see {asked_sees}.",
    ),
    cells=(
        "from faltung.constraints import explained\n"
        "\n"
        "positions = np.arange($size * $size).reshape($size, $size)\n"
        "mirror = np.eye($size * $size)[positions[:, ::-1].ravel()]\n"
        "square = faltung.square(($size, $size), window=$window)\n"
        "explained(square, mirror)",
        'nearest = faltung.constraints.project(square, mirror, "convolution")\n'
        'show("kernels", {"mirror": mirror, "nearest convolution": nearest})',
        "faltung.cost((1, $far, $far), kernel=$kernel).reach",
    ),
    command="experiment given-up",
    loose=("asymmetric relations", "pixels as independent"),
)


# 11 --------------------------------------------------------------------------------------------


def learned(epochs: int, batch: int, asked: int) -> View:
    """Train the smallest network of the zoo on zeros and ones."""
    digits, unseen = (zero_one(part) for part in load_pair("sample"))
    recipe = Recipe(epochs=epochs, batch=batch, validation=0)
    result = train(start_new("zero-one", digits), digits, unseen, recipe=recipe)
    table = summarize(result.graph)
    score = result.test
    assert score is not None
    figures = {
        "image": by_size(digits.image_shape),
        "examples": len(digits),
        "params": result.graph.trainable,
        "steps": result.steps,
        "unseen": len(unseen),
        "accuracy": score.accuracy,
        "classes": len(digits.classes),
        "answer": zoo.sketch("zero-one", digits.image_shape, asked).trainable,
    }
    sorted_right = (
        f"{len(unseen)} digits that it has never seen: {100 * score.accuracy:.1f} % right."
    )
    return View(figures, [*table.blocks(), sorted_right])


TRAIN: Final = Card(
    name="train",
    title="Train",
    question="Can so few weights learn anything?",
    text=(
        "Zeros against ones, {image} pixels: two convolutions and a dense layer have {params} "
        "parameters, fewer than there are examples ({examples:,}). {steps} steps later the "
        "network sorts digits that it has never seen. Each kernel has learned from every place "
        "of every image."
    ),
    given={"epochs": 2, "batch": 32, "asked": 10},
    compute=learned,
    check=Question(
        "The same network for {asked} digits instead of {classes}: how many parameters?",
        "answer",
        "Each score more takes a weight for each value that is flattened, and a bias. Both "
        "convolutions stay as they are.",
    ),
    cells=(
        "from faltung.datasets import load_pair, zero_one\n"
        "from faltung.training import Recipe, train\n"
        "from faltung.training.start import start_new\n"
        "\n"
        'digits, unseen = (zero_one(part) for part in load_pair("sample"))\n'
        "recipe = Recipe(epochs=$epochs, batch=$batch, validation=0)\n"
        'result = train(start_new("zero-one", digits), digits, unseen, recipe=recipe)\n'
        "faltung.summarize(result.graph)",
        'f"{result.test.accuracy:.1%} of {len(unseen)} digits that it has never seen"',
        "from faltung.analysis.feature_maps import feature_maps\n"
        "\n"
        "one = unseen.images[unseen.labels == 1][0]\n"
        'show("feature_maps", one, feature_maps(result.graph, one), classes=unseen.classes)',
    ),
    command="train --net zero-one --epochs {epochs} --batch {batch}",
)


# 12 --------------------------------------------------------------------------------------------


def in_the_crowd(photo: str, pooled: int, copies: int, decoys: int, gain: float) -> View:
    """Hide somebody in a photograph and look for them."""
    template = somebody()
    hidden = hide(template, small_photo(photo, pooled), copies=copies, decoys=decoys, gain=gain)
    report = find(template, hidden.scene)
    off = [
        min(max(abs(m.top - top), abs(m.left - left)) for top, left in hidden.places)
        for m in report.matches
    ]
    middle = tuple(n // 2 for n in template.shape[:2])
    opposite = find(template, 255 - template.astype(int)).heat[middle]
    figures = {
        "found": len(report.matches),
        "error": max(off, default=float("nan")),
        "answer": round(float(opposite)),
    }
    heat = max_pool(np.maximum(report.heat, 0)[None, None] ** 2, 2)[0, 0]
    return View(figures, [*report.blocks(), beside({"where it answers": picture(heat, top=1.0)})])


WALDO: Final = Card(
    name="waldo",
    title="Waldo",
    question="Is somebody in the picture, and where?",
    text=(
        "A template is a kernel too. Normalised cross-correlation answers where the scene looks "
        "like it, whatever the light. {copies} copies, at {gain:g} of the contrast and in noise, "
        "hide among {decoys} decoys of the same pixels: {found} places are found, at most "
        "{error:.1f} pixels off."
    ),
    given={"photo": "coffee", "pooled": 5, "copies": 3, "decoys": 2, "gain": 0.6},
    compute=in_the_crowd,
    check=Question(
        "How does the template correlate with its own negative, as on a film?",
        "answer",
        "Light where it is dark and dark where it is light: the opposite, at full strength.",
    ),
    cells=(
        "from faltung.imaging.hiding import hide\n"
        "from faltung.tour.scene import small_photo, somebody\n"
        "\n"
        'ground = small_photo("$photo", $pooled)\n'
        "hidden = hide(somebody(), ground, copies=$copies, decoys=$decoys, gain=$gain)\n"
        "report = faltung.find(somebody(), hidden.scene)\n"
        "report",
        "height, width, _ = somebody().shape\n"
        "found = [(m.top, m.left, height, width, m.score) for m in report.matches]\n"
        'show("heat", np.moveaxis(hidden.scene, -1, 0), report.heat, found, name="correlation")',
    ),
    command="find",
)
