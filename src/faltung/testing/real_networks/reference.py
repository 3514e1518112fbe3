"""The nine reference networks that come with onnx, with weights that tell one value from another.

As they come, all of their weights are 0.02, and what they should give is one number repeated: a
runtime that mixes up channels, or flips kernels, passes. Here they get weights drawn at random,
of the size that keeps values at theirs from layer to layer (K. He and others, *Delving deep into
rectifiers*, 2015, section 2.2), random running means and positive variances.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import numpy as np
import onnx
from onnx import numpy_helper

from faltung.errors import GraphError, message
from faltung.graph import Graph
from faltung.graph.onnx import from_model
from faltung.ops.operator import Array

NAMES: Final = (
    "bvlc_alexnet",
    "densenet121",
    "inception_v1",
    "inception_v2",
    "resnet50",
    "shufflenet",
    "squeezenet",
    "vgg19",
    "zfnet512",
)
"""What they are called in the package onnx."""


def reference_network(name: str, seed: int = 0) -> onnx.ModelProto:
    """Return one of the networks, its weights drawn.

    Parameters
    ----------
    name
        One of `NAMES`.
    seed
        The same one draws the same weights.

    Returns
    -------
    onnx.ModelProto
        The nodes of the file, but for those that filled weights with 0.02; the weights are
        initializers.

    Raises
    ------
    GraphError
        There is no network of this name.

    Examples
    --------
    >>> model = reference_network("squeezenet")
    >>> [value.name for value in model.graph.input], len(model.graph.node)
    (['data_0'], 66)
    """
    if name not in NAMES:
        raise GraphError(message("reference_network", "the name must be known", {"name": name}))
    folder = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"
    model = onnx.load(folder / f"light_{name}.onnx")
    rng = np.random.default_rng([seed, NAMES.index(name)])
    roles = _roles(model.graph)
    for tensor, shape in _left_open(model.graph):
        drawn = _drawn(rng, roles.get(tensor, ""), shape)
        model.graph.initializer.append(numpy_helper.from_array(drawn, tensor))
    _drop_what_filled(model)
    if any(node.op_type == "BatchNormalization" for node in model.graph.node):
        _settle(model, drawn_inputs(model, seed), rng)
    return model


def drawn_inputs(model: onnx.ModelProto, seed: int = 0) -> dict[str, Array]:
    """Return values for the inputs of a network, normally distributed, by name.

    Parameters
    ----------
    model
        What `reference_network` returned.
    seed
        The same one draws the same values.
    """
    rng = np.random.default_rng([seed, len(NAMES)])
    return {
        value.name: rng.standard_normal(
            [dim.dim_value for dim in value.type.tensor_type.shape.dim]
        ).astype(np.float32)
        for value in model.graph.input
    }


def _left_open(graph: onnx.GraphProto) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Give what ConstantOfShape would fill, and its shape."""
    shapes = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
    for node in graph.node:
        if node.op_type == "ConstantOfShape":
            yield node.output[0], tuple(int(n) for n in shapes[node.input[0]])


def _drop_what_filled(model: onnx.ModelProto) -> None:
    graph = model.graph
    kept = [node for node in graph.node if node.op_type != "ConstantOfShape"]
    read = {name for node in kept for name in node.input}
    stored = [tensor for tensor in graph.initializer if tensor.name in read]
    names = {tensor.name for tensor in stored}
    inputs = [value for value in graph.input if value.name not in names and value.name in read]
    for field, left in (("node", kept), ("initializer", stored), ("input", inputs)):
        graph.ClearField(field)
        getattr(graph, field).extend(left)
    model.ir_version = 8  # from 4 on, initializers need not be inputs as well


def _roles(graph: onnx.GraphProto) -> dict[str, str]:
    """Return what each tensor is to the node that reads it."""
    roles: dict[str, str] = {}
    for node in reversed(graph.node):
        match node.op_type:
            case "Conv" | "Gemm":
                kinds: tuple[str, ...] = ("", "weight", "bias")
            case "BatchNormalization":
                kinds = ("", "scale", "bias", "mean", "variance")
            case "Mul":
                kinds = ("", "scale")
            case "Add":
                kinds = ("", "bias")
            case "Unsqueeze" | "Reshape":
                kinds = (roles.get(node.output[0], ""),)
            case _:
                kinds = ()
        roles.update(zip(node.input, kinds, strict=False))
    return roles


def _drawn(rng: np.random.Generator, role: str, shape: tuple[int, ...]) -> Array:
    match role:
        case "weight":  # (out, in, *kernel), of dense layers too; one has 1s in front
            outs = next(axis for axis, size in enumerate(shape) if size > 1)
            size = math.sqrt(2 / math.prod(shape[outs + 1 :]))
            values = rng.standard_normal(shape, np.float32) * np.float32(size)
        case "scale" | "variance":
            values = rng.uniform(0.5, 1.5, shape)
        case "bias" | "mean":
            values = rng.normal(0, 0.2, shape)
        case _:
            rule = "a weight must have a role"
            raise GraphError(message("reference_network", rule, {"shape": shape}))
    return np.asarray(values, np.float32)


def _settle(model: onnx.ModelProto, feeds: Mapping[str, Array], rng: np.random.Generator) -> None:
    """Draw the running statistics again, of the size that the values have for one input.

    Sums of branches would else double the values again and again, and the last softmax give one 1.
    """
    graph = from_model(model)
    found = _statistics(graph, feeds, rng)
    for tensor in model.graph.initializer:
        if tensor.name in found:
            tensor.CopyFrom(numpy_helper.from_array(found[tensor.name], tensor.name))


def _statistics(
    graph: Graph, feeds: Mapping[str, Array], rng: np.random.Generator
) -> dict[str, Array]:
    known = {**graph.params, **graph.state, **feeds}
    found: dict[str, Array] = {}
    for node in graph.nodes:
        if node.operator.onnx_type == "BatchNormalization":
            square = float(np.mean(np.square(known[node.inputs[0]], dtype=np.float64)))
            channels = known[node.inputs[3]].shape
            mean = math.sqrt(square) * rng.normal(0, 0.2, channels)
            variance = square * rng.uniform(0.5, 1.5, channels)
            found[node.inputs[3]] = np.asarray(mean, np.float32)
            found[node.inputs[4]] = np.asarray(variance, np.float32)
        inputs = [{**known, **found}[name] for name in node.inputs]
        known.update(zip(node.outputs, node.operator.forward(inputs)[0], strict=True))
    return found
