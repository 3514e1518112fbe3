"""Small stand-ins: the same operator on arrays small enough to be tried value by value."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from faltung.analysis.recount.slides import each
from faltung.analysis.recount.trial import drawn, run
from faltung.errors import FaltungError
from faltung.ops.operator import AbstractOperator

Shapes = tuple[tuple[int, ...], ...]
FEW_GROUPS = 3
"""So many groups of channels stand for more of them."""
SIZES = (1, 3, 2, 4, 5, 6, 7, 8)
"""The sizes that stand for others, the first for 1 and the rest in order of appearance."""


class StandIn(NamedTuple):
    """An operator, perhaps with fewer groups, and small shapes that it takes."""

    operator: AbstractOperator
    in_shapes: Shapes


def stand_ins(operator: AbstractOperator, in_shapes: Shapes) -> Iterator[StandIn]:
    """Return small uses of an operator, the best first; whether it takes them is to be tried.

    Windows keep kernel, stride, dilation, padding and what is left of the image over the stride;
    their channels become few, with as many groups if these are few. All others keep which sizes
    are equal and which are 1.

    Parameters
    ----------
    operator, in_shapes
        The use that is to be small.
    """
    record: Any = operator
    match operator.onnx_type:
        case "Conv" | "ConvTranspose":
            yield _weighted(record, in_shapes)
        case "LocallyConnected":
            yield _local(record, in_shapes[0])
        case "MaxPool" | "AveragePool" | "LpPool":
            x = in_shapes[0]
            kernel = each(record.kernel_size, len(x) - 2)
            stride = each(kernel if record.stride is None else record.stride, len(kernel))
            space = _space(x[2:], kernel, stride, each(record.dilation, len(kernel)))
            yield StandIn(operator, ((2, 2, *space),))
        case "LRN":
            few = 2 * record.size + 1
            yield StandIn(operator, ((1, few, *(2 for _ in in_shapes[0][2:])),))
        case "GroupNormalization":
            groups = min(record.num_groups, FEW_GROUPS)
            few = (2, 2 * groups, *(2 + i for i, _ in enumerate(in_shapes[0][2:])))
            yield StandIn(replace(record, num_groups=groups), (few, few[1:2], few[1:2]))
    if operator.onnx_type not in ("Conv", "ConvTranspose", "LocallyConnected"):
        yield StandIn(operator, _renamed(in_shapes))
    yield StandIn(operator, in_shapes)


def _weighted(operator: Any, in_shapes: Shapes) -> StandIn:
    x, w = in_shapes[:2]
    axes = len(x) - 2
    space = _space(x[2:], w[2:], each(operator.stride, axes), each(operator.dilation, axes))
    transposed = operator.onnx_type == "ConvTranspose"
    if transposed:
        space = tuple(min(n, 3 + i) for i, n in enumerate(space))
    groups = min(operator.groups, FEW_GROUPS)
    per_in = min(x[1] // operator.groups, 2)
    outs = w[1] if transposed else w[0] // operator.groups
    per_out = min(outs, 2)
    lead = (groups * per_in, per_out) if transposed else (groups * per_out, per_in)
    bias = ((groups * per_out,),) * (len(in_shapes) > 2)
    shapes = ((2, groups * per_in, *space), (*lead, *w[2:]), *bias)
    return StandIn(
        operator if groups == operator.groups else replace(operator, groups=groups), shapes
    )


def _local(operator: Any, x: tuple[int, ...]) -> StandIn:
    axes = len(x) - 2
    kernel = each(operator.kernel_size, axes)
    space = _space(x[2:], kernel, each(operator.stride, axes), each(operator.dilation, axes))
    small = (2, min(x[1], 2), *space)
    return StandIn(operator, (small, operator.weight_shape(small, 2)))


def _space(
    sizes: Sequence[int], kernel: Sequence[int], stride: Sequence[int], dilation: Sequence[int]
) -> tuple[int, ...]:
    """Room for three windows, and as much left over the stride as the image itself leaves."""
    found = []
    for n, k, s, d in zip(sizes, kernel, stride, dilation, strict=True):
        least = d * (k - 1) + 1 + 2 * s
        found.append(least + (n - least) % s)
    return tuple(found)


def _renamed(in_shapes: Shapes) -> Shapes:
    names: dict[int, int] = {1: 1}
    for shape in in_shapes:
        for n in shape:
            if n not in names:
                names[n] = min(n, SIZES[min(len(names), len(SIZES) - 1)])
    return tuple(tuple(names[n] for n in shape) for shape in in_shapes)


class Unable(NamedTuple):
    """Why something could not be recounted.

    Parameters
    ----------
    reason
        In words.
    refused
        Whether an operator that is known here refused its own input.
    """

    reason: str
    refused: bool = False


def taken(
    operator: AbstractOperator, in_shapes: Shapes, dtypes: Sequence[np.dtype[Any]], most: int
) -> StandIn | Unable:
    """Return the first stand-in that the operator takes, or why there is none.

    Parameters
    ----------
    operator, in_shapes
        The use that is to be small.
    dtypes
        What the inputs hold.
    most
        How many values all inputs may have together, times those of the outputs.
    """
    reason = Unable("nothing smaller is left of it")
    for small in stand_ins(operator, in_shapes):
        size = sum(math.prod(shape) for shape in small.in_shapes)
        if size > most:
            reason = Unable(f"even {size:,} input values are too many to try one by one")
            continue
        try:
            outputs = run(small.operator, drawn(small.in_shapes, dtypes))
        except (FaltungError, ValueError, IndexError, TypeError) as error:
            text = str(error).splitlines()[0]
            reason = Unable(f"no small input fits: {text}", small.in_shapes == in_shapes)
            continue
        if any(0 in y.shape for y in outputs) or not outputs:
            reason = Unable("it has no output on a small input")
            continue
        if size * sum(y.size for y in outputs) <= most:
            return small
        reason = Unable(f"{size:,} input values are too many to try one by one")
    return reason
