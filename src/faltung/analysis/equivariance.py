"""The equivariance audit: how far a network is from moving its maps along with its input.

*Equivariance* means ``f(shift(x)) = shift(f(x))``. A convolution of stride 1 has it, away from the
border. What subsamples has it for multiples of its stride alone. Here it is measured, map by map,
on the part of a network before the first operator that sees a whole axis; what breaks it is
measured on its own, and named.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import lcm
from typing import Any

from faltung.analysis.culprits import Culprit, culprits_along
from faltung.analysis.drawn import drawn_input, has_weights, with_drawn_weights
from faltung.analysis.global_words import GlobalOperator
from faltung.analysis.local_part import LocalPart, local_part, period_of, resized, shifts_for
from faltung.analysis.shift_error import Measured, Shifts, border_of
from faltung.errors import FaltungError, GraphError, message
from faltung.graph import Graph
from faltung.graph.blur import with_blur_pooling as with_blur_pooling
from faltung.graph.wrapped import is_on_ring, with_circular_padding
from faltung.report import AbstractReport, Table

TAPS = 3
"""Weights of the blur that is tried."""
SMALL = 4
"""Shifts up to this one are tried with it."""


@dataclass(frozen=True)
class LayerShift:
    """One map under shifts along one axis.

    Parameters
    ----------
    value, operator
        Its name, and what computes it.
    axis
        Of space, from 0.
    measured
        The figures.
    border
        How many positions at either end the border changes, as measured; None where there is no
        border, or the network takes one size alone.
    """

    value: str
    operator: str
    axis: int
    measured: Measured
    border: tuple[int, int] | None

    @property
    def positions(self) -> int:
        """How many positions were compared at least; 0 where there is no figure."""
        return min((each.positions for each in self.measured.under), default=0)

    def to_dict(self) -> dict[str, Any]:
        """Return every figure, fit for JSON."""
        m = self.measured
        return {
            "value": self.value,
            "operator": self.operator,
            "axis": self.axis,
            "total_stride": float(m.track.jump),
            "predicted_period": m.track.period,
            "period": m.period,
            "largest": m.largest,
            "rounding": m.rounding,
            "border": None if self.border is None else list(self.border),
            "shifts": [
                {"shift": e.shift, "moved": e.moved, "error": e.error, "positions": e.positions}
                for e in m.under
            ],
        }


@dataclass(frozen=True)
class AxisAudit:
    """What was measured along one axis of space.

    Parameters
    ----------
    axis
        From 0.
    input_shape
        That the first input had for it.
    layers
        Every map that is local, in computing order.
    blurred
        By shift, the worst error of the outputs with blur pooling, of their largest value; empty
        where it changes nothing or was not tried.
    """

    axis: int
    input_shape: tuple[int, ...]
    layers: tuple[LayerShift, ...]
    blurred: Mapping[int, float]


@dataclass(frozen=True)
class Equivariance(AbstractReport):
    """What is left of equivariance, map by map, and what breaks it.

    Parameters
    ----------
    asked_shape
        Of the first input, as declared or given.
    axes
        One for each axis of space.
    outputs
        The last maps that are local.
    global_operators
        What sees everything, and ends the local part.
    circular
        Whether all padding was circular, and shifts went around.
    drawn
        Whether the weights were drawn at random, as the graph has none.
    seed
        Of the input, and of drawn weights.
    culprits
        What breaks equivariance, along any axis.
    """

    asked_shape: tuple[int, ...]
    axes: tuple[AxisAudit, ...]
    outputs: tuple[str, ...]
    global_operators: tuple[GlobalOperator, ...]
    circular: bool
    drawn: bool
    seed: int
    culprits: tuple[Culprit, ...]

    def _ends(self, audit: AxisAudit) -> list[LayerShift]:
        return [layer for layer in audit.layers if layer.value in self.outputs]

    @cached_property
    def period(self) -> tuple[int | None, ...]:
        """Per axis, the least shift by which all outputs move by whole positions, as measured.

        None where no shift that was tried is one, or no position could be compared.
        """
        found = []
        for audit in self.axes:
            known = [layer.measured.period for layer in self._ends(audit)]
            numbers = [n for n in known if n is not None]
            found.append(lcm(*numbers) if len(numbers) == len(known) else None)
        return tuple(found)

    @cached_property
    def predicted(self) -> tuple[int, ...]:
        """Per axis, the period that the total strides give: of the outputs and all before them."""
        return tuple(
            lcm(*(layer.measured.track.period for layer in self._ends(audit)))
            for audit in self.axes
        )

    @cached_property
    def positions(self) -> tuple[int, ...]:
        """Per axis, how many positions of the outputs were compared, under each shift at least."""
        return tuple(min(layer.positions for layer in self._ends(a)) for a in self.axes)

    @cached_property
    def errors(self) -> tuple[dict[int, float | None], ...]:
        """Per axis, by shift, the worst error of the outputs, of their largest value."""
        return tuple(_errors(layer.measured for layer in self._ends(audit)) for audit in self.axes)

    @property
    def is_exact(self) -> bool:
        """Whether every shift along every axis leaves nothing but rounding."""
        return all(period == 1 for period in self.period)

    def blocks(self) -> list[Table | str]:
        """Return the statement, the maps, the culprits, and how it was measured."""
        from faltung.analysis.equivariance_text import blocks

        return blocks(self)

    def to_dict(self) -> dict[str, Any]:
        """Return every figure, fit for JSON."""
        return {
            "input_shape": list(self.asked_shape),
            "measured_shapes": [list(audit.input_shape) for audit in self.axes],
            "outputs": list(self.outputs),
            "global_operators": [vars(each) for each in self.global_operators],
            "circular": self.circular,
            "drawn_weights": self.drawn,
            "seed": self.seed,
            "period": list(self.period),
            "predicted_period": list(self.predicted),
            "positions": list(self.positions),
            "errors": [{str(d): e for d, e in errors.items()} for errors in self.errors],
            "errors_with_blur_pooling": [
                {str(d): e for d, e in audit.blurred.items()} for audit in self.axes
            ],
            "layers": [layer.to_dict() for audit in self.axes for layer in audit.layers],
            "culprits": [culprit.to_dict() for culprit in self.culprits],
        }


def _errors(maps: Iterable[Measured]) -> dict[int, float | None]:
    found: dict[int, float | None] = {}
    for measured in maps:
        for each in measured.under:
            if each.error is None or not measured.varies:
                found.setdefault(each.shift, None)
            else:
                relative = each.error / measured.largest
                found[each.shift] = max(found.get(each.shift) or 0.0, relative)
    return found


def equivariance(
    graph: Graph,
    input_shape: Sequence[int] | None = None,
    *,
    seed: int = 0,
    circular: bool | None = None,
    shifts: Sequence[int] | None = None,
    fix: bool = True,
) -> Equivariance:
    """Measure how far a network is from equivariance to shifts, and what breaks it.

    Each axis of space is shifted by itself. The network is run in float64 on an input at random,
    as long along that axis as the field, four total strides and the largest shift, and short
    along the others, whose borders a shift does not touch. Positions are compared whose fields
    hold no padding, on both sides; on circular padding all of them. A map is moved by
    ``shift / total stride`` positions; where that is no whole number, by the whole number beside
    it that fits better. Several inputs with the same space are shifted together; others, and all
    constants, stay.

    Parameters
    ----------
    graph
        Any graph; weights that are zeros throughout (a sketch's) are drawn, He-normal.
    input_shape
        ``(N, C, *space)`` of the first input if not the declared one; it is enlarged where it has
        to be, never made smaller.
    seed
        Of the input, and of drawn weights.
    circular
        Whether zero padding is replaced by circular padding, on which shifts are exact to the
        border. By default only for a network whose padding is circular already.
    shifts
        In positions of the input, 1 or more; by default small ones and what divides the total
        stride.
    fix
        Whether the network is also measured with blur pooling.

    Returns
    -------
    Equivariance

    Raises
    ------
    GraphError
        The first input has no axes of space, the first operators see a whole axis, or
        equivariance V1: shifts below 1.

    Examples
    --------
    >>> from faltung.graph.layers import Chain, Conv, MaxPool, build
    >>> net = build(Chain(Conv(2, 3, padding=1), MaxPool(2), Conv(2, 3, padding=1)), (1, 16))
    >>> found = equivariance(net)
    >>> found.period, found.predicted
    ((2,), (2,))
    >>> [(c.node, c.kind) for c in found.culprits if c.kind != "border"]
    [('maxpool1', 'pooling')]
    """
    if shifts is not None and (not shifts or min(shifts) < 1):
        values = {"shifts": tuple(shifts)}
        raise GraphError(
            message("equivariance", "shifts must be 1 or more", values, "", "equivariance V1")
        )
    local = local_part(graph, input_shape)
    drawn = not has_weights(local.graph)
    if drawn:
        local = replace(local, graph=with_drawn_weights(local.graph, seed))
    ring = is_on_ring(local.graph) if circular is None else circular
    audit = _Audit(local, seed, ring, shifts, fix, at_least=input_shape is not None)
    axes = tuple(audit.along(axis) for axis in range(len(local.space)))
    return Equivariance(
        (*local.graph.inputs[0].shape[:2], *local.space),  # type: ignore[arg-type]
        axes,
        local.graph.outputs,
        local.global_operators,
        ring,
        drawn,
        seed,
        tuple(audit.culprits),
    )


class _Audit:
    """One network, measured along one axis after the other."""

    def __init__(
        self,
        local: LocalPart,
        seed: int,
        ring: bool,
        shifts: Sequence[int] | None,
        fix: bool,
        *,
        at_least: bool,
    ) -> None:
        self.local, self.seed, self.ring, self.fix = local, seed, ring, fix
        self.shifts, self.at_least = shifts, at_least
        self.culprits: list[Culprit] = []

    def along(self, axis: int) -> AxisAudit:
        """Measure one axis."""
        tried = self.shifts or shifts_for(period_of(self.local, axis))
        sized = resized(self.local, axis, max(tried), at_least=self.at_least, ring=self.ring)
        run = self._run(sized, axis)
        measured = run.measure(tried, [n.outputs[0] for n in self.local.graph.nodes])
        borders = self._borders(run, axis)
        by = {name: node.operator.subject for node in sized.nodes for name in node.outputs}
        layers = tuple(
            LayerShift(name, by[name], axis, each, borders.get(name))
            for name, each in measured.items()
        )
        found = culprits_along(run, axis, taps=TAPS)
        self.culprits += found
        subsamples = any(c.kind in ("stride", "pooling") for c in found)
        small = [shift for shift in tried if shift <= SMALL] or tried[:1]
        blurred = self._blurred(sized, axis, small) if self.fix and subsamples else {}
        shape = tuple(int(n) for n in sized.inputs[0].shape if isinstance(n, int))
        return AxisAudit(axis, shape, layers, blurred)

    def _run(self, graph: Graph, axis: int) -> Shifts:
        graph = (with_circular_padding(graph) if self.ring else graph).astype("float64")
        shapes = {
            v.name: tuple(int(n) for n in v.shape if isinstance(n, int)) for v in graph.inputs
        }
        feeds = {
            v.name: drawn_input(graph, v, shapes[v.name], self.seed + number)
            for number, v in enumerate(graph.inputs)
        }
        axes = dict.fromkeys(self.local.moving, axis + 2)
        return Shifts(graph, feeds, axes, on_ring=self.ring)

    def _borders(self, run: Shifts, axis: int) -> dict[str, tuple[int, int]]:
        if self.ring:
            return {}
        try:
            return border_of(run, period_of(self.local, axis))
        except FaltungError:  # it takes one size alone
            return {}

    def _blurred(self, graph: Graph, axis: int, tried: Sequence[int]) -> dict[int, float]:
        """Return by shift the worst error of the outputs where blurs take the strides."""
        try:
            run = self._run(with_blur_pooling(graph, TAPS), axis)
            measured = run.measure(tried, graph.outputs)
        except FaltungError:
            return {}
        return {d: error for d, error in _errors(measured.values()).items() if error is not None}
