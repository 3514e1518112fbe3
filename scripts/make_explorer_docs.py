"""Photograph every view of the explorer, and write the page that shows them: ``docs/explorer.md``.

    python scripts/make_explorer_docs.py [VIEW ...]

The page is served as by ``faltung explore`` and opened in a headless Chromium, at three sizes,
light and dark. `SHOWN` is the list: what is said of a view, and in which state it is photographed.
"""

from __future__ import annotations

import io
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any, Final

from PIL import Image
from playwright.sync_api import Page, sync_playwright

from faltung import atomic, explorer
from faltung.explorer.run import serving
from faltung.explorer.views import VIEWS

ROOT: Final = Path(__file__).parents[1]
FOLDER: Final = ROOT / "docs" / "explorer"
PAGE: Final = ROOT / "docs" / "explorer.md"
SIZES: Final = {"wide": (1440, 900), "tablet": (820, 1180), "phone": (390, 844)}
SCHEMES: Final = ("light", "dark")
SWITCHES: Final = ("--no-sandbox", "--disable-gpu", "--hide-scrollbars")
COLOURS: Final = 128
QUALITY: Final = 55
LONGEST: Final = 2600
"""Pixels of the tallest picture."""


@dataclass(frozen=True)
class Shown:
    """What is said of a view, and how it is photographed."""

    text: str
    state: dict[str, Any] = field(default_factory=dict)


SHOWN: Final = {
    "slide": Shown(
        "Input, kernel and output as grids; every number can be edited. Hover over any cell to see "
        "what it is made of or where it goes, click to pin it; space plays, `,` and `.` step, "
        "arrow keys move the window. Here the stride does not divide: hatched columns are read by "
        "no window, and the note says so.",
        {
            "height": 7,
            "width": 8,
            "padding": "each",
            "left": 1,
            "top": 1,
            "stride": [2, 3],
            "at": 3,
        },
    ),
    "field": Shown(
        "A stack of layers to build and edit, one known by name, or one read from an ONNX file. "
        "Click a layer or a cell: the exact region, size, jump, start and share of the input, and "
        "the popular formula beside the exact one where they differ.",
        {"pinned": [3, 0, 0]},
    ),
    "connect": Shown(
        "Dense, local, shared and convolutional, in one and two dimensions. Hover over a neuron to "
        "see which weights it has; tied ones share a colour. Parameters and connections are "
        "counted as you go."
    ),
    "square": Shown(
        "The four weight matrices of a size and a window. Move from corner to corner and watch "
        "weights merge and vanish; paste a matrix of yours and see which share of it each corner "
        "explains, against chance.",
        {"sharing": 1, "locality": 1},
    ),
    "check": Shown(
        "Questions of many families, numbers and ideas, drawn anew each time and marked with the "
        "working."
    ),
    "lab": Shown(
        "A picture of yours, a kernel to edit or one of the library, before and after while you "
        "drag; a template searched for with its map of correlations; a page scanned for digits."
    ),
    "shift": Shown(
        "Drag the picture. Shift-then-layer stands beside layer-then-shift, with their difference, "
        "for convolution, stride, pooling, blur pooling and whole networks."
    ),
    "cost": Shown(
        "What dense, local and convolutional layers cost, from a digit to HD, on a logarithmic "
        "scale, with the examples that each would want.",
        {"height": 1080, "width": 1920},
    ),
    "network": Shown(
        "A training run to follow, live or recorded; filters, and every layer's maps of a digit "
        "that you choose or draw, down to the sum behind one activation. The pad boxes and centres "
        "a digit as MNIST's are, or shows what happens without."
    ),
    "model": Shown(
        "Drop an ONNX file: the graph, all that `faltung inspect` says of it, and where it stops "
        "being local or equivariant.",
        {"layer": 4},
    ),
    "exercises": Shown(
        "Exercises in code, each with a worked answer. `faltung exercise check FILE.py` runs yours "
        "in a process of its own and says what is wrong."
    ),
    "tour": Shown("The whole argument, card by card, each with its view set up and a quick check."),
}

HEAD: Final = """\
# The explorer

Twelve views, each the answer to one question, each to be grabbed: `faltung explore [VIEW]` opens
them in the browser, on sizes, kernels, pictures and networks of yours. `--save PAGE.html` writes
one file that works from disk, with no network and no server; [play/index.html](play/index.html) is
such a page, ready to open. In Jupyter, JupyterLab, VS Code and marimo each view is a widget;
[examples/explorer.ipynb](../examples/explorer.ipynb) and
[examples/explorer_model.ipynb](../examples/explorer_model.ipynb) show them on one's own arrays and
networks.

Everywhere: hover shows, click pins, Escape unpins; space plays, `,` and `.` step, the arrow keys
move; undo with Ctrl+Z; the address holds the state, so that a link opens where its author was. A
line gives the formula for what is under the pointer, in numbers; another the Python that does the
same, to copy. Input is blue, kernel orange, output green; negative and positive diverge from white
at zero; tied weights share a colour; padding is dashed, what is never used is hatched.

The pictures below were made by `make explorer-docs`, at 1440×900, 820×1180 and 390×844, by day and
by night.
"""

