"""Numbers that lie one after the other, a vector at a time, the last one as far as it goes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir

from faltung.kernels.simd import Code, Int, Pointer, Vector


class Lanes:
    """Reads and writes vectors: all lanes, or the first ones.

    Parameters
    ----------
    code
        What it is written with.
    mask
        Of the lanes that are there; None for all.
    """

    __slots__ = ("_code", "_mask")

    def __init__(self, code: Code, mask: Any = None) -> None:
        self._code, self._mask = code, mask

    def load(self, place: Pointer) -> Vector:
        """Read a vector; lanes that are not there are 0."""
        code, mask = self._code, self._mask
        return code.load(place) if mask is None else code.load_some(mask, place)

    def store(self, place: Pointer, vector: Vector) -> None:
        """Write the lanes that are there."""
        if self._mask is None:
            self._code.store(place, vector)
        else:
            self._code.store_some(self._mask, place, vector)

    def only(self, vector: Vector, otherwise: Vector | None = None) -> Vector:
        """Return a vector, of any kind of numbers, with others where no lane is, or 0."""
        if self._mask is None:
            return vector
        zeros = Vector(vector.build, ir.Constant(vector.value.type, None))
        return self._code.select(self._mask, vector, zeros if otherwise is None else otherwise)


def each_vector(code: Code, start: Int, stop: Int, visit: Callable[[Int, Lanes], None]) -> None:
    """Call ``visit(at, lanes)`` for the vectors of ``range(start, stop)``."""
    whole = (stop - start) // code.lanes * code.lanes + start
    with code.loop(whole, step=code.lanes, start=start) as at:
        visit(at, Lanes(code))
    with code.when(whole < stop):
        visit(whole, Lanes(code, code.first(stop - whole)))
