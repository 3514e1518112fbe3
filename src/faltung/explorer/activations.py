"""A digit's way through a network: what goes in, every layer's maps, the sum under one cell."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import islice, product
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from faltung import ops
from faltung.explorer.layer_record import (
    MapShape,
    cell_of,
    for_one_image,
    index_of,
    layer_records,
    map_shape,
    shown_nodes,
)
from faltung.explorer.recorded import packed
from faltung.geometry.border import source
from faltung.graph import Graph, Node
from faltung.graph.evaluate import evaluate
from faltung.imaging.digit import averaged, centred_digit

MOST_VALUES: Final = 1_000_000
"""Values of all layers together that are sent to a page; up to three times it, one map of each."""
MOST_MAPS: Final = 64
"""Maps of one layer that are sent."""
MOST_TERMS: Final = 4096
"""Products of one sum that are sent; the sum has all of them."""
UNITS: Final = {"255": (1.0, 0.0), "1": (1 / 255, 0.0), "-1": (2 / 255, -1.0)}
"""What a pixel p becomes, a * p + b: 0 to 255, 0 to 1, -1 to 1."""

Array = NDArray[Any]


def fed(
    ink: NDArray[np.uint8], in_shape: MapShape, *, is_centred: bool, unit: str
) -> NDArray[np.float32]:
    """Return what a network is given for a drawing.

    Parameters
    ----------
    ink : array (H, W), uint8
        Bright on dark.
    in_shape
        Channels, height and width of the network's images.
    is_centred
        Whether the drawing is first boxed and centred as MNIST's digits are.
    unit
        One of `UNITS`.

    Returns
    -------
    array (C, H, W), float32
        28x28 pixels stand in the middle of 32x32, as LeNet-5 has them; for other sizes each pixel
        is the mean of what it covers.
    """
    channels, height, width = in_shape
    drawn = centred_digit(ink) if is_centred else ink
    if drawn.shape == (28, 28) and (height, width) == (32, 32):
        pixels = np.pad(drawn, 2).astype(np.float64)
    else:
        pixels = averaged(drawn, (height, width))
    factor, offset = UNITS[unit]
    image = (factor * pixels + offset).astype(np.float32)
    return np.repeat(image[None], channels, axis=0)


def way(graph: Graph, image: Array) -> dict[str, Any]:
    """Return every layer's maps for one image, and what the network says of it.

    Parameters
    ----------
    graph
        A network of one image.
    image : array (C, H, W)

    Returns
    -------
    dict
        ``maps``, one for each record of `layer_records`: float32 as base64, ``shown`` maps of
        them; ``scores`` and ``probabilities`` where the output is one vector.
    """
    values = _values(graph, image)
    names = [graph.inputs[0].name, *(node.outputs[0] for node in shown_nodes(graph))]
    maps = _sent([values[name] for name in names])
    scores = values[graph.outputs[0]]
    if scores.ndim != 2 or scores.shape[1] > 10_000:
        return {"maps": maps, "scores": None, "probabilities": None}
    given = scores[0].astype(np.float64)
    return {"maps": maps, "scores": plain(given), "probabilities": plain(probabilities(given))}


def probabilities(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the softmax of scores; scores that are probabilities already stay what they are."""
    if scores.min() >= 0 and abs(scores.sum() - 1) < 1e-4:
        return scores
    powers = np.exp(scores - scores.max())
    shares: NDArray[np.float64] = powers / powers.sum()
    return shares


def plain(values: Array) -> list[float | None]:
    """Return numbers as JSON has them: None for what is not finite."""
    return [float(v) if math.isfinite(v) else None for v in values.ravel()]


