"""Which operators break equivariance, each measured on its own: on the maps that it really gets."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from faltung import ops
from faltung.analysis.shift_error import Measured, Shifts, border_of
from faltung.errors import FaltungError
from faltung.graph import Graph, Node, Value
from faltung.graph.blur import stride_of, with_blur_pooling
from faltung.graph.evaluate import evaluate
from faltung.ops.operator import Array
from faltung.ops.pool import AbstractPool

KINDS: Final = ("stride", "pooling", "same", "position", "border")
"""What can be wrong; the last only near the border."""


@dataclass(frozen=True)
class Culprit:
    """An operator that does not move its output along with its input.

    Parameters
    ----------
    node, operator
        The layer's name, and what it computes.
    kind
        One of `KINDS`.
    axis
        Of space, from 0.
    period
        The least shift of its own input that it answers with whole positions; None where there
        is none.
    error
        The largest difference from equivariance, of the largest value that it gives.
    positions
        How many positions that was measured at; for a border, how many it changes.
    why, cure
        In words.
    blurred
        The error behind a blur that takes the stride; None where that is no cure.
    is_first
        Whether nothing of its kind is on the way to it.
    """

    node: str
    operator: str
    kind: str
    axis: int
    period: int | None
    error: float
    positions: int
    why: str
    cure: str
    blurred: float | None = None
    is_first: bool = True

    def to_dict(self) -> dict[str, Any]:
        """Return every figure, fit for JSON."""
        return dataclasses.asdict(self)


def culprits_along(shifts: Shifts, axis: int, *, taps: int) -> list[Culprit]:
    """Return what breaks along one space axis, in computing order.

    Parameters
    ----------
    shifts
        The network, evaluated.
    axis
        Of space, from 0.
    taps
        Weights of the blur that is tried as a cure.
    """
    found: list[Culprit] = []
    for node in shifts.graph.nodes:
        own = _alone(node, shifts)
        if own is not None:
            found += _of(node, own, axis, taps, ring=shifts.on_ring)
    return _marked(shifts.graph, found)


def _alone(node: Node, shifts: Shifts) -> Shifts | None:
    """Return a network of this node alone, on its own inputs; None where none of them moves."""
    moving = [name for name in dict.fromkeys(node.inputs) if name in shifts.tracks]
    if not moving or not any(name in shifts.tracks for name in node.outputs):
        return None
    if len({shifts.tracks[name].size for name in moving}) > 1:
        return None
    arrays: Mapping[str, Array] = {**shifts.graph.params, **shifts.graph.state, **shifts.values}
    inputs = tuple(Value(name, arrays[name].shape, arrays[name].dtype.name) for name in moving)
    fixed = {name: arrays[name] for name in node.inputs if name not in moving}
    kept = [name for name in node.outputs if name in shifts.tracks]
    graph = Graph(inputs, (node,), tuple(kept), {}, fixed)
    feeds = {name: arrays[name] for name in moving}
    axes = {name: shifts.tracks[name].axis for name in moving}
    return Shifts(graph, feeds, axes, on_ring=False)


def _of(node: Node, own: Shifts, axis: int, taps: int, *, ring: bool) -> list[Culprit]:
    name = own.graph.outputs[0]
    if name not in own.tracks:
        return []
    step = own.tracks[name].jump.numerator
    tried = sorted({*range(1, min(step, 8) + 1), step, 2 * step})
    measured = own.measure(tried, [name])[name]
    found = []
    at_steps = _worst(measured, step, 0)
    if at_steps[0] > measured.rounding:
        found.append(_position(node, own, axis, measured, at_steps))
    elif step > 1 and _worst(measured, step)[0] > measured.rounding:
        found.append(_stride(node, own, axis, measured, taps))
    found += _same(node, own, axis, measured)
    return found if ring else [*found, *_border(node, own, axis, measured)]


def _worst(measured: Measured, step: int, rest: int | None = None) -> tuple[float, int]:
    """Return the largest error under the multiples of a shift, or else the others; and where."""
    found = [
        (each.error, each.positions)
        for each in measured.under
        if each.error is not None and (each.shift % step == 0) == (rest == 0)
    ]
    return max(found, default=(0.0, 0))


def _relative(error: float, measured: Measured) -> float:
    return error / measured.largest if measured.largest else 0.0


def _stride(node: Node, own: Shifts, axis: int, measured: Measured, taps: int) -> Culprit:
    step = measured.track.jump.numerator
    error, positions = _worst(measured, step)
    if isinstance(node.operator, AbstractPool):
        kind = "pooling"
        why = (
            f"pooling with stride {step}: its map moves by whole positions under multiples of "
            f"{step} alone; smaller shifts find a local, approximate invariance at most"
        )
    elif isinstance(node.operator, ops.Conv):
        kind = "stride"
        why = f"stride {step} keeps every {_nth(step)} output: which ones, a shift decides"
    else:
        kind = "stride"
        why = (
            f"one output stands for {measured.track.jump} positions of its input: its map moves "
            f"by whole positions under multiples of {step} alone"
        )
    blurred = _blurred(own, measured, taps)
    cure = "none that is known"
    if blurred is not None:
        cure = f"blur before the stride is taken: with_blur_pooling(graph, taps={taps})"
    return Culprit(
        *(node.name, node.operator.subject, kind, axis, measured.period),
        *(_relative(error, measured), positions, why, cure, blurred),
    )


def _nth(step: int) -> str:
    return {2: "2nd", 3: "3rd"}.get(step, f"{step}th")


def _blurred(own: Shifts, measured: Measured, taps: int) -> float | None:
    """Return the error that is left where a blur takes the stride, measured in the same way."""
    (node,) = own.graph.nodes
    if not stride_of(node.operator, own.shapes[node.inputs[0]]):
        return None
    try:
        graph = with_blur_pooling(own.graph, taps).astype("float64")
        again = Shifts(graph, own.feeds, own.axes, on_ring=False)
    except FaltungError:
        return None
    name = own.graph.outputs[0]
    if name not in again.tracks:
        return None
    after = again.measure([each.shift for each in measured.under], [name])[name]
    return after.worst


def _position(
    node: Node, own: Shifts, axis: int, measured: Measured, found: tuple[float, int]
) -> Culprit:
    why, cure = _why_position(node, own)
    return Culprit(
        *(node.name, node.operator.subject, "position", axis, measured.period),
        *(_relative(found[0], measured), found[1], why, cure),
    )


def _why_position(node: Node, own: Shifts) -> tuple[str, str]:
    operator = node.operator
    if isinstance(operator, ops.LocallyConnected):
        return "it has other weights at each position", "share them: Conv"
    if isinstance(operator, ops.Resize):
        why = "it samples at places that depend on the size of its input"
        return why, "enlarge by a whole factor, without aligned corners"
    constant = [name for name in node.inputs if name not in own.axes]
    if isinstance(operator, ops.Concat) and constant:
        return f"it puts {constant[0]!r} beside its input, which stays where it is", "leave it out"
    track = own.tracks[node.outputs[0]]
    from_end = own.values[node.outputs[0]].ndim - track.axis
    varying = [name for name in constant if _varies(own.graph.state[name], from_end)]
    if varying:
        why = f"{varying[0]!r} stays where it is, and has other values at other positions"
        return why, "use one value for each channel"
    return "what it computes depends on the position", "none that is known"


def _varies(array: Array, from_end: int) -> bool:
    """Whether a constant differs along the axis that is so many from its last."""
    if array.ndim < from_end or array.shape[-from_end] == 1:
        return False
    return bool(np.ptp(array, axis=-from_end).any())


def _same(node: Node, own: Shifts, axis: int, measured: Measured) -> list[Culprit]:
    """Shorten the input at its end: outputs at the start stay, unless the padding there changes."""
    step = measured.track.jump.numerator
    padding = getattr(node.operator, "padding", None)
    if not (isinstance(padding, str) and padding.startswith("same")) or step == 1:
        return []
    worst, positions = 0.0, 0
    for cut in range(1, step):
        error, compared = _shortened(own, cut)
        worst, positions = max((worst, positions), (error, compared))
    if worst <= measured.rounding:
        return []
    why = (
        f"padding {padding!r} with stride {step}: how much stands before the input depends on its "
        "size, so an image of another size is sampled on another grid"
    )
    return [
        Culprit(
            *(node.name, node.operator.subject, "same", axis, None),
            *(_relative(worst, measured), positions, why, "write the padding as numbers"),
        )
    ]


def _shortened(own: Shifts, cut: int) -> tuple[float, int]:
    """Return by how much outputs of a shorter input differ, and how many were compared."""
    (name,) = own.graph.outputs
    track = own.tracks[name]
    feeds = {
        source: own.feeds[source][(slice(None),) * axis + (slice(0, own.size - cut),)]
        for source, axis in own.axes.items()
    }
    graph = own.graph.with_input_shape({source: x.shape for source, x in feeds.items()})
    shorter = evaluate(graph, feeds).values[name]
    hi = min(track.clean.hi, shorter.shape[track.axis] - 1 - int(cut / track.jump))
    lo = track.clean.lo
    if hi <= lo:
        return 0.0, 0
    inner = (slice(None),) * track.axis + (slice(lo, hi),)
    difference = np.abs(shorter[inner] - own.values[name][inner])
    return float(difference.max()), difference[0, 0].size if difference.ndim > 2 else hi - lo


def _border(node: Node, own: Shifts, axis: int, measured: Measured) -> list[Culprit]:
    name = own.graph.outputs[0]
    step = measured.track.jump.numerator
    try:
        ends = border_of(own, step).get(name)
    except FaltungError:  # it takes one size alone
        return []
    if ends is None or ends == (0, 0) or sum(ends) >= measured.track.size:
        return []
    mode = node.operator.padding_mode
    what = "zero" if mode == "zeros" else mode
    why = f"{what} padding: {ends[0]} + {ends[1]} positions at the ends see it"
    if isinstance(node.operator, (ops.Resize, ops.ConvTranspose)):
        why = f"nothing stands beyond the border: {ends[0]} + {ends[1]} positions miss it"
    return [
        Culprit(
            *(node.name, node.operator.subject, "border", axis, None),
            *(0.0, sum(ends), why, "circular padding on a ring; else leave the border out"),
        )
    ]


def _marked(graph: Graph, found: list[Culprit]) -> list[Culprit]:
    """Say of each whether it is the first of its sort: borders among themselves, all others too."""
    borders = {c.node for c in found if c.kind == "border"}
    others = {c.node for c in found if c.kind != "border"}
    after = {True: _behind(graph, borders), False: _behind(graph, others)}
    return [dataclasses.replace(c, is_first=c.node not in after[c.kind == "border"]) for c in found]


def _behind(graph: Graph, nodes: set[str]) -> set[str]:
    """Return the nodes that depend on one of these."""
    values: set[str] = set()
    behind: set[str] = set()
    for node in graph.nodes:
        if values.intersection(node.inputs):
            behind.add(node.name)
        if node.name in nodes or node.name in behind:
            values.update(node.outputs)
    return behind
