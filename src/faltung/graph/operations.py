"""Layers without weights: each is one operator. `faltung.layers` has them all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

from faltung import ops
from faltung.geometry import PaddingLike
from faltung.graph.symbols import AbstractLayer, Symbol, apply
from faltung.ops.operator import AbstractOperator


@dataclass(frozen=True)
class Operation(AbstractLayer):
    """Any operator without weights, as a layer.

    Parameters
    ----------
    operator
        What is added.
    """

    operator: AbstractOperator
    name: str | None = None

    def __call__(self, *sources: Symbol) -> Symbol:
        """Add the operator."""
        return apply(self.operator, *sources, name=self.name)


def Relu(name: str | None = None) -> Operation:  # noqa: N802
    """Return ``max(x, 0)`` as a layer."""
    return Operation(ops.Relu(), name)


def LeakyRelu(alpha: float = 0.01, name: str | None = None) -> Operation:  # noqa: N802
    """Return ``x`` or ``alpha x`` as a layer.

    Parameters
    ----------
    alpha
        The slope below 0.
    """
    return Operation(ops.LeakyRelu(alpha), name)


def Clip(low: float = -inf, high: float = inf, name: str | None = None) -> Operation:  # noqa: N802
    """Return values kept between two bounds as a layer.

    Parameters
    ----------
    low, high
        The least and the greatest value; 0 and 6 make ReLU6.
    """
    return Operation(ops.Clip(low, high), name)


def Sigmoid(name: str | None = None) -> Operation:  # noqa: N802
    """Return the logistic function as a layer."""
    return Operation(ops.Sigmoid(), name)


def Tanh(name: str | None = None) -> Operation:  # noqa: N802
    """Return the hyperbolic tangent as a layer."""
    return Operation(ops.Tanh(), name)


def Softmax(axis: int = -1, name: str | None = None) -> Operation:  # noqa: N802
    """Return the softmax as a layer.

    Parameters
    ----------
    axis
        Along which the outputs sum to 1.
    """
    return Operation(ops.Softmax(axis), name)


def MaxPool(  # noqa: N802
    kernel_size: int | tuple[int, ...],
    stride: int | tuple[int, ...] | None = None,
    padding: PaddingLike = 0,
    *,
    dilation: int | tuple[int, ...] = 1,
    ceil_mode: bool = False,
    name: str | None = None,
) -> Operation:
    """Return max pooling as a layer.

    Parameters
    ----------
    kernel_size, stride, padding, dilation
        As in `Conv`; the stride is the kernel's size unless given.
    ceil_mode
        Whether a last window that hangs over the end is kept.
    """
    return Operation(ops.MaxPool(kernel_size, stride, padding, dilation, ceil_mode), name)


def AvgPool(  # noqa: N802
    kernel_size: int | tuple[int, ...],
    stride: int | tuple[int, ...] | None = None,
    padding: PaddingLike = 0,
    *,
    ceil_mode: bool = False,
    count_include_pad: bool = False,
    name: str | None = None,
) -> Operation:
    """Return average pooling as a layer.

    Parameters
    ----------
    kernel_size, stride, padding, ceil_mode
        As in `MaxPool`.
    count_include_pad
        Whether padding counts in the divisor.
    """
    operator = ops.AveragePool(kernel_size, stride, padding, 1, ceil_mode, count_include_pad)
    return Operation(operator, name)


def GlobalAvgPool(name: str | None = None) -> Operation:  # noqa: N802
    """Return the mean over all of space as a layer."""
    return Operation(ops.GlobalAveragePool(), name)


def GlobalMaxPool(name: str | None = None) -> Operation:  # noqa: N802
    """Return the maximum over all of space as a layer."""
    return Operation(ops.GlobalMaxPool(), name)


def Flatten(name: str | None = None) -> Operation:  # noqa: N802
    """Return the merging of channels and space as a layer."""
    return Operation(ops.Flatten(), name)


def Dropout(ratio: float = 0.5, name: str | None = None) -> Operation:  # noqa: N802
    """Return dropout as a layer.

    Parameters
    ----------
    ratio
        How probable it is that a value is set to 0 in training.
    """
    return Operation(ops.Dropout(ratio), name)


def Pad(pads: Sequence[tuple[int, int]], mode: str = "zeros") -> Operation:  # noqa: N802
    """Return padding of the space axes as a layer.

    Parameters
    ----------
    pads
        ``(lo, hi)`` for each space axis; negative amounts crop.
    mode
        ``"zeros"``, ``"reflect"``, ``"replicate"`` or ``"circular"``.
    """
    return Operation(ops.Pad(((0, 0), (0, 0), *pads), mode))


def Add(name: str | None = None) -> Operation:  # noqa: N802
    """Return the sum of two symbols as a layer."""
    return Operation(ops.Add(), name)


def Mul(name: str | None = None) -> Operation:  # noqa: N802
    """Return the product of two symbols as a layer."""
    return Operation(ops.Mul(), name)


def Concat(axis: int = 1, name: str | None = None) -> Operation:  # noqa: N802
    """Return the concatenation of symbols as a layer.

    Parameters
    ----------
    axis
        Along which they are joined.
    """
    return Operation(ops.Concat(axis), name)
