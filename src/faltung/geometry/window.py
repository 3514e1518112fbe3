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
from faltung.geometry.checks import check_crop, check_divides, check_minimum, check_rank, refuse
from faltung.geometry.padding import (
    PaddingLike,
    Pads,
    explicit_padding,
    per_axis,
    transposed_padding,
)
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
            conv C1 to C13, axis A2, padding B1 to B3; see ``docs/spec/conv.md``.

        Examples
        --------
        >>> window = ConvWindow.of((1, 3, 224, 224), (64, 3, 7, 7), stride=2, padding="same")
        >>> window.out_shape, window.pads
        ((1, 64, 112, 112), ((2, 3), (2, 3)))
        """
        check_rank("conv", x_shape, "conv C1")
        if len(w_shape) != len(x_shape):
            _refuse_w_rank(
                "conv", "out_channels, in_channels / groups", x_shape, w_shape, "conv C2"
            )
        batch, in_channels, *space = x_shape
        out_channels, group_in, *kernel = w_shape
        strides = per_axis(stride, len(space), "stride")
        dilations = per_axis(dilation, len(space), "dilation")
        check_minimum("conv", "x_shape", x_shape, 0, "conv C3")
        check_minimum("conv", "in_channels", (in_channels,), 1, "conv C4")
        check_minimum("conv", "out_channels", (out_channels,), 1, "conv C5")
        check_minimum("conv", "kernel_size", kernel, 1, "conv C6")
        check_minimum("conv", "stride", strides, 1, "conv C7")
        check_minimum("conv", "dilation", dilations, 1, "conv C8")
        pads = explicit_padding(padding, space, kernel, strides, dilations)
        check_crop("conv", space, pads, "conv C9")
        check_minimum("conv", "groups", (groups,), 1, "conv C10")
        check_divides("conv", "in_channels", in_channels, groups, "conv C11")
        check_divides("conv", "out_channels", out_channels, groups, "conv C12")
        if group_in * groups != in_channels:
            _refuse_group_in(in_channels, groups, group_in)
        axes = tuple(
            [
                AxisWindow(n, k, s, d, lo, hi)
                for n, k, s, d, (lo, hi) in zip(
                    space, kernel, strides, dilations, pads, strict=True
                )
            ]
        )
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
class TransposedWindow(AbstractWindow[AxisTransposed]):
    """Geometry of one transposed convolution; `x` (N, C, *space), `w` (C, O/groups, *kernel).

    Make one with `of`, which checks the constraints; the constructor trusts its numbers.
    """

    axes: tuple[AxisTransposed, ...]
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
        output_padding: Ints = 0,
        dilation: Ints = 1,
        groups: int = 1,
    ) -> TransposedWindow:
        """Return the window of a transposed convolution of `x` with `w`.

        Parameters
        ----------
        x_shape
            ``(N, C, *space)``, 1 to 3 space axes.
        w_shape
            ``(C, O / groups, *kernel)``.
        stride, dilation, output_padding
            An int, or one for each axis.
        padding
            As in `transposed_padding`.
        groups
            Into how many groups the channels split.

        Raises
        ------
        GeometryError
            conv_transpose T1 to T13, axis A2, padding B1 to B3; see ``docs/spec/conv.md``.

        Examples
        --------
        >>> window = TransposedWindow.of((1, 8, 7, 7), (8, 4, 3, 3), stride=2, padding=1)
        >>> window.out_shape
        (1, 4, 13, 13)
        >>> window.adjoint.out_shape
        (1, 8, 7, 7)
        """
        check_rank("conv_transpose", x_shape, "conv_transpose T1")
        if len(w_shape) != len(x_shape):
            layout = "in_channels, out_channels / groups"
            _refuse_w_rank("conv_transpose", layout, x_shape, w_shape, "conv_transpose T2")
        batch, in_channels, *space = x_shape
        w_channels, group_out, *kernel = w_shape
        strides = per_axis(stride, len(space), "stride")
        dilations = per_axis(dilation, len(space), "dilation")
        extra = per_axis(output_padding, len(space), "output_padding")
        check_minimum("conv_transpose", "x_shape", x_shape, 0, "conv_transpose T3")
        check_minimum("conv_transpose", "in_channels", (in_channels,), 1, "conv_transpose T4")
        check_minimum("conv_transpose", "out_channels", (group_out,), 1, "conv_transpose T5")
        check_minimum("conv_transpose", "kernel_size", kernel, 1, "conv_transpose T6")
        check_minimum("conv_transpose", "stride", strides, 1, "conv_transpose T7")
        check_minimum("conv_transpose", "dilation", dilations, 1, "conv_transpose T8")
        _check_output_padding(extra, strides, dilations)
        pads = transposed_padding(padding, kernel, strides, dilations, extra)
        axes = tuple(
            [
                AxisTransposed(n, k, s, d, lo, hi, op)
                for n, k, s, d, (lo, hi), op in zip(
                    space, kernel, strides, dilations, pads, extra, strict=True
                )
            ]
        )
        _check_transposed_crop(axes)
        check_minimum("conv_transpose", "groups", (groups,), 1, "conv_transpose T11")
        check_divides("conv_transpose", "in_channels", in_channels, groups, "conv_transpose T12")
        if w_channels != in_channels:
            _refuse_w_channels(in_channels, w_channels)
        return cls(axes, batch, in_channels, group_out * groups, groups)

    @property
    def adjoint(self) -> ConvWindow:
        """The convolution whose gradient to its input this is, with the same `w`."""
        axes = tuple([axis.adjoint for axis in self.axes])
        return ConvWindow(axes, self.batch, self.out_channels, self.in_channels, self.groups)

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
        """``(C, O / groups, *kernel)``."""
        return (self.in_channels, self.group_out, *self.kernel)

    @property
    def out_shape(self) -> Sizes:
        """``(N, O, *out_space)``."""
        return (self.batch, self.out_channels, *self.out_space)

    @property
    def macs(self) -> int:
        """Multiplications and additions on the whole batch: each *input* meets the whole kernel.

        >>> TransposedWindow.of((1, 1, 4, 4), (1, 1, 2, 2), stride=2).macs
        64
        """
        pairs = prod([axis.size * axis.kernel for axis in self.axes])
        return self.batch * self.in_channels * self.group_out * pairs

    def connections(self, padding: bool = True) -> int:
        """Count the pairs (output, input) that the layer connects, for one image.

        `padding` changes nothing: a transposed convolution crops, so that some of its MACs reach
        no output, but it reads no padding.
        """
        pairs = prod([axis.connections(padding) for axis in self.axes])
        return self.in_channels * self.group_out * pairs


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
            pool P1 to P7, axis A2, padding B1 to B3; see ``docs/spec/conv.md``.

        Examples
        --------
        >>> PoolWindow.of((1, 8, 7, 7), 2).out_shape
        (1, 8, 3, 3)
        >>> PoolWindow.of((1, 8, 7, 7), 2, ceil=True).out_shape
        (1, 8, 4, 4)
        """
        check_rank("pool", x_shape, "pool P1")
        batch, channels, *space = x_shape
        kernel = per_axis(kernel_size, len(space), "kernel_size")
        strides = kernel if stride is None else per_axis(stride, len(space), "stride")
        dilations = per_axis(dilation, len(space), "dilation")
        check_minimum("pool", "x_shape", x_shape, 0, "pool P2")
        check_minimum("pool", "kernel_size", kernel, 1, "pool P3")
        check_minimum("pool", "stride", strides, 1, "pool P4")
        check_minimum("pool", "dilation", dilations, 1, "pool P5")
        pads = explicit_padding(padding, space, kernel, strides, dilations)
        check_crop("pool", space, pads, "pool P6")
        axes = tuple(
            [
                AxisWindow(n, k, s, d, lo, hi, ceil)
                for n, k, s, d, (lo, hi) in zip(
                    space, kernel, strides, dilations, pads, strict=True
                )
            ]
        )
        _check_no_window_of_padding(axes)
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


