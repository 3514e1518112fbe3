"""What an operator says that its outputs use, beside what was found by trial."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from faltung.analysis.recount import LayerRecount, Reach
from faltung.geometry import Interval
from faltung.ops.operator import AxisSpan, Everything, Spans

POSITIONS: Final = 160
"""Output positions of an operator whose spans and taps are compared, spread over all of them."""
PADDING: Final = frozenset({"Pad", "LRN", "LocallyConnected"})
"""Operators that name positions outside of their input, besides those whose padding is laid out."""
PADDED_BY: Final = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}


class Difference(NamedTuple):
    """The first place where what is said is not what was found."""

    place: str
    said: str
    counted: str


class Compared(NamedTuple):
    """How many places were compared, and the first one that differs."""

    places: int
    difference: Difference | None


def compare_taps(found: LayerRecount) -> Compared:
    """Compare the taps of single outputs with what these were found to depend on.

    Parameters
    ----------
    found
        A recount, which knows on what shapes it was made.
    """
    places = 0
    for output, index in _positions(found):
        said = found.operator.taps(found.in_shapes, index, output)
        for i, taps in enumerate(said):
            places += 1
            spans = tuple(Interval(min(r), max(r) + 1) if r else Interval(0, 0) for r in taps)
            wrong = _single(found, output, i, index, spans)
            wrong = wrong or _wrong_count(found, output, i, index, taps)
            if wrong:
                return Compared(places, wrong)
    return Compared(places, None)


def compare_spans(found: LayerRecount) -> Compared:
    """Compare the spans of single outputs, of neighbours and of all with what was found.

    Parameters
    ----------
    found
        A recount, which knows on what shapes it was made.
    """
    places = 0
    for output, index in _positions(found):
        box = tuple(Interval(o, o + 1) for o in index)
        for i, spans in enumerate(found.operator.input_span(found.in_shapes, box, output)):
            places += 1
            if wrong := _single(found, output, i, index, spans):
                return Compared(places, wrong)
        for box in _boxes(found, output, index):
            places += 1
            if wrong := _wrong_box(found, output, box):
                return Compared(places, wrong)
    return Compared(places, None)


def _positions(found: LayerRecount) -> Iterator[tuple[int, tuple[int, ...]]]:
    constant = 1 if found.operator.onnx_type == "Dropout" else None  # its mask is of ones
    for output, shape in enumerate(found.out_shapes[:constant]):
        size = math.prod(shape)
        chosen = np.unique(np.linspace(0, size - 1, min(size, POSITIONS)).round().astype(int))
        for at in chosen.tolist():
            yield output, tuple(int(n) for n in np.unravel_index(at, shape))


def _boxes(
    found: LayerRecount, output: int, index: tuple[int, ...]
) -> Iterator[tuple[Interval, ...]]:
    """With the neighbour behind it along each axis; for the first one, everything as well."""
    shape = found.out_shapes[output]
    if not any(index):
        yield tuple(Interval(0, n) for n in shape)
    for axis, (o, n) in enumerate(zip(index, shape, strict=True)):
        if o + 1 < n:
            yield tuple(Interval(p, p + 1 + (a == axis)) for a, p in enumerate(index))


def _seen(found: LayerRecount, output: int, i: int, axis: int) -> tuple[Reach, bool]:
    """Return where an axis is to be looked up, and whether padding can be seen there."""
    if output == 0 and found.visible and (i or axis >= 1):
        return found.visible[i], True
    return found.reaches[output][i], False


def _single(
    found: LayerRecount, output: int, i: int, index: tuple[int, ...], spans: Sequence[AxisSpan]
) -> Difference | None:
    shape = found.in_shapes[i]
    place = f"output {index} of input {i}"
    if len(spans) != len(shape):
        return Difference(place, f"{len(spans)} axes", f"{len(shape)} axes")
    hidden = found.reaches[output][i]
    if not hidden.count[index] and not found.visible:
        nothing = any(_size(s, n) == 0 for s, n in zip(spans, shape, strict=True))
        return None if nothing or not shape else Difference(place, _text(spans), "nothing")
    for axis, (span, n) in enumerate(zip(spans, shape, strict=True)):
        seen, visible = _seen(found, output, i, axis)
        at = (0, *index[1:]) if visible else index
        if not seen.count[at] and found.visible:
            continue  # a window on padding alone
        if not seen.count[at]:
            if not _pads(found, axis, span, n, None):
                return Difference(f"{place}, axis {axis}", _text([span]), "nothing")
            continue
        want = Interval(int(seen.lo[axis][at]), int(seen.hi[axis][at]))
        if not _agrees(found, axis, span, n, want, visible):
            return Difference(f"{place}, axis {axis}", _text([span]), _text([want]))
    return None


def _size(span: AxisSpan, n: int) -> int:
    whole = isinstance(span, Everything)
    return n if whole else max(0, min(span.hi, n) - max(span.lo, 0))  # type: ignore[union-attr]


def _agrees(
    found: LayerRecount, axis: int, span: AxisSpan, n: int, want: Interval, visible: bool
) -> bool:
    if isinstance(span, Everything):
        return want == Interval(0, n)
    if visible:
        return span == want
    if span == want or span.lo >= span.hi:
        return span == want
    passes = span.lo < 0 or span.hi > n
    return passes and found.operator.onnx_type in PADDING and _pads(found, axis, span, n, want)


def _pads(found: LayerRecount, axis: int, span: AxisSpan, n: int, want: Interval | None) -> bool:
    """Whether a span that passes an end of the input is right, its padding being invisible."""
    if isinstance(span, Everything):
        return n == 0
    if found.operator.onnx_type == "Pad":
        mode = found.operator.padding_mode
        if mode == "zeros" or not n:
            return want is None and not 0 <= span.lo < n
        far = max(abs(span.lo), abs(span.hi)) + n
        places = np.pad(np.arange(n), far, mode=PADDED_BY[mode])  # type: ignore[call-overload]
        return want is not None and want.lo == places[span.lo + far] and span.hi == span.lo + 1
    clipped = Interval(max(span.lo, 0), min(span.hi, n))
    if want is None:
        return clipped.lo >= clipped.hi
    return clipped == want or found.operator.onnx_type == "LocallyConnected"


def _wrong_count(
    found: LayerRecount, output: int, i: int, index: tuple[int, ...], taps: Sequence[range]
) -> Difference | None:
    """Compare how many positions taps name; those on padding where padding can be seen."""
    place = f"taps of output {index} of input {i}"
    if output == 0 and found.visible:
        said, counted = math.prod(map(len, taps)), int(found.visible[i].count[(0, *index[1:])])
        return Difference(place, str(said), str(counted)) if said != counted else None
    if found.operator.onnx_type == "Pad":
        return None
    sizes = zip(taps, found.in_shapes[i], strict=True)
    said = math.prod(sum(0 <= t < n for t in axis) for axis, n in sizes)
    counted = int(found.reaches[output][i].count[index])
    return Difference(place, str(said), str(counted)) if said != counted else None


def _wrong_box(found: LayerRecount, output: int, box: Spans) -> Difference | None:
    """Compare the spans of a box with the hull of what was found inside of it."""
    if found.operator.onnx_type == "Pad":
        return None  # what stands on padding is not seen; single positions were compared
    said = found.operator.input_span(found.in_shapes, box, output)
    for i, (spans, shape) in enumerate(zip(said, found.in_shapes, strict=True)):
        for axis, (span, n) in enumerate(zip(spans, shape, strict=True)):
            seen, visible = _seen(found, output, i, axis)
            part: Any = tuple(slice(s.lo, s.hi) for s in box)  # type: ignore[union-attr]
            part = (slice(0, 1), *part[1:]) if visible else part
            some = seen.count[part] > 0
            place = f"outputs {_text(box)} of input {i}, axis {axis}"
            if not some.any():
                continue
            lo, hi = seen.lo[axis][part][some].min(), seen.hi[axis][part][some].max()
            want = Interval(int(lo), int(hi))
            if not _agrees(found, axis, span, n, want, visible):
                return Difference(place, _text([span]), _text([want]))
    return None


def _text(spans: Sequence[AxisSpan]) -> str:
    parts = ["all" if isinstance(s, Everything) else f"[{s.lo}, {s.hi})" for s in spans]
    return " × ".join(parts)
