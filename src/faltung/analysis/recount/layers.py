"""One operator recounted on a small stand-in: its sizes, its work, and what each output uses."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from faltung import ops
from faltung.analysis.recount.products import COUNTERS, SUMMED, Work, count_work, window_of
from faltung.analysis.recount.slides import Slide
from faltung.analysis.recount.standins import Shapes, Unable, taken
from faltung.analysis.recount.trial import (
    Reach,
    dependencies,
    drawn,
    image_dependencies,
    moved,
    reach,
    run,
    weight_dependencies,
)
from faltung.ops.operator import AbstractOperator

TRIALS: Final = 4_000_000
"""Input values times output values of the largest stand-in that is tried value by value."""
SMALL: Final = 2_000
LARGEST: Final = 1_000_000
"""Values of arrays that are moved as a whole: at once, and where nothing smaller fits."""


@dataclass(frozen=True)
class LayerRecount:
    """What brute force found for one operator on small inputs.

    Parameters
    ----------
    operator, in_shapes
        What was recounted: the graph's own operator, or one with fewer groups of channels, on
        arrays that are as small as they can be.
    out_shapes
        Of the arrays that came out.
    reaches
        By output and input: what each output position was found to depend on.
    visible
        The same for one image and the first output, by input, with the padding laid out as values
        that can be changed: positions outside the first input are negative or past its end. Empty
        for operators that do not pad.
    work
        What was counted; none for operators whose definition is no weighted or pooled sum.
    found
        Pairs of an output and a value of the first input that were found by trial.
    """

    operator: AbstractOperator
    in_shapes: Shapes
    out_shapes: tuple[tuple[int, ...], ...]
    reaches: tuple[tuple[Reach, ...], ...]
    visible: tuple[Reach, ...]
    work: Work
    found: int


def recount_layer(
    operator: AbstractOperator, in_shapes: Shapes, dtypes: Sequence[np.dtype[Any]]
) -> LayerRecount | Unable:
    """Recount one operator on a small stand-in, or say why that cannot be done.

    Parameters
    ----------
    operator, in_shapes, dtypes
        What is computed, from what.
    """
    if operator.onnx_type not in ops.OPERATORS:
        return Unable("no definition of this operator is known here")
    if getattr(operator, "training_mode", False):
        return Unable("it uses the statistics of the batch")
    if operator.onnx_type == "NonMaxSuppression":
        return Unable("its values decide how large the output is")
    sums = operator.onnx_type in COUNTERS or operator.onnx_type in SUMMED
    copier = not sums and (len(in_shapes) == 1 or operator.onnx_type == "Concat")
    size = sum(math.prod(shape) for shape in in_shapes)
    copied = _copied(operator, in_shapes) if copier and size <= SMALL else None
    if copied is not None:
        return copied
    small = taken(operator, in_shapes, dtypes, TRIALS)
    if not isinstance(small, Unable):
        return _tried(*small, dtypes)
    copied = _copied(operator, in_shapes) if copier and SMALL < size <= LARGEST else None
    return small if copied is None else copied


def _copied(operator: AbstractOperator, in_shapes: Shapes) -> LayerRecount | None:
    reaches = moved(operator, in_shapes)
    if reaches is None:
        return None
    out_shapes = tuple(by_input[0].count.shape for by_input in reaches)
    by_output = tuple(map(tuple, reaches))
    return LayerRecount(operator, in_shapes, out_shapes, by_output, (), Work(0, 0, 0), 0)


def _tried(
    operator: AbstractOperator, in_shapes: Shapes, dtypes: Sequence[np.dtype[Any]]
) -> LayerRecount:
    inputs = drawn(in_shapes, dtypes)
    found = dependencies(operator, inputs)
    reaches = tuple(
        tuple(reach(each, shape) for each, shape in zip(by_input, in_shapes, strict=True))
        for by_input in found
    )
    joined = int(found[0][0].sum())
    slide = window_of(operator, in_shapes)
    visible = () if slide is None else _with_padding(operator, in_shapes, slide)
    out_shapes = tuple(y.shape for y in run(operator, inputs))
    work = count_work(operator, in_shapes)
    if work is None:
        pairs = joined if operator.onnx_type in SUMMED else 0
        work = Work(0, pairs, pairs)
    return LayerRecount(operator, in_shapes, out_shapes, reaches, visible, work, joined)


def _with_padding(operator: Any, in_shapes: Shapes, slide: Slide) -> tuple[Reach, ...]:
    """Lay the padding out as values, and more behind it than any window needs, and try again."""
    if operator.onnx_type == "LocallyConnected":
        return ()  # its weights belong to one size, and none of them to padding
    x, ceil = in_shapes[0], getattr(operator, "ceil_mode", False)
    more = tuple(ceil * (e + s) for e, s in zip(slide.extent, slide.stride, strict=True))
    ahead = tuple(lo for lo, _ in slide.outside)
    space = tuple(
        n + lo + hi + m for n, (lo, hi), m in zip(x[2:], slide.outside, more, strict=True)
    )
    options: dict[str, Any] = {"padding": slide.crop}
    options |= {"padding_mode": "zeros"} if operator.onnx_type == "Conv" else {"ceil_mode": False}
    wide = replace(operator, **options)
    shapes = ((1, *x[1:2], *space), *in_shapes[1:])
    inputs = drawn(shapes, [np.dtype(float)] * len(shapes))
    found = [image_dependencies(wide, inputs), *weight_dependencies(wide, inputs)]
    kept = tuple(slice(0, n) for n in slide.outputs(ceil=ceil))
    seen = [reach(part[:, :, :, *kept], shape) for part, shape in zip(found, shapes, strict=True)]
    for axis, lo in enumerate(ahead, 2):
        seen[0].lo[axis] -= lo
        seen[0].hi[axis] -= lo
    return tuple(seen)
