"""Read a graph from ONNX: each operator says what a node of its name means."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

from faltung.errors import FaltungError, ModelFileError, StorageError, message
from faltung.graph.graph import Graph
from faltung.graph.onnx_accept import accepted
from faltung.graph.onnx_batch import read_for_any_batch
from faltung.graph.onnx_external import take_external
from faltung.graph.onnx_import import Importer, OpenError
from faltung.graph.onnx_shapes import Shapes
from faltung.ops.operator import Array


def load(path: str | Path, shapes: Shapes = None, *, open_size: int | None = None) -> Graph:
    """Read a graph from an ONNX file.

    Parameters
    ----------
    path
        A file of any producer whose operators are all among `faltung.ops.OPERATORS`, or disappear
        once the sizes of its inputs are known. Weights in files beside it are read as well, from
        its own folder alone.
    shapes
        The shape of each input, by its name, or of the only one; for what the file leaves open.
        What is not given stays open.
    open_size
        One number for every size that is open nonetheless.

    Returns
    -------
    Graph
        What the file says. Of a file that `save` wrote, the graph that was saved.

    Raises
    ------
    ModelFileError
        The file is empty, damaged, no model, or asks for what is not there; one line names the
        file and the cause.
    StorageError
        The file cannot be read at all.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise StorageError(message(str(path), f"cannot be read, {error.strerror}")) from error
    try:
        model = _parsed(data)
        constants = take_external(model, Path(path).parent)
        return from_model(model, shapes, constants, open_size)
    except StorageError:
        raise
    except FaltungError as error:
        raise ModelFileError(f"{path}: {_one_line(error)}") from error


def _parsed(data: bytes) -> onnx.ModelProto:
    if not data:
        raise ModelFileError(message("model", "the file is empty"))
    try:
        model: onnx.ModelProto = onnx.ModelProto.FromString(data)
    except (DecodeError, UnicodeDecodeError) as error:
        rule = "the file is damaged, or no ONNX model"
        raise ModelFileError(message("model", rule)) from error
    return model


def _one_line(error: BaseException) -> str:
    notes = "; ".join(getattr(error, "__notes__", ()))
    return " ".join(f"{error} ({notes})".split()) if notes else " ".join(str(error).split())


def from_model(
    model: onnx.ModelProto,
    shapes: Shapes = None,
    constants: Mapping[str, Array] | None = None,
    open_size: int | None = None,
) -> Graph:
    """Return the graph that a model in memory describes.

    Without the metadata that `faltung.save` writes, ``state`` are the running statistics, the
    values of Constant nodes and what is computed from them alone, and whatever is not a real
    number; ``params`` are all other initializers. Initializers that no node reads are dropped, and
    nodes that read constants alone are computed.

    Parameters
    ----------
    model
        Is not changed.
    shapes, open_size
        As in `load`.
    constants
        Arrays that stand in for inputs of the model, by name: it is read for these values of them.

    Raises
    ------
    ModelFileError
        The model is malformed, or asks for what is not there.
    FaltungError
        Where an operator refuses its attributes, or its inputs' shapes.
    """
    model = accepted(model)
    try:
        return Importer(model, shapes, constants, open_size).graph()
    except OpenError as error:
        if error.inputs or open_size is not None:
            raise
        graph = read_for_any_batch(model, shapes, constants)
        if graph is None:
            raise
        return graph
