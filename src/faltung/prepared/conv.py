"""A convolution whose weights stay."""

from __future__ import annotations

from math import prod
from typing import ClassVar

from numpy.typing import ArrayLike

from faltung.geometry import ConvWindow, PaddingLike
from faltung.kernels.activation import ActivationLike, activation_of
from faltung.ops import dispatch
from faltung.ops.conv import Conv
from faltung.ops.operator import Array
from faltung.ops.windowed import hashable
from faltung.prepared.abstract import AbstractPrepared, Ints, check_biases, check_weights, owned


def prepare(
    w: ArrayLike,
    b: ArrayLike | None = None,
    *,
    stride: Ints = 1,
    padding: PaddingLike = 0,
    dilation: Ints = 1,
    groups: int = 1,
    padding_mode: str = "zeros",
    activation: ActivationLike = None,
    exact: bool = False,
) -> PreparedConv:
    """Prepare a convolution: ``conv(x)`` is then `faltung.conv` with these weights, faster.

    ``y = activation(faltung.conv(x, w, b, ...))``

    Parameters
    ----------
    w : array_like, (O, C / groups, *kernel)
        Filters; a copy is kept.
    b : array_like, (O,), optional
        One number added to each output channel.
    stride, padding, dilation, groups, padding_mode
        As in `faltung.conv`.
    activation : str or tuple, optional
        ``"relu"``, ``"leaky_relu"`` (0.01 below zero), ``("leaky_relu", slope)`` or
        ``("clip", low, high)``; NaN stays NaN.
    exact : bool
        Keep to algorithms whose error is that of direct summation.

    Returns
    -------
    PreparedConv
        Called with images. Threads, and any split of a batch, give the same bits. They need not be
        those of `faltung.conv`, which may choose another algorithm; both agree within the bound of
        the algorithms.

    Raises
    ------
    GeometryError
        As `faltung.conv`, when it is called with images; at once for an activation or a bias that
        cannot be (prepare Q1, Q2).
    DTypeError
        For complex numbers, text and objects.

    Examples
    --------
    >>> edges = prepare([[[-1.0, 1.0]]], activation="relu")
    >>> edges([[[3.0, 1.0, 4.0, 1.0, 5.0]]]).tolist()
    [[[0.0, 3.0, 0.0, 4.0]]]
    """
    weights = owned(w)
    bias = None if b is None else owned(b)
    check_weights(weights, "(out_channels, in_channels / groups, *kernel)")
    check_biases(weights, bias, len(weights))
    operator = Conv(
        hashable(stride), padding, hashable(dilation), groups, padding_mode, bool(exact)
    )
    return PreparedConv(weights, bias, operator, activation_of(activation))


class PreparedConv(AbstractPrepared[Conv]):
    """A convolution with its weights; `prepare` makes one.

    Parameters
    ----------
    w : array (O, C / groups, *kernel)
        Filters, read-only.
    b : array (O,) or None
        Bias, read-only.
    operator : faltung.ops.Conv
        Stride, padding, dilation, groups, padding mode; whether it is exact.
    activation : tuple
        ``(name, low, high)`` as kernels have it; ``""`` for none.

    Attributes
    ----------
    choices : Choices
        Which row of the registry runs for which images: read it, or impose one.

    Examples
    --------
    >>> conv = prepare([[[1.0, 1.0]]])
    >>> conv
    PreparedConv(w=(1, 1, 2))
    >>> conv([[[1.0, 2.0, 4.0]]]).tolist()
    [[[3.0, 6.0]]]
    """

    operation: ClassVar[str] = "conv"

    @property
    def terms(self) -> int:
        """Products that one output sums."""
        return prod(self.w.shape[1:])

    def _placed(self, x: Array) -> tuple[ConvWindow, Array]:
        """Return what a kernel is told: the geometry, and the image with what mirrors add."""
        window, image = self.operator.padded(self.operator.window(x.shape, self.w.shape), x)
        return window, image

    def _plainly(self, window: ConvWindow, x: Array, w: Array, b: Array | None) -> Array:
        """Convolve without anything prepared."""
        return dispatch.conv(window, x, w, b, exact=self.operator.exact, prepared=True)
