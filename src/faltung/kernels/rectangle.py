"""A rectangle of a plane, copied so that its rows follow one another; zeros where it is outside."""

from __future__ import annotations

from typing import Any, Final

from faltung.kernels.compiled import kernel
from faltung.kernels.phases import dealt, inside
from faltung.kernels.simd import INT, POINTER, Code, Int, Pointer, Vector

STRIDE: Final = 4
"""The largest stride along a row whose numbers are picked out in registers."""


def rows_inside(first: Int, rows: Int, height: Int, step: Int) -> tuple[Int, Int]:
    """Return which of the rows ``first + r * step``, r < rows, a plane has: from one to another."""
    lead = ((step - 1 - first).at_least(0) // step).at_most(rows)
    end = ((height - first + (step - 1)).at_least(0) // step).at_most(rows)
    return lead, end.at_least(lead)


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

    def vector_at(row: Pointer, j: Int, masks: list[Any]) -> Vector:
        if not stride:
            return _gathered(code, row, first, j, step, width)
        begin = row + (first + j * stride)
        parts = [
            code.load(begin + i * code.lanes)
            if mask is None
            else code.load_some(mask, begin + i * code.lanes)
            for i, mask in enumerate(masks)
        ]
        return dealt(code, parts, 0)

    def written(j: Int, masks: list[Any]) -> None:
        with code.loop(end, start=lead) as r:
            code.store(out + (r * pitch + j), vector_at(top + r * lap, j, masks))

    # The last vector of a row comes first: what it writes past the row's end is overwritten.
    with code.loop(vectors) as done:
        j = (vectors - 1 - done) * code.lanes
        with code.loop(lead) as r:
            code.store(out + (r * pitch + j), code.constant(0.0))
        at = first + j * stride
        starts = [at + i * code.lanes for i in range(stride)]
        is_whole = code.build.and_(at >= 0, at + stride * code.lanes <= width)
        with code.either(is_whole) as (whole, border):
            with whole:
                written(j, [None] * stride)
            with border:
                written(j, [inside(code, start, width) for start in starts])
        with code.loop(rows, start=end) as r:
            code.store(out + (r * pitch + j), code.constant(0.0))


def _gathered(code: Code, row: Pointer, first: Int, j: Int, step: Int, width: Int) -> Vector:
    """Read numbers that lie far apart one by one."""
    vector = code.constant(0.0).value
    for lane in range(code.lanes):
        at = first + (j + lane) * step
        number = code.load_number(row + at, code.build.and_(at >= 0, at < width))
        vector = code.build.insert_element(vector, number, code.integer(lane).value)
    return Vector(code.build, vector)
