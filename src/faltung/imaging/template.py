"""Find the places of a scene that look like a template."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from faltung.errors import DTypeError, GeometryError, message
from faltung.imaging.correlation import correlation
from faltung.imaging.peaks import peaks
from faltung.report import AbstractReport, Table

Array = NDArray[Any]


@dataclass(frozen=True)
class Match:
    """One place.

    Parameters
    ----------
    top, left : float
        The template's upper left corner, in fractions of a pixel; negative where it hangs over
        the border.
    score : float
        The correlation there.
    visible : float
        The share of the template that the scene shows.
    """

    top: float
    left: float
    score: float
    visible: float


@dataclass(frozen=True, eq=False)
class FindReport(AbstractReport):
    """Where a template was found.

    Parameters
    ----------
    matches : tuple of Match
        The best first.
    heat : array, (H, W)
        The correlation, -1 to 1, in colour the lesser of two, with the template's middle pixel
        ``(h // 2, w // 2)`` on each pixel of the scene; 0 on flat places, and where too little of
        the template would be visible.
    template_shape, scene_shape : tuple of int
        (h, w, C) and (H, W, C).
    threshold, min_visible : float
        As they were asked for.
    is_flat : bool
        Whether the template has one colour only, so that it can be nowhere.
    """

    matches: tuple[Match, ...]
    heat: Array = field(repr=False)
    template_shape: tuple[int, ...]
    scene_shape: tuple[int, ...]
    threshold: float
    min_visible: float
    is_flat: bool

    @property
    def best(self) -> float:
        """The highest correlation anywhere."""
        return float(self.heat.max(initial=0.0))

    def blocks(self) -> list[Table | str]:
        """Return a verdict and, where there are any, the places."""
        if not self.matches:
            return [self._none()]
        rows = [
            (
                str(i + 1),
                f"{m.top:.2f}",
                f"{m.left:.2f}",
                f"{m.score:.3f}",
                f"{100 * m.visible:.0f} %",
            )
            for i, m in enumerate(self.matches)
        ]
        count = len(self.matches)
        places = "1 place" if count == 1 else f"{count} places"
        return [
            f"found at {places} (correlation of {self.threshold:g} or more)",
            Table(("place", "top", "left", "correlation", "visible"), rows),
        ]

    def _none(self) -> str:
        if self.is_flat:
            return "not found: the template has one colour only, and correlates with nothing"
        return (
            f"not found: the highest correlation is {self.best:.3f}, "
            f"{self.threshold:g} was asked for"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the places and what was asked for; the heat map is left to `heat`."""
        height, width, _ = self.template_shape
        places = [
            {
                "top": m.top,
                "left": m.left,
                "height": height,
                "width": width,
                "score": m.score,
                "visible": m.visible,
            }
            for m in self.matches
        ]
        return {
            "found": len(places),
            "matches": places,
            "best": self.best,
            "threshold": self.threshold,
            "min_visible": self.min_visible,
            "template_shape": list(self.template_shape),
            "scene_shape": list(self.scene_shape),
            "is_flat": self.is_flat,
        }


def find(
    template: ArrayLike,
    scene: ArrayLike,
    *,
    threshold: float = 0.75,
    min_visible: float = 0.5,
    separation: float = 0.5,
    most: int = 1000,
) -> FindReport:
    """Find every place of a scene that looks like a template, by normalised cross-correlation.

    Brightness and contrast of a copy do not matter, its colours do: of two correlation
    coefficients the lesser counts, one around the mean of all channels together, which sees
    colours, one around the mean of each, which sees the pattern. On grey images they are the same.
    Places are summits of the heat map, refined by a parabola along each axis.

    Parameters
    ----------
    template, scene : array_like, (h, w) or (h, w, C), and (H, W) or (H, W, C)
        Finite numbers. A grey one is compared with each channel of a coloured one.
    threshold : float
        The least correlation, above 0 and at most 1. Noise of standard deviation ν on a copy of
        standard deviation σ leaves ``σ / √(σ² + ν²)``: 0.75 as long as ν is below seven eighths
        of σ. Small, smooth templates look like much: raise it for them.
    min_visible : float
        The least share of the template inside the scene, 0.5 to 1: it may hang over the border.
    separation : float
        Of two places closer than this share of the template's sides only the better one counts.
    most : int
        How many places are returned.

    Returns
    -------
    FindReport
        ``matches``, the best first, and ``heat``, (H, W).

    Raises
    ------
    GeometryError
        find W1: not images, or of different channels. W2: a threshold or share out of range.
    DTypeError
        find W3: other than finite real numbers.

    Examples
    --------
    >>> scene = np.zeros((8, 9), int)
    >>> scene[2:5, 4:7] = template = np.array([[9, 1, 2], [1, 8, 3], [2, 3, 7]])
    >>> [(round(m.top), round(m.left), round(m.score, 3)) for m in find(template, scene).matches]
    [(2, 4, 1.0)]
    """
    t, s = _same_channels(_image("template", template), _image("scene", scene))
    _check_shares(threshold, min_visible, separation)
    heat, visible = correlation(t, s, min_visible)
    sides = (separation * t.shape[0], separation * t.shape[1])
    found = peaks(heat, threshold=threshold, separation=sides, most=most)
    matches = tuple(
        Match(
            top=p.y - t.shape[0] // 2,
            left=p.x - t.shape[1] // 2,
            score=p.height,
            visible=float(visible[p.row, p.column]),
        )
        for p in found
    )
    is_flat = bool(t.size == 0 or (t == t[0, 0]).all())
    return FindReport(matches, heat, t.shape, s.shape, threshold, min_visible, is_flat)


def _image(name: str, given: ArrayLike) -> Array:
    """(H, W, C), booleans as 0 and 1."""
    array = np.asarray(given)
    if array.ndim not in (2, 3) or (array.ndim == 3 and not array.shape[2]):
        rule, got = f"the {name} must be (H, W) or (H, W, C)", {"shape": array.shape}
        raise GeometryError(message("find", rule, got, "", "find W1"))
    if array.dtype.kind not in "biuf" or not np.isfinite(array).all():
        rule, cure = f"the {name} must hold finite real numbers", "Replace NaN and infinity first"
        raise DTypeError(message("find", rule, {"dtype": array.dtype}, cure, "find W3"))
    array = array.astype(np.uint8) if array.dtype.kind == "b" else array
    return array[..., np.newaxis] if array.ndim == 2 else array


def _same_channels(t: Array, s: Array) -> tuple[Array, Array]:
    channels = max(t.shape[2], s.shape[2])
    if not {t.shape[2], s.shape[2]} <= {1, channels}:
        rule = "template and scene must have as many channels, or one"
        got = {"template": t.shape[2], "scene": s.shape[2]}
        raise GeometryError(message("find", rule, got, "Convert one of them", "find W1"))
    t, s = (np.broadcast_to(x, (*x.shape[:2], channels)) for x in (t, s))
    return t, s


def _check_shares(threshold: float, min_visible: float, separation: float) -> None:
    for name, value, low in (
        ("threshold", threshold, 0.0),
        ("min_visible", min_visible, 0.5),
        ("separation", separation, 0.0),
    ):
        if not low <= value <= 1 or (name == "threshold" and value == 0):
            rule = f"{name} must be {'from 0.5' if low else 'above 0 and'} up to 1"
            raise GeometryError(message("find", rule, {name: value}, "", "find W2"))
