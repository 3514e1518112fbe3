"""Large weights of a model's file, read straight to where they stay.

A model is one message. Whoever parses it has its weights in memory once more beside the file's
bytes, and again wherever the message is handed on. So the message is walked through first, as far
as its initializers: those that are large are read each by itself, and what is parsed lacks them.

The walk knows the few fields that it needs (Protocol Buffers, *Encoding*; ``onnx.proto``). Whatever
it does not expect stays in the message, for those who can say what is wrong with it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from math import prod
from typing import Any, BinaryIO, Final, NamedTuple

import numpy as np
import onnx

from faltung.graph.onnx_tensors import element_type
from faltung.graph.room import MOST_AXES
from faltung.kernels.pages import filled
from faltung.ops.operator import Array

LEAST: Final = 1 << 16
"""Bytes from which values are read by themselves."""
GRAPH: Final = onnx.ModelProto.GRAPH_FIELD_NUMBER
INITIALIZER: Final = onnx.GraphProto.INITIALIZER_FIELD_NUMBER
_T: Final = onnx.TensorProto
ONCE: Final = {_T.DATA_TYPE_FIELD_NUMBER: 0, _T.NAME_FIELD_NUMBER: 2, _T.RAW_DATA_FIELD_NUMBER: 2}
"""Fields of a tensor that must be there once, and how they are written."""
DTYPES: Final[Mapping[int, np.dtype[Any]]] = {
    int(_T.FLOAT): np.dtype(np.float32),
    int(_T.DOUBLE): np.dtype(np.float64),
}
_VARINT, _LONG, _BYTES, _SHORT = 0, 1, 2, 5
_MOST_BITS: Final = 64


class Apart(NamedTuple):
    """A model without its large weights, these, and the names of all weights in their order."""

    content: bytes
    weights: dict[str, Array]
    names: tuple[str, ...]


class _Odd(Exception):  # noqa: N818 - not an error: the message is read in another way
    """Something that the walk does not expect."""


class _Field(NamedTuple):
    """A field of a message: where it begins, where its content does, where it ends."""

    number: int
    kind: int
    begin: int
    body: int
    end: int
    value: int


class _Tensor(NamedTuple):
    """A tensor's name, and where its values lie; nowhere where they are to stay."""

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any] | None
    begin: int


def split(file: BinaryIO) -> Apart:
    """Read a model's file.

    Parameters
    ----------
    file
        From its beginning on.

    Returns
    -------
    Apart
        All of the file's bytes, and no weights, where it is no model that can be walked through.
    """
    if not file.seekable() or sys.byteorder != "little":
        return Apart(file.read(), {}, ())
    size = file.seek(0, 2)
    try:
        return _split(file, size)
    except (_Odd, UnicodeDecodeError):
        file.seek(0)
        return Apart(file.read(), {}, ())


def leave_inputs(model: onnx.ModelProto, weights: Mapping[str, Array]) -> None:
    """Let a model that lacks weights read them as inputs, where it does not declare them itself.

    Parameters
    ----------
    model
        Is changed.
    weights
        By name.
    """
    declared = {value.name for value in model.graph.input}
    for name, array in weights.items():
        if name not in declared:
            made = onnx.helper.make_tensor_value_info(name, element_type(array.dtype), array.shape)
            model.graph.input.append(made)


def _split(file: BinaryIO, size: int) -> Apart:
    (graph,) = _only(GRAPH, _fields(file, 0, size))
    tensors = {
        field: _tensor(file, field)
        for field in _fields(file, graph.body, graph.end)
        if field.number == INITIALIZER
    }
    names = tuple(tensor.name for tensor in tensors.values())
    if len(set(names)) < len(names):
        raise _Odd
    large = {field: tensor for field, tensor in tensors.items() if tensor.dtype is not None}
    inner = _without(file, graph.body, graph.end, list(large))
    head = _bytes(file, graph.begin, graph.body)
    key = head[: -len(_written(graph.end - graph.body))]
    parts = (_bytes(file, 0, graph.begin), key, _written(len(inner)), inner)
    content = b"".join((*parts, _bytes(file, graph.end, size)))
    return Apart(content, {t.name: _values(file, t) for t in large.values()}, names)


