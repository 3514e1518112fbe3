"""Cards 5 to 8: what one convolution does: channels, the flip, edges, shifts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from faltung.analysis.layer_cost import LayerCost, convolution, dense, layer_cost
from faltung.datasets import load
from faltung.definitions import expand
from faltung.definitions.figures import number
from faltung.functional import conv
from faltung.graph.layers import Conv
from faltung.imaging import filter_image
from faltung.report import Table
from faltung.signal import convolve, correlate
from faltung.tour.card import Card, Question, View
from faltung.tour.dense import by_size
from faltung.tour.letters import beside, picture

Array = NDArray[Any]
Shape = tuple[int, ...]

# 5 ---------------------------------------------------------------------------------------------


def channels_and_kernels(
    shape: Shape, outputs: int, kernel: int, hidden: int, asked: tuple[int, int, int], **shown: Any
) -> View:
    """Count layers with channels; compare a kernel of one pixel with a dense layer."""
    window = f"{kernel}×{kernel}"
    layers = [
        layer_cost(f"dense to {hidden}", dense(hidden), shape),
        layer_cost(f"convolution {window}", convolution(outputs, kernel), shape),
        layer_cost(f"each channel its own {window}", _depthwise(shape[0], kernel), shape),
        layer_cost("convolution 1×1", convolution(outputs, 1), shape),
    ]
    whole, conv_cost, *_ = layers
    before, after, width = asked
    other = layer_cost("", convolution(after, width), (before, width, width))
    figures: dict[str, Any] = {
        "inputs": shape[0],
        "params": conv_cost.params,
        "dense": whole.params,
        "ratio": whole.params / conv_cost.params,
        "image": by_size(shape),
        "one": 1,
        "difference": one_pixel_difference(shape[0], outputs),
        "before": before,
        "after": after,
        "width": width,
        "answer": other.params,
        "slice": width * width,
        "size_option": "x".join(map(str, (*shape[1:], shape[0]))),
    }
    same = (
        "A convolution 1×1 beside a dense layer at each pixel, on whole numbers: they differ by "
        f"{figures['difference']}."
    )
    return View(figures, [_counted(layers, figures["image"]), same])


def _depthwise(channels: int, kernel: int) -> Conv:
    return Conv(channels, kernel, padding="same", groups=channels)


def _counted(layers: Sequence[LayerCost], image: str) -> Table:
    rows = [(each.name, *(f"{n:,}" for n in _counts(each))) for each in layers]
    header = ("layer", "weights", "biases", "parameters", "numbers out", "macs")
    return Table(header, rows, title=f"on an image of {image}")


def _counts(layer: LayerCost) -> tuple[int, ...]:
    return (layer.weights, layer.biases, layer.params, layer.outputs, layer.cost.macs)


def one_pixel_difference(inputs: int, outputs: int) -> int:
    """Return by how much a 1×1 convolution differs from a dense layer at each pixel."""
    rng = np.random.RandomState(0)
    x, w = rng.randint(-9, 10, (1, inputs, 5, 6)), rng.randint(-9, 10, (outputs, inputs))
    pixels = np.einsum("oc,nchw->nohw", w, x)
    return int(np.abs(conv(x, w[:, :, None, None]) - pixels).max())


CHANNELS: Final = Card(
    name="channels",
    title="Channels",
    question="Where do colours go, and what do several kernels make?",
    text=(
        "A kernel has a slice for each of the {inputs} channels, and all slices are summed into "
        "one number. {outputs} kernels make {outputs} new channels: {params:,} parameters, where "
        "a dense layer to {hidden} numbers has {dense:,}. A kernel of {one}×{one} is a dense "
        "layer at each pixel."
    ),
    given={
        "shape": (3, 64, 64),
        "outputs": 64,
        "kernel": 5,
        "hidden": 512,
        "asked": (64, 32, 5),
        "photo": "coffee",
        "pooled": 5,
    },
    compute=channels_and_kernels,
    check=Question(
        "From {before} channels to {after} with kernels of {width}×{width} and biases: how many "
        "parameters?",
        "answer",
        "{before} slices of {slice} weights for each of {after} kernels, and {after} biases.",
    ),
    cells=(
        'net = L.sketch(L.Conv($outputs, $kernel, padding="same"), input_shape=$shape)\n'
        "faltung.summarize(net)",
        "from faltung.tour.scene import small_photo\n"
        "\n"
        'photo = np.moveaxis(small_photo("$photo", $pooled), -1, 0).astype(int)\n'
        "kernels = np.array([[1, 1, 1], [1, -1, 0], [-1, -1, 2]])[:, :, None, None]\n"
        "red, green, blue = photo\n"
        "grey, red_green, blue_yellow = faltung.conv(photo[None], kernels)[0]\n"
        'taken = {"red": red, "green": green, "blue": blue}\n'
        'made = {"all": grey, "red - green": red_green, "blue - yellow": blue_yellow}\n'
        'show("kernels", {**taken, **made}, across=3)',
    ),
    command="explain cost --input {size_option} --kernel {kernel} --outputs {hidden} "
    "--channels {outputs}",
    loose=("lower-dimensional feature maps",),
)


# 6 ---------------------------------------------------------------------------------------------

PATCH: Final = ((1, 2, 0), (0, 1, 2), (2, 0, 1))
SOBEL_X: Final = ((-1, 0, 1), (-2, 0, 2), (-1, 0, 1))


def flipped_or_not(
    image: Sequence[Sequence[int]], kernel: Sequence[Sequence[int]], asked: Sequence[int]
) -> View:
    """Put one kernel on one patch both ways."""
    plain, turned = expand(image, kernel), expand(image, kernel, mode="convolve")
    f, g = np.array(image), np.array(kernel)
    answer = _echo(asked)
    figures = {
        "correlated": plain.value,
        "convolved": turned.value,
        "order_convolved": int(np.abs(convolve(f, g) - convolve(g, f)).max()),
        "order_correlated": int(np.abs(correlate(f, g) - correlate(g, f)).max()),
        "asked_kernel": " ".join(map(str, asked)),
        "image_option": _typed(image),
        "kernel_option": _typed(kernel),
        "answer": answer,
    }
    sums = "\n".join(
        f"{name:<18} {each.numbers} = {number(each.value)}"
        for name, each in (("cross-correlation", plain), ("convolution", turned))
    )
    grids = {
        "image": _grid(f),
        "kernel": _grid(g),
        "flipped": _grid(g[::-1, ::-1]),
    }
    return View(figures, [beside(grids), sums])


def _echo(kernel: Sequence[int]) -> tuple[int, ...]:
    """What cross-correlation makes of a single one among zeros."""
    dot = np.zeros(2 * len(kernel) - 1, int)
    dot[len(kernel) - 1] = 1
    return tuple(int(n) for n in correlate(dot, np.array(kernel), "valid"))


def _grid(values: Array) -> str:
    return "\n".join(" ".join(f"{n:>2}" for n in row) for row in values.tolist())


def _typed(rows: Sequence[Sequence[int]]) -> str:
    return "; ".join(" ".join(map(str, row)) for row in rows)


FLIP: Final = Card(
    name="flip",
    title="The flip",
    question="Why does a convolution turn its kernel round, and why do layers not?",
    text=(
        "Turned round, the kernel gives {convolved} on this patch instead of {correlated}, and "
        "the order of image and kernel stops mattering: f∗g = g∗f. Layers compute "
        "cross-correlation, without the flip: their weights are learned, so they come out as "
        "needed, and nothing is lost."
    ),
    given={"image": PATCH, "kernel": SOBEL_X, "asked": (1, 2, 3)},
    compute=flipped_or_not,
    check=Question(
        "Cross-correlation slides the kernel {asked_kernel} over a single one among zeros. Which "
        "three numbers come out, from left to right?",
        "answer",
        "The mirror image; convolution would give the kernel itself.",
    ),
    cells=(
        'image = $image\nkernel = $kernel\nshow("slide", faltung.expand(image, kernel), image)',
        'show("slide", faltung.expand(image, kernel, mode="convolve"), image)',
    ),
    command='explain conv --image "{image_option}" --kernel "{kernel_option}" --convolve',
)


# 7 ---------------------------------------------------------------------------------------------


def board(squares: int, count: int) -> Array:
    """Return a chessboard of 0 and 1.

    >>> board(2, 2).tolist()[1]
    [1, 1, 0, 0]
    """
    cells = (np.indices((count, count)).sum(axis=0) + 1) % 2
    return np.kron(cells, np.ones((squares, squares), int))


def inside(response: Array) -> int:
    """The largest response away from the border."""
    return int(np.abs(response[1:-1, 1:-1]).max())


def edges(one: int, two: int, count: int, digit: int, **shown: Any) -> View:
    """Run Sobel's kernels over chessboards, a step, and a digit."""
    boards = {n: filter_image(board(n, count), "sobel-x") for n in (one, two)}
    step = np.repeat([[0, 0, 0, 1, 1, 1]], 5, axis=0)
    flat = filter_image(np.ones((5, 5), int), "sobel-x")
    figures = {
        "flat": inside(flat),
        "first": inside(boards[one]),
        "second": inside(boards[two]),
        "border": int(np.abs(boards[one]).max()),
        "answer": inside(filter_image(step, "sobel-x")),
    }
    image = load("sample", split="test").images[digit, 0]
    found = filter_image(image, "sobel")
    return View(figures, [beside({"a digit": picture(image), "its edges": picture(found)})])


