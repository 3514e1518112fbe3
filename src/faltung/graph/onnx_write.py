"""Write a graph as ONNX: each operator says which standard nodes it is."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
from google.protobuf.message import EncodeError  # type: ignore[import-untyped]
from onnx import helper

from faltung.atomic import write_bytes
from faltung.errors import GraphError, message
from faltung.graph.graph import Graph, Node
from faltung.graph.onnx_functions import VERSION, to_function
from faltung.graph.onnx_tensors import STATE_KEY, element_type, shortest, to_tensor
from faltung.graph.unknown import check_known
from faltung.ops.operator import Array, Attribute, OnnxFunction, OnnxNode, Shape
from faltung.version import __version__

OPSET: Final = 17
"""The operator set that is written unless a node needs a newer one."""

WRITTEN: Final = ("float32", "float64")
"""Where integers meet weights we compute in floats, which ONNX's operators do not do."""

LARGEST_FILE: Final = 2**31
"""What protobuf can hold in one message."""


def save(graph: Graph, path: str | Path) -> Path:
    """Write a graph as an ONNX file, whole or not at all.

    Parameters
    ----------
    graph
        What to write. The sizes of its inputs must be numbers, but for the batch.
    path
        The file to make or replace.

    Returns
    -------
    pathlib.Path
        The path.

    Raises
    ------
    GraphError
        The graph cannot be written as ONNX: see `to_model`.
    StorageError
        The file cannot be written.
    """
    write_bytes(path, to_bytes(graph))
    return Path(path)


def to_bytes(graph: Graph) -> bytes:
    """Return what `save` writes, which `faltung.graph.onnx.from_bytes` reads.

    Raises
    ------
    GraphError
        The graph cannot be written as ONNX: see `to_model`.
    """
    return _checked(_written(graph))


def to_model(graph: Graph) -> onnx.ModelProto:
    """Return a graph as a model in memory.

    Raises
    ------
    GraphError
        Arrays and inputs of more than one dtype; names that are empty or no text; more than 2 GiB.
    FaltungError
        Where an operator refuses its inputs, or a size that it needs is a name.
    """
    model = _written(graph)
    _checked(model)
    return model


def _checked(model: onnx.ModelProto) -> bytes:
    """Return the bytes of a model, once ONNX's checker accepts them."""
    try:
        data: bytes = model.SerializeToString(deterministic=True)
        onnx.checker.check_model(data, full_check=True)
    except (
        onnx.checker.ValidationError,
        onnx.shape_inference.InferenceError,
        EncodeError,
        ValueError,
    ) as error:
        cause = " ".join(str(error).split())
        raise GraphError(
            message("save", "ONNX does not accept the graph", {"cause": cause})
        ) from error
    return data


def _written(graph: Graph) -> onnx.ModelProto:
    check_known(graph, "saved")
    _check_text(graph)
    _check_size(graph)
    dtype = _one_dtype(graph)
    shapes = graph.shapes()
    writer = _Writer(graph, dtype)
    for node in graph.nodes:
        writer.add(node, [shapes[name] for name in node.inputs])
    return writer.model(shapes)


class _Writer:
    """Collects nodes and constants under names that are not taken."""

    def __init__(self, graph: Graph, dtype: str) -> None:
        self.graph = graph
        self.dtype = dtype
        self.opset = OPSET
        self.nodes: list[onnx.NodeProto] = []
        self.functions: dict[str, dict[str, OnnxFunction]] = {}
        self.initializers = [
            to_tensor(name, array)
            for arrays in (graph.params, graph.state)
            for name, array in arrays.items()
        ]
        self.values = {tensor.name for tensor in self.initializers}
        self.values.update(value.name for value in graph.inputs)
        self.values.update(name for node in graph.nodes for name in node.outputs)
        self.node_names = {node.name for node in graph.nodes}
        self.dtypes = dtypes_of(graph)

    def add(self, node: Node, in_shapes: list[Shape]) -> None:
        """Write one node of the graph; the last of its ONNX nodes has its name."""
        # Stand-ins, so that what an operator calls its own values cannot be one of its inputs.
        inputs = {f"@{i}": name for i, name in enumerate(node.inputs)}
        outputs = {f"={i}": name for i, name in enumerate(node.outputs)}
        parts = node.operator.to_onnx(tuple(inputs), tuple(outputs), in_shapes)
        function = node.operator.onnx_function()
        if function is not None:
            self.functions.setdefault(node.operator.onnx_domain, {})[function.name] = function
        renamed = {**inputs, **outputs}
        for name in (name for part in parts for name in (*part.constants, *part.outputs)):
            if name not in renamed:
                stem, dot, end = name.partition(".")
                renamed[name] = _free(f"{outputs.get(stem, stem)}{dot}{end}", self.values)
        for part in parts:
            name = node.name
            if part is not parts[-1]:
                name = _free(f"{node.name}.{part.op_type.lower()}", self.node_names)
            self._add_part(part, name, renamed)

    def _add_part(self, part: OnnxNode, name: str, renamed: Mapping[str, str]) -> None:
        self.opset = max(self.opset, part.opset)
        for constant, array in part.constants.items():
            self.initializers.append(to_tensor(renamed[constant], self._typed(array)))
        proto = onnx.NodeProto(
            name=name,
            op_type=part.op_type,
            domain=part.domain,
            input=[renamed.get(n, n) for n in part.inputs],
            output=[renamed.get(n, n) for n in part.outputs],
            attribute=[_attribute(k, v) for k, v in part.attributes.items() if v != ()],
        )
        self.nodes.append(proto)

    def _typed(self, array: Array) -> Array:
        """A constant in float64 gets the graph's dtype; what has to be float32 is so already."""
        return array.astype(self.dtype) if array.dtype == np.float64 else array

    def model(self, shapes: Mapping[str, Shape]) -> onnx.ModelProto:
        """Return the whole model."""
        opset = helper.make_opsetid("", self.opset)
        ours = [helper.make_opsetid(domain, VERSION) for domain in self.functions]
        model = helper.make_model(
            self._graph(shapes),
            opset_imports=[opset, *ours],
            functions=self._functions(),
            ir_version=helper.find_min_ir_version_for([opset]),
            producer_name="faltung",
            producer_version=__version__,
        )
        helper.set_model_props(model, self._metadata())
        return model

    def _graph(self, shapes: Mapping[str, Shape]) -> onnx.GraphProto:
        def described(name: str) -> onnx.ValueInfoProto:
            kind = element_type(self.dtypes[name])
            return helper.make_tensor_value_info(name, kind, shapes[name])

        inside = [name for node in self.graph.nodes for name in node.outputs]
        return helper.make_graph(
            self.nodes,
            "faltung",
            [described(value.name) for value in self.graph.inputs],
            [described(name) for name in self.graph.outputs],
            self.initializers,
            value_info=[described(n) for n in inside if n not in self.graph.outputs],
        )

    def _functions(self) -> list[onnx.FunctionProto]:
        """All bodies, in the operator set of the model: its nodes may ask for a newer one."""
        return [
            to_function(domain, function, self.opset)
            for domain, functions in self.functions.items()
            for function in functions.values()
        ]

    def _metadata(self) -> dict[str, str]:
        return {**self.graph.metadata, STATE_KEY: json.dumps(list(self.graph.state))}


