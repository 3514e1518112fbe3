"""Channels of an array (N, C, *space), and how to go over them twice: what normalisation does.

A block has whole channels, neighbours if an image has little of one. It sums over them, and then
goes over them once more, the last images first: those are still in a cache. What comes next is
fetched ahead, since an image's channels lie far from the next one's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from llvmlite import ir

from faltung.kernels.each import Lanes, each_vector
from faltung.kernels.fold import across, widened
from faltung.kernels.simd import I32, Code, Int, Pointer, Vector

FIELDS: Final = (
    *("x", "y", "residual", "scale", "bias", "mean", "variance", "rstd"),
    *("running_mean", "running_variance", "moved_mean", "moved_variance"),
    *("dy", "dx", "masked", "dscale", "dbias"),
    *("scratch", "images", "channels", "size", "count", "scratch_size"),
)
"""What a block is told, in this order; `count` channels are one block."""
SUMS: Final = 2
"""Sums over each channel."""
CONSTANTS: Final = 4
"""Numbers that a channel's second pass is told, at most."""
WIDE: Final = ir.DoubleType()

Terms = Callable[[Int, Lanes], Sequence[Vector]]
"""Computes vectors of what stands at a place, counted from where the arrays begin."""


def scratch_size(lanes: int, itemsize: int) -> int:
    """Return how many numbers of working memory a channel takes."""
    return SUMS * lanes * (8 // itemsize) + CONSTANTS


class Channels:
    """The channels of a block, and how to go over them.

    Parameters
    ----------
    code
        What it is written with.
    arguments, block, thread
        As a block is told them.
    reads
        Arrays that are read: their next image is fetched while one is worked on.
    """

    def __init__(
        self, code: Code, arguments: Pointer, block: Int, thread: Int, reads: Sequence[str]
    ) -> None:
        self.code, self.arguments, self.reads = code, arguments, reads
        self.scratch = self.place("scratch") + thread * self.of("scratch_size")
        self.first = block * self.of("count")
        self.stop = (self.first + self.of("count")).at_most(self.of("channels"))

    def of(self, name: str) -> Int:
        """Return a field."""
        return self.arguments[FIELDS.index(name)]

    def place(self, name: str) -> Pointer:
        """Return where an array begins."""
        return self.code.address(self.of(name))

    def each(self, work: Callable[[Channel], None]) -> None:
        """Do something for each channel."""
        with self.code.loop(self.stop, start=self.first) as number:
            work(Channel(self, number))

    def sum(self, terms: Callable[[Channel], Terms]) -> None:
        """Sum over each channel; terms are of float64."""
        code, nothing = self.code, widened(self.code, self.code.constant(0.0))

        def clear(channel: Channel) -> None:
            for i in range(SUMS):
                channel.put_total(i, nothing)

        def add(channel: Channel, start: Int) -> None:
            totals = [code.variable(channel.total(i)) for i in range(SUMS)]
            read = terms(channel)

            def visit(at: Int, lanes: Lanes) -> None:
                for total, term in zip(totals, read(at, lanes), strict=True):
                    total.set(total.get() + lanes.only(term))

            self._numbers(start, visit, ahead=self.of("channels") * self.of("size"))
            for i, total in enumerate(totals):
                channel.put_total(i, total.get())

        self.each(clear)
        with code.loop(self.of("images")) as n:
            self._planes(n, add)

    def write(self, names: Sequence[str], made: Callable[[Channel], Terms]) -> None:
        """Compute all numbers of some arrays, those of the last image first."""
        code, places = self.code, [self.place(name) for name in names]

        def work(channel: Channel, start: Int) -> None:
            compute = made(channel)

            def visit(at: Int, lanes: Lanes) -> None:
                for place, vector in zip(places, compute(at, lanes), strict=True):
                    lanes.store(place + at, vector)

            self._numbers(start, visit, ahead=0 - self.of("channels") * self.of("size"))

        with code.loop(self.of("images")) as n:
            self._planes(self.of("images") - 1 - n, work)

    def _planes(self, n: Int, work: Callable[[Channel, Int], None]) -> None:
        def plane(channel: Channel) -> None:
            work(channel, (n * self.of("channels") + channel.number) * self.of("size"))

        self.each(plane)

    def _numbers(self, start: Int, visit: Callable[[Int, Lanes], None], ahead: Int) -> None:
        def fetching(at: Int, lanes: Lanes) -> None:
            for name in self.reads:
                self.code.prefetch(self.place(name) + (at + ahead), 3)
            visit(at, lanes)

        each_vector(self.code, start, start + self.of("size"), fetching)


class Channel:
    """One channel: its numbers in arrays (C,), and its own working memory."""

    def __init__(self, channels: Channels, number: Int) -> None:
        self.number, self._of, self._place = number, channels.of, channels.place
        self.code = code = channels.code
        own = (number - channels.first) * scratch_size(code.lanes, code.itemsize)
        self._scratch = channels.scratch + own

    def total(self, i: int) -> Vector:
        """Return a sum's lanes."""
        place, kind = self._total(i), ir.VectorType(WIDE, self.code.lanes)
        return Vector(self.code.build, self.code.build.load(place.value, typ=kind, align=8))

    def put_total(self, i: int, total: Vector) -> None:
        """Keep a sum's lanes."""
        self.code.build.store(total.value, self._total(i).value, align=8)

    def _total(self, i: int) -> Pointer:
        return self._scratch + i * self.code.lanes * (8 // self.code.itemsize)

    def sums(self) -> list[Vector]:
        """Return the sums, each a number of float64."""
        build = self.code.build
        totals = [across(self.code, self.total(i)).value for i in range(SUMS)]
        return [Vector(build, build.extract_element(total, I32(0))) for total in totals]

    def keep(self, numbers: Sequence[Any]) -> None:
        """Keep numbers for the second pass."""
        for i, number in enumerate(numbers):
            self.code.store_number(self._constant(i), number)

    def kept(self, i: int) -> Vector:
        """Return such a number in all lanes."""
        return self.code.broadcast(self._constant(i))

    def _constant(self, i: int) -> Pointer:
        return self._scratch + (SUMS * self.code.lanes * (8 // self.code.itemsize) + i)

    def first(self) -> Vector:
        """Return the channel's first number in float64; 0 if it is not finite."""
        code, nothing = self.code, wide_constant(self.code, 0.0)
        place = self._place("x") + self.number * self._of("size")
        number = _read(code, place)
        is_finite = code.build.fcmp_ordered("==", (number - number).value, nothing.value)
        return code.select(is_finite, number, nothing)

    def get(self, name: str) -> Vector:
        """Return the channel's number of an array, in float64."""
        return _read(self.code, self._place(name) + self.number)

    def put(self, name: str, number: Vector) -> None:
        """Write the channel's number into an array, rounded to its type once."""
        self.code.store_number(self._place(name) + self.number, rounded(self.code, number))

    def get_wide(self, name: str) -> Vector:
        """Return the channel's number of an array of float64."""
        build = self.code.build
        return Vector(build, build.load(self._wide(name).value, typ=WIDE, align=8))

    def put_wide(self, name: str, number: Vector) -> None:
        """Write the channel's number into an array of float64."""
        self.code.build.store(number.value, self._wide(name).value, align=8)

    def _wide(self, name: str) -> Pointer:
        return Pointer(self.code.build, self._place(name).value, WIDE) + self.number

    @property
    def length(self) -> Vector:
        """How many numbers the channel has, in float64."""
        count = self._of("images") * self._of("size")
        return Vector(self.code.build, self.code.build.sitofp(count.value, WIDE))


# Numbers --------------------------------------------------------------------------------------


def wide_constant(code: Code, value: float) -> Vector:
    """Return a number of float64."""
    return Vector(code.build, ir.Constant(WIDE, value))


def rounded(code: Code, number: Vector) -> Any:
    """Return a number of float64 in the kernel's own type."""
    return number.value if code.itemsize == 8 else code.build.fptrunc(number.value, code.element)


def spread_wide(code: Code, number: Vector) -> Vector:
    """Return a vector of float64 with one number in all lanes."""
    return Vector(code.build, code._spread(number.value, ir.VectorType(WIDE, code.lanes)))


def root(code: Code, number: Vector) -> Vector:
    """Return the square root of a number of float64."""
    return Vector(code.build, code.intrinsic("llvm.sqrt.f64", WIDE, (WIDE,), [number.value]))


def _read(code: Code, place: Pointer) -> Vector:
    number = code.build.load(place.value, typ=code.element, align=code.itemsize)
    is_wide = code.itemsize == 8
    return Vector(code.build, number if is_wide else code.build.fpext(number, WIDE))
