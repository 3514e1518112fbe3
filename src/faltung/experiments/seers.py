"""One convolutional layer, and what widens its view, on circular images."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np

from faltung import ops
from faltung.analysis import receptive_fields
from faltung.experiments.tasks import SIDE
from faltung.graph.graph import Graph
from faltung.graph.layers import Chain, Concat, Conv, GlobalAvgPool, Relu, build, sketch
from faltung.graph.symbols import Input, Symbol, Weight, apply, constant, zeros
from faltung.ops.operator import Everything

CHANNELS: Final = 12
STACKED: Final = 4
DILATIONS: Final = (1, 2, 4)


def _layer(dilation: int = 1) -> Chain:
    conv = Conv(CHANNELS, 3, padding=dilation, dilation=dilation, padding_mode="circular")
    return Chain(conv, Relu())


def _out(x: Symbol) -> Symbol:
    return Conv(1, 1)(x)


def one_layer(x: Symbol) -> Symbol:
    """A 3x3 convolution, ReLU, and a weighted sum of the channels."""
    return _out(_layer()(x))


def stacked(x: Symbol) -> Symbol:
    """So many of these layers that the last sees far enough."""
    return _out(Chain(*(_layer() for _ in range(STACKED)))(x))


def dilated(x: Symbol) -> Symbol:
    """Fewer of them, each reaching twice as far as the one before."""
    return _out(Chain(*(_layer(d) for d in DILATIONS))(x))


def with_global_pooling(x: Symbol) -> Symbol:
    """One layer, and to each position the channels' means over the whole image."""
    h = _layer()(x)
    return _out(h) + Conv(1, 1, bias=False)(GlobalAvgPool()(h))


def with_coordinates(x: Symbol) -> Symbol:
    """One layer that is also told where it is: a channel for the row, one for the column.

    Source: Liu et al., *An intriguing failing of convolutional neural networks and the CoordConv
    solution* (2018), section 3.
    """
    line = np.linspace(-1, 1, SIDE)
    where = np.stack(np.meshgrid(line, line, indexing="ij"))[None]
    # Zero times the image has its batch; the coordinates themselves are one image.
    none = Weight("none", (2, 1, 1, 1), zeros((2, 1, 1, 1)), trainable=False)
    blank = apply(ops.Conv(), x, none, name="blank")
    grid = Weight("coordinates", where.shape, constant(where), trainable=False)
    return one_layer(Concat()(x, apply(ops.Add(), blank, grid, name="place")))


SEERS: Final[Mapping[str, Callable[[Symbol], Symbol]]] = {
    "one layer": one_layer,
    f"{STACKED} layers stacked": stacked,
    f"{len(DILATIONS)} layers, dilated": dilated,
    "one, global pooling": with_global_pooling,
    "one, coordinates": with_coordinates,
}


def network(name: str, seed: int) -> Graph:
    """Return one of them, from signs (N, 1, H, W) to numbers whose signs are its answer."""
    return build(SEERS[name](Input((1, SIDE, SIDE))), seed=seed)


def view(graph: Graph) -> str:
    """Return how much of the image each output sees, as text."""
    size = receptive_fields(graph)[graph.outputs[0]][0].size
    return "everything" if isinstance(size, Everything) else f"{size}x{size}"


def layers_to_see(pixels: int, *, doubling: bool) -> tuple[int, int]:
    """Return how many 3x3 layers see at least so many pixels, and how many these see.

    Parameters
    ----------
    pixels
        Along one axis.
    doubling
        Whether each layer's dilation is twice that of the one before, from 1 on.

    Examples
    --------
    >>> layers_to_see(224, doubling=False), layers_to_see(224, doubling=True)
    ((112, 225), (7, 255))
    """
    most = pixels.bit_length() if doubling else pixels // 2 + 1
    dilations = [2**i if doubling else 1 for i in range(most)]
    chain = Chain(*(Conv(1, 3, dilation=d, padding="same") for d in dilations))
    fields = receptive_fields(sketch(chain, (1, pixels)))
    for number, (field,) in enumerate(fields.values(), start=1):
        assert isinstance(field.size, int)
        if field.size >= pixels:
            return number, field.size
    return 0, 1
