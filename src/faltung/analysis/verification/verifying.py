"""From a graph to its verification."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, TypeGuard

from faltung.analysis.inspect import Inspection
from faltung.analysis.inspect.inspecting import of
from faltung.analysis.recount import BUDGET, Recount, recount
from faltung.analysis.verification.fields import Fields, length_for
from faltung.analysis.verification.halo import halo_rows
from faltung.analysis.verification.layers import layer_rows
from faltung.analysis.verification.network import network_rows
from faltung.analysis.verification.report import LeftOut, Row, Verification
from faltung.graph import Graph
from faltung.graph.open_sizes import Sized, sized

LEAST: Final = 96
MOST: Final = 720
"""Bounds of the input along which receptive fields are followed."""


def verify(
    graph: Graph,
    input_shape: Sequence[int] | Mapping[str, Sequence[int]] | None = None,
    *,
    budget: float = BUDGET,
) -> Verification:
    """Recount every figure that `faltung.inspect` gives, by brute force, and compare.

    The recount shares nothing with the analysis: elements of arrays are counted, multiplications
    are those of the reference's loops, and what an output depends on is found by changing inputs.
    It is made on small inputs, with which the analysis is asked again: the whole network on the
    smallest input that it takes, each layer on a small stand-in, receptive fields on an input that
    is long along one axis.

    Parameters
    ----------
    graph
        Any graph.
    input_shape
        ``(N, C, *space)`` of the first input, or of each by name, if not the declared ones.
    budget
        Roughly how many multiplications each run of the network may take; what would take more is
        left out, and the report says so.

    Returns
    -------
    Verification
        A report; ``passed`` says whether all figures agree.

    Examples
    --------
    >>> from faltung.graph import layers as L
    >>> net = L.build(L.Chain(L.Conv(4, 3), L.Relu(), L.MaxPool(2), L.Conv(2, 3)), (1, 20, 20))
    >>> report = verify(net)
    >>> report.passed, report.left_out
    (True, ())
    """
    declared = inspected(graph, _shapes(graph, input_shape))
    fields = {(s, v): f for s, by in declared.sights.fields.items() for v, f in by.items()}
    length = length_for({f"{s} {v}": f for (s, v), f in fields.items()}, LEAST, MOST)
    known = declared.graph
    found = recount(known, length=length, budget=budget)
    outcome: list[Row | LeftOut] = list(layer_rows(known, found))
    outcome += network_rows(known, found, inspected(known, found.small))
    whole = cut = 0
    for sight in found.sights:
        said = inspected(known, sight.input_shapes)
        compared = Fields(sight, said, declared)
        outcome += [*compared.rows(), *halo_rows(sight, said)]
        whole, cut = whole + compared.whole, cut + compared.cut
    outcome += [LeftOut(name, "receptive field", why) for name, why in found.not_seen.items()]
    rows = tuple(each for each in outcome if isinstance(each, Row))
    seen = {(row.layer, row.figure) for row in rows}
    seen |= {(row.layer, "receptive field") for row in rows if "receptive" in row.figure}
    left_out = tuple(dict.fromkeys(each for each in outcome if _is_left_out(each, seen)))
    return Verification(_inputs(found), rows, left_out, (whole, cut))


def _is_left_out(each: Row | LeftOut, seen: set[tuple[str, str]]) -> TypeGuard[LeftOut]:
    """Whether this was not counted on any input; some layers take but one of them."""
    return isinstance(each, LeftOut) and (each.layer, each.figure) not in seen


def inspected(graph: Graph, shapes: Mapping[str, Sequence[int | str]]) -> Inspection:
    """Inspect a graph for inputs of other sizes; what does not take them is marked as unknown."""
    return of("network", Sized(graph.with_input_shape({n: tuple(s) for n, s in shapes.items()})))


def _shapes(graph: Graph, given: object) -> dict[str, Sequence[int | str]]:
    """The declared shapes or the given ones, open sizes at their defaults."""
    shapes: dict[str, Sequence[int | str]] = {v.name: v.shape for v in graph.inputs}
    if isinstance(given, Mapping):
        shapes |= given
    elif isinstance(given, Sequence):
        shapes[graph.inputs[0].name] = given
    closed = sized(graph.with_input_shape({n: tuple(s) for n, s in shapes.items()})).graph
    return {v.name: v.shape for v in closed.inputs}


def _inputs(found: Recount) -> tuple[str, ...]:
    """Say in words how small the inputs were."""
    small = "; ".join(f"{name} {_sizes(shape)}" for name, shape in found.small.items())
    part = "The network" if not found.not_run else "The layers that take other sizes"
    run = f"{part} ran on {small}." if found.arrays else "The network did not run."
    strips = [_sizes(sight.input_shapes[sight.source][2:]) for sight in found.sights]
    thin = ", all channels taken together" if any(s.thin for s in found.sights) else ""
    seen = f"Influences were followed on images of {' and '.join(dict.fromkeys(strips))}{thin}."
    seen = seen if strips else ""
    stand_ins = "Each layer was tried on a stand-in with few channels and a small image."
    return tuple(text for text in (run, seen, stand_ins) if text)


def _sizes(shape: Sequence[int]) -> str:
    return "×".join(map(str, shape))
