"""Which positions of a window's input no output reads, and which of a graph's inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from faltung.analysis.inspect.known import Known
from faltung.geometry import AxisTransposed, AxisWindow, Interval
from faltung.geometry.border import source
from faltung.graph import Node
from faltung.ops.conv import Conv
from faltung.ops.conv_transpose import ConvTranspose
from faltung.ops.elementwise import AbstractElementwise
from faltung.ops.local import LocallyConnected
from faltung.ops.operator import AbstractOperator, AxisSpan, Everything, Shape, Spans, integers
from faltung.ops.pool import AbstractPool

Mask: TypeAlias = NDArray[np.bool_]
Masks: TypeAlias = list[Mask]

FEW = 4096
"""On longer axes, operators that are no windows are asked for all positions at once."""

MOST: Final = 2**24
"""So many positions and taps of one axis are followed one by one; a file may declare any number."""


def windows(operator: AbstractOperator, in_shapes: Sequence[Shape]) -> tuple[AxisWindow, ...]:
    """Return the windows of a convolution or pooling, one for each space axis; else none.

    Parameters
    ----------
    operator, in_shapes
        What is computed, and from what.
    """
    if isinstance(operator, Conv):
        return operator.window(in_shapes[0], in_shapes[1]).axes
    if isinstance(operator, (AbstractPool, LocallyConnected)):
        return operator.window(in_shapes[0]).axes
    return ()


def read_by(axis: AxisWindow, outputs: Mask, mode: str = "zeros") -> Mask:
    """Return which positions of an axis the marked outputs of a window read.

    >>> read_by(AxisWindow(6, kernel=2, stride=4), np.array([True, True])).astype(int).tolist()
    [1, 1, 0, 0, 1, 1]
    """
    read: Mask = np.zeros(axis.size, bool)
    starts = np.flatnonzero(outputs) * axis.stride - axis.pad_lo
    taps = (starts[:, None] + np.arange(axis.kernel) * axis.dilation).ravel()
    read[taps[(taps >= 0) & (taps < axis.end)]] = True
    if mode != "zeros" and axis.size:
        outside = np.unique(taps[(taps < 0) | (taps >= axis.size)]).tolist()
        read[[at for tap in outside if (at := source(mode, tap, axis.size)) is not None]] = True
    return read


def read_by_transposed(axis: AxisTransposed, outputs: Mask) -> Mask:
    """Return which positions of an axis the marked outputs of a transposed convolution read.

    >>> read_by_transposed(AxisTransposed(2, kernel=2, stride=2), np.arange(4) == 3).tolist()
    [False, True]
    """
    starts = np.arange(axis.size)[:, None] * axis.stride - axis.pad_lo
    reached = starts + np.arange(axis.kernel) * axis.dilation
    inside = (reached >= 0) & (reached < len(outputs))
    met: Mask = outputs[np.where(inside, reached, 0)] & inside
    return np.asarray(met.any(axis=1))


def skipped(axis: AxisWindow, mode: str = "zeros") -> int:
    """Count the input positions of an axis that no output of a window reads.

    >>> skipped(AxisWindow(8, kernel=3, stride=2)), skipped(AxisWindow(8, kernel=1, stride=2))
    (1, 4)

    On axes of more than `MOST` taps it is the least number that there can be.
    """
    if _is_long(axis.size, axis):
        return max(axis.size - axis.connections(padding=False), 0)
    return int(np.count_nonzero(~read_by(axis, np.ones(axis.out_size, bool), mode)))


def never_read(known: Known) -> dict[str, tuple[tuple[Interval, ...], ...]]:
    """Return, for each input of a graph, the positions of each axis that no graph output reads.

    Windows are followed tap by tap, other operators span by span, so that what is listed is never
    read; channels are not followed.

    Parameters
    ----------
    known
        The graph and what is known of its values. Where a value is not known, nothing is said of
        the inputs behind it; nothing at all where an axis has more than `MOST` positions or taps,
        or a size that only a run can tell.
    """
    if known.part is not known.graph or not _can_be_followed(known):
        return {}
    masks: dict[str, Masks] = {n: _all(known.shapes[n]) for n in known.graph.outputs}
    for node in reversed(known.graph.nodes):
        for output, name in enumerate(node.outputs):
            if name in masks:
                _spread(known, node, output, masks.pop(name), masks)
    found = {}
    for value in known.graph.inputs:
        marked = masks.get(value.name) or [np.zeros(int(n), bool) for n in value.shape]
        found[value.name] = tuple(_gaps(mask) for mask in marked)
    return found


def _is_long(size: int, axis: AxisWindow | AxisTransposed | None = None) -> bool:
    if axis is None:
        return size > MOST
    ends = axis.size if isinstance(axis, AxisTransposed) else axis.out_size
    return size + (ends + 1) * axis.kernel > MOST


def _can_be_followed(known: Known) -> bool:
    """Whether all axes have sizes before the network runs, and none is long."""
    shapes = [known.shapes[name] for node in known.graph.nodes for name in node.outputs]
    shapes += [value.shape for value in known.graph.inputs]
    if any(isinstance(n, str) or _is_long(n) for shape in shapes for n in shape):
        return False
    for node in known.graph.nodes:
        given = [known.shapes[name] for name in node.inputs]
        axes: Sequence[AxisWindow | AxisTransposed] = windows(node.operator, given)
        if isinstance(node.operator, ConvTranspose):
            axes = node.operator.window(given[0], given[1]).axes
        if any(_is_long(axis.size, axis) for axis in axes):
            return False
    return True


def _all(shape: Shape) -> Masks:
    return [np.ones(n, bool) for n in integers(shape, "inspect")]


def _spread(known: Known, node: Node, output: int, mask: Masks, masks: dict[str, Masks]) -> None:
    """Mark what the marked positions of a value read."""
    in_shapes = [known.shapes[name] for name in node.inputs]
    given = {*known.graph.params, *known.graph.state}
    for i, name in enumerate(node.inputs):
        if name in given:
            continue
        before = _before(node.operator, in_shapes, output, i, mask)
        now = masks.get(name)
        masks[name] = before if now is None else [a | b for a, b in zip(now, before, strict=True)]


def _before(
    operator: AbstractOperator, in_shapes: Sequence[Shape], output: int, i: int, mask: Masks
) -> Masks:
    if any(not len(marked) for marked in mask):
        return [np.zeros(n, bool) for n in integers(in_shapes[i], "inspect")]
    axes = windows(operator, in_shapes) if i == 0 else ()
    read: Masks = []
    if axes:
        space = zip(axes, mask[2:], strict=True)
        read = [read_by(axis, marked, operator.padding_mode) for axis, marked in space]
    elif isinstance(operator, ConvTranspose) and i == 0:
        crossed = operator.window(in_shapes[0], in_shapes[1]).axes
        read = [read_by_transposed(a, m) for a, m in zip(crossed, mask[2:], strict=True)]
    if read:
        return [mask[0], *_all(in_shapes[0][1:2]), *read]
    if isinstance(operator, AbstractElementwise):
        return mask
    return _by_spans(operator, in_shapes, output, i, mask)


def _by_spans(
    operator: AbstractOperator, in_shapes: Sequence[Shape], output: int, i: int, mask: Masks
) -> Masks:
    """Ask for the span of every marked position of each axis, the others being whole.

    What an input axis reads then is what it reads for all positions of every output axis.
    """
    whole: Spans = tuple(Interval(0, len(marked)) for marked in mask)

    def asked(spans: Spans) -> Spans:
        return operator.input_span(in_shapes, spans, output)[i]

    read = [_marked([span], int(n)) for span, n in zip(asked(whole), in_shapes[i], strict=True)]
    for axis, marked in enumerate(mask):
        if axis < 2 or len(marked) > FEW or _is_same(asked, whole, axis, in_shapes[i]):
            if axis >= 2 and len(marked) <= FEW:
                read[axis] &= marked
            continue
        at = [(*whole[:axis], Interval(o, o + 1), *whole[axis + 1 :]) for o in _where(marked)]
        for each, spans in enumerate(zip(*map(asked, at), strict=True)):
            read[each] &= _marked(spans, len(read[each]))
    return read


def _is_same(asked: Any, whole: Spans, axis: int, in_shape: Shape) -> bool:
    """Whether both ends of an axis, and all of it, are mapped to themselves alone."""
    n = whole[axis].hi  # type: ignore[union-attr]
    if axis >= len(in_shape) or in_shape[axis] != n or n < 2:
        return False
    ends = (Interval(0, 1), Interval(n - 1, n), Interval(0, n))
    mapped = (asked((*whole[:axis], end, *whole[axis + 1 :]))[axis] for end in ends)
    return all(span == end for span, end in zip(mapped, ends, strict=True))


def _where(marked: Mask) -> list[int]:
    return [int(at) for at in np.flatnonzero(marked)]


def _marked(spans: Sequence[AxisSpan], size: int) -> Mask:
    mask: Mask = np.zeros(size, bool)
    for span in spans:
        if isinstance(span, Everything):
            mask[:] = True
            break
        mask[max(span.lo, 0) : max(span.hi, 0)] = True
    return mask


def _gaps(mask: Mask) -> tuple[Interval, ...]:
    """The runs of positions that are not marked."""
    edges = np.flatnonzero(np.diff(np.concatenate(([True], mask, [True])).astype(np.int8)))
    return tuple(Interval(int(a), int(b)) for a, b in edges.reshape(-1, 2))


def gaps_by_input(
    found: Mapping[str, tuple[tuple[Interval, ...], ...]],
) -> list[tuple[str, int, tuple[Interval, ...]]]:
    """Return (input, axis, runs) wherever positions of a space axis are never read."""
    return [
        (name, axis, runs)
        for name, axes in found.items()
        for axis, runs in enumerate(axes)
        if runs and axis >= 2
    ]
