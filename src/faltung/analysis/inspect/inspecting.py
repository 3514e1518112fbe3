"""From a graph, a file or a name to an inspection of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from faltung.analysis.inspect import words
from faltung.analysis.inspect.inspection import Inspection
from faltung.analysis.inspect.known import known
from faltung.analysis.inspect.layer import inspected
from faltung.analysis.inspect.sights import sights
from faltung.errors import FaltungError, GraphError, message
from faltung.graph import Graph
from faltung.graph.open_sizes import Sized, sized
from faltung.graph.sources import load_sized
from faltung.ops.operator import Shape
from faltung.zoo.catalogue import NETWORKS, sketch


def inspect(
    graph: Graph | str | Path,
    input_shape: Sequence[int] | None = None,
    *,
    shapes: Mapping[str, Sequence[int]] | None = None,
) -> Inspection:
    """Say of a network, layer by layer, what it costs and what it sees.

    Nothing is run. Sizes that are left open are taken as `faltung.graph.open_sizes` states, and
    the report says which. A file with operators that faltung lacks is inspected all the same:
    their rows are marked as unknown, and the totals are lower bounds.

    Parameters
    ----------
    graph
        Any graph, the path of an ONNX file, or the name of a network of the zoo.
    input_shape
        ``(N, C, *space)`` of the first input, if not the declared one.
    shapes
        The same by name, where there are several inputs.

    Returns
    -------
    Inspection
        A report: text when printed, HTML in notebooks, ``markdown()``, ``html()`` for a page, and
        ``to_dict()`` for JSON.

    Raises
    ------
    FaltungError
        A file that is no model, an input that there is not, or a shape given here that the
        network cannot take.

    Examples
    --------
    >>> report = inspect("vgg16")
    >>> report.totals.params, report.totals.cost.macs
    (138357544, 15470264320)
    >>> report.layer("conv1").cost
    Cost(macs=86704128, connections=86704128, connections_inside=86188800)
    >>> report.layer("maxpool5").fields["x"][0].interval(0)
    Interval(lo=-90, hi=122)
    """
    named = {name: tuple(shape) for name, shape in (shapes or {}).items()}
    if isinstance(graph, Graph):
        name, found = graph.metadata.get("network", "network"), Sized(graph)
    elif isinstance(graph, str) and graph in NETWORKS:
        name, found = graph, Sized(_drawn(graph, input_shape, named))
    else:
        name, found = Path(graph).stem, _read(graph, input_shape, named)
    given = _given(found.graph, input_shape, named)
    return of(name, _with_sizes(found, given), strict=bool(given))


def of(name: str, found: Sized, *, strict: bool = False) -> Inspection:
    """Inspect a graph whose inputs have sizes.

    Parameters
    ----------
    name
        What it is called.
    found
        The graph, and what was assumed in giving it sizes.
    strict
        Whether an operator that refuses its inputs is an error.
    """
    told = known(found.graph, strict=strict)
    seen = sights(told)
    counted: set[str] = set()
    layers = tuple(inspected(told, node, counted, seen) for node in found.graph.nodes)
    return Inspection(name, found, layers, told, seen)


def _drawn(name: str, input_shape: Sequence[int] | None, named: Mapping[str, Shape]) -> Graph:
    """A network of the zoo, whose dense layers are made for the size of the image."""
    network = sketch(name)
    shape = _given(network, input_shape, named).get(network.inputs[0].name, ())
    space = [n for n in shape[1:] if isinstance(n, int)]
    return sketch(name, space) if len(space) == len(shape) - 1 == 3 else network


def _read(path: str | Path, input_shape: Sequence[int] | None, named: Mapping[str, Shape]) -> Sized:
    """A file's network; of other sizes than those that it declares, if they are given."""
    wanted = named or (None if input_shape is None else tuple(input_shape))
    try:
        return load_sized(path, wanted, unknown=True)
    except FaltungError:
        if wanted is None:
            raise
    found = load_sized(path, unknown=True)
    note = "The file declares other sizes; what was computed from them stays as it was."
    return Sized(found.graph, found.taken, (*found.notes, note))


def _given(
    graph: Graph, input_shape: Sequence[int] | None, named: Mapping[str, Shape]
) -> dict[str, Shape]:
    """The shapes that are given, by input."""
    given = dict(named)
    names = [value.name for value in graph.inputs]
    odd = sorted(set(given) - set(names))
    if odd:
        values = {"names": odd, "inputs": names}
        raise GraphError(message("inspect", "shapes must name inputs", values, "", "inspect I2"))
    if input_shape is not None and names:
        given.setdefault(names[0], tuple(input_shape))
    for value in graph.inputs:
        shape = given.get(value.name, value.shape)
        if len(shape) != len(value.shape):
            rule = f"input {value.name!r} must have {len(value.shape)} sizes"
            found = {"shape": words.by_sizes(shape), "declared": words.by_sizes(value.shape)}
            raise GraphError(message("inspect", rule, found, "", "inspect I3"))
    return given


def _with_sizes(found: Sized, given: Mapping[str, Shape]) -> Sized:
    """The network for inputs of the given shapes, what is open nonetheless at its default."""
    graph = found.graph
    if given:
        shapes = {value.name: given.get(value.name, value.shape) for value in graph.inputs}
        graph = graph.with_input_shape(shapes)
    closed = sized(graph)
    taken = {**found.taken, **closed.taken}
    return Sized(closed.graph, taken, (*found.notes, *closed.notes))