def window(graph: Graph, image: Array, layer: int, at: MapShape) -> dict[str, Any]:
    """Return what one cell of a layer's maps was computed from.

    Parameters
    ----------
    graph, image
        As of `way`.
    layer
        Index among the records of `layer_records`, at least 1.
    at
        Map, row and column; they must be there.

    Returns
    -------
    dict
        ``value``; ``kind``, "sum" of products and ``bias``, "max", "mean", or "of" the values it
        reads; ``reads``, for each earlier layer the cells and their values; ``weights`` of a sum,
        in the order of the cells; ``sum`` and ``count`` over all of them, also those not listed.
    """
    graph = for_one_image(graph)
    values = _values(graph, image)
    node = shown_nodes(graph)[layer - 1]
    names = [name for name in node.inputs if name]
    arrays = [_known(graph, values, name) for name in names]
    index = index_of(values[node.outputs[0]].shape, at)
    taps = node.operator.taps([a.shape for a in arrays], index)
    places = {r["name"]: i for i, r in enumerate(layer_records(graph))}
    places |= {n.outputs[0]: places[n.name] for n in shown_nodes(graph)}
    places[graph.inputs[0].name] = 0
    value = _number(values[node.outputs[0]][index])
    found = {"value": value, "layer": layer, "at": list(at), "name": node.name}
    if isinstance(node.operator, (ops.Conv, ops.Gemm)) and names[1] not in values:
        return {**found, **_sum(node, arrays, taps, places.get(names[0]))}
    reads = [
        {"from": places[name], **_read(array, tap)}
        for name, array, tap in zip(names, arrays, taps, strict=True)
        if name in places
    ]
    count = sum(math.prod(map(len, tap)) for tap in taps[: len(reads)])
    return {**found, "kind": _kind(node), "operator": _verb(node), "reads": reads, "count": count}


def _sum(
    node: Node, arrays: Sequence[Array], taps: Sequence[Any], place: int | None
) -> dict[str, Any]:
    """Return the products of a convolution or of a dense layer, and what they add up to."""
    alpha, beta = 1.0, 1.0
    if isinstance(node.operator, ops.Gemm):
        alpha, beta = float(node.operator.alpha), float(node.operator.beta)
    mode = getattr(node.operator, "padding_mode", "zeros")
    a = np.array([_at(arrays[0], index, mode) for index in product(*taps[0])], np.float64)
    b = alpha * np.array([_at(arrays[1], index) for index in product(*taps[1])], np.float64)
    bias = beta * float(arrays[2][tuple(t[0] for t in taps[2])]) if len(arrays) > 2 else None
    total = float(a @ b) + (bias or 0.0)
    cells = [list(cell_of(index)) for index in islice(product(*taps[0]), MOST_TERMS)]
    reads = [{"from": place, "at": cells, "values": plain(a[:MOST_TERMS])}]
    return {
        "kind": "sum",
        "reads": reads,
        "weights": plain(b[:MOST_TERMS]),
        "bias": bias,
        "sum": _number(total),
        "count": len(a),
    }


def _read(array: Array, taps: Sequence[range]) -> dict[str, Any]:
    indices = list(islice(product(*taps), MOST_TERMS))
    cells = [list(cell_of(index)) for index in indices if 2 <= len(index) <= 4]
    return {"at": cells, "values": plain(np.array([_at(array, index) for index in indices]))}


def _at(array: Array, index: Sequence[int], mode: str = "zeros") -> float:
    """A value, or what stands on the padding."""
    pairs: Iterator[tuple[int, int]] = zip(index, array.shape, strict=True)
    inside = [source(mode, i, n) for i, n in pairs]
    return 0.0 if None in inside else float(array[tuple(inside)])


def _kind(node: Node) -> str:
    if isinstance(node.operator, (ops.MaxPool, ops.GlobalMaxPool)):
        return "max"
    is_mean = isinstance(node.operator, (ops.AveragePool, ops.GlobalAveragePool))
    return "mean" if is_mean else "of"


def _verb(node: Node) -> str:
    return node.operator.onnx_type


def _number(value: Any) -> float | None:
    return float(value) if math.isfinite(value) else None


def _values(graph: Graph, image: Array) -> dict[str, Array]:
    graph = for_one_image(graph)
    feeds = {graph.inputs[0].name: image[None].astype(graph.inputs[0].dtype)}
    with np.errstate(all="ignore"):  # a network of somebody else's may overflow
        return dict(evaluate(graph, feeds, keep_all=True).values)


def _known(graph: Graph, values: dict[str, Array], name: str) -> Array:
    if name in values:
        return values[name]
    return graph.params[name] if name in graph.params else graph.state[name]


def _sent(values: Sequence[Array]) -> list[dict[str, Any]]:
    """Return as many of each layer's maps as there is room for: one at least, while there is."""
    share, left, sent = MOST_VALUES // len(values), 3 * MOST_VALUES, []
    for array in values:
        maps, rows, cols = map_shape(array.shape)
        size = rows * cols
        shown = min(maps, MOST_MAPS, max(1, share // size), left // size)
        left -= shown * size
        chosen = array.reshape(maps, rows, cols)[:shown].astype(np.float32)
        sent.append({"shown": shown, "values": packed(chosen)})
    return sent
