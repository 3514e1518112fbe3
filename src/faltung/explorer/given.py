"""A model and a picture from the command line: what views are given of them, and start with."""

from __future__ import annotations

import base64
import io
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from faltung.errors import ExplorerError, FaltungError
from faltung.explorer.uploads import Uploads
from faltung.explorer.views import VIEWS

LONGEST: Final = 256
"""Pixels of a picture's longer side, as a page keeps it."""
MOST_MACS: Final = 2 * 10**9
"""Multiply-accumulates of a network that is audited beforehand; a larger one takes minutes."""
OWN: Final = "own"
"""What a view calls the picture that was brought along."""

Prepared = tuple[dict[str, Any], dict[str, Any]]
"""Data and states, each by the names of views."""


def prepared(
    model: str | Path | None = None,
    image: str | Path | None = None,
    uploads: Uploads | None = None,
) -> Prepared:
    """Return what the views are given of a model and a picture, and the states they start with.

    Parameters
    ----------
    model
        A network of the zoo by its name, or an ONNX file as a path.
    image
        A photograph that ships along by its name, or an image file as a path.
    uploads
        Where the page can ask about the file; without it the page will have nobody to ask, and
        is given answers.

    Raises
    ------
    FaltungError
        One of them cannot be read.

    Examples
    --------
    >>> data, states = prepared("lenet5")
    >>> data["model"]["report"]["name"], states["field"]
    ('lenet5', {'file': {'zoo': 'lenet5'}, 'selected': 1})
    """
    data: dict[str, Any] = {}
    states: dict[str, Any] = {}
    parts = [*(_of_model(model, uploads) if model else ()), *(_of_image(image) if image else ())]
    for view, more, state in parts:
        if view in VIEWS:
            data[view] = {**(data.get(view) or VIEWS[view].prepared() or {}), **more}
            states[view] = {**states.get(view, {}), **state}
    return data, states


Part = tuple[str, dict[str, Any], dict[str, Any]]


def _of_model(model: str | Path, uploads: Uploads | None) -> Iterator[Part]:
    """A view, what it is given, its state; for each view that shows a network."""
    from faltung.explorer import ask_field, ask_model

    kept = uploads or Uploads()
    try:
        source = _source(model, kept)
        report = ask_model.inspected(source, kept)
        is_small = uploads is None and report["totals"]["macs"] <= MOST_MACS
        audit = _or_nothing(lambda: ask_model.audited(source, kept)) if is_small else None
        yield "model", {"report": report, "audit": audit, "source": source}, {}
        reading = _or_nothing(lambda: ask_field.read(source, kept))
    except FaltungError as error:  # of the file as it came, not as it is kept
        raise ExplorerError(kept.tidied(str(error))) from error
    finally:
        if uploads is None:
            kept.close()
    if reading is not None:
        yield "field", *_of_field(source, reading, uploads is not None)
    if uploads is not None:
        own = source.get("file", f"zoo:{source.get('zoo')}")
        yield "network", {}, {"model": own, "label": Path(model).name}


def _source(model: str | Path, uploads: Uploads) -> dict[str, str]:
    """What the views ask with."""
    if isinstance(model, str):
        return {"zoo": model}
    with model.open("rb") as file:
        name = uploads.add(model.name, iter(lambda: file.read(2**20), b""))
    _bring_weights(model, uploads)
    return {"file": name, "label": model.name}


def _bring_weights(model: Path, uploads: Uploads) -> None:
    """Put what lies beside a model, and is named in it, beside what is kept of it."""
    text = model.read_bytes()
    for beside in sorted(model.parent.iterdir()):
        kept = uploads.folder / beside.name
        is_named = len(beside.name) > 3 and beside.name.encode() in text
        if is_named and beside.is_file() and not beside.samefile(model) and not kept.exists():
            shutil.copyfile(beside, kept)


def _of_field(source: dict[str, str], reading: Any, can_ask: bool) -> Prepared:
    if can_ask and "file" in source:
        return {}, {"file": {"name": source["file"], "label": source["label"]}, "selected": 1}
    name = source.get("zoo", source.get("label", ""))
    return {"recorded": {name: reading}}, {"file": {"zoo": name}, "selected": 1}


def _of_image(image: str | Path) -> Iterator[Part]:
    """As `_of_model`, for each view that shows a picture."""
    from faltung.datasets import photo
    from faltung.explorer.pictures import fitted, read_picture

    pixels = photo(image) if isinstance(image, str) else read_picture(image)
    label = image if isinstance(image, str) else image.name
    own = {"label": label, "file": _as_png(fitted(pixels, LONGEST)), "white": 255}
    for view in ("lab", "shift"):
        others = VIEWS[view].prepared()["pictures"]
        yield view, {"pictures": {OWN: own, **others}}, {"picture": OWN}


def _as_png(pixels: NDArray[np.uint8]) -> str:
    from PIL import Image

    written = io.BytesIO()
    Image.fromarray(pixels).save(written, "PNG", optimize=True)
    return base64.b64encode(written.getvalue()).decode()


def _or_nothing(make: Any) -> Any:
    """What one view cannot show of a network is no reason to show none."""
    try:
        return make()
    except FaltungError:
        return None
