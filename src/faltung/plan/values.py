"""The values of a plan: their shapes, and which of them lie inside others.

A value that is another one under a new shape (Reshape, Flatten, Squeeze) needs no room of its own.
Neither does a part of a concatenation that lies in one piece: whoever computes it writes it where
the whole will be. That goes on: the whole may itself be a part of a larger one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Final, NamedTuple

import numpy as np

from faltung import ops
from faltung.graph.graph import Graph
from faltung.ops.operator import Array
from faltung.ops.shape import AbstractReshape
from faltung.ops.squeeze import AbstractSqueeze
from faltung.plan.arena import Need, Placement, placed
from faltung.plan.stages import Stage

VIEWS: Final = (AbstractReshape, AbstractSqueeze)
"""Operators whose output is their input, under another shape."""


class Value(NamedTuple):
    """The shape and dtype of an array that a plan computes."""

    shape: tuple[int, ...]
    dtype: np.dtype[np.generic]

    @property
    def nbytes(self) -> int:
        """How much room it takes."""
        return prod(self.shape) * self.dtype.itemsize


class Inside(NamedTuple):
    """Where a value lies: so many bytes from where another one begins."""

    whole: str
    offset: int


class Places(NamedTuple):
    """Where everything is: which values lie inside others, where the others are, and when."""

    inside: Mapping[str, Inside]
    roots: Placement
    needs: Mapping[str, Need]

    def root(self, name: str) -> str:
        """Return the value that a value lies in, and that lies in no other."""
        while name in self.inside:
            name = self.inside[name].whole
        return name

    def offset(self, name: str) -> int:
        """Return where a value begins, in bytes."""
        offset = 0
        while name in self.inside:
            name, more = self.inside[name]
            offset += more
        return offset + self.roots.offsets[name]

    def array(self, name: str, value: Value, memory: Array) -> Array:
        """Return a value as an array in a piece of memory."""
        begin = self.offset(name)
        return memory[begin : begin + value.nbytes].view(value.dtype).reshape(value.shape)


@dataclass(frozen=True, eq=False)
class Layout:
    """What follows from a network and the shapes of its inputs."""

    graph: Graph
    order: Sequence[Stage]
    values: Mapping[str, Value]
    places: Places


def described(graph: Graph) -> dict[str, Value]:
    """Return what every value of a graph is, whose input shapes are numbers."""
    values = {v.name: Value(_sizes(v.shape), np.dtype(v.dtype)) for v in graph.inputs}
    for arrays in (graph.params, graph.state):
        values.update({name: Value(a.shape, a.dtype) for name, a in arrays.items()})
    for node in graph.nodes:
        given = [values[name] for name in node.inputs]
        shapes = node.operator.out_shapes([value.shape for value in given])
        dtypes = node.operator.out_dtypes([value.dtype for value in given])
        made = (Value(_sizes(s), np.dtype(d)) for s, d in zip(shapes, dtypes, strict=False))
        values.update(zip(node.outputs, made, strict=False))
    return values


def _sizes(shape: Sequence[int | str]) -> tuple[int, ...]:
    return tuple(int(n) for n in shape)


def places(graph: Graph, order: Sequence[Stage], values: Mapping[str, Value]) -> Places:
    """Place everything that stages compute, and the inputs.

    Parameters
    ----------
    graph
        Whose inputs and outputs are kept from the first, and to the last step.
    order
        Its stages.
    values
        As `described` gives them.
    """
    inside = _inside(graph, order, values)
    first: dict[str, int] = {v.name: -1 for v in graph.inputs}
    last: dict[str, int] = {}
    for step, stage in enumerate(order):
        for name in stage.outputs:
            first[name] = last[name] = step
        for name in stage.inputs:
            last[name] = step
    last.update(dict.fromkeys(graph.outputs, len(order)))
    needs: dict[str, Need] = {}
    for name, begin in first.items():
        root = name
        while root in inside:
            root = inside[root].whole
        end = max(begin, last.get(name, begin))
        old = needs.get(root, Need(values[root].nbytes, begin, end))
        needs[root] = Need(old.nbytes, min(old.first, begin), max(old.last, end))
    return Places(inside, placed(needs), needs)


def _inside(graph: Graph, order: Sequence[Stage], values: Mapping[str, Value]) -> dict[str, Inside]:
    computed = {name for stage in order for name in stage.outputs}
    own = {v.name for v in graph.inputs}
    inside: dict[str, Inside] = {}
    # The last ones first: a whole is known to be a part before its own parts are looked at.
    for stage in reversed(order):
        operator, names = stage.main.operator, stage.main.inputs
        if isinstance(operator, VIEWS) and names[0] in computed | own:
            inside[stage.output] = Inside(names[0], 0)
        elif isinstance(operator, ops.Concat) and _is_in_pieces(operator, names, values):
            offset, repeated = 0, Counter(names)
            for name in names:
                if name in computed and name not in inside and repeated[name] == 1:
                    inside[name] = Inside(stage.output, offset)
                offset += values[name].nbytes
    return inside


def _is_in_pieces(operator: ops.Concat, names: Sequence[str], values: Mapping[str, Value]) -> bool:
    """Whether each part of a concatenation lies in one piece: no axis before it repeats."""
    shape = values[names[0]].shape
    return prod(shape[: operator.axis % len(shape)]) == 1
