"""Numbers for sizes that a network leaves open: a stated default, told by the weights where it can.

A size in the first place of an input is a batch, and becomes 1. Channels become what the first
convolution, normalisation or dense layer that reads them has weights for, or 3. Space becomes 1,000
on one axis, 224 x 224 on two, 64 x 64 x 64 on three. Where a network does not fit the default (it
wants multiples of 32, or one size alone), the sizes in `SPACE` are tried in their order. Whoever
takes such numbers says so: `Sized` has them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from faltung.graph.graph import Graph, Node
from faltung.graph.shapes import known_shapes, refusals
from faltung.ops import BatchNormalization, Conv, ConvTranspose, Gemm, MatMul
from faltung.ops.elementwise import AbstractBinary
from faltung.ops.operator import Dim, Shape
from faltung.ops.pool import AbstractGlobalPool, AbstractPool

BATCH: Final = 1
CHANNELS: Final = 3
SPACE: Final[Mapping[int, tuple[int, ...]]] = {
    1: (1000, 1024, 16000, 512, 256, 128, 100, 64, 32),
    2: (224, 256, 299, 320, 512, 640, 32, 28, 64, 96, 128, 227, 384, 416, 48, 16),
    3: (64, 32, 96, 128, 16),
}
"""Sizes of space by its number of axes: the default first, then what is tried in its place."""


@dataclass(frozen=True)
class Sized:
    """A network all of whose inputs have sizes, and which of these were assumed.

    Parameters
    ----------
    graph
        The network.
    taken
        The number that was taken for each size that was open, by the size's name.
    notes
        What else was assumed in reading it.
    """

    graph: Graph
    taken: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def sentence(self) -> str:
        """Return what was assumed, as one line; "" where nothing was.

        Examples
        --------
        >>> from faltung.graph.layers import Relu, build
        >>> sized(build(Relu(), (3, 8, 8))).sentence()
        'open size N taken as 1'
        """
        return sentence(self.taken)


def sentence(taken: Mapping[str, int]) -> str:
    """Return which open sizes were taken as which numbers; "" where none was.

    Parameters
    ----------
    taken
        Numbers by the names of the sizes.
    """
    if not taken:
        return ""
    sizes = "open size" if len(taken) == 1 else "open sizes"
    return f"{sizes} {', '.join(taken)} taken as {', '.join(map(str, taken.values()))}"


def open_names(graph: Graph) -> tuple[str, ...]:
    """Return the names of the sizes that a network's inputs leave open, in their order.

    Parameters
    ----------
    graph
        The network.
    """
    names = [size for value in graph.inputs for size in value.shape if isinstance(size, str)]
    return tuple(dict.fromkeys(names))


def default_shapes(graph: Graph) -> dict[str, Shape]:
    """Return the shape of each input with the default for each open size, whether it fits or not.

    Parameters
    ----------
    graph
        The network.

    Examples
    --------
    >>> from faltung.graph.layers import Conv, build
    >>> graph = build(Conv(4, 3), (1, 8, 8)).with_input_shape(("N", "C", "H", "W"))
    >>> default_shapes(graph)
    {'x': (1, 1, 224, 224)}
    """
    return filled(graph, next(candidates(graph)))


def filled(graph: Graph, numbers: Mapping[str, int]) -> dict[str, Shape]:
    """Return the shape of each input with numbers for open sizes by name.

    Parameters
    ----------
    graph
        The network.
    numbers
        What is not named stays open.
    """
    return {
        value.name: tuple(numbers.get(n, n) if isinstance(n, str) else n for n in value.shape)
        for value in graph.inputs
    }


def candidates(graph: Graph) -> Iterator[dict[str, int]]:
    """Yield numbers for all open sizes: the default, then what is tried where it does not fit.

    Parameters
    ----------
    graph
        The network; what is known of its nodes tells the sizes' roles.

    Yields
    ------
    dict of str to int
        A number for each name.
    """
    fixed, space = _roles(graph)
    space = {name: min(axes, max(SPACE)) for name, axes in space.items()}
    seen = []
    for turn in range(max(len(SPACE[axes]) for axes in space.values()) if space else 1):
        chosen = {n: SPACE[axes][min(turn, len(SPACE[axes]) - 1)] for n, axes in space.items()}
        numbers = {name: {**fixed, **chosen}[name] for name in open_names(graph)}
        if numbers not in seen:
            seen.append(numbers)
            yield numbers


def misfit(graph: Graph) -> int:
    """Return how many nodes refuse the sizes that they get, or have nothing left of them.

    Parameters
    ----------
    graph
        A network with a number for each size.
    """
    shapes = known_shapes(graph)
    made = (shapes.get(name, ()) for node in graph.nodes for name in node.outputs)
    return refusals(graph) + sum(0 in shape for shape in made)


def sized(graph: Graph) -> Sized:
    """Return a network with numbers for the sizes that it leaves open.

    They are the default, or the first of the sizes tried in its place that the network fits.

    Parameters
    ----------
    graph
        The network.
    """
    if not open_names(graph):
        return Sized(graph)
    best: tuple[int, Sized] | None = None
    for numbers in candidates(graph):
        found = Sized(graph.with_input_shape(filled(graph, numbers)), numbers)
        score = misfit(found.graph)
        if best is None or score < best[0]:
            best = score, found
        if not score:
            break
    assert best is not None
    return best[1]


def _roles(graph: Graph) -> tuple[dict[str, int], dict[str, int]]:
    """Return numbers for what is no space, and for space how many axes it has, by name."""
    fixed: dict[str, int] = {}
    space: dict[str, int] = {}

    def learn(claims: Iterator[tuple[str, tuple[str, int]]]) -> None:
        for name, (role, number) in claims:
            if name not in fixed and name not in space:
                (space if role == "space" else fixed)[name] = number

    learned = -1
    while len(fixed) > learned:  # a number may let sizes pass where a name did not
        learned = len(fixed)
        shapes = known_shapes(graph.with_input_shape(filled(graph, fixed)))
        for node in graph.nodes:
            learn(_claims(node, shapes))
    for value in graph.inputs:
        learn(_guesses(value.shape))
    return fixed, space


def _claims(node: Node, shapes: Mapping[str, Shape]) -> Iterator[tuple[str, tuple[str, int]]]:
    """Yield what a node's weights and kind tell of the open sizes of what it reads."""
    known = [shapes.get(name) for name in node.inputs]
    if not known or known[0] is None:
        return
    x, operator = known[0], node.operator
    w = known[1] if len(known) > 1 else None
    roles: dict[int, tuple[str, Dim]] = {}
    if isinstance(operator, (Conv, ConvTranspose)) and w is not None and len(w) == len(x) > 2:
        by_group = isinstance(operator, Conv) and isinstance(w[1], int)
        roles = _image(len(x))
        roles[1] = ("channels", w[1] * operator.groups if by_group else w[0])
    elif isinstance(operator, (AbstractPool, AbstractGlobalPool)) and len(x) > 2:
        roles = _image(len(x))
    elif isinstance(operator, BatchNormalization) and w is not None and len(w) == 1 < len(x):
        roles[1] = ("channels", w[0])
    elif isinstance(operator, Gemm) and w is not None and len(w) == 2:
        roles[1] = ("features", w[1] if operator.trans_b else w[0])
    elif isinstance(operator, MatMul) and w is not None and len(w) > 1:
        roles[len(x) - 1] = ("features", w[-2])
    elif isinstance(operator, AbstractBinary) and w is not None and len(w) <= len(x):
        # A constant with more than one value along an axis says how long the axis is.
        roles = {len(x) - len(w) + i: ("constant", n) for i, n in enumerate(w) if n != 1}
    for axis, (role, number) in roles.items():
        if axis < len(x) and isinstance(name := x[axis], str) and isinstance(number, int):
            yield name, (role, number)


def _image(rank: int) -> dict[int, tuple[str, Dim]]:
    """Return the roles of (N, C, *space), the channels untold."""
    return {0: ("batch", BATCH), **dict.fromkeys(range(2, rank), ("space", rank - 2))}


def _guesses(shape: Shape) -> Iterator[tuple[str, tuple[str, int]]]:
    """Yield the roles of open sizes that no node tells: (N, C, *space), or channels last."""
    rank = len(shape)
    axes = min(max(rank - 2, 1), max(SPACE))
    last = rank > 3 and isinstance(shape[-1], int) and shape[-1] <= 4
    for axis, name in enumerate(shape):
        if isinstance(name, int):
            continue
        if axis == 0:
            yield name, ("batch", BATCH)
        elif rank > 2 and axis == 1 and not last:
            yield name, ("channels", CHANNELS)
        else:
            yield name, ("space", axes)
