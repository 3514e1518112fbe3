"""The walk from an accepted model to a graph: shapes and constants are kept as they are known.

A node whose inputs are all constants is computed by its own operator and disappears; so does all
arithmetic on shapes once the sizes of the inputs are numbers. A file that `faltung.save` wrote is
left as it is, so that it comes back as it was.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np
import onnx

from faltung.errors import FaltungError, ModelFileError, message
from faltung.graph.graph import Graph, Node, Value, check_arity
from faltung.graph.onnx_accept import opset_of
from faltung.graph.onnx_constants import CONSTRUCTS, LARGEST_FOLDED, made
from faltung.graph.onnx_forms import by_channel
from faltung.graph.onnx_functions import operator_class
from faltung.graph.onnx_nodes import operator_of, reads, to_node, trimmed
from faltung.graph.onnx_shapes import Shapes, input_shapes
from faltung.graph.onnx_tensors import STATE_KEY, dtype_name, to_array
from faltung.graph.shapes import where
from faltung.ops.operator import AbstractOperator, Array, ConstantError, Shape

_WEIGHTS: Final = {
    **dict.fromkeys(("Conv", "ConvTranspose", "Gemm"), (1, 2)),
    **dict.fromkeys(("BatchNormalization", "InstanceNormalization"), (1, 2)),
    **dict.fromkeys(("GroupNormalization", "LayerNormalization"), (1, 2)),
    **dict.fromkeys(("MatMul", "PRelu"), (1,)),
}
"""The inputs that are weights, wherever a file keeps them: some exporters make all Constants."""


class OpenError(ModelFileError):
    """Values that must be known before a graph runs, and are not.

    Parameters
    ----------
    line
        What is said of them.
    inputs
        The inputs of the model whose values they depend on.
    sizes
        The open sizes that they depend on.
    """

    def __init__(
        self, line: str, inputs: frozenset[str], sizes: frozenset[str] = frozenset()
    ) -> None:
        super().__init__(line)
        self.inputs = inputs
        self.sizes = sizes


class _Source(NamedTuple):
    """What a value that is no constant depends on: the values of inputs, and open sizes."""

    inputs: frozenset[str] = frozenset()
    sizes: frozenset[str] = frozenset()


class Importer:
    """Turns one accepted model into a graph.

    Parameters
    ----------
    model
        What `faltung.graph.onnx_accept.accepted` returned.
    shapes
        Numbers for sizes that the model leaves open.
    constants
        Arrays by name: of initializers that lie elsewhere, and of inputs that are to be fixed.
    open_size
        What every size becomes that is open nonetheless; None to leave them open.
    """

    def __init__(
        self,
        model: onnx.ModelProto,
        shapes: Shapes = None,
        constants: Mapping[str, Array] | None = None,
        open_size: int | None = None,
    ) -> None:
        self.model = model
        self.opset = opset_of(model)
        self.metadata = {p.key: p.value for p in model.metadata_props}
        self.arrays = {
            tensor.name: to_array(tensor, f"initializer {tensor.name!r}")
            for tensor in model.graph.initializer
        }
        self.arrays.update(constants or {})
        self.stored = frozenset(self.arrays)
        open_inputs = [v for v in model.graph.input if v.name not in self.arrays]
        self.shapes: dict[str, Shape] = input_shapes(open_inputs, shapes, open_size)
        self.inputs = tuple(
            Value(v.name, self.shapes[v.name], _input_dtype(v)) for v in open_inputs
        )
        self.shapes.update({name: array.shape for name, array in self.arrays.items()})
        self.sources = {v.name: _Source(frozenset({v.name})) for v in self.inputs}
        self.fixed: set[str] = set()
        self.unknown: set[str] = set()
        self.lost: set[str] = set()
        self.lacking: list[tuple[str, str]] = []
        self.folded = 0
        self.nodes: list[Node] = []
        self.values = {name for node in model.graph.node for name in node.output}
        self.values |= {*self.arrays, *self.shapes}
        self.read = {name for node in model.graph.node for name in reads(node)}
        self.read.update(value.name for value in model.graph.output)
        self.node_names = {node.name for node in model.graph.node}
        self.taken: set[str] = set()

    def graph(self) -> Graph:
        """Read every node, then sort the arrays into params and state."""
        for proto in self.model.graph.node:
            if not self._is_made(proto):
                self._read(proto)
        outputs = tuple(value.name for value in self.model.graph.output)
        self.lacking += [("the list of outputs", name) for name in outputs if name in self.unknown]
        self._check_known()
        read = {*outputs, *(name for node in self.nodes for name in node.inputs)}
        used = {name: array for name, array in self.arrays.items() if name in read}
        metadata = dict(self.metadata)
        state = self._state(used, metadata.pop(STATE_KEY, None))
        params = {name: array for name, array in used.items() if name not in state}
        kept = {name: array for name, array in used.items() if name in state}
        return Graph(self.inputs, tuple(self.nodes), outputs, params, kept, metadata)

    # Values that are known ------------------------------------------------------------------

    def _is_made(self, proto: onnx.NodeProto) -> bool:
        """Compute a node that is a value; False where it has to be read as an operator."""
        if proto.domain not in ("", "ai.onnx") or proto.op_type not in CONSTRUCTS:
            return False
        value = made(proto, self.arrays, self.shapes, LARGEST_FOLDED - self.folded)
        if value is not None:
            # Networks without their weights have the weights' shapes as initializers.
            stored = proto.op_type == "ConstantOfShape" and proto.input[0] in self.stored
            self._keep(proto.output[0], value, not stored)
            return True
        if operator_class(proto.domain, proto.op_type) is not None:
            return False
        self.sources[proto.output[0]] = self._source(proto)
        self._miss(proto.input, proto.output)
        return True

    def _keep(self, name: str, value: Array, fixed: bool) -> None:
        self.folded += value.nbytes
        self.arrays[name] = value
        self.shapes[name] = value.shape
        if fixed:
            self.fixed.add(name)

    def _source(self, proto: onnx.NodeProto) -> _Source:
        given = [self.sources[name] for name in proto.input if name in self.sources]
        inputs = frozenset().union(*(s.inputs for s in given))
        sizes = frozenset().union(*(s.sizes for s in given))
        if proto.op_type in ("Shape", "Size"):
            shapes = [self.shapes.get(name, ()) for name in (*proto.input, *inputs)]
            named = {n for shape in shapes for n in shape if isinstance(n, str)}
            return _Source(frozenset(), sizes | named)
        return _Source(inputs, sizes)

    # Nodes ----------------------------------------------------------------------------------

    def _read(self, proto: onnx.NodeProto) -> None:
        name = self._name(proto)
        self.taken.add(name)
        subject = f"layer {name!r} ({proto.op_type})"
        fixed = any(n in self.fixed for n in proto.input[1:])
        proto, repeated = by_channel(proto, self.opset, self.arrays, self.shapes)
        for new, array in repeated.items():
            self._keep(new, array, fixed)
        written = self._asked(proto)
        for output in filter(None, written):
            self.sources[output] = self._source(proto)
        known = to_node(proto, subject, self.opset, self.arrays, self.shapes)
        node = dataclasses.replace(known, outputs=written)
        try:
            operator, inputs = operator_of(node, subject)
        except ConstantError as error:
            if error.value not in self.lost:
                self.lacking.append((subject, error.value))
            self.lost.update(written)
            return
        if not self.unknown.isdisjoint(inputs) or not self.lost.isdisjoint(inputs):
            self._miss(inputs, written)
            return
        outputs = tuple(n or self._free(f"{name}.{i}") for i, n in enumerate(written))
        shapes = self._out_shapes(Node(name, operator, inputs, outputs))
        count = _outputs_of(operator, inputs, outputs) if shapes is None else len(shapes)
        outputs = self._counted(name, subject, outputs, count)
        if shapes is not None:
            self.shapes.update(zip(outputs, shapes, strict=True))
        if not self._is_folded(operator, inputs, outputs, shapes, subject):
            self.nodes.append(Node(name, operator, inputs, outputs))

    def _asked(self, proto: onnx.NodeProto) -> tuple[str, ...]:
        """Return a node's outputs, those left out that it may omit and that nobody reads."""
        if proto.domain not in ("", "ai.onnx") or STATE_KEY in self.metadata:
            return trimmed(proto.output)
        schema = onnx.defs.get_schema(proto.op_type, self.opset)
        optional = onnx.defs.OpSchema.FormalParameterOption.Optional
        may = [
            i < len(schema.outputs) and schema.outputs[i].option == optional
            for i, _ in enumerate(proto.output)
        ]
        return trimmed(
            "" if omit and name not in self.read else name
            for name, omit in zip(proto.output, may, strict=True)
        )

    def _miss(self, inputs: Iterable[str], outputs: Iterable[str]) -> None:
        """Note values that are not known; those that follow from a lack need no second word."""
        kind = self.unknown if self.lost.isdisjoint(inputs) else self.lost
        kind.update(filter(None, outputs))

    def _out_shapes(self, node: Node) -> tuple[Shape, ...] | None:
        """Return the shapes of a node's outputs; None where open sizes leave them open."""
        check_arity(node)
        if not all(name in self.shapes for name in node.inputs):
            return None
        given = [self.shapes[name] for name in node.inputs]
        try:
            return node.operator.out_shapes(given)
        except FaltungError as error:
            if any(isinstance(n, str) for shape in given for n in shape):
                return None  # an open size may yet be one that fits
            error.add_note(where(node, given))
            raise

    def _counted(
        self, name: str, subject: str, outputs: tuple[str, ...], count: int
    ) -> tuple[str, ...]:
        """Return a name for each output, for those as well that the file does not ask for."""
        if len(outputs) > count:
            first = "only its first output is" if count == 1 else "not all outputs are"
            raise ModelFileError(message(subject, f"{first} supported", {"outputs": outputs}))
        more = range(len(outputs), count)
        return (*outputs, *(self._free(f"{name}.{i}") for i in more))

    def _is_folded(
        self,
        operator: AbstractOperator,
        inputs: tuple[str, ...],
        outputs: tuple[str, ...],
        shapes: tuple[Shape, ...] | None,
        subject: str,
    ) -> bool:
        """Compute a node all of whose inputs are constants; False where it has to stay."""
        constant = bool(inputs) and all(name in self.arrays for name in inputs)
        if not constant or STATE_KEY in self.metadata or not self._has_room(shapes):
            return False
        try:
            with np.errstate(all="ignore"):
                values, _, _ = operator.forward([self.arrays[name] for name in inputs])
        except FaltungError as error:
            error.add_note(f"in {subject}")
            raise
        except (TypeError, ValueError, IndexError, OverflowError, MemoryError) as error:
            rule = "it cannot be computed from the constants that it is given"
            raise ModelFileError(message(subject, rule, {"cause": error})) from error
        for name, value in zip(outputs, values, strict=True):
            fixed = all(n in self.fixed or self.arrays[n].dtype.kind != "f" for n in inputs)
            self._keep(name, np.asarray(value), fixed)
        return True

    def _has_room(self, shapes: tuple[Shape, ...] | None) -> bool:
        sizes = [n for shape in shapes or () for n in shape]
        if shapes is None or not all(isinstance(n, int) for n in sizes):
            return shapes is not None
        values = sum(math.prod(int(n) for n in shape) for shape in shapes)
        return self.folded + values * 8 <= LARGEST_FOLDED

    # Names ----------------------------------------------------------------------------------

    def _name(self, proto: onnx.NodeProto) -> str:
        """Return the node's name; conv1, conv2 for those that have none or share theirs."""
        if proto.name and proto.name not in self.taken:
            return proto.name
        count, stem = (2, f"{proto.name}.") if proto.name else (1, proto.op_type.lower())
        while f"{stem}{count}" in self.taken or f"{stem}{count}" in self.node_names:
            count += 1
        return f"{stem}{count}"

    def _free(self, name: str) -> str:
        """Return a name for a value that the file gives none."""
        while name in self.values:
            name += "_"
        self.values.add(name)
        return name

    # Ends -----------------------------------------------------------------------------------

    def _check_known(self) -> None:
        """Refuse, all at once, what would have to be known before the graph runs."""
        if not self.lacking:
            return
        sources = [self.sources.get(value, _Source()) for _, value in self.lacking]
        inputs = frozenset().union(*(s.inputs for s in sources))
        sizes = sorted(frozenset().union(*(s.sizes for s in sources)))
        named = "; ".join(f"{subject} reads {value!r}" for subject, value in self.lacking[:8])
        more = f" and {len(self.lacking) - 8} more" if len(self.lacking) > 8 else ""
        rule = f"values that must be constants are computed: {named}{more}"
        if sizes:
            given = {v.name: v.shape for v in self.inputs if set(v.shape) & set(sizes)}
            cure = f"Give load(path, shapes=...) numbers for the open sizes of {given}"
        else:
            cure = "Fold them, or store them as initializers"
        raise OpenError(message("model", rule, {}, cure), inputs, frozenset(sizes))

    def _state(self, used: Mapping[str, Array], listed: str | None) -> set[str]:
        """Return the names of the arrays that are state."""
        if listed is not None:
            return _listed(listed)
        state = {
            n.inputs[i] for n in self.nodes for i in n.operator.state_inputs if i < len(n.inputs)
        }
        whole = {n for n, a in used.items() if not np.issubdtype(a.dtype, np.floating)}
        weights = {
            n.inputs[i]
            for n in self.nodes
            for i in _WEIGHTS.get(n.operator.onnx_type, ())
            if i < len(n.inputs)
        }
        return state | whole | (self.fixed - weights)


def _listed(text: str) -> set[str]:
    try:
        names = json.loads(text)
        if isinstance(names, list) and all(isinstance(name, str) for name in names):
            return set(names)
    except (ValueError, RecursionError):
        pass
    rule = f"the metadata {STATE_KEY!r} must be a JSON list of names"
    raise ModelFileError(message("model", rule))


def _input_dtype(value: onnx.ValueInfoProto) -> str:
    return dtype_name(value.type.tensor_type.elem_type, f"input {value.name!r}")


def _outputs_of(operator: AbstractOperator, inputs: Sequence[str], outputs: Sequence[str]) -> int:
    """Count an operator's outputs where their shapes are not known yet: at least those named."""
    try:
        kinds = operator.out_dtypes([np.dtype(np.float32)] * len(inputs))
    except FaltungError:  # their number is seen again once the sizes are known
        return len(outputs)
    return max(len(kinds), len(outputs))
