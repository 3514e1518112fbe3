"""Which input positions can influence a value: truth values handed on through a whole graph.

Each row of a batch stands for one position of one axis of the input, marked. Node by node, the
operator's own `forward` runs twice on positive numbers, once with all that is marked changed: what
differs is marked next. Rectifiers, maxima and differences that would hide an influence from one end
of the network to the other cannot do so, since every node starts with fresh numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from faltung.analysis.recount.thin import Marked, thin_inputs
from faltung.analysis.recount.trial import FAR, MONOTONE, differ, run
from faltung.errors import FaltungError
from faltung.graph import Graph, Node
from faltung.ops.operator import AbstractOperator, Array

RISING: Final = MONOTONE | {
    *("Relu", "LeakyRelu", "Sigmoid", "Clip", "Identity", "Dropout", "Concat", "Split", "Slice"),
    *("Pad", "Resize", "Reshape", "Flatten", "Transpose", "Squeeze", "Unsqueeze", "Tile", "Expand"),
    *("DepthToSpace", "SpaceToDepth"),
}
"""Operators for which one change, upwards, is enough."""


@dataclass(frozen=True)
class Sight:
    """Which positions of one axis of an input influence each position of each value.

    Parameters
    ----------
    source, axis, input_shapes
        The input, its axis (0 for the first of space), and the sizes on which this was found.
    thin
        Whether all channels of a value were taken together as one.
    lo, hi
        By value, an array in the shape of one item of the batch: the first position that
        influences it and one past the last; both 0 where none does.
    reasons
        Why others are absent, by value.
    """

    source: str
    axis: int
    input_shapes: dict[str, tuple[int, ...]]
    thin: bool
    lo: dict[str, Array] = field(default_factory=dict)
    hi: dict[str, Array] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)


def propagate(
    graph: Graph,
    source: str,
    axis: int,
    input_shapes: dict[str, tuple[int, ...]],
    *,
    thin: bool,
) -> Sight:
    """Mark each position along an axis of an input, and see what becomes of the marks.

    Parameters
    ----------
    graph
        Any graph whose operators treat the items of a batch alike; where one does not, its
        outputs, and what follows, are left out with the reason.
    source, axis
        The input, and which of its space axes.
    input_shapes
        The shape of each input.
    thin
        Take all channels together, which is quicker, and as good where every channel of a value
        sees the same.
    """
    length = input_shapes[source][2 + axis]
    sight = Sight(source, axis, input_shapes, thin)
    rows = _rows(length, input_shapes)
    marks: dict[str, Marked] = {}
    for value in graph.inputs:
        shape = input_shapes[value.name]
        shape = (rows, *((1,) if thin and len(shape) > 2 else shape[1:2]), *shape[2:])
        mark = np.zeros(shape, np.bool_)
        if value.name == source:
            along = np.moveaxis(mark, 2 + axis, 1)
            for at in range(length):
                along[at, at] = True
        marks[value.name] = Marked(mark, np.dtype(value.dtype))
    for position, node in enumerate(graph.nodes):
        _step(graph, node, marks, sight, length)
        _forget(graph, position, marks)
    return sight


def _rows(length: int, input_shapes: dict[str, tuple[int, ...]]) -> int:
    """One row for each mark, one without; a number that is no size, so that no axis looks alike."""
    taken = {n for shape in input_shapes.values() for n in shape}
    rows = length + 1
    while rows in taken or rows < 4:
        rows += 1
    return rows


def _step(graph: Graph, node: Node, marks: dict[str, Marked], sight: Sight, length: int) -> None:
    lacking = [name for name in node.inputs if name in sight.reasons]
    outcome: list[Marked] | str
    if lacking:
        outcome = f"it needs {lacking[0]!r}"
    else:
        outcome = through(graph, node, marks, thin=sight.thin)
    if isinstance(outcome, str):
        sight.reasons.update(dict.fromkeys(node.outputs, outcome))
        return
    for name, marked in zip(node.outputs, outcome, strict=True):
        marks[name] = marked
        if marked.batched:
            found = marked.mark[:length]
            some = found.any(axis=0)
            sight.lo[name] = np.where(some, found.argmax(axis=0), 0).astype(np.int32)
            last = length - found[::-1].argmax(axis=0)
            sight.hi[name] = np.where(some, last, 0).astype(np.int32)


def _forget(graph: Graph, position: int, marks: dict[str, Marked]) -> None:
    """Drop what no later node reads."""
    later = {name for node in graph.nodes[position + 1 :] for name in node.inputs}
    for name in [n for n in graph.nodes[position].inputs if n in marks and n not in later]:
        del marks[name]


def through(
    graph: Graph, node: Node, marks: dict[str, Marked], *, thin: bool
) -> list[Marked] | str:
    """Hand marks on through one node, or say why that cannot be done."""
    reason = "no array fits"
    for operator, inputs in thin_inputs(graph, node, marks, thin=thin):
        try:
            outcome = _marked(operator, inputs)
        except (FaltungError, ValueError, IndexError, TypeError) as error:
            reason = str(error).splitlines()[0]
            continue
        if not isinstance(outcome, str):
            return _together(outcome) if thin else outcome
        reason = outcome
    return reason


def _together(outcome: list[Marked]) -> list[Marked]:
    """Take the channels of images together."""
    return [
        Marked(np.asarray(m.mark.any(axis=1, keepdims=True)), m.dtype, m.batched)
        if m.batched and m.mark.ndim > 2
        else m
        for m in outcome
    ]


def _marked(operator: AbstractOperator, inputs: Sequence[Marked]) -> list[Marked] | str:
    rng = np.random.default_rng(len(inputs))
    bases = [_base(rng, m) for m in inputs]
    before = run(operator, bases)
    batched = any(m.batched for m in inputs)
    if not batched:
        return [Marked(np.zeros(y.shape, np.bool_), y.dtype, False) for y in before]
    rows = next(m.mark.shape[0] for m in inputs if m.batched)
    if any(y.ndim < 1 or y.shape[0] != rows for y in before):
        return "it does not keep the items of a batch apart"
    if any(0 in y.shape for y in before):
        return "nothing is left of it on a small input"
    found = [np.zeros(y.shape, np.bool_) for y in before]
    kinds = {m.dtype.kind for m in inputs}
    ways = (1.0,) if operator.onnx_type in RISING else (1.0, -1.0, -0.25 / FAR)
    for sign in (1, -1) if kinds != {"f"} else (1,):
        start = [_turned(x, sign) for x in bases]
        first = before if sign == 1 else run(operator, start)
        for way in ways:
            changed = [_changed(rng, x, m, way) for x, m in zip(start, inputs, strict=True)]
            for mark, a, b in zip(found, run(operator, changed), first, strict=True):
                mark |= differ(a, b)
    if any(mark[-1].any() for mark in found):
        return "it mixes the items of a batch"
    return [Marked(mark, y.dtype) for mark, y in zip(found, before, strict=True)]


def _turned(x: Array, sign: int) -> Array:
    return x if sign == 1 or x.dtype.kind != "b" else ~x


def _base(rng: np.random.Generator, marked: Marked) -> Array:
    """The same positive numbers for every row."""
    if marked.values is not None:
        return marked.values
    shape = (1, *marked.mark.shape[1:]) if marked.batched else marked.mark.shape
    if marked.dtype.kind == "b":
        one: Array = rng.random(shape) < 0.5
    elif marked.dtype.kind in "iu":
        one = rng.integers(0, 2, shape).astype(marked.dtype)
    else:
        one = rng.uniform(0.25, 0.75, shape)
    # In memory as what is changed will be: a product's rounding may depend on that.
    return np.ascontiguousarray(np.broadcast_to(one, marked.mark.shape))


def _changed(rng: np.random.Generator, x: Array, marked: Marked, way: float) -> Array:
    """Other numbers wherever there is a mark, no two of them changed alike."""
    if not marked.batched or not marked.mark.any():
        return x
    if x.dtype.kind == "b":
        return x ^ marked.mark
    if x.dtype.kind in "iu":
        return np.where(marked.mark, 1 - x, x).astype(x.dtype)
    step = way * FAR * rng.uniform(0.5, 1.5, (1, *x.shape[1:]))
    return np.where(marked.mark, x + step, x)
