"""Heat maps over images: where something was found, and how strongly."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.text import Text
from numpy.typing import ArrayLike, NDArray

from faltung.viz.cells import largest
from faltung.viz.images import show_image
from faltung.viz.style import bare, figure, themed
from faltung.viz.theme import AMOUNT, DIVERGING, Theme

if TYPE_CHECKING:
    from faltung.imaging import FindReport

Array = NDArray[Any]

TALLEST: Final = 5.2
WIDEST: Final = 7.0
"""Inches of the scene."""


class Found(NamedTuple):
    """A place in the image.

    Parameters
    ----------
    y, x
        Its upper left corner, in pixels.
    height, width
        Its size.
    score
        How well it fits.
    """

    y: float
    x: float
    height: float
    width: float
    score: float


def draw(
    image: ArrayLike,
    heat: ArrayLike,
    found: Sequence[Found] = (),
    *,
    step: float = 1.0,
    signed: bool = True,
    name: str = "score",
    title: str = "",
    theme: str = "light",
) -> Figure:
    """Draw an image with what was found in it framed, beside the heat map.

    Parameters
    ----------
    image : array_like (C, H, W) or (H, W)
        The scene.
    heat : array_like (rows, columns)
        A score for each position of the window; drawn where the window's middle is.
    found
        Frames, or tuples of their five numbers, the best first; they are numbered from 1.
    step
        Pixels from one position of the window to the next.
    signed
        Whether scores below zero mean something (a correlation) or not (a probability).
    name
        What a score is.
    title
        A line above both.
    theme
        ``"light"`` or ``"dark"``.

    Returns
    -------
    matplotlib.figure.Figure
    """
    scene, scores = np.asarray(image), np.asarray(heat, np.float64)
    ratio = min(max(scene.shape[-1] / scene.shape[-2], 0.5), 4.0)
    height = min(TALLEST, WIDEST / ratio)
    with themed(theme) as colours:
        drawn = figure(colours, 2 * height * ratio + 1.9, height + 0.9)
        drawn.suptitle(title)
        left, right = drawn.subplots(1, 2)
        show_image(left, scene)
        bare(left).set_title(f"scene, {len(found)} found" if found else "scene")
        _heat(drawn, right, scores, signed, name)
        _align(right, scene.shape[-2:], scores.shape, step)
        _frames(left, found, colours)
    return drawn


def draw_find(report: FindReport, scene: ArrayLike, *, theme: str = "light") -> Figure:
    """Draw where a template was found.

    Parameters
    ----------
    report
        What `faltung.find` returns.
    scene : array_like (H, W) or (H, W, C)
        What it was looked for in.
    theme
        ``"light"`` or ``"dark"``.

    Returns
    -------
    matplotlib.figure.Figure
    """
    pixels = np.asarray(scene)
    image = pixels if pixels.ndim == 2 else np.moveaxis(pixels, -1, 0)
    height, width = report.template_shape[:2]
    found = [Found(m.top, m.left, height, width, m.score) for m in report.matches]
    return draw(image, report.heat, found, name="correlation", theme=theme)


def _heat(drawn: Figure, axes: Axes, scores: Array, signed: bool, name: str) -> None:
    top = largest(scores)
    norm, colours = Normalize(-top if signed else 0.0, top), DIVERGING if signed else AMOUNT
    axes.imshow(colours(np.ma.masked_invalid(norm(scores))), aspect="equal")
    bare(axes).set_title("heat map")
    scale = drawn.colorbar(ScalarMappable(norm, colours), cax=axes.inset_axes((1.03, 0, 0.05, 1)))
    scale.set_label(name)
    scale.outline.set_visible(False)


def _align(axes: Axes, size: tuple[int, ...], shape: tuple[int, ...], step: float) -> None:
    """Lay the map over as much room as the scene takes, each score on the middle of its window."""
    extent = []
    for pixels, count in ((size[1], shape[1]), (size[0], shape[0])):
        middle, half = (pixels - 1) / 2, count * step / 2
        extent += [middle - half, middle + half]
    left, right, top, bottom = extent
    axes.get_images()[0].set_extent((left, right, bottom, top))
    axes.set_xlim(-0.5, size[1] - 0.5)
    axes.set_ylim(size[0] - 0.5, -0.5)
    axes.spines[:].set_visible(True)


def _frames(axes: Axes, found: Sequence[Found], theme: Theme) -> None:
    """Frame what was found; a number that would lie on another one is left out."""
    texts = []
    for number, each in enumerate((Found(*frame) for frame in found), start=1):
        corner = (each.x - 0.5, each.y - 0.5)
        for colour, width in ((theme.paper, 6.0), (theme.wrong, 3.0)):
            frame = Rectangle(corner, each.width, each.height, fill=False)
            frame.set(edgecolor=colour, linewidth=width)
            axes.add_patch(frame)
        texts.append(axes.text(*corner, f"{number}", **_tag(theme)))
    figure = axes.get_figure(root=True)
    if figure is not None:
        figure.draw_without_rendering()
        _thin_out(texts)


def _tag(theme: Theme) -> dict[str, Any]:
    box = {"facecolor": theme.wrong, "edgecolor": "none", "pad": 2}
    return {"bbox": box, "color": "#000000", "family": "monospace", "va": "top", "ha": "left"}


def _thin_out(texts: list[Text]) -> None:
    """Hide texts that lie on an earlier one."""
    kept: list[Any] = []
    for text in texts:
        box = text.get_window_extent()
        if any(box.overlaps(other) for other in kept):
            text.set_visible(False)
        else:
            kept.append(box)
