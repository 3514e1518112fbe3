"""Models with open sizes: read as they are where nothing needs a number, else for the default."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Literal, NamedTuple, TypeAlias

import onnx

from faltung.errors import FaltungError
from faltung.graph.graph import Graph
from faltung.graph.onnx_accept import accepted
from faltung.graph.onnx_batch import read_for_any_batch
from faltung.graph.onnx_import import Importer, OpenError
from faltung.graph.onnx_lenient import Accepted, LenientImporter
from faltung.graph.onnx_shapes import Shapes
from faltung.graph.open_sizes import Sized, candidates, filled, misfit, open_names
from faltung.ops.operator import Array

OpenSize: TypeAlias = int | Literal["default"] | None


class _Attempt(NamedTuple):
    """A reading for some sizes; ``graph`` is None where it was refused."""

    graph: Graph | None
    misfits: int = 0
    needed: frozenset[str] = frozenset()
    error: FaltungError | None = None


class Reader:
    """Reads one model for inputs of several shapes.

    Parameters
    ----------
    model
        Is changed where ``unknown``.
    constants
        As in `Importer`.
    unknown
        Whether what is not supported becomes `faltung.ops.unknown.Unknown`, else it is refused.
    unread
        Why weights that lie in other files could not be read, by name.

    Raises
    ------
    FaltungError
        The model is malformed, or asks for what is not there.
    """

    def __init__(
        self,
        model: onnx.ModelProto,
        constants: Mapping[str, Array] | None = None,
        unknown: bool = False,
        unread: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.lenient = Accepted(model, unread) if unknown else None
        self.model = accepted(model) if self.lenient is None else self.lenient.model
        self.constants = constants

    @property
    def notes(self) -> tuple[str, ...]:
        """What was assumed in reading."""
        return () if self.lenient is None else tuple(self.lenient.notes)

    def importer(self, shapes: Shapes, open_size: int | None = None) -> Importer:
        """Return what reads the model for these shapes."""
        if self.lenient is None:
            return Importer(self.model, shapes, self.constants, open_size)
        return LenientImporter(self.lenient, shapes, self.constants, open_size)

    def graph(self, shapes: Shapes) -> Graph:
        """Return the model's graph for these shapes."""
        return self.importer(shapes).graph()

    def attempt(self, shapes: Shapes, open_size: int | None = None) -> _Attempt:
        """Read the model for these shapes; where that takes open sizes, say which."""
        importer = self.importer(shapes, open_size)
        open_ = {n for value in importer.inputs for n in value.shape if isinstance(n, str)}
        try:
            graph = importer.graph()
        except OpenError as error:
            if error.inputs or not error.sizes & open_:
                raise
            return _Attempt(None, 0, error.sizes & open_, error)
        if isinstance(importer, LenientImporter):
            return _Attempt(graph, importer.misfits, frozenset(importer.needed & open_))
        return _Attempt(graph)

    def for_any_batch(self, shapes: Shapes) -> Graph | None:
        """Return the graph with its batch left open, where nothing but Reshapes needs it."""
        return read_for_any_batch(self.model, shapes, self.constants, self.graph)


def read_sized(reader: Reader, shapes: Shapes, open_size: OpenSize, assume: bool) -> Sized:
    """Return a model's graph, and which numbers its open sizes were taken as.

    Parameters
    ----------
    reader
        Of the model.
    shapes
        What is given.
    open_size
        A number for what is open nonetheless, or ``"default"`` for that of
        `faltung.graph.open_sizes`; None to leave open what needs no number.
    assume
        Whether what needs a number then takes the default, else it is refused.

    Raises
    ------
    FaltungError
        The model asks for what is not there, or fits no size that was tried.
    """
    number = None if open_size == "default" else open_size
    first = reader.attempt(shapes, number)
    is_default = open_size == "default"
    if first.graph is not None and not (first.needed or (is_default and open_names(first.graph))):
        return Sized(first.graph, {}, reader.notes)
    if first.needed and not is_default:
        graph = reader.for_any_batch(shapes)
        if graph is not None:
            return Sized(graph, {}, reader.notes)
        if first.error is not None and not assume:
            raise first.error
    sketch = first.graph
    if sketch is None:
        copy = onnx.ModelProto()
        copy.CopyFrom(reader.model)
        sketch = LenientImporter(Accepted(copy), shapes, reader.constants).graph()
    return _fitting(reader, sketch, None if is_default else first.needed)


def _fitting(reader: Reader, sketch: Graph, wanted: frozenset[str] | None) -> Sized:
    """Return the graph for the first sizes that fit, or for those that fit best."""
    best: tuple[int, Sized] | None = None
    refused: FaltungError | None = None
    lacking: FaltungError | None = None
    for numbers in _numbers(sketch, wanted):
        try:
            attempt = reader.attempt(filled(sketch, numbers))
        except OpenError:
            raise
        except FaltungError as error:
            refused = refused or error
            continue
        graph = attempt.graph
        if graph is None or attempt.needed:
            graph = reader.for_any_batch(filled(sketch, numbers))
        if graph is None:
            lacking = lacking or attempt.error
            continue
        open_ = set(open_names(graph))
        score = attempt.misfits + (0 if open_ else misfit(graph))
        if best is None or score < best[0]:
            taken = {name: n for name, n in numbers.items() if name not in open_}
            best = score, Sized(graph, taken, reader.notes)
        if not score:
            break
    if best is None:
        cause = refused or lacking
        assert cause is not None
        raise cause
    return best[1]


def _numbers(sketch: Graph, wanted: frozenset[str] | None) -> Iterator[dict[str, int]]:
    """Yield numbers for the sizes that are wanted, the batch left open first, where that may do."""
    every = frozenset(open_names(sketch))
    batch = {value.shape[0] for value in sketch.inputs if value.shape}
    tried: list[dict[str, int]] = []
    for names in [(every,)] if wanted is None else [(wanted - batch, wanted), (every,)]:
        for numbers in candidates(sketch):
            for some in names:
                each = {name: n for name, n in numbers.items() if name in some}
                if each and each not in tried:
                    tried.append(each)
                    yield each
