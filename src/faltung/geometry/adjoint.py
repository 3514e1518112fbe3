"""The two backward passes of a convolution are convolutions again: their geometry on one axis.

With ``y[o] = sum_k x[o*stride - pad_lo + k*dilation] w[k]``:

- ``dx[i] = sum_k stuffed[i + pad_lo - k*dilation] w[k]``, where `stuffed` is `dout` with stride - 1
  zeros between its values: a correlation of stride 1 with the flipped kernel;
- ``dw[k] = sum_o x[k*dilation - pad_lo + o*stride] dout[o]``: a correlation of `x` with `dout` as
  its kernel, stride and dilation swapped.
"""

from __future__ import annotations

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
