"""What a row of the registry says about a kernel, and how it is asked.

A row names its functions by string, so that the table can be read without what they need.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from importlib import import_module
from inspect import signature
from math import prod
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from faltung.geometry.window import ConvWindow, PoolWindow

Window = ConvWindow | PoolWindow
Kernel = Callable[..., NDArray[Any]]
NUMBERED: Final = 1 << 24
"""Whole numbers below this are exact in float32."""


@dataclass(frozen=True, slots=True)
class Row:
    """A kernel.

    Parameters
    ----------
    name : str
        ``<op>_<algorithm>_<dtype>_<layout>``; also what ``FALTUNG_KERNEL`` takes.
    operation : str
        What it computes: a function of `faltung.ops.dispatch`.
    function : str
        ``module:function``, called as ``function(window, *arrays)``. What stands behind it, as in
        ``module:function outputs=4``, is given by that name: a number that algorithms share.
    applies : callable
        Whether the row takes this window and dtype; from these alone, never from values.
    terms : callable
        How many rounded terms, at most, one output of a window sums.
    block : int
        Outputs on each axis whose rounding depends on one another's inputs: 1 for direct sums.
    is_compiled : bool
        Whether it needs machine code: where nothing can be compiled it is passed over.
    costs : str
        ``module:function`` of `cycles`, called as ``function(window, dtype, is_prepared)``. A row
        without one is taken by its name alone.
    is_exact : bool
        Whether its error is that of direct summation; ``exact=True`` keeps to such rows.
    growth : callable, optional
        By how much more than direct summation a window's algorithm may round.
    packs : str
        ``module:function``, called as ``function(window, w)``: the weights in the order in which
        the row reads them, which it takes as ``packed=``. Empty for a row that takes them as
        they are.
    keeps : bool
        Whether the packed weights are all weights as they are, besides zeros, in another order.
    fuses : bool
        Whether it takes an ``epilogue=``: what is done to each output before it is stored.
    replays : bool
        Whether all that it does with arrays is to launch kernels, so that a call can be repeated
        for others of the same shapes; see `faltung.kernels.replay`.
    """

    name: str
    operation: str
    function: str
    applies: Callable[[Window, np.dtype[Any]], bool]
    terms: Callable[[Window], int]
    block: int = 1
    is_compiled: bool = False
    costs: str = ""
    is_exact: bool = True
    growth: Callable[[Window], float] = lambda window: 1.0
    packs: str = ""
    keeps: bool = False
    fuses: bool = False
    replays: bool = False

    def load(self) -> Kernel:
        """The function itself; its module is imported here."""
        return loaded(self.function)

    def takes(self, name: str) -> bool:
        """Whether the function can be given something by this name, as ``out`` or ``epilogue``."""
        return name in _parameters(self.function)

    def pack(self, window: Window, w: NDArray[Any]) -> NDArray[Any]:
        """The weights in the order in which the row reads them, for its ``packed=``."""
        packed: NDArray[Any] = loaded(self.packs)(window, w)
        return packed

    def comes_back(self, window: ConvWindow) -> bool:
        """Whether weights come back from their packed form."""
        return self.keeps and prod(window.w_shape) < NUMBERED

    def unpacked(self, window: ConvWindow, packed: NDArray[Any]) -> NDArray[Any]:
        """The weights that `pack` was given: where each is, packed numbers tell."""
        numbers = np.arange(1, prod(window.w_shape) + 1, dtype=packed.dtype)
        places = self.pack(window, numbers.reshape(window.w_shape)).reshape(-1)
        is_weight = places != 0
        w = np.empty(window.w_shape, packed.dtype)
        w.reshape(-1)[places[is_weight].astype(np.intp) - 1] = packed.reshape(-1)[is_weight]
        return w

    def cycles(self, window: Window, dtype: np.dtype[Any], is_prepared: bool = False) -> float:
        """Estimate one image's cycles on one core with AVX-512; see `faltung.kernels.cost`.

        From the geometry alone: neither the batch nor threads have a part in it. Where the weights
        are prepared, bringing them into the row's order is not counted.
        """
        if not self.costs:
            return float("inf")
        estimate: Callable[..., float] = loaded(self.costs)
        return float(estimate(window, dtype, is_prepared))

    def error_bound(self, window: Window, dtype: np.dtype[Any]) -> float:
        """The c in ``|error| ≤ c · Σ|terms|``, for every output: `gamma` of the terms summed.

        Where outputs share their rounding (``block > 1``), Σ|terms| is ``max|x| · Σ|w|``, the
        largest number that the block reads at all, times the growth of the algorithm.
        """
        return gamma(self.terms(window), dtype) * self.growth(window)


def gamma(terms: int, dtype: np.dtype[Any]) -> float:
    """``γ_k = k·u / (1 - k·u)``, u the unit roundoff of `dtype`; infinite where ``k·u ≥ 1``.

    Bounds the error of a sum of k products in any order, fused or not: N. Higham, *Accuracy and
    Stability of Numerical Algorithms*, 2nd edition, section 3.1.

    >>> gamma(9, np.dtype(np.float64)) * 2**53
    9.000000000000009
    """
    ku = terms * float(np.finfo(dtype).eps) / 2
    return ku / (1 - ku) if ku < 1 else float("inf")


@cache
def _parameters(function: str) -> frozenset[str]:
    return frozenset(signature(loaded(function)).parameters)


@cache
def loaded(name: str) -> Callable[..., Any]:
    """Return ``module:function``, with the numbers behind it; its module is imported."""
    path, *numbers = name.split()
    module, _, function = path.partition(":")
    found: Callable[..., Any] = getattr(import_module(module), function)
    given = dict(number.split("=") for number in numbers)
    return partial(found, **{word: int(n) for word, n in given.items()}) if given else found
