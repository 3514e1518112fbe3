"""A whole network recounted: its arrays, each of its layers, and what its values see."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from faltung.analysis.recount.layers import LayerRecount, recount_layer
from faltung.analysis.recount.propagate import Sight, propagate
from faltung.analysis.recount.sizes import (
    InputShapes,
    known_shapes,
    resized,
    single,
    smallest,
    smallest_local,
    strip,
    thin_work_of,
    work_of,
)
from faltung.analysis.recount.standins import Unable
from faltung.errors import FaltungError
from faltung.graph import Graph, Node
from faltung.graph.evaluate import evaluate
from faltung.ops.operator import AbstractOperator, Array

BUDGET: Final = 5e8
"""Multiplications, roughly, that each run of a whole network may take."""

WIDEST: Final = 32
"""How wide an image may become across the axis along which influences are followed."""
SHORTER: Final = (512, 384, 256, 192, 128, 96, 64, 48, 32)
"""Lengths to which that axis shrinks until the budget is kept."""


@dataclass(frozen=True)
class Recount:
    """What brute force found for a network.

    Parameters
    ----------
    input_shapes
        The sizes asked about.
    small
        The sizes on which the network itself was run.
    params, state
        Elements of each layer's own arrays; what several layers share counts for the first one.
    layers
        By node name, what was found on a small stand-in, or why there is none.
    arrays
        By value, the arrays that came out of a run on ``small`` sizes.
    not_run
        Why ``arrays`` is empty; empty if it is not.
    sights
        What influences each value, for every input and space axis.
    not_seen
        Why there is no sight, by input.
    """

    input_shapes: InputShapes
    small: InputShapes
    params: Mapping[str, int]
    state: Mapping[str, int]
    layers: Mapping[str, LayerRecount | Unable]
    arrays: Mapping[str, Array]
    not_run: str
    sights: tuple[Sight, ...]
    not_seen: Mapping[str, str]


def recount(
    graph: Graph,
    input_shape: Sequence[int] | Mapping[str, Sequence[int]] | None = None,
    *,
    length: int = 64,
    budget: float = BUDGET,
) -> Recount:
    """Recount every figure of a network by brute force on small inputs.

    Parameters
    ----------
    graph
        Any graph.
    input_shape
        ``(N, C, *space)`` of the first input, or of each by name, if not the declared ones; sizes
        that are names count as one.
    length
        How long the axis should be along which influences are followed: longer than a receptive
        field, so that some are seen whole. It becomes shorter where the budget wants that.
    budget
        How many multiplications each run may take.

    Returns
    -------
    Recount

    Examples
    --------
    >>> from faltung.graph import layers as L
    >>> found = recount(L.build(L.Chain(L.Conv(2, 3), L.Relu()), (1, 9, 9)))
    >>> found.params["conv1"], found.layers["conv1"].work.connections
    (20, 324)
    """
    declared = _declared(graph, input_shape)
    shapes = known_shapes(graph, declared)
    dtypes = _dtypes(graph)
    done: dict[Any, LayerRecount | Unable] = {}
    layers = {node.name: _layer(node, shapes, dtypes, done) for node in graph.nodes}
    small = smallest(graph, declared)
    local = smallest_local(graph, declared, small)
    run = small if work_of(graph, known_shapes(graph, small)) <= budget else local
    arrays, not_run = _run(graph, run, shapes)
    counted: set[str] = set()
    own = {node.name: _own(node, counted) for node in graph.nodes}
    sights, not_seen = _sights(graph, local, length, budget)
    if local != small:
        sights += _fixed_sights(graph, small, budget)
    return Recount(
        declared,
        run,
        {name: _elements(graph.params, names) for name, names in own.items()},
        {name: _elements(graph.state, names) for name, names in own.items()},
        layers,
        arrays,
        not_run,
        sights,
        not_seen,
    )


def _declared(graph: Graph, given: Any) -> InputShapes:
    own = {v.name: v.shape for v in graph.inputs}
    if given is not None:
        own |= given if isinstance(given, Mapping) else {graph.inputs[0].name: tuple(given)}
    return {name: single(tuple(shape)) for name, shape in own.items()}


def _own(node: Node, counted: set[str]) -> list[str]:
    names = [name for name in dict.fromkeys(node.inputs) if name not in counted]
    counted.update(names)
    return names


def _elements(arrays: Mapping[str, Array], names: Sequence[str]) -> int:
    """Count numbers, row by row."""
    return sum(sum(row.size for row in np.atleast_1d(arrays[n])) for n in names if n in arrays)


def _dtypes(graph: Graph) -> dict[str, np.dtype[Any]]:
    dtypes = {v.name: np.dtype(v.dtype) for v in graph.inputs}
    for arrays in (graph.params, graph.state):
        dtypes.update({name: array.dtype for name, array in arrays.items()})
    for node in graph.nodes:
        given = [dtypes.get(name, np.dtype(np.float32)) for name in node.inputs]
        dtypes.update(zip(node.outputs, node.operator.out_dtypes(given), strict=False))
    return dtypes


def _layer(
    node: Node,
    shapes: Mapping[str, tuple[int, ...]],
    dtypes: Mapping[str, np.dtype[Any]],
    done: dict[Any, LayerRecount | Unable],
) -> LayerRecount | Unable:
    missing = [name for name in node.inputs if name not in shapes]
    if missing:
        return Unable(f"the shape of {missing[0]!r} is not known")
    key: tuple[AbstractOperator, Any, Any] = (
        node.operator,
        tuple(shapes[name] for name in node.inputs),
        tuple(dtypes[name] for name in node.inputs),
    )
    if key not in done:
        done[key] = recount_layer(*key)
    return done[key]


def _run(
    graph: Graph, shapes: InputShapes, told: Mapping[str, tuple[int, ...]]
) -> tuple[dict[str, Array], str]:
    """Run the layers that take inputs of these shapes, and say why the others did not run."""
    known = known_shapes(graph, shapes)
    nodes = tuple(node for node in graph.nodes if all(name in known for name in node.outputs))
    if not nodes:
        return {}, "no layer takes a small input"
    small = replace(graph.with_input_shape(shapes), nodes=nodes, outputs=nodes[-1].outputs)
    feeds = {v.name: np.zeros(shapes[v.name], v.dtype) for v in graph.inputs}
    try:
        with np.errstate(all="ignore"):
            values = dict(evaluate(small, feeds, keep_all=True).values)
    except (FaltungError, ValueError) as error:
        return {}, str(error).splitlines()[0]
    text = "they take no input but the declared one, with which a run takes too long"
    if any(name not in told for node in graph.nodes for name in node.outputs):
        text = "not all that they read is known"
    return values, "" if len(nodes) == len(graph.nodes) else text


def _sights(
    graph: Graph, small: InputShapes, length: int, budget: float
) -> tuple[tuple[Sight, ...], dict[str, str]]:
    found, reasons = [], {}
    for value in graph.inputs:
        axes = len(value.shape) - 2
        if not 1 <= axes <= 3:
            reasons[value.name] = "it has no space axes"
            continue
        for axis in range(axes):
            found.append(_sight(graph, value.name, axis, small, length, budget))
    return tuple(found), reasons


def _fixed_sights(graph: Graph, declared: InputShapes, budget: float) -> tuple[Sight, ...]:
    """Follow influences on the only input that all layers take, where that is not too much."""
    known, found = known_shapes(graph, declared), []
    for name, shape in declared.items():
        for axis, length in enumerate(shape[2:]):
            for thin, work in ((False, work_of), (True, thin_work_of)):
                if 2 * (length + 1) * work(graph, known) <= budget:
                    found.append(propagate(graph, name, axis, declared, thin=thin))
                    break
    return tuple(found)


def _sight(
    graph: Graph, source: str, axis: int, small: InputShapes, length: int, budget: float
) -> Sight:
    """Follow influences along one axis, the others being small: wider, where nothing got through.

    On a narrow image a dilated window may meet nothing but padding.
    """
    others = [a for a in range(len(small[source]) - 2) if a != axis]
    found = None
    widest = max((small[source][2 + a] for a in others), default=WIDEST)
    for times in (k for k in (1, 2, 4, 8, 16, 32) if k == 1 or k * widest <= WIDEST):
        wider = resized(small, {a: times * small[source][2 + a] for a in others})
        sight = _along(graph, source, axis, wider, length, budget)
        if found is None or len(_blind(sight)) < len(_blind(found)):
            found = sight
        if not _blind(found):
            break
    assert found is not None
    return found


def _blind(sight: Sight) -> list[str]:
    return [value for value, hi in sight.hi.items() if not hi.any()]


def _along(
    graph: Graph, source: str, axis: int, small: InputShapes, length: int, budget: float
) -> Sight:
    """Follow influences with all channels, if that is cheap.

    The longer axis is given up before the quicker way is.
    """
    for wanted in (length, *(n for n in SHORTER if n < length)):
        shapes = strip(graph, small, axis, wanted)
        known = known_shapes(graph, shapes)
        for thin, work in ((False, work_of), (True, thin_work_of)):
            if 2 * (wanted + 1) * work(graph, known) <= budget:
                sight = propagate(graph, source, axis, shapes, thin=thin)
                if thin or not sight.reasons:
                    return sight
    return propagate(graph, source, axis, small, thin=True)
