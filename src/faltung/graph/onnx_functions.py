"""Operators that ONNX does not have, as model-local functions: the body travels with the file."""

from __future__ import annotations

from typing import Any, Final

import onnx
from onnx import helper

from faltung.errors import ModelFileError, message
from faltung.ops import OPERATORS, READ_AS
from faltung.ops.operator import AbstractOperator, OnnxFunction, OnnxNode

DOMAINS: Final = ("", "ai.onnx")
"""What files call ONNX's own operator set."""

VERSION = 1
"""The version of our own operator set that files name."""


def operator_class(domain: str, op_type: str) -> type[AbstractOperator] | None:
    """Return the operator that a node of this domain and name is; None for an unknown one."""
    found = OPERATORS.get(op_type) or READ_AS.get(op_type)
    domain = "" if domain == "ai.onnx" else domain
    return found if found is not None and found.onnx_domain == domain else None


def to_function(domain: str, function: OnnxFunction, opset: int) -> onnx.FunctionProto:
    """Return a function as the format writes it, in the standard operators of one version."""
    nodes = [_to_node(node) for node in function.nodes]
    return helper.make_function(
        domain,
        function.name,
        list(function.inputs),
        list(function.outputs),
        nodes,
        [helper.make_opsetid("", opset)],
        list(function.attributes),
    )


def _to_node(node: OnnxNode) -> onnx.NodeProto:
    attributes: dict[str, Any] = dict(node.attributes)
    return helper.make_node(node.op_type, node.inputs, node.outputs, **attributes)


def check_functions(model: onnx.ModelProto, opset: int) -> None:
    """Refuse functions of our names with other bodies: we would compute something else.

    Raises
    ------
    ModelFileError
        A body differs from what `to_function` writes, or is missing.
    """
    bodies = {(f.domain, f.name): f.SerializeToString(deterministic=True) for f in model.functions}
    for node in model.graph.node:
        operator = operator_class(node.domain, node.op_type)
        function = None if operator is None else operator.onnx_function()
        if function is None:
            continue
        ours = to_function(node.domain, function, opset).SerializeToString(deterministic=True)
        if bodies.get((node.domain, node.op_type)) != ours:
            rule = "its function must be the one that faltung writes"
            values = {"function": f"{node.domain}.{node.op_type}"}
            cure = "Write its body into the graph with onnx.inliner"
            raise ModelFileError(message("model", rule, values, cure))
