"""The receptive field grows: which positions of every earlier layer one output depends on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from numpy.typing import NDArray

from faltung.analysis.seen import seen
from faltung.errors import PictureError, message
from faltung.graph import Graph
from faltung.viz.cells import outline
from faltung.viz.style import bare, figure, shortened, themed
from faltung.viz.theme import Theme

Mask = NDArray[np.bool_]
Layers = Sequence[tuple[str, Mask]]

WINDOWED: Final = ("Conv", "ConvTranspose", "LocallyConnected", "MaxPool", "AveragePool")
SIDE: Final = 2.8
"""Inches of a layer."""
NARROWEST: Final = 9.0
LARGEST: Final = 64
"""Rows or columns of an input whose cells can be told apart."""
MOST: Final = 6
"""Layers beside each other; of more, the input and the last ones are drawn."""


def frames(
    graph: Graph, input_shape: Sequence[int] | None = None, *, theme: str = "light"
) -> Iterator[Figure]:
    """Yield a figure for each layer that looks around itself: what its middle output sees.

    Parameters
    ----------
    graph
        A network whose first input has one or two space axes.
    input_shape
        ``(N, C, *space)`` of it, if not the declared one; tens of pixels.
    theme
        ``"light"`` or ``"dark"``.

    Yields
    ------
    matplotlib.figure.Figure
        All of one size.

    Raises
    ------
    PictureError
        field V1: an input too large to draw, or no layer with such axes.
    """
    names, shapes = _looking(graph, input_shape)
    source = graph.inputs[0].name
    for last, name in enumerate(names):
        middle = tuple((n - 1) // 2 for n in shapes[name])
        masks = seen(graph, name, (0, *middle), input_shape)
        shown: list[tuple[str, Mask]] = [(source, _plane(masks[source]))]
        for each in names[: last + 1]:
            absent = np.zeros((1, *shapes[each]), bool)
            shown.append((each, _plane(masks.get(each, absent))))
        yield draw(shown, of=len(names) + 1, theme=theme)


def draw(layers: Layers, *, of: int = 0, theme: str = "light") -> Figure:
    """Draw what one output sees of its own layer, of those before it, and of the input.

    Parameters
    ----------
    layers
        Names and masks (rows, columns): the input first, the layer of the output last.
    of
        How many layers to leave room for.
    theme
        ``"light"`` or ``"dark"``.

    Returns
    -------
    matplotlib.figure.Figure
    """
    shown = layers if len(layers) <= MOST else [layers[0], *layers[1 - MOST :]]
    panels = min(max(of, len(shown)), MOST)
    name, field = layers[-1][0], layers[0][1]
    count = int(field.sum())
    sides = " × ".join(str(int(hits.sum())) for hits in (field.any(axis=1), field.any(axis=0)))
    share = f"{count} of {field.size} positions, {100 * count / field.size:.1f} %"
    with themed(theme) as colours:
        drawn = figure(colours, max(panels * (SIDE + 0.2) + 0.2, NARROWEST), SIDE + 1.2)
        drawn.suptitle(f"One output of {name} sees {sides}: {share}", x=0.02, ha="left")
        drawn.set_layout_engine("none")  # which would move panels from frame to frame
        height = drawn.get_figheight()
        for number, (title, mask) in enumerate(shown):
            left = (0.2 + number * (SIDE + 0.2)) / drawn.get_figwidth()
            wide = SIDE / drawn.get_figwidth()
            axes = drawn.add_axes((left, 0.25 / height, wide, SIDE / height))
            is_input, is_last = number == 0, number == len(shown) - 1
            colour = colours.input if is_input else colours.output if is_last else colours.kernel
            _layer(axes, mask, colour, colours)
            axes.set_title(shortened(f"{title}: {_size(mask)}", SIDE))
    return drawn


def _size(mask: Mask) -> str:
    return " × ".join(str(n) for n in mask.shape)


def _layer(axes: Axes, mask: Mask, colour: str, theme: Theme) -> None:
    """Cells that are seen in colour, the others faint."""
    rows, columns = mask.shape
    axes.imshow(np.where(mask[..., None], to_rgb(colour), to_rgb(theme.faint)), aspect="equal")
    bare(axes).set_anchor("NW")
    thickness = min(2.0, 72 * SIDE / max(mask.shape) / 8)
    axes.vlines(np.arange(columns + 1) - 0.5, -0.5, rows - 0.5, theme.paper, linewidth=thickness)
    axes.hlines(np.arange(rows + 1) - 0.5, -0.5, columns - 0.5, theme.paper, linewidth=thickness)
    if mask.any():
        y, x = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        outline(axes, range(y[0], y[-1] + 1), range(x[0], x[-1] + 1), theme.ink, 2)


def _plane(mask: Mask) -> Mask:
    """A mask (C, *space) as rows and columns: positions that any channel is seen at."""
    return np.atleast_2d(mask.any(axis=0))


def _looking(
    graph: Graph, input_shape: Sequence[int] | None
) -> tuple[list[str], dict[str, tuple[int, ...]]]:
    """The values of layers whose windows move, and the space sizes of every value."""
    source = graph.inputs[0].name
    if input_shape is not None:
        graph = graph.with_input_shape(
            {v.name: v.shape for v in graph.inputs} | {source: tuple(input_shape)}
        )
    sizes = {
        name: tuple(n for n in shape[2:] if isinstance(n, int))
        for name, shape in graph.shapes().items()
    }
    space = sizes[source]
    moving = (node.outputs[0] for node in graph.nodes if node.operator.onnx_type in WINDOWED)
    names = [name for name in moving if len(sizes[name]) == len(space)]
    if not names or len(space) > 2 or max(space) > LARGEST:
        rule = f"one or two axes of at most {LARGEST} positions can be drawn, and a layer on them"
        raise PictureError(message("field", rule, {"space": space}, "", "field V1"))
    return names, sizes
