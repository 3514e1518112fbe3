"""What the view Network asks: a model opened, a digit on its way through it, a run to follow."""

from __future__ import annotations

import base64
import binascii
import functools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from faltung import zoo
from faltung.analysis.dpp import most_different
from faltung.analysis.learned import convolutions
from faltung.datasets import load
from faltung.errors import ExplorerError, message
from faltung.explorer import live_run
from faltung.explorer.activations import UNITS, fed, way, window
from faltung.explorer.layer_record import for_one_image, layer_records
from faltung.explorer.recorded import network, packed
from faltung.explorer.uploads import Uploads
from faltung.graph import Graph

SIDES: Final = (28, 112)
"""Of a digit of MNIST's, and of the pad that is drawn on."""
MOST_FILTERS: Final = (64, 4)
"""Outputs and inputs of a convolution whose filters are shown."""
MOST_EVENTS: Final = 4000
ZOO: Final = "zoo:"

Given = Mapping[str, Any]


def open_model(given: Given, uploads: Uploads) -> dict[str, Any]:
    """Answer with a network's layers, its filters and the names of its classes."""
    graph = _graph(given, uploads)
    inputs = for_one_image(graph).inputs[0]
    return {
        "in_shape": list(inputs.shape[1:]),
        "layers": layer_records(graph),
        "classes": _classes(graph),
        "filters": _filters(graph),
        "params": graph.trainable,
    }


def forward(given: Given, uploads: Uploads) -> dict[str, Any]:
    """Answer with the maps of every layer for a digit, and the predictions."""
    graph = _graph(given, uploads)
    return way(graph, _image(given, graph))


def window_of(given: Given, uploads: Uploads) -> dict[str, Any]:
    """Answer with what one cell of a layer was computed from."""
    graph = _graph(given, uploads)
    records = layer_records(graph)
    layer = _integer(given, "layer", 1, len(records) - 1)
    at = given.get("at")
    shape = records[layer]["shape"]
    fits = isinstance(at, list) and len(at) == 3
    if not fits or not all(_is_index(i, n) for i, n in zip(at or (), shape, strict=True)):
        rule = "at must be a map, a row and a column of the layer"
        raise ExplorerError(message("network", rule, {"at": at, "shape": tuple(shape)}))
    c, y, x = at or (0, 0, 0)
    return window(graph, _image(given, graph), layer, (c, y, x))


def digits(given: Given, uploads: Uploads) -> dict[str, Any]:
    """Answer with ten test digits, one of each class, drawn by a seed."""
    rng = np.random.default_rng(_integer(given, "seed", 0, 2**31))
    test = load("sample", split="test")
    chosen = [int(rng.choice(np.flatnonzero(test.labels == label))) for label in range(10)]
    return {"digits": [_digit(test.images[i], i, int(test.labels[i])) for i in chosen]}


def train(given: Given, uploads: Uploads) -> dict[str, Any]:
    """Start a training run and answer with its name."""
    name = given.get("network")
    if name not in live_run.NETWORKS:
        cure = f"Use one of {', '.join(live_run.NETWORKS)}"
        rule = "there is no such network to train here"
        raise ExplorerError(message("network", rule, {"network": repr(name)}, cure))
    epochs = _integer(given, "epochs", 1, live_run.MOST_EPOCHS)
    lr = given.get("lr")
    if isinstance(lr, bool) or not isinstance(lr, (int, float)) or not 0 < lr <= 1:
        rule = "the learning rate must be above 0 and at most 1"
        raise ExplorerError(message("network", rule, {"lr": lr}))
    settings = {"network": name, "epochs": epochs, "lr": float(lr)}
    return {"run": live_run.start(uploads.folder, settings)}


def events(given: Given, uploads: Uploads) -> dict[str, Any]:
    """Answer with what has happened in a run, from one event on."""
    since = _integer(given, "since", 0, 10**7)
    path = uploads.path(f"{_run(given)}.jsonl")
    return {"events": live_run.events(path, since, MOST_EVENTS)}


