"""What the view Field asks of a network from a file or of the zoo: what its values see, exactly."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any, Final, NamedTuple

from faltung.analysis.effective_field import effective_field
from faltung.analysis.loose_fields import windows
from faltung.analysis.receptive_field import Field, Walk, receptive_fields
from faltung.errors import ExplorerError, FaltungError, message
from faltung.explorer.uploads import Uploads
from faltung.geometry import Interval
from faltung.graph import Graph
from faltung.graph.open_sizes import sentence, sized
from faltung.graph.sources import load_sized
from faltung.ops.operator import EVERYTHING, Everything, Shape, Spans
from faltung.zoo.catalogue import NETWORKS, sketch

MOST_VALUES: Final = 2000
"""Values that a page lists."""
SAMPLES: Final = 8
"""Images at which the effective field is measured: some seconds for a large network."""


RECORDED: Final = ("alexnet", "lenet5", "vgg16")
"""Networks of the zoo that a page without Python has as well."""


class Source(NamedTuple):
    """Where a network comes from; equal ones are read once."""

    zoo: str | None
    path: Path | None
    label: str
    changed: int


class Read(NamedTuple):
    """A network with the shapes of its values, and what was assumed in reading it."""

    walk: Walk
    assumed: str


def read(given: dict[str, Any], uploads: Uploads) -> dict[str, Any]:
    """Return every value of a network and what it sees.

    ``{"zoo": NAME}`` or ``{"file": UPLOAD, "label": ITS NAME}``, for all three questions.
    """
    network = _read(_source(given, uploads))
    graph, shapes = network.walk.graph, network.walk.shapes
    fields = receptive_fields(graph)
    if len(fields) > MOST_VALUES:
        rule = f"the page lists at most {MOST_VALUES:,} values"
        raise ExplorerError(message("field", rule, {"values": len(fields)}))
    loose = _loose(graph)
    made = {name: node for node in graph.nodes for name in node.outputs}
    return {
        "input": {"name": graph.inputs[0].name, "space": _space(shapes[graph.inputs[0].name])},
        "assumed": network.assumed,
        "values": [
            {
                "name": name,
                "operator": type(made[name].operator).__name__,
                "space": _space(shapes[name]),
                "fields": [plain(axis) for axis in field],
                "loose": loose.get(name, 1),
            }
            for name, field in fields.items()
        ],
    }


def plain(field: Field) -> dict[str, Any]:
    """Return what one axis sees; its size is None where that is everything.

    >>> from fractions import Fraction
    >>> plain(Field(3, Fraction(1, 2), -1, 9))
    {'size': 3, 'jump': [1, 2], 'start': -1, 'share': 0.3333333333333333}
    """
    size = None if isinstance(field.size, Everything) else field.size
    jump = [field.jump.numerator, field.jump.denominator]
    return {"size": size, "jump": jump, "start": field.start, "share": field.share}


def spans(given: dict[str, Any], uploads: Uploads) -> dict[str, Any]:
    """Return what one cell sees of every value before it: also ``value``, and ``at`` in its space.

    By name, an interval ``[lo, hi]`` for each space axis, or None where that is everything. Nothing
    is clipped.
    """
    walk = _read(_source(given, uploads)).walk
    value = given.get("value")
    if not isinstance(value, str) or value not in walk.shapes:
        raise ExplorerError(message("field", "there is no such value", {"value": repr(value)}))
    shape = walk.shapes[value]
    at = _place(given.get("at"), _space(shape))
    channels = [Interval(0, n if isinstance(n, int) else 1) for n in shape[1:2]]
    box: Spans = (Interval(0, 1), *channels, *(Interval(o, o + 1) for o in at))
    return {name: _plain_box(each[2:]) for name, each in boxes(walk, value, box).items()}


def boxes(walk: Walk, value: str, box: Spans) -> dict[str, Spans]:
    """Return which box of each value before it a box of a value uses; `Walk.spans` of all values.

    Parameters
    ----------
    walk
        The graph.
    value, box
        What is walked back from.
    """
    found: dict[str, Spans] = {value: tuple(box)}
    for node in reversed(walk.graph.nodes):
        known = [(i, found[name]) for i, name in enumerate(node.outputs) if name in found]
        in_shapes = [walk.shapes[name] for name in node.inputs]
        for output, each in known:
            parts = node.operator.input_span(in_shapes, each, output)
            for name, part in zip(node.inputs, parts, strict=True):
                found[name] = _united(found[name], part) if name in found else part
    weights = {*walk.graph.params, *walk.graph.state}
    return {name: each for name, each in found.items() if name not in weights}


def _united(a: Spans, b: Spans) -> Spans:
    return tuple(
        m.union(n) if isinstance(m, Interval) and isinstance(n, Interval) else EVERYTHING
        for m, n in zip(a, b, strict=True)
    )


def effective(given: dict[str, Any], uploads: Uploads) -> dict[str, Any]:
    """Measure how much each position of the input matters to the middle of ``value``."""
    walk = _read(_source(given, uploads)).walk
    value = given.get("value")
    if not isinstance(value, str) or value not in walk.shapes:
        raise ExplorerError(message("field", "there is no such value", {"value": repr(value)}))
    found = effective_field(walk.graph, value, samples=SAMPLES)
    most = float(found.weights.max(initial=0))
    figures = found.to_dict()
    kept = ("value", "at", "area", "share_of_area", "std", "samples", "silent", "drawn_weights")
    # Shares of the largest, to 4 digits: what a colour can show.
    weights = (found.weights / most if most else found.weights).round(4)
    return {**{name: figures[name] for name in kept}, "weights": weights.tolist()}


def _loose(graph: Graph) -> dict[str, int]:
    """Return what is often computed for each value, along the way on which it is largest."""
    grows = {node.name: (axis.kernel - 1) * axis.stride for node, axis in windows(graph)}
    found = {value.name: 1 for value in graph.inputs}
    for node in graph.nodes:
        before = [found[name] for name in node.inputs if name in found]
        if before:
            size = max(before) + grows.get(node.name, 0)
            found.update(dict.fromkeys(node.outputs, size))
    return found


def _source(given: dict[str, Any], uploads: Uploads) -> Source:
    name = given.get("zoo")
    if name is None:
        path = uploads.path(given.get("file"))
        label = str(given.get("label") or path.name)[:80]
        return Source(None, path, label, path.stat().st_mtime_ns)
    if not isinstance(name, str) or name not in NETWORKS:
        raise ExplorerError(message("field", "the zoo has no such network", {"zoo": repr(name)}))
    return Source(name, None, name, 0)


@lru_cache(maxsize=2)
def _read(source: Source) -> Read:
    """Read a network, its first input with space; a cell is asked about many times."""
    try:
        network = load_sized(source.path) if source.path else sized(sketch(str(source.zoo)))
        graph = network.graph
        # A batch of one is no assumption that changes what is seen.
        taken = {name: size for name, size in network.taken.items() if size != 1}
        return Read(Walk(graph, graph.shapes()), sentence(taken))
    except FaltungError as error:
        # What the file is called where it comes from, not here.
        raise ExplorerError(str(error).replace(str(source.path), source.label)) from error


def _space(shape: Shape) -> list[int]:
    return [n if isinstance(n, int) else 1 for n in shape[2:]]


def _place(at: object, space: list[int]) -> list[int]:
    given = at if isinstance(at, list) else []
    fits = len(given) == len(space) and all(
        type(o) is int and 0 <= o < max(n, 1) for o, n in zip(given, space, strict=False)
    )
    if not fits:
        values = {"at": str(at)[:60], "space": tuple(space)}
        raise ExplorerError(message("field", "the value must have the position", values))
    return given


def _plain_box(box: Spans) -> list[list[int] | None]:
    return [None if isinstance(span, Everything) else [span.lo, span.hi] for span in box]


def prepared() -> dict[str, Any]:
    """Return what the view is given beforehand: networks to ask for, some of them already read."""
    with Uploads() as none:
        recorded = {name: read({"zoo": name}, none) for name in RECORDED}
    return {"zoo": sorted(NETWORKS), "recorded": recorded}
