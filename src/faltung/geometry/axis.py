"""One axis of a convolution or a pooling: which input positions each output uses.

Everything else in the toolkit that speaks of sizes, padding, receptive fields, halos or numbers of
connections reads it off this one formula: output ``o`` and kernel index ``k`` meet at position ::

    o * stride - pad_lo + k * dilation

``docs/spec/conv.md`` derives what follows from it.
"""

from __future__ import annotations

from dataclasses import dataclass

from faltung.geometry.checks import refuse_axis
from faltung.geometry.floors import floor_sum
from faltung.geometry.interval import Interval


@dataclass(frozen=True, slots=True)
class AxisWindow:
    """A kernel that slides along one axis.

    Parameters
    ----------
    size
        Number of input positions, 0 or more.
    kernel
        Number of taps, 1 or more.
    stride
        Positions from one window to the next, 1 or more.
    dilation
        Positions from one tap to the next, 1 or more.
    pad_lo, pad_hi
        Positions added before and after the input; negative ones are cropped.
    ceil
        Whether a last window that hangs over the end is kept (pooling's ``ceil_mode``).

    Raises
    ------
    GeometryError
        axis A1: a size below 0, or a kernel, stride or dilation below 1.

    Examples
    --------
    >>> axis = AxisWindow(size=6, kernel=3, stride=2, pad_lo=1, pad_hi=1)
    >>> axis.out_size, axis.dropped
    (3, 1)
    >>> list(axis.taps(0)), list(axis.taps_inside(0))
    ([-1, 0, 1], [0, 1])
    """

    size: int
    kernel: int
    stride: int = 1
    dilation: int = 1
    pad_lo: int = 0
    pad_hi: int = 0
    ceil: bool = False

    def __post_init__(self) -> None:
        if self.size < 0 or self.kernel < 1 or self.stride < 1 or self.dilation < 1:
            refuse_axis(self.size, self.kernel, self.stride, self.dilation)

    @property
    def extent(self) -> int:
        """Positions from the first tap to the last, both counted."""
        return self.dilation * (self.kernel - 1) + 1

    @property
    def padded(self) -> int:
        """Length of the input with its padding; negative where more is cropped than there is."""
        return self.size + self.pad_lo + self.pad_hi

    @property
    def end(self) -> int:
        """End of the input's own positions that were not cropped at the high side."""
        return self.size + min(self.pad_hi, 0)

    @property
    def out_size(self) -> int:
        """Number of windows.

        ``floor((padded - extent) / stride) + 1``; with `ceil` one more if the floor dropped
        positions and that window still starts before the end of the input.

        >>> AxisWindow(10, kernel=1, stride=2, ceil=True).out_size
        5
        >>> AxisWindow(9, kernel=4, stride=4, pad_lo=2, pad_hi=2, ceil=True).out_size
        3
        >>> AxisWindow(2, kernel=3).out_size
        0
        """
        fits, rest = divmod(self.padded - self.extent, self.stride)
        windows = fits + 1
        if self.ceil and rest and windows * self.stride - self.pad_lo < self.end:
            windows += 1
        return max(0, windows)

    @property
    def reach(self) -> int:
        """Length from the first window's start to the last one's end; 0 without windows."""
        windows = self.out_size
        return (windows - 1) * self.stride + self.extent if windows else 0

    @property
    def dropped(self) -> int:
        """Trailing positions of the padded input that lie past the last window.

        >>> AxisWindow(8, kernel=3, stride=2).dropped
        1
        """
        return max(0, self.padded - self.reach)

    @property
    def overhang(self) -> int:
        """How far the last window passes the padded input: only in ceil mode.

        >>> AxisWindow(4, kernel=3, stride=2, ceil=True).overhang
        1
        """
        return max(0, self.reach - self.padded) if self.reach else 0

    def taps(self, o: int) -> range:
        """Input positions that output `o` uses; those outside ``[0, end)`` are padding."""
        start = o * self.stride - self.pad_lo
        return range(start, start + self.extent, self.dilation)

    def kernel_taps_inside(self, o: int) -> range:
        """Kernel indices whose tap for output `o` is an input position.

        >>> AxisWindow(5, kernel=3, pad_lo=1, pad_hi=1).kernel_taps_inside(4)
        range(0, 2)
        """
        start = o * self.stride - self.pad_lo
        first = max(0, -(start // self.dilation))
        last = min(self.kernel, (self.end - 1 - start) // self.dilation + 1)
        return range(first, max(first, last))

    def taps_inside(self, o: int) -> range:
        """Input positions that output `o` uses, without padding."""
        inside = self.kernel_taps_inside(o)
        start = o * self.stride - self.pad_lo
        return range(
            start + inside.start * self.dilation, start + inside.stop * self.dilation, self.dilation
        )

    def divisor(self, o: int, include_pad: bool) -> int:
        """Return what average pooling divides output `o` by.

        The taps inside and, with `include_pad`, those on padding: never those that ceil mode lets
        hang over the padded input.

        >>> axis = AxisWindow(4, kernel=3, stride=2, pad_lo=1, pad_hi=1, ceil=True)
        >>> [axis.divisor(o, include_pad=True) for o in range(3)]
        [3, 3, 2]
        >>> [axis.divisor(o, include_pad=False) for o in range(3)]
        [2, 3, 1]
        """
        if not include_pad:
            return len(self.kernel_taps_inside(o))
        room = self.padded - o * self.stride
        return max(0, min(self.kernel, -(-room // self.dilation)))

    def input_span(self, span: Interval) -> Interval:
        """Return the smallest interval that holds the taps of the outputs in `span`.

        Not clipped to the input, so that spans compose: the chain's receptive field is the span of
        the span.

        >>> AxisWindow(7, kernel=3, stride=2, pad_lo=1).input_span(Interval(0, 2))
        Interval(lo=-1, hi=4)
        """
        if span.empty:
            return Interval(0, 0)
        lo = span.lo * self.stride - self.pad_lo
        return Interval(lo, (span.hi - 1) * self.stride - self.pad_lo + self.extent)

    def connections(self, padding: bool = True) -> int:
        """Count the pairs (output, tap); without `padding`, those whose tap is an input position.

        >>> axis = AxisWindow(224, kernel=3, pad_lo=1, pad_hi=1)
        >>> axis.connections(padding=True), axis.connections(padding=False)
        (672, 670)
        """
        windows = self.out_size
        if padding:
            return windows * self.kernel
        return self._before(max(self.end, 0), windows) - self._before(0, windows)

    def _before(self, end: int, windows: int) -> int:
        """Count the pairs (output, tap) whose tap lies before a position.

        A window may have as many taps as a file says, so they are not walked through.
        """
        room = end + self.pad_lo  # o * stride + k * dilation < room
        last = (windows - 1) * self.stride
        all_meet = min(max((room - 1 - last) // self.dilation + 1, 0), self.kernel)
        some_meet = min(max((room - 1) // self.dilation + 1, 0), self.kernel)
        # Tap k is met by ceil((room - k * dilation) / stride) outputs; the last such tap first.
        start = room + self.stride - 1 - (some_meet - 1) * self.dilation
        part = floor_sum(some_meet - all_meet, self.dilation, start, self.stride)
        return all_meet * windows + part if windows else 0
