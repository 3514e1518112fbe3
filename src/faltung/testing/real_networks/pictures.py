"""Pictures with words in them, drawn: for networks that find and read text."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from faltung.datasets import photo
from faltung.ops.operator import Array


class Line(NamedTuple):
    """Some words at a place: its middle, the height of its letters, its font, its angle."""

    words: str
    x: int
    y: int
    size: int
    font: str = ""
    angle: float = 0


class Picture(NamedTuple):
    """An image (H, W, 3) of uint8 with the words that are in it."""

    name: str
    image: Array
    lines: tuple[Line, ...]


def pictures() -> tuple[Picture, ...]:
    """Return the pictures: pages, turned words, photos, the dark, slips, and one without words.

    None is left out for what is measured on it.
    """
    return (
        _drawn("page", _plain(900, 640, 255), PAGE),
        _drawn("turned", _plain(820, 760, 235), TURNED),
        _drawn("photo", _photo("coffee", 960, 640), CAPTIONS, ink=255),
        _drawn("night", _night(700, 400), NIGHT, ink=200),
        _drawn("upside down", _plain(900, 640, 255), SIGNS, upside_down=True),
        _drawn("no words", _photo("cat", 640, 480), ()),
        _drawn("page upside down", _plain(900, 640, 255), PAGE, upside_down=True),
        _drawn("slip", _plain(480, 800, 245), SLIP, ink=60),
        _drawn("worn slip", _worn(480, 800), SLIP, ink=90),
    )


PAGE = (
    Line("Convolution", 450, 70, 64),
    Line("a sum of products", 300, 180, 40, "DejaVuSerif"),
    Line("Translation 1989", 620, 270, 34, "DejaVuSans-Bold"),
    Line("kernel size 3x3", 260, 360, 30, "DejaVuSansMono"),
    Line("Locality and sharing", 560, 450, 44, "STIXGeneral"),
    Line("feature maps 64 of 128", 400, 560, 26, "DejaVuSans-Oblique"),
)
TURNED = (
    Line("seven degrees", 260, 120, 44, "DejaVuSans", 7),
    Line("STRIDE TWO", 560, 260, 52, "DejaVuSans-Bold", -14),
    Line("upside down", 250, 420, 48, "DejaVuSerif", 180),
    Line("standing up", 700, 540, 42, "DejaVuSans", 90),
    Line("padding", 280, 620, 60, "", -30),
)
CAPTIONS = (
    Line("Good morning", 480, 90, 72, "DejaVuSans-Bold"),
    Line("fresh coffee 2.50", 480, 560, 44, "DejaVuSerif-Bold"),
)
NIGHT = (
    Line("EXIT 24", 180, 90, 48, "DejaVuSansMono-Bold"),
    Line("open until late", 420, 210, 34, "DejaVuSans"),
    Line("Platform nine", 360, 320, 28),
)
SIGNS = (
    Line("Convolution", 450, 90, 64),
    Line("a sum of products", 400, 230, 44, "DejaVuSerif"),
    Line("Translation 1989", 500, 370, 48, "DejaVuSans-Bold"),
    Line("Locality and sharing", 450, 520, 50, "STIXGeneral"),
)
SLIP = (
    Line("Corner Shop", 240, 60, 48, "DejaVuSans-Bold"),
    Line("bread 3.20", 240, 170, 32, "DejaVuSansMono"),
    Line("two apples 1.15", 240, 240, 32, "DejaVuSansMono"),
    Line("oat milk 2.49", 240, 310, 32, "DejaVuSansMono"),
    Line("total 6.84", 240, 430, 44, "DejaVuSansMono-Bold"),
    Line("paid in cash", 240, 540, 28, "DejaVuSans"),
    Line("Thank you", 240, 660, 40, "DejaVuSerif"),
)


def _drawn(
    name: str,
    ground: Image.Image,
    lines: Sequence[Line],
    ink: int = 20,
    upside_down: bool = False,
) -> Picture:
    for line in lines:
        _write(ground, line, ink)
    image = np.ascontiguousarray(np.rot90(np.asarray(ground), 2 if upside_down else 0))
    return Picture(name, image, tuple(lines))


def _write(ground: Image.Image, line: Line, ink: int) -> None:
    """Draw the words on a sheet of their own, turn it, and let the ink through."""
    font = _font(line.font, line.size)
    left, top, right, bottom = ImageDraw.Draw(ground).textbbox((0, 0), line.words, font=font)
    edge = line.size // 8
    sheet = Image.new("L", (int(right - left) + 4 * edge, int(bottom - top) + 4 * edge))
    shade = sheet.copy()
    at = (2 * edge - left, 2 * edge - top)
    ImageDraw.Draw(sheet).text(at, line.words, fill=255, font=font)
    # Letters on photos stand out by an edge of the other shade.
    ImageDraw.Draw(shade).text(at, line.words, fill=255, font=font, stroke_width=edge)
    for mask, value in ((shade, 255 - ink), (sheet, ink)):
        turned = mask.rotate(line.angle, Image.Resampling.BICUBIC, expand=True)
        place = (line.x - turned.width // 2, line.y - turned.height // 2)
        ground.paste((value,) * 3, place, turned)


def _font(name: str, size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Return a font of Matplotlib's by its name; Pillow's own for none."""
    if not name:
        return ImageFont.load_default(size)
    found = importlib.util.find_spec("matplotlib")
    folder = Path(str(found.origin)).parent if found else Path()
    return ImageFont.truetype(folder / "mpl-data" / "fonts" / "ttf" / f"{name}.ttf", size)


def _plain(width: int, height: int, shade: int) -> Image.Image:
    return Image.new("RGB", (width, height), (shade,) * 3)


def _photo(name: str, width: int, height: int) -> Image.Image:
    return Image.fromarray(photo(name)).convert("RGB").resize((width, height))


def _night(width: int, height: int) -> Image.Image:
    """A dark wall, lit from one side, with noise."""
    noise = np.random.default_rng(0).normal(0, 6, (height, width, 3))
    light = np.linspace(15, 70, width)[:, None] * (1.0, 0.9, 0.7)
    return Image.fromarray(np.clip(light + noise, 0, 255).astype(np.uint8))


def _worn(width: int, height: int) -> Image.Image:
    """Paper that is darker towards its foot, with grain."""
    grain = np.random.default_rng(1).normal(0, 5, (height, width, 1))
    light = np.linspace(235, 190, height)[:, None, None] * (1.0, 0.98, 0.93)
    return Image.fromarray(np.clip(light + grain, 0, 255).astype(np.uint8))
