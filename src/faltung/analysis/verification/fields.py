"""Receptive fields: what the analysis says beside what was found to influence each position."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Final

import numpy as np

from faltung.analysis.inspect import Inspection
from faltung.analysis.receptive_field import Field, Walk
from faltung.analysis.recount import Sight
from faltung.analysis.verification.report import LeftOut, Row
from faltung.geometry import Interval
from faltung.ops.operator import Array, AxisSpan, Everything, Spans

WALKS: Final = 6
"""Positions of a value for which the exact interval is asked, where it depends on the position."""
SHORT: Final = 24
"""Values with fewer positions have no middle that is free of borders, to take a step from."""
PERIODS: Final = (48, 24, 16, 12, 8, 6, 4, 3, 2, 1)


@dataclass(frozen=True)
class Seen:
    """What was found for one value along one axis: an interval for each position.

    Parameters
    ----------
    lo, hi
        First position that influences it and one past the last; both 0 where none does.
    length
        Of the input's axis.
    cut
        Positions that are known to be cut off by a border on the way.
    """

    lo: Array
    hi: Array
    length: int
    cut: frozenset[int] = frozenset()

    @property
    def inside(self) -> list[int]:
        """The positions whose intervals end at no end of the input: nothing cuts them off."""
        whole = (self.lo > 0) & (self.hi < self.length) & (self.hi > self.lo)
        return [int(at) for at in np.flatnonzero(whole) if int(at) not in self.cut]


@dataclass
class Fields:
    """Compares one sight with one inspection, and counts positions.

    Parameters
    ----------
    sight
        What was found to influence what.
    said
        The inspection of the network for the sight's input.
    elsewhere
        The inspection for the declared input, of layers that take no other.
    """

    sight: Sight
    said: Inspection
    elsewhere: Inspection
    whole: int = 0
    cut: int = 0

    def rows(self) -> Iterator[Row | LeftOut]:
        """Compare every value that a layer puts out first."""
        for layer in self.said.layers:
            value = layer.outputs[0] if layer.outputs else ""
            field = self._field(self.said, value)
            figure = f"receptive field of {self.sight.source!r}, axis {self.sight.axis}"
            if value in self.sight.reasons:
                yield LeftOut(layer.name, "receptive field", self.sight.reasons[value])
            elif value in self.sight.lo and field is not None:
                yield from self._compare(layer.name, figure, value, field)
            elif value in self.sight.lo:
                yield from self._fixed(layer.name, figure, value)

    def _field(self, said: Inspection, value: str) -> Field | None:
        fields = said.sights.fields.get(self.sight.source, {}).get(value)
        return None if fields is None else fields[self.sight.axis]

    @property
    def _place(self) -> str:
        sizes = "×".join(map(str, self.sight.input_shapes[self.sight.source][2:]))
        channels = ", channels taken together" if self.sight.thin else ""
        return f"an input of {sizes}{channels}"

    def _fixed(self, name: str, figure: str, value: str) -> Iterator[Row | LeftOut]:
        """A layer that takes the declared input alone: whether it sees all is known nonetheless."""
        field = self._field(self.elsewhere, value)
        if field is None:
            if np.any(self.sight.hi[value]):
                text = "it sees nothing of it"
                yield Row(name, figure, self._place, text, "something", False)
        elif isinstance(field.size, Everything):
            yield self._everything(name, figure, value)
        else:
            yield LeftOut(name, "receptive field", "it takes no input but the declared one")

    def _everything(self, name: str, figure: str, value: str) -> Row:
        """Every position must see all that is seen of the input in what the layer reads.

        Not all of the input, then, where a stride has dropped its last positions.
        """
        lo, hi = self.sight.lo[value], self.sight.hi[value]
        first, last = self._read(name)
        some = hi > 0  # padding sees nothing
        every = bool(some.any() and np.all((lo == first) & (hi == last) | ~some))
        self.whole += lo.size * every
        length = self.sight.input_shapes[self.sight.source][2 + self.sight.axis]
        counted = "all" if every else f"[{lo.max()}, {hi.min()}) at most, of {length}"
        return Row(name, figure, self._place, "all", counted, every)

    def _read(self, name: str) -> tuple[int, int]:
        """The smallest interval that holds what is seen in all of a layer's inputs."""
        lows, highs = [], []
        for value in self.said.layer(name).inputs:
            if value == self.sight.source:
                return 0, self.sight.input_shapes[value][2 + self.sight.axis]
            if value in self.sight.lo:
                some = self.sight.hi[value] > self.sight.lo[value]
                lows += self.sight.lo[value][some].tolist()
                highs += self.sight.hi[value][some].tolist()
        return min(lows, default=0), max(highs, default=0)

    def _compare(self, name: str, figure: str, value: str, field: Field) -> Iterator[Row]:
        if isinstance(field.size, Everything):
            yield self._everything(name, figure, value)
            return
        seen = self._seen(value)
        shape = self.said.known.shapes[value]
        single = len(shape) != len(self.said.input_shapes[self.sight.source])
        seen = seen if single else replace(seen, cut=self._cut_on_the_way(value, field, seen))
        if single or not self._is_uniform(seen, field):
            yield from self._varying(name, figure, value, field, seen, single)
            return
        self.whole += len(seen.inside)
        said = [field.interval(at) for at in range(len(seen.lo))]
        yield self._border(name, figure, value, said, seen)
        yield self._exact(name, figure, field, seen)

    def _seen(self, value: str) -> Seen:
        """Take all channels and the other axes together, along the axis that follows the input's.

        A value without space is seen from its first position.
        """
        lo, hi = self.sight.lo[value], self.sight.hi[value]
        source = self.sight.input_shapes[self.sight.source]
        length = source[2 + self.sight.axis]
        if lo.ndim != len(source) - 1:
            first = (0,) * lo.ndim
            return Seen(lo[first].reshape(1), hi[first].reshape(1), length)
        axis = 1 + self.sight.axis
        others = tuple(a for a in range(lo.ndim) if a != axis)
        some = hi > lo
        first = np.where(some, lo, length).min(axis=others)
        last = np.where(some, hi, 0).max(axis=others)
        return Seen(np.where(last > 0, first, 0), last, length)

    def _is_uniform(self, seen: Seen, field: Field) -> bool:
        """Whether one size, one jump and one start say what all positions inside see."""
        whole = field.jump.denominator == 1
        return whole and all(self._agrees(field, seen, at) for at in seen.inside)

    def _cut_on_the_way(self, value: str, field: Field, seen: Seen) -> frozenset[int]:
        """Return where less is seen because a window on the way passes the border of its input."""
        found = []
        for at in seen.inside:
            if field.jump.denominator == 1 and self._agrees(field, seen, at):
                continue
            lo, hi = int(seen.lo[at]), int(seen.hi[at])
            span = self._walked(value, at)
            smaller = span.lo <= lo and hi <= span.hi
            if (lo, hi) != tuple(span) and (smaller or self._mirrors):
                found += [at] if self._passes_border(value, at) else []
        return frozenset(found)

    @property
    def _mirrors(self) -> bool:
        """Whether some layer puts values of its input outside of it: other ones are seen there."""
        return any(node.operator.padding_mode != "zeros" for node in self.said.graph.nodes)

    def _passes_border(self, value: str, at: int) -> bool:
        """Whether what one position uses lies outside of some value before it."""
        boxes: dict[str, Spans] = {value: self._box(value, at)}
        for node in reversed(self.said.graph.nodes):
            for output, name in enumerate(node.outputs):
                if name not in boxes:
                    continue
                shapes = [self.said.known.shapes[n] for n in node.inputs]
                before = node.operator.input_span(shapes, boxes.pop(name), output)
                for source, spans, shape in zip(node.inputs, before, shapes, strict=True):
                    sizes = zip(spans[2:], shape[2:], strict=True)
                    if any(_leaves(span, int(n)) for span, n in sizes):
                        return True
                    boxes[source] = _hull(boxes[source], spans) if source in boxes else spans
        return False

    def _exact(self, name: str, figure: str, field: Field, seen: Seen) -> Row:
        """Size, jump and start, as they were found at the first position that is whole."""
        said = f"{field.size} from {field.start}, every {field.jump}"
        if not seen.inside:
            return Row(name, figure, self._place, said, f"{said}, as far as it is seen", True)
        at = seen.inside[0]
        size, start = int(seen.hi[at] - seen.lo[at]), int(seen.lo[at]) - at * int(field.jump)
        counted = f"{size} from {start}, every {field.jump}"
        return Row(name, figure, self._place, said, counted, said == counted)

    def _agrees(self, field: Field, seen: Seen, at: int) -> bool:
        return field.interval(at) == Interval(int(seen.lo[at]), int(seen.hi[at]))

    def _border(
        self, name: str, figure: str, value: str, said: Sequence[Interval], seen: Seen
    ) -> Row:
        """What the border cuts off must be what is left of the interval, or less of it."""
        inside = set(seen.inside)
        for at, span in enumerate(said):
            lo, hi = int(seen.lo[at]), int(seen.hi[at])
            if at in inside or lo >= hi:
                continue
            self.cut += 1
            if not self._mirrors and not max(span.lo, 0) <= lo < hi <= min(span.hi, seen.length):
                text = f"output {at}: [{span.lo}, {span.hi})"
                return Row(name, figure, self._place, text, f"[{lo}, {hi})", False)
        text = f"{len(said) - len(inside)} positions at the border"
        return Row(name, figure, self._place, text, text, True)

    def _varying(
        self, name: str, figure: str, value: str, field: Field, seen: Seen, single: bool
    ) -> Iterator[Row]:
        """Ask for the exact interval of some positions, and compare size, jump and start."""
        for at in self._chosen(seen):
            span, want = self._walked(value, at), Interval(int(seen.lo[at]), int(seen.hi[at]))
            exact = at in seen.inside
            self.whole, self.cut = self.whole + exact, self.cut + (not exact)
            clipped = Interval(max(span.lo, 0), min(span.hi, seen.length))
            less = clipped.lo <= want.lo <= want.hi <= clipped.hi
            same = span == want if exact else less or self._mirrors
            if not same and want.lo < want.hi:
                text, found = f"[{span.lo}, {span.hi})", f"[{want.lo}, {want.hi})"
                yield Row(name, figure, self._place, f"output {at}: {text}", found, False)
                return
        first = self._walked(value, 0)
        size, jump = field.size, field.jump
        if single:
            size = first.size if not seen.inside else int(seen.hi[0] - seen.lo[0])
        elif len(seen.inside) > 1:
            size, jump = self._largest(seen), self._slope(seen, field)
            if len(seen.lo) < SHORT:  # the border cuts the largest: those asked for stand for it
                jump = field.jump
                size = max(self._walked(value, at).size for at in range(len(seen.lo)))
        said = f"{field.size} from {field.start}, every {field.jump}"
        # Where the first output stands on padding, a start is what the others lead back to.
        start = field.start if first.empty else first.lo
        counted = f"{size} from {start}, every {jump}"
        yield Row(name, figure, self._place, said, counted, said == counted)

    def _chosen(self, seen: Seen) -> list[int]:
        """Some positions, those that are whole if there are any."""
        inside = seen.inside or list(range(len(seen.lo)))
        return sorted({inside[int(i)] for i in np.linspace(0, len(inside) - 1, WALKS).round()})

    def _largest(self, seen: Seen) -> int:
        return max(int(seen.hi[at] - seen.lo[at]) for at in seen.inside)

    def _slope(self, seen: Seen, field: Field) -> Fraction:
        """The mean step over a period, if so many positions lie inside."""
        first, last = seen.inside[0], seen.inside[-1]
        for period in PERIODS:
            if first + period <= last and period % field.jump.denominator == 0:
                return Fraction(int(seen.lo[first + period] - seen.lo[first]), period)
        return field.jump

    def _walked(self, value: str, at: int) -> Interval:
        """Return what the analysis says that one position sees, all channels together."""
        part = self.said.known.part
        assert part is not None
        walk = Walk(part, self.said.known.shapes)
        seen = walk.spans(value, self._box(value, at))
        span: AxisSpan = seen[self.sight.source][2 + self.sight.axis]
        length = self.sight.input_shapes[self.sight.source][2 + self.sight.axis]
        return Interval(0, length) if isinstance(span, Everything) else span

    def _box(self, value: str, at: int) -> Spans:
        """One position along the axis, all of the others; the first of a value without space."""
        shape = [int(n) for n in self.said.known.shapes[value]]
        if len(shape) != len(self.said.input_shapes[self.sight.source]):
            return tuple(Interval(0, 1) for _ in shape)
        box = [Interval(0, n) for n in shape]
        box[2 + self.sight.axis] = Interval(at, at + 1)
        return tuple(box)


def _leaves(span: AxisSpan, size: int) -> bool:
    return (
        not isinstance(span, Everything) and span.lo < span.hi and (span.lo < 0 or span.hi > size)
    )


def _hull(a: Spans, b: Spans) -> Spans:
    """The smallest box around both."""
    return tuple(
        n if isinstance(n, Everything) else m if isinstance(m, Everything) else m.union(n)
        for m, n in zip(a, b, strict=True)
    )


def length_for(fields: Mapping[str, Sequence[Field]], least: int, most: int) -> int:
    """Return how long an input should be for its largest finite fields to fit in, and move.

    Parameters
    ----------
    fields
        By value, as the analysis has them.
    least, most
        Bounds of the answer.
    """
    wanted = least
    for by_axis in fields.values():
        for field in by_axis:
            if not isinstance(field.size, Everything):
                wanted = max(wanted, field.size + int(5 * field.jump) + 8)
    return min(wanted, most)
