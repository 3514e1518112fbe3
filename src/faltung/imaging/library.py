"""Filters by name: ``gaussian:1.5``, ``motion:15,45``, ``unsharp:sigma=2,amount=0.8``.

Most are one kernel (`faltung.imaging.kernels` has formulas, signs and scales). Some are more than
a convolution: edge strength and complex cells take the root of a sum of squares, the median and
Harris's corner response multiply or sort.
"""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from math import isfinite
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from faltung.errors import GeometryError, message
from faltung.imaging import gabor, harris, kernels, median
from faltung.imaging.filter import slide

Array = NDArray[Any]


class AbstractFilter(ABC):
    """What can be applied to an image, a signal or a volume."""

    name: str
    kernels: tuple[Array, ...]

    @abstractmethod
    def apply(self, image: ArrayLike, **how: Any) -> Array:
        """Filter an image.

        Parameters
        ----------
        image : array_like
            As in `faltung.filter_image`.
        how
            ``mode``, ``border``, ``channels`` and ``anchor``, as there.

        Returns
        -------
        array
            What the filter makes of it, before any rounding.
        """


@dataclass(frozen=True, eq=False)
class LinearFilter(AbstractFilter):
    """One kernel. ``terms`` add up to it, where each of them takes fewer products than it does."""

    name: str
    kernel: Array
    terms: tuple[Array, ...] = ()

    @property
    def kernels(self) -> tuple[Array, ...]:  # type: ignore[override]
        """The kernel."""
        return (self.kernel,)

    def apply(self, image: ArrayLike, **how: Any) -> Array:
        """Sum over the terms, or over the kernel where there are none."""
        first, *others = self.terms or (self.kernel,)
        y = slide(image, first, **how)
        for term in others:
            y += slide(image, term, **how)
        return y


@dataclass(frozen=True, eq=False)
class StrengthFilter(AbstractFilter):
    """``√(Σ answer²)`` over a group of kernels; of several groups the largest.

    The strength of edges from their two slopes; a complex cell from a pair of simple ones.
    """

    name: str
    groups: tuple[tuple[Array, ...], ...]

    @property
    def kernels(self) -> tuple[Array, ...]:  # type: ignore[override]
        """Every kernel of every group."""
        return tuple(kernel for group in self.groups for kernel in group)

    def apply(self, image: ArrayLike, **how: Any) -> Array:
        """Take the root of each group's sum of squares, in float64; then the largest."""
        best: Array | None = None
        for group in self.groups:
            answers = [np.asarray(slide(image, kernel, **how), np.float64) for kernel in group]
            strength = np.sqrt(sum(answer * answer for answer in answers))
            best = strength if best is None else np.maximum(best, strength)
        assert best is not None
        return best


@dataclass(frozen=True, eq=False)
class OtherFilter(AbstractFilter):
    """What is no sum over a kernel: only the border can be chosen."""

    name: str
    function: Callable[..., Array]
    kernels: tuple[Array, ...] = ()

    def apply(self, image: ArrayLike, **how: Any) -> Array:
        """Run the function; modes, anchors and mixing of channels have no meaning here."""
        odd = {n: v for n, v in how.items() if n != "border" and v not in NEUTRAL.get(n, ())}
        if odd:
            rule, got = f"{self.name} is no convolution: it takes a border alone", odd
            raise GeometryError(message("filter", rule, got, "Leave it out", "library N3"))
        return self.function(np.asarray(image), border=how.get("border", "zeros"))


NEUTRAL: Final = {
    "mode": ("correlate", "convolve"),
    "channels": ("each",),
    "anchor": (None,),
    "passes": (True, False),
}
Maker = Callable[[str, Callable[..., Any], dict[str, Any]], AbstractFilter]


def _one(name: str, kernel: Callable[..., Array], given: dict[str, Any]) -> AbstractFilter:
    return LinearFilter(name, kernel(**given))


def _sum(name: str, terms: Callable[..., Any], given: dict[str, Any]) -> AbstractFilter:
    found = terms(**given)
    return LinearFilter(name, np.sum(found, axis=0), found)


def _strength(name: str, groups: Callable[..., Any], given: dict[str, Any]) -> AbstractFilter:
    return StrengthFilter(name, groups(**given))


def _cell(name: str, pair: Callable[..., Any], given: dict[str, Any]) -> AbstractFilter:
    return StrengthFilter(name, (pair(**given),))


def _other(name: str, function: Callable[..., Array], given: dict[str, Any]) -> AbstractFilter:
    return OtherFilter(name, partial(function, **given))


class Entry(NamedTuple):
    """What makes a filter's kernels, whose parameters are its own; of what kind; in a few words."""

    function: Callable[..., Any]
    maker: Maker
    about: str


