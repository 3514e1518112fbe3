"""Read a graph from ONNX: each operator says what a node of its name means."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

from faltung.errors import FaltungError, ModelFileError, StorageError, message
from faltung.graph.graph import Graph, Node, Value
from faltung.graph.onnx_accept import accepted, opset_of
from faltung.graph.onnx_tensors import STATE_KEY, dtype_name, shortest, to_array, to_shape
from faltung.ops import OPERATORS
from faltung.ops.operator import AbstractOperator, Array, Attribute, OnnxNode


def load(path: str | Path) -> Graph:
    """Read a graph from an ONNX file.

    Parameters
    ----------
    path
        A file of any producer whose operators are all among `faltung.ops.OPERATORS`.

    Returns
    -------
    Graph
        What the file says. Of a file that `save` wrote, the graph that was saved.

    Raises
    ------
    ModelFileError
        The file is empty, damaged, no model, or asks for what is not there; one line names the
        file and the cause.
    StorageError
        The file cannot be read at all.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise StorageError(message(str(path), f"cannot be read, {error.strerror}")) from error
    try:
        return from_model(_parsed(data))
    except FaltungError as error:
        raise ModelFileError(f"{path}: {_one_line(error)}") from error


def _parsed(data: bytes) -> onnx.ModelProto:
    if not data:
        raise ModelFileError(message("model", "the file is empty"))
    try:
        model: onnx.ModelProto = onnx.ModelProto.FromString(data)
    except (DecodeError, UnicodeDecodeError) as error:
        rule = "the file is damaged, or no ONNX model"
        raise ModelFileError(message("model", rule)) from error
    return model


def _one_line(error: BaseException) -> str:
    notes = "; ".join(getattr(error, "__notes__", ()))
    return " ".join(f"{error} ({notes})".split()) if notes else " ".join(str(error).split())


def from_model(model: onnx.ModelProto) -> Graph:
    """Return the graph that a model in memory describes.

    Without the metadata that `faltung.save` writes, ``state`` are the running statistics, the
    values of Constant nodes, and whatever is not a real number; ``params`` are all other
    initializers. Initializers that no node reads are dropped.

    Raises
    ------
    ModelFileError
        The model is malformed, or asks for what is not there.
    FaltungError
        Where an operator refuses its attributes, or its inputs' shapes.
    """
    graph = _Reader(accepted(model)).graph()
    if all(isinstance(n, int) for value in graph.inputs for n in value.shape):
        graph.shapes()  # an open size may yet be one that fits
    return graph


class _Reader:
    """Turns one accepted model into a graph."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self.model = model
        self.opset = opset_of(model)
        self.arrays = {
            tensor.name: to_array(tensor, f"initializer {tensor.name!r}")
            for tensor in model.graph.initializer
        }
        self.fixed: set[str] = set()
        self.node_names = {node.name for node in model.graph.node}

    def graph(self) -> Graph:
        """Read constants, then nodes, then sort the arrays into params and state."""
        inputs = tuple(
            Value(v.name, to_shape(v), _input_dtype(v))
            for v in self.model.graph.input
            if v.name not in self.arrays
        )
        self._read_constants()
        nodes = tuple(self._nodes())
        outputs = tuple(value.name for value in self.model.graph.output)
        read = {*outputs, *(name for node in nodes for name in node.inputs)}
        used = {name: array for name, array in self.arrays.items() if name in read}
        metadata = {p.key: p.value for p in self.model.metadata_props}
        state = self._state(nodes, used, metadata.pop(STATE_KEY, None))
        params = {name: array for name, array in used.items() if name not in state}
        kept = {name: array for name, array in used.items() if name in state}
        return Graph(inputs, nodes, outputs, params, kept, metadata)

    def _read_constants(self) -> None:
        for proto in self.model.graph.node:
            if proto.op_type == "Constant":
                self.arrays[proto.output[0]] = _constant(proto)
                self.fixed.add(proto.output[0])

    def _nodes(self) -> Iterable[Node]:
        taken: set[str] = set()
        for proto in self.model.graph.node:
            if proto.op_type != "Constant":
                name = self._name(proto, taken)
                taken.add(name)
                yield self._node(proto, name)

    def _name(self, proto: onnx.NodeProto, taken: Collection[str]) -> str:
        """Return the node's name; conv1, conv2 for those that have none or share theirs."""
        if proto.name and proto.name not in taken:
            return proto.name
        count, stem = (2, f"{proto.name}.") if proto.name else (1, proto.op_type.lower())
        while f"{stem}{count}" in taken or f"{stem}{count}" in self.node_names:
            count += 1
        return f"{stem}{count}"

    def _node(self, proto: onnx.NodeProto, name: str) -> Node:
        subject = f"layer {name!r} ({proto.op_type})"
        outputs = _trimmed(proto.output)
        if len(outputs) != 1:
            rule = "only its first output is supported"
            raise ModelFileError(message(subject, rule, {"outputs": outputs}))
        constants = {n: self.arrays[n] for n in proto.input if n in self.arrays}
        attributes = {a.name: _attribute(a, subject) for a in proto.attribute}
        node = OnnxNode(
            proto.op_type,
            tuple(proto.input),
            outputs,
            attributes,
            constants,
            self.opset,
            proto.domain,
        )
        operator, inputs = _from_onnx(OPERATORS[proto.op_type], node, subject)
        inputs = _trimmed(inputs)
        if not all(inputs):
            rule = "an input in the middle must not be left out"
            raise ModelFileError(message(subject, rule, {"inputs": inputs}))
        return Node(name, operator, inputs, outputs)

    def _state(
        self, nodes: Iterable[Node], used: Mapping[str, Array], listed: str | None
    ) -> set[str]:
        """Return the names of the arrays that are state."""
        if listed is not None:
            return _listed(listed)
        state = {n.inputs[i] for n in nodes for i in n.operator.state_inputs if i < len(n.inputs)}
        fixed = {n for n, a in used.items() if not np.issubdtype(a.dtype, np.floating)}
        return state | fixed | self.fixed


