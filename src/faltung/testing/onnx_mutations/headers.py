"""Mutations of what stands around the graph, and of graphs inside it."""

from __future__ import annotations

from random import Random
from typing import Any

from onnx import AttributeProto, ModelProto, NodeProto

from faltung.testing.onnx_mutations.names import any_name, odd_name
from faltung.testing.onnx_mutations.tensors import INTS

DEEP = 40
"""How deep graphs lie in one another, under what protobuf reads."""


def opset(rng: Random, model: ModelProto) -> None:
    """Name another version of the operators, none, two, or another domain."""
    what = rng.choice(("version",) * 5 + ("drop", "twice", "domain"))
    if what == "version":
        versions = (*range(7, 27), 99, rng.choice(INTS))
        rng.choice(model.opset_import).version = rng.choice(versions)
    elif what == "drop":
        del model.opset_import[rng.randrange(len(model.opset_import))]
    elif what == "twice":
        domain = rng.choice(("", "ai.onnx", "faltung", "ai.onnx.ml"))
        model.opset_import.add(domain=domain, version=rng.choice((1, 13, 17, 22)))
    else:
        rng.choice(model.opset_import).domain = rng.choice(("ai.onnx", "faltung", "x"))


def header(rng: Random, model: ModelProto) -> None:
    """Change the version of the format, or who wrote it."""
    what = rng.choice(("ir_version", "model_version", "producer_name", "domain", "doc_string"))
    value: Any = rng.choice(INTS) if what.endswith("_version") else odd_name(rng)
    setattr(model, what, value)


def metadata(rng: Random, model: ModelProto) -> None:
    """Change a text that the file carries, or have a key twice."""
    names = '["%s"]' % any_name(rng, model)  # noqa: UP031
    texts = ("", "{}", "[1]", "[" * 9999, "null", "\x00", "1" * 9999, '["x"]', names, odd_name(rng))
    if rng.random() < 0.3:
        key = rng.choice(("faltung.state", "classes", odd_name(rng)))
        model.metadata_props.add(key=key, value=rng.choice(texts))
    else:
        rng.choice(model.metadata_props).value = rng.choice(texts)


def subgraph(rng: Random, model: ModelProto) -> None:
    """Give a node a graph as its attribute, or graphs in one another."""
    node: NodeProto = rng.choice(model.graph.node)
    graph = type(model.graph)()
    graph.CopyFrom(model.graph)
    if rng.random() < 0.3:
        del graph.initializer[:]
        for _ in range(DEEP):
            deeper = type(graph)(name="deeper")
            inner = deeper.node.add(op_type="If", input=["x"], output=["y"])
            inner.attribute.add(name="then_branch", type=AttributeProto.GRAPH).g.CopyFrom(graph)
            graph = deeper
    if rng.random() < 0.3:
        node.op_type = rng.choice(("If", "Loop", "Scan"))
    name = rng.choice(("body", "then_branch", "else_branch", "pads"))
    node.attribute.add(name=name, type=AttributeProto.GRAPH).g.CopyFrom(graph)


def function(rng: Random, model: ModelProto) -> None:
    """Add a function that calls itself, redefines an operator, or has another body."""
    node: NodeProto = rng.choice(model.graph.node)
    what = rng.choice(("itself", "redefines", "body", "drop", "pair", "inputs"))
    if what == "drop":
        del model.functions[rng.randrange(len(model.functions))]
    elif what in ("body", "inputs"):
        _change(rng, rng.choice(model.functions), what)
    else:
        domain = rng.choice(("", "ai.onnx") if what == "redefines" else ("faltung", "x"))
        node.domain = domain
        _add(model, node, domain, "Other" if what == "pair" else node.op_type)
        if what == "pair":
            other = type(node)(op_type="Other", domain=domain, output=["y"])
            _add(model, other, domain, node.op_type)


def _add(model: ModelProto, body: NodeProto, domain: str, name: str) -> None:
    """Add a function whose body is one node."""
    added = model.functions.add(name=name, domain=domain)
    added.input.extend(body.input)
    added.output.extend(body.output)
    added.node.add().CopyFrom(body)
    added.opset_import.extend(model.opset_import)
    if domain not in {entry.domain for entry in model.opset_import}:
        model.opset_import.add(domain=domain, version=1)


def _change(rng: Random, function: Any, what: str) -> None:
    if what == "inputs":
        rng.choice((function.input, function.output, function.attribute)).append(odd_name(rng))
    elif rng.random() < 0.5:
        del function.node[rng.randrange(len(function.node))]
    else:
        changed = rng.choice(function.node)
        changed.op_type, changed.domain = function.name, function.domain