SOBEL: Final = Card(
    name="sobel",
    title="Edges",
    question="Can a kernel of a few numbers find edges?",
    text=(
        "Sobel's kernel subtracts what is on the left from what is on the right: {flat} on even "
        "ground, much at an edge. It skips the pixel in between, so a chessboard of "
        "{one}-pixel squares gives {first} everywhere inside; squares of {two} pixels give up to "
        "{second}."
    ),
    given={"one": 1, "two": 2, "count": 8, "digit": 0, "photo": "camera", "pooled": 4},
    compute=edges,
    check=Question(
        "Zeros on the left, ones on the right: what is the largest response of Sobel's kernel?",
        "answer",
        "The right column of the kernel lies on ones, the left one on zeros: its sum.",
    ),
    cells=(
        "board = (np.indices(($count, $count)).sum(axis=0) + 1) % 2\n"
        "[\n"
        '    np.abs(faltung.filter_image(squares, "sobel-x"))[1:-1, 1:-1].max()\n'
        "    for squares in (board, np.kron(board, np.ones(($two, $two), int)))\n"
        "]",
        "from faltung.tour.scene import small_photo\n"
        "\n"
        'photo = small_photo("$photo", $pooled)[..., 0]\n'
        'edges = faltung.filter_image(photo, "sobel", border="replicate")\n'
        'show("heat", photo, edges, signed=False, name="edge strength")',
    ),
    command="filter {photo} sobel {photo}-sobel.png",
)


