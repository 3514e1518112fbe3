"""Integers of 2 or 4 bits: held in 8, so that a quantisation has to be told how many it keeps."""

from __future__ import annotations

import contextlib
from typing import Final

import onnx
from onnx.shape_inference import InferenceError

from faltung.graph.onnx_tensors import declared_name
from faltung.ops.power import NARROW

KIND: Final = "QuantizeLinear"


def told(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a model whose quantisations name their narrow integers themselves.

    ONNX lets the zero point's element type say it, which is gone once that is held in 8 bits.

    Parameters
    ----------
    model
        Is not changed; the same one where no zero point is narrow.
    """
    with_zero = [n for n in model.graph.node if n.op_type == KIND and len(n.input) > 2]
    if not with_zero:
        return model
    types = _element_types(model)
    narrow = {
        node.input[2]: types[node.input[2]]
        for node in with_zero
        if declared_name(types.get(node.input[2], 0)) in NARROW
    }
    return _told(model, narrow) if narrow else model


def _element_types(model: onnx.ModelProto) -> dict[str, int]:
    graph = model.graph
    with contextlib.suppress(InferenceError, ValueError, RuntimeError):  # then it tells no more
        graph = onnx.shape_inference.infer_shapes(model).graph
    values = (*graph.input, *graph.value_info)
    types = {value.name: int(value.type.tensor_type.elem_type) for value in values}
    return types | {tensor.name: int(tensor.data_type) for tensor in graph.initializer}


def _told(model: onnx.ModelProto, narrow: dict[str, int]) -> onnx.ModelProto:
    copied = onnx.ModelProto()
    copied.CopyFrom(model)
    for node in copied.graph.node:
        if node.op_type == KIND and len(node.input) > 2 and node.input[2] in narrow:
            kept = [a for a in node.attribute if a.name != "output_dtype"]
            del node.attribute[:]
            node.attribute.extend(kept)
            made = onnx.helper.make_attribute("output_dtype", narrow[node.input[2]])
            node.attribute.append(made)
    return copied
