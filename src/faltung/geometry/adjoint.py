"""The two backward passes of a convolution are convolutions again: their geometry on one axis.

With ``y[o] = sum_k x[o*stride - pad_lo + k*dilation] w[k]``:

- ``dx[i] = sum_k stuffed[i + pad_lo - k*dilation] w[k]``, where `stuffed` is `dout` with stride - 1
  zeros between its values: a correlation of stride 1 with the flipped kernel;
- ``dw[k] = sum_o x[k*dilation - pad_lo + o*stride] dout[o]``: a correlation of `x` with `dout` as
  its kernel, stride and dilation swapped.
"""

from __future__ import annotations

from typing import NamedTuple

from faltung.geometry.axis import AxisWindow
from faltung.geometry.checks import refuse


def data_gradient(axis: AxisWindow) -> AxisWindow:
    """Return the window over the zero-stuffed `dout` whose outputs are `dx`.

    Its input has ``(out_size - 1) * stride + 1`` positions (none if there are no outputs), its
    kernel is the flipped one. The padding makes it give exactly `size` outputs, the positions that
    the floor dropped among them: they get 0.

    >>> axis = AxisWindow(size=6, kernel=3, stride=2)
    >>> back = data_gradient(axis)
    >>> back
    AxisWindow(size=3, kernel=3, stride=1, dilation=1, pad_lo=2, pad_hi=3, ceil=False)
    >>> back.out_size
    6
    """
    outputs = axis.out_size
    stuffed = (outputs - 1) * axis.stride + 1 if outputs else 0
    pad_lo = axis.extent - 1 - axis.pad_lo
    pad_hi = axis.size + axis.extent - 1 - stuffed - pad_lo
    return AxisWindow(stuffed, axis.kernel, 1, axis.dilation, pad_lo, pad_hi)


class GradientPhase(NamedTuple):
    """Every stride-th position of `dx`: a correlation of stride 1, with no zeros between values.

    ``dx[first::stride]`` is the correlation of `dout` with the kernel positions ``taps`` of `w`, in
    this order, by ``window``.
    """

    first: int
    taps: range
    window: AxisWindow


def data_gradient_phases(axis: AxisWindow) -> list[GradientPhase]:
    """Return `dx` as one correlation for each remainder of the position modulo the stride.

    With a stride, most values of `data_gradient`'s input are zeros. Position ``first + m*stride``
    meets only those taps k with ``k*dilation`` congruent to ``first + pad_lo``: their distances in
    `dout` are evenly spaced, so they are a kernel with a dilation. A phase that no tap meets has an
    empty range and is zero; its window has no meaning.

    >>> [(p.first, list(p.taps), p.window.out_size) for p in data_gradient_phases(
    ...     AxisWindow(size=6, kernel=3, stride=2))]
    [(0, [2, 0], 3), (1, [1], 3)]
    """
    return [_phase(axis, first) for first in range(min(axis.stride, axis.size))]


def _phase(axis: AxisWindow, first: int) -> GradientPhase:
    base, remainder = divmod(first + axis.pad_lo, axis.stride)
    taps = [k for k in range(axis.kernel) if k * axis.dilation % axis.stride == remainder]
    count = len(range(first, axis.size, axis.stride))
    if not taps:
        return GradientPhase(first, range(0), AxisWindow(0, 1))
    # Tap k lies (k*dilation - remainder) / stride before the output of the same number.
    back = [(k * axis.dilation - remainder) // axis.stride for k in taps]
    dilation = back[1] - back[0] if len(back) > 1 else 1
    step = taps[1] - taps[0] if len(taps) > 1 else 1
    pad_lo = back[-1] - base
    pad_hi = count - axis.out_size - pad_lo + (len(taps) - 1) * dilation
    window = AxisWindow(axis.out_size, len(taps), 1, dilation, pad_lo, pad_hi)
    return GradientPhase(first, range(taps[-1], taps[0] - 1, -step), window)


def weight_gradient(axis: AxisWindow) -> AxisWindow:
    """Return the window over `x`, with `dout` as its kernel, whose outputs are `dw`.

    Raises
    ------
    GeometryError
        axis A3: no outputs, hence no kernel to slide; `dw` is zero.

    Examples
    --------
    >>> back = weight_gradient(AxisWindow(size=6, kernel=3, stride=2, pad_lo=1))
    >>> back
    AxisWindow(size=6, kernel=3, stride=1, dilation=2, pad_lo=1, pad_hi=0, ceil=False)
    >>> back.out_size
    3
    """
    outputs = axis.out_size
    if not outputs:
        refuse(
            "weight_gradient",
            "the window must have outputs",
            {"size": axis.size, "extent": axis.extent, "out_size": outputs},
            "Without outputs dw is zero",
            "axis A3",
        )
    pad_hi = axis.reach - axis.size - axis.pad_lo
    return AxisWindow(axis.size, outputs, axis.dilation, axis.stride, axis.pad_lo, pad_hi)