def _listed(text: str) -> set[str]:
    try:
        names = json.loads(text)
        if isinstance(names, list) and all(isinstance(name, str) for name in names):
            return set(names)
    except (ValueError, RecursionError):
        pass
    rule = f"the metadata {STATE_KEY!r} must be a JSON list of names"
    raise ModelFileError(message("model", rule))


def _from_onnx(
    operator: type[AbstractOperator], node: OnnxNode, subject: str
) -> tuple[AbstractOperator, tuple[str, ...]]:
    try:
        return operator.from_onnx(node)
    except FaltungError as error:
        error.add_note(f"in {subject}")
        raise
    except (TypeError, ValueError, IndexError, OverflowError) as error:
        rule = "its attributes do not have the types and lengths that ONNX gives them"
        raise ModelFileError(message(subject, rule, dict(node.attributes))) from error


def _trimmed(names: Iterable[str]) -> tuple[str, ...]:
    """Return names without the empty ones at the end, which stand for what is left out."""
    kept = list(names)
    while kept and not kept[-1]:
        kept.pop()
    return tuple(kept)


def _input_dtype(value: onnx.ValueInfoProto) -> str:
    return dtype_name(value.type.tensor_type.elem_type, f"input {value.name!r}")


_CONSTANTS: dict[str, Any] = {
    "value_float": np.float32,
    "value_floats": np.float32,
    "value_int": np.int64,
    "value_ints": np.int64,
}


def _constant(proto: onnx.NodeProto) -> Array:
    subject = f"constant {proto.output[0]!r}"
    named = {a.name: a for a in proto.attribute}
    if len(named) != 1 or not named.keys() <= {"value", *_CONSTANTS}:
        rule = "it must have one value, of numbers"
        raise ModelFileError(message(subject, rule, {"attributes": sorted(named)}))
    ((name, attribute),) = named.items()
    if name == "value":
        return to_array(attribute.t, subject)
    return np.array(onnx.helper.get_attribute_value(attribute), dtype=_CONSTANTS[name])


def _attribute(proto: onnx.AttributeProto, subject: str) -> Attribute:
    """Return an attribute; a float is the shortest decimal, or what its comment says exactly."""
    kind = onnx.AttributeProto
    if proto.type == kind.FLOAT:
        return _exact(proto)
    if proto.type == kind.INT:
        return int(proto.i)
    if proto.type == kind.INTS:
        return tuple(int(i) for i in proto.ints)
    if proto.type == kind.FLOATS:
        return tuple(shortest(f) for f in proto.floats)
    if proto.type == kind.STRING:
        return proto.s.decode("utf-8", "replace")
    values = {"attribute": proto.name, "type": kind.AttributeType.Name(proto.type)}
    raise ModelFileError(message(subject, "an attribute of this type is not supported", values))


def _exact(proto: onnx.AttributeProto) -> float:
    try:
        written = float(proto.doc_string)
    except ValueError:
        return shortest(proto.f)
    same = shortest(written) == shortest(proto.f)
    return written if same else shortest(proto.f)
