"""Two networks side by side: totals with their ratio, and the layers that are not the same."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any, NamedTuple, TypeAlias

from faltung.analysis.inspect import words
from faltung.analysis.inspect.inspection import Inspection
from faltung.analysis.inspect.layer import InspectedLayer
from faltung.analysis.inspect.table import GAP, Column, as_table, fitted
from faltung.report import AbstractReport, Table

Text: TypeAlias = Callable[[InspectedLayer], str]


class Pair(NamedTuple):
    """The layers of two networks that stand for each other; None where one has no such layer."""

    before: InspectedLayer | None
    after: InspectedLayer | None

    @property
    def name(self) -> str:
        """Both names, or the one that they share."""
        names = [each.name for each in self if each is not None]
        return " → ".join(dict.fromkeys(names))

    @property
    def signed(self) -> str:
        """The name, with a sign where only one network has such a layer."""
        sign = "+ " if self.before is None else "- " if self.after is None else ""
        return sign + self.name

    @property
    def changed(self) -> tuple[str, ...]:
        """The figures that differ."""
        if self.before is None or self.after is None:
            return ("removed",) if self.after is None else ("added",)
        ours, theirs = (_figures(each) for each in (self.before, self.after))
        return tuple(name for name in ours if ours[name] != theirs[name])


def _figures(layer: InspectedLayer) -> dict[str, Any]:
    return {
        "operator": layer.operator,
        "output": layer.out_shapes,
        "params": layer.params,
        "state": layer.state,
        "MACs": None if layer.cost is None else layer.cost.macs,
        "connections": layer.cost,
        "sees": [[axis.size for axis in axes] for axes in layer.fields.values()],
        "start": list(layer.intervals.values()),
        "jump": [[axis.jump for axis in axes] for axes in layer.fields.values()],
        "unknown": layer.unknown,
    }


@dataclass(frozen=True)
class Difference(AbstractReport):
    """What a second network has otherwise than a first.

    Parameters
    ----------
    before, after
        Both.
    pairs
        Their layers: those of one name, then those at the same place among the others.
    """

    before: Inspection
    after: Inspection
    pairs: tuple[Pair, ...]

    @property
    def changed(self) -> tuple[Pair, ...]:
        """The layers that are not the same in both."""
        return tuple(pair for pair in self.pairs if pair.changed)

    def totals(self) -> dict[str, tuple[int, int]]:
        """Return the totals of both, by name."""
        ours, theirs = (_totals(each) for each in (self.before, self.after))
        return {name: (ours[name], theirs[name]) for name in ours}

    def blocks(self, width: int | None = None) -> list[Table | str]:
        """Return both headers, the totals with their ratio, and the layers that differ.

        In a ``width`` the least important columns are left out.
        """
        headers = "\n".join(words.header(each) for each in (self.before, self.after))
        return [headers, self._table_of_totals(), *self._layers(width)]

    def _table_of_totals(self) -> Table:
        names = (self.before.name, self.after.name)
        least = ["≥ " if each.at_least else "" for each in (self.before, self.after)]
        rows = [
            (name, f"{least[0]}{a:,}", f"{least[1]}{b:,}", ratio(a, b))
            for name, (a, b) in self.totals().items()
        ]
        return Table(("", *names, "ratio"), rows)

    def _layers(self, width: int | None) -> list[Table | str]:
        changed, same = self.changed, len(self.pairs) - len(self.changed)
        if not changed:
            return [f"All {same} layers are the same."]
        text = f"{len(changed)} layers differ, {same} are the same. "
        text += "+ is in the second alone, - in the first alone."
        found = self.columns()
        if width is not None:
            wide = sum(column.width + GAP for column in found) - GAP
            found = fitted(found if wide <= width else self.columns(is_rounded=True), width)
        return [text, as_table(found)]

    def columns(self, *, is_rounded: bool = False) -> list[Column]:
        """Return what differs as columns; ``is_rounded`` counts have three digits."""
        number = words.rounded if is_rounded else words.count
        inputs = max(len(each.input_shapes) for each in (self.before, self.after))

        def column(title: str, text: Text, *, is_left: bool = False) -> Column:
            return Column(title, tuple(_both(p, text) for p in self.changed), is_left=is_left)

        names = tuple(pair.signed for pair in self.changed)
        differs = tuple(", ".join(pair.changed) for pair in self.changed)
        return [
            Column("layer", names, is_left=True),
            column("output", words.output, is_left=True),
            column("params", lambda layer: number(layer.params)),
            column("MACs", lambda layer: number(layer.cost and layer.cost.macs)),
            column("sees", lambda layer: words.seen(layer, inputs)),
            Column("differs", differs, is_left=True),
        ]

    def to_dict(self) -> dict[str, Any]:
        """Return totals, ratios and the layers that differ."""
        return {
            "before": self.before.name,
            "after": self.after.name,
            "at_least": self.before.at_least or self.after.at_least,
            "totals": {
                name: {"before": a, "after": b, "ratio": b / a if a else None}
                for name, (a, b) in self.totals().items()
            },
            "same_layers": len(self.pairs) - len(self.changed),
            "changed_layers": [
                {
                    "differs": list(pair.changed),
                    "before": None if pair.before is None else pair.before.to_dict(),
                    "after": None if pair.after is None else pair.after.to_dict(),
                }
                for pair in self.changed
            ],
        }


def _totals(report: Inspection) -> dict[str, int]:
    totals = report.totals
    return {
        "operators": len(report.layers),
        "params": totals.params,
        "state": totals.state,
        "MACs": totals.cost.macs,
        "connections": totals.cost.connections,
        "connections off padding": totals.cost.connections_inside,
        "weight bytes": totals.weight_bytes,
        "activation bytes": totals.activation_bytes,
        "peak memory bytes": report.peak_memory.bytes,
    }


def ratio(before: int, after: int) -> str:
    """Return how many times as much the second is.

    >>> ratio(100, 250), ratio(3, 3), ratio(0, 1)
    ('2.5', '1', '')
    """
    return f"{after / before:.4g}" if before else ""


def _both(pair: Pair, text: Text) -> str:
    """What is said of both layers, once where it is the same."""
    texts = [text(layer) for layer in pair if layer is not None]
    return " → ".join(dict.fromkeys(texts))


def difference(before: Inspection, after: Inspection) -> Difference:
    """Match the layers of two networks and compare them.

    Parameters
    ----------
    before, after
        Both.
    """
    return Difference(before, after, tuple(matched(before.layers, after.layers)))


def matched(before: Sequence[InspectedLayer], after: Sequence[InspectedLayer]) -> list[Pair]:
    """Pair layers of one name, then others that stand at the same place between these.

    Parameters
    ----------
    before, after
        The layers of both networks.
    """
    shared = {layer.name for layer in before} & {layer.name for layer in after}
    theirs = {layer.name: layer for layer in after}
    of = {layer.name: theirs[layer.name] for layer in before if layer.name in shared}
    keys = [[_key(layer, shared) for layer in layers] for layers in (before, after)]
    for tag, a, b, c, d in SequenceMatcher(None, keys[0], keys[1], autojunk=False).get_opcodes():
        if tag in ("equal", "replace"):
            left, right = (
                [n for n in each if n.name not in shared] for each in (before[a:b], after[c:d])
            )
            of |= {n.name: m for n, m in zip(left, right, strict=False)}
    taken = {layer.name for layer in of.values()}
    pairs = [Pair(layer, of.get(layer.name)) for layer in before]
    return [*pairs, *(Pair(None, layer) for layer in after if layer.name not in taken)]


def _key(layer: InspectedLayer, shared: set[str]) -> tuple[str, str]:
    return ("name", layer.name) if layer.name in shared else ("operator", layer.operator)
