"""Read a graph from ONNX: each operator says what a node of its name means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

from faltung.errors import FaltungError, ModelFileError, StorageError, message, plain
from faltung.graph.graph import Graph
from faltung.graph.onnx_apart import Apart, leave_inputs, split
from faltung.graph.onnx_external import take_external
from faltung.graph.onnx_shapes import Shapes
from faltung.graph.onnx_sized import OpenSize, Reader, read_sized
from faltung.graph.open_sizes import Sized
from faltung.ops.operator import Array


def load_sized(
    path: str | Path,
    shapes: Shapes = None,
    *,
    open_size: OpenSize = None,
    unknown: bool = False,
    assume: bool = True,
) -> Sized:
    """Read a graph from an ONNX file, and tell which sizes were assumed.

    Parameters
    ----------
    path
        A file of any producer. Weights in files beside it are read as well, from its own folder
        alone.
    shapes, open_size, unknown
        As in `faltung.load`.
    assume
        Whether open sizes that need a number take the default, else they are refused.

    Raises
    ------
    ModelFileError
        The file is empty, damaged, no model, or asks for what is not there; one line names the
        file and the cause.
    StorageError
        The file cannot be read at all.
    """
    try:
        apart = _split(path)
        model = parsed(apart.content)
        leave_inputs(model, apart.weights)
        unread: dict[str, str] = {}
        outside = take_external(model, Path(path).parent, unread if unknown else None)
        reader = Reader(model, apart.weights | outside, unknown, unread)
        sized = read_sized(reader, shapes, open_size, assume)
        return replace(sized, graph=_ordered(sized.graph, apart.names))
    except StorageError:
        raise
    except FaltungError as error:
        raise ModelFileError(f"{path}: {_one_line(error)}") from error


def _split(path: str | Path) -> Apart:
    try:
        with Path(path).open("rb") as file:
            return split(file)
    except OSError as error:
        raise StorageError(message(str(path), f"cannot be read, {error.strerror}")) from error


def parsed(data: bytes) -> onnx.ModelProto:
    """Return the model that a file holds.

    Raises
    ------
    ModelFileError
        The file is empty, or no model.
    """
    if not data:
        raise ModelFileError(message("model", "the file is empty"))
    try:
        model: onnx.ModelProto = onnx.ModelProto.FromString(data)
    except (DecodeError, UnicodeDecodeError) as error:
        rule = "the file is damaged, or no ONNX model"
        raise ModelFileError(message("model", rule)) from error
    return model


def from_bytes(data: bytes) -> Graph:
    """Return the graph that `faltung.graph.onnx.to_bytes` wrote.

    Raises
    ------
    ModelFileError
        The bytes are damaged, or no ONNX model.
    """
    apart = split(BytesIO(data))
    model = parsed(apart.content)
    leave_inputs(model, apart.weights)
    return _ordered(from_model(model, constants=apart.weights), apart.names)


def _ordered(graph: Graph, names: Sequence[str]) -> Graph:
    """Return a graph with its arrays in the order in which a file has their names."""
    place = {name: at for at, name in enumerate(names)}
    if not place:
        return graph

    def ordered(arrays: Mapping[str, Array]) -> dict[str, Array]:
        return dict(sorted(arrays.items(), key=lambda item: place.get(item[0], len(place))))

    return replace(graph, params=ordered(graph.params), state=ordered(graph.state))


def _one_line(error: BaseException) -> str:
    notes = "; ".join(map(plain, getattr(error, "__notes__", ())))
    return " ".join(f"{error} ({notes})".split()) if notes else " ".join(str(error).split())


def from_model(
    model: onnx.ModelProto,
    shapes: Shapes = None,
    constants: Mapping[str, Array] | None = None,
    open_size: OpenSize = None,
    unknown: bool = False,
) -> Graph:
    """Return the graph that a model in memory describes.

    Without the metadata that `faltung.save` writes, ``state`` are the running statistics, whatever
    is not a real number, and the values of Constant nodes and what is computed from them alone,
    unless an operator reads them as its weights; ``params`` are all other arrays. Initializers that
    no node reads are dropped, and nodes that read constants alone are computed.

    Parameters
    ----------
    model
        Is not changed.
    shapes, open_size, unknown
        As in `faltung.load`; but open sizes that need a number are refused, unless ``open_size``
        says what they become.
    constants
        Arrays that stand in for inputs of the model, by name: it is read for these values of them.

    Raises
    ------
    ModelFileError
        The model is malformed, or asks for what is not there.
    FaltungError
        Where an operator refuses its attributes, or its inputs' shapes.
    """
    if unknown:
        copy = onnx.ModelProto()
        copy.CopyFrom(model)
        model = copy
    return read_sized(Reader(model, constants, unknown), shapes, open_size, assume=unknown).graph
