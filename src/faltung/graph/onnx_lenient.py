"""Models that ask for more than there is, read as far as they can be: the rest becomes `Unknown`.

What is malformed stays refused: no model, names that are no text, cycles, two values of one name.
Whatever else the strict reading refuses is one node whose operator says why.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from functools import cached_property
from types import MappingProxyType
from typing import Final

import onnx
from onnx import helper

from faltung.errors import FaltungError, ModelFileError, message
from faltung.graph.graph import Node
from faltung.graph.onnx_accept import OLDEST_OPSET, check_whole, in_order, opset_of
from faltung.graph.onnx_functions import DOMAINS, check_functions, operator_class
from faltung.graph.onnx_import import Importer
from faltung.graph.onnx_inlined import inlined
from faltung.graph.onnx_nodes import reads
from faltung.graph.onnx_renewed import renewed
from faltung.graph.onnx_shapes import Shapes
from faltung.graph.onnx_tensors import check_inside, dtype_name, to_array
from faltung.graph.onnx_told import Told, told_values
from faltung.ops.operator import Array, Shape
from faltung.ops.unknown import Unknown

LACKING: Final = "faltung.lacking"
"""The domain of nodes that stand in for inputs and weights that cannot be read."""

MALFORMED: Final = (
    *(FaltungError, TypeError, ValueError, LookupError, ArithmeticError, AttributeError),
    *(MemoryError, RecursionError, onnx.defs.SchemaError),
)
"""What reading a node may raise that no checker has seen."""


class Accepted:
    """A model that can be read leniently, and what is lacking of it.

    Parameters
    ----------
    model
        Is changed: what cannot be read of it becomes nodes of the domain `LACKING`.
    unread
        Why weights that lie in other files could not be read, by name.

    Raises
    ------
    ModelFileError
        It is malformed.
    """

    def __init__(
        self, model: onnx.ModelProto, unread: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        check_whole(model)
        self.unread = unread
        self.reasons: dict[str, str] = {}
        self.told: dict[str, Told] = {}
        self.notes: list[str] = []
        self.lacking: list[onnx.NodeProto] = []
        self.model = self._of_an_opset(_without_functions(model))
        self._replace_inputs()
        self._replace_weights()
        self._replace_nothing()
        nodes = [*self.lacking, *self.model.graph.node]
        del self.model.graph.node[:]
        self.model.graph.node.extend(nodes)
        self.model = in_order(self.model)

    def _of_an_opset(self, model: onnx.ModelProto) -> onnx.ModelProto:
        """Return the model in one operator set that is read; note it where it is another's."""
        opset, newest = opset_of(model), onnx.defs.onnx_opset_version()
        if OLDEST_OPSET <= opset <= newest:
            return model
        wanted = OLDEST_OPSET if 0 < opset < OLDEST_OPSET else newest
        if wanted == OLDEST_OPSET:
            with contextlib.suppress(ModelFileError):  # then its nodes are read as they are
                return renewed(model)
        had = f"operator set {opset}" if opset else "no one operator set"
        self.notes.append(f"the model names {had}, and is read as of {wanted}")
        others = [o for o in model.opset_import if o.domain not in DOMAINS]
        others.append(helper.make_opsetid("", wanted))
        del model.opset_import[:]
        model.opset_import.extend(others)
        return model

    def _lack(self, name: str, kind: str, reason: str, told: Told) -> None:
        """Note a node that makes a value out of nothing."""
        self.lacking.append(helper.make_node(kind, [], [name], name=name, domain=LACKING))
        self.reasons[name], self.told[name] = reason, told

    def _replace_inputs(self) -> None:
        graph = self.model.graph
        stored = {tensor.name for tensor in graph.initializer}
        kept = []
        for value in graph.input:
            reason = "" if value.name in stored else _odd_input(value)
            if reason:
                self._lack(value.name, "Input", reason, Told())
            else:
                kept.append(value)
        del graph.input[:]
        graph.input.extend(kept)

    def _replace_weights(self) -> None:
        graph = self.model.graph
        odd = [
            (t, self.unread[t.name].rstrip(".") if t.name in self.unread else _odd_tensor(t))
            for t in graph.initializer
        ]
        kept = [tensor for tensor, reason in odd if not reason]
        lacking = [(tensor.name, tensor.dims, reason) for tensor, reason in odd if reason]
        reason = "sparse weights are not supported"
        lacking += [(s.values.name, s.dims, reason) for s in graph.sparse_initializer]
        if not lacking:
            return
        del graph.initializer[:]
        graph.initializer.extend(kept)
        graph.ClearField("sparse_initializer")
        gone = {name for name, _, _ in lacking}
        inputs = [value for value in graph.input if value.name not in gone]
        del graph.input[:]
        graph.input.extend(inputs)
        for name, dims, why in lacking:
            shape = tuple(int(n) for n in dims)
            self._lack(name, "Initializer", why, Told(None if min(shape, default=0) < 0 else shape))

    def _replace_nothing(self) -> None:
        """Let something make the values that nobody makes."""
        graph = self.model.graph
        known = {v.name for v in graph.input} | {t.name for t in graph.initializer}
        known.update(name for node in graph.node for name in node.output)
        known.update(self.reasons)
        wanted = [name for node in graph.node for name in node.input if name]
        wanted += [value.name for value in graph.output]
        for name in dict.fromkeys(wanted):
            if name not in known:
                self._lack(name, "Nothing", "nothing in the model makes this value", Told())