def _refuse_w_rank(
    subject: str, layout: str, x_shape: Sequence[int], w_shape: Sequence[int], constraint: str
) -> None:
    values: dict[str, object] = {"x_shape": tuple(x_shape), "w_shape": tuple(w_shape)}
    cure = f"Use w of shape ({layout}, *kernel_size)"
    refuse(subject, "w must have as many axes as x", values, cure, constraint)


def _refuse_group_in(in_channels: int, groups: int, group_in: int) -> None:
    values: dict[str, object] = {
        "w.shape[1]": group_in,
        "in_channels": in_channels,
        "groups": groups,
    }
    cure = f"Use w.shape[1]={in_channels // groups}"
    refuse("conv", "w.shape[1] must be in_channels / groups", values, cure, "conv C13")


def _refuse_w_channels(in_channels: int, w_channels: int) -> None:
    values: dict[str, object] = {"w.shape[0]": w_channels, "in_channels": in_channels}
    cure = "The layout is (in_channels, out_channels / groups, *kernel_size)"
    rule = "w.shape[0] must be in_channels"
    refuse("conv_transpose", rule, values, cure, "conv_transpose T13")


def _check_output_padding(extra: Sizes, strides: Sizes, dilations: Sizes) -> None:
    for op, s, d in zip(extra, strides, dilations, strict=True):
        if not 0 <= op < max(s, d):
            refuse(
                "conv_transpose",
                "output_padding must be at least 0 and below stride or dilation",
                {"output_padding": op, "stride": s, "dilation": d},
                f"Use output_padding of at most {max(s, d) - 1}",
                "conv_transpose T9",
            )


def _check_transposed_crop(axes: Sequence[AxisTransposed]) -> None:
    for axis in axes:
        whole = (axis.size - 1) * axis.stride + axis.extent
        lo, hi = axis.pad_lo, axis.pad_hi
        if axis.size and (max(lo, hi) > whole or lo + hi > whole + axis.output_padding):
            refuse(
                "conv_transpose",
                "padding must not crop more than the outputs there are",
                {"padding": (lo, hi), "outputs": whole + axis.output_padding},
                f"Crop at most {whole} on a side",
                "conv_transpose T10",
            )


def _check_no_window_of_padding(axes: Sequence[AxisWindow]) -> None:
    """Only windows that start before the input, and the last one, can miss it."""
    for axis in axes:
        windows = axis.out_size
        early = min(windows, -(-axis.pad_lo // axis.stride))
        late = windows and axis.taps(windows - 1).start >= axis.end
        if late or not all(axis.kernel_taps_inside(o) for o in range(early)):
            refuse(
                "pool",
                "every window must hold at least one input",
                {"padding": (axis.pad_lo, axis.pad_hi), "size": axis.size, "kernel": axis.kernel},
                f"Use padding of at most {min(axis.extent, max(axis.size, 1)) - 1} on a side",
                "pool P7",
            )
