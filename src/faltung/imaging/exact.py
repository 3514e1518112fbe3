"""A graph evaluated with every sum in one fixed order, so that equal sums have equal bits.

A matrix product of a library may add the same numbers in another order when the matrix has another
shape: the last bits of a window's score then depend on how many windows are computed with it. Here
each sum runs in the order of its definition, channel by channel, row by row, column by column, one
product rounded, one sum rounded, the bias last, on whole arrays at a time; every operation is one
of IEEE 754's on each value by itself, so that no value depends on what is computed beside it. A
dense layer over a flattened (C, h, w) and the convolution that it is rewritten as add the same
numbers in the same order.
"""

from __future__ import annotations

from itertools import product
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faltung import ops
from faltung.graph.evaluate import fed
from faltung.graph.graph import Graph, Node
from faltung.ops import dispatch
from faltung.ops.elementwise import AbstractElementwise
from faltung.ops.pad import pad

Array = NDArray[Any]


def evaluate_exact(graph: Graph, x: Array) -> Array:
    """Return the only output of a graph with one input, for inference.

    Convolutions, dense layers, global means and softmax add in the fixed order; all other
    operators run as ever: they add nothing, or in an order that does not depend on the shape.
    Functions of one value are NumPy's, whatever the size of the image.
    """
    values: dict[str, Array] = {**graph.params, **graph.state}
    values[graph.inputs[0].name] = np.ascontiguousarray(fed(graph.inputs[0], x))
    with np.errstate(all="ignore"):
        for node in graph.nodes:
            outputs = _run(node, [values[name] for name in node.inputs])
            values.update(zip(node.outputs, outputs, strict=True))
    return values[graph.outputs[0]]


def _run(node: Node, inputs: list[Array]) -> tuple[Array, ...]:
    operator = node.operator
    match operator:
        case ops.Conv():
            return (_conv(operator, *inputs),)
        case ops.Gemm():
            return (_dense(operator, *inputs),)
        case ops.MatMul() if inputs[0].ndim == inputs[1].ndim == 2:
            return (_dense(ops.Gemm(), *inputs),)
        case ops.GlobalAveragePool():
            pool = ops.AveragePool(inputs[0].shape[2:])
            return (dispatch.avg_pool(pool.window(inputs[0].shape), inputs[0], False),)
        case ops.Softmax():
            return (_softmax(operator, inputs[0]),)
        case AbstractElementwise() if len(inputs) == 1:
            return (_one_by_one(operator, inputs[0]),)
    outputs, _, _ = operator.forward(inputs)
    return tuple(np.ascontiguousarray(each) for each in outputs)


def _one_by_one(operator: AbstractElementwise, x: Array) -> Array:
    """A function of each value, computed on a line: large images may round it by a kernel."""
    (y,), _, _ = operator.forward([x.reshape(-1)])
    return np.asarray(y).reshape(x.shape)


def _conv(operator: ops.Conv, x: Array, w: Array, b: Array | None = None) -> Array:
    window = operator.window(x.shape, w.shape)
    padded = pad(x, ((0, 0), (0, 0), *window.pads), operator.padding_mode)
    y = np.zeros(window.out_shape, x.dtype)
    for group in range(window.groups):
        outs = slice(group * window.group_out, (group + 1) * window.group_out)
        for ci, *taps in product(*map(range, window.w_shape[1:])):
            places: list[Any] = [
                slice(
                    k * axis.dilation, k * axis.dilation + axis.out_size * axis.stride, axis.stride
                )
                for k, axis in zip(taps, window.axes, strict=True)
            ]
            values = padded[(slice(None), group * window.group_in + ci, None, *places)]
            tap: tuple[Any, ...] = (outs, ci, *taps)
            weights = w[tap].reshape(-1, *(1 for _ in taps))
            y[:, outs] += weights * values
    return y if b is None else y + b.reshape(-1, *(1 for _ in window.axes))


def _dense(operator: ops.Gemm, x: Array, w: Array, b: Array | None = None) -> Array:
    """``Σ_k x[n, k] w[o, k]``, scaled as `faltung.imaging.rewrite` scales the weights."""
    columns = (w.T if operator.trans_b else w) * w.dtype.type(operator.alpha)
    rows = x.T if operator.trans_a else x
    b = None if b is None else b * b.dtype.type(operator.beta)
    y = np.zeros((len(rows), columns.shape[1]), x.dtype)
    for k in range(columns.shape[0]):
        y += rows[:, k, np.newaxis] * columns[k]
    return y if b is None else y + b


def _softmax(operator: ops.Softmax, x: Array) -> Array:
    """Classes in their order, on arrays laid out alike whatever the axis."""
    moved = np.moveaxis(x, operator.axis, 0)
    shifted = np.ascontiguousarray(moved - moved.max(axis=0))
    powers = np.exp(shifted).reshape(len(moved), prod(moved.shape[1:]))
    total = np.zeros(powers.shape[1], x.dtype)
    for each in powers:
        total += each
    is_log = isinstance(operator, ops.LogSoftmax)
    flat = shifted.reshape(powers.shape) - np.log(total) if is_log else powers / total
    return np.ascontiguousarray(np.moveaxis(flat.reshape(moved.shape), 0, operator.axis))
