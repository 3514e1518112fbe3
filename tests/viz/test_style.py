"""Themes, colours and files of pictures."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pytest
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure

from faltung.errors import PictureError, StorageError
from faltung.viz.legible import complaints, texts
from faltung.viz.style import FORMATS, encoded, figure, save, themed
from faltung.viz.theme import DIVERGING, THEMES, hues, text_on, theme_of

SIGNATURES = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}


def squares(theme_name: str = "light") -> Figure:
    with themed(theme_name) as theme:
        drawn = figure(theme, 6, 4)
        axes = drawn.subplots()
        axes.plot([1, 4, 9], color=theme.output)
        axes.set_xlabel("a $5 label_ with {signs}^")
    return drawn


def luminance(colour: str) -> float:
    channels = np.array(to_rgba(colour)[:3])
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return float(linear @ (0.2126, 0.7152, 0.0722))


def contrast(a: str, b: str) -> float:
    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("name", THEMES)
def test_text_and_lines_stand_out_from_the_paper(name: str) -> None:
    """WCAG 2 asks for 4.5 for text and 3 for what a figure consists of; orange is for areas."""
    theme = theme_of(name)
    assert contrast(theme.ink, theme.paper) > 7
    assert contrast(theme.muted, theme.paper) > 4.5
    for colour in (theme.input, theme.output, theme.wrong):
        assert contrast(colour, theme.paper) > 3


def test_cells_carry_text_that_can_be_read() -> None:
    shades = [DIVERGING(level) for level in np.linspace(0, 1, 51)]
    for colour in [*hues(200), *shades]:
        assert contrast(text_on(colour), matplotlib.colors.to_hex(colour)) > 4.5
    assert DIVERGING(0.5)[:3] == pytest.approx((1, 1, 1), abs=0.01)


def test_themes_have_names() -> None:
    with pytest.raises(PictureError, match="there is no such theme, got theme='grey'"):
        theme_of("grey")


@pytest.mark.parametrize("kind", FORMATS)
def test_the_suffix_says_what_is_written(kind: str, tmp_path: Path) -> None:
    path = save(squares(), tmp_path / f"squares.{kind.upper()}")
    assert path.read_bytes().startswith(SIGNATURES[kind])
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("kind", FORMATS)
def test_the_same_picture_is_the_same_bytes(kind: str) -> None:
    drawn = squares("dark")
    assert encoded(drawn, kind) == encoded(drawn, kind) == encoded(squares("dark"), kind)
    assert encoded(drawn, kind) != encoded(squares(), kind)


@pytest.mark.parametrize("name", ["squares.jpg", "squares", "a.b/squares.png.gz"])
def test_other_suffixes_are_refused_in_one_line(name: str, tmp_path: Path) -> None:
    rule = r"a picture's suffix must be one of \.png, \.svg, \.pdf, got suffix='.*'\. Use squares"
    with pytest.raises(PictureError, match=rule) as caught:
        save(squares(), tmp_path / name)
    assert "\n" not in str(caught.value)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="its folder does not exist"):
        save(squares(), tmp_path / "none" / "squares.png")


def test_a_theme_leaves_no_trace() -> None:
    before = dict(matplotlib.rcParams)
    drawn = squares("dark")
    encoded(drawn, "svg")
    assert dict(matplotlib.rcParams) == before


def test_own_settings_of_a_user_do_not_matter() -> None:
    plain = encoded(squares(), "png")
    with matplotlib.rc_context({"font.size": 4, "lines.linewidth": 9, "text.usetex": True}):
        assert encoded(squares(), "png") == plain


def test_signs_that_no_font_has_are_no_error() -> None:
    with themed() as theme:
        drawn = figure(theme, 6, 4)
        drawn.suptitle("\U000f1234 猫")
    assert encoded(drawn, "png").startswith(SIGNATURES["png"])


def test_what_can_be_read_is_not_complained_of() -> None:
    drawn = squares()
    assert complaints(drawn) == []
    assert "a $5 label_ with {signs}^" in [each.text for each in texts(drawn)]


def test_texts_that_cannot_be_read_are_caught() -> None:
    drawn = squares()
    axes = drawn.axes[0]
    with themed():
        axes.text(0.5, 0.5, "first", transform=axes.transAxes)
        axes.text(0.5, 0.51, "second", transform=axes.transAxes)
        axes.text(0.1, 0.8, "tiny", transform=axes.transAxes, fontsize=15.5)
        axes.text(0.9, 0.2, "a long way out", transform=axes.transAxes).set_in_layout(False)
        axes.text(0.5, 0.52, "hidden", transform=axes.transAxes, visible=False)
    assert sorted(complaints(drawn)) == [
        "'a long way out' leaves the figure",
        "'first' is on 'second'",
        "'tiny' is too small: 15.5 pt",
    ]


def test_pictures_show_themselves_in_notebooks() -> None:
    drawn: Any = squares("dark")
    assert drawn._repr_png_() == encoded(drawn, "png")


def test_figures_of_others_can_be_saved() -> None:
    assert encoded(Figure(), "svg").startswith(SIGNATURES["svg"])


def test_without_matplotlib_one_line_says_what_to_install() -> None:
    code = (
        "import sys; sys.modules['matplotlib'] = None\n"
        "import faltung\n"
        "try:\n    import faltung.viz\n"
        "except faltung.errors.MissingExtraError as error:\n    print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    rule = "pictures: Matplotlib is missing. Install it with: pip install 'faltung[viz]'."
    assert done.stdout == f"{rule}\n"
