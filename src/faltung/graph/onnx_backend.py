"""faltung as a backend of ONNX's own: what runs models, and what ONNX's backend tests call.

A model may take at run time what decides shapes or attributes here, such as the target of a
Reshape. A model is therefore read when its inputs come: for their sizes, and for the values of
those inputs that have to be known. What was read stays for inputs alike.

>>> import numpy as np
>>> from onnx import helper
>>> node = helper.make_node("Relu", ["x"], ["y"])
>>> run_node(node, [np.float32([-1, 2])])
(array([0., 2.], dtype=float32),)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import onnx
from onnx import helper
from onnx.backend.base import Backend, BackendRep

from faltung.errors import GraphError, ModelFileError, message
from faltung.graph.evaluate import evaluate
from faltung.graph.graph import Graph
from faltung.graph.onnx_accept import accepted
from faltung.graph.onnx_import import Importer, OpenError
from faltung.graph.onnx_renewed import renewed
from faltung.graph.onnx_tensors import WIDENED, declared_name
from faltung.ops.operator import Array

KEPT_GRAPHS: Final = 4
"""How many readings of one model are kept."""


class Prepared(BackendRep):
    """A model that was accepted, and what was read of it for inputs that came.

    Parameters
    ----------
    model
        Is not changed.
    dtype
        float32, or float64 to compute in that: outputs are of the declared dtypes nonetheless.
    """

    def __init__(self, model: onnx.ModelProto, dtype: str | None = None) -> None:
        self.dtype = dtype
        self.model = accepted(renewed(model))
        given = {tensor.name for tensor in self.model.graph.initializer}
        self.names = tuple(v.name for v in self.model.graph.input if v.name not in given)
        self.graphs: dict[tuple[object, ...], tuple[Graph, frozenset[str]]] = {}

    def run(self, inputs: Any, **kwargs: Any) -> tuple[Array, ...]:
        """Return the outputs, in the model's order and of the dtypes that it declares.

        Parameters
        ----------
        inputs
            The inputs in the model's order, initializers left out; or a mapping by name.

        Raises
        ------
        FaltungError
            The inputs do not fit, or the model asks for what is not there.
        """
        feeds = self._named(inputs)
        graph = self._graph(feeds)
        values = evaluate(graph, {v.name: feeds[v.name] for v in graph.inputs}).values
        return tuple(_declared(value, values[value.name]) for value in self.model.graph.output)

    def _named(self, inputs: Mapping[str, Any] | Sequence[Any]) -> dict[str, Array]:
        if not isinstance(inputs, Mapping):
            if len(inputs) != len(self.names):
                values = {"given": len(inputs), "inputs": self.names}
                raise GraphError(message("backend", "every input must be given", values))
            inputs = dict(zip(self.names, inputs, strict=True))
        return {name: _held(np.asarray(inputs[name])) for name in self.names}

    def _graph(self, feeds: Mapping[str, Array]) -> Graph:
        """Return what was read for inputs like these, or read the model for them."""
        sizes = tuple(feeds[name].shape for name in self.names)
        for key, (graph, bound) in self.graphs.items():
            if key == (sizes, *((name, feeds[name].tobytes()) for name in sorted(bound))):
                return graph
        graph, bound = specialised(self.model, feeds)
        graph = graph if self.dtype is None else graph.astype(self.dtype)
        key = (sizes, *((name, feeds[name].tobytes()) for name in sorted(bound)))
        if len(self.graphs) >= KEPT_GRAPHS:
            del self.graphs[next(iter(self.graphs))]
        self.graphs[key] = graph, bound
        return graph


def specialised(model: onnx.ModelProto, feeds: Mapping[str, Array]) -> tuple[Graph, frozenset[str]]:
    """Read a model for the sizes of its inputs and for the values that must be known.

    Parameters
    ----------
    model
        What `accepted` returned.
    feeds
        All of its inputs by name.

    Returns
    -------
    graph, bound
        The graph, and the names of the inputs that it has no more: their values are part of it.
    """
    bound: set[str] = set()
    while True:
        shapes = {name: x.shape for name, x in feeds.items() if name not in bound}
        try:
            graph = Importer(model, shapes, {name: feeds[name] for name in bound}).graph()
        except OpenError as error:
            if not error.inputs - bound:
                raise
            bound |= error.inputs
        else:
            return graph, frozenset(bound)


def _held(x: Array) -> Array:
    """Return an array of a type that is widened as it is held."""
    return x.astype(WIDENED.get(x.dtype.name, x.dtype), copy=False)


def _declared(value: onnx.ValueInfoProto, y: Array) -> Array:
    """Return an output as the model declares it, where that is what we widened."""
    name = declared_name(value.type.tensor_type.elem_type)
    wide = y.dtype == np.float64 and name == "float32"
    if name not in WIDENED and not wide:
        return y
    with np.errstate(over="ignore"):
        return y.astype(helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type))


class FaltungBackend(Backend):
    """What `onnx.backend.test` and others of ONNX's tools call."""

    @classmethod
    def is_compatible(cls, model: onnx.ModelProto, device: str = "CPU", **kwargs: Any) -> bool:
        """Whether a model can be run: all of its operators and element types are there."""
        try:
            accepted(model)
        except ModelFileError:
            return False
        return cls.supports_device(device)

    @classmethod
    def prepare(cls, model: onnx.ModelProto, device: str = "CPU", **kwargs: Any) -> Prepared:
        """Return a model that can be run often; ``dtype="float64"`` computes in that.

        Raises
        ------
        ModelFileError
            The model is malformed or not supported, or the device is not there.
        """
        if not cls.supports_device(device):
            raise ModelFileError(message("backend", "only the CPU is there", {"device": device}))
        return Prepared(model, kwargs.get("dtype"))

    @classmethod
    def run_node(
        cls,
        node: onnx.NodeProto,
        inputs: Any,
        device: str = "CPU",
        outputs_info: Sequence[tuple[np.dtype[Any], tuple[int, ...]]] | None = None,
        **kwargs: Any,
    ) -> tuple[Array, ...]:
        """Return the outputs of one node; ``opset_version`` names ONNX's operator set."""
        opset = int(kwargs.get("opset_version", onnx.defs.onnx_opset_version()))
        given = [(name, np.asarray(x)) for name, x in zip(node.input, inputs, strict=True) if name]
        ends = [
            helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [])
            for name in node.output
            if name
        ]
        graph = helper.make_graph([node], "node", [_described(*pair) for pair in given], ends)
        ids = [helper.make_opsetid("", opset)]
        model = helper.make_model(
            graph, opset_imports=ids, ir_version=helper.find_min_ir_version_for(ids)
        )
        return cls.prepare(model, device).run(dict(given))

    @classmethod
    def supports_device(cls, device: str) -> bool:
        """Whether it runs there: on the CPU."""
        return device.split(":", maxsplit=1)[0] == "CPU"


def _described(name: str, x: Array) -> onnx.ValueInfoProto:
    kind = helper.np_dtype_to_tensor_dtype(x.dtype)
    return helper.make_tensor_value_info(name, kind, x.shape)


is_compatible = FaltungBackend.is_compatible
prepare = FaltungBackend.prepare
run_model = FaltungBackend.run_model
run_node = FaltungBackend.run_node
supports_device = FaltungBackend.supports_device
