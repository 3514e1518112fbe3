"""Rows on their way into working memory: copied with zeros around them, or split by a stride."""

from __future__ import annotations

from faltung.kernels.compiled import kernel
from faltung.kernels.simd import INT, POINTER, Code, Int, Pointer, Vector


@kernel(source=POINTER, out=POINTER, first=INT, size=INT, count=INT)
def copy_dense_row(
    code: Code, source: Pointer, out: Pointer, first: Int, size: Int, count: Int
) -> None:
    """Copy ``count`` positions from ``first`` on; 0 where they are outside the row."""
    lead = (0 - first).at_least(0).at_most(count)
    inside = (size - first).at_most(count).at_least(lead) - lead
    zeros(code, out, lead)
    copy(code, source + (first + lead), out + lead, inside)
    zeros(code, out + (lead + inside), count - lead - inside)


@kernel(source=POINTER, out=POINTER, first=INT, size=INT, count=INT, plane=INT)
def split_row(
    code: Code,
    source: Pointer,
    out: Pointer,
    first: Int,
    size: Int,
    count: Int,
    plane: Int,
    *,
    split: int,
) -> None:
    """Copy a row to 2 or 4 planes in turn, ``count`` positions to each; 0 outside the row.

    ``plane`` is the distance between the planes.
    """
    with code.loop(count, step=code.lanes) as j:
        at = first + j * split
        end = at + split * code.lanes
        is_whole = code.build.and_(at >= 0, end <= size)
        parts = [code.variable(code.constant(0.0)) for _ in range(split)]
        with code.either(is_whole) as (whole, border):
            with whole:
                for i, part in enumerate(parts):
                    part.set(code.load(source + (at + i * code.lanes)))
            with border:
                for i, part in enumerate(parts):
                    here = at + i * code.lanes
                    part.set(code.load_some(code.between(0 - here, size - here), source + here))
        for i, phase in enumerate(_split(code, [part.get() for part in parts])):
            code.store_some(code.first(count - j), out + (plane * i + j), phase)


def _split(code: Code, parts: list[Vector]) -> list[Vector]:
    """Deal numbers out in turn: 2 or 4 vectors to as many."""
    lanes = code.lanes
    if len(parts) == 2:
        a, b = parts
        return [code.shuffle(a, b, [2 * i + p for i in range(lanes)]) for p in (0, 1)]
    halves = [_split(code, parts[:2]), _split(code, parts[2:])]
    evens, odds = ([halves[0][p], halves[1][p]] for p in (0, 1))
    (zero, two), (one, three) = _split(code, evens), _split(code, odds)
    return [zero, one, two, three]


def copy(code: Code, source: Pointer, out: Pointer, count: Int) -> None:
    """Copy so many numbers, and touch nothing else."""
    whole = count // code.lanes * code.lanes
    with code.loop(whole, step=code.lanes) as i:
        code.store(out + i, code.load(source + i))
    rest = code.first(count - whole)
    code.store_some(rest, out + whole, code.load_some(rest, source + whole))


def zeros(code: Code, out: Pointer, count: Int) -> None:
    """Write so many zeros, and touch nothing else."""
    zero = code.constant(0.0)
    with code.loop(count, step=code.lanes) as i:
        code.store_some(code.first(count - i), out + i, zero)
