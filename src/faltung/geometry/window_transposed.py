"""Transposed convolution over several axes: its shape rule, and the convolution it belongs to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from faltung.geometry.checks import (
    check_divides,
    check_minimum,
    check_rank,
    check_sizes,
    check_slide,
    check_w_rank,
    refuse,
    whole,
)
from faltung.geometry.padding import PaddingLike, per_axis, transposed_padding
from faltung.geometry.transposed import AxisTransposed
from faltung.geometry.window import AbstractWindow, ConvWindow, Ints, Sizes

NAME = "conv_transpose"
SLIDE_IDS = ("conv_transpose T6", "conv_transpose T7", "conv_transpose T8")


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
            conv_transpose T1 to T13, axis A2 and A4, padding B1 to B3; see ``docs/spec/conv.md``.

        Examples
        --------
        >>> window = TransposedWindow.of((1, 8, 7, 7), (8, 4, 3, 3), stride=2, padding=1)
        >>> window.out_shape
        (1, 4, 13, 13)
        >>> window.adjoint.out_shape
        (1, 8, 7, 7)
        """
        check_rank(NAME, x_shape, "conv_transpose T1")
        layout = "in_channels, out_channels / groups"
        check_w_rank(NAME, layout, x_shape, w_shape, "conv_transpose T2")
        batch, in_channels, *space = whole("x_shape", x_shape)
        w_channels, group_out, *kernel = whole("w_shape", w_shape)
        check_sizes(NAME, x_shape, "conv_transpose T3")
        groups = _check_channels(in_channels, w_channels, group_out, groups)
        strides = per_axis(stride, len(space), "stride")
        dilations = per_axis(dilation, len(space), "dilation")
        extra = per_axis(output_padding, len(space), "output_padding")
        check_slide(NAME, kernel, strides, dilations, SLIDE_IDS)
        pads = transposed_padding(padding, kernel, strides, dilations, extra)
        axes = tuple(
            [
                AxisTransposed(n, k, s, d, lo, hi, more)
                for n, k, s, d, (lo, hi), more in zip(
                    space, kernel, strides, dilations, pads, extra, strict=True
                )
            ]
        )
        for axis in axes:
            _check_output_padding(axis)
            _check_crop(axis)
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


def _check_channels(in_channels: int, w_channels: int, group_out: int, groups: int) -> int:
    """Return the groups as an int."""
    (groups,) = whole("groups", (groups,))
    check_minimum(NAME, "in_channels", (in_channels,), 1, "conv_transpose T4")
    check_minimum(NAME, "w.shape[1]", (group_out,), 1, "conv_transpose T5")
    check_minimum(NAME, "groups", (groups,), 1, "conv_transpose T11")
    check_divides(NAME, "in_channels", in_channels, groups, "conv_transpose T12")
    if w_channels != in_channels:
        values = {"w.shape[0]": w_channels, "in_channels": in_channels}
        cure = "Use w of shape (in_channels, out_channels / groups, *kernel_size)"
        refuse(NAME, "w.shape[0] must be in_channels", values, cure, "conv_transpose T13")
    return groups


def _check_output_padding(axis: AxisTransposed) -> None:
    """More of it would compute positions that no convolution with this stride could come from."""
    bound = max(axis.stride, axis.dilation)
    if not 0 <= axis.output_padding < bound:
        values = {
            "output_padding": axis.output_padding,
            "stride": axis.stride,
            "dilation": axis.dilation,
        }
        rule = "output_padding must be at least 0 and less than stride or dilation"
        cure = f"Use output_padding of 0 to {bound - 1}"
        refuse(NAME, rule, values, cure, "conv_transpose T9")


def _check_crop(axis: AxisTransposed) -> None:
    """What the kernels cover is the most that one side may crop."""
    whole = (axis.size - 1) * axis.stride + axis.extent
    lo, hi, more = axis.pad_lo, axis.pad_hi, axis.output_padding
    if axis.size and (max(lo, hi) > whole or lo + hi > whole + more):
        values = {"padding": (lo, hi), "uncropped": whole + more}
        rule = "padding must not crop more outputs than there are"
        refuse(NAME, rule, values, f"Crop at most {whole}", "conv_transpose T10")
