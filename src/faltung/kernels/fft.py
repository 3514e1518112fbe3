"""Convolution by Fourier transforms, block by block: for kernels of thousands of taps.

::

    Σ_j w[j] · x[i + j]  =  F⁻¹( F(x) · conj F(w) )[i]      for i up to N - k

where x is a block of N samples and the transform takes it for periodic: the outputs at its end,
k - 1 at least, are thrown away, and the next block begins there. N follows from the kernel alone,
so neither how long a signal is nor how many threads there are changes a bit. The transforms are
NumPy's.

Rounding is shared by a block. With u the unit roundoff and ŵ the kernel's transform,

``|error| <= 8 · u · log2(N) · √N · max|x| · (‖w‖₂ + max|ŵ|)``,

max|x| over the block: each transform adds 7 u log2(N) of its norm (N. Higham, *Accuracy and
Stability of Numerical Algorithms*, 2nd edition, theorem 24.2), and the kernel's is computed in
float64. A block is summed directly instead where it holds a NaN or an infinity, or where this bound
exceeds that of direct sums at the block's quietest stretch of k samples more than `LARGEST_GROWTH`
times.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache, partial
from itertools import product
from math import log2, prod, sqrt
from typing import Any, Final

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from faltung.geometry.interval import Interval
from faltung.kernels import memory
from faltung.kernels.row import gamma
from faltung.kernels.threads import in_order, num_threads

Array = NDArray[Any]
Box = tuple[Interval, ...]
Direct = Callable[[Box], Array]

LARGEST_GROWTH: Final = 100
"""By how much the bound may exceed that of direct sums."""
LONG: Final = 1 << 15
"""Samples of blocks that are made longer only for kernels that are so long themselves."""
TOGETHER: Final = 1 << 17
"""Samples of the blocks that a thread transforms at once, about."""
STEP_NS: Final = {4: 0.35, 8: 0.55}
"""Nanoseconds of one of the N log2(N) steps of both transforms, by the bytes of a number."""
STEP_NS_2D: Final = {4: 0.9, 8: 1.0}
"""The same along more axes than one, where all but the last go through memory in steps."""
CALL_NS: Final = 300_000.0
"""What a call takes beside its blocks: the kernel's transform, and looking for what is loud."""
BLOCK_NS: Final = 3_000.0
"""What a block takes beside its transforms."""


@lru_cache(1024)
def block_shape(kernel: tuple[int, ...], itemsize: int) -> tuple[int, ...]:
    """Return the samples of a block on each axis: powers of two, from the kernel alone.

    >>> block_shape((4096,), 4), block_shape((100, 100), 4)
    ((32768,), (512, 512))
    """
    lengths = [_lengths(taps) for taps in kernel]
    return min(product(*lengths), key=lambda shape: _cost(shape, kernel, itemsize))


