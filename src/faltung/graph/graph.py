"""The graph: what every network is, whatever it came from, and whatever is asked of it.

A graph is structure (inputs, nodes in an order that can be computed, outputs) and two read-only
mappings from names to arrays: ``params``, which training changes by gradients, and ``state``, which
it does not (running statistics, fixed constants). Nothing changes a graph; `Graph.replace` makes
another that shares its structure.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from faltung.errors import GraphError, message
from faltung.kernels.pages import Pages
from faltung.ops.operator import AbstractOperator, Array, Shape

if TYPE_CHECKING:
    from pathlib import Path

    from faltung.graph.shapes import Shapes


@dataclass(frozen=True)
class Value:
    """An input of a graph.

    Parameters
    ----------
    name
        What it is fed under.
    shape
        Batch axis included; a name stands for a size that is left open.
    dtype
        What it is converted to.
    """

    name: str
    shape: Shape
    dtype: str = "float32"


@dataclass(frozen=True)
class Node:
    """One use of an operator.

    Parameters
    ----------
    name
        The layer's name, in tables and messages.
    operator
        What is computed.
    inputs, outputs
        The names of the values that it reads and writes.
    """

    name: str
    operator: AbstractOperator
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


def _frozen(arrays: Mapping[str, ArrayLike]) -> Mapping[str, Array]:
    """Return a read-only mapping of read-only arrays; an array that can be written is copied."""
    out = {}
    for name, given in arrays.items():
        array = np.asarray(given)
        if array.flags.writeable or not _is_unchangeable(array):
            array = array.copy()
            array.setflags(write=False)
        out[name] = array
    return MappingProxyType(out)


def _is_unchangeable(array: Array) -> bool:
    """Whether nobody can write to a read-only array: it is alone, in bytes, or in pages."""
    base: object = array
    while isinstance(base, np.ndarray) and not base.flags.writeable:
        base = base.base
    return base is None or isinstance(base, (bytes, Pages))


@dataclass(frozen=True, eq=False)
class Graph:
    """A network: inputs, nodes in computing order, names of the outputs, params and state.

    Parameters
    ----------
    inputs
        The values that a caller gives.
    nodes
        Each reads inputs, params, state, or what a node before it wrote.
    outputs
        Names of the values that a call returns.
    params, state
        Arrays by name. ``params`` are trained; ``state`` is not, and is counted apart.
    metadata
        Text by name, such as the class names; kept in files.

    Raises
    ------
    GraphError
        Where names clash or are unknown, or a node has too many or too few inputs.
    """

    inputs: tuple[Value, ...]
    nodes: tuple[Node, ...]
    outputs: tuple[str, ...]
    params: Mapping[str, Array]
    state: Mapping[str, Array] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("params", "state"):
            object.__setattr__(self, name, _frozen(getattr(self, name)))
        object.__setattr__(self, "metadata", MappingProxyType(dict(self.metadata)))
        _check(self)

    def __repr__(self) -> str:
        inputs = ", ".join(f"{v.name} {v.shape}" for v in self.inputs)
        layers, params = len(self.nodes), sum(array.size for array in self.params.values())
        return f"<Graph {inputs} -> {', '.join(self.outputs)}: {layers} nodes, {params:,} params>"

    def __copy__(self) -> Self:
        """The graph itself, as nothing changes it."""
        return self

    def __deepcopy__(self, memo: object) -> Self:
        """The graph itself, whose arrays nobody can write to."""
        return self

    def __reduce__(self) -> tuple[Callable[[bytes], Graph], tuple[bytes]]:
        """How it is pickled: as the bytes of its ONNX file, which later versions read as well."""
        from faltung.graph.onnx import from_bytes, to_bytes

        return from_bytes, (to_bytes(self),)

    def replace(
        self,
        *,
        params: Mapping[str, ArrayLike] | None = None,
        state: Mapping[str, ArrayLike] | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> Self:
        """Return a graph of the same structure with other arrays or metadata.

        Parameters
        ----------
        params, state
            Arrays by name, all of them, in the shapes that the graph's own have.
        metadata
            Text by name, in place of all that there was.

        Raises
        ------
        GraphError
            Where names or shapes are not the graph's.
        """
        changes: dict[str, Mapping[str, object]] = {}
        for kind, given in (("params", params), ("state", state)):
            if given is not None:
                _check_same(kind, getattr(self, kind), given)
                changes[kind] = given
        if metadata is not None:
            changes["metadata"] = metadata
        return dataclasses.replace(self, **changes)  # type: ignore[arg-type]

    def with_input_shape(self, shape: Shape | Mapping[str, Shape]) -> Self:
        """Return the same network for inputs of another shape.

        Parameters
        ----------
        shape
            ``(N, C, *space)``, sizes or names; by input where there are several.

        Examples
        --------
        >>> from faltung.graph.layers import Conv, build
        >>> build(Conv(2, 3), (1, 8, 8)).with_input_shape(("N", 1, 30, 20)).shapes()["conv1"]
        ('N', 2, 28, 18)
        """
        shapes = named(self, shape, "shape")
        inputs = tuple(Value(v.name, tuple(shapes[v.name]), v.dtype) for v in self.inputs)
        return dataclasses.replace(self, inputs=inputs)

    def astype(self, dtype: DTypeLike) -> Self:
        """Return the same network computing in another floating-point dtype.

        Integers and booleans stay what they are.

        Parameters
        ----------
        dtype
            float32 or float64.
        """
        to = np.dtype(dtype)
        cast = {
            kind: {
                name: a.astype(to) if np.issubdtype(a.dtype, np.floating) else a
                for name, a in getattr(self, kind).items()
            }
            for kind in ("params", "state")
        }
        inputs = tuple(
            Value(v.name, v.shape, to.name if np.dtype(v.dtype).kind == "f" else v.dtype)
            for v in self.inputs
        )
        return dataclasses.replace(self, inputs=inputs, params=cast["params"], state=cast["state"])

    @cached_property
    def trainable(self) -> int:
        """How many numbers training changes."""
        return sum(array.size for array in self.params.values())

    def __call__(self, x: ArrayLike | Mapping[str, ArrayLike]) -> Array | tuple[Array, ...]:
        """Run the network for inference.

        Parameters
        ----------
        x
            The input, or a mapping from names to inputs where there are several. Converted to
            the dtype that the graph declares for it.

        Returns
        -------
        numpy.ndarray or tuple of numpy.ndarray
            The output, or all of them in the graph's order.
        """
        from faltung.graph.evaluate import evaluate

        values = evaluate(self, named(self, x, "x")).values
        outputs = tuple(values[name] for name in self.outputs)
        return outputs[0] if len(outputs) == 1 else outputs

    def gradients(
        self,
        x: ArrayLike | Mapping[str, ArrayLike],
        dout: ArrayLike | Mapping[str, ArrayLike],
        *,
        training: bool = False,
        key: tuple[int, ...] | None = None,
    ) -> dict[str, Array]:
        """Return the gradients of ``sum(dout * output)`` by name: of each input and parameter.

        Parameters
        ----------
        x
            The input, or a mapping from names to inputs.
        dout
            One array the shape of the output, or a mapping from output names to arrays.
        training
            Whether batch normalisation uses the batch's statistics and dropout drops.
        key
            Seeds dropout in training.

        Raises
        ------
        GraphError
            Where ``x`` or ``dout`` do not fit the graph's inputs and outputs.

        Examples
        --------
        >>> from faltung.graph.layers import Relu, build
        >>> build(Relu(), (3,)).gradients([[-1, 0, 2]], [[5, 5, 5]])["x"].tolist()
        [[0.0, 0.0, 5.0]]
        """
        from faltung.graph.evaluate import evaluate
        from faltung.graph.gradients import gradients

        feeds = named(self, x, "x")
        done = evaluate(self, feeds, training=training, key=key, record=True)
        douts = dout if isinstance(dout, Mapping) else {self.outputs[0]: dout}
        if not isinstance(dout, Mapping) and len(self.outputs) != 1:
            rule = "dout must be a mapping where there are several outputs"
            raise GraphError(message("gradients", rule, {"outputs": self.outputs}))
        return gradients(self, done, {name: np.asarray(d) for name, d in douts.items()})

    def shapes(self, input_shape: Shape | Mapping[str, Shape] | None = None) -> Shapes:
        """Return the shape of every value, for the declared inputs or for others.

        Parameters
        ----------
        input_shape
            As in `with_input_shape`.
        """
        from faltung.graph.shapes import infer

        return infer(self if input_shape is None else self.with_input_shape(input_shape))

    def save(self, path: str | Path) -> Path:
        """Write the network as an ONNX file, whole or not at all.

        Parameters
        ----------
        path
            The file to make or replace.

        Returns
        -------
        pathlib.Path
            The path.

        Raises
        ------
        GraphError
            The network cannot be written as ONNX: sizes that are names, dtypes that are mixed.
        StorageError
            The file cannot be written.
        """
        from faltung.graph.onnx import save

        return save(self, path)


def named(graph: Graph, given: Any, what: str) -> dict[str, Any]:
    """Return what was given for each input, by name; one bare thing is for the only input."""
    names = [value.name for value in graph.inputs]
    if not isinstance(given, Mapping):
        if len(names) != 1:
            rule = f"{what} must be a mapping where there are several inputs"
            raise GraphError(message("graph", rule, {"inputs": names}))
        return {names[0]: given}
    if sorted(given) != sorted(names):
        rule = f"{what} must name every input, and nothing else"
        raise GraphError(message("graph", rule, {"names": sorted(given), "inputs": names}))
    return dict(given)


def _check_same(kind: str, old: Mapping[str, Array], new: Mapping[str, ArrayLike]) -> None:
    if set(old) != set(new):
        names = sorted(set(old) ^ set(new))[:5]
        raise GraphError(message("replace", f"{kind} must have the graph's names", {"odd": names}))
    for name, array in old.items():
        if np.shape(new[name]) != array.shape:
            values = {name: np.shape(new[name]), "shape": array.shape}
            raise GraphError(message("replace", f"{kind} must keep their shapes", values))


def _check(graph: Graph) -> None:
    """Refuse a structure that cannot be computed from first to last."""
    known: set[str] = set()
    given = [*(v.name for v in graph.inputs), *graph.params, *graph.state]
    for name in given:
        if name in known:
            raise GraphError(message("graph", "names must be unique", {"name": name}))
        known.add(name)
    seen: set[str] = set()
    for node in graph.nodes:
        if node.name in seen:
            raise GraphError(message("graph", "names must be unique", {"node": node.name}))
        seen.add(node.name)
        _check_node(node, known)
        known.update(node.outputs)
    for name in graph.outputs:
        if name not in known:
            raise GraphError(message("graph", "every output must be computed", {"output": name}))
    if not graph.outputs:
        raise GraphError(message("graph", "there must be an output"))


def check_arity(node: Node) -> None:
    """Refuse a node with fewer or more inputs than its operator takes."""
    least, most = node.operator.arity
    if not least <= len(node.inputs) <= most:
        subject = f"layer {node.name!r} ({node.operator.subject})"
        wanted = f"{least} or more" if most >= 1 << 30 else f"{least} to {most}"
        wanted = f"{least}" if least == most else wanted
        raise GraphError(message(subject, f"takes {wanted} inputs", {"inputs": len(node.inputs)}))


def _check_node(node: Node, known: set[str]) -> None:
    subject = f"layer {node.name!r} ({node.operator.subject})"
    check_arity(node)
    for name in node.inputs:
        if name not in known:
            cure = "Put the node that computes it before this one"
            raise GraphError(message(subject, "reads a value nobody made", {"input": name}, cure))
    for name in node.outputs:
        if name in known:
            raise GraphError(message(subject, "writes a name that is taken", {"output": name}))


def producers(nodes: Sequence[Node]) -> dict[str, Node]:
    """Return, for each value that a node writes, that node."""
    return {name: node for node in nodes for name in node.outputs}
