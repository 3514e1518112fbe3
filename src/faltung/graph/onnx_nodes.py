"""One ONNX node in plain Python: its attributes, and the operator that it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import onnx

from faltung.errors import FaltungError, ModelFileError, message
from faltung.graph.onnx_tensors import shortest
from faltung.ops import OPERATORS, READ_AS
from faltung.ops.operator import (
    AbstractOperator,
    Array,
    Attribute,
    ConstantError,
    OnnxNode,
    Shape,
)


def to_node(
    proto: onnx.NodeProto,
    subject: str,
    opset: int,
    constants: Mapping[str, Array],
    shapes: Mapping[str, Shape],
) -> OnnxNode:
    """Return a node in plain Python, with what is known of its inputs.

    Raises
    ------
    ModelFileError
        An attribute is of a type that no operator of ours has.
    """
    return OnnxNode(
        proto.op_type,
        tuple(proto.input),
        tuple(proto.output),
        {a.name: _attribute(a, subject) for a in proto.attribute},
        {name: constants[name] for name in proto.input if name in constants},
        opset,
        proto.domain,
        {name: shapes[name] for name in proto.input if name in shapes},
    )


def operator_of(node: OnnxNode, subject: str) -> tuple[AbstractOperator, tuple[str, ...]]:
    """Return what a node is and the inputs that it takes.

    Raises
    ------
    FaltungError
        The operator refuses what it was given; a note names the layer.
    """
    try:
        kind = OPERATORS.get(node.op_type) or READ_AS[node.op_type]
        operator, inputs = kind.from_onnx(node)
    except ConstantError:
        raise
    except FaltungError as error:
        error.add_note(f"in {subject}")
        raise
    except (TypeError, ValueError, IndexError, OverflowError) as error:
        rule = "its attributes do not have the types and lengths that ONNX gives them"
        raise ModelFileError(message(subject, rule, dict(node.attributes))) from error
    inputs = trimmed(inputs)
    if not all(inputs):
        rule = "an input in the middle must not be left out"
        raise ModelFileError(message(subject, rule, {"inputs": inputs}))
    return operator, inputs


def reads(proto: onnx.NodeProto) -> tuple[str, ...]:
    """Return the values that a node reads, those that its subgraphs take from outside included."""
    names = [name for name in proto.input if name]
    for attribute in proto.attribute:
        for graph in (attribute.g, *attribute.graphs):
            names += _taken(graph)
    return tuple(dict.fromkeys(names))


def _taken(graph: onnx.GraphProto) -> list[str]:
    """Return the values that a subgraph reads and does not make."""
    own = {v.name for v in graph.input} | {t.name for t in graph.initializer}
    own.update(name for node in graph.node for name in node.output)
    read = [name for node in graph.node for name in reads(node)]
    read += [value.name for value in graph.output]
    return [name for name in read if name not in own]


def trimmed(names: Iterable[str]) -> tuple[str, ...]:
    """Return names without the empty ones at the end, which stand for what is left out."""
    kept = list(names)
    while kept and not kept[-1]:
        kept.pop()
    return tuple(kept)


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
