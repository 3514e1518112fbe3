"""Field, Network and Model in a notebook, on networks of one's own."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

from faltung.errors import ExplorerError, FaltungError, message
from faltung.explorer.ask_model import inspected
from faltung.explorer.uploads import Uploads
from faltung.explorer.widgets import AbstractView
from faltung.graph import Graph
from faltung.zoo.catalogue import NETWORKS

Model = Graph | str | os.PathLike[str]
"""A graph, a network of the zoo by its name, or an ONNX file."""


class ReceptiveField(AbstractView):
    """How far each layer sees, exactly.

    Parameters
    ----------
    model : Graph, str or path, optional
        A network: a graph, the name of one in the zoo, or an ONNX file. Without it the view shows
        a stack of layers to build and edit.
    **state
        Fields of the view: ``height=32``, ``layers=[{"kind": "conv", "kernel": 3}, ...]`` ...

    Raises
    ------
    ExplorerError
        The model is none of these.
    FaltungError
        The graph cannot be saved.

    Examples
    --------
    >>> ReceptiveField("vgg16").state["file"]
    {'zoo': 'vgg16'}
    """

    view = "field"

    def __init__(self, model: Model | None = None, **state: Any) -> None:
        if model is None:
            super().__init__(**state)
            return
        source = source_of(type(self).__name__, model, self._uploads)
        is_own = "file" in source
        file = {"name": source["file"], "label": source["label"]} if is_own else source
        super().__init__(file=file, **{"selected": 1, **state})


class NetworkView(AbstractView):
    """What a network has learned, and what happens to a digit on its way through.

    Parameters
    ----------
    model : Graph, str or path, optional
        A network that takes one picture: a graph, the name of one in the zoo, or an ONNX file.
        Without it the view shows a recorded training run.
    **state
        Fields of the view: ``digit=3``, ``layer=2`` ...

    Raises
    ------
    ExplorerError
        The model is none of these.
    FaltungError
        The graph cannot be saved.

    Examples
    --------
    >>> NetworkView("lenet").state["model"]
    'zoo:lenet'
    """

    view = "network"

    def __init__(self, model: Model | None = None, **state: Any) -> None:
        if model is None:
            super().__init__(**state)
            return
        source = source_of(type(self).__name__, model, self._uploads)
        name = source.get("file") or f"zoo:{source['zoo']}"
        super().__init__(model=name, label=source.get("label", source.get("zoo")), **state)


class ModelView(AbstractView):
    """What is in a network, what it costs, where it stops being local or equivariant.

    Parameters
    ----------
    model : Graph, str or path, optional
        A graph, the name of a network in the zoo, or an ONNX file; one of the zoo if left out.
    **state
        Fields of the view: ``layer=3`` ...

    Raises
    ------
    ExplorerError
        The model is none of these, or has more layers than a page can show.
    FaltungError
        The file cannot be read, or the graph not saved.

    Examples
    --------
    >>> ModelView("lenet5").report["totals"]["params"]
    61706
    """

    view = "model"

    def __init__(self, model: Model | None = None, **state: Any) -> None:
        data = None
        if model is not None:
            source = source_of(type(self).__name__, model, self._uploads)
            report = _inspected(source, self._uploads)
            data = {"report": report, "audit": None, "source": source, "zoo": sorted(NETWORKS)}
        super().__init__(data=data, **state)

    @property
    def report(self) -> dict[str, Any]:
        """What was found when the widget was made, as plain data."""
        found: dict[str, Any] = self.data["report"]
        return found


def source_of(widget: str, model: Model, uploads: Uploads) -> dict[str, str]:
    """Return what a view asks with about a model: ``zoo``, or ``file`` and ``label``.

    Parameters
    ----------
    widget
        What messages are about.
    model
        What somebody handed over.
    uploads
        Where a copy of it goes.

    Raises
    ------
    ExplorerError
        It is no graph, no name and no file.
    """
    if isinstance(model, Graph):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "graph.onnx"
            model.save(path)
            return {"file": _kept(path, uploads), "label": path.name}
    if isinstance(model, str) and model in NETWORKS:
        return {"zoo": model}
    if not isinstance(model, (str, os.PathLike)) or not Path(model).is_file():
        rule = "a model must be a graph, a network of the zoo by its name, or an ONNX file"
        cure = f"In the zoo are {', '.join(NETWORKS)}"
        raise ExplorerError(message(widget, rule, {"model": repr(model)[:80]}, cure))
    return {"file": _kept(Path(model), uploads), "label": Path(model).name}


def _inspected(source: dict[str, str], uploads: Uploads) -> dict[str, Any]:
    try:
        return inspected(source, uploads)
    except FaltungError as error:  # which names the copy
        raise ExplorerError(uploads.tidied(str(error))) from None


def _kept(path: Path, uploads: Uploads) -> str:
    with path.open("rb") as file:
        return uploads.add(path.name, iter(lambda: file.read(2**20), b""))
