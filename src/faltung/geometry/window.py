"""Windows over several axes, with batch, channels and groups: the shape rules of the operators.

The constraints are numbered in ``docs/spec/conv.md``; `of` checks them and is the way to make a
window from what a caller wrote.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Generic, TypeVar

from faltung.geometry.axis import AxisWindow
from faltung.geometry.checks import (
    check_crop,
    check_divides,
    check_minimum,
    check_rank,
    check_sizes,
    check_slide,
    check_w_rank,
    refuse,
    whole,
)
from faltung.geometry.padding import PaddingLike, Pads, explicit_padding, per_axis
from faltung.geometry.transposed import AxisTransposed

Ints = int | Sequence[int]
Sizes = tuple[int, ...]
AnyAxis = TypeVar("AnyAxis", AxisWindow, AxisTransposed)


class AbstractWindow(Generic[AnyAxis]):
    """What windows over several axes have in common."""

    __slots__ = ()
    axes: tuple[AnyAxis, ...]

    @property
    def space(self) -> Sizes:
        """Input size of each axis."""
        return tuple([axis.size for axis in self.axes])

    @property
    def kernel(self) -> Sizes:
        """Kernel size of each axis."""
        return tuple([axis.kernel for axis in self.axes])

    @property
    def out_space(self) -> Sizes:
        """Output size of each axis."""
        return tuple([axis.out_size for axis in self.axes])

    @property
    def stride(self) -> Sizes:
        """Stride of each axis."""
        return tuple([axis.stride for axis in self.axes])

    @property
    def dilation(self) -> Sizes:
        """Dilation of each axis."""
        return tuple([axis.dilation for axis in self.axes])

    @property
    def pads(self) -> Pads:
        """Explicit padding ``(lo, hi)`` of each axis."""
        return tuple([(axis.pad_lo, axis.pad_hi) for axis in self.axes])


@dataclass(frozen=True, slots=True)
class ConvWindow(AbstractWindow[AxisWindow]):
    """Geometry of one convolution; `x` (N, C, *space), `w` (O, C/groups, *kernel).

    Make one with `of`, which checks the constraints; the constructor trusts its numbers.
    """

    axes: tuple[AxisWindow, ...]
    batch: int
    in_channels: int
    out_channels: int
    groups: int = 1

    @classmethod
    def of(
        cls,
        x_shape: Sequence[int],
        w_shape: Sequence[int],
        *,
        stride: Ints = 1,
        padding: PaddingLike = 0,
        dilation: Ints = 1,
        groups: int = 1,
    ) -> ConvWindow:
        """Return the window of a convolution of `x` with `w`.

        Parameters
        ----------
        x_shape
            ``(N, C, *space)``, 1 to 3 space axes.
        w_shape
            ``(O, C / groups, *kernel)``.
        stride, dilation
            An int, or one for each axis.
        padding
            As in `explicit_padding`.
        groups
            Into how many groups the channels split.

        Raises
        ------
        GeometryError
            conv C1 to C13, axis A2 and A4, padding B1 to B3; see ``docs/spec/conv.md``.

        Examples
        --------
        >>> window = ConvWindow.of((1, 3, 224, 224), (64, 3, 7, 7), stride=2, padding="same")
        >>> window.out_shape, window.pads
        ((1, 64, 112, 112), ((2, 3), (2, 3)))
        """
        check_rank("conv", x_shape, "conv C1")
        layout = "out_channels, in_channels / groups"
        check_w_rank("conv", layout, x_shape, w_shape, "conv C2")
        batch, in_channels, *space = whole("x_shape", x_shape)
        out_channels, group_in, *kernel = whole("w_shape", w_shape)
        check_sizes("conv", x_shape, "conv C3")
        groups = _check_channels(in_channels, out_channels, group_in, groups)
        strides = per_axis(stride, len(space), "stride")
        dilations = per_axis(dilation, len(space), "dilation")
        check_slide("conv", kernel, strides, dilations, ("conv C6", "conv C7", "conv C8"))
        pads = explicit_padding(padding, space, kernel, strides, dilations)
        check_crop("conv", space, pads, "conv C9")
        axes = slide(space, kernel, strides, dilations, pads)
        return cls(axes, batch, in_channels, out_channels, groups)

    @property
    def group_in(self) -> int:
        """Input channels of one group."""
        return self.in_channels // self.groups

    @property
    def group_out(self) -> int:
        """Output channels of one group."""
        return self.out_channels // self.groups

    @property
    def x_shape(self) -> Sizes:
        """``(N, C, *space)``."""
        return (self.batch, self.in_channels, *self.space)

    @property
    def w_shape(self) -> Sizes:
        """``(O, C / groups, *kernel)``."""
        return (self.out_channels, self.group_in, *self.kernel)

    @property
    def out_shape(self) -> Sizes:
        """``(N, O, *out_space)``."""
        return (self.batch, self.out_channels, *self.out_space)

    @property
    def reduction(self) -> int:
        """How many products one output sums."""
        return self.group_in * prod(self.kernel)

    @property
    def macs(self) -> int:
        """Multiplications and additions of the direct algorithm on the whole batch.

        Those with padding are counted: a kernel on a padded input does them.

        >>> ConvWindow.of((8, 1, 5, 5), (1, 1, 3, 3)).macs
        648
        """
        return self.batch * self.connections(padding=True)

    def connections(self, padding: bool = True) -> int:
        """Count the pairs (output, input) that the layer connects, for one image.

        >>> window = ConvWindow.of((1, 1, 224, 224), (1, 1, 3, 3), padding=1)
        >>> window.connections(padding=True), window.connections(padding=False)
        (451584, 448900)
        """
        pairs = prod([axis.connections(padding) for axis in self.axes])
        return self.out_channels * self.group_in * pairs


@dataclass(frozen=True, slots=True)
class PoolWindow(AbstractWindow[AxisWindow]):
    """Geometry of one pooling; `x` (N, C, *space).

    Make one with `of`, which checks the constraints; the constructor trusts its numbers.
    """

    axes: tuple[AxisWindow, ...]
    batch: int
    channels: int

    @classmethod
    def of(
        cls,
        x_shape: Sequence[int],
        kernel_size: Ints,
        *,
        stride: Ints | None = None,
        padding: PaddingLike = 0,
        dilation: Ints = 1,
        ceil: bool = False,
    ) -> PoolWindow:
        """Return the window of a pooling of `x`.

        Parameters
        ----------
        x_shape
            ``(N, C, *space)``, 1 to 3 space axes.
        kernel_size, dilation
            An int, or one for each axis.
        stride
            The same; None means `kernel_size`.
        padding
            As in `explicit_padding`.
        ceil
            Whether a last window that hangs over the end is kept.

        Raises
        ------
        GeometryError
            pool P1 to P8, axis A2 and A4, padding B1 to B3; see ``docs/spec/conv.md``.

        Examples
        --------
        >>> PoolWindow.of((1, 8, 7, 7), 2).out_shape
        (1, 8, 3, 3)
        >>> PoolWindow.of((1, 8, 7, 7), 2, ceil=True).out_shape
        (1, 8, 4, 4)
        """
        check_rank("pool", x_shape, "pool P1")
        batch, channels, *space = whole("x_shape", x_shape)
        check_sizes("pool", x_shape, "pool P2")
        kernel = per_axis(kernel_size, len(space), "kernel_size")
        strides = kernel if stride is None else per_axis(stride, len(space), "stride")
        dilations = per_axis(dilation, len(space), "dilation")
        check_slide("pool", kernel, strides, dilations, ("pool P3", "pool P4", "pool P5"))
        pads = explicit_padding(padding, space, kernel, strides, dilations)
        check_crop("pool", space, pads, "pool P6")
        axes = slide(space, kernel, strides, dilations, pads, ceil)
        for axis in axes:
            _check_meets_input(axis)
            _check_overhang(axis)
        return cls(axes, batch, channels)

    @property
    def ceil(self) -> bool:
        """Whether a last window that hangs over the end is kept."""
        return any(axis.ceil for axis in self.axes)

    @property
    def x_shape(self) -> Sizes:
        """``(N, C, *space)``."""
        return (self.batch, self.channels, *self.space)

    @property
    def out_shape(self) -> Sizes:
        """``(N, C, *out_space)``."""
        return (self.batch, self.channels, *self.out_space)

    def connections(self, padding: bool = True) -> int:
        """Count the pairs (output, input) that the layer connects, for one image."""
        return self.channels * prod([axis.connections(padding) for axis in self.axes])


def slide(
    space: Sequence[int],
    kernel: Sequence[int],
    strides: Sequence[int],
    dilations: Sequence[int],
    pads: Pads,
    ceil: bool = False,
) -> tuple[AxisWindow, ...]:
    """Return one window for each axis."""
    return tuple(
        [
            AxisWindow(n, k, s, d, lo, hi, ceil)
            for n, k, s, d, (lo, hi) in zip(space, kernel, strides, dilations, pads, strict=True)
        ]
    )


def _check_channels(in_channels: int, out_channels: int, group_in: int, groups: int) -> int:
    """Return the groups as an int."""
    (groups,) = whole("groups", (groups,))
    check_minimum("conv", "in_channels", (in_channels,), 1, "conv C4")
    check_minimum("conv", "out_channels", (out_channels,), 1, "conv C5")
    check_minimum("conv", "groups", (groups,), 1, "conv C10")
    check_divides("conv", "in_channels", in_channels, groups, "conv C11")
    check_divides("conv", "out_channels", out_channels, groups, "conv C12")
    if group_in * groups != in_channels:
        values = {"w.shape[1]": group_in, "in_channels": in_channels, "groups": groups}
        cure = f"Use w.shape[1]={in_channels // groups}"
        refuse("conv", "w.shape[1] must be in_channels / groups", values, cure, "conv C13")
    return groups


def _check_meets_input(axis: AxisWindow) -> None:
    """No window holds padding alone; only those that start before the input, or the last, could."""
    windows = axis.out_size
    early = min(windows, -(-axis.pad_lo // axis.stride))
    late = windows and axis.taps(windows - 1).start >= axis.end
    if late or not all(axis.kernel_taps_inside(o) for o in range(early)):
        pads = (axis.pad_lo, axis.pad_hi)
        values = {"padding": pads, "size": axis.size, "extent": axis.extent}
        cure = "Use less padding, or a larger kernel_size"
        refuse("pool", "every window must hold at least one input", values, cure, "pool P7")


def _check_overhang(axis: AxisWindow) -> None:
    """What hangs over is no input, but here it would have the position of one."""
    if axis.pad_hi < 0 and axis.overhang:
        rule = "a last window must not hang over what negative padding crops"
        values = {"padding": (axis.pad_lo, axis.pad_hi), "overhang": axis.overhang}
        refuse("pool", rule, values, "Use ceil_mode=False, or crop the input before", "pool P8")
