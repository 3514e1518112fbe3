"""Nodes that are values: what they make is known once the sizes of a model's inputs are.

Constant, ConstantOfShape, Range, Shape and Size never become nodes of a graph where their values
are known. Nothing larger than `LARGEST_FOLDED` is made, whatever a file asks for.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import onnx

from faltung.errors import FaltungError, ModelFileError, message
from faltung.graph.onnx_tensors import to_array
from faltung.ops.operator import Array, Shape

CONSTRUCTS: Final = ("Constant", "ConstantOfShape", "Range", "Shape", "Size")

LARGEST_FOLDED: Final = 2**30
"""Bytes of all the values that one import computes."""

_NUMBERS: Final[Mapping[str, Any]] = {
    "value_float": np.float32,
    "value_floats": np.float32,
    "value_int": np.int64,
    "value_ints": np.int64,
}


def made(
    proto: onnx.NodeProto,
    arrays: Mapping[str, Array],
    shapes: Mapping[str, Shape],
    room: int = LARGEST_FOLDED,
) -> Array | None:
    """Return the value of one of `CONSTRUCTS`; None where it is not known.

    Parameters
    ----------
    proto
        The node.
    arrays, shapes
        What is known of its inputs, by name.
    room
        How many bytes it may have.

    Raises
    ------
    ModelFileError
        The node is malformed, or its value would be too large.
    """
    subject = f"{proto.op_type} {proto.output[0]!r}"
    if proto.op_type == "Constant":
        return _constant(proto)
    if proto.op_type in ("Shape", "Size"):
        return _sizes(proto, shapes.get(proto.input[0]))
    if not all(name in arrays for name in proto.input):
        return None
    given = [arrays[name] for name in proto.input]
    try:
        if proto.op_type == "Range":
            return _range(given, subject, room)
        return _filled(proto, given[0], room)
    except FaltungError:
        raise
    except (TypeError, ValueError, ZeroDivisionError, OverflowError) as error:
        rule = "its inputs must be numbers that make an array"
        raise ModelFileError(message(subject, rule, {"inputs": _shown(given)})) from error


def _shown(arrays: Sequence[Array]) -> list[object]:
    """Return small arrays as lists, others by shape: NumPy takes long to write many axes."""
    return [a.tolist() if a.size <= 8 else f"{a.dtype} {a.shape}" for a in arrays]


def _check_size(size: int, itemsize: int, subject: str, room: int) -> None:
    """Refuse a value that is too large to be made at import."""
    if size * itemsize > room:
        values = {"bytes": size * itemsize, "left": room}
        rule = f"values made at import must have {LARGEST_FOLDED} bytes at most, all together"
        raise ModelFileError(message(subject, rule, values))


def _constant(proto: onnx.NodeProto) -> Array:
    subject = f"constant {proto.output[0]!r}"
    named = {a.name: a for a in proto.attribute}
    if len(named) != 1 or not named.keys() <= {"value", *_NUMBERS}:
        rule = "it must have one value, of numbers"
        raise ModelFileError(message(subject, rule, {"attributes": sorted(named)}))
    ((name, attribute),) = named.items()
    if name == "value":
        return to_array(attribute.t, subject)
    return np.array(onnx.helper.get_attribute_value(attribute), dtype=_NUMBERS[name])


def _sizes(proto: onnx.NodeProto, shape: Shape | None) -> Array | None:
    """Return a shape, or a part of it, or how many values there are; None for open sizes."""
    if shape is None:
        return None
    ends = {a.name: int(a.i) for a in proto.attribute}
    part = shape[ends.get("start", 0) : ends.get("end", len(shape))]
    if not all(isinstance(n, int) for n in part):
        return None
    if proto.op_type == "Size":
        return np.array(math.prod(int(n) for n in part), dtype=np.int64)
    return np.array(part, dtype=np.int64)


def _range(given: list[Array], subject: str, room: int) -> Array:
    start, limit, delta = (x.reshape(()).item() for x in given)
    dtype = given[0].dtype
    count = max(math.ceil((limit - start) / delta), 0)
    _check_size(count, dtype.itemsize, subject, room)
    steps = np.arange(count, dtype=np.float64 if dtype.kind == "f" else dtype)
    return np.asarray(start + steps * delta, dtype=dtype)


def _filled(proto: onnx.NodeProto, shape: Array, room: int) -> Array:
    subject = f"{proto.op_type} {proto.output[0]!r}"
    value: Array = np.zeros(1, np.float32)
    for attribute in proto.attribute:
        value = to_array(attribute.t, subject)
    sizes = tuple(int(n) for n in shape)
    _check_size(math.prod(sizes), value.dtype.itemsize, subject, room)
    if any(n < 0 for n in sizes):
        raise ValueError(sizes)
    # All of them are the same few bytes: networks without weights take no memory for them.
    one = value.reshape(()).tobytes()
    return np.ndarray(sizes, value.dtype, buffer=one, strides=(0,) * len(sizes))
