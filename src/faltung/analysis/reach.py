"""From who depends on whom along one axis to offsets, strides and phases. Whole numbers alone.

What comes in is a table of truth values: whether output ``o`` changed when input ``i`` did. What
comes out is how that table goes on: output ``o`` sees the inputs from ``o * stride + lo`` to
``o * stride + hi``. It is read off the middle half of the outputs, where no border is near, and
from those ends of what they see that do not touch the end of what was probed.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from math import floor, gcd

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
Ends = dict[int, tuple[int, int] | None]
LEAST, SHARE = 3, 4
"""So many outputs, and one in so many, have to show a pattern that others do not."""


@dataclass(frozen=True)
class Reach:
    """What the outputs along one axis see of an axis of the input.

    Parameters
    ----------
    lo, hi
        Offsets from ``floor(o * stride)`` of the first and the last position that output ``o``
        sees, the outermost over all outputs that were looked at; None where it sees everything on
        that side, as far as was probed.
    stride
        How far the field moves from one output to the next; negative where the order is reversed,
        None where it does not move by a pattern. Offsets are then from the ratio of the sizes.
    phases
        After how many outputs the pattern comes back; 0 where there is none.
    wraps
        Whether the axis is a circle: what leaves at one end comes in at the other.
    gaps
        How many outputs in the middle half were seen to see less than the others.
    empty
        Whether no output sees anything.
    """

    lo: int | None
    hi: int | None
    stride: Fraction | None
    phases: int = 0
    wraps: bool = False
    gaps: int = 0
    empty: bool = False

    @property
    def is_whole(self) -> bool:
        """Whether an output may see the whole axis, on one side at least."""
        return not self.empty and (self.lo is None or self.hi is None)

    def fields(self, output: int) -> tuple[int, int]:
        """Return the first and the last position that an output may see, if both are known."""
        assert self.stride is not None
        assert self.lo is not None
        assert self.hi is not None
        at = floor(output * self.stride)
        return at + self.lo, at + self.hi


def reach_of(seen: Mask, first: int, in_size: int) -> Reach:
    """Read one axis.

    Parameters
    ----------
    seen : array (outputs, probed)
        Whether an output depends on an input.
    first
        Which position the first probed input has; all that were probed are neighbours.
    in_size
        How many positions the input has in all.

    Examples
    --------
    >>> three = np.eye(8, dtype=bool) | np.eye(8, k=1, dtype=bool) | np.eye(8, k=2, dtype=bool)
    >>> found = reach_of(three, 0, 8)
    >>> found.lo, found.hi, found.stride
    (0, 2, Fraction(1, 1))
    """
    if not seen.any():
        return Reach(0, 0, None, empty=True)
    if seen.all():
        return Reach(None, None, None)
    if seen.shape[1] == in_size:
        circle = _circle(seen)
        if circle is not None:
            return circle
    return _straight(seen, first, in_size)


def _straight(seen: Mask, first: int, in_size: int) -> Reach:
    last = first + seen.shape[1] - 1
    ends = _ends(seen, first)
    if not any(ends.values()):
        ends = {o: _span(row, first) for o, row in enumerate(seen)}
    pattern = _pattern(ends, first, last)
    if pattern is None:
        found = _through_gaps(ends, first, last)
        if found is not None:
            return found
        every = {o: _span(row, first) for o, row in enumerate(seen)}
        cut = _is_cut(ends, 0, first), _is_cut(ends, 1, last)
        return _without_pattern(every, cut, Fraction(in_size, len(seen)))
    phases, step = pattern
    stride = Fraction(step, phases)
    if not step:
        return _fixed([span for span in ends.values() if span is not None], first, last, phases)
    lo = _offset(ends, 0, first, stride, phases)
    hi = _offset(ends, 1, last, stride, phases)
    if lo is None and hi is None:
        return Reach(None, None, None)
    return Reach(lo, hi, stride, phases)


def _fixed(spans: list[tuple[int, int]], first: int, last: int, phases: int) -> Reach:
    """What all outputs see alike, wherever they are."""
    lo, hi = min(span[0] for span in spans), max(span[1] for span in spans)
    if (lo, hi) == (first, last):
        return Reach(None, None, None)
    return Reach(lo, hi, Fraction(0), phases)


def _span(row: Mask, first: int) -> tuple[int, int] | None:
    places = np.flatnonzero(row)
    return (first + int(places[0]), first + int(places[-1])) if places.size else None


def _ends(seen: Mask, first: int) -> Ends:
    """What the outputs in the middle half of those that see anything see."""
    rows = np.flatnonzero(seen.any(axis=1))
    low, high = int(rows[0]), int(rows[-1]) + 1
    cut = (high - low) // 4
    return {o: _span(seen[o], first) for o in range(low + cut, high - cut)}


def _pattern(ends: Ends, first: int, last: int) -> tuple[int, int] | None:
    """The least number of outputs after which all ends have moved by one step, and the step."""
    outputs = sorted(ends)
    for phases in range(1, len(outputs) // 2 + 1):
        pairs = [(ends[o], ends[o + phases]) for o in outputs[:-phases]]
        steps = {step for a, b in pairs for step in _steps(a, b, first, last)}
        alike = all((a is None) == (b is None) for a, b in pairs)
        if alike and len(steps) == 1 and (len(pairs) >= LEAST or 0 not in steps):
            return phases, steps.pop()
    return None


def _steps(a: tuple[int, int] | None, b: tuple[int, int] | None, first: int, last: int) -> set[int]:
    """How far each end has moved, of those that are seen whole."""
    if a is None or b is None:
        return set()
    found = {b[0] - a[0]} if first not in (a[0], b[0]) else set()
    return found | ({b[1] - a[1]} if last not in (a[1], b[1]) else set())


def _through_gaps(ends: Ends, first: int, last: int) -> Reach | None:
    """A pattern that holds for enough outputs, where the others were seen to see less.

    Seeing less leaves the outermost ends of all as they are, if the stride is right; a wrong one
    drives them apart. So the right one is that for which they lie closest.
    """
    inner = [(o, s) for o, s in sorted(ends.items()) if s and s[0] != first and s[1] != last]
    near = {b[i] - a[i] for (o, a), (p, b) in pairwise(inner) for i in (0, 1) if p == o + 1}
    best: tuple[int, int, int] | None = None
    for step in near - {0}:
        lo = min(span[0] - o * step for o, span in inner)
        hi = max(span[1] - o * step for o, span in inner)
        if best is None or hi - lo < best[1] - best[0]:
            best = lo, hi, step
    if best is None:
        return None
    lo, hi, step = best
    whole = sum(span == (lo + o * step, hi + o * step) for o, span in inner)
    if whole < LEAST or whole * SHARE < len(inner):
        return None
    return Reach(lo, hi, Fraction(step), 1, gaps=len(ends) - whole)


def _offset(ends: Ends, side: int, border: int, stride: Fraction, phases: int) -> int | None:
    """The outermost offset on one side; None if in any phase all ends are cut off."""
    found: dict[int, list[int]] = {}
    for output, span in ends.items():
        if span is not None:
            offsets = found.setdefault(output % phases, [])
            if span[side] != border:
                offsets.append(span[side] - floor(output * stride))
    if not all(found.values()):
        return None
    return min(map(min, found.values())) if side == 0 else max(map(max, found.values()))


def _is_cut(ends: Ends, side: int, border: int) -> bool:
    """Whether all ends on one side are at the end of what was probed."""
    return all(span[side] == border for span in ends.values() if span is not None)


def _without_pattern(ends: Ends, cut: tuple[bool, bool], ratio: Fraction) -> Reach:
    spans = [(o, span) for o, span in ends.items() if span is not None]
    low = min(span[0] - floor(o * ratio) for o, span in spans)
    high = max(span[1] - floor(o * ratio) for o, span in spans)
    return Reach(None if cut[0] else low, None if cut[1] else high, None)


def _circle(seen: Mask) -> Reach | None:
    """The same on a circle, if rows are turned copies of each other and any passes the seam."""
    outputs, inputs = seen.shape
    common = gcd(outputs, inputs)
    for times in range(1, common + 1):
        phases, step = outputs // common * times, inputs // common * times
        if phases > outputs // 4:  # a reversed axis looks turned by half of it
            return None
        if (np.roll(seen, (phases, step), axis=(0, 1)) == seen).all():
            return _turned(seen, phases, Fraction(step, phases))
    return None


def _turned(seen: Mask, phases: int, stride: Fraction) -> Reach | None:
    inputs = seen.shape[1]
    offsets: set[int] = set()
    for output in range(phases):
        places = np.flatnonzero(seen[output]) - floor(output * stride)
        offsets.update(int(place) % inputs for place in places)
    arc = _shortest_arc(sorted(offsets), inputs)
    if arc is None:
        return Reach(None, None, stride, phases, wraps=True)
    passes = any(
        not 0 <= floor(o * stride) + offset < inputs for o in range(len(seen)) for offset in arc
    )
    if not passes:
        return None
    lo = arc[0]
    return Reach(lo, arc[1], stride, phases, wraps=True)


def _shortest_arc(offsets: list[int], size: int) -> tuple[int, int] | None:
    """The offsets on a circle as one interval around 0; None where they leave no gap.

    >>> _shortest_arc([0, 1, 6, 7], 8), _shortest_arc([5], 8)
    ((-2, 1), (-3, -3))
    """
    after = [*offsets[1:], offsets[0]]
    gaps = [((b - a) % size or size, b) for a, b in zip(offsets, after, strict=True)]
    gap, start = max(gaps)
    length = size - gap
    if length >= size - 1:
        return None
    lo = start if start + length / 2 <= size / 2 else start - size
    return lo, lo + length
