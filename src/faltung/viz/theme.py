"""The colours of `faltung.theme` as Matplotlib takes them, and those of many tied things."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from matplotlib.colors import LinearSegmentedColormap, to_hex, to_rgba
from matplotlib.typing import ColorType
from numpy.typing import NDArray

from faltung.errors import PictureError, message
from faltung.theme import AMOUNT_STOPS, DIVERGING_STOPS, THEMES
from faltung.theme import DARK as DARK
from faltung.theme import LIGHT as LIGHT
from faltung.theme import Theme as Theme

Array = NDArray[Any]


DIVERGING: Final = LinearSegmentedColormap.from_list("faltung", DIVERGING_STOPS)
AMOUNT: Final = LinearSegmentedColormap.from_list("amount", AMOUNT_STOPS)


def theme_of(name: str) -> Theme:
    """Return a theme by its name.

    >>> theme_of("dark").name
    'dark'
    """
    if name not in THEMES:
        values, cure = {"theme": repr(name)}, f"Use one of {', '.join(THEMES)}"
        raise PictureError(message("picture", "there is no such theme", values, cure))
    return THEMES[name]


def hues(count: int) -> list[str]:
    """Return so many colours that black text can be read on, neighbours far apart.

    The golden ratio spaces hues evenly however many there are, and the first ones are the same
    whatever the count; lightness and colourfulness vary too, so that dozens can be told apart.

    >>> len(set(hues(100))), hues(9) == hues(100)[:9]
    (100, True)
    """
    numbers = np.arange(count, dtype=np.float64)
    lightness = 0.74 + 0.15 * (numbers * 0.754878 % 1.0)
    chroma = 0.085 + 0.045 * (numbers * 0.569840 % 1.0)
    hue = 2 * np.pi * ((0.67 + numbers * 0.618034) % 1.0)
    colours = _rgb(lightness, chroma * np.cos(hue), chroma * np.sin(hue))
    return [to_hex(tuple(colour)) for colour in colours.tolist()]


def _rgb(lightness: Array, a: Array, b: Array) -> Array:
    """Colours of equal perceived lightness as sRGB: Ottosson, *A perceptual color space* (2020)."""
    roots = np.stack(
        [
            lightness + 0.3963377774 * a + 0.2158037573 * b,
            lightness - 0.1055613458 * a - 0.0638541728 * b,
            lightness - 0.0894841775 * a - 1.2914855480 * b,
        ],
        axis=1,
    )
    linear = np.clip(roots**3 @ _LMS_TO_RGB, 0.0, 1.0)
    curved: Array = np.where(
        linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055
    )
    return curved


_LMS_TO_RGB: Final = np.array(
    [
        [4.0767416621, -1.2684380046, -0.0041960863],
        [-3.3077115913, 2.6097574011, -0.7034186147],
        [0.2309699292, -0.3413193965, 1.7076147010],
    ]
)


def text_on(colour: ColorType) -> str:
    """Return black or white, whichever reads better on a colour (WCAG's relative luminance).

    >>> text_on("#ffffff"), text_on("#0072b2")
    ('#000000', '#ffffff')
    """
    channels: NDArray[np.float64] = np.array(to_rgba(colour)[:3])
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    luminance = float(linear @ (0.2126, 0.7152, 0.0722))
    return "#000000" if (luminance + 0.05) / 0.05 >= 1.05 / (luminance + 0.05) else "#ffffff"
