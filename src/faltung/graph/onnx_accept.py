"""Which models are accepted: what is malformed or not supported is refused, with one clear line."""

from __future__ import annotations

import graphlib
from collections.abc import Iterator, Sequence
from typing import Any, Final

import onnx

from faltung.errors import ModelFileError, message, plain
from faltung.graph.onnx_constants import CONSTRUCTS
from faltung.graph.onnx_forms import checkable
from faltung.graph.onnx_functions import DOMAINS, check_functions, operator_class
from faltung.graph.onnx_inlined import inlined
from faltung.graph.onnx_narrow import told
from faltung.graph.onnx_nodes import reads
from faltung.graph.onnx_tensors import check_inside

OLDEST_OPSET: Final = 9


def accepted(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a model that can be read, its nodes in computing order.

    Raises
    ------
    ModelFileError
        What is wrong with it, or what it asks for that is not there.
    """
    check_whole(model)
    _check_opset(model)
    _check_names_of_functions(model)
    model = inlined(model)
    _check_operators(model)
    _check_kinds(model.graph)
    _check_sources(model.graph)
    model = in_order(model)
    _check_by_onnx(model)
    return told(model)


def check_whole(model: onnx.ModelProto) -> None:
    """Refuse what is no model, and names that are no text.

    Raises
    ------
    ModelFileError
        The file is damaged.
    """
    if not model.ir_version or not model.HasField("graph"):
        raise ModelFileError(message("model", "the file is damaged, or no ONNX model"))
    _check_text(model)


def opset_of(model: onnx.ModelProto) -> int:
    """Return the version of the standard operator set; 0 where there is none."""
    versions = [int(o.version) for o in model.opset_import if o.domain in DOMAINS]
    return versions[0] if len(versions) == 1 else 0


def _check_text(model: onnx.ModelProto) -> None:
    for text in _texts(model):
        if isinstance(text, bytes):
            rule = "a name is not UTF-8 text, the file is damaged"
            raise ModelFileError(message("model", rule, {"name": text[:40]}))


def _texts(proto: Any) -> Iterator[str | bytes]:
    """Walk all text of a message; protobuf hands over as bytes what is not UTF-8."""
    if isinstance(proto, onnx.TensorProto):  # its fields would copy the values
        yield proto.name
        return
    for field, value in proto.ListFields():
        if field.type == field.TYPE_STRING:
            yield from (value,) if isinstance(value, (str, bytes)) else value
        elif field.type == field.TYPE_MESSAGE:
            for part in (value,) if hasattr(value, "ListFields") else value:
                yield from _texts(part)


def _check_opset(model: onnx.ModelProto) -> None:
    opset, newest = opset_of(model), onnx.defs.onnx_opset_version()
    if not opset:
        raise ModelFileError(message("model", "it must name one version of ONNX's operators"))
    if not OLDEST_OPSET <= opset <= newest:
        rule = f"its operator set must be {OLDEST_OPSET} to {newest}"
        cure = "Convert it with onnx.version_converter"
        if opset > newest:
            cure = "Install a newer onnx"
        raise ModelFileError(message("model", rule, {"opset": opset}, cure))


def _check_operators(model: onnx.ModelProto) -> None:
    """Refuse unknown operators, all of them at once."""
    unknown: dict[str, list[str]] = {}
    for index, node in enumerate(model.graph.node):
        standard = node.domain in DOMAINS
        made = standard and node.op_type in CONSTRUCTS
        if not made and operator_class(node.domain, node.op_type) is None:
            kind = node.op_type if standard else f"{node.domain}.{node.op_type}"
            unknown.setdefault(plain(kind), []).append(_called(node, index))
    if unknown:
        named = "; ".join(f"{kind} ({_some(nodes)})" for kind, nodes in unknown.items())
        raise ModelFileError(message("model", f"these operators are not supported: {named}"))
    check_functions(model, opset_of(model))


def _check_names_of_functions(model: onnx.ModelProto) -> None:
    for function in model.functions:
        if function.domain in DOMAINS:
            values = {"function": function.name}
            raise ModelFileError(message("model", "it redefines a standard operator", values))


def _called(node: onnx.NodeProto, index: int) -> str:
    return plain(repr(node.name)) if node.name else f"#{index}"


def _some(names: Sequence[str]) -> str:
    many = f"{len(names)} nodes, " if len(names) > 1 else "node "
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return many + ", ".join(names[:3]) + more


def _check_kinds(graph: onnx.GraphProto) -> None:
    """Inputs and outputs are arrays of known rank; weights are dense, and in this file."""
    for role, values in (("input", graph.input), ("output", graph.output)):
        for value in values:
            kind = value.type.WhichOneof("value")
            if kind != "tensor_type":
                found = {"type": (kind or "none").removesuffix("_type")}
                rule = "only arrays are supported"
                raise ModelFileError(message(f"{role} {value.name!r}", rule, found))
            if role == "input" and not value.type.tensor_type.HasField("shape"):
                rule = "its number of axes must be declared"
                raise ModelFileError(message(f"input {value.name!r}", rule))
    if graph.sparse_initializer:
        raise ModelFileError(message("model", "sparse initializers are not supported"))
    for tensor in graph.initializer:
        check_inside(tensor, f"initializer {tensor.name!r}")


def _check_sources(graph: onnx.GraphProto) -> None:
    """Every value that is read is given or made."""
    known = {v.name for v in graph.input} | {t.name for t in graph.initializer} | {""}
    known.update(name for node in graph.node for name in node.output)
    for index, node in enumerate(graph.node):
        for name in node.input:
            if name not in known:
                subject = f"layer {_called(node, index)} ({node.op_type})"
                raise ModelFileError(message(subject, "reads a value nobody made", {"input": name}))


def in_order(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the model with its nodes in computing order; the same one where they already are."""
    nodes = model.graph.node
    maker = {name: i for i, node in enumerate(nodes) for name in node.output if name}
    before = {i: {maker[n] for n in reads(node) if n in maker} for i, node in enumerate(nodes)}
    if all(i < j for j, sources in before.items() for i in sources):
        return model
    try:
        order = list(graphlib.TopologicalSorter(before).static_order())
    except graphlib.CycleError as error:
        names = " -> ".join(_called(nodes[i], i) for i in error.args[1])
        raise ModelFileError(message("model", f"its nodes form a cycle: {names}")) from None
    ordered = onnx.ModelProto()
    ordered.CopyFrom(model)
    ordered.graph.ClearField("node")
    ordered.graph.node.extend(nodes[i] for i in order)
    return ordered


def _check_by_onnx(model: onnx.ModelProto) -> None:
    try:
        onnx.checker.check_model(checkable(model, opset_of(model)))
    except (onnx.checker.ValidationError, ValueError) as error:
        cause = plain(str(error).strip().splitlines()[0].rstrip(". "))
        raise ModelFileError(message("model", f"ONNX's checker refuses it: {cause}")) from error
