"""What the attributes of a window mean, worked out a second time.

It shares no line with `faltung.geometry`: an error there does not cancel against one here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from faltung.ops.operator import AbstractOperator

Sizes = tuple[int, ...]
Pads = tuple[tuple[int, int], ...]


class Slide(NamedTuple):
    """A window's kernel, stride, dilation and explicit padding, one entry a space axis."""

    space: Sizes
    kernel: Sizes
    stride: Sizes
    dilation: Sizes
    pads: Pads

    @property
    def extent(self) -> Sizes:
        """From the first tap to one past the last."""
        return tuple(d * (k - 1) + 1 for k, d in zip(self.kernel, self.dilation, strict=True))

    @property
    def outside(self) -> Pads:
        """The padding that adds positions."""
        return tuple((max(lo, 0), max(hi, 0)) for lo, hi in self.pads)

    @property
    def crop(self) -> Pads:
        """The padding that takes positions away at the start."""
        return tuple((min(lo, 0), 0) for lo, _ in self.pads)

    def outputs(self, *, ceil: bool = False) -> Sizes:
        """Lay down windows one by one, from the start of the padding, and count those that fit.

        In ceil mode one more may hang over the end, by less than a stride, if it starts on the
        input or before it.

        >>> Slide((5,), (2,), (2,), (1,), ((0, 0),)).outputs()
        (2,)
        """
        counts = []
        for n, k, s, d, (lo, hi) in zip(*self, strict=True):
            count, start, extent = 0, -lo, d * (k - 1) + 1
            while start + extent <= n + hi:
                count, start = count + 1, start + s
            over = start + extent - (n + hi)
            counts.append(count + (ceil and 0 < over < s and start < n + min(hi, 0)))
        return tuple(counts)


def slide_of(operator: AbstractOperator, x_shape: Sequence[int], kernel: Sequence[int]) -> Slide:
    """Read stride, dilation and padding as their user wrote them.

    Parameters
    ----------
    operator
        Conv, LocallyConnected or a pooling.
    x_shape, kernel
        The shape of its input, and the sizes of its kernel.
    """
    record: Any = operator
    space = tuple(x_shape[2:])
    stride = each(kernel if record.stride is None else record.stride, len(space))
    dilation = each(record.dilation, len(space))
    reach = tuple(d * (k - 1) for k, d in zip(kernel, dilation, strict=True))
    pads = _pads(record.padding, space, stride, reach)
    return Slide(space, tuple(kernel), stride, dilation, pads)


def each(value: int | Sequence[int], axes: int) -> Sizes:
    """Return one int for each axis.

    >>> each(3, 2)
    (3, 3)
    """
    return (value,) * axes if isinstance(value, int) else tuple(value)


def _pads(padding: Any, space: Sizes, stride: Sizes, reach: Sizes) -> Pads:
    match padding:
        case "valid":
            return tuple((0, 0) for _ in reach)
        case "full":
            return tuple((r, r) for r in reach)
        case "same":
            missing = map(_missing, space, stride, reach)
            return tuple((total // 2, total - total // 2) for total in missing)
        case "same_lower":
            missing = map(_missing, space, stride, reach)
            return tuple((total - total // 2, total // 2) for total in missing)
        case int():
            return tuple((padding, padding) for _ in reach)
    return tuple((p, p) if isinstance(p, int) else (p[0], p[1]) for p in padding)


def _missing(size: int, stride: int, reach: int) -> int:
    """How much longer an axis would have to be for one output every ``stride`` positions."""
    last = (size - 1) // stride * stride if size else 0
    return max(0, last + reach + 1 - size) if size else 0
