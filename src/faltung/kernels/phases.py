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


def dealt(code: Code, parts: Sequence[Vector], phase: int) -> Vector:
    """Return every `len(parts)`-th number from `phase` on, of numbers that fill so many vectors."""
    count, lanes = len(parts), code.lanes
    wanted = [phase + count * i for i in range(lanes)]
    found = parts[0]
    for p in range(1, count):
        # What earlier parts held is in its lane by now; what later ones hold is still to come.
        known = [i if p > 1 else n for i, n in enumerate(wanted)]
        chosen = [lanes + n % lanes if n // lanes == p else known[i] for i, n in enumerate(wanted)]
        found = code.shuffle(found, parts[p], [n % (2 * lanes) for n in chosen])
    return found


def woven(code: Code, phases: Sequence[Vector]) -> list[Vector]:
    """Return the numbers of several vectors in turn; `dealt` gives the vectors again."""
    count, lanes = len(phases), code.lanes
    made = []
    for part in range(count):
        places = [divmod(part * lanes + i, count) for i in range(lanes)]
        found = phases[0]
        for p in range(1, count):
            chosen = [
                lanes + at if phase == p else (at if p == 1 and phase == 0 else i)
                for i, (at, phase) in enumerate(places)
            ]
            found = code.shuffle(found, phases[p], chosen)
        made.append(found)
    return made


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
