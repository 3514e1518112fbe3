"""Make ``examples/tour.ipynb`` of the cards in `faltung.tour`, and run it.

    python scripts/make_tour.py [OUTPUT]

Texts, code and figures come from the cards; outputs from a Jupyter kernel that runs every cell.
A cell whose output may depend on the machine, by rounding or chance, is tagged ``measured``.
"""

from __future__ import annotations

import base64
import io
import json
import os
import shlex
import sys
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image

from faltung import atomic
from faltung.report import escaped
from faltung.tour import CARDS, Page, page

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOK = ROOT / "examples" / "tour.ipynb"
SECONDS = 120
TRANSPORT = "ipc" if os.name == "posix" else "tcp"
MEASURED = ("train",)
"""Cards whose code may give other figures on another machine."""

PNG = "image/png"

Cell = dict[str, Any]

INTRODUCTION = """\
# From a dense layer to a convolution

{count} cards, each with a question, a few words, a view and a quick check. Every figure is
computed, here or when this page was made: change what you like and run a cell again.

It needs `pip install 'faltung[viz]'`; without Matplotlib the pictures are left out. The same cards
are on a terminal: `faltung explain tour`."""

SETUP = '''\
from importlib import import_module

import numpy as np

import faltung
from faltung import layers as L


def show(kind, *data, **how):
    """Draw one kind of picture; without Matplotlib, say how to get it."""
    module, _, function = kind.partition(".")
    try:
        pictures = import_module(f"faltung.viz.{module}")
    except faltung.errors.MissingExtraError as error:
        print(error)
        return None
    drawn = getattr(pictures, function or "draw")(*data, **how)
    return drawn if hasattr(drawn, "savefig") else list(drawn)[-1]  # the last of an animation'''


def markdown(name: str, text: str) -> Cell:
    """A cell of text."""
    return {"cell_type": "markdown", "id": name, "metadata": {}, "source": text}


def code(name: str, source: str, *, is_measured: bool = False) -> Cell:
    """A cell of Python that has not run."""
    metadata = {"tags": ["measured"]} if is_measured else {}
    fields = {"execution_count": None, "outputs": [], "source": source}
    return {"cell_type": "code", "id": name, "metadata": metadata, **fields}


def words_of(card: Page) -> str:
    """A card's question and text, what is often said, and the command."""
    parts = [f"## {card.heading}", f"*{card.question}*", card.text]
    parts += [
        f"> Often said: “{said}” Exactly: {exact} {why}" for said, exact, why in card.often_said
    ]
    if card.command:
        parts.append(f"On a terminal: `faltung {shlex.join(card.command)}`")
    return "\n\n".join(parts)


def check_of(card: Page) -> list[Cell]:
    """The question, a cell to answer it in, and the answer folded away."""
    check = card.check
    solution = escaped(f"{check.solution}. {check.reason}")
    folded = f"<details><summary>The answer</summary>{solution}</details>"
    return [
        markdown(f"{card.name}-check", f"**Quick check.** {check.asked}"),
        code(
            f"{card.name}-answer",
            f'answer = None  # put yours here\nfaltung.tour.check("{card.name}", answer)',
        ),
        markdown(f"{card.name}-solution", folded),
    ]


def notebook() -> dict[str, Any]:
    """The notebook before it runs."""
    cells = [markdown("introduction", INTRODUCTION.format(count=len(CARDS))), code("setup", SETUP)]
    for each in CARDS:
        card = page(each.name)
        cells.append(markdown(f"{card.name}-words", words_of(card)))
        for number, source in enumerate(card.cells, start=1):
            is_measured = card.name in MEASURED
            cells.append(code(f"{card.name}-code-{number}", source, is_measured=is_measured))
        cells += check_of(card)
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}
    return {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}


def executed(made: dict[str, Any]) -> dict[str, Any]:
    """The notebook with the outputs of its cells, run in their order by a Jupyter kernel.

    Raises
    ------
    nbclient.exceptions.CellExecutionError
        A cell that fails.
    """
    import nbformat
    from matplotlib import font_manager  # noqa: F401, makes its cache here and not in a cell
    from nbclient import NotebookClient
    from traitlets.config import Config

    with tempfile.TemporaryDirectory() as folder:
        # Nothing is left in the user's folders, and no port is opened.
        os.environ.update(JUPYTER_RUNTIME_DIR=folder, IPYTHONDIR=folder)
        # The kernel's debugger else complains about Python's frozen modules.
        os.environ.update(PYDEVD_DISABLE_FILE_VALIDATION="1")
        channel = {"transport": TRANSPORT, "connection_file": f"{folder}/kernel.json"}
        client = NotebookClient(
            nbformat.from_dict(made),
            kernel_name="python3",
            config=Config({"KernelManager": channel}),
            timeout=SECONDS,
            record_timing=False,
            resources={"metadata": {"path": folder}},
        )
        done = client.execute()
    nbformat.validate(done)
    done["metadata"] = made["metadata"]  # not which version of Python it was
    for cell in done["cells"]:
        for output in cell.get("outputs", []):
            if PNG in output.get("data", {}):
                output["data"][PNG] = smaller(output["data"][PNG])
    return json.loads(json.dumps(done))


def smaller(picture: str) -> str:
    """A picture, in base64, in 256 colours."""
    image = Image.open(io.BytesIO(base64.b64decode(picture))).convert("RGB")
    packed = io.BytesIO()
    image.quantize(256, dither=Image.Dither.NONE).save(packed, "PNG", optimize=True)
    return base64.b64encode(packed.getvalue()).decode("ascii")


def written(made: dict[str, Any]) -> str:
    """The notebook as its file has it."""
    return json.dumps(made, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def main() -> None:
    output = Path(sys.argv[1]) if len(sys.argv) > 1 else NOTEBOOK
    text = written(executed(notebook()))
    atomic.write_bytes(output, text.encode())
    print(f"{output}: {len(CARDS)} cards, {len(text) / 1000:,.0f} kB")


if __name__ == "__main__":
    main()
