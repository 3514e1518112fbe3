"""A classifier of patches, rewritten so that it runs over scenes of any size.

Everything before the first dense layer runs over a scene as it does over a patch. From there on::

    flatten of (C, h, w), dense W (O, C h w)   ->   convolution with W as (O, C, h, w)
    dense after that                           ->   1x1 convolution
    global pooling over (h, w)                 ->   pooling with a window (h, w) and stride 1

so that position (i, j) of the result is what the classifier says of the patch whose upper left
corner is at ``(i, j)`` times the total stride. Padding keeps the amounts that it has on a patch;
inside a scene it meets real neighbours where the patch had zeros, so that a network that pads its
patches says something else there. Source: P. Sermanet et al., *OverFeat: integrated recognition,
localization and detection using convolutional networks* (2014), section 3.5.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faltung import ops
from faltung.errors import GraphError, message
from faltung.graph.graph import Graph, Node, Value
from faltung.ops.elementwise import AbstractBinary, AbstractElementwise
from faltung.ops.operator import AbstractOperator
from faltung.ops.pool import AbstractGlobalPool, AbstractPool

Array = NDArray[Any]
CURE = "Scenes need convolutions, pooling, dense layers and what works value by value"


@dataclass(frozen=True)
class Layout:
    """What a value is on a patch: (C, h, w), merged into one axis or not, and its stride."""

    dims: tuple[int, int, int]
    is_flat: bool
    jump: tuple[int, int] = (1, 1)

    @property
    def is_point(self) -> bool:
        """Whether it has one position on a patch."""
        return self.dims[1:] == (1, 1)


@dataclass(frozen=True)
class Rewritten:
    """The network for scenes, its total stride, and which layers pad their patches."""

    graph: Graph
    stride: tuple[int, int]
    padded: tuple[str, ...]


def rewritten(graph: Graph, patch: tuple[int, int, int]) -> Rewritten:
    """Return the network that classifies every patch (C, h, w) of a scene in one pass.

    Raises
    ------
    GraphError
        detector D1: more than one input or output. D2: a layer that cannot run over a scene; it
        is named. D3: an output that is no list of scores. D4: branches of different strides.
    """
    if len(graph.inputs) != 1 or len(graph.outputs) != 1:
        rule = "the classifier must have one input and one output"
        got = {"inputs": len(graph.inputs), "outputs": len(graph.outputs)}
        raise GraphError(message("detector", rule, got, "", "detector D1"))
    return _Rewrite(graph, patch).result()


@dataclass
class _Rewrite:
    graph: Graph
    patch: tuple[int, int, int]
    names: dict[str, str] = field(default_factory=dict)
    layouts: dict[str, Layout] = field(default_factory=dict)
    nodes: list[Node] = field(default_factory=list)
    arrays: dict[str, Array] = field(default_factory=dict)
    padded: list[str] = field(default_factory=list)

    def result(self) -> Rewritten:
        (given,), (wanted,) = self.graph.inputs, self.graph.outputs
        self.names[given.name] = given.name
        self.layouts[given.name] = Layout(self.patch, False)
        for node in self.graph.nodes:
            self._rewrite(node)
        layout = self.layouts.get(wanted)
        if layout is None or not layout.is_point:
            rule, got = "the output must be one score for each class", {"output": repr(wanted)}
            raise GraphError(message("detector", rule, got, "", "detector D3"))
        inputs = (Value(given.name, ("N", self.patch[0], "H", "W"), given.dtype),)
        params = {n: a for n, a in self.arrays.items() if n not in self.graph.state}
        state = {n: a for n, a in self.arrays.items() if n in self.graph.state}
        out = (self.names[wanted],)
        metadata = self.graph.metadata
        graph = Graph(inputs, tuple(self.nodes), out, params, state, metadata)
        return Rewritten(graph, layout.jump, tuple(self.padded))

    def _rewrite(self, node: Node) -> None:
        """Find the first rule for a node; its data inputs must be known, the others constants."""
        operator = node.operator
        rules: tuple[tuple[type | tuple[type, ...], Callable[[Node], Layout]], ...] = (
            (ops.Conv, self._conv),
            (AbstractPool, self._pool),
            (AbstractGlobalPool, self._global_pool),
            ((ops.Flatten, ops.Reshape), self._reshape),
            ((ops.Gemm, ops.MatMul), self._dense),
            (AbstractBinary, self._binary),
            (ops.BatchNormalization, self._norm),
            ((AbstractElementwise, ops.Dropout), self._pass),
            (ops.Softmax, self._softmax),
            (ops.Concat, self._concat),
            (ops.Pad, self._pad),
        )
        for kind, rule in rules:
            if isinstance(operator, kind):
                self.layouts[node.outputs[0]] = rule(node)
                return
        raise self._refusal(node, "cannot run over a scene")

    def _refusal(self, node: Node, why: str) -> GraphError:
        rule = f"layer {node.name!r} ({node.operator.subject}) {why}"
        return GraphError(message("detector", rule, None, CURE, "detector D2"))

    def _data(self, node: Node, place: int = 0) -> Layout:
        """The layout of an input that comes from the patch."""
        if node.inputs[place] not in self.layouts:
            raise self._refusal(node, "has a constant where the patch should be")
        return self.layouts[node.inputs[place]]

    def _constant(self, node: Node, place: int) -> Array:
        name = node.inputs[place]
        for arrays in (self.graph.params, self.graph.state):
            if name in arrays:
                return arrays[name]
        raise self._refusal(node, "has weights that depend on the patch")

    def _keep(self, node: Node, operator: AbstractOperator, *constants: Array) -> None:
        """Add a node: its inputs from the patch, renamed, then arrays under their old names."""
        data = [self.names[n] for n in node.inputs if n in self.layouts]
        given = [n for n in node.inputs if n not in self.layouts]
        names = [self._store(n, a) for n, a in zip(given, constants, strict=True)]
        self.nodes.append(Node(node.name, operator, (*data, *names), node.outputs))
        self.names[node.outputs[0]] = node.outputs[0]

    def _store(self, name: str, array: Array) -> str:
        """Keep an array; another shape of one that is kept already gets a name of its own."""
        while name in self.arrays and not np.array_equal(self.arrays[name], array):
            name = f"{name}.scene"
        self.arrays[name] = array
        return name

    def _same(self, node: Node) -> list[Array]:
        """The constants of a node, as they are."""
        places = range(len(node.inputs))
        return [self._constant(node, i) for i in places if node.inputs[i] not in self.layouts]

    def _window(self, node: Node, operator: Any, layout: Layout, window: Any) -> Layout:
        """Keep a window's geometry as it is on a patch: padding words depend on the size."""
        if layout.is_flat:
            raise self._refusal(node, "has a window over values that were flattened")
        if any(map(any, window.pads)) or any(getattr(axis, "overhang", 0) for axis in window.axes):
            self.padded.append(node.name)
        self._keep(node, replace(operator, padding=window.pads), *self._same(node))
        height, width = window.out_space
        jump = (layout.jump[0] * window.stride[0], layout.jump[1] * window.stride[1])
        return Layout((window.out_shape[1], height, width), False, jump)

    def _conv(self, node: Node) -> Layout:
        layout = self._data(node)
        window = node.operator.window((1, *layout.dims), self._constant(node, 1).shape)  # type: ignore[attr-defined]
        return self._window(node, node.operator, layout, window)

    def _pool(self, node: Node) -> Layout:
        layout = self._data(node)
        window = node.operator.window((1, *layout.dims))  # type: ignore[attr-defined]
        return self._window(node, node.operator, layout, window)

    def _global_pool(self, node: Node) -> Layout:
        layout = self._data(node)
        if layout.is_flat:
            raise self._refusal(node, "pools values that were flattened")
        is_mean = isinstance(node.operator, ops.GlobalAveragePool)
        pool = ops.AveragePool if is_mean else ops.MaxPool
        self._keep(node, pool(layout.dims[1:], 1))
        return Layout((layout.dims[0], 1, 1), False, layout.jump)

    def _reshape(self, node: Node) -> Layout:
        """Nothing moves: the axes stay apart, and the next dense layer knows how they merge."""
        layout = self._data(node)
        old = (1, prod(layout.dims)) if layout.is_flat else (1, *layout.dims)
        (new,) = node.operator.out_shapes([old])
        is_flat = tuple(new) == (1, prod(layout.dims))
        if not is_flat and not (tuple(new) == (1, *layout.dims) and layout.is_point):
            raise self._refusal(node, "rearranges the patch")
        self.names[node.outputs[0]] = self.names[node.inputs[0]]
        return replace(layout, is_flat=is_flat)

    def _dense(self, node: Node) -> Layout:
        """Weights (O, C h w), or their transpose, become a convolution with (O, C, h, w)."""
        layout = self._data(node)
        gemm = node.operator if isinstance(node.operator, ops.Gemm) else ops.Gemm()
        weights = self._constant(node, 1)
        if not layout.is_flat or weights.ndim != 2 or gemm.trans_a:
            raise self._refusal(node, "multiplies what is no flattened patch")
        rows = (weights if gemm.trans_b else weights.T) * weights.dtype.type(gemm.alpha)
        biases = [self._constant(node, place) for place in range(2, len(node.inputs))]
        biases = [b * b.dtype.type(gemm.beta) for b in biases]
        if any(b.size != 1 and b.shape not in ((len(rows),), (1, len(rows))) for b in biases):
            raise self._refusal(node, "adds other than one number to each output")
        kernel = np.ascontiguousarray(rows).reshape(len(rows), *layout.dims)
        flat = [np.broadcast_to(b.reshape(-1), (len(rows),)).copy() for b in biases]
        self._keep(node, ops.Conv(), kernel, *flat)
        return Layout((len(rows), 1, 1), True, layout.jump)

    def _binary(self, node: Node) -> Layout:
        """Constants act on channels; two values of the patch must be of one layout."""
        found = [self.layouts[n] for n in node.inputs if n in self.layouts]
        if len(found) == 2:
            if found[0].dims == found[1].dims and found[0].jump != found[1].jump:
                rule = f"layer {node.name!r} joins branches of different strides"
                got = {"strides": [each.jump for each in found]}
                raise GraphError(message("detector", rule, got, "", "detector D4"))
            if found[0] != found[1]:
                raise self._refusal(node, "broadcasts one part of the patch over another")
            self._keep(node, node.operator)
            return found[0]
        (constant,) = self._same(node)
        (layout,) = found
        shaped = self._per_channel(node, constant, layout)
        if node.inputs[0] not in self.layouts:  # a constant less the patch: the order matters
            self._keep_turned(node, shaped)
        else:
            self._keep(node, node.operator, shaped)
        return layout

    def _keep_turned(self, node: Node, constant: Array) -> None:
        name = self._store(node.inputs[0], constant)
        inputs = (name, self.names[node.inputs[1]])
        self.nodes.append(Node(node.name, node.operator, inputs, node.outputs))
        self.names[node.outputs[0]] = node.outputs[0]

    def _per_channel(self, node: Node, constant: Array, layout: Layout) -> Array:
        """(C, 1, 1), whatever axes of size 1 it came with."""
        if constant.size == 1:
            return constant.reshape(1, 1, 1)
        channel_axis = constant.ndim - (1 if layout.is_flat else 3)
        is_per_channel = (
            constant.size == layout.dims[0]
            and channel_axis >= 0
            and constant.shape[channel_axis] == layout.dims[0]
            and (layout.is_point or not layout.is_flat)
        )
        if not is_per_channel:
            raise self._refusal(node, "has other constants than one for each channel")
        return constant.reshape(-1, 1, 1)

    def _norm(self, node: Node) -> Layout:
        layout = self._data(node)
        if layout.is_flat and not layout.is_point:
            raise self._refusal(node, "has other constants than one for each channel")
        self._keep(node, node.operator, *self._same(node))
        return layout

    def _pass(self, node: Node) -> Layout:
        layout = self._data(node)
        self._keep(node, node.operator, *self._same(node))
        return layout

    def _softmax(self, node: Node) -> Layout:
        layout = self._data(node)
        rank = 2 if layout.is_flat else 4
        if node.operator.axis % rank != 1 or not layout.is_point:  # type: ignore[attr-defined]
            raise self._refusal(node, "compares other than the classes")
        self._keep(node, replace(node.operator, axis=1))  # type: ignore[call-arg]
        return layout

    def _concat(self, node: Node) -> Layout:
        layouts = [self._data(node, place) for place in range(len(node.inputs))]
        first, rank = layouts[0], 2 if layouts[0].is_flat else 4
        alike = {(each.is_flat, each.jump, each.dims[1:]) for each in layouts}
        is_channels = node.operator.axis % rank == 1  # type: ignore[attr-defined]
        if len(alike) != 1 or not is_channels or (first.is_flat and not first.is_point):
            raise self._refusal(node, "joins other than channels")
        self._keep(node, replace(node.operator, axis=1))  # type: ignore[call-arg]
        return replace(first, dims=(sum(each.dims[0] for each in layouts), *first.dims[1:]))

    def _pad(self, node: Node) -> Layout:
        layout = self._data(node)
        if layout.is_flat:
            raise self._refusal(node, "pads values that were flattened")
        _, channels, height, width = map(int, node.operator.out_shapes([(1, *layout.dims)])[0])
        if (height, width) != layout.dims[1:]:
            self.padded.append(node.name)
        self._keep(node, node.operator)
        return replace(layout, dims=(channels, height, width))