def stop(given: Given, uploads: Uploads) -> dict[str, Any]:
    """End a run after its next step."""
    name = _run(given)
    uploads.path(f"{name}.jsonl")
    live_run.stop(uploads.folder, name)
    return {}


# What is given ------------------------------------------------------------------------------------


def _graph(given: Given, uploads: Uploads) -> Graph:
    """The network that a question is about."""
    model = given.get("model", "")
    if not isinstance(model, str):
        raise ExplorerError(message("network", "model must be a name", {"model": model}))
    if not model:
        return network(_integer(given, "snapshot", 0, 99))
    if model.startswith(ZOO):
        return _zoo(model.removeprefix(ZOO))
    path = uploads.path(model)
    return _loaded(path, path.stat().st_mtime_ns)


@functools.lru_cache(maxsize=2)
def _zoo(name: str) -> Graph:
    return zoo.build(name)


@functools.lru_cache(maxsize=4)
def _loaded(path: Path, changed: int) -> Graph:
    """The network of a file as it was when it changed last."""
    import faltung

    return faltung.load(path)


def _image(given: Given, graph: Graph) -> NDArray[np.float32]:
    """What the network gets for the digit that is given."""
    unit, pixels = given.get("unit", "255"), given.get("pixels")
    if not isinstance(unit, str) or unit not in UNITS:
        cure = f"Use one of {', '.join(UNITS)}"
        raise ExplorerError(message("network", "no such unit", {"unit": repr(unit)}, cure))
    try:
        ink = np.frombuffer(base64.b64decode(str(pixels).encode("ascii"), validate=True), np.uint8)
    except (binascii.Error, UnicodeEncodeError):
        ink = np.zeros(0, np.uint8)
    side = next((side for side in SIDES if side * side == ink.size), None)
    if side is None:
        rule = f"pixels must be a square of {' or '.join(map(str, SIDES))}, as base64"
        raise ExplorerError(message("network", rule, {"pixels": ink.size}))
    channels, height, width = for_one_image(graph).inputs[0].shape[1:]
    shape = (int(channels), int(height), int(width))
    is_centred = given.get("centred") is True
    return fed(ink.reshape(side, side), shape, is_centred=is_centred, unit=unit)


def _run(given: Given) -> str:
    name = given.get("run")
    if not isinstance(name, str) or len(name) != 16 or not name.isalnum():
        raise ExplorerError(message("network", "there is no such run", {"run": repr(name)}))
    return name


def _integer(given: Given, name: str, low: int, high: int) -> int:
    value = given.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        rule = f"{name} must be a whole number from {low} to {high}"
        raise ExplorerError(message("network", rule, {name: repr(value)}))
    return value


def _is_index(value: Any, size: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < size


# What is told -------------------------------------------------------------------------------------


def _classes(graph: Graph) -> list[str]:
    """The names of the classes, where the file has them."""
    try:
        found = json.loads(graph.metadata.get("classes", "[]"))
    except ValueError:
        return []
    return [str(name)[:60] for name in found] if isinstance(found, list) else []


def _filters(graph: Graph) -> dict[str, Any]:
    """The filters of each convolution over images, as many as are shown."""
    found: dict[str, Any] = {}
    outputs, inputs = MOST_FILTERS
    for name, weights in convolutions(graph).items():
        if weights.ndim != 4 or max(weights.shape[2:]) > 16:
            continue
        shown = weights[:outputs, :inputs].astype(np.float32)
        chosen = [] if found else [int(i) for i in most_different(shown, min(6, len(shown)), 0)]
        shape, all_of = list(shown.shape), list(weights.shape)
        found[name] = {"shape": shape, "of": all_of, "values": packed(shown), "chosen": chosen}
    return found


def _digit(image: NDArray[np.uint8], index: int, label: int) -> dict[str, Any]:
    return {"index": index, "label": label, "pixels": packed(image)}
