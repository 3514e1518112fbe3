"""The kernel slides: what one output adds up, step by step."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import ArrayLike, NDArray

from faltung.definitions import Expansion, expand
from faltung.definitions.expansion import entry
from faltung.definitions.figures import number
from faltung.viz.cells import FIGURE, hatch, largest, numbers, outline, show_values, write_words
from faltung.viz.scene import Scene, places_of, scene_of, unreached
from faltung.viz.style import bare, figure, themed, width_of
from faltung.viz.theme import Theme

Array = NDArray[Any]

EDGE: Final = 0.3
GAP: Final = 0.6
"""Inches around and between image, kernel and outputs."""
HEAD: Final = 0.5
LINE: Final = 0.32
"""Inches of the titles, and of a line of the sum."""
NARROWEST: Final = 9.0


def frames(
    image: ArrayLike | None = None,
    kernel: ArrayLike | None = None,
    *,
    theme: str = "light",
    **options: Any,
) -> Iterator[Figure]:
    """Yield a figure for each position of the kernel, in row-major order.

    Parameters
    ----------
    image, kernel : array_like of one or two axes, optional
        As of `faltung.expand`.
    theme
        ``"light"`` or ``"dark"``.
    **options
        Padding, stride and all else that `faltung.expand` takes, but for the position.

    Yields
    ------
    matplotlib.figure.Figure
        All of one size.

    Raises
    ------
    PictureError
        slide V1: three axes, or more numbers than can be drawn.
    GeometryError
        What `faltung.expand` refuses; expand E4 where there is no output.
    """
    known = np.full(expand(image, kernel, **options).placement.out_shape, np.nan)
    steps = [expand(image, kernel, at, **options) for at in np.ndindex(*known.shape)]
    known[:] = np.reshape([step.value for step in steps], known.shape)
    # Cells are as wide as the widest number of all frames, or the panels would jump.
    size = scene_of(steps[0], image, known)
    lines = max(len(_sum(step, _width(size))) for step in steps)
    for index, step in enumerate(steps):
        so_far = np.where(np.arange(known.size).reshape(known.shape) <= index, known, np.nan)
        scene = scene_of(step, image, so_far)._replace(cell=size.cell, limit=largest(known))
        yield _drawn(scene, step, lines, theme)


def draw(
    step: Expansion,
    image: ArrayLike | None = None,
    *,
    outputs: ArrayLike | None = None,
    theme: str = "light",
) -> Figure:
    """Draw one position of a kernel: what lies under it, and what that adds up to.

    Padding is dashed, and positions that no window reaches are hatched.

    Parameters
    ----------
    step
        What `faltung.expand` returns.
    image : array_like of one or two axes, optional
        What it was asked about.
    outputs : array_like, optional
        The outputs that are known, NaN elsewhere; else this one alone.
    theme
        ``"light"`` or ``"dark"``.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    PictureError
        slide V1: three axes, or more numbers than can be drawn.
    """
    return _drawn(scene_of(step, image, outputs), step, 0, theme)


def _width(scene: Scene) -> float:
    """Inches of the three panels beside each other."""
    columns = sum(panel.shape[1] for panel in scene.panels)
    return float(max(NARROWEST, columns * scene.cell + 2 * GAP + 2 * EDGE))


def _sum(step: Expansion, inches: float) -> list[str]:
    """The arithmetic, in lines that fit."""
    text = f"{entry('S', step.position)} = {step.numbers} = {number(step.value)}"
    letters = int((inches - 2 * EDGE) / width_of("0" * 100, family=FIGURE) * 100)
    return textwrap.wrap(text.replace("-", "−"), letters, subsequent_indent="    ")


def _drawn(scene: Scene, step: Expansion, lines: int, theme: str) -> Figure:
    width = _width(scene)
    text = _sum(step, width)
    below = max(lines, len(text)) * LINE + EDGE
    high = max(panel.shape[0] for panel in scene.panels) * scene.cell
    with themed(theme) as colours:
        drawn = figure(colours, width, HEAD + high + 2 * EDGE + below)
        drawn.set_layout_engine("none")  # which would move panels from frame to frame
        image, kernel, outputs = _panels(drawn, scene, below + EDGE + high)
        _image(image, scene, colours)
        _grid(kernel, scene.kernel, colours, colours.kernel)
        _grid(outputs, scene.outputs, colours, colours.output, scene.limit)
        y, x = scene.position
        outline(outputs, range(y, y + 1), range(x, x + 1), colours.ink)
        image.set_title("input")
        kernel.set_title("flipped" if step.placement.is_flipped else "kernel")
        outputs.set_title("output")
        for i, line in enumerate(text):
            place = (EDGE / width, (below - (i + 0.7) * LINE) / drawn.get_figheight())
            drawn.text(*place, line, family=FIGURE, va="center")
    return drawn


def _panels(drawn: Figure, scene: Scene, top: float) -> list[Axes]:
    """Axes whose cells are of one size, hung from one line."""
    width, height = drawn.get_size_inches()
    axes, left = [], EDGE
    for panel in scene.panels:
        rows, columns = (n * scene.cell for n in panel.shape)
        axes.append(
            drawn.add_axes((left / width, (top - rows) / height, columns / width, rows / height))
        )
        left += columns + GAP
    return axes


def _grid(axes: Axes, values: Array, theme: Theme, colour: str, limit: float | None = None) -> None:
    show_values(axes, values, theme, limit=limit)
    write_words(axes, numbers(values))
    bare(axes)
    rows, columns = values.shape
    outline(axes, range(rows), range(columns), colour)


def _image(axes: Axes, scene: Scene, theme: Theme) -> None:
    """The image in blue, padding dashed, the window in orange."""
    down, across = places_of(scene.rows), places_of(scene.columns)
    show_values(axes, scene.image, theme)
    write_words(axes, numbers(scene.image))
    bare(axes)
    inside_y = range(-down.start, -down.start + scene.rows.size)
    inside_x = range(-across.start, -across.start + scene.columns.size)
    for y in range(len(down)):
        for x in range(len(across)):
            if y not in inside_y or x not in inside_x:
                _dashed(axes, y, x, theme)
    outline(axes, inside_y, inside_x, theme.input)
    for part in unreached(scene.rows):
        hatch(axes, _moved(part, -down.start), range(len(across)))
    for part in unreached(scene.columns):
        hatch(axes, range(len(down)), _moved(part, -across.start))
    _window(axes, scene, theme)


def _moved(part: range, by: int) -> range:
    return range(part.start + by, part.stop + by, part.step)


def _dashed(axes: Axes, y: int, x: int, theme: Theme) -> None:
    """A cell of padding."""
    cell = Rectangle((x - 0.46, y - 0.46), 0.92, 0.92, fill=False, linestyle=(0, (3, 2)))
    cell.set(edgecolor=theme.muted, linewidth=1.3)
    axes.add_patch(cell)


def _window(axes: Axes, scene: Scene, theme: Theme) -> None:
    """Frame what the kernel lies on: one box, or a cell each where dilation leaves gaps."""
    y, x = scene.position
    taps = [
        _moved(axis.taps(o), -places_of(axis).start)
        for axis, o in ((scene.rows, y), (scene.columns, x))
    ]
    rows, columns = taps
    outline(axes, range(rows[0], rows[-1] + 1), range(columns[0], columns[-1] + 1), theme.kernel, 5)
    if scene.rows.dilation > 1 or scene.columns.dilation > 1:
        for row in rows:
            for column in columns:
                outline(axes, range(row, row + 1), range(column, column + 1), theme.kernel)
