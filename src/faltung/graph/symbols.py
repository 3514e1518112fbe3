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
    """An array that a layer brings along: how its name ends, its shape, its first values."""

    suffix: str
    shape: tuple[int, ...]
    initial: Initial
    trainable: bool = True


@dataclass(frozen=True, eq=False)
class Symbol:
    """A value of a network that is being written: an input, or what a layer makes of others."""

    shape: Shape
    operator: AbstractOperator | None = None
    sources: tuple[Symbol | Weight, ...] = ()
    name: str | None = None

    def __add__(self, other: Symbol) -> Symbol:
        return apply(ops.Add(), self, other)

    def __mul__(self, other: Symbol) -> Symbol:
        return apply(ops.Mul(), self, other)


def Input(shape: Shape, name: str = "x", batch: int | str = "N") -> Symbol:  # noqa: N802
    """Return an input of shape (channels, *space); the batch axis is put before it."""
    return Symbol((batch, *shape), name=name)


class AbstractLayer(ABC):
    """What can be called on symbols."""

    @abstractmethod
    def __call__(self, *sources: Symbol) -> Symbol:
        """Add this layer after the given symbols and return the symbol of its output."""


def apply(operator: AbstractOperator, *sources: Symbol | Weight, name: str | None = None) -> Symbol:
    """Add one operator; its shape rule runs at once, so that an error points at the line."""
    try:
        (shape, *_) = operator.out_shapes([source.shape for source in sources])
    except FaltungError as error:
        error.add_note(f"while adding layer {name or operator.subject!r}")
        raise
    return Symbol(shape, operator, sources, name)


def zeros(shape: tuple[int, ...]) -> Initial:
    """Start at zero."""
    return lambda _: np.zeros(shape, dtype=np.float32)


def ones(shape: tuple[int, ...]) -> Initial:
    """Start at one."""
    return lambda _: np.ones(shape, dtype=np.float32)


def constant(values: ArrayLike) -> Initial:
    """Start at given values."""
    return lambda _: np.asarray(values, dtype=np.float32)


def he_normal(shape: tuple[int, ...], fan_in: int) -> Initial:
    """Start normal with variance 2 / fan_in (He et al. 2015, eq. 10)."""
    scale = np.sqrt(2 / max(fan_in, 1))
    return lambda rng: (scale * rng.standard_normal(shape)).astype(np.float32)
