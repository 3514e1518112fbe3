"""A view as a picture that stands still, for readers of a notebook without JavaScript.

Some views have a figure of `faltung.viz`; it is drawn where Matplotlib is installed and the figure
can show the state. All else is a card with the view's question and its state in words.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from typing import Any, Final

import numpy as np

from faltung.errors import FaltungError
from faltung.functional import conv
from faltung.report import escaped
from faltung.theme import LIGHT

State = Mapping[str, Any]

WIDTH: Final = 640
LINE: Final = 22
LETTERS: Final = 76
PICTURE: Final = 256
MOST_LINES: Final = 16
MOST_TIED: Final = 20
"""Positions of an image whose four weight matrices are drawn: SVG grows with their square."""
EXAMPLE: Final[tuple[list[list[int]], list[list[int]]]] = (
    [
        [1, 2, 0, 1, 0, 2],
        [0, 1, 2, 0, 1, 1],
        [2, 0, 1, 2, 0, 0],
        [1, 1, 0, 1, 2, 1],
        [0, 2, 1, 0, 1, 2],
        [1, 0, 2, 1, 0, 1],
    ],
    [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]],
)
"""Input and kernel of Slide's worked example."""
HINT: Final = "This view is alive where the notebook runs, and in: faltung explore"


def still(view: str, words: str, state: State, data: Any) -> str:
    """Return a view as SVG.

    Parameters
    ----------
    view
        Its name.
    words
        What it shows, in a sentence.
    state
        The fields that are known; the others are those of the worked example.
    data
        What the view was given.
    """
    draw = _FIGURES.get(view)
    if draw is not None and find_spec("matplotlib") is not None:
        try:
            return _encoded(draw(state, data))
        except (FaltungError, LookupError, TypeError, ValueError):
            pass  # a state that the figure has no room for, or none that fits
    if view == "model":
        return card(words, {**_facts(data), **state})
    return card(words, state, _picture(data, state.get("picture")))


def _picture(data: Any, name: Any) -> str:
    """The picture that a view was given, as a data URL; nothing where there is none."""
    pictures = data.get("pictures", {}) if isinstance(data, dict) else {}
    file = pictures.get(name, {}).get("file", "") if isinstance(name, str) else ""
    kind = "png" if file.startswith("iVBOR") else "jpeg"
    return f"data:image/{kind};base64,{file}" if file else ""


def _facts(data: Any) -> dict[str, Any]:
    """What is said of a model that was inspected."""
    report = data["report"]
    totals = {name: f"{report['totals'][name]:,}" for name in ("params", "macs")}
    return {"model": report["name"], "layers": len(report["layers"]), **totals}


def card(words: str, state: State, picture: str = "") -> str:
    """Return a sentence, the state and a picture by its URL as SVG.

    >>> card("Counts.", {"stride": [2, 1]}).count("<text")
    3
    """
    lines = [f"{name} = {value}" for name, value in state.items() if value not in (None, "", [])]
    lines = [textwrap.shorten(line, LETTERS, placeholder=" …") for line in lines[:MOST_LINES]]
    height = LINE * (len(lines) + 3)
    texts = [
        _text(1, words, LIGHT.ink, "font-weight='600'"),
        *(_text(i, line, LIGHT.ink, "font-family='monospace'") for i, line in enumerate(lines, 2)),
        _text(len(lines) + 2, HINT, LIGHT.muted),
    ]
    if picture:
        place = f"x='16' y='{height}' width='{PICTURE}' height='{PICTURE}'"
        texts.append(f"<image {place} preserveAspectRatio='xMinYMin' href='{picture}'/>")
        height += PICTURE + LINE
    frame = f"<rect width='{WIDTH}' height='{height}' fill='{LIGHT.paper}'/>"
    root = f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {height}' width='{WIDTH}'"
    return f"{root} font-family='sans-serif' font-size='13'>{frame}{''.join(texts)}</svg>"


