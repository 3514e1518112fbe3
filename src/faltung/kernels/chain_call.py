"""Chains as callers give them: arrays that are broadcast together, and what is computed of them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import prod
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from faltung.kernels.chain import (
    FIELDS,
    KNOWN,
    LOADS,
    OUTER,
    REPEATED,
    ROW,
    STRIDED,
    Step,
    chain_block,
    strides_of,
)
from faltung.kernels.isa import required_isa
from faltung.kernels.launch import launch

Array = NDArray[Any]

SEGMENT: Final = 4096
"""Numbers of a row that are computed at one time."""
BLOCK: Final = 8192
"""Numbers of a block of work, about."""


class Axes(NamedTuple):
    """Sizes of loops, the innermost last, and each array's strides along them, in numbers."""

    sizes: tuple[int, ...]
    strides: tuple[tuple[int, ...], ...]


def merged(shape: Sequence[int], strides: Sequence[Sequence[int]]) -> Axes:
    """Make one axis of neighbours along which every array goes on as along one.

    Parameters
    ----------
    shape
        Of the result.
    strides
        Of each array, in numbers; 0 along an axis where it is repeated.

    Examples
    --------
    >>> merged((2, 3, 4, 5), [(60, 20, 5, 1), (0, 1, 0, 0)])
    Axes(sizes=(2, 3, 20), strides=((60, 20, 1), (0, 1, 0)))
    """
    sizes: list[int] = []
    found: list[list[int]] = [[] for _ in strides]
    for axis in reversed(range(len(shape))):
        if shape[axis] == 1:
            continue
        here = [own[axis] for own in strides]
        if sizes and all(h == f[0] * sizes[0] for h, f in zip(here, found, strict=True)):
            sizes[0] *= shape[axis]
            continue
        sizes.insert(0, shape[axis])
        for own, stride in zip(found, here, strict=True):
            own.insert(0, stride)
    if not sizes:
        return Axes((1,), tuple((0,) if i else (1,) for i in range(len(strides))))
    return Axes(tuple(sizes), tuple(map(tuple, found)))


def axes_of(arrays: Sequence[Array], y: Array) -> Axes | None:
    """Return the loops of a chain over arrays; None if there are more than it has.

    Parameters
    ----------
    arrays
        As they are loaded: each can be broadcast to the result.
    y
        The result.
    """
    if len(arrays) > LOADS or not y.size or y.dtype not in (np.float32, np.float64):
        return None
    if any(array.dtype != y.dtype for array in arrays):
        return None
    strides = tuple(
        array.strides if array.shape == y.shape else np.broadcast_to(array, y.shape).strides
        for array in (y, *arrays)
    )
    return _axes(y.shape, strides, y.dtype.itemsize)


@lru_cache(4096)
def _axes(shape: tuple[int, ...], strides: tuple[tuple[int, ...], ...], item: int) -> Axes | None:
    axes = merged(shape, [tuple(n // item for n in own) for own in strides])
    return axes if len(axes.sizes) <= OUTER + 1 else None


def chain(steps: Sequence[Step], arrays: Sequence[Array], y: Array) -> Array:
    """Compute a chain.

    Parameters
    ----------
    steps
        As `faltung.kernels.chain` has them; ``("load", i)`` is the i-th array.
    arrays
        Each can be broadcast to the result; `axes_of` says whether there is a kernel for them.
    y
        The result, of any strides.
    """
    axes = axes_of(arrays, y)
    assert axes is not None
    assert all(step[0] in KNOWN for step in steps)
    sizes, kinds, blocks = _layout(axes)
    given = dict(zip(_names(arrays), (y, *arrays), strict=True))
    constants = {"kinds": kinds, "steps": tuple(tuple(step) for step in steps)}
    isa = required_isa("chain")
    launch(chain_block, isa, FIELDS, sizes, given, blocks, y.dtype, **constants)
    return y


@lru_cache(4096)
def _layout(axes: Axes) -> tuple[dict[str, int], tuple[str, ...], int]:
    """Return what `FIELDS` hold but for the addresses, how arrays lie, and how many blocks."""
    sizes = _sizes(axes)
    named = {*sizes, "y", *(f"x{i}" for i in range(len(axes.strides) - 1))}
    sizes |= {name: 0 for name in FIELDS if name not in named}
    kinds = tuple(_kind(own[-1], is_result=not i) for i, own in enumerate(axes.strides))
    return sizes, kinds, -(-sizes["items"] // sizes["count"])


def _names(arrays: Sequence[Array]) -> list[str]:
    return ["y", *(f"x{i}" for i in range(len(arrays)))]


def _kind(stride: int, *, is_result: bool) -> str:
    if stride == 0 and not is_result:
        return REPEATED
    return ROW if stride == 1 else STRIDED


def _sizes(axes: Axes) -> dict[str, int]:
    lead = OUTER + 1 - len(axes.sizes)
    *outer, size = (1,) * lead + axes.sizes
    segment = min(size, SEGMENT)
    segments = -(-size // segment)
    items = prod(outer) * segments
    sizes = {
        "size": size,
        "segment": segment,
        "segments": segments,
        "items": items,
        "count": min(items, max(1, BLOCK // segment)),
        "second": outer[1],
        "third": outer[2],
        "scratch_size": 0,
    }
    for name, own in zip(["y", *(f"x{i}" for i in range(LOADS))], axes.strides, strict=False):
        sizes |= dict(zip(strides_of(name), (0,) * lead + own, strict=True))
    return sizes