def _without_functions(model: onnx.ModelProto) -> onnx.ModelProto:
    try:
        return inlined(model)
    except ModelFileError:
        return model


def _odd_input(value: onnx.ValueInfoProto) -> str:
    """Return why an input cannot be an input of a graph; "" where it can."""
    kind = value.type.WhichOneof("value")
    if kind != "tensor_type":
        return f"its type is {(kind or 'none').removesuffix('_type')}, only arrays are supported"
    try:
        dtype_name(value.type.tensor_type.elem_type, f"input {value.name!r}")
    except FaltungError as error:
        return _said(error)
    if not value.type.tensor_type.HasField("shape"):
        return "the model does not say how many axes it has"
    return ""


def _odd_tensor(tensor: onnx.TensorProto) -> str:
    try:
        check_inside(tensor, f"initializer {tensor.name!r}")
        dtype_name(tensor.data_type, f"initializer {tensor.name!r}")
        to_array(tensor, f"initializer {tensor.name!r}")
    except FaltungError as error:
        return _said(error)
    return ""


def _said(error: BaseException) -> str:
    """Return what an error says, in one line without its full stop."""
    return " ".join(str(error).split()).rstrip(".") or type(error).__name__


class LenientImporter(Importer):
    """Turns a model into a graph in which what is lacking is `Unknown`.

    Parameters
    ----------
    accepted
        The model.
    shapes, constants, open_size
        As in `Importer`.

    Attributes
    ----------
    misfits
        How many nodes refuse the shapes of their inputs.
    needed
        The open sizes that constants would have to be computed from.
    """

    def __init__(
        self,
        accepted: Accepted,
        shapes: Shapes = None,
        constants: Mapping[str, Array] | None = None,
        open_size: int | None = None,
    ) -> None:
        super().__init__(accepted.model, shapes, constants, open_size)
        self.accepted = accepted
        self.misfits = 0
        self.needed: set[str] = set()

    def _is_made(self, proto: onnx.NodeProto) -> bool:
        if operator_class(proto.domain, proto.op_type) is not None or not proto.output:
            return False
        try:
            if not super()._is_made(proto):
                return False
        except MALFORMED as error:
            self._lack(proto, _said(error))
            return True
        if proto.output[0] not in self.arrays:
            self.lost.difference_update(proto.output)
            self.unknown.difference_update(proto.output)
            self._lack(proto, self._computed(proto))
        return True

    def _read(self, proto: onnx.NodeProto) -> None:
        if proto.domain == LACKING:
            (name,) = proto.output
            self._lack(proto, self.accepted.reasons[name], self.accepted.told[name])
        elif operator_class(proto.domain, proto.op_type) is None:
            self._lack(proto, _unsupported(proto))
        else:
            self._try(proto)

    def _try(self, proto: onnx.NodeProto) -> None:
        """Read a node as the operator that it is; where that is refused, keep why."""
        count, taken, reason = len(self.nodes), set(self.taken), ""
        try:
            self._check_function(proto)
            super()._read(proto)
        except MALFORMED as error:
            reason = _said(error)
        if not reason and not self.lost.isdisjoint(filter(None, proto.output)):
            reason = self._computed(proto)
        if reason:
            self.taken = taken
            del self.nodes[count:]
            for name in proto.output:
                self.arrays.pop(name, None)
                self.shapes.pop(name, None)
            self.lost.difference_update(proto.output)
            self._lack(proto, reason)

    def _check_function(self, proto: onnx.NodeProto) -> None:
        if proto.domain not in DOMAINS:
            bare = onnx.ModelProto(functions=self.model.functions)
            bare.graph.node.append(proto)
            check_functions(bare, self.opset)

    def _out_shapes(self, node: Node) -> tuple[Shape, ...] | None:
        least, most = node.operator.arity
        if not least <= len(node.inputs) <= most:
            rule = f"takes {least} to {most} inputs"
            raise ModelFileError(message(node.operator.subject, rule, {"inputs": len(node.inputs)}))
        try:
            return super()._out_shapes(node)
        except FaltungError:
            self.misfits += 1
            raise

    def _computed(self, proto: onnx.NodeProto) -> str:
        """Say what the value of a node, or its attributes, would be computed from."""
        read = (self.sources.get(name) for name in reads(proto))
        sources = [source for source in read if source is not None]
        sizes = frozenset().union(*(s.sizes for s in sources))
        if proto.op_type in ("Shape", "Size"):
            sizes |= self._source(proto).sizes
        self.needed |= sizes
        if sizes:
            return f"it is computed from the open sizes {', '.join(sorted(sizes))}"
        return "what it is computed from is known only when it runs"

    def _lack(self, proto: onnx.NodeProto, reason: str, told: Told | None = None) -> None:
        """Add a node that is not known."""
        name = self._name(proto)
        self.taken.add(name)
        outputs = tuple(filter(None, proto.output))
        inputs = tuple(n for n in reads(proto) if n in self.shapes or n in self.sources)
        known = [told or self._told.get(n, Told()) for n in outputs]
        domain = "" if proto.domain in (*DOMAINS, LACKING) else proto.domain
        operator = Unknown(
            proto.op_type,
            domain,
            reason,
            tuple(t.shape for t in known),
            tuple(t.dtype for t in known),
            tuple(self.shapes.get(n) for n in inputs),
        )
        for output, each in zip(outputs, known, strict=True):
            self.sources[output] = self._source(proto)
            if each.shape is not None:
                self.shapes[output] = each.shape
        self.nodes.append(Node(name, operator, inputs, outputs))

    @cached_property
    def _told(self) -> dict[str, Told]:
        return told_values(self.model, {v.name: v.shape for v in self.inputs})

    def _check_known(self) -> None:
        """Refuse nothing: what is lacking has its nodes."""


def _unsupported(proto: onnx.NodeProto) -> str:
    if not proto.op_type:
        return "it names no operator"
    if any(a.HasField("g") or a.graphs for a in proto.attribute):
        return "networks inside of operators are not supported"
    if proto.domain not in DOMAINS:
        return f"operators of the domain {proto.domain!r} are not supported"
    return "no such operator is supported"
