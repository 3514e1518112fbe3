"""Text found and read by rapidocr's three trained networks, in ONNX Runtime or in faltung.

rapidocr (RapidAI, after PaddleOCR) finds boxes with a detector, turns what is upside down by a
classifier, and reads each box with a recogniser. All that is not a network it does itself, in both
runtimes alike: it is handed another session.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple
from unittest import mock

import numpy as np
import onnx
import onnxruntime
import rapidocr_onnxruntime
from rapidocr_onnxruntime.utils import infer_engine

from faltung.graph.onnx import from_model
from faltung.graph.onnx_backend import prepare
from faltung.ops.operator import Array

FOLDER = Path(rapidocr_onnxruntime.__file__).parent / "models"
MODELS = {
    "detector": FOLDER / "ch_PP-OCRv4_det_infer.onnx",
    "classifier": FOLDER / "ch_ppocr_mobile_v2.0_cls_infer.onnx",
    "recogniser": FOLDER / "ch_PP-OCRv4_rec_infer.onnx",
}


class Call(NamedTuple):
    """What one network was given, and gave."""

    x: Array
    y: Array


@dataclass
class Reader:
    """rapidocr in one runtime.

    Parameters
    ----------
    engine
        rapidocr's own object.
    calls
        What each network did since the last `read`, by its name.
    """

    engine: Any
    calls: dict[str, list[Call]] = field(default_factory=dict)

    def read(self, image: Array) -> Reading:
        """Find and read the text of an image (H, W, 3) of uint8."""
        self.calls.clear()
        found, _ = self.engine(image)
        boxes = np.array([box for box, _, _ in found or ()])
        words = tuple(text for _, text, _ in found or ())
        scores = tuple(float(score) for _, _, score in found or ())
        return Reading(boxes, words, scores, {n: tuple(c) for n, c in self.calls.items()})


class Reading(NamedTuple):
    """Boxes (n, 4, 2) in pixels, the text in each, its score, and what each network did."""

    boxes: Array
    words: tuple[str, ...]
    scores: tuple[float, ...]
    calls: dict[str, tuple[Call, ...]]


def reader(session: Callable[[str], Any]) -> Reader:
    """Return rapidocr whose networks are run by sessions of this kind.

    Parameters
    ----------
    session
        Called with the path of a model; see `in_onnx_runtime` and `in_faltung`.
    """
    calls: dict[str, list[Call]] = {}
    names = {str(path): name for name, path in MODELS.items()}

    def made(path: str, **options: Any) -> Any:
        return _Recorded(session(str(path)), calls, names[str(path)])

    with mock.patch.object(infer_engine, "InferenceSession", made):
        return Reader(rapidocr_onnxruntime.RapidOCR(), calls)


class _Recorded:
    """A session that notes what goes through it."""

    def __init__(self, session: Any, calls: dict[str, list[Call]], name: str) -> None:
        self.session, self.calls, self.name = session, calls, name

    def run(self, names: Sequence[str], feeds: dict[str, Array]) -> list[Array]:
        ((_, x),) = feeds.items()
        outputs: list[Array] = self.session.run(names, feeds)
        self.calls.setdefault(self.name, []).append(Call(x, outputs[0]))
        return outputs

    def __getattr__(self, name: str) -> Any:
        return getattr(self.session, name)


def in_onnx_runtime(path: str) -> Any:
    """Return a session of ONNX Runtime with all of its optimisations, as rapidocr has it."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def in_faltung(path: str, dtype: str | None = None) -> Any:
    """Return a session as rapidocr uses it, run by faltung; ``dtype="float64"`` in that."""
    return session_of(onnx.load(path), dtype)


def session_of(model: onnx.ModelProto, dtype: str | None = None) -> Any:
    """Return a session that runs a model in faltung."""
    prepared = prepare(model, dtype=dtype)
    texts = {text.key: text.value for text in model.metadata_props}
    return SimpleNamespace(
        run=lambda names, feeds: list(prepared.run(feeds)),
        get_inputs=lambda: list(model.graph.input),
        get_outputs=lambda: list(model.graph.output),
        get_modelmeta=lambda: SimpleNamespace(custom_metadata_map=texts),
        get_providers=lambda: ["CPUExecutionProvider"],
    )


def stored_in_float32(network: str, x: Array) -> Array:
    """Return what a network gives whose nodes are computed in float64, and kept in float32.

    No runtime in float32 can be expected to round less.

    Parameters
    ----------
    network
        One of `MODELS`.
    x
        Its input.
    """
    graph = from_model(onnx.load(MODELS[network]), shapes={"x": x.shape})
    last = {name: node for node in graph.nodes for name in node.inputs}
    known = {**graph.params, **graph.state, graph.inputs[0].name: x}
    for node in graph.nodes:
        inputs = [_as(np.float32, np.float64, known[name]) for name in node.inputs]
        outputs = [_as(np.float64, np.float32, y) for y in node.operator.forward(inputs)[0]]
        known.update(zip(node.outputs, outputs, strict=True))
        for name in {name for name in node.inputs if last[name] is node} - {*graph.outputs}:
            del known[name]
    return np.asarray(known[graph.outputs[0]])


def _as(old: type, new: type, x: Array) -> Array:
    return x.astype(new) if x.dtype == old else x
