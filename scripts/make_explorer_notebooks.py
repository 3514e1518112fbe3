"""Make the notebooks in ``examples/`` that show the explorer's widgets, and run them.

    python scripts/make_explorer_notebooks.py [FOLDER]

What is kept of a widget is its picture that stands still: a reader without a kernel sees that, and
whoever runs a cell has the view.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Final

from make_tour import ROOT, Cell, code, executed, markdown, written

from faltung import atomic

FOLDER: Final = ROOT / "examples"
LIVE: Final = "application/vnd.jupyter.widget-view+json"

ARRAYS: Final = (
    """\
# Convolution to touch, on arrays of your own

Each view of `faltung explore` is a widget too, in Jupyter, JupyterLab, VS Code and marimo. Run the
cells: what stands still in a saved notebook is alive then. Whatever you move, Python knows, and
whatever Python sets, moves.

It needs `pip install 'faltung[explorer]'`.""",
    """\
import numpy as np

import faltung
from faltung import explorer""",
    """\
## What does one output add up?

Hand over an image and a kernel. Hover over a cell to see its sum, click to pin it, press space to
let the kernel slide. A bare `explorer.KernelSlide()` shows a worked example.""",
    """\
image = np.array([[1, 2, 0, 1, 0], [0, 1, 2, 0, 1], [2, 0, 1, 2, 0], [1, 1, 0, 1, 2]])
slide = explorer.KernelSlide(image, kernel=[[1, -1]], padding=((0, 0), (1, 0)))
slide""",
    "The view's state is the trait `state`. Set some of it, and the view follows.",
    """\
slide.set(stride=[1, 2], flip=True)
slide""",
    "Observe it, and you are told of every change, wherever it came from.",
    """\
strides = []
slide.observe(lambda change: strides.append(change["new"]["stride"]), names="state")
slide.set(stride=[2, 2])
slide.set(stride=[1, 1], flip=False)
strides""",
    "What was edited in the view comes back as arrays. This is what it computes:",
    """\
pads = ((0, 0), (1, 0))
faltung.conv(slide.image[None], slide.kernel, padding=pads)[0, 0].astype(int).tolist()""",
    """\
slide.image = np.arange(8)  # one axis is enough
slide.kernel = [1, 0, -1]
slide.state["axes"], slide.kernel.shape""",
    """\
## What do sharing and locality each take away?

A dense layer's matrix, and what is left of it at each corner of the square. Paste a matrix of your
own, or hand it over.""",
    """\
rng = np.random.default_rng(0)
square = explorer.WeightSquare(rng.integers(-3, 4, (9, 9)), window=1)
square""",
    """\
square.set(sharing=1.0, locality=1.0)  # to the corner of the convolution
square.state["sharing"], square.state["locality"]""",
    """\
## What does this kernel do to my picture?

An array, a file, or a photograph that ships along.""",
    """\
lab = explorer.ImageLab("cat", kernel=[[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]], border="reflect")
lab""",
    """\
## How far does this layer see?

A stack of layers to build and edit: two 3×3 convolutions here, the second with a stride.""",
    """\
layers = [{"kind": "conv", "kernel": 3}, {"kind": "conv", "kernel": 3, "stride": 2}]
explorer.ReceptiveField(layers=layers, height=11, width=11, selected=2)""",
    "## What would it cost at my size?",
    "explorer.CostCounter(height=1080, width=1920, in_channels=3)",
    """\
There are more: `Connections`, `ShiftLab`, `QuickCheck`, `Exercises`, `Tour`. Networks of your own
are in [explorer_model.ipynb](explorer_model.ipynb).""",
)

MODEL: Final = (
    """\
# A network inspected, and touched

Hand a network to a view: as a graph, as an ONNX file, or by its name in the zoo. The one here was
trained on handwritten digits and ships along.

It needs `pip install 'faltung[explorer]'`.""",
    """\
import numpy as np

from faltung import datasets, explorer
from faltung.explorer.recorded import network

net = network()""",
    """\
## What is in it, what does it cost, where does it stop being local?

Pick a layer in the graph or in the table; audit its equivariance; count everything again by brute
force.""",
    """\
model = explorer.ModelView(net)
model""",
    """\
totals = model.report["totals"]
totals["params"], totals["macs"]""",
    """\
model.set(layer=2)  # as a click on the third layer does
model.state""",
    """\
## How far does each layer see?""",
    """\
explorer.ReceptiveField(net)""",
    """\
## What happens to a digit on its way through?

Choose a digit or draw one, then a layer, a map and a cell: what it was computed from.""",
    """\
explorer.NetworkView(net, digit=7, layer=3)""",
    """\
## Touched

Filters are arrays. Turn those of the first layer upside down, which asks them for edges of the
opposite sign, and the network that follows them is lost more often.""",
    """\
def right(graph):
    test = datasets.load("sample", split="test")
    return float(np.mean(graph(test.images.astype(np.float32)).argmax(1) == test.labels))


turned = np.ascontiguousarray(net.params["conv1.weight"][:, :, ::-1, ::-1])
touched = net.replace(params={**net.params, "conv1.weight": turned})
print(f"{right(net):.0%} as trained, {right(touched):.0%} with the filters turned")""",
    """\
explorer.NetworkView(touched, digit=7, layer=3)""",
    """\
A network of the zoo needs no weights to be inspected.""",
    """\
explorer.ModelView("resnet50").report["totals"]["params"]""",
)

NOTEBOOKS: Final = {"explorer": ARRAYS, "explorer_model": MODEL}


def cells(texts: tuple[str, ...]) -> list[Cell]:
    """A cell for each text: code where it is Python."""
    made = []
    for number, text in enumerate(texts, start=1):
        name = f"cell-{number}"
        made.append(code(name, text) if _is_python(text) else markdown(name, text))
    return made


def _is_python(text: str) -> bool:
    try:
        compile(text, "cell", "exec")
    except SyntaxError:
        return False
    return not text.startswith("#")


def notebook(name: str) -> dict[str, Any]:
    """A notebook before it runs."""
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}
    found = cells(NOTEBOOKS[name])
    return {"cells": found, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}


def still(made: dict[str, Any]) -> dict[str, Any]:
    """A notebook that has run, without the names of widgets that are gone with their kernel."""
    for cell in made["cells"]:
        for output in cell.get("outputs", []):
            output.get("data", {}).pop(LIVE, None)
            output.get("metadata", {}).clear()
    return made


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    for name in NOTEBOOKS:
        text = written(still(executed(notebook(name))))
        atomic.write_bytes(folder / f"{name}.ipynb", text.encode())
        print(f"{folder / name}.ipynb: {len(text) / 1000:,.0f} kB")


if __name__ == "__main__":
    main()
