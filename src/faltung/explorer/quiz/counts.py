"""Questions about parameters, connections and work."""

from __future__ import annotations

from math import prod
from random import Random
from typing import Final

from faltung.analysis.layer_cost import dense, layer_cost
from faltung.analysis.scale import PER_PARAMETER, ExamplesWanted
from faltung.constraints import CORNERS, square
from faltung.explorer.quiz.problem import Family, Problem, counted, minus, misses, times
from faltung.geometry import ConvWindow
from faltung.graph.layers import Chain, Conv, Dense, Flatten, Relu

_SIDES: Final = (8, 12, 14, 16, 20, 24, 28, 32, 48, 64, 96, 128)
_UNITS: Final = (10, 20, 50, 64, 100, 128, 200, 256, 500, 512, 1000)
_CHANNELS: Final = (1, 2, 3, 4, 6, 8, 12, 16, 32, 64)


def dense_params(rng: Random) -> Problem:
    """A dense layer on a flattened image."""
    height, width, channels = rng.choice(_SIDES), rng.choice(_SIDES), rng.choice((1, 3, 4))
    outputs, bias = rng.choice(_UNITS), rng.random() < 0.7
    shape = (channels, height, width)
    found = layer_cost("", dense(outputs, bias=bias), shape)
    inputs, answer = found.inputs, found.params
    sizes = (height, width, channels)
    added = f" + {outputs:,} biases" if bias else ""
    return Problem(
        f"A dense layer from an image of {height}×{width} with {counted(channels, 'channel')} to "
        f"{outputs:,} outputs, {'with' if bias else 'without'} biases: how many parameters?",
        (answer,),
        f"{times(sizes)} = {inputs:,} inputs; {times((inputs, outputs))} = {found.weights:,} "
        f"weights{added}: {answer:,}.",
        misses(
            answer,
            (found.weights, "The biases are missing: one for each output."),
            (found.weights + outputs, "It has no biases."),
            (found.weights + inputs, "A bias belongs to an output, not to an input."),
            (height * width * outputs + found.biases, "Each channel of a pixel is an input."),
            (inputs + outputs, "Every input meets every output: multiply them."),
        ),
        code=f"faltung.cost({shape}, outputs={outputs}).dense.{'params' if bias else 'weights'}",
    )


def conv_params(rng: Random) -> Problem:
    """A convolution, now and then in groups."""
    groups = rng.choice((1, 1, 1, 2, 4))
    before, after = groups * rng.choice(_CHANNELS), groups * rng.choice(_CHANNELS)
    kernel, bias, side = rng.choice((1, 2, 3, 4, 5, 7)), rng.random() < 0.7, rng.choice(_SIDES)
    layer = Conv(after, kernel, padding="same", groups=groups, bias=bias)
    found = layer_cost("", layer, (before, side, side))
    slices, area = before // groups, kernel * kernel
    in_groups = f" in {groups} groups" if groups > 1 else ""
    added = f" + {after:,} biases" if bias else ""
    share = f"Of {before} channels a kernel sees {slices}. " if groups > 1 else ""
    return Problem(
        f"A convolution {kernel}×{kernel} from {counted(before, 'channel')} to {after:,}"
        f"{in_groups}, {'with' if bias else 'without'} biases, on an image of {side}×{side}: how "
        "many parameters?",
        (found.params,),
        f"{share}{times((kernel, kernel, slices))} = {area * slices:,} weights a kernel; "
        f"{times((area * slices, after))} = {found.weights:,} weights{added}: {found.params:,}. "
        "The image's size does not matter.",
        misses(
            found.params,
            (found.weights, "The biases are missing: one for each channel that comes out."),
            (found.weights + after, "It has no biases."),
            (found.weights + before, "A bias belongs to a channel that comes out."),
            (area * after + found.biases, "A kernel has a slice for each channel that it sees."),
            (area * slices + bool(bias), "There is a kernel for each channel that comes out."),
            (area * before * after + found.biases, "A group sees its own channels only."),
            (found.params * side * side, "The weights are the same at every position."),
        ),
        code=f"faltung.summarize(L.sketch(L.Conv({after}, {kernel}, padding='same', "
        f"groups={groups}, bias={bias}), ({before}, {side}, {side}))).params",
    )


def connections(rng: Random) -> Problem:
    """Pairs of an output and an input, taps on padding counted or not."""
    height, width, kernel = rng.randint(3, 12), rng.randint(3, 12), rng.choice((2, 3, 4, 5))
    with_padding = rng.random() < 0.4
    window = ConvWindow.of((1, 1, height, width), (1, 1, kernel, kernel), padding="same")
    answer, other = window.connections(with_padding), window.connections(not with_padding)
    rows, cols = (axis.connections(padding=False) for axis in window.axes)
    if with_padding:
        working = f"{times((height, width))} outputs, {times((kernel, kernel))} taps each"
    else:
        lost = [axis.connections() - axis.connections(padding=False) for axis in window.axes]
        working = (
            f"Down: {times((height, kernel))} − {lost[0]} on padding = {rows}; across: "
            f"{times((width, kernel))} − {lost[1]} = {cols}; {times((rows, cols))}"
        )
    return Problem(
        f"One kernel of {kernel}×{kernel}, 'same', stride 1, on {height}×{width} pixels: how many "
        f"connections, if taps on padding {'count' if with_padding else 'do not count'}?",
        (answer,),
        f"{working} = {answer:,}.",
        misses(
            answer,
            (other, f"That is with taps on padding {'left out' if with_padding else 'counted'}."),
            (kernel * kernel, "Those are the weights: each of them makes many connections."),
            ((height * width) ** 2, "A dense layer has so many."),
            (
                prod(max(0, n - kernel + 1) for n in (height, width)) * kernel**2,
                "Outputs at the border connect too: the layer is 'same', not 'valid'.",
            ),
        ),
        code=f"geometry.ConvWindow.of((1, 1, {height}, {width}), (1, 1, {kernel}, "
        f"{kernel}), padding='same').connections(padding={with_padding})",
    )


