"""What a window's attributes mean, worked out a second time, for the oracles alone.

It shares no line with `faltung.geometry`: an error there does not cancel against one here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from faltung.ops.operator import Array
from faltung.testing.oracles.moving import framed, unframed

Sizes = tuple[int, ...]
Pads = tuple[tuple[int, int], ...]


class Slide(NamedTuple):
    """A window's stride, dilation and padding, one entry an axis, and what stands in the frame."""

    space: Sizes
    kernel: Sizes
    stride: Sizes
    dilation: Sizes
    pads: Pads
    mode: str = "zeros"

    @property
    def arguments(self) -> dict[str, Any]:
        """What the definitions take; where a frame was laid out there is no padding left."""
        pads = self.pads if self.mode == "zeros" else ((0, 0),) * len(self.pads)
        return {"stride": self.stride, "dilation": self.dilation, "pads": pads}

    @property
    def frame(self) -> Pads:
        """The padding of all axes, batch and channels included."""
        return ((0, 0), (0, 0), *self.pads)

    def framed(self, x: Array) -> Array:
        """Return x in a frame of its own values, for the modes other than zeros."""
        return x if self.mode == "zeros" else framed(x, self.frame, self.mode)

    def unframed(self, dx: Array, shape: Sizes) -> Array:
        """Return the transpose of `framed`."""
        return dx if self.mode == "zeros" else unframed(dx, shape, self.frame, self.mode)

    @property
    def copies(self) -> int:
        """How often, at most, one value stands in the frame."""
        if self.mode == "zeros":
            return 1
        wide = tuple(n + lo + hi for n, (lo, hi) in zip(self.space, self.pads, strict=True))
        counts = unframed(np.ones(wide), self.space, self.pads, self.mode)
        return int(counts.max(initial=1))

    def outputs(self, ceil: bool) -> Sizes:
        """Count the windows one by one: those that fit and, in ceil mode, a last one that may not.

        That one hangs over by less than a stride, and starts on the input or before it.
        """
        counts = []
        for n, k, s, d, (lo, hi) in zip(*self[:5], strict=True):
            count, start, extent = 0, -lo, d * (k - 1) + 1
            while start + extent <= n + hi:
                count, start = count + 1, start + s
            if ceil and 0 < start + extent - (n + hi) < s and start < n + min(hi, 0):
                count += 1
            counts.append(count)
        return tuple(counts)


def slide_of(operator: Any, x_shape: Sequence[int], kernel: Sequence[int]) -> Slide:
    """Read the attributes of Conv, ConvTranspose or a pool as their user wrote them."""
    space = tuple(x_shape[2:])
    stride = each(kernel if operator.stride is None else operator.stride, len(space))
    dilation = each(operator.dilation, len(space))
    reach = tuple(d * (k - 1) for k, d in zip(kernel, dilation, strict=True))
    if hasattr(operator, "output_padding"):
        extra = each(operator.output_padding, len(space))
        over = tuple(r + 1 - s + e for r, s, e in zip(reach, stride, extra, strict=True))
    else:
        over = tuple(
            max(0, (math.ceil(n / s) - 1) * s + r + 1 - n)
            for n, s, r in zip(space, stride, reach, strict=True)
        )
    pads = _pads(operator.padding, reach, over)
    return Slide(space, tuple(kernel), stride, dilation, pads, operator.padding_mode)


def each(value: Any, axes: int) -> Sizes:
    """Return one int for each axis."""
    return (value,) * axes if isinstance(value, int) else tuple(value)


def _pads(padding: Any, reach: Sizes, over: Sizes) -> Pads:
    """``reach`` is what "full" adds on each side, ``over`` what "same" adds in sum."""
    match padding:
        case "valid":
            return tuple((0, 0) for _ in reach)
        case "full":
            return tuple((r, r) for r in reach)
        case "same":
            # Below 0 where a transposed kernel is shorter than its stride: more at the end.
            return tuple((n // 2, n - n // 2) if n > 0 else (0, n) for n in over)
        case "same_lower":
            return tuple((n - n // 2, n // 2) if n > 0 else (0, n) for n in over)
        case int():
            return tuple((padding, padding) for _ in reach)
    return tuple((p, p) if isinstance(p, int) else tuple(p) for p in padding)
