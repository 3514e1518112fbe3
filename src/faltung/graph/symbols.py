"""What a network is written with: symbols of its values, and the arrays that layers bring."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from faltung import ops
from faltung.errors import FaltungError
from faltung.ops.operator import AbstractOperator, Array, Shape

Initial: TypeAlias = "Callable[[np.random.Generator], Array]"


@dataclass(frozen=True, eq=False)
class Weight:
    """An array that a layer brings along.

    Parameters
    ----------
    suffix
        How its name ends, after the layer's.
    shape
        Its sizes.
    initial
        Draws its first values from a generator.
    trainable
        Whether it belongs to the graph's ``params``, else to its ``state``.
    """

    suffix: str
    shape: tuple[int, ...]
    initial: Initial
    trainable: bool = True


@dataclass(frozen=True, eq=False)
class Symbol:
    """A value of a network that is being written: an input, or what a layer makes of others.

    Parameters
    ----------
    shape
        Batch axis included.
    operator
        What computes it; None for an input.
    sources
        What it is computed from.
    name
        The layer's name; None to have it counted (conv1, conv2 ...).
    """

    shape: Shape
    operator: AbstractOperator | None = None
    sources: tuple[Symbol | Weight, ...] = ()
    name: str | None = None

    def __add__(self, other: Symbol) -> Symbol:
        return apply(ops.Add(), self, other)

    def __mul__(self, other: Symbol) -> Symbol:
        return apply(ops.Mul(), self, other)


def Input(shape: Shape, name: str = "x", batch: int | str = "N") -> Symbol:  # noqa: N802
    """Return an input; the batch axis is put before its shape.

    Parameters
    ----------
    shape
        ``(channels, *space)``.
    name
        What it is fed under.
    batch
        The size of the batch, or a name to leave it open.
    """
    return Symbol((batch, *shape), name=name)


class AbstractLayer(ABC):
    """What can be called on symbols."""

    @abstractmethod
    def __call__(self, *sources: Symbol) -> Symbol:
        """Add this layer after the given symbols and return the symbol of its output."""


def apply(operator: AbstractOperator, *sources: Symbol | Weight, name: str | None = None) -> Symbol:
    """Return the symbol of one more operator; its shape rule runs at once.

    Parameters
    ----------
    operator
        What is added.
    sources
        What it reads, in its own order.
    name
        The layer's name; None to have it counted.

    Raises
    ------
    FaltungError
        Where the operator refuses the shapes; the traceback points at the layer's line.
    """
    try:
        (shape, *_) = operator.out_shapes([source.shape for source in sources])
    except FaltungError as error:
        error.add_note(f"while adding layer {name or operator.subject!r}")
        raise
    return Symbol(shape, operator, sources, name)


def zeros(shape: tuple[int, ...]) -> Initial:
    """Return what starts an array at zero.

    Parameters
    ----------
    shape
        The sizes of the array.
    """
    return lambda _: np.zeros(shape, dtype=np.float32)


def ones(shape: tuple[int, ...]) -> Initial:
    """Return what starts an array at one.

    Parameters
    ----------
    shape
        The sizes of the array.
    """
    return lambda _: np.ones(shape, dtype=np.float32)


def constant(values: ArrayLike) -> Initial:
    """Return what starts an array at given values.

    Parameters
    ----------
    values
        Kept as float32.
    """
    return lambda _: np.asarray(values, dtype=np.float32)


def he_normal(shape: tuple[int, ...], fan_in: int) -> Initial:
    """Return what starts an array normally distributed with variance ``2 / fan_in``.

    Source: He, Zhang, Ren, Sun, *Delving deep into rectifiers* (2015), equation 10.

    Parameters
    ----------
    shape
        The sizes of the array.
    fan_in
        How many products one output sums.
    """
    scale = np.sqrt(2 / max(fan_in, 1))
    return lambda rng: (scale * rng.standard_normal(shape)).astype(np.float32)