def macs(rng: Random) -> Problem:
    """Multiplications of a convolution with a stride."""
    before, after = rng.choice(_CHANNELS[:8]), rng.choice(_CHANNELS)
    kernel, stride, side = rng.choice((1, 3, 5)), rng.choice((1, 1, 2, 3)), rng.choice(_SIDES)
    shapes = (1, before, side, side), (after, before, kernel, kernel)
    window = ConvWindow.of(*shapes, stride=stride, padding="same")
    out, answer = window.out_space[0], window.macs
    weights = after * window.reduction
    return Problem(
        f"A convolution {kernel}×{kernel} from {counted(before, 'channel')} to {after}, 'same', "
        f"stride {stride}, on {side}×{side} pixels: how many multiplications (taps on padding "
        "count)?",
        (answer,),
        f"{times((out, out))} positions, at each {times((kernel, kernel, before, after))} = "
        f"{weights:,}: {times((out * out, weights))} = {answer:,}.",
        misses(
            answer,
            (weights, "Those are the weights: each works at every position."),
            (side * side * weights, "With the stride there are fewer positions."),
            (out * weights, "Positions lie along two axes."),
            (out * out * kernel * kernel * after, "A kernel has a slice for each channel."),
            (out * out * kernel * kernel * before, "Every channel that comes out takes a kernel."),
        ),
        code=f"geometry.ConvWindow.of({shapes[0]}, {shapes[1]}, stride={stride}, "
        f"padding='same').macs",
    )


def corners(rng: Random) -> Problem:
    """Weights of a corner of the square."""
    size = tuple(rng.randint(2, 6) for _ in range(rng.choice((1, 2, 2))))
    window = rng.choice(((-1, 1), (0, 1), (-1, 0), (-2, 2), (0, 2)))
    corner = rng.choice(CORNERS[1:])
    made, shared = square(size, window), corner != "local"
    counts = {name: made.parameters(name) for name in CORNERS}
    answer, named = counts[corner], "×".join(map(str, size)) if len(size) > 1 else f"{size[0]}"
    reach = made.offsets("convolution")
    inside = [hi - lo + 1 for lo, hi in reach]
    axes = [2 * n - 1 for n in size]
    steps = {
        "shared": f"A weight for each offset: {times(axes)}",
        "local": f"A weight for each pair within the window: {made.nonzeros('local')}, counted "
        "position by position; those past the border are none",
        "convolution": f"A weight for each offset in the window: {times(inside)}",
    }
    words = {
        "shared": "the same weights everywhere, but all pixels",
        "local": "its own weights at each place, but near pixels only",
        "convolution": "the same weights everywhere, and near pixels only",
    }
    whys = {
        "dense": "A dense layer has so many.",
        "shared": "So many if all pixels were connected.",
        "local": "So many if each place had weights of its own.",
        "convolution": "A convolution has so many.",
    }
    return Problem(
        f"A layer from {named} pixels to as many, with {words[corner]}"
        f"{'' if corner == 'shared' else f': offsets {minus(window[0])} to {window[1]}'}. How many "
        "weights?",
        (answer,),
        f"{steps[corner]} = {answer:,}.",
        misses(
            answer,
            *((count, whys[name]) for name, count in counts.items()),
            (
                prod(size) * prod(inside),
                "A weight serves all places." if shared else "Taps past the border have no weight.",
            ),
            (prod(size), "That is how many outputs there are."),
        ),
        code=f"faltung.square({size}, window={window}).parameters({corner!r})",
    )


def examples(rng: Random) -> Problem:
    """What the rule of thumb wants of a dense network."""
    side, channels = rng.choice((8, 14, 16, 28, 32)), rng.choice((1, 3))
    hidden, classes = rng.choice(_UNITS), rng.choice((2, 5, 10, 100))
    shape = (channels, side, side)
    network = Chain(Flatten(), Dense(hidden), Relu(), Dense(classes))
    params = layer_cost("", network, shape).params
    answer, most = ExamplesWanted("", params).wanted
    least, inputs = PER_PARAMETER[0], prod(shape)
    first, second = (inputs + 1) * hidden, (hidden + 1) * classes
    weights = inputs * hidden + hidden * classes
    return Problem(
        f"{inputs:,} inputs, a dense layer to {hidden:,}, one to {classes:,}, all with biases: how "
        f"many examples does the rule of thumb want at least, at {least} a parameter?",
        (answer,),
        f"({inputs:,} + 1)·{hidden:,} = {first:,}; ({hidden:,} + 1)·{classes:,} = {second:,}; "
        f"together {params:,}, times {least}: {answer:,}.",
        misses(
            answer,
            (params, f"Those are the parameters; the rule wants {least} examples for each."),
            (least * weights, "Biases are parameters too."),
            (least * first, "The second layer has parameters too."),
            (most, f"So many at {PER_PARAMETER[1]} a parameter."),
        ),
        code=f"{least} * faltung.summarize(L.sketch(L.Chain(L.Dense({hidden}), "
        f"L.Dense({classes})), ({inputs},))).params",
    )


COUNTS: Final = (
    Family("dense", "Parameters of a dense layer", dense_params),
    Family("conv", "Parameters of a convolution", conv_params),
    Family("connections", "Connections, with and without padding", connections),
    Family("macs", "Multiplications", macs),
    Family("corners", "Weights in the square", corners),
    Family("examples", "Examples wanted", examples),
)
