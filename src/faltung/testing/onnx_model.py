"""A case as an ONNX model, and the model run by ONNX's own reference evaluator."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from onnx.reference import ReferenceEvaluator

from faltung.graph import Graph, Node, Value
from faltung.graph.onnx import to_model
from faltung.ops.operator import Array
from faltung.testing.cases import Case


def graph_of(case: Case, dtype: Any = np.float64) -> Graph:
    """Return a graph of one node, whose inputs are all inputs of the graph.

    >>> from faltung.ops import Add
    >>> graph_of(Case("sum", Add(), ((2,), (2,)))).shapes()["y0"]
    (2,)
    """
    names = [f"x{i}" for i, _ in enumerate(case.in_shapes)]
    inputs = [
        Value(name, shape, case.dtype_of(i, dtype).name)
        for i, (name, shape) in enumerate(zip(names, case.in_shapes, strict=True))
    ]
    outputs = tuple(f"y{i}" for i, _ in enumerate(case.operator.out_shapes(case.in_shapes)))
    node = Node("node", case.operator, tuple(names), outputs)
    return Graph(tuple(inputs), (node,), outputs, {})


def evaluate_by_onnx(case: Case, inputs: Sequence[Array]) -> list[Array]:
    """Return what ONNX's reference evaluator computes for the ONNX form of a case."""
    floats = next((x.dtype for x in inputs if x.dtype.kind == "f"), np.dtype(np.float64))
    model = to_model(graph_of(case, floats))
    feeds = {f"x{i}": np.asarray(x, order="C") for i, x in enumerate(inputs)}
    with np.errstate(all="ignore"):
        return [np.asarray(y) for y in ReferenceEvaluator(model).run(None, feeds)]


def is_evaluated(case: Case) -> bool:
    """Whether ONNX's reference evaluator is known to run the ONNX form of this case rightly.

    As of onnx 1.23 it has wrong values or shapes, or none, for what `_is_defective` names, and
    for empty arrays.
    """
    model = to_model(graph_of(case, np.float32))
    if 0 in (
        n for shape in (*case.in_shapes, *case.operator.out_shapes(case.in_shapes)) for n in shape
    ):
        return False
    constants = {t.name: onnx.numpy_helper.to_array(t) for t in model.graph.initializer}
    rank = len(case.in_shapes[0])
    return not any(_is_defective(node, constants, rank) for node in model.graph.node)


def _is_defective(node: onnx.NodeProto, constants: dict[str, Array], rank: int) -> bool:
    named = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
    dilated = any(d != 1 for d in named.get("dilations", ()))
    match node.op_type:
        case "Pad":  # negative amounts
            return bool((constants[node.input[1]] < 0).any())
        case "ConvTranspose":  # groups mixed up, dilation left out
            return dilated or named["group"] != 1
        case "AveragePool":  # dilation left out
            return dilated
        case "MaxPool":  # starts and ends mixed up
            return "auto_pad" in named or any(named["pads"])
        case "Erf" | "Gelu" | "HardSwish" | "HardSigmoid" | "PRelu":  # see `oracles.curves`
            return True
        case "LpPool":  # divides by what is inside, multiplies by the whole window
            return True
        case "DequantizeLinear":  # none for the operator set that is written
            return True
        case "GroupNormalization" | "LRN":  # see `oracles.standard`
            return True
        case "Resize":  # weights of 0 meet what is not finite: see `oracles.resized`
            return True
        case "GlobalMaxPool":  # two space axes, whatever there are
            return rank != 4
    return False
