"""Mutations of nodes: their wiring, what they are, their attributes."""

from __future__ import annotations

import functools
from random import Random
from typing import Final

from onnx import AttributeProto, ModelProto, NodeProto, TensorProto, defs, helper

from faltung.graph.onnx_constants import CONSTRUCTS
from faltung.ops import OPERATORS, READ_AS
from faltung.testing.onnx_mutations.names import any_name, odd_name
from faltung.testing.onnx_mutations.tensors import INTS, change_list

FLOATS: Final = (0.0, -0.0, 1.0, -1.0, 0.5, 1e-30, 1e30, -1e38, float("nan"), float("inf"))
WORDS: Final = (
    *(b"", b"SAME_UPPER", b"SAME_LOWER", b"VALID", b"NOTSET", b"constant", b"reflect", b"edge"),
    *(b"wrap", b"linear", b"nearest", b"cubic", b"asymmetric", b"tf_crop_and_resize", b"CRD"),
    *(b"floor", b"\xff\xfe", b"a" * 10_000, b"none", b"tanh", b"align_corners", b"circular"),
)
ATTRIBUTES: Final = (
    *("axis", "axes", "pads", "strides", "dilations", "kernel_shape", "group", "auto_pad", "to"),
    *("output_padding", "output_shape", "perm", "keepdims", "epsilon", "alpha", "mode", "value"),
    *("transA", "blocksize", "size", "ceil_mode", "allowzero", "body", "start", "end", "split"),
    *("num_outputs", "value_ints", "sparse_value", "largest", "block_size", "p", "scales"),
    *("coordinate_transformation_mode", "nearest_mode", "storage_order", "padding_mode"),
)
OTHERS: Final = ("If", "Loop", "Scan", "SequenceAt", "Einsum", "LSTM", "Nothing", "", "conv")


def wiring(rng: Random, model: ModelProto) -> None:
    """Let a node read or write another value, none, or one more."""
    node: NodeProto = rng.choice(model.graph.node)
    ends = rng.choice((node.input, node.input, node.output))
    name = any_name(rng, model)
    what = rng.choice(("set", "set", "append", "drop", "swap", "itself", "many"))
    if what == "append" or not ends:
        ends.append(name)
    elif what == "set":
        ends[rng.randrange(len(ends))] = name
    elif what == "drop":
        del ends[rng.randrange(len(ends))]
    elif what == "swap":
        turned = list(reversed(ends))
        del ends[:]
        ends.extend(turned)
    elif what == "itself":
        ends[rng.randrange(len(ends))] = rng.choice([*node.input, *node.output])
    else:
        ends.extend([name] * rng.choice((2, 20, 300)))


def cycle(rng: Random, model: ModelProto) -> None:
    """Let a node read what a later node makes of its own output."""
    nodes = model.graph.node
    first = rng.randrange(len(nodes))
    node, later = nodes[first], nodes[rng.randrange(first, len(nodes))]
    node.input[rng.randrange(len(node.input))] = rng.choice(later.output)


def exchange(rng: Random, model: ModelProto) -> None:
    """Let two nodes read each other's inputs, or write each other's outputs."""
    first, second = rng.choice(model.graph.node), rng.choice(model.graph.node)
    field = rng.choice(("input", "output"))
    a, b = list(getattr(first, field)), list(getattr(second, field))
    for node, names in ((first, b), (second, a)):
        node.ClearField(field)
        getattr(node, field).extend(names)


def kind(rng: Random, model: ModelProto) -> None:
    """Let a node be another operator, or of another domain."""
    node: NodeProto = rng.choice(model.graph.node)
    what = rng.choice(("operator", "operator", "operator", "other", "domain", "overload"))
    if what == "operator":
        node.op_type = rng.choice((*OPERATORS, *READ_AS, *CONSTRUCTS))
    elif what == "other":
        node.op_type = rng.choice((*OTHERS, odd_name(rng)))
    elif what == "domain":
        node.domain = rng.choice(("ai.onnx", "ai.onnx.ml", "faltung", "com.microsoft", "", "é"))
    else:
        node.overload = odd_name(rng)


