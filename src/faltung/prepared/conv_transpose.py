"""A transposed convolution whose weights stay."""

from __future__ import annotations

from collections.abc import Hashable
from functools import cached_property
from math import prod
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike

from faltung.geometry import ConvWindow, PaddingLike
from faltung.geometry.adjoint import data_gradient_phases
from faltung.kernels.activation import ActivationLike, activation_of
from faltung.ops import dispatch
from faltung.ops.conv_transpose import ConvTranspose
from faltung.ops.operator import Array
from faltung.ops.windowed import hashable
from faltung.prepared.abstract import AbstractPrepared, Ints, check_biases, check_weights, owned


def prepare_transpose(
    w: ArrayLike,
    b: ArrayLike | None = None,
    *,
    stride: Ints = 1,
    padding: PaddingLike = 0,
    output_padding: Ints = 0,
    dilation: Ints = 1,
    groups: int = 1,
    activation: ActivationLike = None,
    exact: bool = False,
) -> PreparedConvTranspose:
    """Prepare a transposed convolution: `faltung.conv_transpose` with these weights, faster.

    ``y = activation(faltung.conv_transpose(x, w, b, ...))``

    Parameters
    ----------
    w : array_like, (I, O / groups, *kernel)
        Filters; a copy is kept.
    b : array_like, (O,), optional
        One number added to each output channel.
    stride, padding, output_padding, dilation, groups
        As in `faltung.conv_transpose`.
    activation, exact
        As in `prepare`.

    Returns
    -------
    PreparedConvTranspose
        Called with images. Threads, and any split of a batch, give the same bits. They need not be
        those of `faltung.conv_transpose`, which may choose another algorithm; both agree within the
        bound of the algorithms.

    Raises
    ------
    GeometryError
        As `faltung.conv_transpose`, when it is called with images; at once for weights, an
        activation or a bias that cannot be (prepare Q1, Q2).
    DTypeError
        For complex numbers, text and objects.

    Examples
    --------
    >>> larger = prepare_transpose([[[1.0, 10.0, 100.0]]], stride=2)
    >>> larger([[[1.0, 2.0]]]).tolist()
    [[[1.0, 10.0, 102.0, 20.0, 200.0]]]
    """
    weights = owned(w)
    bias = None if b is None else owned(b)
    check_weights(weights, "(in_channels, out_channels / groups, *kernel)")
    check_biases(weights, bias, weights.shape[1] * groups)
    step = hashable(stride), padding, hashable(output_padding), hashable(dilation)
    operator = ConvTranspose(*step, groups, bool(exact))
    return PreparedConvTranspose(weights, bias, operator, activation_of(activation))


class PreparedConvTranspose(AbstractPrepared[ConvTranspose]):
    """A transposed convolution with its weights; `prepare_transpose` makes one.

    Parameters
    ----------
    w : array (I, O / groups, *kernel)
        Filters, read-only.
    b : array (O,) or None
        Bias, read-only.
    operator : faltung.ops.ConvTranspose
        Stride, padding, output padding, dilation, groups; whether it is exact.
    activation : tuple
        ``(name, low, high)`` as kernels have it; ``""`` for none.

    Attributes
    ----------
    choices : Choices
        Which row of the registry runs for which images: read it, or impose one.

    Examples
    --------
    >>> larger = prepare_transpose([[[1.0, 1.0]]], stride=2)
    >>> larger
    PreparedConvTranspose(w=(1, 1, 2), stride=2)
    >>> larger([[[1.0, 2.0]]]).tolist()
    [[[1.0, 1.0, 2.0, 2.0]]]
    """

    operation: ClassVar[str] = "conv_dx"

    @property
    def terms(self) -> int:
        """Products that one output sums."""
        return prod((self.w.shape[0], *self.w.shape[2:]))

    @cached_property
    def packs(self) -> bool:
        """Whether there is no infinity, which must not meet the zeros around an image."""
        return bool(np.isfinite(self.w).all())

    def _order(self, window: ConvWindow) -> Hashable:
        """Return which taps come to which phase of the stride: a small image may lack some."""
        return tuple(p.taps for axis in window.axes for p in data_gradient_phases(axis))

    def _placed(self, x: Array) -> tuple[ConvWindow, Array]:
        """Return the convolution whose gradient this is, and the image."""
        return self.operator.window(x.shape, self.w.shape).adjoint, x

    def _plainly(self, window: ConvWindow, x: Array, w: Array, b: Array | None) -> Array:
        """Convolve without anything prepared."""
        return dispatch.conv_dx(window, x, w, b, exact=self.operator.exact, prepared=True)
