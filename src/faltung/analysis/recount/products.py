"""Multiplications counted in the reference, and taps listed window by window.

Every number that goes in is 1, so that every product is 1: what the definition's own loops add up
to is how often they multiplied. Padding is laid out as numbers too where taps on it are to count.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from faltung import reference
from faltung.analysis.recount.slides import Slide, each, slide_of
from faltung.ops.operator import AbstractOperator, Array
from faltung.reference.window import Window, inside

LOOPED: Final = 100_000
"""Input values times weights up to which convolution is defined by loops."""
Shapes = Sequence[tuple[int, ...]]


class Work(NamedTuple):
    """What the definition of an operator does, counted.

    Parameters
    ----------
    macs
        Multiplications, those with padding included.
    connections, connections_inside
        Pairs of an output and a tap on the first input; the second without taps on padding.
    """

    macs: int
    connections: int
    connections_inside: int


def count_work(operator: AbstractOperator, in_shapes: Shapes) -> Work | None:
    """Run an operator's definition on ones and count; None for operators without a definition here.

    Parameters
    ----------
    operator
        A convolution, a pooling or a dense layer.
    in_shapes
        Small ones: the definitions are loops.
    """
    counter = COUNTERS.get(operator.onnx_type)
    return None if counter is None else counter(operator, in_shapes)


def _conv(operator: Any, in_shapes: Shapes) -> Work:
    return _convolved(operator, in_shapes[0], in_shapes[1], operator.groups)


def _local(operator: Any, in_shapes: Shapes) -> Work:
    x, w = in_shapes
    kernel = each(operator.kernel_size, len(x) - 2)
    return _convolved(operator, x, (w[0], x[1], *kernel), 1)


def _convolved(operator: Any, x: tuple[int, ...], w: tuple[int, ...], groups: int) -> Work:
    slide = slide_of(operator, x, w[2:])
    options: dict[str, Any] = {"stride": slide.stride, "dilation": slide.dilation}

    def products(image: Array, pads: Any) -> int:
        few = image.size * math.prod(w) <= LOOPED
        define = reference.conv_loops if few else reference.conv_strided
        y = define(image, np.ones(w), pads=pads, groups=groups, **options)
        if y.shape[2:] != slide.outputs():
            raise AssertionError(f"{y.shape[2:]} windows, {slide.outputs()} laid down one by one")
        return int(y.sum())

    inside = products(np.ones(x), slide.pads)
    framed = np.ones(
        (*x[:2], *(n + lo + hi for n, (lo, hi) in zip(x[2:], slide.outside, strict=True)))
    )
    cut = tuple((min(lo, 0), min(hi, 0)) for lo, hi in slide.pads)
    everything = products(framed, cut)
    zeros = getattr(operator, "padding_mode", "zeros") == "zeros"
    return Work(everything, everything, inside if zeros else everything)


def _transposed(operator: Any, in_shapes: Shapes) -> Work:
    """Each input value meets the whole kernel, whatever the padding takes away afterwards."""
    x, w = in_shapes[0], in_shapes[1]
    axes = len(x) - 2
    stride, dilation = each(operator.stride, axes), each(operator.dilation, axes)
    options = {"stride": stride, "dilation": dilation, "groups": operator.groups}
    macs = int(reference.conv_transpose_loops(np.ones(x), np.ones(w), **options).sum())
    extra = each(operator.output_padding, axes)
    pads = _transposed_pads(operator.padding, w[2:], stride, dilation, extra)
    y = reference.conv_transpose_loops(
        np.ones(x), np.ones(w), pads=pads, output_padding=extra, **options
    )
    return Work(macs, int(y.sum()), int(y.sum()))


def _transposed_pads(padding: Any, *sizes: Sequence[int]) -> tuple[tuple[int, int], ...]:
    """What is taken away: in "same" all that makes the output longer than input times stride."""
    found = []
    for axis, (k, s, d, extra) in enumerate(zip(*sizes, strict=True)):
        over = d * (k - 1) + 1 - s + extra
        match padding:
            case "valid":
                found.append((0, 0))
            case "full":
                found.append((d * (k - 1), d * (k - 1)))
            case "same":
                found.append((over // 2, over - over // 2) if over > 0 else (0, over))
            case "same_lower":
                found.append((over - over // 2, over // 2) if over > 0 else (0, over))
            case int():
                found.append((padding, padding))
            case _:
                p = padding[axis]
                found.append((p, p) if isinstance(p, int) else (p[0], p[1]))
    return tuple(found)


def _pool(operator: Any, in_shapes: Shapes) -> Work:
    (x,) = in_shapes
    slide = slide_of(operator, x, each(operator.kernel_size, len(x) - 2))
    window = Window.of(slide.kernel, slide.stride, slide.pads, slide.dilation)
    ends = tuple(n + min(hi, 0) for n, (_, hi) in zip(x[2:], slide.pads, strict=True))
    starts = tuple(max(-lo, 0) for lo, _ in slide.pads)
    every = own = 0
    for out in np.ndindex(*slide.outputs(ceil=operator.ceil_mode)):
        for tap in window.taps(out):
            every += 1
            own += inside(tap, ends) and all(t >= s for t, s in zip(tap, starts, strict=True))
    channels = x[0] * x[1]
    return Work(0, channels * every, channels * own)


def _gemm(operator: Any, in_shapes: Shapes) -> Work:
    a, b = (np.ones(shape) for shape in in_shapes[:2])
    a, b = (a.T if operator.trans_a else a), (b if operator.trans_b else b.T)
    macs = int(reference.dense(a, b).sum())
    return Work(macs, macs, macs)


def _matmul(operator: Any, in_shapes: Shapes) -> Work:
    a, b = (np.ones(shape) for shape in in_shapes)
    a, b = (a[None] if a.ndim < 2 else a), (b[:, None] if b.ndim < 2 else b)
    lead = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    a, b = (np.broadcast_to(m, (*lead, *m.shape[-2:])) for m in (a, b))
    macs = sum(int(reference.dense(a[at], b[at].T).sum()) for at in np.ndindex(*lead))
    return Work(macs, macs, macs)


COUNTERS: Final[dict[str, Callable[[Any, Shapes], Work]]] = {
    "Conv": _conv,
    "LocallyConnected": _local,
    "ConvTranspose": _transposed,
    "MaxPool": _pool,
    "AveragePool": _pool,
    "LpPool": _pool,
    "Gemm": _gemm,
    "MatMul": _matmul,
}

SUMMED: Final = frozenset(
    {"GlobalAveragePool", "GlobalMaxPool", "Resize"}
    | {f"Reduce{kind}" for kind in ("Sum", "Mean", "Max", "Min", "Prod")}
)
"""Operators that join values without weights of their own: their connections are found by trial."""


def window_of(operator: AbstractOperator, in_shapes: Shapes) -> Slide | None:
    """Return the window that slides over an operator's first input, if there is one."""
    record: Any = operator
    if operator.onnx_type == "Conv":
        return slide_of(operator, in_shapes[0], in_shapes[1][2:])
    if operator.onnx_type in ("MaxPool", "AveragePool", "LpPool", "LocallyConnected"):
        kernel = each(record.kernel_size, len(in_shapes[0]) - 2)
        return slide_of(operator, in_shapes[0], kernel)
    return None