def _only(number: int, fields: Iterator[_Field]) -> list[_Field]:
    found = [field for field in fields if field.number == number]
    if len(found) != 1 or found[0].kind != _BYTES:
        raise _Odd
    return found


def _fields(file: BinaryIO, begin: int, end: int) -> Iterator[_Field]:
    """Yield the fields of a message that lies between two places."""
    while begin < end:
        file.seek(begin)
        key = _varint(file)
        value, kind = 0, key & 7
        body = file.tell()
        if kind == _VARINT:
            value = _varint(file)
            stop = file.tell()
        elif kind == _BYTES:
            size = _varint(file)
            body = file.tell()
            stop = body + size
        elif kind in (_LONG, _SHORT):
            stop = body + (8 if kind == _LONG else 4)
        else:
            raise _Odd
        if stop > end:
            raise _Odd
        yield _Field(key >> 3, kind, begin, body, stop, value)
        begin = stop


def _varint(file: BinaryIO) -> int:
    value = 0
    for shift in range(0, _MOST_BITS, 7):
        byte = file.read(1)
        if not byte:
            break
        value |= (byte[0] & 127) << shift
        if byte[0] < 128:
            return value
    raise _Odd


def _written(value: int) -> bytes:
    """Return a number as `_varint` reads it, in as few bytes as it takes."""
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes((*out, value))


def _tensor(file: BinaryIO, field: _Field) -> _Tensor:
    """Return an initializer's name, and where its values lie if they are read by themselves."""
    if field.kind != _BYTES:
        raise _Odd
    parts = list(_fields(file, field.body, field.end))
    found = {part.number: part for part in parts if part.number in ONCE}
    names = [part for part in parts if part.number == _T.NAME_FIELD_NUMBER]
    if len(names) != 1 or names[0].kind != _BYTES:
        raise _Odd
    name = _bytes(file, names[0].body, names[0].end).decode()
    known = {*ONCE, _T.DIMS_FIELD_NUMBER, _T.DOC_STRING_FIELD_NUMBER}
    is_plain = (
        len(found) == len(ONCE) == sum(part.number in ONCE for part in parts)
        and all(part.number in known for part in parts)
        and all(found[number].kind == kind for number, kind in ONCE.items())
    )
    values = found.get(_T.RAW_DATA_FIELD_NUMBER, field)
    if not name or not is_plain or values.end - values.body < LEAST:
        return _Tensor(name, (), None, 0)
    shape = tuple(_sizes(file, parts))
    dtype = DTYPES.get(found[_T.DATA_TYPE_FIELD_NUMBER].value)
    fits = dtype is not None and prod(shape) * dtype.itemsize == values.end - values.body
    if not fits or len(shape) > MOST_AXES:
        return _Tensor(name, (), None, 0)
    return _Tensor(name, shape, dtype, values.body)


def _sizes(file: BinaryIO, parts: Sequence[_Field]) -> Iterator[int]:
    """Yield a tensor's sizes, which are written one by one, or together."""
    for part in parts:
        if part.number != _T.DIMS_FIELD_NUMBER:
            continue
        if part.kind == _VARINT:
            yield part.value
            continue
        if part.kind != _BYTES:
            raise _Odd
        file.seek(part.body)
        while file.tell() < part.end:
            yield _varint(file)


def _without(file: BinaryIO, begin: int, end: int, left_out: Sequence[_Field]) -> bytes:
    parts = []
    for field in left_out:
        parts.append(_bytes(file, begin, field.begin))
        begin = field.end
    return b"".join((*parts, _bytes(file, begin, end)))


def _bytes(file: BinaryIO, begin: int, end: int) -> bytes:
    file.seek(begin)
    return file.read(end - begin)


def _values(file: BinaryIO, tensor: _Tensor) -> Array:
    assert tensor.dtype is not None
    file.seek(tensor.begin)

    def fill(array: Array) -> None:
        if file.readinto(array.data) < array.nbytes:  # type: ignore[attr-defined]
            raise _Odd

    return filled(tensor.shape, tensor.dtype, fill)