LIBRARY: Final[dict[str, Entry]] = {
    "box": Entry(kernels.box, _one, "mean over a square"),
    "gaussian": Entry(kernels.gaussian, _one, "mean weighted by a bell; soft"),
    "motion": Entry(kernels.motion, _one, "mean along a line"),
    "median": Entry(median.median, _other, "middle value of a square; no convolution"),
    "sharpen": Entry(kernels.sharpen, _one, "the picture less its laplacian"),
    "unsharp": Entry(kernels.unsharp_terms, _sum, "the picture and what a gaussian takes from it"),
    "emboss": Entry(kernels.emboss, _one, "light from the upper left"),
    "sobel-x": Entry(kernels.sobel_x, _one, "brighter to the right is positive; a slope of 1 is 8"),
    "sobel-y": Entry(kernels.sobel_y, _one, "brighter downwards is positive; a slope of 1 is 8"),
    "sobel": Entry(lambda: (kernels.sobel_x(), kernels.sobel_y()), _cell, "strength of edges"),
    "prewitt-x": Entry(kernels.prewitt_x, _one, "as sobel-x with equal rows; a slope of 1 is 6"),
    "prewitt-y": Entry(kernels.prewitt_y, _one, "as sobel-y with equal columns"),
    "prewitt": Entry(
        lambda: (kernels.prewitt_x(), kernels.prewitt_y()), _cell, "strength of edges"
    ),
    "scharr-x": Entry(kernels.scharr_x, _one, "as sobel-x, rounder; a slope of 1 is 32"),
    "scharr-y": Entry(kernels.scharr_y, _one, "as sobel-y, rounder"),
    "scharr": Entry(lambda: (kernels.scharr_x(), kernels.scharr_y()), _cell, "strength of edges"),
    "laplacian": Entry(kernels.laplacian, _one, "second differences; negative on bright spots"),
    "log": Entry(kernels.laplacian_of_gaussian_terms, _sum, "laplacian of a gaussian"),
    "dog": Entry(
        kernels.difference_of_gaussians_terms, _sum, "a gaussian less a wider one; bright spots"
    ),
    "harris": Entry(harris.harris, _other, "corners, from products of edge maps"),
    "gabor": Entry(gabor.gabor, _one, "simple cell: stripes of one width and direction"),
    "complex": Entry(gabor.gabor_pair, _cell, "complex cell: such stripes, wherever they lie"),
    "gabor-bank": Entry(gabor.gabor_bank, _strength, "the strongest of complex cells"),
}
"""Every filter by name."""

NOT_ASKED: Final = ("image", "axes", "border")
"""Parameters that do not come from a filter's text."""


def parameters(name: str) -> dict[str, float | None]:
    """Return the parameters of a filter and their defaults; None for what follows from others.

    >>> parameters("unsharp")
    {'sigma': 1.0, 'amount': 1.0}
    """
    found = inspect.signature(LIBRARY[name].function).parameters
    return {n: p.default for n, p in found.items() if n not in NOT_ASKED}


def named_filter(text: str, *, axes: int = 2) -> AbstractFilter:
    """Return a filter of the library.

    Parameters
    ----------
    text : str
        ``name``, ``name:number,number`` or ``name:parameter=number``.
    axes : int
        1 for signals, 2 for images, 3 for volumes.

    Raises
    ------
    GeometryError
        library N1: no such name. N2: parameters that it does not have, or that are no numbers.
        N4: a filter for images alone. kernel L1 to L4: values that make no kernel.

    Examples
    --------
    >>> named_filter("box:2").kernels[0].tolist()
    [[0.25, 0.25], [0.25, 0.25]]
    """
    name, _, rest = text.strip().partition(":")
    name = name.strip().lower().replace("_", "-")
    if name not in LIBRARY:
        rule, cure = "the library has no such filter", f"Use one of {', '.join(LIBRARY)}"
        raise GeometryError(message("filter", rule, {"name": repr(name)}, cure, "library N1"))
    entry = LIBRARY[name]
    given: dict[str, Any] = dict(_given(name, rest))
    if _takes_axes(name):
        given["axes"] = axes
    elif axes != 2:
        rule, cure = f"{name} is made for images", f"Use one of {', '.join(_several())}"
        raise GeometryError(message("filter", rule, {"axes": axes}, cure, "library N4"))
    return entry.maker(name, entry.function, given)


def _takes_axes(name: str) -> bool:
    return "axes" in inspect.signature(LIBRARY[name].function).parameters


def _several() -> list[str]:
    return [name for name in LIBRARY if _takes_axes(name)]


def _given(name: str, rest: str) -> dict[str, float]:
    """The parameters that a text gives, in order or by name."""
    known = list(parameters(name))
    found: dict[str, float] = {}
    for place, part in enumerate(part for part in rest.split(",") if part.strip()):
        key, is_named, number = part.rpartition("=")
        key = key.strip() if is_named else (known[place] if place < len(known) else "")
        value = _number(number)
        if key not in known or key in found or value is None:
            defaults = ", ".join(
                n if v is None else f"{n}={v:g}" for n, v in parameters(name).items()
            )
            rule = f"{name} takes {defaults or 'no parameter'}"
            got = {"parameter": repr(part.strip())}
            raise GeometryError(message("filter", rule, got, "", "library N2"))
        found[key] = value
    return found


def _number(text: str) -> float | None:
    """A finite number, whole ones as int."""
    try:
        value = float(text)
    except ValueError:
        return None
    if not isfinite(value):
        return None
    return int(value) if value == int(value) else value