def _text(line: int, text: str, colour: str, more: str = "") -> str:
    return f"<text x='16' y='{LINE * line + 8}' fill='{colour}' {more}>{escaped(text)}</text>"


def _encoded(figure: Any) -> str:
    from faltung.viz.style import encoded

    return encoded(figure, "svg").decode()


def _slide(state: State, data: Any) -> Any:
    from faltung.definitions import expand
    from faltung.viz import slide

    if state.get("transposed") or state.get("in_channels", 1) > 1 or state.get("groups", 1) > 1:
        raise ValueError("the figure shows one channel")
    axis = 1 if state.get("axes") == "1" else 0
    x = state["x"][0] if "x" in state else EXAMPLE[0]
    w = state["w"][0][0] if "w" in state else EXAMPLE[1]
    image, kernel = np.array(x)[(0,) * axis], np.array(w)[(0,) * axis]
    settings = {name: state[name][axis:] for name in ("stride", "dilation") if name in state}
    settings |= {"padding": _pads(state, axis)}
    turned = np.flip(kernel) if state.get("flip") else kernel
    outputs = conv(image[None, None], turned[None, None], **settings)[0, 0]
    at = np.unravel_index(min(state.get("at", 0), outputs.size - 1), outputs.shape)
    mode = "convolve" if state.get("flip") else "correlate"
    step = expand(image, kernel, [int(o) for o in at], mode=mode, **settings)
    return slide.draw(step, image, outputs=outputs)


def _pads(state: State, axis: int) -> Any:
    word = state.get("padding", "valid")
    sides = [("top", "bottom"), ("left", "right")][axis:]
    return word if word != "each" else [[state.get(side, 0) for side in pair] for pair in sides]


def _square(state: State, data: Any) -> Any:
    from faltung.constraints import square
    from faltung.viz import square as squares

    size = [state.get("height", 3), state.get("width", 3)]
    if size[0] * size[1] > MOST_TIED:
        raise ValueError("too many weights")
    sides = (("up", "down"), ("left", "right"))
    window = [(-state.get(lo, 1), state.get(hi, 1)) for lo, hi in sides]
    return squares.draw(square(size, window))


def _field(state: State, data: Any) -> Any:
    from faltung import layers as L
    from faltung.viz import field

    if state.get("file"):
        raise ValueError("a network from elsewhere")
    default = [{"kind": "conv", "kernel": 3}] * 3
    chain = L.Chain(*(_layer(**layer) for layer in state.get("layers", default)))
    net = L.sketch(chain, (1, state.get("height", 7), state.get("width", 7)))
    *_, last = field.frames(net)
    return last


def _layer(
    kind: str,
    kernel: int,
    stride: int = 1,
    dilation: int = 1,
    padding: str = "valid",
    lo: int = 0,
    hi: int = 0,
) -> Any:
    from faltung import layers as L

    pads: Any = ((lo, hi), (lo, hi)) if padding == "each" else padding
    settings: dict[str, Any] = {"stride": stride, "dilation": dilation, "padding": pads}
    if kind == "conv":
        return L.Conv(1, kernel, **settings)
    if kind == "pool":
        return L.MaxPool(kernel, **settings)
    raise ValueError("the figure shows convolutions and pooling")


def _cost(state: State, data: Any) -> Any:
    from faltung.analysis.costs import cost
    from faltung.viz import costs

    shape = [
        state.get(name, n) for name, n in (("in_channels", 3), ("height", 224), ("width", 224))
    ]
    settings = {"outputs": state.get("units", 1000), "kernel": state.get("kernel", 3)}
    return costs.draw(cost(shape, channels=state.get("channels", 64), **settings))


_FIGURES: Final[Mapping[str, Callable[[State, Any], Any]]] = {
    "slide": _slide,
    "field": _field,
    "square": _square,
    "cost": _cost,
}
