"""A rectangle of a plane, copied so that its rows follow one another; zeros where it is outside."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from faltung.kernels.compiled import kernel
from faltung.kernels.phases import inside, picked
from faltung.kernels.simd import INT, POINTER, Code, Int, Pointer, Vector

STRIDE: Final = 4
"""The largest stride along a row whose numbers are picked out in registers."""


def rows_inside(first: Int, rows: Int, height: Int, step: Int) -> tuple[Int, Int]:
    """Return which of the rows ``first + r * step``, r < rows, a plane has: from one to another."""
    lead = ((step - 1 - first).at_least(0) // step).at_most(rows)
    end = ((height - first + (step - 1)).at_least(0) // step).at_most(rows)
    return lead, end.at_least(lead)


class Span:
    """Vectors' worths of a row: its numbers ``at + reach + i * step``, 0 where it has none.

    Parameters
    ----------
    code
        What the instructions are written with.
    at, width, step
        The first number's place, how many the row has, and how far apart they are taken.
    stride
        ``step`` where that is at most `STRIDE`, else 0.
    reaches
        How far behind ``at`` each of the vectors begins: they are picked out of the same loads.
    """

    def __init__(
        self,
        code: Code,
        at: Int,
        width: Int,
        step: Int,
        stride: int,
        reaches: Sequence[int] = (0,),
    ) -> None:
        self.code, self.at, self.width, self.step, self.stride = code, at, width, step, stride
        self.reaches = reaches
        loads = (max(reaches) + stride * (code.lanes - 1)) // code.lanes + 1
        self.masks = [inside(code, at + i * code.lanes, width) for i in range(loads)]
        self.is_whole = code.build.and_(at >= 0, at + loads * code.lanes <= width)

    def read(self, row: Pointer, is_masked: bool) -> list[Vector]:
        """Return the vectors of a row; they may go without masks where the span `is_whole`."""
        code = self.code
        if not self.stride:
            starts = [self.at + reach for reach in self.reaches]
            return [_gathered(code, row, start, self.step, self.width) for start in starts]
        places = [row + (self.at + i * code.lanes) for i in range(len(self.masks))]
        if is_masked:
            pairs = zip(self.masks, places, strict=True)
            parts = [code.load_some(mask, place) for mask, place in pairs]
        else:
            parts = [code.load(place) for place in places]
        return [self._picked(parts, reach) for reach in self.reaches]

    def _picked(self, parts: Sequence[Vector], reach: int) -> Vector:
        lanes = self.code.lanes
        wanted = [divmod(reach + self.stride * i, lanes) for i in range(lanes)]
        (first, _), (last, _) = wanted[0], wanted[-1]
        near = [(part - first, at) for part, at in wanted]
        return picked(self.code, parts[first : last + 1], near)


@kernel(
    top=POINTER,
    out=POINTER,
    lead=INT,
    end=INT,
    rows=INT,
    lap=INT,
    first=INT,
    columns=INT,
    width=INT,
    step=INT,
    pitch=INT,
)
def rectangle(
    code: Code,
    top: Pointer,
    out: Pointer,
    lead: Int,
    end: Int,
    rows: Int,
    lap: Int,
    first: Int,
    columns: Int,
    width: Int,
    step: Int,
    pitch: Int,
    *,
    stride: int,
) -> None:
    """``out[r * pitch + j] = top[r * lap + first + j * step]``, 0 outside.

    Inside are rows from ``lead`` to ``end``, and the first ``width`` numbers of each. Up to a
    vector of other numbers is written past the last row: `out` has room for it. `stride` is
    ``step`` where that is at most `STRIDE`, else 0.
    """
    vectors = (columns + (code.lanes - 1)) // code.lanes
    # The last vector of a row comes first: what it writes past the row's end is overwritten.
    with code.loop(vectors) as done:
        j = (vectors - 1 - done) * code.lanes
        span = Span(code, first + j * step, width, step, stride)

        def written(is_masked: bool) -> None:
            with code.loop(end, start=lead) as r:
                (vector,) = span.read(top + r * lap, is_masked)
                code.store(out + (r * pitch + j), vector)

        with code.loop(lead) as r:
            code.store(out + (r * pitch + j), code.constant(0.0))
        with code.either(span.is_whole) as (whole, border):
            with whole:
                written(is_masked=False)
            with border:
                written(is_masked=True)
        with code.loop(rows, start=end) as r:
            code.store(out + (r * pitch + j), code.constant(0.0))


def _gathered(code: Code, row: Pointer, first: Int, step: Int, width: Int) -> Vector:
    """Read numbers that lie far apart one by one."""
    vector = code.constant(0.0).value
    for lane in range(code.lanes):
        at = first + lane * step
        number = code.load_number(row + at, code.build.and_(at >= 0, at < width))
        vector = code.build.insert_element(vector, number, code.integer(lane).value)
    return Vector(code.build, vector)
