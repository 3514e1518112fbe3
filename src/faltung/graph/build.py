"""From symbols to a graph: names, nodes in order, first values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from faltung.errors import GraphError, message
from faltung.graph.graph import Graph, Node, Value
from faltung.graph.symbols import AbstractLayer, Input, Symbol, Weight
from faltung.ops.operator import Array, Shape


@dataclass
class _Naming:
    """Counts names: conv1, conv2, relu1 ..."""

    counts: dict[str, int] = field(default_factory=dict)

    def next(self, symbol: Symbol) -> str:
        if symbol.name and symbol.name not in self.counts:
            self.counts[symbol.name] = 1
            return symbol.name
        stem = symbol.name or type(symbol.operator).__name__.lower()
        stem = {"gemm": "dense", "batchnormalization": "norm"}.get(stem, stem)
        self.counts[stem] = self.counts.get(stem, 0) + 1
        return f"{stem}{self.counts[stem]}"


def build(
    network: AbstractLayer | Symbol | Sequence[Symbol],
    input_shape: Shape | None = None,
    *,
    seed: int = 0,
    metadata: Mapping[str, str] | None = None,
) -> Graph:
    """Return the graph of a network, its parameters drawn.

    Parameters
    ----------
    network
        A layer (a `Chain`, say) to be called on one input, or the output symbols.
    input_shape
        ``(channels, *space)`` of that input; only with a layer.
    seed
        Each layer draws from its own stream, made of the seed and the layer's position.
    metadata
        Text by name, kept in files.

    Raises
    ------
    GraphError, GeometryError
        Where shapes do not fit; a note names the layer.

    Examples
    --------
    >>> from faltung.graph.layers import Chain, Conv, Relu
    >>> build(Chain(Conv(4, 3), Relu()), (1, 8, 8))
    <Graph x ('N', 1, 8, 8) -> relu1: 2 nodes, 40 params>
    """
    return _Build(seed).graph(_ends(network, input_shape), metadata or {})


def sketch(
    network: AbstractLayer | Symbol | Sequence[Symbol],
    input_shape: Shape | None = None,
    *,
    metadata: Mapping[str, str] | None = None,
) -> Graph:
    """Return the graph of a network for what needs only its shapes; it takes no memory.

    It is the graph that `build` returns, but that its ``params`` are zeros, all of them views of
    one number. What a network costs and what it sees can be asked of it, however large it is.

    Parameters
    ----------
    network, input_shape, metadata
        As of `build`.

    Raises
    ------
    GraphError, GeometryError
        Where shapes do not fit, and where one layer has more weights than can be addressed.

    Examples
    --------
    >>> from faltung.graph.layers import Chain, Dense, Flatten
    >>> sketch(Chain(Flatten(), Dense(1000)), (3, 1080, 1920)).trainable
    6220801000
    """
    return _Build(None).graph(_ends(network, input_shape), metadata or {})


def _ends(
    network: AbstractLayer | Symbol | Sequence[Symbol], input_shape: Shape | None
) -> list[Symbol]:
    if isinstance(network, AbstractLayer):
        if input_shape is None:
            cure = "Pass input_shape=(channels, *space)"
            raise GraphError(message("build", "a layer needs an input shape", {}, cure))
        network = network(Input(input_shape))
    return [network] if isinstance(network, Symbol) else list(network)


def _hollow(shape: tuple[int, ...]) -> Array:
    """Zeros that are all the same four bytes, which nothing can write to."""
    try:
        return np.ndarray(shape, np.float32, buffer=bytes(4), strides=(0,) * len(shape))
    except ValueError as error:
        rule = "a layer has more weights than can be addressed"
        raise GraphError(message("sketch", rule, {"shape": shape}, "Use smaller sizes")) from error


class _Build:
    """Walks symbols from the outputs back and writes nodes from the inputs on.

    Without a seed nothing is drawn, and parameters take no memory.
    """

    def __init__(self, seed: int | None) -> None:
        self.seed = seed
        self.names: dict[Symbol, str] = {}
        self.weights: dict[Weight, str] = {}
        self.inputs: list[Value] = []
        self.nodes: list[Node] = []
        self.params: dict[str, Array] = {}
        self.state: dict[str, Array] = {}
        self.naming = _Naming()

    def graph(self, ends: Sequence[Symbol], metadata: Mapping[str, str]) -> Graph:
        for symbol in _in_order(ends):
            self._add(symbol)
        outputs = tuple(self.names[end] for end in ends)
        return Graph(
            tuple(self.inputs), tuple(self.nodes), outputs, self.params, self.state, metadata
        )

    def _add(self, symbol: Symbol) -> None:
        if symbol.operator is None:
            name = symbol.name or f"x{len(self.inputs)}"
            self.names[symbol] = name
            self.inputs.append(Value(name, symbol.shape))
            return
        name = self.names[symbol] = self.naming.next(symbol)
        rng = np.random.default_rng([self.seed or 0, len(self.nodes)])
        inputs = [
            self._weight(source, name, rng) if isinstance(source, Weight) else self.names[source]
            for source in symbol.sources
        ]
        self.nodes.append(Node(name, symbol.operator, tuple(inputs), (name,)))

    def _weight(self, weight: Weight, layer: str, rng: np.random.Generator) -> str:
        if weight not in self.weights:
            name = self.weights[weight] = f"{layer}.{weight.suffix}"
            if weight.trainable:
                self.params[name] = (
                    _hollow(weight.shape) if self.seed is None else weight.initial(rng)
                )
            else:
                self.state[name] = weight.initial(rng)
        return self.weights[weight]


def _in_order(ends: Sequence[Symbol]) -> list[Symbol]:
    """Return the symbols that lead to the ends, sources first, without recursion."""
    order: dict[Symbol, None] = {}
    stack = [(end, False) for end in reversed(ends)]
    while stack:
        symbol, ready = stack.pop()
        if symbol in order:
            continue
        if ready:
            order[symbol] = None
            continue
        stack.append((symbol, True))
        before = [s for s in symbol.sources if isinstance(s, Symbol)]
        stack += [(s, False) for s in reversed(before) if s not in order]
    return list(order)
