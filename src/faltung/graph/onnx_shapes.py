"""The sizes of a model's inputs: what the file declares, and numbers for what it leaves open."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import onnx

from faltung.errors import GraphError, message
from faltung.graph.onnx_tensors import size_name, to_shape
from faltung.ops.operator import Shape

Shapes = Shape | Mapping[str, Shape] | None


def input_shapes(
    values: Iterable[onnx.ValueInfoProto], given: Shapes, open_size: int | None = None
) -> dict[str, Shape]:
    """Return the shape of each input: what is given, which must fit what the file declares.

    A size that the file calls by one name in several inputs is one size in all of them. What is
    open after that becomes ``open_size``, or stays a name.

    Raises
    ------
    GraphError
        A shape is given for no input, or contradicts the file.
    """
    declared = {v.name: v for v in values}
    named = _named(list(declared), given)
    numbers: dict[str, int] = {}
    for name, shape in named.items():
        _learn(declared[name], tuple(shape), numbers)
    shapes = {
        name: tuple(named[name]) if name in named else _completed(value, numbers)
        for name, value in declared.items()
    }
    if open_size is None:
        return shapes
    if open_size < 0:
        rule = "a size must not be negative"
        raise GraphError(message("load", rule, {"open_size": open_size}))
    return {
        name: tuple(open_size if isinstance(n, str) else n for n in shape)
        for name, shape in shapes.items()
    }


def _named(names: list[str], given: Shapes) -> Mapping[str, Shape]:
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        if len(names) != 1:
            rule = "shapes must be a mapping where there are several inputs"
            raise GraphError(message("load", rule, {"inputs": names}))
        return {names[0]: given}
    unknown = sorted(set(given) - set(names))
    if unknown:
        values = {"names": unknown, "inputs": names}
        raise GraphError(message("load", "shapes must name inputs", values))
    return given


def _learn(value: onnx.ValueInfoProto, shape: Shape, numbers: dict[str, int]) -> None:
    """Check a shape against the file's, and keep the numbers of the names that it fills in."""
    declared = to_shape(value)
    values = {"shape": shape, "declared": declared}
    fits = len(shape) == len(declared) and all(
        isinstance(want, str) or want == have for want, have in zip(declared, shape, strict=True)
    )
    if not fits:
        rule = "its shape must fit what the file declares"
        raise GraphError(message(f"input {value.name!r}", rule, values))
    for dim, size in zip(value.type.tensor_type.shape.dim, shape, strict=True):
        called = size_name(dim)
        if not called or not isinstance(size, int):
            continue
        if numbers.setdefault(called, size) != size:
            rule = f"the size {called!r} must be one number"
            raise GraphError(message(f"input {value.name!r}", rule, values))


def _completed(value: onnx.ValueInfoProto, numbers: Mapping[str, int]) -> Shape:
    dims = value.type.tensor_type.shape.dim
    return tuple(
        numbers.get(size_name(dim), size) if size_name(dim) else size
        for dim, size in zip(dims, to_shape(value), strict=True)
    )
