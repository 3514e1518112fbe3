"""The equivariance audit in words and tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from faltung.analysis.culprits import Culprit
from faltung.analysis.locality import AXES
from faltung.report import Table

if TYPE_CHECKING:
    from faltung.analysis.equivariance import AxisAudit, Equivariance, LayerShift

SHORT = 24
"""Tables of more rows keep those in which something changes."""
MOST = 12
"""Culprits that are listed; others of their kinds are counted."""


def blocks(found: Equivariance) -> list[Table | str]:
    """Return the statement, the maps, the culprits, and how it was measured.

    Parameters
    ----------
    found
        The audit.
    """
    parts: list[Table | str] = [_statement(found)]
    seen: dict[tuple[tuple[str, ...], ...], None] = {}
    for audit in found.axes:
        rows = tuple(_row(layer) for layer in _shown(audit, found))
        if rows not in seen:  # axes that are alike are said once
            seen[rows] = None
            parts.append(_table(audit, rows, found))
    if found.culprits:
        parts.append(_culprits(found.culprits))
        parts += _explained(found.culprits)
    parts += _blur(found)
    parts.append(_how(found))
    return parts


def relative(error: float | None) -> str:
    """Return an error of the largest value as text; no figure is a dash.

    >>> relative(0.0), relative(0.25), relative(3e-16), relative(None)
    ('0', '25 %', '3e-16', '-')
    """
    if error is None:
        return "-"
    if error == 0:
        return "0"
    return f"{error:.0e}" if error < 1e-4 else f"{100 * error:.3g} %"


def _statement(found: Equivariance) -> str:
    upto = "all of it"
    if found.global_operators:
        first = found.global_operators[0]
        upto = f"before {first.node}, as {first.reason}"
    lines = []
    for axis, period in enumerate(found.period):
        name = _axis(axis, len(found.axes))
        if not found.positions[axis]:
            lines.append(f"{name}no figure, as no position could be compared.")
        elif all(e is None for e in found.errors[axis].values()):
            lines.append(f"{name}no figure, as the maps are the same everywhere.")
        elif period == 1:
            lines.append(f"{name}equivariant to every shift that was tried.")
        elif period is None:
            lines.append(f"{name}equivariant to no shift that was tried.")
        else:
            lines.append(f"{name}equivariant to multiples of {period} alone.")
    where = "everywhere" if found.circular else "away from the border"
    return f"The local part ({upto}), {where}: " + " ".join(_once(lines))


def _once(lines: Sequence[str]) -> Iterable[str]:
    """Say what holds for all axes once, without their names."""
    said = [line.partition(": ")[2] or line for line in lines]
    return said[:1] if len(set(said)) == 1 else lines


def _axis(axis: int, count: int) -> str:
    return f"{AXES[count][axis]}: " if count > 1 else ""


def _shown(audit: AxisAudit, found: Equivariance) -> list[LayerShift]:
    """Return all maps, or of many those of culprits, those whose stride is new, and the ends."""
    if len(audit.layers) <= SHORT:
        return list(audit.layers)
    guilty = {c.node for c in found.culprits if c.kind != "border"}
    shown = []
    last = None
    for layer in audit.layers:
        step = (layer.measured.track.jump, layer.measured.period)
        if step != last or layer.value in guilty or layer.value in found.outputs:
            shown.append(layer)
        last = step
    return shown


def _row(layer: LayerShift) -> tuple[str, ...]:
    measured = layer.measured
    at_period = {e.error for e in measured.under if e.shift % measured.track.period == 0}
    known = [e for e in at_period if e is not None]
    exact = max(known) / measured.largest if known and measured.varies else None
    period = "-" if measured.period is None else str(measured.period)
    border = "" if layer.border is None else f"{layer.border[0]}+{layer.border[1]}"
    return (
        layer.value,
        layer.operator,
        str(measured.track.jump),
        str(measured.track.period),
        period if layer.positions else "-",
        relative(measured.worst),
        relative(exact),
        f"{layer.positions:,}",
        border,
    )


def _table(audit: AxisAudit, rows: Sequence[tuple[str, ...]], found: Equivariance) -> Table:
    header = (
        *("map", "operator", "stride", "predicted", "measured", "worst error", "at period"),
        *("positions", "border"),
    )
    shape = "×".join(map(str, audit.input_shape[1:]))
    name = AXES[len(found.axes)][audit.axis]
    title = f"Shifts along {name}, input {shape}"
    return Table(header, rows, title=title, left=(0, 1), spare=(1, 2))


def _culprits(culprits: Sequence[Culprit]) -> Table:
    merged = _merged(culprits)
    rows = [
        (
            c.node,
            c.operator,
            c.kind + ("" if c.is_first else " (again)"),
            "-" if c.kind == "border" else relative(c.error),
            "" if c.blurred is None else relative(c.blurred),
            f"{c.positions:,}",
        )
        for c in merged[:MOST]
    ]
    rest = len(merged) - MOST
    title = "What breaks it, each on its own" + (f"; {rest} more like these" if rest > 0 else "")
    header = ("layer", "operator", "by", "error", "with blur", "positions")
    return Table(header, rows, title=title, left=(0, 1, 2), spare=(1,))


def _merged(culprits: Sequence[Culprit]) -> list[Culprit]:
    """Keep one for each layer and kind, the first of their kinds before the others."""
    found: dict[tuple[str, str], Culprit] = {}
    for c in culprits:
        found.setdefault((c.node, c.kind), c)
    return sorted(found.values(), key=lambda c: (not c.is_first, c.kind == "border"))


def _explained(culprits: Sequence[Culprit]) -> list[str]:
    """Return what is wrong with the first of each kind, and what helps."""
    found: dict[str, Culprit] = {}
    for c in _merged(culprits):
        found.setdefault(c.kind, c)
    return [f"{c.node}: {c.why}. What helps: {c.cure}." for c in found.values()]


def _blur(found: Equivariance) -> list[str]:
    said = []
    for audit in found.axes:
        errors = found.errors[audit.axis]
        before = [error for shift in audit.blurred if (error := errors[shift]) is not None]
        if audit.blurred and before:
            shifts = f"{min(audit.blurred)} to {max(audit.blurred)}"
            worst = f"{relative(max(before))} without, {relative(max(audit.blurred.values()))} with"
            said.append(f"{_axis(audit.axis, len(found.axes))}{worst} it under shifts of {shifts}")
    if not said:
        return []
    return [
        "The worst error of the whole local part, without and with blur pooling (which keeps the "
        f"weights and is not trained on): {'; '.join(_once(said))}."
    ]


def _how(found: Equivariance) -> str:
    shape = "×".join(map(str, found.asked_shape[1:]))
    ring = "with circular padding throughout, compared at every position"
    inner = (
        f"on inputs sized for it (asked: {shape}), compared where no field holds padding: "
        "no rescaling, no figure where nothing can be compared"
    )
    weights = f"He-normal weights (seed {found.seed})" if found.drawn else "its own weights"
    return (
        f"Measured in float64 with {weights}, {ring if found.circular else inner}. Errors are the "
        "largest difference, of the map's largest value; those below 2^-14.5 of what float32 "
        "changes count as rounding. Border: positions at either end that change with what stands "
        "beyond it. Convolution is equivariant; pooling gives a local, approximate invariance."
    )
