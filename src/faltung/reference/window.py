"""The window that slides: which inputs one output is made of.

Along each axis, output ``o`` meets kernel entry ``k`` on input ``i = o·stride + k·dilation −
pad_lo``. All else in convolution and pooling follows from that one line. Positions are written
``oyx``, ``kyx``, ``iyx``: ``(oy, ox)`` on images, ``(ox,)`` on signals, ``(oz, oy, ox)`` in
volumes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import as_strided

from faltung.errors import GeometryError, message
from faltung.reference.arrays import Array, Ints, Pads


def inside(iyx: Ints, space: Ints) -> bool:
    """Whether a position lies within ``space``, that is, not on padding.

    >>> inside([0, 3], [4, 4]), inside([-1, 3], [4, 4])
    (True, False)
    """
    return all(0 <= i < size for i, size in zip(iyx, space, strict=True))


class Window(NamedTuple):
    """Kernel sizes with stride, padding and dilation, one entry a space axis."""

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    pads: tuple[tuple[int, int], ...]
    dilation: tuple[int, ...]

    @classmethod
    def of(
        cls, kernel: Ints, stride: Ints | None, pads: Pads | None, dilation: Ints | None
    ) -> Window:
        """Fill in what was left out: stride 1, no padding, dilation 1."""
        ones = (1,) * len(kernel)
        none = ((0, 0),) * len(kernel)
        given = cls(
            tuple(kernel),
            ones if stride is None else tuple(stride),
            none if pads is None else tuple((lo, hi) for lo, hi in pads),
            ones if dilation is None else tuple(dilation),
        )
        if len({len(entries) for entries in given}) > 1:
            rule = "kernel, stride, pads and dilation need one entry a space axis"
            raise GeometryError(message("window", rule, given._asdict()))
        return given

    @property
    def extent(self) -> tuple[int, ...]:
        """From the first tap to the last: ``dilation·(kernel − 1) + 1``."""
        return tuple(d * (k - 1) + 1 for k, d in zip(self.kernel, self.dilation, strict=True))

    def out_space(self, space: Ints) -> tuple[int, ...]:
        """Positions where the window fits: ``⌊(n + pads − extent)/stride⌋ + 1``, at least 0."""
        return tuple(
            max(0, (n + lo + hi - extent) // s + 1)
            for n, (lo, hi), extent, s in zip(
                space, self.pads, self.extent, self.stride, strict=True
            )
        )

    def tap(self, oyx: Ints, kyx: Ints) -> tuple[int, ...]:
        """Input position where output ``oyx`` meets kernel entry ``kyx``."""
        return tuple(
            o * s + k * d - lo
            for o, k, s, d, (lo, _) in zip(
                oyx, kyx, self.stride, self.dilation, self.pads, strict=True
            )
        )

    def taps(self, oyx: Ints) -> Iterator[tuple[int, ...]]:
        """All input positions of one output, on padding or not, in row-major order."""
        return (self.tap(oyx, kyx) for kyx in np.ndindex(*self.kernel))

    def view(self, x: Array, out_space: Ints) -> Array:
        """``v[n, c, *oyx, *kyx] = x[n, c, *(oyx·stride + kyx·dilation)]`` of padded x, no copy."""
        self.check_fit(x.shape[2:], out_space)
        step = x.strides[2:]
        o_steps = tuple(a * s for a, s in zip(step, self.stride, strict=True))
        k_steps = tuple(a * d for a, d in zip(step, self.dilation, strict=True))
        shape = x.shape[:2] + tuple(out_space) + self.kernel
        return as_strided(x, shape, x.strides[:2] + o_steps + k_steps, writeable=False)

    def slices(self, kyx: Ints, out_space: Ints) -> tuple[slice, ...]:
        """Where the outputs meet kernel entry ``kyx`` in a padded x, one slice an axis."""
        return tuple(
            slice(k * d, k * d + o * s, s)
            for k, d, s, o in zip(kyx, self.dilation, self.stride, out_space, strict=True)
        )

    def check_fit(self, padded_space: Ints, out_space: Ints) -> None:
        """Refuse what would read past the end of the padded input."""
        room = self._replace(pads=((0, 0),) * len(self.kernel)).out_space(padded_space)
        if any(o > most for o, most in zip(out_space, room, strict=True)):
            rule = "there are more outputs than windows"
            got = {"outputs": tuple(out_space), "windows": room}
            raise GeometryError(message("conv", rule, got))
