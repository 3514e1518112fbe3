"""Why an operator sees everything, in words, and which nodes a network is not local at."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from faltung import ops
from faltung.analysis.local_sight import LocalSight, readers
from faltung.graph import Node
from faltung.ops.moved import AbstractMover
from faltung.ops.operator import AbstractOperator
from faltung.ops.pool import AbstractGlobalPool
from faltung.ops.ranked import AbstractArg
from faltung.ops.reduce import AbstractReduction
from faltung.ops.shape import AbstractReshape
from faltung.ops.standardise import AbstractChannelwise
from faltung.ops.unknown import Unknown


@dataclass(frozen=True)
class GlobalOperator:
    """A node whose outputs see everything, or lie on no grid of the image any more.

    Parameters
    ----------
    node, operator
        Its name, and that of its operator.
    reason
        Why no halo is enough, in a few words.
    """

    node: str
    operator: str
    reason: str


REASONS: tuple[tuple[tuple[type[AbstractOperator], ...], str], ...] = (
    ((AbstractGlobalPool, AbstractReduction), "global pooling over the whole image"),
    ((ops.Gemm,), "a dense layer joins all positions"),
    ((ops.InstanceNormalization,), "instance normalisation by statistics of the whole image"),
    ((ops.GroupNormalization,), "group normalisation by statistics of the whole image"),
    ((ops.LayerNormalization,), "layer normalisation by statistics of the whole image"),
    ((AbstractChannelwise,), "normalisation by statistics of the whole image"),
    ((ops.BatchNormalization,), "batch normalisation by the statistics of the batch at hand"),
    ((ops.Softmax,), "softmax over all positions"),
    ((AbstractArg, ops.TopK), "all positions are ranked"),
    ((ops.NonMaxSuppression,), "all boxes are compared"),
    ((Unknown,), "an unknown operator, which may see everything"),
)


def global_operators(sight: LocalSight) -> tuple[GlobalOperator, ...]:
    """Return the nodes that see everything, and those that leave the grid otherwise, in order.

    A node that only moves values about, as Flatten does, is not named if what it feeds is.
    """
    named = {name: _reason(sight, node) for name, node in sight.whole.items()}
    for node in sight.leaving():
        if node.name not in named and not _is_followed(sight, node):
            named[node.name] = _leaving(sight, node)
    return tuple(
        GlobalOperator(node.name, node.operator.subject, named[node.name])
        for node in sight.graph.nodes
        if node.name in named
    )


def _reason(sight: LocalSight, node: Node) -> str:
    if isinstance(node.operator, ops.MatMul):
        if len(sight.used(node)) > 1:
            return "attention: a matrix product of two values joins all positions"
        return "a dense layer joins all positions"
    text = next((text for kinds, text in REASONS if isinstance(node.operator, kinds)), "")
    if isinstance(node.operator, (AbstractGlobalPool, AbstractReduction)) and _scales(sight, node):
        return f"{text}, which then scales all of it (squeeze and excitation)"
    return text or "each output uses the whole of an axis"


def _after(sight: LocalSight, node: Node) -> Iterator[Node]:
    """Yield the nodes that depend on a node; the way ends where places in the image come in."""
    read, done, waiting = readers(sight.graph), set(), list(node.outputs)
    while waiting:
        for reader in read.get(waiting.pop(), ()):
            if reader.name not in done:
                done.add(reader.name)
                yield reader
                if not _has_places(sight, reader):
                    waiting += reader.outputs


def _has_places(sight: LocalSight, node: Node) -> bool:
    return any(axes for value in node.outputs for axes in sight.places.get(value, ()))


def _scales(sight: LocalSight, node: Node) -> bool:
    """Whether what a node finds is multiplied with values that still have places."""
    return any(
        isinstance(reader.operator, ops.Mul) and _has_places(sight, reader)
        for reader in _after(sight, node)
    )


def _is_followed(sight: LocalSight, node: Node) -> bool:
    """Whether a node moves values, and something that sees all of them comes after it."""
    if len(sight.used(node)) > 1:  # Values that see everything came in from elsewhere.
        seen = [sight.maps(name) for _, name in sight.used(node)]
        if None in seen:
            return True
    if not isinstance(node.operator, (AbstractReshape, AbstractMover, ops.Transpose)):
        return False
    read, done, waiting = readers(sight.graph), set(), list(node.outputs)
    while waiting:
        for reader in read.get(waiting.pop(), ()):
            if reader.name in sight.whole:
                return True
            if reader.name not in done:
                done.add(reader.name)
                waiting += reader.outputs
    return False


def _leaving(sight: LocalSight, node: Node) -> str:
    if len(sight.branches(node)) > 1:
        return "its branches do not lie on one grid of the image"
    names = [name for _, name in sight.used(node)]
    sizes = {sight.shapes[v][axis] for v in names for axes in sight.places[v] for axis in axes}
    if sizes == {1}:
        return "it takes the one position that is left of this image for features"
    return "its outputs do not lie on the image's grid"
