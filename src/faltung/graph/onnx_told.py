"""What a model's file tells of its values beside their makers: shapes and dtypes it declares.

It is asked where an operator is not known: the file may declare what its node puts out, and ONNX's
own shape inference knows operators that are not ours.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final, NamedTuple

import onnx

from faltung.errors import FaltungError
from faltung.graph.onnx_tensors import LARGEST_SIZE, dtype_name, is_external
from faltung.ops.operator import Dim, Shape

SMALL: Final = 1024
"""Initializers of up to so many values are shown to ONNX: they may be targets of shapes."""

LONG: Final = 2**24
"""Where an axis is longer, ONNX must not follow values."""


class Told(NamedTuple):
    """What is told of a value: its shape, None if nothing is, and its dtype, "" if unknown."""

    shape: Shape | None = None
    dtype: str = ""


def told_values(model: onnx.ModelProto, inputs: Mapping[str, Shape]) -> dict[str, Told]:
    """Return what the file, and ONNX's shape inference, tell of values by name.

    Parameters
    ----------
    model
        Is not changed.
    inputs
        The shapes of its inputs; sizes that the file calls by name take their numbers from them.
    """
    light = _light(model, inputs)
    values = [*light.graph.value_info, *light.graph.output]
    values += _inferred(light)
    told: dict[str, Told] = {}
    for value in values:
        new, old = _told(value), told.get(value.name, Told())
        shape = old.shape if new.shape is None else new.shape
        told[value.name] = Told(shape, new.dtype or old.dtype)
    return told


def _inferred(light: onnx.ModelProto) -> list[onnx.ValueInfoProto]:
    """Return what ONNX infers; nothing where it fails, as the file's own words are there still.

    Following values, it copies lists that are as long as a size that it infers.
    """
    found: list[onnx.ValueInfoProto] = []
    try:
        for follow in (False, True):
            if any(d.dim_value > LONG for v in found for d in v.type.tensor_type.shape.dim):
                break
            graph = onnx.shape_inference.infer_shapes(light, data_prop=follow).graph
            found = [*graph.value_info, *graph.output]
    except (onnx.shape_inference.InferenceError, ValueError, RuntimeError, TypeError, MemoryError):
        pass
    return found


def _light(model: onnx.ModelProto, inputs: Mapping[str, Shape]) -> onnx.ModelProto:
    """Return a copy without large weights, its named sizes replaced by those of the inputs."""
    light = onnx.ModelProto(ir_version=model.ir_version)
    light.opset_import.extend(model.opset_import)
    light.graph.name = model.graph.name
    light.graph.node.extend(model.graph.node)
    light.graph.value_info.extend(model.graph.value_info)
    light.graph.output.extend(model.graph.output)
    light.graph.input.extend(model.graph.input)
    for tensor in model.graph.initializer:
        if math.prod(tensor.dims) <= SMALL and not is_external(tensor):
            light.graph.initializer.append(tensor)
        else:
            described = onnx.helper.make_tensor_value_info(
                tensor.name, tensor.data_type, tensor.dims
            )
            light.graph.value_info.append(described)
    sizes: dict[str, int] = {}
    for value in light.graph.input:
        if value.name in inputs:
            _declare(value, inputs[value.name], sizes)
    for value in (*light.graph.value_info, *light.graph.output):
        for dim in value.type.tensor_type.shape.dim:
            if dim.dim_param in sizes:
                dim.dim_value = sizes[dim.dim_param]
    return light


def _declare(value: onnx.ValueInfoProto, shape: Shape, sizes: dict[str, int]) -> None:
    """Write a shape into an input, and note the numbers of the names that it fills in."""
    dims = value.type.tensor_type.shape.dim
    for dim, size in zip(dims, shape, strict=False):
        if isinstance(size, int):
            if dim.dim_param:
                sizes[dim.dim_param] = size
            dim.dim_value = size
        else:
            dim.dim_param = size


def _told(value: onnx.ValueInfoProto) -> Told:
    tensor = value.type.tensor_type
    if value.type.WhichOneof("value") != "tensor_type":
        return Told()
    try:
        dtype = dtype_name(tensor.elem_type, value.name)
    except FaltungError:
        dtype = ""
    if not tensor.HasField("shape"):
        return Told(None, dtype)
    return Told(
        tuple(_size(dim, f"{value.name}_{axis}") for axis, dim in enumerate(tensor.shape.dim)),
        dtype,
    )


def _size(dim: onnx.TensorShapeProto.Dimension, name: str) -> Dim:
    """Return a size; one that is not told gets a name of its own."""
    if dim.WhichOneof("value") == "dim_value" and 0 <= dim.dim_value < LARGEST_SIZE:
        return int(dim.dim_value)
    return dim.dim_param or name
