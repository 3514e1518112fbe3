"""The exercise on a layer with channels."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from faltung.exercises.exercise import Exercise, Task
from faltung.exercises.marking import Array, Marker, Mistake
from faltung.geometry.axis import AxisWindow
from faltung.reference.conv import conv_loops
from faltung.report import Table


def conv_layer(x: Array, w: Array, b: Array, stride: tuple[int, int], padding: int) -> Array:
    """Return a layer's output for one image, from the definition."""
    pads = ((padding, padding),) * 2
    return np.asarray(conv_loops(x[None], w, b, stride=stride, pads=pads)[0])


def _alone(x: Array, w: Array, b: Array, stride: tuple[int, int], padding: int) -> Array:
    """Each channel's own kernel, all outputs alike: the input channels are not added up right."""
    first = np.repeat(x[:1], len(x), axis=0)
    return conv_layer(first, w, b, stride, padding)


def _layers() -> list[dict[str, Any]]:
    rng = np.random.default_rng(7)
    cases = []
    for shape, kernel, stride, padding in (
        ((1, 2, 3), (1, 1, 1, 2), (1, 1), 0),
        ((3, 6, 7), (2, 3, 3, 2), (2, 1), 1),
        ((2, 5, 5), (4, 2, 2, 3), (1, 3), 2),
    ):
        arrays = {"x": rng.integers(-9, 10, shape), "w": rng.integers(-9, 10, kernel)}
        cases.append(
            {**arrays, "b": rng.integers(1, 10, kernel[0]), "stride": stride, "padding": padding}
        )
    return cases


def layered(
    channels: int, size: int, maps: int, k: int, stride: int, padding: int
) -> dict[str, Any]:
    """Size one layer."""
    axis = AxisWindow(size, k, stride, 1, padding, padding)
    one = channels * k * k
    rows = [
        ["input", f"{channels}×{size}×{size}"],
        ["weights", f"{maps}×{channels}×{k}×{k}"],
        ["output", f"{maps}×{axis.out_size}×{axis.out_size}"],
    ]
    return {"table": Table(["array", "shape"], rows), "terms": one, "dropped": axis.dropped}


CONV_LAYER: Final = Exercise(
    name="conv-layer",
    title="A layer with channels",
    group="Networks",
    question=(
        "Write conv_layer(x, w, b, stride, padding) for one image of several channels: every "
        "output channel has a kernel for every input channel, and a bias."
    ),
    hints=(
        "Pad first: np.pad(x, ((0, 0), (p, p), (p, p))) leaves the channels alone.",
        "Output (i, j) looks at rows from i·stride on. Which sums are over all channels?",
    ),
    answer=(
        "{table}",
        "One output adds {terms} products up, over channels, rows and columns, and its channel's "
        "bias. With stride {stride} the padded input's last {dropped} row and column are dropped.",
    ),
    given={"channels": 3, "size": 8, "maps": 4, "k": 3, "stride": 2, "padding": 1},
    compute=layered,
    task=Task(
        function="conv_layer",
        head='''
import numpy as np


def conv_layer(x, w, b, stride, padding):
    """Apply a convolutional layer (cross-correlation) to one image.

    x (in_channels, H, W), w (out_channels, in_channels, kh, kw), b (out_channels,);
    stride (rows, columns); padding: zeros on each of the four sides.
    """
''',
        body="""    x = np.pad(x, ((0, 0), (padding, padding), (padding, padding)))
    (out_channels, _, kh, kw), (sy, sx) = w.shape, stride
    rows = (x.shape[1] - kh) // sy + 1
    columns = (x.shape[2] - kw) // sx + 1
    y = np.zeros((out_channels, rows, columns))
    for n in range(out_channels):
        for i in range(rows):
            for j in range(columns):
                patch = x[:, i * sy : i * sy + kh, j * sx : j * sx + kw]
                y[n, i, j] = (patch * w[n]).sum() + b[n]
    return y
""",
        marker=Marker(
            conv_layer,
            _layers,
            (
                Mistake(
                    "The bias is missing: every output of channel n gets b[n] as well.",
                    lambda x, w, b, stride, padding: conv_layer(x, w, 0 * b, stride, padding),
                ),
                Mistake(
                    "The strides are swapped: stride[0] is for rows, stride[1] for columns.",
                    lambda x, w, b, stride, padding: conv_layer(x, w, b, stride[::-1], padding),
                ),
                Mistake(
                    "The stride is forgotten: neighbouring outputs lie `stride` apart.",
                    lambda x, w, b, stride, padding: conv_layer(x, w, b, (1, 1), padding),
                ),
                Mistake(
                    "The padding is forgotten: it adds zeros on all four sides.",
                    lambda x, w, b, stride, padding: conv_layer(x, w, b, stride, 0),
                ),
                Mistake(
                    "The padding is off by one: `padding` zeros on each side, not padding + 1.",
                    lambda x, w, b, stride, padding: conv_layer(x, w, b, stride, padding + 1),
                ),
                Mistake(
                    "The kernels are flipped: layers read them forwards.",
                    lambda x, w, b, stride, padding: conv_layer(
                        x, w[:, :, ::-1, ::-1], b, stride, padding
                    ),
                ),
                Mistake(
                    "Channels are averaged: the products of all channels are added up.",
                    lambda x, w, b, stride, padding: conv_layer(
                        x, w / w.shape[1], b, stride, padding
                    ),
                ),
                Mistake(
                    "It looks at the first channel alone: each input channel has a kernel of "
                    "its own.",
                    lambda x, w, b, stride, padding: conv_layer(
                        x[:1], w[:, :1], b, stride, padding
                    ),
                ),
                Mistake(
                    "All kernels meet the first channel: channel c of the image meets w[n, c].",
                    _alone,
                ),
                Mistake(
                    "The axes are in another order: channels stand first in the output, as in x.",
                    lambda x, w, b, stride, padding: conv_layer(x, w, b, stride, padding).transpose(
                        1, 2, 0
                    ),
                ),
                Mistake(
                    "The bias is added for every channel of the input: once is enough.",
                    lambda x, w, b, stride, padding: conv_layer(
                        x, w, b * w.shape[1], stride, padding
                    ),
                ),
            ),
            wants="an array (out_channels, rows, columns)",
        ),
    ),
)
