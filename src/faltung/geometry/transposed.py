"""One axis of a transposed convolution: the adjoint of one axis of a convolution.

Input ``i`` and kernel index ``k`` add to output ``i * stride + k * dilation - pad_lo``.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd

from faltung.geometry.axis import AxisWindow
from faltung.geometry.checks import refuse_axis
from faltung.geometry.interval import Interval


@dataclass(frozen=True, slots=True)
class AxisTransposed:
    """A kernel that every input position lays down along one axis.

    Parameters
    ----------
    size
        Number of input positions, 0 or more.
    kernel
        Number of taps, 1 or more.
    stride
        Output positions from one input's kernel to the next one's, 1 or more.
    dilation
        Output positions from one tap to the next, 1 or more.
    pad_lo, pad_hi
        Output positions *cropped* before and after, as the convolution whose adjoint this is pads
        there; negative ones are added.
    output_padding
        Output positions computed past the end, not a border of zeros: kernels may reach into them.

    Raises
    ------
    GeometryError
        axis A1: a size below 0, or a kernel, stride or dilation below 1.

    Examples
    --------
    >>> axis = AxisTransposed(size=3, kernel=3, stride=2, pad_lo=1, pad_hi=1, output_padding=1)
    >>> axis.out_size
    6
    >>> [list(axis.taps(o)) for o in range(6)]
    [[0], [0, 1], [1], [1, 2], [2], [2]]
    >>> [list(axis.kernel_taps(o)) for o in range(6)]
    [[1], [2, 0], [1], [2, 0], [1], [2]]
    """

    size: int
    kernel: int
    stride: int = 1
    dilation: int = 1
    pad_lo: int = 0
    pad_hi: int = 0
    output_padding: int = 0

    def __post_init__(self) -> None:
        if self.size < 0 or self.kernel < 1 or self.stride < 1 or self.dilation < 1:
            refuse_axis(self.size, self.kernel, self.stride, self.dilation)

    @property
    def extent(self) -> int:
        """Positions from the first tap to the last, both counted."""
        return self.dilation * (self.kernel - 1) + 1

    @property
    def out_size(self) -> int:
        """Number of outputs; none where there is no input.

        ``(size - 1) * stride + extent + output_padding - pad_lo - pad_hi``.
        """
        if not self.size:
            return 0
        whole = (self.size - 1) * self.stride + self.extent + self.output_padding
        return max(0, whole - self.pad_lo - self.pad_hi)

    @property
    def adjoint(self) -> AxisWindow:
        """The convolution whose adjoint this is: from `out_size` positions to `size`.

        Its floor drops the output padding, as far as it is below the stride; the rest is cropped.

        >>> AxisTransposed(3, kernel=3, stride=2, output_padding=1).adjoint
        AxisWindow(size=8, kernel=3, stride=2, dilation=1, pad_lo=0, pad_hi=0, ceil=False)
        """
        if not self.size:
            return AxisWindow(0, self.kernel, self.stride, self.dilation)
        excess = max(0, self.output_padding - self.stride + 1)
        return AxisWindow(
            self.out_size,
            self.kernel,
            self.stride,
            self.dilation,
            self.pad_lo,
            self.pad_hi - excess,
        )

    def kernel_taps(self, o: int) -> range:
        """Kernel indices through which an input reaches output `o`, paired with `taps`."""
        position = o + self.pad_lo
        common = gcd(self.stride, self.dilation)
        if position % common:
            return range(0)
        step = self.stride // common
        phase = position // common * pow(self.dilation // common, -1, step) % step
        first = max(0, -((self.stride * (self.size - 1) - position) // self.dilation))
        first += (phase - first) % step
        last = min(self.kernel - 1, position // self.dilation)
        # Descending, so that the input positions ascend.
        return range(first, last + 1, step)[::-1]

    def taps(self, o: int) -> range:
        """Input positions that reach output `o`, ascending: a transposed one has no padding."""
        pairs = self.kernel_taps(o)
        if not pairs:
            return range(0)
        first, last = (
            (o + self.pad_lo - k * self.dilation) // self.stride for k in (pairs[0], pairs[-1])
        )
        return range(first, last + 1, self.dilation // gcd(self.stride, self.dilation))

    def input_span(self, span: Interval, bounded: bool = True) -> Interval:
        """Return the smallest interval that holds the taps of the outputs in `span`.

        With ``bounded=False`` as if the input had no ends, which is what receptive fields compose.

        >>> axis = AxisTransposed(size=4, kernel=2, stride=2)
        >>> axis.input_span(Interval(1, 3))
        Interval(lo=0, hi=2)
        >>> axis.input_span(Interval(7, 9)), axis.input_span(Interval(7, 9), bounded=False)
        (Interval(lo=3, hi=4), Interval(lo=3, hi=5))
        """
        if span.empty:
            return Interval(0, 0)
        lo = -((self.extent - 1 - span.lo - self.pad_lo) // self.stride)
        hi = (span.hi - 1 + self.pad_lo) // self.stride + 1
        near = range(max(lo, 0), min(hi, self.size)) if bounded else range(lo, hi)
        first = next((i for i in near if self._reaches(i, span)), None)
        if first is None:
            return Interval(0, 0)
        return Interval(first, 1 + next(i for i in reversed(near) if self._reaches(i, span)))

    def _reaches(self, i: int, span: Interval) -> bool:
        """Whether input `i`, whose last tap is not before `span`, adds to an output in it."""
        start = i * self.stride - self.pad_lo
        k = max(0, -((start - span.lo) // self.dilation))
        return start + k * self.dilation < span.hi

    def connections(self, padding: bool = True) -> int:
        """Count the pairs (output, tap); `padding` changes nothing, there are no taps on it.

        Fewer than ``size * kernel`` where outputs are cropped.

        >>> AxisTransposed(3, kernel=3, stride=2, pad_lo=1, pad_hi=1).connections()
        7
        """
        return self.adjoint.connections(padding=False)
