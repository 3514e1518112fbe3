"""Bugs in what an operator writes to an ONNX file, and in what it reads back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, replace
from typing import Any, Final

from faltung.ops.operator import Attribute, OnnxNode
from faltung.testing.cases import cases_of
from faltung.testing.mutants.mutant import Mutant, Operator, answer

AIM: Final = "check_onnx"
IMPLIED: Final = {"Conv": ("kernel_shape",), "ConvTranspose": ("kernel_shape",)}
"""Attributes that ONNX reads off the shape of ``w``: leaving them out changes nothing."""
COMMUTATIVE: Final = ("Add", "Mul", "Min", "Max", "Sum", "Equal", "And", "Or", "Xor")
"""Operators whose inputs may change places."""
UNREAD: Final = {
    "Conv": ("padding_mode", "exact"),
    "ConvTranspose": ("exact",),
    "Celu": ("alpha",),
    "LayerNormalization": ("statistics",),  # in float32 always; its own tests have them
    "Softmax": ("flatten",),
    "LogSoftmax": ("flatten",),
    "BatchNormalization": ("training_mode",),
    "MaxPool": ("indices",),  # ONNX's evaluator counts them by image, so tests of their own have it
    "NonMaxSuppression": ("selected",),  # named after the output, in tests of its own
}
"""Fields that no single node has.

They are written as another node, and read as that; or say how to compute, which files do not tell.
"""


def file_mutants(cls: Operator) -> Iterator[Mutant]:
    """Return the bugs of an operator's ONNX form."""
    yield answer("file: another operator", AIM, cls, "to_onnx", _another)
    inputs = max(len(case.in_shapes) for case in cases_of(cls))
    if inputs > 1 and cls.onnx_type not in COMMUTATIVE:
        yield answer("file: inputs in reverse", AIM, cls, "to_onnx", _reverse)
    if inputs > 1:
        yield answer("file: last input left out", AIM, cls, "to_onnx", _fewer)
    for name in sorted(_attributes(cls)):
        if name not in IMPLIED.get(cls.onnx_type, ()):
            yield _without(cls, name)
        yield _altered(cls, name)
    for field in fields(cls):
        if field.name not in UNREAD.get(cls.onnx_type, ()):
            yield _forgotten(cls, field.name)


def _last(nodes: tuple[OnnxNode, ...], **changes: Any) -> tuple[OnnxNode, ...]:
    return (*nodes[:-1], replace(nodes[-1], **changes))


def _another(nodes: tuple[OnnxNode, ...], *rest: Any) -> tuple[OnnxNode, ...]:
    other = "Tanh" if nodes[-1].op_type == "Identity" else "Identity"
    node = nodes[-1]
    return (*nodes[:-1], OnnxNode(other, node.inputs[:1], node.outputs))


def _reverse(nodes: tuple[OnnxNode, ...], *rest: Any) -> tuple[OnnxNode, ...]:
    return _last(nodes, inputs=nodes[-1].inputs[::-1])


def _fewer(nodes: tuple[OnnxNode, ...], *rest: Any) -> tuple[OnnxNode, ...]:
    return _last(nodes, inputs=nodes[-1].inputs[:-1])


def _attributes(cls: Operator) -> set[str]:
    """Names of the attributes that a case of the operator writes."""
    found: set[str] = set()
    for case in cases_of(cls):
        names = tuple(f"x{i}" for i, _ in enumerate(case.in_shapes))
        nodes = case.operator.to_onnx(names, ("y",), case.in_shapes)
        found.update(name for node in nodes for name in node.attributes)
    return found


def _without(cls: Operator, name: str) -> Mutant:
    def drop(nodes: tuple[OnnxNode, ...], *rest: Any) -> tuple[OnnxNode, ...]:
        return tuple(
            replace(n, attributes={k: v for k, v in n.attributes.items() if k != name})
            for n in nodes
        )

    return answer(f"file: without {name}", AIM, cls, "to_onnx", drop)


def _altered(cls: Operator, name: str) -> Mutant:
    def alter(nodes: tuple[OnnxNode, ...], *rest: Any) -> tuple[OnnxNode, ...]:
        return tuple(
            replace(
                n, attributes={k: _other(v) if k == name else v for k, v in n.attributes.items()}
            )
            for n in nodes
        )

    return answer(f"file: another {name}", AIM, cls, "to_onnx", alter)


def _other(value: Attribute) -> Attribute:
    """Return another value of the same kind."""
    match value:
        case str():
            return {"SAME_UPPER": "SAME_LOWER", "SAME_LOWER": "SAME_UPPER"}.get(value, "wrong")
        case float():
            return 2 * value + 0.5
        case int():
            return value + 1
    return tuple(v + 1 for v in value)


def _forgotten(cls: Operator, name: str) -> Mutant:
    """A field that is read as its default, or as that of the first example where it has none."""
    default = getattr(cls.examples()[0].operator, name)
    for field in fields(cls):
        if field.name == name and field.default is not field.default_factory:
            default = field.default

    def forget(read: Any, *rest: Any) -> Any:
        operator, inputs = read
        return replace(operator, **{name: default}), inputs

    return answer(f"file: {name} is not read", AIM, cls, "from_onnx", forget)
