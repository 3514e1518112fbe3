"""Models of operator sets that are no longer read, as ONNX itself renews them."""

from __future__ import annotations

from typing import Final

import onnx
import onnx.version_converter
from onnx.shape_inference import InferenceError
from onnx.version_converter import ConvertError

from faltung.errors import ModelFileError, message
from faltung.graph.onnx_accept import OLDEST_OPSET, opset_of

FAILURES: Final = (
    *(RuntimeError, ValueError, TypeError),
    *(ConvertError, InferenceError, onnx.checker.ValidationError),
)
"""What ONNX's converter raises where it cannot."""


def renewed(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a model of an older operator set as ONNX converts it to the oldest that is read.

    Parameters
    ----------
    model
        Is not changed; one of a set that is read comes back itself.

    Raises
    ------
    ModelFileError
        ONNX cannot convert it.
    """
    if not 0 < opset_of(model) < OLDEST_OPSET:
        return model
    try:
        renewed = onnx.version_converter.convert_version(model, OLDEST_OPSET)
        return _one_slope_a_channel(renewed) if opset_of(model) < 7 else renewed
    except FAILURES as error:
        values = {"opset": opset_of(model), "cause": " ".join(str(error).split())}
        rule = f"ONNX cannot convert it to operator set {OLDEST_OPSET}"
        raise ModelFileError(message("model", rule, values)) from error


def _one_slope_a_channel(model: onnx.ModelProto) -> onnx.ModelProto:
    """Let slopes of PRelu meet the channels, as they did before opset 7.

    ONNX's converter leaves them as they are.
    """
    known = onnx.shape_inference.infer_shapes(model).graph
    ranks = {
        value.name: len(value.type.tensor_type.shape.dim)
        for value in (*known.input, *known.value_info)
    }
    stored = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in model.graph.node:
        slope = stored.get(node.input[1]) if node.op_type == "PRelu" else None
        if slope is not None and len(slope.dims) == 1:
            slope.dims.extend([1] * (ranks.get(node.input[0], 2) - 2))
    return model
