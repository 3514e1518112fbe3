"""Weights in files beside a model: read from its own folder, within the files' sizes, once each."""

from __future__ import annotations

import itertools
import math
import stat
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath

import numpy as np
import onnx

from faltung.errors import ModelFileError, StorageError, message
from faltung.graph.onnx_tensors import dtype_name, is_external, stored_dtype, widened
from faltung.graph.room import MOST_AXES
from faltung.ops.operator import Array


@dataclass(frozen=True, order=True)
class _Place:
    """Where the values of one tensor lie."""

    path: Path
    offset: int
    length: int


def take_external(
    model: onnx.ModelProto, folder: Path, lacking: dict[str, str] | None = None
) -> dict[str, Array]:
    """Read the initializers that lie in other files, and leave inputs of their names behind.

    Parameters
    ----------
    model
        Is changed: ONNX's checker would look for the files by itself.
    folder
        Where the model lies. Nothing outside it is read.
    lacking
        Takes the names of tensors that cannot be read, and why; without it they are an error.

    Raises
    ------
    ModelFileError
        A path leads out of the folder or to no file; offset, length and shape do not fit the
        file; two tensors share some of their bytes, but not all.
    """
    outside = [tensor for tensor in model.graph.initializer if is_external(tensor)]
    _check_text(outside)
    if lacking is not None:
        outside = [tensor for tensor in outside if _is_there(tensor, folder, lacking)]
    places = [_place(tensor, folder) for tensor in outside]
    _check_apart(set(places))
    read = {place: _read(place) for place in set(places)}
    arrays: dict[str, Array] = {}
    declared = {value.name for value in model.graph.input}
    for tensor, place in zip(outside, places, strict=True):
        if tensor.name in arrays:
            rule = "two initializers must not have one name"
            raise ModelFileError(message("model", rule, {"name": repr(tensor.name)}))
        arrays[tensor.name] = _as_array(tensor, read[place])
        if tensor.name not in declared:
            model.graph.input.append(
                onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims)
            )
    kept = [tensor for tensor in model.graph.initializer if tensor.name not in arrays]
    if outside:
        del model.graph.initializer[:]
        model.graph.initializer.extend(kept)
    return arrays


def _check_text(tensors: list[onnx.TensorProto]) -> None:
    for tensor in tensors:
        texts = [tensor.name, *(t for e in tensor.external_data for t in (e.key, e.value))]
        if not all(isinstance(text, str) for text in texts):
            rule = "names of tensors and of their files must be UTF-8 text"
            raise ModelFileError(message("model", rule))


def _is_there(tensor: onnx.TensorProto, folder: Path, lacking: dict[str, str]) -> bool:
    try:
        _place(tensor, folder)
    except ModelFileError as error:
        lacking[tensor.name] = str(error)
    return tensor.name not in lacking


def _place(tensor: onnx.TensorProto, folder: Path) -> _Place:
    subject = f"initializer {tensor.name!r}"
    entries = {entry.key: entry.value for entry in tensor.external_data}
    path = _inside(entries.get("location", ""), folder, subject)
    size = path.stat().st_size
    offset = _number(entries.get("offset", "0"), subject)
    needed = _bytes(tensor, subject)
    length = _number(entries.get("length", str(needed)), subject)
    if length != needed or offset + length > size:
        values = {"offset": offset, "length": length, "needed": needed, "file": size}
        rule = "its values must fill its shape, and lie in the file"
        raise ModelFileError(message(subject, rule, values))
    return _Place(path, offset, length)


def _inside(location: str, folder: Path, subject: str) -> Path:
    """Return the file that a location names; it must lie in the model's folder, links followed."""
    parts = (PurePosixPath(location), PureWindowsPath(location))
    plain = bool(location) and "\0" not in location
    if not plain or any(p.is_absolute() or p.drive or p.root or ".." in p.parts for p in parts):
        rule = "its file must be named by a path inside the model's folder"
        raise ModelFileError(message(subject, rule, {"location": repr(location)}))
    root = folder.resolve()
    try:
        path = (root / location).resolve(strict=True)
        kind = path.stat().st_mode
    except (OSError, RuntimeError) as error:
        raise ModelFileError(
            message(subject, "its file cannot be found", {"location": repr(location)})
        ) from error
    if not path.is_relative_to(root) or not stat.S_ISREG(kind):
        rule = "its file must be a plain one inside the model's folder"
        raise ModelFileError(message(subject, rule, {"location": repr(location)}))
    return path


def _number(text: str, subject: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        rule = "offset and length must be whole numbers"
        raise ModelFileError(message(subject, rule, {"number": repr(text)}))
    return int(text)


def _bytes(tensor: onnx.TensorProto, subject: str) -> int:
    dtype_name(tensor.data_type, subject)
    values = {"shape": list(tensor.dims)}
    if any(n < 0 for n in tensor.dims):
        raise ModelFileError(message(subject, "its sizes must not be negative", values))
    if len(tensor.dims) > MOST_AXES:
        rule = f"it must have at most {MOST_AXES} axes, as NumPy's arrays have"
        raise ModelFileError(message(subject, rule, values))
    return math.prod(map(int, tensor.dims)) * stored_dtype(tensor.data_type).itemsize


def _check_apart(places: set[_Place]) -> None:
    """Refuse ranges that overlap: a small file could else ask for any amount of memory."""
    for first, second in itertools.pairwise(sorted(p for p in places if p.length)):
        if first.path == second.path and second.offset < first.offset + first.length:
            rule = "two tensors share some of their bytes"
            values = {"file": first.path.name, "offsets": (first.offset, second.offset)}
            raise ModelFileError(message("model", rule, values))


def _read(place: _Place) -> bytes:
    try:
        with place.path.open("rb") as file:
            file.seek(place.offset)
            data = file.read(place.length)
    except OSError as error:
        rule = f"cannot be read, {error.strerror}"
        raise StorageError(message(str(place.path), rule)) from error
    if len(data) != place.length:
        values = {"read": len(data), "wanted": place.length}
        raise ModelFileError(message(str(place.path), "the file became shorter", values))
    return data


def _as_array(tensor: onnx.TensorProto, data: bytes) -> Array:
    """Return bytes as the array that they are; a view of them, unless they are widened."""
    stored = np.frombuffer(data, stored_dtype(tensor.data_type)).reshape(tuple(tensor.dims))
    return widened(stored, tensor.data_type, f"initializer {tensor.name!r}")