WIDGETS: Final = """\
## In a notebook

`pip install 'faltung[explorer]'` brings the widgets. A bare call shows a view's worked example;
arguments and fields of the state change it, and `set` does so later. The state is the trait
`state`: observe it, and Python is told of whatever is moved.

```pycon
>>> from faltung.explorer import KernelSlide
>>> slide = KernelSlide([[1, 2, 0], [0, 1, 2]], [[1, -1]], stride=2)
>>> slide.set(flip=True)
>>> slide.state["stride"], slide.state["flip"]
([2, 2], True)
>>> slide.image.shape  # what was edited in the view comes back
(1, 2, 3)

```

| widget | view | shows |
| --- | --- | --- |
{rows}

Readers without JavaScript, such as GitHub's, see a picture that stands still.
"""


def main() -> None:
    names = sys.argv[1:] or list(VIEWS)
    FOLDER.mkdir(exist_ok=True)
    questions = {}
    states = {name: SHOWN[name].state for name in VIEWS}
    with chromium() as browser, serving(states=states) as url:
        for name in names:
            questions[name] = photograph(browser, f"{url}#{name}", name)
    if set(names) == set(VIEWS):
        atomic.write_bytes(PAGE, page(questions).encode())
    total = sum(path.stat().st_size for path in FOLDER.iterdir())
    print(f"{FOLDER}: {len(list(FOLDER.iterdir()))} pictures, {total / 1e6:.2f} MB")


@contextmanager
def chromium() -> Iterator[Any]:
    """A headless browser."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, args=SWITCHES)
        yield browser
        browser.close()


def photograph(browser: Any, url: str, name: str) -> str:
    """Take a view's pictures, and return its question."""
    tab = browser.new_page(reduced_motion="reduce")
    tab.on("pageerror", lambda error: sys.exit(f"{name}: {error}"))
    tab.goto(url)
    tab.wait_for_selector(".ft-question >> nth=0")
    for size, scheme in product(SIZES, SCHEMES):
        width, height = SIZES[size]
        tab.set_viewport_size({"width": width, "height": height})
        tab.emulate_media(color_scheme=scheme)
        settle(tab)
        png = tab.screenshot(full_page=True)
        atomic.write_bytes(FOLDER / f"{name}-{size}-{scheme}.webp", packed(png))
    question: str = tab.locator(".ft-question").first.inner_text()
    tab.close()
    return question


def settle(tab: Page) -> None:
    """Wait until a view has all that it shows."""
    tab.wait_for_load_state("networkidle")
    tab.wait_for_selector("[aria-busy]", state="detached")
    tab.wait_for_timeout(600)


def packed(png: bytes) -> bytes:
    """A photograph in few bytes; what is far below the fold is cut off."""
    image = Image.open(io.BytesIO(png)).convert("RGB")
    image = image.crop((0, 0, image.width, min(image.height, LONGEST)))
    few = image.quantize(COLOURS, dither=Image.Dither.NONE).convert("RGB")
    found = []
    for picture, how in ((few, {"lossless": True}), (image, {"quality": QUALITY})):
        written = io.BytesIO()
        picture.save(written, "WEBP", method=6, **how)
        found.append(written.getvalue())
    return min(found, key=len)


def page(questions: dict[str, str]) -> str:
    """The whole page."""
    parts = [HEAD, *(section(name, questions[name]) for name in VIEWS), widgets()]
    return "\n".join(parts)


def section(name: str, question: str) -> str:
    """What is said of a view, and its pictures."""
    lines = [f"## {VIEWS[name].title}: {question}", SHOWN[name].text, f"`faltung explore {name}`"]
    beside = "".join(f"<td>{picture(name, size)}</td>" for size in ("tablet", "phone"))
    lines += [picture(name, "wide"), f"<table><tr>{beside}</tr></table>"]
    return "\n\n".join(lines) + "\n"


def picture(name: str, size: str) -> str:
    """One picture, which follows the reader's theme."""
    light, dark = (f"explorer/{name}-{size}-{scheme}.webp" for scheme in SCHEMES)
    width = {"wide": "", "tablet": ' width="520"', "phone": ' width="250"'}[size]
    text = f"{VIEWS[name].title}, {'×'.join(str(n) for n in SIZES[size])}"
    source = f'<source media="(prefers-color-scheme: dark)" srcset="{dark}">'
    return f'<picture>{source}<img src="{light}"{width} alt="{text}"></picture>'


def widgets() -> str:
    """What is said of widgets, with a row for each."""
    made = {getattr(explorer, name).view: getattr(explorer, name) for name in explorer.__all__}
    rows = []
    for view in VIEWS.values():
        words = (made[view.name].__doc__ or "").partition("\n")[0].rstrip(".")
        rows.append(f"| `{made[view.name].__name__}` | {view.title} | {words} |")
    return WIDGETS.format(rows="\n".join(rows))


if __name__ == "__main__":
    main()
