"""Where a kernel lies on an image for each output: padding, anchor, and whether it is flipped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from faltung.errors import GeometryError, message
from faltung.geometry import AxisWindow, ConvWindow, PaddingLike, per_axis
from faltung.geometry.padding import Pads

MODES: Final = ("correlate", "convolve")
FORMULA: Final = "formula"
"""The padding word for: as many outputs as inputs, from the formula as it is written."""

LETTERS: Final = ("ijk", "mnp")
"""Names of output and kernel positions, axis by axis."""

Ints = int | Sequence[int]


@dataclass(frozen=True)
class Placement:
    """A kernel on an image: one window for each axis, and the mode."""

    mode: str
    axes: tuple[AxisWindow, ...]
    asked: str

    @property
    def is_flipped(self) -> bool:
        """Whether the kernel is turned round on every axis."""
        return self.mode == "convolve"

    @property
    def out_shape(self) -> tuple[int, ...]:
        """How many outputs there are on each axis."""
        return tuple(axis.out_size for axis in self.axes)

    @property
    def kernel_shape(self) -> tuple[int, ...]:
        """The kernel's size on each axis."""
        return tuple(axis.kernel for axis in self.axes)

    @property
    def pads(self) -> Pads:
        """Positions added before and after each axis."""
        return tuple((axis.pad_lo, axis.pad_hi) for axis in self.axes)

    def taps(self, axis: int, output: int) -> range:
        """Return the image position under each kernel entry of an axis, entry 0 first."""
        taps = self.axes[axis].taps(output)
        return taps[::-1] if self.is_flipped else taps

    def formula(self) -> str:
        """Return the definition with its offsets.

        >>> place((5, 5), (3, 3), "convolve", "same", None, 1, 1).formula()
        'S(i,j) = Σ I(i-m+1, j-n+1) K(m,n)'
        >>> place((5,), (2,), "correlate", None, None, 2, 3).formula()
        'S(i) = Σ I(2i+3m) K(m)'
        """
        outs, taps = (letters[: len(self.axes)] for letters in LETTERS)
        inputs = (self._index(*each) for each in zip(self.axes, outs, taps, strict=True))
        return f"S({','.join(outs)}) = Σ I({', '.join(inputs)}) K({','.join(taps)})"

    def _index(self, axis: AxisWindow, out: str, tap: str) -> str:
        sign = "-" if self.is_flipped else "+"
        offset = (axis.extent - 1 if self.is_flipped else 0) - axis.pad_lo
        moved = f"{offset:+d}" if offset else ""
        return f"{_times(axis.stride)}{out}{sign}{_times(axis.dilation)}{tap}{moved}"

    def described(self) -> str:
        """Return the padding in words, and what is odd about it."""
        pairs = sorted(set(self.pads))
        if pairs == [(0, 0)]:
            return "Nothing is added around the image."
        amounts = [f"{lo} before and {hi} after" for lo, hi in self.pads]
        shown = f"{amounts[0]} on each axis" if len(pairs) == 1 else ", then ".join(amounts)
        text = f"Around the image are added: {shown}."
        if self.asked in ("same", "same_lower") and any(axis.kernel % 2 == 0 for axis in self.axes):
            text += (
                " An even kernel has no middle: 'same' adds the odd position at the end, as layers"
                " do; 'same_lower' at the start, as the 'same' of correlate and convolve does."
            )
        return text


def _times(factor: int) -> str:
    return "" if factor == 1 else str(factor)


def place(
    image_shape: Sequence[int],
    kernel_shape: Sequence[int],
    mode: str,
    padding: PaddingLike | None,
    anchor: Sequence[int] | None,
    stride: Ints,
    dilation: Ints,
) -> Placement:
    """Return how a kernel lies on an image, all of it explicit.

    Raises
    ------
    GeometryError
        expand E1: an unknown mode. E2: an anchor outside the kernel. E3: both padding and anchor.
        Else what a convolution refuses.
    """
    if mode not in MODES:
        rule = f"mode must be one of {', '.join(map(repr, MODES))}"
        raise GeometryError(message("expand", rule, {"mode": repr(mode)}, "", "expand E1"))
    if padding is not None and anchor is not None:
        values = {"padding": repr(padding), "anchor": tuple(anchor)}
        cure = "The anchor decides the padding; leave one of them out"
        rule = "takes padding or anchor, not both"
        raise GeometryError(message("expand", rule, values, cure, "expand E3"))
    if padding == FORMULA:
        anchor = (0,) * len(kernel_shape)
    if anchor is not None:
        padding = _around(anchor, kernel_shape, mode, dilation)
    chosen: PaddingLike = "valid" if padding is None else padding
    window = ConvWindow.of(
        (1, 1, *image_shape),
        (1, 1, *kernel_shape),
        stride=stride,
        padding=chosen,
        dilation=dilation,
    )
    return Placement(mode, window.axes, chosen if isinstance(chosen, str) else "amounts")


def _around(
    anchor: Sequence[int], kernel_shape: Sequence[int], mode: str, dilation: Ints
) -> tuple[tuple[int, int], ...]:
    """Return the padding with which the anchor lies on the output's own position."""
    if len(anchor) != len(kernel_shape) or not all(
        0 <= a < k for a, k in zip(anchor, kernel_shape, strict=True)
    ):
        values = {"anchor": tuple(anchor), "kernel": tuple(kernel_shape)}
        rule = "anchor must be a position of the kernel"
        raise GeometryError(message("expand", rule, values, "Count from 0", "expand E2"))
    dilations = per_axis(dilation, len(kernel_shape), "dilation")
    pairs = tuple(
        (d * a, d * (k - 1 - a)) for a, k, d in zip(anchor, kernel_shape, dilations, strict=True)
    )
    return tuple((hi, lo) for lo, hi in pairs) if mode == "convolve" else pairs
