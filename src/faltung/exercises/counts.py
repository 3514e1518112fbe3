"""Exercises that count: parameters and output sizes."""

from __future__ import annotations

from math import ceil
from typing import Any, Final

from faltung.analysis.costs import cost
from faltung.exercises.exercise import Exercise, Task
from faltung.exercises.marking import Marker, Mistake
from faltung.geometry.axis import AxisWindow
from faltung.report import Table

GROUP: Final = "Counting"
Sizes = tuple[int, int, int, int, int, int]


# Parameters -------------------------------------------------------------------------------------


def parameters(*sizes: int, **named: int) -> tuple[int, int]:
    """Return the parameters of a dense layer and of a convolution, biases included."""
    height, width, channels, outputs, kernel, maps = sizes or tuple(named.values())
    counts = cost((channels, height, width), outputs=outputs, kernel=kernel, channels=maps)
    return counts.dense.params, counts.convolution.params


def _like(dense: Any, conv: Any) -> Any:
    def counts(**named: int) -> tuple[int, int]:
        h, w, c, o, k, m = named.values()
        return int(dense(h, w, c, o, k, m)), int(conv(h, w, c, o, k, m))

    return counts


def _dense(h: int, w: int, c: int, o: int, *_: int) -> int:
    return h * w * c * o + o


def _conv(h: int, w: int, c: int, o: int, k: int, m: int) -> int:
    return k * k * c * m + m


_NAMES: Final = ("height", "width", "channels", "outputs", "kernel", "maps")


def _sizes() -> list[dict[str, Any]]:
    cases = [(4, 5, 3, 2, 3, 6), (64, 64, 3, 512, 5, 64), (28, 28, 1, 10, 3, 8), (9, 7, 2, 3, 1, 4)]
    return [dict(zip(_NAMES, case, strict=True)) for case in cases]


def counted(sizes: Sizes) -> dict[str, Any]:
    """Count both layers."""
    height, width, channels, outputs, kernel, maps = sizes
    dense, conv = parameters(*sizes)
    return {
        "image": f"{height}×{width}×{channels}",
        "outputs": outputs,
        "k": f"{kernel}×{kernel}",
        "maps": maps,
        "dense": dense,
        "conv": conv,
        "inputs": height * width * channels,
        "taps": kernel * kernel * channels,
        "ratio": dense / conv,
        "dense_large": parameters(2 * height, 2 * width, channels, outputs, kernel, maps)[0],
        "conv_large": parameters(2 * height, 2 * width, channels, outputs, kernel, maps)[1],
    }


PARAMETERS: Final = Exercise(
    name="parameters",
    title="Parameters, dense and convolutional",
    group=GROUP,
    question=(
        "How many parameters has a dense layer from {image} to {outputs} outputs, and how many a "
        "convolution with {maps} kernels of {k}, both with biases? Write "
        "parameters(height, width, channels, outputs, kernel, maps)."
    ),
    hints=(
        "A dense output has a weight for each input, and a bias.",
        "A kernel looks at all channels, and is the same at every place: does its number of "
        "weights depend on the image's size?",
    ),
    answer=(
        "Dense: {inputs:,} inputs times {outputs} outputs, and {outputs} biases: {dense:,}.",
        "Convolution: {taps} weights in each of {maps} kernels, and {maps} biases: {conv:,}. "
        "{ratio:,.1f} times fewer.",
        "On an image of twice the height and width the dense layer has {dense_large:,}; the "
        "convolution has {conv_large:,} still.",
    ),
    given={"sizes": (64, 64, 3, 512, 5, 64)},
    compute=counted,
    task=Task(
        function="parameters",
        head='''
def parameters(height, width, channels, outputs, kernel, maps):
    """Return two numbers: the parameters of a dense layer, and those of a convolution.

    The dense layer goes from an image (height, width, channels) to `outputs`; the
    convolution has `maps` kernels of kernel x kernel. Both have biases.
    """
''',
        body="""    dense = height * width * channels * outputs + outputs
    conv = kernel * kernel * channels * maps + maps
    return dense, conv
""",
        marker=Marker(
            parameters,
            _sizes,
            (
                Mistake(
                    "The biases are missing: one for each output of the dense layer, one for each "
                    "kernel.",
                    _like(lambda *s: _dense(*s) - s[3], lambda *s: _conv(*s) - s[5]),
                ),
                Mistake(
                    "The convolution's channels are missing: each kernel has weights for all "
                    "channels of the image.",
                    _like(_dense, lambda h, w, c, o, k, m: k * k * m + m),
                ),
                Mistake(
                    "A kernel has kernel × kernel weights a channel; yours has them along one "
                    "axis only.",
                    _like(_dense, lambda h, w, c, o, k, m: k * c * m + m),
                ),
                Mistake(
                    "That convolution has weights of its own at every position. A convolution has "
                    "the same ones everywhere: its image's size does not matter.",
                    _like(_dense, lambda h, w, c, o, k, m: h * w * k * k * c * m + m),
                ),
                Mistake(
                    "The dense layer does not see the channels: its inputs are height × width × "
                    "channels.",
                    _like(lambda h, w, c, o, k, m: h * w * o + o, _conv),
                ),
                Mistake(
                    "There is one bias for each output, or for each kernel: not one for each "
                    "weight, and not one for all.",
                    _like(lambda *s: _dense(*s) - s[3] + 1, lambda *s: _conv(*s) - s[5] + 1),
                ),
                Mistake(
                    "They stand the other way round: the dense layer comes first.",
                    lambda **named: parameters(**named)[::-1],
                ),
            ),
            wants="two numbers",
        ),
    ),
)