def _free(wanted: str, taken: set[str]) -> str:
    """Return a name that is not taken, and take it."""
    name, count = wanted, 1
    while name in taken:
        count += 1
        name = f"{wanted}.{count}"
    taken.add(name)
    return name


def _attribute(name: str, value: Attribute) -> onnx.AttributeProto:
    """Return an attribute; ONNX's floats are float32, so what that loses goes to the comment."""
    proto = helper.make_attribute(name, value)
    if isinstance(value, float) and shortest(value) != value:
        proto.doc_string = repr(value)
    return proto


def _one_dtype(graph: Graph) -> str:
    """Return the dtype of all inputs and arrays: ONNX's operators do not mix them."""
    found = {dtype.name for dtype in _given(graph).values()}
    odd = {name for name in found if name not in WRITTEN} if _is_fit(graph) else set()
    dtype = next(iter(sorted(found - odd)), "float32")
    if found - odd - {dtype} or dtype not in WRITTEN:
        values = {"dtypes": ", ".join(sorted(found))}
        rule = f"inputs, params and state must all be {' or all be '.join(WRITTEN)}"
        cure = "Use graph.astype(numpy.float32)"
        raise GraphError(message("save", rule, values, cure))
    return dtype


def _given(graph: Graph) -> dict[str, np.dtype[Any]]:
    """Return the dtypes of what a graph is given: inputs, params and state."""
    arrays = {**graph.params, **graph.state}
    given = {value.name: np.dtype(value.dtype) for value in graph.inputs}
    return given | {name: array.dtype for name, array in arrays.items()}


def dtypes_of(graph: Graph) -> dict[str, np.dtype[Any]]:
    """Return the dtype of every value, as ONNX counts them."""
    dtypes = _given(graph)
    for node in graph.nodes:
        outs = node.operator.out_dtypes([dtypes[name] for name in node.inputs])
        dtypes.update(zip(node.outputs, outs, strict=True))
    return dtypes


def _is_fit(graph: Graph) -> bool:
    """Whether whatever is not a float goes to operators alone that ONNX lets take it."""
    dtypes = dtypes_of(graph)
    return all(
        dtypes[name].kind in node.operator.onnx_kinds
        for node in graph.nodes
        for name in node.inputs
    )


def _check_size(graph: Graph) -> None:
    size = sum(a.nbytes for arrays in (graph.params, graph.state) for a in arrays.values())
    if size >= LARGEST_FILE:
        rule = "one ONNX file holds less than 2 GiB"
        raise GraphError(message("save", rule, {"bytes": size}))


def _check_text(graph: Graph) -> None:
    for name in _names(graph):
        if not name:
            raise GraphError(message("save", "names must not be empty"))
    for text in (*_names(graph), *graph.metadata, *graph.metadata.values()):
        if not _is_utf8(text):
            rule = "names and metadata must be text that UTF-8 can hold"
            raise GraphError(message("save", rule, {"text": repr(text)}))
    if STATE_KEY in graph.metadata:
        raise GraphError(message("save", "this metadata is the file's own", {"key": STATE_KEY}))


def _names(graph: Graph) -> Iterator[str]:
    yield from (value.name for value in graph.inputs)
    yield from graph.params
    yield from graph.state
    for node in graph.nodes:
        yield node.name
        yield from node.outputs


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
