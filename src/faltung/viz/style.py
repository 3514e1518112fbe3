"""How pictures look and how they are written: one size of text, two themes, whole files.

Every function that draws works inside `themed`, makes its figure with `figure`, and hands it back::

    with themed("dark") as theme:
        drawn = figure(theme, 10, 6)
        axes = drawn.subplots()
        axes.plot([1, 4, 9], color=theme.output)
    save(drawn, "squares.svg")
"""

from __future__ import annotations

import contextlib
import io
import os
import warnings
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import matplotlib
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg, RendererAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from faltung import atomic
from faltung.errors import PictureError, message
from faltung.viz.theme import Theme, theme_of

TEXT: Final = 16.0
"""Points of the smallest text: 8 in a figure that is shown at half its size."""
TITLE: Final = 18.0
DPI: Final = 100
FORMATS: Final = ("png", "svg", "pdf")
_WIDE_FONTS: Final = (
    *("Noto Sans CJK SC", "Noto Sans CJK JP", "PingFang SC", "Hiragino Sans", "Microsoft YaHei"),
    *("Yu Gothic", "Malgun Gothic", "WenQuanYi Zen Hei", "Arial Unicode MS"),
)
"""Asked where Matplotlib's own font has no sign, for class names in other scripts."""
# Nothing in a file may tell when or by which version it was made: same picture, same bytes.
_METADATA: Final[dict[str, dict[str, Any]]] = {
    "png": {"Software": None},
    "svg": {"Date": None, "Creator": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}


@contextlib.contextmanager
def themed(name: str = "light") -> Iterator[Theme]:
    """Have Matplotlib draw in a theme for as long as the block runs.

    Parameters
    ----------
    name
        ``"light"`` or ``"dark"``.

    Yields
    ------
    Theme

    Raises
    ------
    PictureError
        There is no such theme.
    """
    theme = theme_of(name)
    with matplotlib.rc_context(), _boxes_for_unknown_signs():
        matplotlib.rcdefaults()
        settings: Any = _settings(theme)
        matplotlib.rcParams.update(settings)
        yield theme


@contextlib.contextmanager
def _boxes_for_unknown_signs() -> Iterator[None]:
    """Say nothing of signs that no font has; they are shown as boxes."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        yield


class _Picture(Figure):
    """A figure that knows its theme and shows itself in notebooks."""

    theme: str = "light"

    def _repr_png_(self) -> bytes:
        return encoded(self, "png")


def figure(theme: Theme, width: float, height: float) -> Figure:
    """Return an empty figure, so many inches wide and high, that lays out its axes by itself.

    Parameters
    ----------
    theme
        What `themed` gave.
    width, height
        Inches at full size; a hundred pixels each.
    """
    made = _Picture(figsize=(width, height), dpi=DPI)
    made.set_layout_engine("constrained", w_pad=0.08, h_pad=0.08)
    FigureCanvasAgg(made)
    made.theme = theme.name
    return made


def check_suffix(path: str | os.PathLike[str]) -> str:
    """Return which kind of picture a path asks for, before anything is computed for it.

    Parameters
    ----------
    path
        Where a picture is to go.

    Raises
    ------
    PictureError
        Its suffix names none of `FORMATS`.

    Examples
    --------
    >>> check_suffix("curves.SVG")
    'svg'
    """
    suffix = Path(path).suffix
    kind = suffix.lower().removeprefix(".")
    if kind not in FORMATS:
        rule = f"a picture's suffix must be one of {', '.join(f'.{known}' for known in FORMATS)}"
        cure = f"Use {Path(path).with_suffix('.png').name}"
        raise PictureError(message(str(path), rule, {"suffix": repr(suffix)}, cure))
    return kind


def save(drawn: Figure, path: str | os.PathLike[str]) -> Path:
    """Write a figure, whole or not at all; the suffix says as what.

    Parameters
    ----------
    drawn
        A figure that a function of `faltung.viz` returned.
    path
        ``x.png``, ``x.svg`` or ``x.pdf``.

    Returns
    -------
    pathlib.Path
        The path.

    Raises
    ------
    PictureError
        Another suffix.
    StorageError
        The file cannot be written.
    """
    atomic.write_bytes(path, encoded(drawn, check_suffix(path)))
    return Path(path)


def encoded(drawn: Figure, kind: str) -> bytes:
    """Return a figure as the bytes of a file; the same figure gives the same bytes.

    Parameters
    ----------
    drawn
        The figure.
    kind
        One of `FORMATS`.
    """
    buffer = io.BytesIO()
    with themed(theme_name(drawn)):
        drawn.savefig(buffer, format=kind, metadata=_METADATA[kind])
    return buffer.getvalue()


def theme_name(drawn: Figure) -> str:
    """Return the theme that a figure was drawn in; light for those of others.

    Parameters
    ----------
    drawn
        The figure.
    """
    return drawn.theme if isinstance(drawn, _Picture) else "light"


def bare(axes: Axes) -> Axes:
    """Return axes without ticks, labels and frame, for what speaks for itself.

    Parameters
    ----------
    axes
        The axes, which come back.
    """
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
    return axes


@lru_cache(maxsize=4096)
def width_of(text: str, *, points: float = TEXT, family: str | None = None) -> float:
    """Return how many inches wide the longest line of a text is drawn.

    Parameters
    ----------
    text
        One line or several.
    points
        Its size.
    family
        ``"monospace"`` for figures; the usual font if it is left out.
    """
    font = font_manager.FontProperties(family=family or _families(), size=points)
    measure = _ruler().get_text_width_height_descent
    with _boxes_for_unknown_signs():
        widths = [measure(line, font, False)[0] for line in text.split("\n")]
    return float(max(widths)) / 72


def shortened(text: str, inches: float) -> str:
    """Return a text, or so much of its beginning as there is room for.

    Parameters
    ----------
    text
        One line.
    inches
        The room, at the usual size.

    Examples
    --------
    >>> shortened("aubergine", 2), shortened("aubergine", 0.82)
    ('aubergine', 'aube…')
    """
    if width_of(text) <= inches:
        return text
    kept = max((n for n in range(len(text)) if width_of(text[:n] + "…") <= inches), default=0)
    return text[:kept] + "…"


def name_below(axes: Axes, names: Sequence[str], slot: float) -> None:
    """Write a name below each of the positions 0, 1, 2 ..., upright where they would touch.

    Parameters
    ----------
    axes
        Where.
    names
        One for each position; too many to be read give numbers instead.
    slot
        Inches from one to the next.
    """
    if slot < 1.4 * TEXT / 72:
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=10))
        return
    fits = max(map(width_of, names), default=0.0) + 0.1 <= slot
    axes.set_xticks(range(len(names)), names, rotation="horizontal" if fits else "vertical")


def _settings(theme: Theme) -> dict[str, Any]:
    """Matplotlib's settings for a theme."""
    return {
        "font.family": _families(),
        "font.monospace": ["DejaVu Sans Mono"],
        "font.size": TEXT,
        "axes.titlesize": TEXT,
        "axes.labelsize": TEXT,
        "xtick.labelsize": TEXT,
        "ytick.labelsize": TEXT,
        "legend.fontsize": TEXT,
        "figure.titlesize": TITLE,
        "figure.titleweight": "bold",
        "text.parse_math": False,  # a class name may hold a dollar
        "text.color": theme.ink,
        "axes.titlelocation": "left",
        "axes.titlepad": 8.0,
        "axes.labelcolor": theme.ink,
        "axes.edgecolor": theme.muted,
        "axes.facecolor": theme.paper,
        "axes.linewidth": 1.0,
        "axes.axisbelow": True,
        "axes.grid.axis": "y",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "figure.facecolor": theme.paper,
        "savefig.facecolor": theme.paper,
        "grid.color": theme.faint,
        "grid.linewidth": 1.0,
        "hatch.color": theme.muted,
        "hatch.linewidth": 1.0,
        "xtick.color": theme.muted,
        "ytick.color": theme.muted,
        "xtick.labelcolor": theme.ink,
        "ytick.labelcolor": theme.ink,
        "legend.frameon": False,
        "lines.linewidth": 2.5,
        "image.interpolation": "nearest",
        "pdf.fonttype": 42,
        "svg.hashsalt": "faltung",
    }


@lru_cache(maxsize=1)
def _ruler() -> Any:
    """What measures texts before there is a figure; a point is a pixel."""
    return RendererAgg(1, 1, 72)  # type: ignore[no-untyped-call]


@lru_cache(maxsize=1)
def _families() -> list[str]:
    """Matplotlib's own font first: it lies beside it everywhere, so pictures do not differ."""
    installed = set(font_manager.get_font_names())
    return ["DejaVu Sans", *(name for name in _WIDE_FONTS if name in installed)]
