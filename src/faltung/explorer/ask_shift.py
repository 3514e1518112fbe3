"""What the view Shift asks: what a network's maps and predictions do when its input moves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product
from math import ceil, floor
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from faltung import ops
from faltung.analysis.invariance import invariance, moved
from faltung.analysis.tracks import Track, tracks
from faltung.datasets import load as load_images
from faltung.errors import ExplorerError, message
from faltung.explorer.ask_lab import pixels_of
from faltung.explorer.layer_record import for_one_image
from faltung.explorer.recorded import network, packed
from faltung.explorer.uploads import Uploads
from faltung.geometry import Interval
from faltung.graph import Graph, load
from faltung.graph.evaluate import evaluate
from faltung.imaging.detection import class_names
from faltung.imaging.resize import resize
from faltung.imaging.scanning import channels_first

FARTHEST: Final = 16
"""Pixels of a shift."""
CURVE: Final = tuple(range(-8, 9))
"""Shifts along x for which predictions are told."""
MOST_LAYERS: Final = 40
IMAGES: Final = 50
MOST_CLASSES: Final = 4
_SHOWN: Final = (ops.Conv, ops.MaxPool, ops.AveragePool, ops.ConvTranspose, ops.Concat, ops.Add)

Array = NDArray[Any]


def under(given: Mapping[str, Any], uploads: Uploads) -> dict[str, Any]:
    """Compare a network's maps: ``pixels`` and sizes as of `lab.detect`, ``dy``, ``dx``, ``model``.

    Without a ``model`` it is the recorded network of digits.
    """
    dy, dx = (_shift(given, name) for name in ("dy", "dx"))
    name = given.get("model")
    graph = network() if name is None else load(uploads.path(name), open_size="default")
    return under_shift(graph, pixels_of(given), dy, dx)


def share(given: Mapping[str, Any], uploads: Uploads) -> dict[str, Any] | None:
    """Count the predictions that stay when digits move; None for a network of other images."""
    name = given.get("model")
    graph = network() if name is None else load(uploads.path(name), open_size="default")
    return invariant_share(graph)


def invariant_share(graph: Graph) -> dict[str, Any] | None:
    """Return, by shift, the share of predictions on test digits that stay, with its interval."""
    if tuple(for_one_image(graph).inputs[0].shape[1:]) != (1, 28, 28):
        return None
    found = invariance(graph, load_images("sample", split="test").images[:IMAGES])
    return {
        "images": found.images,
        "shifts": list(found.shifts),
        "shares": list(found.shares),
        "intervals": [list(interval) for interval in found.intervals],
    }


def under_shift(graph: Graph, pixels: NDArray[np.uint8], dy: int, dx: int) -> dict[str, Any]:
    """Return how far each map of a shifted picture is from the shifted map, and the predictions.

    Parameters
    ----------
    graph
        A network of one image.
    pixels
        (H, W) or (H, W, 3); made as large as the network wants it.
    dy, dx
        Downwards and to the right; zeros come in, and what leaves is lost. Positions are compared
        whose fields hold neither these nor padding, on both sides.
    """
    graph = for_one_image(graph)
    (value,) = graph.inputs
    if len(value.shape) != 4:
        rule = "the network must take one image (N, C, H, W)"
        raise ExplorerError(message("shift", rule, {"shape": value.shape}))
    x = _fed(pixels, [int(n) for n in value.shape[1:]])
    before = evaluate(graph, {value.name: x}, keep_all=True).values
    after = evaluate(graph, {value.name: _moved(x, dy, dx)}, keep_all=True).values
    still, shifted = (_tracks(graph, x.shape, *by) for by in ((0, 0), (dy, dx)))
    layers = []
    for node in graph.nodes:
        name = node.outputs[0]
        if name in still and name in shifted and isinstance(node.operator, _SHOWN):
            found = _compared(before[name][0], after[name][0], still[name], shifted[name], dy, dx)
            layers.append({"name": node.name, "operator": node.operator.subject, **found})
    return {
        "dy": dy,
        "dx": dx,
        "in_shape": list(x.shape[1:]),
        "layers": layers[:MOST_LAYERS],
        "predictions": _predictions(graph, x),
    }


def _shift(given: Mapping[str, Any], name: str) -> int:
    value = given.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) > FARTHEST:
        rule = f"{name} must be a whole number from -{FARTHEST} to {FARTHEST}"
        raise ExplorerError(message("shift", rule, {name: repr(value)[:40]}))
    return value


def _fed(pixels: NDArray[np.uint8], shape: list[int]) -> Array:
    channels, height, width = shape
    x = channels_first(pixels, channels)
    if x.shape[1:] != (height, width):
        x = np.clip(np.rint(resize(x, (height, width))), 0, 255)
    return np.asarray(x[None], np.float32)


def _moved(x: Array, dy: int, dx: int) -> Array:
    return moved(moved(x, 2, dy), 3, dx)


def _tracks(
    graph: Graph, shape: tuple[int, ...], dy: int, dx: int
) -> dict[str, tuple[Track, Track]]:
    """How each map follows rows and columns, and where neither border nor shift has a part."""
    shapes, name = graph.shapes(), graph.inputs[0].name
    both = []
    for axis, by in ((2, dy), (3, dx)):
        clean = Interval(max(0, by), shape[axis] + min(0, by))
        both.append(tracks(graph, shapes, {name: (axis, clean)}))
    rows, columns = both
    return {
        name: (rows[name], columns[name])
        for name in rows
        if name in columns and (rows[name].axis, columns[name].axis) == (2, 3)
    }


def _compared(
    before: Array,
    after: Array,
    still: tuple[Track, Track],
    shifted: tuple[Track, Track],
    dy: int,
    dx: int,
) -> dict[str, Any]:
    """The figures of one map, moved by the whole numbers of its positions that fit best."""
    candidates = [
        sorted({floor(d / t.jump), ceil(d / t.jump)})
        for d, t in zip((dy, dx), shifted, strict=True)
    ]
    largest = float(np.abs(before).max(initial=0))
    found = [_at(before, after, still, shifted, by) for by in product(*candidates)]
    error, by, area, difference = min(found, key=lambda each: (each[0] is None, each[0] or 0.0))
    levels = np.zeros(before.shape[1:])
    if difference is not None and largest:
        (top, _), (left, _) = area
        height, width = difference.shape
        levels[top : top + height, left : left + width] = difference / largest
    return {
        "shape": list(before.shape),
        "jump": [float(track.jump) for track in still],
        "moved": list(by),
        "error": error,
        "largest": largest,
        "positions": 0 if difference is None else int(difference.size),
        "area": [list(ends) for ends in area],
        "levels": packed(np.rint(np.clip(levels, 0, 1) * 255).astype(np.uint8)),
    }


Area = tuple[tuple[int, int], tuple[int, int]]


def _at(
    before: Array,
    after: Array,
    still: tuple[Track, Track],
    shifted: tuple[Track, Track],
    by: tuple[int, ...],
) -> tuple[float | None, tuple[int, ...], Area, Array | None]:
    rows, columns = _areas(still, shifted, by)
    if rows[0] >= rows[1] or columns[0] >= columns[1]:
        return None, by, ((0, 0), (0, 0)), None
    new = after[:, slice(*rows), slice(*columns)]
    old = before[:, rows[0] - by[0] : rows[1] - by[0], columns[0] - by[1] : columns[1] - by[1]]
    difference = np.abs(new.astype(float) - old).max(axis=0)
    return float(difference.max()), by, (rows, columns), difference


def _areas(
    still: tuple[Track, Track], shifted: tuple[Track, Track], by: tuple[int, ...]
) -> Iterator[tuple[int, int]]:
    """For rows and columns, the positions that can be compared."""
    for one, other, step in zip(still, shifted, by, strict=True):
        lo = max(other.clean.lo, one.clean.lo + step)
        yield lo, max(min(other.clean.hi, one.clean.hi + step), lo)


def _predictions(graph: Graph, x: Array) -> dict[str, Any] | None:
    """Probabilities of the likeliest classes by shift to the right; None for no classifier."""
    images = np.concatenate([_moved(x, 0, by) for by in CURVE])
    sized = graph.with_input_shape(("N", *x.shape[1:]))
    scores = evaluate(sized, {graph.inputs[0].name: images}).values[graph.outputs[0]]
    if scores.ndim < 2 or scores.size != scores.shape[0] * scores.shape[1] or scores.shape[1] < 2:
        return None
    scores = scores.reshape(len(CURVE), -1).astype(float)
    if not isinstance(graph.nodes[-1].operator, ops.Softmax):
        scores = np.exp(scores - scores.max(axis=1, keepdims=True))
    shares = scores / scores.sum(axis=1, keepdims=True)
    shown = sorted(np.argsort(-shares.max(axis=0), kind="stable")[:MOST_CLASSES].tolist())
    names = class_names(graph, shares.shape[1])
    return {
        "shifts": list(CURVE),
        "names": [names[i] for i in shown],
        "shares": [[float(shares[s, i]) for s in range(len(CURVE))] for i in shown],
        "best": [names[int(i)] for i in shares.argmax(axis=1)],
    }
