"""Steps of optimisers, in place, in one pass over parameters, gradients and moments.

`faltung.training.optimisers` has the formulas. They are computed here as NumPy computes them there,
operation by operation, each rounded once: no multiplication is fused with an addition. So a step
has the same bits with a compiler and without.

Parameters lie one after the other in flat arrays, and only some of them are decayed: `pieces` cuts
them into blocks of work, none of which has parts of two. What changes from step to step is read
from a small array, so that a launch can be written down once and repeated.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from faltung.kernels import memory
from faltung.kernels.compiled import Kernel, kernel
from faltung.kernels.each import Lanes, each_vector
from faltung.kernels.fold import across
from faltung.kernels.isa import required_isa
from faltung.kernels.launch import launch
from faltung.kernels.simd import I32, INT, INTS, Code, Int, Pointer, Vector

Array = NDArray[Any]

PIECE: Final = 1 << 14
"""Numbers of a block of work, at most."""
SGD: Final = ("lr", "momentum", "weight_decay")
"""What `sgd` reads from its small array, in this order."""
ADAM: Final = (
    *("step", "correction", "beta1", "rest1", "beta2", "rest2", "eps"),
    "kept",
)
"""What `adam` reads: ``lr / (1 - beta1**t)``, ``1 - beta2**t``, both betas each with what is left
to 1, epsilon, and what decay leaves of a parameter, ``1 - lr weight_decay``."""
FIELDS: Final = ("x", "g", "first", "second", "numbers", "pieces", "scratch", "scratch_size")


@lru_cache(256)
def pieces(sizes: Sequence[int], decays: Sequence[bool]) -> Array:
    """Cut parameters that lie one after the other into blocks of work.

    Parameters
    ----------
    sizes : tuple of int
        Of each parameter.
    decays : tuple of bool
        Whether each may be decayed.

    Returns
    -------
    array (blocks, 3)
        Where each begins and ends, and whether it may be decayed.

    Examples
    --------
    >>> pieces((3, 20_000), (False, True)).tolist()
    [[0, 3, 0], [3, 16387, 1], [16387, 20003, 1]]
    """
    found, at = [], 0
    for size, is_decayed in zip(sizes, decays, strict=True):
        starts = range(at, at + size, PIECE)
        found += [(s, min(s + PIECE, at + size), int(is_decayed)) for s in starts]
        at += size
    return memory.constant(np.array(found, np.int64).reshape(-1, 3))


def sgd(
    p: Array,
    g: Array,
    v: Array | None,
    numbers: Array,
    cut: Array,
    *,
    nesterov: bool,
    decays: bool,
) -> None:
    """Take a step of `faltung.training.SGD`.

    Parameters
    ----------
    p, g, v : array (n,), float32 or float64
        Parameters, gradients and velocities, which are None without momentum.
    numbers : array, of the same dtype
        As `SGD` lists them.
    cut : array
        What `pieces` gave.
    nesterov
        Whether to look ahead.
    decays
        Whether there is a decay at all.
    """
    arrays = {"x": p, "g": g, "numbers": numbers, "pieces": cut}
    if v is not None:
        arrays["first"] = v
    _launch(sgd_block, arrays, moves=v is not None, nesterov=nesterov, decays=decays)


def adam(p: Array, g: Array, m: Array, v: Array, numbers: Array, cut: Array) -> None:
    """Take a step of `faltung.training.Adam`, or of `faltung.training.AdamW` where pieces decay.

    Parameters
    ----------
    p, g, m, v : array (n,), float32 or float64
        Parameters, gradients and both moments.
    numbers : array, of the same dtype
        As `ADAM` lists them.
    cut : array
        What `pieces` gave.
    """
    arrays = {"x": p, "g": g, "first": m, "second": v, "numbers": numbers, "pieces": cut}
    _launch(adam_block, arrays)


def finite(x: Array, found: Array, cut: Array) -> None:
    """Look for numbers that are not finite.

    Parameters
    ----------
    x : array (n,), float32 or float64
    found : array (blocks,), of the same dtype
        Becomes 0 for each piece, and NaN for one with such a number.
    cut : array
        What `pieces` gave.
    """
    _launch(finite_block, {"x": x, "first": found, "pieces": cut})


def _launch(block: Kernel, arrays: dict[str, Array], **constants: Any) -> None:
    x, cut = arrays["x"], arrays["pieces"]
    for name, array in arrays.items():
        assert array.flags.c_contiguous
        assert array.dtype == (np.int64 if name == "pieces" else x.dtype)
    sizes = {name: 0 for name in FIELDS if name not in arrays}
    launch(block, required_isa(block.name), FIELDS, sizes, arrays, len(cut), **constants)


class Piece:
    """One block of work: what it is told, and its vectors."""

    def __init__(self, code: Code, arguments: Pointer, block: Int) -> None:
        self.code, self._arguments = code, arguments
        row = code.ints(self.place("pieces")) + block * 3
        self._start, self._stop, self._is_decayed = row[0], row[1], row[2] > 0

    def place(self, name: str) -> Pointer:
        """Return where an array begins."""
        return self.code.address(self._arguments[FIELDS.index(name)])

    def numbers(self, count: int) -> list[Vector]:
        """Return what stands in the small array, each number in all lanes."""
        return [self.code.broadcast(self.place("numbers") + i) for i in range(count)]

    def each(self, visit: Callable[[Int, Lanes], None]) -> None:
        """Do something for each vector."""
        each_vector(self.code, self._start, self._stop, visit)

    def each_of(self, visit: Callable[[bool], Callable[[Int, Lanes], None]]) -> None:
        """Do one thing for each vector of a piece that is decayed, another for one that is not."""
        with self.code.either(self._is_decayed) as (decayed, whole):
            with decayed:
                self.each(visit(True))
            with whole:
                self.each(visit(False))


@kernel(arguments=INTS, block=INT, thread=INT)
def sgd_block(
    code: Code,
    arguments: Pointer,
    block: Int,
    thread: Int,
    *,
    moves: bool,
    nesterov: bool,
    decays: bool,
) -> None:
    """``g += weight_decay p;  v = momentum v + g;  p -= lr v``, or ``lr (g + momentum v)``."""
    piece = Piece(code, arguments, block)
    lr, momentum, decay = piece.numbers(len(SGD))
    p, g, v = (piece.place(name) for name in ("x", "g", "first"))

    def step(is_decayed: bool) -> Callable[[Int, Lanes], None]:
        def visit(at: Int, lanes: Lanes) -> None:
            old, taken = lanes.load(p + at), lanes.load(g + at)
            if decays and is_decayed:
                taken = taken + decay * old
            if moves:
                moved = lanes.load(v + at) * momentum + taken
                lanes.store(v + at, moved)
                taken = taken + momentum * moved if nesterov else moved
            lanes.store(p + at, old - lr * taken)

        return visit

    piece.each_of(step)


@kernel(arguments=INTS, block=INT, thread=INT)
def adam_block(code: Code, arguments: Pointer, block: Int, thread: Int) -> None:
    """``m = beta1 m + rest1 g;  v = beta2 v + rest2 g²;  p -= step m / (√(v / correction) + eps)``.

    What is decayed is multiplied by ``kept`` before.
    """
    piece = Piece(code, arguments, block)
    step, correction, beta1, rest1, beta2, rest2, eps, kept = piece.numbers(len(ADAM))
    p, g, m, v = (piece.place(name) for name in ("x", "g", "first", "second"))

    def stepped(is_decayed: bool) -> Callable[[Int, Lanes], None]:
        def visit(at: Int, lanes: Lanes) -> None:
            old, taken = lanes.load(p + at), lanes.load(g + at)
            first = lanes.load(m + at) * beta1 + rest1 * taken
            second = lanes.load(v + at) * beta2 + rest2 * (taken * taken)
            lanes.store(m + at, first)
            lanes.store(v + at, second)
            old = old * kept if is_decayed else old
            by = step * first / (code.square_root(second / correction) + eps)
            lanes.store(p + at, old - by)

        return visit

    piece.each_of(stepped)


@kernel(arguments=INTS, block=INT, thread=INT)
def finite_block(code: Code, arguments: Pointer, block: Int, thread: Int) -> None:
    """Sum ``0 x``: NaN if a number is infinite or NaN, else 0."""
    piece, nothing = Piece(code, arguments, block), code.constant(0.0)
    x, total = piece.place("x"), code.variable(nothing)

    def visit(at: Int, lanes: Lanes) -> None:
        total.set(total.get() + lanes.load(x + at) * nothing)

    piece.each(visit)
    found = across(code, total.get()).value
    place = piece.place("first") + block
    code.store_number(place, code.build.extract_element(found, I32(0)))
