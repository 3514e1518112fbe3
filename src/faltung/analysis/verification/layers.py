"""Each layer on a small stand-in: what it says of size, work and reach beside what was found."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from faltung.analysis.recount import LayerRecount, Recount, Unable
from faltung.analysis.verification.report import LeftOut, Row
from faltung.analysis.verification.spans import Compared, compare_spans, compare_taps
from faltung.errors import FaltungError
from faltung.graph import Graph
from faltung.ops.operator import Cost

WORK = {"macs": "macs", "connections": "connections", "connections_inside": "connections inside"}


def layer_rows(graph: Graph, found: Recount) -> Iterator[Row | LeftOut]:
    """Compare what each layer says on its stand-in with what was found there.

    Parameters
    ----------
    graph, found
        A network, and its recount.
    """
    done: dict[int, list[Row]] = {}
    for node in graph.nodes:
        layer = found.layers[node.name]
        if isinstance(layer, Unable):
            if layer.refused:
                shape = "an output"
                yield Row(node.name, "output size", "its own input", shape, layer.reason, False)
            yield LeftOut(node.name, "work and reach", layer.reason)
            continue
        if id(layer) not in done:
            done[id(layer)] = list(_rows(layer))
        for row in done[id(layer)]:
            yield Row(node.name, *list(vars(row).values())[1:])


def _rows(layer: LayerRecount) -> Iterator[Row]:
    place = f"a stand-in of {_shapes(layer.in_shapes)}"
    said = _asked(lambda: tuple(map(tuple, layer.operator.out_shapes(layer.in_shapes))))
    text = _shapes(said) if isinstance(said, tuple) else said
    counted = layer.out_shapes
    yield Row("", "output size", place, text, _shapes(counted), said == counted)
    cost = _asked(lambda: layer.operator.cost(layer.in_shapes))
    for name, figure in WORK.items():
        number = getattr(cost, name) if isinstance(cost, Cost) else cost
        own = getattr(layer.work, name)
        yield Row("", figure, place, str(number), str(own), number == own)
    yield from _trial_row(layer, place)
    for figure, compare in (("taps", compare_taps), ("spans", compare_spans)):
        compared = _asked(lambda compare=compare: compare(layer))
        if not isinstance(compared, Compared):
            yield Row("", figure, place, str(compared), "an answer", False)
        elif compared.difference is None:
            text = f"{compared.places} places"
            yield Row("", figure, place, text, text, True)
        else:
            where, given, want = compared.difference
            yield Row("", figure, place, f"{where}: {given}", want, False)


def _trial_row(layer: LayerRecount, place: str) -> Iterator[Row]:
    """What was listed from the definition beside what was found by trial, where both exist."""
    if not layer.work.connections:
        return
    if getattr(layer.operator, "padding_mode", "zeros") == "zeros":
        pairs, own = layer.found, layer.work.connections_inside
        yield Row("", "pairs found by trial", place, str(own), str(pairs), own == pairs)


def _asked(question: Any) -> Any:
    """Return an answer, or the words of an operator that has none."""
    try:
        return question()
    except (FaltungError, ValueError, IndexError, TypeError, KeyError) as error:
        return f"refused: {str(error).splitlines()[0] if str(error) else type(error).__name__}"


def _shapes(shapes: tuple[tuple[int, ...], ...]) -> str:
    return ", ".join("×".join(map(str, shape)) or "one number" for shape in shapes)
