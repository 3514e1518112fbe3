"""Lines of caches: where they begin, and fetching them while something else is computed."""

from __future__ import annotations

from faltung.kernels.simd import I64, Code, Int, Pointer


class Ahead:
    """Memory that will be read soon, to be fetched little by little: pieces a distance apart.

    Parameters
    ----------
    code
        Where the instructions go.
    begin
        Where the first piece begins.
    size, stride
        Numbers of a piece, and from one to the next.
    pieces
        How many; none is fetched of none.
    turns
        How often `fetch` will be called: each time an equal share.
    """

    def __init__(
        self, code: Code, begin: Pointer, size: Int, stride: Int, pieces: Int, turns: Int
    ) -> None:
        self.code, self.size, self.stride = code, size, stride
        self.line = 64 // code.itemsize
        lines = (size + (self.line - 1)) // self.line
        self.share = (lines * pieces + (turns - 1)) // turns
        self.begin, self.offset = begin, code.variable(code.integer(0))
        self.at = code.variable(code.integer(0))

    def fetch(self) -> None:
        """Fetch the next share: what goes on behind the last piece does no harm."""
        with self.code.loop(self.share):
            offset, at = self.offset.get(), self.at.get()
            self.code.prefetch(self.begin + (offset + at))
            later = at + self.line
            is_over = later >= self.size
            self.at.set(self.code.choose(is_over, self.code.integer(0), later))
            self.offset.set(self.code.choose(is_over, offset + self.stride, offset))


def to_a_boundary(code: Code, place: Pointer) -> Int:
    """Numbers until the next place that whole vectors could be counted from, in memory."""
    size = code.lanes * code.itemsize
    address = Int(code.build, code.build.ptrtoint(place.value, I64))
    return (size - address % size) % size // code.itemsize
