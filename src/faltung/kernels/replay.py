"""Calls that are repeated: what a row launched for some shapes, launched again for other arrays.

From shapes to addresses a row works out layouts, finds its machine code, and lays down arguments.
For a small image that takes longer than the image. But rows that only launch kernels do the same
each time: the same kernels with the same sizes, and of the arguments only addresses differ. So the
first call of some shapes is written down (`Recorder`), and the next ones are one call of machine
code (`repeat`): it copies each launch's arguments, puts the new addresses in, and runs the blocks.

An address that a launch was given is one of five things, or the call is not written down at all:
within one of the arrays that came in or went out; within working memory that the row asked for
(`memory.empty`); within memory that it wants to be zeros (`memory.zeros`), which each call makes
anew, whatever became of the one before; within a constant of the row's, which is read-only; or the
scratch memory.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from itertools import pairwise
from typing import Any, Final, NamedTuple

import numpy as np
from llvmlite import ir
from numpy.lib.array_utils import byte_bounds
from numpy.typing import NDArray

from faltung.kernels import memory
from faltung.kernels.compiled import kernel
from faltung.kernels.isa import chosen
from faltung.kernels.pool import shared_pool
from faltung.kernels.simd import I64, INTS, Code, Int, Pointer

Array = NDArray[Any]

ARRAYS: Final = 4
"""Arrays that differ from call to call: three inputs and the result."""
WORK: Final = ARRAYS
"""The place, after theirs, where the address of the working memory stands."""
_SLOTS: Final = 8
# Words before the steps: how many there are, and the zeros in working memory from word to word.
_STEPS, _ZEROS, _ZEROS_END = range(3)
_HEAD: Final = 3
# Words of a step.
_FUNCTION, _BLOCKS, _RECORD, _WORDS, _PATCHES, _COUNT, _AT = range(7)
_STEP: Final = 7


class Launch(NamedTuple):
    """One launch, as `faltung.kernels.launch` was told it."""

    address: int
    names: Sequence[str]
    sizes: Mapping[str, int]
    arrays: Mapping[str, Array]
    blocks: int
    scratch: int
    shared: int


class Step(NamedTuple):
    """A launch with open places: ``record[word] = slots[slot] + offset`` for each patch."""

    address: int
    blocks: int
    record: Array
    patches: tuple[tuple[int, int, int], ...]


@kernel(plan=INTS, work=INTS, x=INTS, w=INTS, b=INTS, y=INTS)
def repeat(
    code: Code,
    plan: Pointer,
    work: Pointer,
    x: Pointer,
    w: Pointer,
    b: Pointer,
    y: Pointer,
    *,
    data: int,
    runs: bool,
) -> None:
    """Lay down the records of a plan, and run its steps one after the other.

    Arrays are NumPy's own objects; their address stands at ``data``. Without `runs`, records are
    laid down alone.
    """
    build = code.build

    def store(place: Pointer, value: Int) -> None:
        build.store(value.value, place.value, align=8)

    for slot, array in enumerate((x, w, b, y)):
        store(work + slot, array[data])
    store(work + WORK, Int(build, build.ptrtoint(work.value, I64)))
    with code.loop(plan[_ZEROS_END], start=plan[_ZEROS]) as i:
        store(work + i, code.integer(0))
    kind = ir.FunctionType(ir.VoidType(), [I64] * 3).as_pointer()
    with code.loop(plan[_STEPS]) as number:
        step = plan + (number * _STEP + _HEAD)
        template, patches, record = plan + step[_RECORD], plan + step[_PATCHES], work + step[_AT]
        with code.loop(step[_WORDS]) as i:
            store(record + i, template[i])
        with code.loop(step[_COUNT] * 3, step=3) as i:
            store(record + patches[i], work[patches[i + 1]] + patches[i + 2])
        if runs:
            called = build.inttoptr(step[_FUNCTION].value, kind)
            arguments = build.ptrtoint(record.value, I64)
            with code.loop(step[_BLOCKS]) as block:
                build.call(called, [arguments, block.value, I64(0)])


@cache
def _repeat(runs: bool) -> Callable[..., None] | None:
    """Return `repeat` as a function; None where NumPy's arrays do not begin with their address."""
    probe, isa = np.empty(3), chosen("")
    start = object.__basicsize__
    found = ctypes.c_void_p.from_address(id(probe) + start).value
    if isa is None or start % 8 or found != probe.ctypes.data:
        return None
    kinds = [ctypes.c_void_p] * 2 + [ctypes.py_object] * ARRAYS
    return ctypes.PYFUNCTYPE(None, *kinds)(repeat.address(isa=isa, data=start // 8, runs=runs))


class Recorder:
    """Notes what a row does during one call.

    Parameters
    ----------
    arrays
        What comes in, each C-contiguous; None for one that is not there.
    is_dry
        Whether launches are noted alone, and not run.

    Attributes
    ----------
    launches : list of Launch
        In their order.
    made : list of array
        Memory that was taken for results, and what leads to them.
    zeros : list of array
        Memory that launches find, and leave, full of zeros.
    """

    def __init__(self, arrays: Sequence[Array | None], *, is_dry: bool = False) -> None:
        self.arrays = list(arrays) + [None] * (ARRAYS - 1 - len(arrays))
        self.is_dry = is_dry
        self.launches: list[Launch] = []
        self.made: list[Array] = []
        self.zeros: list[Array] = []

    def replay(self, y: Array, is_small: bool) -> Replay | None:
        """Return the call with open places; None if it cannot be repeated."""
        given = [*self.arrays, y]
        if _overlap([a for a in given if a is not None and a.size]) or not y.flags.c_contiguous:
            return None
        words = sum(len(launch.names) for launch in self.launches)
        start = memory.line((_SLOTS + words) * 8)
        empty, middle = _laid_out(self.zeros, start)
        temporary, end = _laid_out([a for a in self.made if not _is_within(a, y)], middle)
        places: list[tuple[Array, int, int]] = [
            (array, slot, 0) for slot, array in enumerate(given) if array is not None
        ]
        places += [(array, WORK, offset) for array, offset in empty + temporary]
        kept: list[Array] = []
        steps = [_step(launch, places, end, kept) for launch in self.launches]
        if not steps or any(step is None for step in steps):
            return None
        own = [(launch.scratch, launch.shared) for launch in self.launches]
        known = tuple(step for step in steps if step is not None)
        zeros = (start, middle)
        return Replay(y.shape, y.dtype, known, zeros, end, own, is_small, tuple(kept))


class Replay:
    """One call for some shapes: called with the arrays, it returns a new one.

    Parameters
    ----------
    shape, dtype
        Of the result.
    steps
        What is launched.
    zeros
        From which byte to which the working memory must be zeros.
    end
        Bytes of working memory before the scratch memory.
    own
        For each step, bytes of scratch memory for each thread, and for all.
    is_small
        Whether there is too little to do for several threads.
    kept
        Constants whose addresses the steps have.
    """

    __slots__ = (
        *("_end", "_is_small", "_kept", "_own", "_place", "_plan", "_records", "_run", "_size"),
        *("_steps", "_zeros"),
        *("dtype", "shape"),
    )

    def __init__(
        self,
        shape: tuple[int, ...],
        dtype: np.dtype[Any],
        steps: tuple[Step, ...],
        zeros: tuple[int, int],
        end: int,
        own: Sequence[tuple[int, int]],
        is_small: bool,
        kept: tuple[Array, ...],
    ) -> None:
        self.shape, self.dtype = shape, dtype
        self._steps, self._end, self._own, self._kept = steps, end, own, kept
        self._zeros = slice(*zeros)
        self._plan = _plan(steps, zeros)
        self._place = self._plan.ctypes.data
        self._size = self._bytes(1)
        self._is_small = is_small and self._size <= memory.KEPT
        self._run = _repeat(self._is_small)
        ends = np.cumsum([0, *(len(step.record) for step in steps)])
        self._records = [8 * (_SLOTS + int(end)) for end in ends[:-1]]

    def _bytes(self, threads: int) -> int:
        return self._end + max(threads * scratch + shared for scratch, shared in self._own)

    def __call__(self, x: Array, w: Array | None, b: Array | None = None) -> Array:
        """Run it; the arrays have the shapes and the dtype that were written down."""
        y = memory.empty(self.shape, self.dtype)
        self.into(x, w, b, y)
        return y

    def into(self, x: Array, w: Array | None, b: Array | None, y: Array) -> None:
        """Run it, its result in `y`."""
        run = self._run
        given = (x, y if w is None else w, y if b is None else b, y)
        if run is None:
            self._by_hand((x, w, b, y))
        elif self._is_small:
            run(self._place, memory.place(self._size), *given)
        else:
            pool = shared_pool()
            area = memory.working(self._bytes(pool.threads))
            work = area.ctypes.data
            run(self._place, work, *given)
            for step, at in zip(self._steps, self._records, strict=True):
                pool.run(step.address, work + at, step.blocks)

    def _by_hand(self, arrays: Sequence[Array | None]) -> None:
        """Lay the records down without `repeat`."""
        pool = shared_pool()
        area = memory.working(self._bytes(pool.threads))
        area[self._zeros] = 0
        slots = [0 if array is None else array.ctypes.data for array in (*arrays, area)]
        for step in self._steps:
            record = step.record.copy()
            for word, slot, offset in step.patches:
                record[word] = slots[slot] + offset
            pool.run(step.address, record.ctypes.data, step.blocks)


# Inside -------------------------------------------------------------------------------------


def _is_within(array: Array, other: Array) -> bool:
    (start, end), (first, last) = byte_bounds(array), byte_bounds(other)
    return first <= start and end <= last and bool(array.size)


def _overlap(arrays: Sequence[Array]) -> bool:
    ranges = sorted(map(byte_bounds, arrays))
    return any(a[1] > b[0] for a, b in pairwise(ranges))


def _laid_out(arrays: Sequence[Array], end: int) -> tuple[list[tuple[Array, int]], int]:
    """Return where each array goes in the working memory from a byte on, and where they end."""
    places = []
    for array in arrays:
        places.append((array, end))
        end = memory.line(end + array.nbytes)
    return places, end


def _step(
    launch: Launch, places: Sequence[tuple[Array, int, int]], end: int, kept: list[Array]
) -> Step | None:
    """Return a launch with open places; None if it reads or writes what nobody knows."""
    record, patches = np.zeros(len(launch.names), np.int64), []
    for word, name in enumerate(launch.names):
        if name in ("shared", "scratch"):
            before = launch.shared if name == "scratch" else 0
            patches.append((word, WORK, end + before))
        elif name not in launch.arrays:
            record[word] = launch.sizes[name]
        else:
            array = launch.arrays[name]
            found = _slot(array, places)
            if found is not None:
                patches.append((word, *found))
            elif array.flags.writeable and array.size:
                return None
            else:
                kept.append(array)
                record[word] = array.ctypes.data
    return Step(launch.address, launch.blocks, record, tuple(patches))


def _slot(array: Array, places: Sequence[tuple[Array, int, int]]) -> tuple[int, int] | None:
    for other, slot, offset in places:
        if _is_within(array, other):
            return slot, offset + array.ctypes.data - other.ctypes.data
    return None


def _plan(steps: Sequence[Step], zeros: tuple[int, int]) -> Array:
    """Return steps, and where there must be zeros, as `repeat` reads them."""
    head: list[int] = [len(steps), *(place // 8 for place in zeros)]
    tail: list[int] = []
    start, at = _HEAD + _STEP * len(steps), _SLOTS
    for step in steps:
        record = start + len(tail)
        tail += [int(word) for word in step.record]
        patches = start + len(tail)
        tail += [number for patch in step.patches for number in patch]
        sizes = (record, len(step.record), patches, len(step.patches), at)
        at += len(step.record)
        head += [step.address, step.blocks, *sizes]
    return np.array(head + tail, np.int64)
