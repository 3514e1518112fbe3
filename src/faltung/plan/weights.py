"""A network's constants: as they are, and in the orders in which kernels read them.

What a kernel reads in an order of its own need not be there twice. Where that order has every
weight as it is, the weights themselves are let go; who asks for them, a plan for other shapes whose
kernels may be others, gets them back from there. How weights are packed does not depend on the
image, so such plans share what was packed as well.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Final, NamedTuple

import numpy as np
from numpy.lib.array_utils import byte_bounds

from faltung.errors import KernelError, message
from faltung.geometry import ConvWindow
from faltung.graph.graph import Graph
from faltung.kernels import pages
from faltung.kernels.isa import VARIABLE, Isa, host_isa
from faltung.kernels.row import Row
from faltung.kernels.settings import settings
from faltung.ops.operator import Array
from faltung.plan.fold import folded
from faltung.plan.rewrite import rewritten

LARGE: Final = 1 << 16
"""Bytes from which an array has no part in what a network's structure is."""


class _Key(NamedTuple):
    """Whose packed weights, and what they were packed for."""

    node: str
    row: str
    isa: Isa | None


class _Source(NamedTuple):
    """Which packed weights an array comes back from."""

    row: Row
    window: ConvWindow
    key: _Key


class Weights(Mapping[str, Array]):
    """Constants by name, held for the plans of one network.

    Parameters
    ----------
    graph
        Whose params and state they are.
    """

    def __init__(self, graph: Graph) -> None:
        self._arrays: dict[str, Array] = {**graph.params, **graph.state}
        self._kinds = {name: (array.shape, array.dtype) for name, array in self._arrays.items()}
        self._readers = Counter(name for node in graph.nodes for name in node.inputs)
        self._readers.update(graph.outputs)
        self._packed: dict[_Key, Array] = {}
        self._sources: dict[str, _Source] = {}
        self._finite: dict[str, bool] = {}
        self._lock = threading.RLock()

    def __iter__(self) -> Iterator[str]:
        return iter(self._kinds)

    def __len__(self) -> int:
        return len(self._kinds)

    def __contains__(self, name: object) -> bool:
        return name in self._kinds

    def __getitem__(self, name: str) -> Array:
        with self._lock:
            if name in self._sources:
                self._arrays[name] = self._brought_back(*self._sources[name])
                del self._sources[name]
            return self._arrays[name]

    def like(self, name: str) -> Array:
        """Return what stands for an array that nobody will read: its shape, and no numbers."""
        return _unread(*self._kinds[name])

    def packed(self, node: str, name: str, row: Row, window: ConvWindow) -> Array:
        """Return weights in the order in which a row reads them, made once.

        Parameters
        ----------
        node
            Whose they are.
        name
            Theirs.
        row, window
            What will read them.
        """
        with self._lock:
            key = _Key(node, row.name, host_isa())
            if key not in self._packed:
                self._packed[key] = row.pack(window, self[name])
                if row.comes_back(window) and self._readers[name] == 1:
                    self._sources[name] = _Source(row, window, key)
                    del self._arrays[name]
            return self._packed[key]

    def _brought_back(self, row: Row, window: ConvWindow, key: _Key) -> Array:
        if host_isa() != key.isa:
            rule = f"{VARIABLE} must be what it was when the network was compiled"
            cure = "Set it before, or compile the network anew"
            raise KernelError(message("plan", rule, {VARIABLE: settings().isa or "unset"}, cure))
        return row.unpacked(window, self._packed[key])

    def turned(self, name: str) -> Array:
        """Return a matrix's columns as rows that lie one after the other, in its place."""
        with self._lock:
            columns = self[name].T
            if not columns.flags.c_contiguous:
                rows = pages.filled(columns.shape, columns.dtype, lambda y: np.copyto(y, columns))
                self._arrays[name], columns = rows.T, rows
            return columns

    def is_finite(self, name: str) -> bool:
        """Whether there is neither infinity nor NaN in an array."""
        with self._lock:
            if name not in self._finite:
                self._finite[name] = bool(np.isfinite(self[name]).all())
            return self._finite[name]

    def held(self) -> list[Array]:
        """Return all arrays that are there, the packed ones behind the others."""
        with self._lock:
            return [*self._arrays.values(), *self._packed.values()]


class Arrays(Mapping[str, Array]):
    """Values in one piece of memory, and constants beside them, by name."""

    def __init__(self, values: Mapping[str, Array], weights: Weights) -> None:
        self._values, self._weights = values, weights

    def __iter__(self) -> Iterator[str]:
        yield from self._values
        yield from self._weights

    def __len__(self) -> int:
        return len(self._values) + len(self._weights)

    def __contains__(self, name: object) -> bool:
        return name in self._values or name in self._weights

    def __getitem__(self, name: str) -> Array:
        return self._values[name] if name in self._values else self._weights[name]


def simplified(graph: Graph) -> tuple[Graph, Weights]:
    """Return a network with less to do: its structure, and its constants.

    Parameters
    ----------
    graph
        Nothing that is returned refers to it.

    Returns
    -------
    Graph
        In which large arrays have a shape alone.
    Weights
        All arrays.
    """
    simpler = rewritten(folded(graph))
    sketch = {
        kind: {
            name: array if array.nbytes < LARGE else _unread(array.shape, array.dtype)
            for name, array in getattr(simpler, kind).items()
        }
        for kind in ("params", "state")
    }
    return replace(simpler, **sketch), Weights(simpler)  # type: ignore[arg-type]


def united(arrays: Iterable[Array], apart: Array) -> int:
    """Return the bytes of memory that arrays lie in, each counted once.

    Parameters
    ----------
    arrays
        May be views of one another.
    apart
        Memory that is not counted.

    Examples
    --------
    >>> x, y = np.zeros(10), np.zeros(3)
    >>> united([x[:5], x[2:], y, y], np.zeros(8))
    104
    """
    start, stop = byte_bounds(apart)
    total, last = 0, 0
    for first, end in sorted(byte_bounds(array) for array in arrays if array.size):
        if end <= start or stop <= first:
            total += max(0, end - max(first, last))
            last = max(last, end)
    return total


def _unread(shape: tuple[int, ...], dtype: np.dtype[np.generic]) -> Array:
    """Return an array all of whose numbers are the same few bytes: NaN, if there is one."""
    one = np.full((), np.nan if dtype.kind == "f" else 0, dtype).tobytes()
    return np.ndarray(shape, dtype, buffer=one, strides=(0,) * len(shape))