def set_of_nodes(rng: Random, model: ModelProto) -> None:
    """Drop a node, have it twice, under another name, or in another order."""
    nodes = model.graph.node
    node = rng.choice(nodes)
    what = rng.choice(("drop", "twice", "name", "reverse", "shuffle", "none", "more"))
    if what == "drop":
        nodes.remove(node)
    elif what == "twice":
        nodes.append(node)
    elif what == "name":
        node.name = rng.choice((odd_name(rng), *(n.name for n in nodes)))
    elif what == "more":
        more = helper.make_node(rng.choice(list(OPERATORS)), [any_name(rng, model)], ["more"])
        nodes.insert(rng.randrange(len(nodes) + 1), more)
    elif what == "none":
        del nodes[: rng.choice((1, len(nodes)))]
    else:
        turned = list(nodes)
        if what == "shuffle":
            rng.shuffle(turned)
        del nodes[:]
        nodes.extend(turned if what == "shuffle" else reversed(turned))


def attribute(rng: Random, model: ModelProto) -> None:
    """Change an attribute's value, type or name, drop it, or have it twice."""
    node = rng.choice([n for n in model.graph.node if n.attribute])
    found: AttributeProto = rng.choice(node.attribute)
    what = rng.choice(("value",) * 6 + ("type", "name", "drop", "drop", "twice", "comment"))
    if what == "value":
        _change(rng, found)
    elif what == "type":
        found.type = rng.choice((*range(15), 1000))
    elif what == "name":
        found.name = rng.choice((*ATTRIBUTES, odd_name(rng)))
    elif what == "drop":
        node.attribute.remove(found)
    elif what == "twice":
        node.attribute.append(found)
    else:
        found.doc_string = rng.choice(("nan", "1e400", "0.1", "-inf", "1_0", odd_name(rng)))


def new_attribute(rng: Random, model: ModelProto) -> None:
    """Give a node one more attribute, of any type."""
    node: NodeProto = rng.choice(model.graph.node)
    added = node.attribute.add(name=rng.choice(ATTRIBUTES))
    if any(a.name == added.name for a in list(node.attribute)[:-1]) and rng.random() < 0.8:
        others = [a for a in node.attribute if a.name != added.name] + [added]
        name = added.name
        del node.attribute[:]
        node.attribute.extend(others)
        added = node.attribute[-1]
        added.name = name
    added.type = rng.choice((1, 2, 2, 3, 4, 6, 7, 7, 7, 8))
    _change(rng, added)


def known_attribute(rng: Random, model: ModelProto) -> None:
    """Give a node an attribute that its operator has, of the right type, with any value."""
    node: NodeProto = rng.choice(model.graph.node)
    schema = _schema(node)
    name = rng.choice(sorted(schema.attributes))
    others = [a for a in node.attribute if a.name != name]
    del node.attribute[:]
    node.attribute.extend(others)
    kind = AttributeProto.AttributeType.Value(str(schema.attributes[name].type).rpartition(".")[2])
    _change(rng, node.attribute.add(name=name, type=kind))


def alike(rng: Random, model: ModelProto) -> None:
    """Let a node be another operator that takes as many inputs, without what it does not have."""
    node: NodeProto = rng.choice(model.graph.node)
    given, made = len(node.input), len(node.output)
    fits = [
        name
        for name, schema in _schemas().items()
        if schema.min_input <= given <= schema.max_input and made <= schema.max_output
    ]
    node.op_type, node.domain = rng.choice(fits), ""
    kept = [a for a in node.attribute if a.name in _schema(node).attributes]
    del node.attribute[:]
    node.attribute.extend(kept)


@functools.cache
def _schemas() -> dict[str, defs.OpSchema]:
    return {name: defs.get_schema(name) for name in OPERATORS if defs.has(name)}


def _schema(node: NodeProto) -> defs.OpSchema:
    if node.op_type not in _schemas():
        raise ValueError(node.op_type)
    return _schemas()[node.op_type]


def _change(rng: Random, found: AttributeProto) -> None:
    """Give an attribute another value of its type."""
    if found.type == AttributeProto.INT:
        found.i = rng.choice(INTS)
    elif found.type == AttributeProto.FLOAT:
        found.f = rng.choice(FLOATS)
    elif found.type == AttributeProto.STRING:
        found.s = rng.choice(WORDS)
    elif found.type == AttributeProto.INTS:
        change_list(rng, found.ints)
    elif found.type == AttributeProto.FLOATS:
        change_list(rng, found.floats, FLOATS)
    elif found.type == AttributeProto.STRINGS:
        change_list(rng, found.strings, WORDS)
    elif found.type == AttributeProto.TENSOR:
        change_list(rng, found.t.dims)
        found.t.data_type = rng.choice((TensorProto.FLOAT, TensorProto.INT64, *range(24)))
