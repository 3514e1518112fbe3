"""A network on a small input: what its inspection says beside the arrays that came out."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from faltung.analysis.inspect import InspectedLayer, Inspection
from faltung.analysis.recount import Recount, count_work
from faltung.analysis.verification.report import LeftOut, Row
from faltung.graph import Graph, Node

PRODUCTS = 2_000_000
"""Multiplications of the largest layer whose work is counted in the network itself."""


def network_rows(graph: Graph, found: Recount, said: Inspection) -> Iterator[Row | LeftOut]:
    """Compare an inspection for the recount's small input with what the recount found there.

    Parameters
    ----------
    graph, found
        A network, and its recount.
    said
        The inspection of the network for ``found.small``.
    """
    place = "the network on a small input"
    for node in graph.nodes:
        layer = said.layer(node.name)
        yield _row(layer, "params", place, layer.params, found.params[node.name])
        yield _row(layer, "state", place, layer.state, found.state[node.name])
        if any(name not in found.arrays for name in node.outputs):
            yield LeftOut(node.name, "arrays of the network", found.not_run)
            continue
        outs = tuple(found.arrays[name].shape for name in node.outputs)
        yield _row(layer, "output size", place, layer.out_shapes, outs)
        held = sum(found.arrays[name].nbytes for name in node.outputs)
        yield _row(layer, "activation bytes", place, layer.activation_bytes, held)
        if layer.dense_params is not None:
            yield _row(layer, "dense params", place, layer.dense_params, _dense(node, found))
        yield from _work_rows(graph, node, layer, found, place)
    if not found.not_run:
        bytes_, peak = said.peak_memory.bytes, _peak(graph, found)
        yield Row("(all)", "peak memory", place, str(bytes_), str(peak), bytes_ == peak)
        total = said.totals.activation_bytes
        counted = sum(found.arrays[n].nbytes for node in graph.nodes for n in node.outputs)
        yield Row("(all)", "activation bytes", place, str(total), str(counted), total == counted)
    elements = sum(found.params.values())
    total = said.totals.params
    yield Row("(all)", "params", place, str(total), str(elements), total == elements)


def _row(layer: InspectedLayer, figure: str, place: str, said: object, counted: object) -> Row:
    return Row(layer.name, figure, place, str(said), str(counted), said == counted)


def _dense(node: Node, found: Recount) -> int:
    """Count the pairs of a number that went in and one that came out, and the latter once more."""
    inputs, outputs = (found.arrays[name][0] for name in (node.inputs[0], node.outputs[0]))
    pairs = np.broadcast(outputs.reshape(-1, 1), inputs.reshape(1, -1)).size
    return int(pairs) + int(outputs.size)


def _work_rows(
    graph: Graph, node: Node, layer: InspectedLayer, found: Recount, place: str
) -> Iterator[Row]:
    """Count the products of the layer as it is, where these are not too many."""
    arrays = {**graph.params, **graph.state, **found.arrays}
    shapes = tuple(arrays[name].shape for name in node.inputs)
    weights = math.prod(shapes[1][1:]) if len(shapes) > 1 else 1
    outputs = sum(found.arrays[name].size for name in node.outputs)
    if outputs * weights > PRODUCTS or layer.cost is None:
        return
    work = count_work(node.operator, shapes)
    if work is not None:
        yield _row(layer, "macs", place, layer.cost.macs, work.macs)
        yield _row(layer, "connections", place, layer.cost.connections, work.connections)
        inside = work.connections_inside
        yield _row(layer, "connections inside", place, layer.cost.connections_inside, inside)


def _peak(graph: Graph, found: Recount) -> int:
    """Play the run through: what is made takes memory, what nobody reads any more gives it back."""
    readers: dict[str, set[int]] = {name: set() for name in found.arrays}
    for position, node in enumerate(graph.nodes):
        for name in {*node.inputs, *node.outputs} & readers.keys():
            readers[name].add(position)
    alive = {value.name: found.arrays[value.name].nbytes for value in graph.inputs}
    most = sum(alive.values())
    for position, node in enumerate(graph.nodes):
        alive.update({name: found.arrays[name].nbytes for name in node.outputs})
        most = max(most, sum(alive.values()))
        for name in list(alive):
            wanted = name in graph.outputs or any(at > position for at in readers[name])
            if not wanted and readers[name]:
                del alive[name]
    return most