# 8 ---------------------------------------------------------------------------------------------


def moved(width: int, shift: int, asked_width: int, asked_shift: int) -> View:
    """Shift an image and then filter it; filter it and then shift; see where they differ."""
    tried = [
        ("zeros", 1, shift),
        ("circular", 1, shift),
        ("circular", 2, shift),
        ("circular", 2, shift + 1),
    ]
    found = [differing(width, by, mode, stride) for mode, stride, by in tried]
    rows = [
        (mode, str(stride), str(by), f"{len(columns)} of {width // stride}", _listed(columns))
        for (mode, stride, by), columns in zip(tried, found, strict=True)
    ]
    header = ("padding", "stride", "shift", "columns that differ", "which")
    answer = differing(asked_width, asked_shift, "zeros", 1)
    figures = {
        "with_zeros": _listed(found[0]),
        "circular": len(found[1]),
        "odd": len(found[2]),
        "even": len(found[3]),
        "stride": 2,
        "outputs": width // 2,
        "answer": answer,
        "last": asked_width - 1,
        "before": asked_shift - 1,
    }
    title = f"an image {width} wide: shift then layer, beside layer then shift"
    return View(figures, [Table(header, rows, title=title, left=(0, 4))])


def differing(width: int, shift: int, padding_mode: str, stride: int) -> tuple[int, ...]:
    """Return the columns in which shift-then-layer differs from layer-then-shift.

    Where a stride cannot follow the shift, the shift of the output that fits best is taken.
    """
    rng = np.random.RandomState(0)
    x, w = rng.randint(-9, 10, (1, 1, width, width)), rng.randint(1, 10, (1, 1, 3, 3))

    def layer(image: Array) -> Array:
        return conv(image, w, stride=stride, padding=1, padding_mode=padding_mode)

    y, other = layer(x), layer(np.roll(x, shift, axis=-1))
    steps = [shift // stride] if shift % stride == 0 else range(width // stride)
    found = [(other != np.roll(y, by, axis=-1)).any(axis=(0, 1, 2)) for by in steps]
    return tuple(np.flatnonzero(min(found, key=np.sum)).tolist())


def _listed(columns: Sequence[int]) -> str:
    return ", ".join(map(str, columns)) if len(columns) < 8 else "all"


SHIFT: Final = Card(
    name="shift",
    title="Shift",
    question="What moves when the image moves?",
    text=(
        "The output moves along: shift, then layer, equals layer, then shift. That is "
        "equivariance, not invariance. At the border it depends on the padding: with zeros, "
        "columns {with_zeros} differ, with circular padding {circular}. A stride of {stride} "
        "follows only shifts that it divides."
    ),
    given={"width": 32, "shift": 5, "asked_width": 20, "asked_shift": 3},
    compute=moved,
    check=Question(
        "An image {asked_width} wide, padded with zeros, kernel of three, shifted by "
        "{asked_shift} all round: which columns differ, counted from zero?",
        "answer",
        "Both borders of the one (first and last), and where the other's borders have moved to.",
        is_set=True,
    ),
    cells=(
        "rng = np.random.default_rng(0)\n"
        "x, w = rng.integers(-9, 10, (1, 1, $width, $width)), rng.integers(1, 10, (1, 1, 3, 3))\n"
        "\n"
        "\n"
        "def differ(**how):\n"
        '    """Columns in which shift-then-layer is not layer-then-shift."""\n'
        "    first = faltung.conv(np.roll(x, $shift, axis=-1), w, padding=1, **how)\n"
        "    second = np.roll(faltung.conv(x, w, padding=1, **how), $shift, axis=-1)\n"
        "    return np.flatnonzero((first != second).any(axis=(0, 1, 2))).tolist()\n"
        "\n"
        "\n"
        'differ(padding_mode="zeros"), differ(padding_mode="circular")',
        "first = faltung.conv(np.roll(x, $shift, axis=-1), w, padding=1)[0, 0]\n"
        "second = np.roll(faltung.conv(x, w, padding=1), $shift, axis=-1)[0, 0]\n"
        'both = {"shift, then layer": first, "layer, then shift": second}\n'
        'show("kernels", {**both, "difference": first - second})',
    ),
    loose=("invariance",),
)