# Output sizes -----------------------------------------------------------------------------------


def output_size(size: int, kernel: int, stride: int, padding: int, dilation: int) -> int:
    """Return how many outputs an axis has."""
    return AxisWindow(size, kernel, stride, dilation, padding, padding).out_size


def _floor(size: int, extent: int, stride: int, pads: int) -> int:
    return max(0, (size + pads - extent) // stride + 1)


def _axes() -> list[dict[str, Any]]:
    names = ("size", "kernel", "stride", "padding", "dilation")
    cases = [
        (5, 3, 2, 0, 1),
        (7, 3, 1, 1, 1),
        (32, 5, 3, 2, 2),
        (12, 2, 4, 1, 3),
        (224, 7, 2, 3, 1),
    ]
    cases += [(6, 4, 3, 0, 1), (3, 5, 1, 0, 1)]
    return [dict(zip(names, case, strict=True)) for case in cases]


def sized(cases: tuple[tuple[int, ...], ...]) -> dict[str, Any]:
    """Count the outputs of a few layers, and what their strides drop."""
    rows = []
    for size, kernel, stride, padding, dilation in cases:
        axis = AxisWindow(size, kernel, stride, dilation, padding, padding)
        row = [size, kernel, stride, padding, dilation, axis.extent, axis.out_size, axis.dropped]
        rows.append([str(n) for n in row])
    header = ["size", "kernel", "stride", "padding", "dilation", "extent", "outputs", "dropped"]
    last = cases[-1]
    return {
        "table": Table(header, rows, left=()),
        "last": ", ".join(map(str, last)),
        "extent": AxisWindow(last[0], last[1], dilation=last[4]).extent,
    }


OUTPUT_SIZE: Final = Exercise(
    name="output-size",
    title="The size of an output",
    group=GROUP,
    question=(
        "Write output_size(size, kernel, stride, padding, dilation): how many outputs one axis of "
        "a layer has, the same padding at both ends."
    ),
    hints=(
        "From its first to its last tap a kernel extends over dilation·(kernel − 1) + 1 positions.",
        "The last window must fit wholly; what the stride leaves over is dropped.",
    ),
    answer=(
        "⌊(size + 2·padding − extent) / stride⌋ + 1, the extent being dilation·(kernel − 1) + 1; "
        "and 0 where the kernel does not fit at all.",
        "{table}",
        "Rounding is down. In the last row the kernel extends over {extent} positions, more than "
        "there are: no output, and no error either.",
    ),
    given={"cases": ((5, 3, 2, 0, 1), (6, 4, 3, 0, 1), (32, 5, 3, 2, 2), (3, 5, 1, 0, 1))},
    compute=sized,
    task=Task(
        function="output_size",
        head='''
def output_size(size, kernel, stride, padding, dilation):
    """Return how many outputs a layer has along one axis; 0 where its kernel does not fit.

    `padding` positions are added at each of the two ends.
    """
''',
        body="""    extent = dilation * (kernel - 1) + 1
    if size + 2 * padding < extent:
        return 0
    return (size + 2 * padding - extent) // stride + 1
""",
        marker=Marker(
            output_size,
            _axes,
            (
                Mistake(
                    "The + 1 is missing: a kernel as long as the input fits once, not 0 times.",
                    lambda size, kernel, stride, padding, dilation: max(
                        0, (size + 2 * padding - dilation * (kernel - 1) - 1) // stride
                    ),
                ),
                Mistake(
                    "It rounds up: the last window must fit wholly, so the rest is dropped.",
                    lambda size, kernel, stride, padding, dilation: max(
                        0, ceil((size + 2 * padding - dilation * (kernel - 1) - 1) / stride) + 1
                    ),
                ),
                Mistake(
                    "It does not round: positions that the stride leaves over are dropped, "
                    "with //.",
                    lambda size, kernel, stride, padding, dilation: max(
                        0, (size + 2 * padding - dilation * (kernel - 1) - 1) / stride + 1
                    ),
                ),
                Mistake(
                    "The padding counts at both ends: 2·padding.",
                    lambda size, kernel, stride, padding, dilation: _floor(
                        size, dilation * (kernel - 1) + 1, stride, padding
                    ),
                ),
                Mistake(
                    "The padding is forgotten.",
                    lambda size, kernel, stride, padding, dilation: _floor(
                        size, dilation * (kernel - 1) + 1, stride, 0
                    ),
                ),
                Mistake(
                    "A dilated kernel does not extend over dilation·kernel positions: the gaps lie "
                    "between its taps, dilation·(kernel − 1) + 1.",
                    lambda size, kernel, stride, padding, dilation: _floor(
                        size, dilation * kernel, stride, 2 * padding
                    ),
                ),
                Mistake(
                    "The dilation is forgotten: it spreads the kernel's taps.",
                    lambda size, kernel, stride, padding, dilation: _floor(
                        size, kernel, stride, 2 * padding
                    ),
                ),
                Mistake(
                    "Stride and dilation are swapped: the stride moves the window, the dilation "
                    "spreads its taps.",
                    lambda size, kernel, stride, padding, dilation: _floor(
                        size, stride * (kernel - 1) + 1, dilation, 2 * padding
                    ),
                ),
                Mistake(
                    "Where the kernel does not fit, there is no output: 0, and never less.",
                    lambda size, kernel, stride, padding, dilation: (
                        (size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1
                    ),
                ),
            ),
            wants="one number",
        ),
    ),
)