def cost(out: Sequence[int], kernel: Sequence[int], itemsize: int) -> float:
    """Return about how many nanoseconds the outputs take on one thread."""
    shape = block_shape(tuple(kernel), itemsize)
    blocks = prod(-(-n // step) for n, step in zip(out, steps(shape, kernel), strict=True))
    return CALL_NS + blocks * _block_cost(shape, itemsize)


def error_bound(w: Array, largest: float) -> float:
    """Return the bound that the module's text states, for a block of numbers up to ``largest``."""
    shape = block_shape(w.shape, w.itemsize)
    spectrum = float(np.abs(_transformed(w, shape)).max())
    norm = sqrt(np.square(w, dtype=np.float64).sum())
    return largest * _bound(shape, w.dtype, norm, spectrum)


def correlate(x: Array, w: Array, pads: Sequence[tuple[int, int]], direct: Direct) -> Array:
    """Return ``y[i] = Σ_j w[j] · x[i + j - pad]``, zeros outside.

    Parameters
    ----------
    x : array (*space), float32 or float64
        What is filtered.
    w : array (*kernel), of its dtype
        The kernel, which is not flipped.
    pads
        How many zeros stand before and behind, on each axis; negative ones crop.
    direct
        Sums a box of outputs directly.

    Returns
    -------
    array (*out)
    """
    sizes = zip(x.shape, w.shape, pads, strict=True)
    y = memory.empty([n + sum(pad) - k + 1 for n, k, pad in sizes], x.dtype)
    work = _Work(x, w, [pad[0] for pad in pads], y, direct)
    grid = [range(-(-n // step)) for n, step in zip(y.shape, work.steps, strict=True)]
    last = _groups(len(grid[-1]), work.shape)
    # While one thread transforms the kernel, others begin with the array.
    tasks: list[Callable[[], None]] = [work.transform_kernel]
    tasks += [partial(work.fill, blocks) for blocks in product(*grid[:-1], last)]
    for _ in in_order(lambda task: task(), tasks):
        pass
    return y


class _Work:
    """What the blocks of one call share."""

    def __init__(self, x: Array, w: Array, lead: Sequence[int], y: Array, direct: Direct) -> None:
        self.x, self.y, self.lead, self.direct = x, y, lead, direct
        self.shape, self.kernel = block_shape(w.shape, x.itemsize), w.shape
        self.steps, self.w = steps(self.shape, w.shape), w
        self.number = np.result_type(x.dtype, np.complex64)
        self.spectrum, self.bound, self.is_ready = np.empty(0), 0.0, threading.Event()
        self.loud, self.quiet = _stretches(x, w.shape, lead)
        self.direct_bound = gamma(w.size, x.dtype) * float(np.abs(w, dtype=np.float64).sum())

    def transform_kernel(self) -> None:
        """Provide the kernel's transform, and the bound of a block whose largest number is 1."""
        try:
            spectrum = _transformed(self.w, self.shape)
            norm = sqrt(np.square(self.w, dtype=np.float64).sum())
            self.bound = _bound(self.shape, self.x.dtype, norm, float(np.abs(spectrum).max()))
            self.spectrum = np.conj(spectrum).astype(self.number)
        finally:
            self.is_ready.set()

    def fill(self, blocks: tuple[Any, ...]) -> None:
        """Compute some blocks side by side along the last axis: numbers, then a range of them."""
        with np.errstate(all="ignore"):
            *lines, numbers = blocks
            self._transform(tuple(lines), numbers)
            for number in numbers:
                box = self._outputs((*lines, number))
                if all(span.size for span in box) and not self._is_calm((*lines, number)):
                    self.y[_index(box)] = self.direct(box)

    def _outputs(self, block: tuple[int, ...]) -> Box:
        sizes = zip(block, self.steps, self.y.shape, strict=True)
        return tuple(Interval(i * step, i * step + step).clip(0, n) for i, step, n in sizes)

    def _is_calm(self, block: tuple[int, ...]) -> bool:
        """Whether the block's bound is good enough; never where a number is not finite."""
        counts = (step // k for step, k in zip(self.steps, self.kernel, strict=True))
        index = tuple(slice(i * n, (i + 1) * n + 1) for i, n in zip(block, counts, strict=True))
        largest = float(self.loud[index].max(initial=0))
        quietest = min(largest, float(self.quiet[index].min(initial=np.inf)))
        return self.bound * largest <= LARGEST_GROWTH * self.direct_bound * quietest < np.inf

    def _transform(self, lines: tuple[int, ...], numbers: range) -> None:
        """Transform a row of blocks, multiply, transform back, keep what is no wrap-around."""
        count, (*before, last) = len(numbers), self.shape
        length = last + (count - 1) * self.steps[-1]
        room, transformed, back = _areas(
            ((*before, length), self.x.dtype),
            ((count, *before, last // 2 + 1), self.number),
            ((count, *self.shape), self.x.dtype),
        )
        segment = self._segment((*lines, numbers[0]), room)
        blocks = np.moveaxis(
            sliding_window_view(segment, last, -1)[..., :: self.steps[-1], :], -2, 0
        )
        axes = tuple(range(1, blocks.ndim))
        # NumPy is several times slower where a transform of float32 has no factor: "ortho" has.
        np.fft.rfftn(blocks, axes=axes, norm="ortho", out=transformed)
        self.is_ready.wait()
        np.multiply(transformed, self.spectrum, out=transformed)
        np.fft.irfftn(transformed, self.shape, axes, norm="ortho", out=back)
        for number, block in zip(numbers, back, strict=True):
            box = self._outputs((*lines, number))
            self.y[_index(box)] = block[tuple(slice(span.size) for span in box)]

    def _segment(self, first: tuple[int, ...], room: Array) -> Array:
        """Return what a row of blocks reads from its first on, zeros where it leaves the array."""
        lows = [i * step - lo for i, step, lo in zip(first, self.steps, self.lead, strict=True)]
        spans = [Interval(lo, lo + size) for lo, size in zip(lows, room.shape, strict=True)]
        inside = [span.clip(0, n) for span, n in zip(spans, self.x.shape, strict=True)]
        part = self.x[_index(inside)]
        if part.shape == room.shape:
            return part
        room.fill(0)
        places = (span.shift(-whole.lo) for span, whole in zip(inside, spans, strict=True))
        room[_index(places)] = part
        return room


def _areas(*wanted: tuple[Sequence[int], np.dtype[Any]]) -> list[Array]:
    """Return working memory of these shapes and dtypes, all of it the calling thread's own."""
    sizes = [memory.line(prod(shape) * dtype.itemsize) for shape, dtype in wanted]
    area = memory.working(sum(sizes))
    starts = [sum(sizes[:i]) for i in range(len(sizes))]
    return [
        area[start : start + prod(shape) * dtype.itemsize].view(dtype).reshape(shape)
        for start, (shape, dtype) in zip(starts, wanted, strict=True)
    ]


def steps(shape: Sequence[int], kernel: Sequence[int]) -> tuple[int, ...]:
    """Return how many outputs of a block are kept: stretches of k of them, all but the last."""
    return tuple((n // k - 1) * k for n, k in zip(shape, kernel, strict=True))


def _transformed(w: Array, shape: tuple[int, ...]) -> Array:
    return np.fft.rfftn(w.astype(np.float64), shape, tuple(range(w.ndim)))


def _index(spans: Iterable[Interval]) -> tuple[slice, ...]:
    return tuple(slice(*span) for span in spans)


def _groups(blocks: int, shape: tuple[int, ...]) -> list[range]:
    """Return which blocks are transformed together: NumPy takes four at a time in vectors.

    So all are in fours, even where the last of them are empty: then their bits are the same.
    """
    if len(shape) > 1:
        return [range(i, i + 1) for i in range(blocks)]
    fours, threads = -(-blocks // 4), num_threads()
    rounds = -(-fours * 4 * shape[0] // (threads * TOGETHER))
    step = 4 * -(-fours // (threads * rounds))
    return [range(i, min(i + step, 4 * fours)) for i in range(0, 4 * fours, step)]


def _stretches(x: Array, kernel: Sequence[int], lead: Sequence[int]) -> tuple[Array, Array]:
    """Return the largest absolute value of each stretch of a kernel's size.

    The first array has those cut by the array's ends as well; in the second they are infinite.
    """
    low, high, is_whole = x, x, np.array(True)
    for axis, (n, k, lo) in enumerate(zip(x.shape, kernel, lead, strict=True)):
        starts = np.arange(-lo, n, k)
        within = np.maximum(starts, 0)
        # Stretches that lie wholly before the array have nothing in them.
        is_some = starts + k > 0
        low = np.minimum.reduceat(low, within, axis)
        high = np.maximum.reduceat(high, within, axis)
        is_inside = (starts >= 0) & (starts + k <= n)
        is_whole = is_whole[..., np.newaxis] & is_inside
        shape = [-1 if a == axis else 1 for a in range(x.ndim)]
        low, high = (np.where(is_some.reshape(shape), v, 0) for v in (low, high))
    loud = np.maximum(high, -low)
    return loud, np.where(is_whole, loud, np.inf)


def _bound(shape: Sequence[int], dtype: np.dtype[Any], norm: float, spectrum: float) -> float:
    unit, size = float(np.finfo(dtype).eps) / 2, prod(shape)
    return 8 * unit * log2(size) * sqrt(size) * (norm + spectrum)


def _lengths(taps: int) -> list[int]:
    """Return powers of two that hold at least two stretches of so many taps."""
    least = 1 << (2 * taps - 1).bit_length()
    return [n for n in (least << i for i in range(5)) if n <= max(LONG, least)]


def _block_cost(shape: Sequence[int], itemsize: int) -> float:
    size = prod(shape)
    # What does not fit a core's own cache takes longer, and long blocks are few.
    slow = 1 + 0.1 * max(0.0, log2(size * itemsize) - 17)
    step = (STEP_NS if len(shape) == 1 else STEP_NS_2D).get(itemsize, 1.0)
    return step * slow * size * log2(size) + BLOCK_NS


def _cost(shape: Sequence[int], kernel: Sequence[int], itemsize: int) -> float:
    return _block_cost(shape, itemsize) / prod(steps(shape, kernel))
