"""Small inputs for a graph: how far its sizes can shrink before a layer refuses them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from faltung.errors import FaltungError
from faltung.graph import Graph
from faltung.ops.operator import Shape

InputShapes = dict[str, tuple[int, ...]]
CANDIDATES = (*range(1, 65), *range(72, 257, 8), *range(272, 641, 16))
LONGER = 64
"""How many more lengths are tried where a graph refuses one."""


def single(shape: Shape) -> tuple[int, ...]:
    """Return a shape whose sizes are numbers: those that are names count as one.

    >>> single(("N", 3, 32, 32))
    (1, 3, 32, 32)
    """
    return tuple(n if isinstance(n, int) else 1 for n in shape)


def known_shapes(graph: Graph, input_shapes: InputShapes) -> dict[str, tuple[int, ...]]:
    """Return the shape of every value that operators agree to, empty ones left out.

    Parameters
    ----------
    graph, input_shapes
        What is asked, and the shape of each input.
    """
    shapes: dict[str, tuple[int, ...]] = dict(input_shapes)
    for arrays in (graph.params, graph.state):
        shapes.update({name: array.shape for name, array in arrays.items()})
    for node in graph.nodes:
        if any(name not in shapes for name in node.inputs):
            continue
        try:
            outs = node.operator.out_shapes([shapes[name] for name in node.inputs])
        except (FaltungError, ValueError, IndexError):
            continue
        for name, shape in zip(node.outputs, outs, strict=False):
            if all(isinstance(n, int) and n > 0 for n in shape):
                shapes[name] = tuple(int(n) for n in shape)
    return shapes


def smallest(graph: Graph, declared: InputShapes) -> InputShapes:
    """Return the smallest square input that all layers take and that leaves no value empty.

    Where there is none, as dense layers want one size, it is the declared one.

    Parameters
    ----------
    graph, declared
        What is to be small, and how large it is declared to be.
    """
    full = len(known_shapes(graph, declared))
    fitting = (s for s in _squares(declared) if len(known_shapes(graph, s)) >= full)
    return next(fitting, declared)


def smallest_local(graph: Graph, declared: InputShapes, small: InputShapes) -> InputShapes:
    """Return the smallest square input that all layers take which take more than one size.

    Parameters
    ----------
    graph, declared
        As in `smallest`.
    small
        What that returned.
    """
    if small != declared:
        return small
    best, most = declared, 0
    for shapes in _squares(declared, local=True):
        count = len(known_shapes(graph, shapes))
        if shapes != declared and count > most:
            best, most = shapes, count
    return best


def _squares(declared: InputShapes, *, local: bool = False) -> Iterator[InputShapes]:
    """Sizes up to the declared one; for a part of the layers a little more than a small one."""
    largest = max((max(s[2:], default=1) for s in declared.values()), default=1)
    if local:
        largest = largest // 2 if largest > 2 * LONGER else largest + LONGER
    for size in CANDIDATES:
        if size <= largest:
            yield resized(declared, dict.fromkeys(range(3), size))


def resized(declared: InputShapes, sizes: Mapping[int, int]) -> InputShapes:
    """Return the inputs that have space with other sizes along some of its axes."""
    return {
        name: (*shape[:2], *(sizes.get(axis, n) for axis, n in enumerate(shape[2:])))
        for name, shape in declared.items()
    }


def strip(graph: Graph, small: InputShapes, axis: int, length: int) -> InputShapes:
    """Return small inputs that are long along one axis, and taken by as many layers.

    Parameters
    ----------
    graph, small
        As `smallest` has it.
    axis, length
        Which space axis, and how long at least; it may become a little longer.
    """
    wanted = len(known_shapes(graph, small))
    for longer in range(length, length + LONGER + 1):
        shapes = resized(small, {axis: longer})
        if len(known_shapes(graph, shapes)) >= wanted:
            return shapes
    return resized(small, {axis: length})


def work_of(graph: Graph, shapes: Mapping[str, tuple[int, ...]]) -> float:
    """Return roughly how many multiplications one run takes, each value counting as some more.

    Parameters
    ----------
    graph, shapes
        What is to run, and the shapes of its values as far as they are known.
    """
    total = 0.0
    for node in graph.nodes:
        arrays = [graph.params.get(name, graph.state.get(name)) for name in node.inputs]
        inner = max((math.prod(a.shape[1:]) for a in arrays if a is not None), default=1)
        outs = sum(math.prod(shapes.get(name, ())) for name in node.outputs if name in shapes)
        total += outs * (inner + 8)
    return total


def thin_work_of(graph: Graph, shapes: Mapping[str, tuple[int, ...]]) -> float:
    """Return the same for one channel in each value and one filter in each layer."""
    total = 0.0
    for node in graph.nodes:
        arrays = [graph.params.get(name) for name in node.inputs]
        kernel = max((math.prod(a.shape[2:]) for a in arrays if a is not None), default=1)
        outs = sum(math.prod(shapes[n][2:]) for n in node.outputs if n in shapes)
        total += outs * (kernel + 8)
    return total
