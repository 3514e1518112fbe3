"""The recorded training run: what the view Network shows where there is no Python to ask.

`network` and `digit` give in Python what the page computes with, to the bit::

    from faltung.explorer.recorded import digit, network
    scores = network()(digit(7)[None])
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from faltung import zoo
from faltung.datasets import load
from faltung.errors import ExplorerError, message
from faltung.explorer.layer_record import layer_records
from faltung.graph import Graph

FILE: Final = files("faltung.explorer") / "data" / "network.json"
LEVELS: Final = 31
"""Weights are whole numbers from -31 to 31, times their output's scale."""
MIDDLE: Final = 94
"""The character of weight 0: from ``?`` to ``}`` each is one of the 63 levels."""
IN_SHAPE: Final = (1, 28, 28)


@cache
def recording() -> dict[str, Any]:
    """Return the recording, as ``scripts/make_explorer_data.py`` wrote it."""
    found: dict[str, Any] = json.loads(FILE.read_text("utf-8"))
    return found


def network(at: int = -1) -> Graph:
    """Return the recorded network at one of its snapshots, the last one if left out.

    Raises
    ------
    ExplorerError
        There is no such snapshot.

    Examples
    --------
    >>> network(0).trainable, network()(digit(7)[None]).argmax()
    (20490, np.int64(7))
    """
    recorded = recording()
    snapshots = recorded["snapshots"]
    if not -len(snapshots) <= at < len(snapshots):
        values = {"at": at, "snapshots": len(snapshots)}
        raise ExplorerError(message("network", "there is no such snapshot", values))
    kept = {name: weights_of(array) for name, array in snapshots[at]["weights"].items()}
    mean, std = recorded["state"].values()
    graph = zoo.build(recorded["network"], IN_SHAPE, 10, mean=mean, std=std)
    classes = json.dumps([str(label) for label in range(10)])
    return graph.replace(params=kept, metadata={**graph.metadata, "classes": classes})


def digit(label: int) -> NDArray[np.uint8]:
    """Return the recording's test digit of a class, (1, 28, 28)."""
    image: NDArray[np.uint8] = load("sample", split="test").images[recording()["digits"][label]]
    return image


def prepared() -> dict[str, Any]:
    """Return what the page is given: the run, its network layer by layer, and ten digits."""
    recorded = recording()
    test = load("sample", split="test")
    digits = [
        {"index": i, "label": int(test.labels[i]), "pixels": packed(test.images[i])}
        for i in recorded["digits"]
    ]
    graph = network()
    layers = layer_records(graph)
    kept = {name: recorded[name] for name in ("network", "recipe", "curve", "epochs", "snapshots")}
    state = {name: float(array.ravel()[0]) for name, array in graph.state.items()}
    classes = [str(label) for label in range(10)]
    return {**kept, "state": state, "digits": digits, "layers": layers, "classes": classes}


def packed(array: NDArray[Any]) -> str:
    """Return an array's bytes as base64.

    >>> packed(np.array([1, 2, 255], np.uint8))
    'AQL/'
    """
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()


def weights_of(kept: Mapping[str, Any]) -> NDArray[np.float32]:
    """Return an array of the recording: its levels, each times the scale of its output.

    >>> weights_of({"shape": [2], "scales": [0.5], "levels": "_]"})
    array([ 0.5, -0.5], dtype=float32)
    """
    levels = np.frombuffer(kept["levels"].encode("ascii"), np.uint8).astype(np.float32) - MIDDLE
    scales = np.array(kept["scales"], np.float32)
    weights: NDArray[np.float32] = (levels.reshape(len(scales), -1) * scales[:, None]).reshape(
        kept["shape"]
    )
    return weights


def text_of(levels: NDArray[Any]) -> str:
    """Return whole numbers from -31 to 31 as text, a character for each.

    >>> text_of(np.array([0, 31, -31]))
    '^}?'
    """
    return "".join(chr(MIDDLE + int(level)) for level in levels.ravel())
