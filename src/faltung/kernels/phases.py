"""A row's phases: with a stride, every so many numbers belong together.

`dealt` gives them out, the first to the first vector, the next to the next, and round again;
`woven` puts them back. Both are shuffles in registers, one less for each result than there are
phases.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llvmlite import ir

from faltung.kernels.simd import I32, Code, Int, Pointer, Vector


def picked(code: Code, parts: Sequence[Vector], wanted: Sequence[tuple[int, int]]) -> Vector:
    """Return for each lane the number that it wants: of which vector, and of which lane there."""
    lanes, found = code.lanes, parts[0]
    first = [at if part == 0 else i for i, (part, at) in enumerate(wanted)]
    for p in range(1, len(parts)):
        if p > 1 and all(part != p for part, _ in wanted):
            continue
        # What earlier vectors hold is in its lane by now; what later ones hold is still to come.
        known = first if p == 1 else range(lanes)
        chosen = [lanes + at if part == p else known[i] for i, (part, at) in enumerate(wanted)]
        found = code.shuffle(found, parts[p], chosen)
    return code.shuffle(found, found, first) if len(parts) == 1 else found


def dealt(code: Code, parts: Sequence[Vector], phase: int) -> Vector:
    """Return every `len(parts)`-th number from `phase` on, of numbers that fill so many vectors."""
    wanted = [divmod(phase + len(parts) * i, code.lanes) for i in range(code.lanes)]
    return picked(code, parts, wanted)


def woven(code: Code, phases: Sequence[Vector]) -> list[Vector]:
    """Return the numbers of several vectors in turn; `dealt` gives the vectors again."""
    count, lanes = len(phases), code.lanes
    numbers = [[divmod(part * lanes + i, count) for i in range(lanes)] for part in range(count)]
    return [picked(code, phases, [(phase, at) for at, phase in own]) for own in numbers]


def inside(code: Code, first: Int, size: Int) -> Any:
    """Return the mask of the lanes whose position, counted from `first`, is in ``[0, size)``.

    One comparison of 32 bits: as an unsigned number, a position before 0 is a large one.
    """
    kind = ir.VectorType(I32, code.lanes)
    lanes = ir.Constant(kind, list(range(code.lanes)))
    start = _spread(code, first, kind)
    positions = code.build.add(start, lanes)
    return code.build.icmp_unsigned("<", positions, _spread(code, size, kind))


def filled(code: Code, mask: Any, place: Pointer, other: Vector) -> Vector:
    """Read the lanes of a mask, and nothing else; the others are those of `other`."""
    return code.select(mask, code.load_some(mask, place), other)


def _spread(code: Code, value: Int, kind: ir.VectorType) -> Any:
    number = code.build.trunc(value.value, I32)
    empty = ir.Constant(kind, ir.Undefined)
    one = code.build.insert_element(empty, number, I32(0))
    return code.build.shuffle_vector(one, empty, ir.Constant(kind, [0] * kind.count))
