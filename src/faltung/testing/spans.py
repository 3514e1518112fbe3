"""Spans: the smallest intervals that hold the taps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np

from faltung.geometry import Interval
from faltung.ops.operator import EVERYTHING, Array, AxisSpan, Spans
from faltung.testing.cases import Case, is_open
from faltung.testing.compare import require
from faltung.testing.data import rng_of
from faltung.testing.running import naming

BOXES: Final = 24
"""How many random boxes of outputs are asked for their spans."""


class Reach(NamedTuple):
    """The taps of all outputs on one input: smallest and largest position on each axis.

    ``lo`` and ``hi`` are (axes, *outputs), ``some`` tells the outputs that have any taps.
    """

    lo: Array
    hi: Array
    some: Array


def check_spans(case: Case) -> None:
    """Compare `input_span` with the taps of every output of random boxes.

    On each axis it has to be the smallest interval that holds them, or EVERYTHING where each
    output uses the whole axis, or where the box itself is EVERYTHING along an axis that it
    follows. Not where the values decide how large the output is.
    """
    if is_open(case):
        return
    with naming("check_spans", case):
        for output, shape in enumerate(case.operator.out_shapes(case.in_shapes)):
            out = tuple(int(n) for n in shape)
            if 0 not in out:
                reaches = _reaches(case, out, output)
                for box in _boxes(case, out):
                    _check_box(case, box, out, reaches, output)
            _check_empty_box(case, out, output)


def _reaches(case: Case, out: tuple[int, ...], output: int) -> list[Reach]:
    found = [
        Reach(
            np.zeros((len(shape), *out), np.int64),
            np.zeros((len(shape), *out), np.int64),
            np.zeros(out, np.bool_),
        )
        for shape in case.in_shapes
    ]
    for index in np.ndindex(*out):
        taps = case.operator.taps(case.in_shapes, index, output)
        require(len(taps) == len(case.in_shapes), f"taps of {len(taps)} inputs at {index}")
        for reach, ranges, shape in zip(found, taps, case.in_shapes, strict=True):
            require(len(ranges) == len(shape), f"taps on {len(ranges)} axes at {index}")
            reach.some[index] = all(ranges)
            if all(ranges):
                reach.lo[:, *index] = [min(r[0], r[-1]) for r in ranges]
                reach.hi[:, *index] = [max(r[0], r[-1]) + 1 for r in ranges]
    return found


def _boxes(case: Case, out: tuple[int, ...]) -> Iterator[tuple[Interval, ...]]:
    rng = rng_of(case, "boxes")
    yield tuple(Interval(0, n) for n in out)
    for _ in range(BOXES):
        lows = [int(rng.integers(0, n)) for n in out]
        yield tuple(
            Interval(lo, int(rng.integers(lo + 1, n + 1))) for lo, n in zip(lows, out, strict=True)
        )


def _check_box(
    case: Case,
    box: tuple[Interval, ...],
    out: tuple[int, ...],
    reaches: Sequence[Reach],
    output: int,
) -> None:
    spans = case.operator.input_span(case.in_shapes, box, output)
    inside = tuple(slice(span.lo, span.hi) for span in box)
    for i, (reach, shape) in enumerate(zip(reaches, case.in_shapes, strict=True)):
        name = f"input {i}, box {_short(box)}"
        require(len(spans[i]) == len(shape), f"{name}: spans of {len(spans[i])} axes")
        some = reach.some[inside]
        if not some.any():
            empty = any(isinstance(s, Interval) and s.empty for s in spans[i])
            require(empty, f"{name}: no taps, but the span is {_short(spans[i])}")
            continue
        for axis, span in enumerate(spans[i]):
            lo, hi = (a[axis][inside][some] for a in (reach.lo, reach.hi))
            want = Interval(int(lo.min()), int(hi.max()))
            if span is EVERYTHING:
                whole = bool(np.all(lo == 0) and np.all(hi == shape[axis]))
                require(whole, f"{name}, axis {axis}: EVERYTHING, but the taps span {want}")
            else:
                require(span == want, f"{name}, axis {axis}: the span is {span}, want {want}")
    for axis in range(len(out)):
        _check_everything(case, box, out, axis, output)


def _check_everything(
    case: Case, box: tuple[Interval, ...], out: tuple[int, ...], axis: int, output: int
) -> None:
    """A box that is EVERYTHING along an axis says so on what follows it, and nothing else."""

    def spans(along: AxisSpan) -> tuple[Spans, ...]:
        changed = (*box[:axis], along, *box[axis + 1 :])
        return case.operator.input_span(case.in_shapes, changed, output)

    first, last = spans(Interval(0, 1)), spans(Interval(out[axis] - 1, out[axis]))
    whole, every = spans(Interval(0, out[axis])), spans(EVERYTHING)
    for i, shape in enumerate(case.in_shapes):
        for a in range(len(shape)):
            got, follows = every[i][a], first[i][a] != last[i][a]
            text = f"input {i}, axis {a}: the span of EVERYTHING along {axis} is {got}"
            if follows:
                require(got is EVERYTHING, f"{text}, but it follows that axis")
            else:
                require(got is EVERYTHING or got == whole[i][a], f"{text}, want {whole[i][a]}")


def _check_empty_box(case: Case, out: tuple[int, ...], output: int) -> None:
    if not out:
        return
    box = tuple(Interval(0, 0) for _ in out)
    for i, spans in enumerate(case.operator.input_span(case.in_shapes, box, output)):
        if spans and 0 not in case.in_shapes[i]:
            fits = any(s is EVERYTHING or s.empty or s == Interval(0, 1) for s in spans)
            require(fits, f"input {i}: an empty box has the span {_short(spans)}")


def _short(spans: Spans) -> str:
    return str([s if s is EVERYTHING else tuple(s) for s in spans])
