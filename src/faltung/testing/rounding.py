"""How far rounding may move every value of a graph: the bound that two runtimes are held to.

The graph is evaluated in float64, and beside each value goes the most that an evaluation in float32
may differ from it, whatever the order of its sums. So two runtimes are not compared with each
other, within a tolerance that somebody liked, but each with the one number both have to be near.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, NamedTuple

import numpy as np

from faltung.errors import GraphError, message
from faltung.graph import Graph, Node
from faltung.kernels.registry import gamma
from faltung.ops import ReduceMax, dispatch
from faltung.ops.operator import Array
from faltung.testing.compare import rounding_bound
from faltung.testing.random_kernels.oracle import block_sums

FLOAT: Final = np.dtype(np.float32)
FUNCTION: Final = 16
"""Roundings that an exponential, logarithm, logistic function or tangent is taken to make."""

FOLDED: Final = 8
"""Roundings more where a runtime folds a scale or a normalisation into the weights."""


class Near(NamedTuple):
    """A value in float64, and how far from it float32 may be."""

    value: Array
    error: Array


def error_bounds(
    graph: Graph, feeds: Mapping[str, Array], *, choices: Mapping[str, str] | None = None
) -> dict[str, Near]:
    """Return every value of a graph, and how far rounding may move it.

    Parameters
    ----------
    graph
        In float32.
    feeds
        Its inputs by name, as they are given: exact.
    choices
        Rows by the name of the step, as `Plan.choices` has them; convolutions that are not among
        them take the row that is chosen now, as the interpreter does. Without any all sums are
        direct ones.

    Returns
    -------
    dict
        Of `Near` by the value's name.

    Raises
    ------
    GraphError
        An operator whose rounding nobody has described.

    Examples
    --------
    >>> from faltung.graph.layers import Chain, Relu, build
    >>> near = error_bounds(build(Chain(Relu(), Relu()), (1, 2)), {"x": np.float32([[[3, -1]]])})
    >>> near["relu2"].value.tolist(), near["relu2"].error.tolist()
    ([[[3.0, 0.0]]], [[[0.0, 0.0]]])
    """
    known = {**graph.params, **graph.state, **feeds}
    near = {n: Near(a.astype(np.float64), np.zeros(a.shape)) for n, a in known.items()}
    # A step has the names of its nodes; what is lowered is the first.
    rows = {name.split(" + ")[0]: row for name, row in (choices or {}).items()}
    for node in graph.nodes:
        inputs = [near[name] for name in node.inputs]
        after = _after(node, inputs)
        if choices is not None and node.operator.onnx_type in ("Conv", "ConvTranspose"):
            shared = _shared(node, inputs, rows.get(node.name, ""))
            after = after._replace(error=after.error + shared)
        near[node.outputs[0]] = after
    return near


def node_bound(node: Node, inputs: Sequence[Array]) -> Near:
    """Return the first output of one node, and how far rounding in it alone may move that.

    Parameters
    ----------
    node
        Its operator must be one of `RULES`.
    inputs
        Taken as they are, without an error of their own: floats in float32, or whole numbers.

    Raises
    ------
    GraphError
        An operator whose rounding nobody has described.
    """
    wide = [x.astype(np.float64) if x.dtype.kind == "f" else x for x in inputs]
    return _after(node, [Near(x, np.broadcast_to(0.0, x.shape)) for x in wide])


def _after(node: Node, inputs: Sequence[Near]) -> Near:
    rule = RULES.get(node.operator.onnx_type)
    if rule is None:
        values = {"operator": node.operator.onnx_type}
        raise GraphError(message("error_bounds", "it has no rule for this operator", values))
    y = _run(node, *(x.value for x in inputs))
    with np.errstate(over="ignore"):
        return Near(y, rule(node, inputs, y))


def _run(node: Node, *inputs: Array) -> Array:
    # What sums in blocks leaves something of its rounding where all that an output reads is 0.
    summed = node.operator.onnx_type in ("Conv", "ConvTranspose")
    return (_with(node, exact=True) if summed else node).operator.forward(inputs)[0][0]


def _rounded(terms: int, magnitude: Array) -> Array:
    return rounding_bound(terms, magnitude, FLOAT)


def _linear(node: Node, inputs: Sequence[Near], y: Array) -> Array:
    """Sums of products: absolute values carry errors on, and bound what rounding adds."""
    sizes = [np.abs(x.value) for x in inputs]
    exact = not any(x.error.any() for x in inputs)
    moved = sizes if exact else [size + x.error for size, x in zip(sizes, inputs, strict=True)]
    positive = _with(node, **{n: abs(getattr(node.operator, n)) for n in _factors(node)})
    reach = _run(positive, *moved)
    rounded = _rounded(_terms(node, inputs) + FOLDED, reach)
    if exact:
        return rounded
    carried: Array = np.maximum(reach - _run(positive, *sizes), 0)
    # The difference itself is rounded, in float64.
    return carried + reach * 2.0**-40 + rounded


def _shared(node: Node, inputs: Sequence[Near], imposed: str) -> Array | float:
    """How far the outputs of a block may be moved by rounding that they share.

    A row says by how much its algorithm may round more than a direct sum, and over which block: all
    that the block reads counts as much as the largest number there.
    """
    x, w, *b = (np.abs(each.value) + each.error for each in inputs)
    operator: Any = node.operator
    window = operator.window(x.shape, w.shape)
    if operator.onnx_type == "Conv":
        (window, x), operation, name = operator.padded(window, x), "conv", "x"
    else:
        window, operation, name = window.adjoint, "conv_dx", "dout"
    row = dispatch.row_of(operation, window, FLOAT, prepared=operation == "conv", imposed=imposed)
    if row is None or row.is_exact or not x.size:
        return 0.0
    total = block_sums(operation, row.block, window, {name: x, "w": w})
    for each in b:
        total = total + each.reshape(-1, *(1 for _ in window.axes))
    return _rounded(row.terms(window) + FOLDED, total) * row.growth(window)


def _factors(node: Node) -> tuple[str, ...]:
    return ("alpha", "beta") if node.operator.onnx_type == "Gemm" else ()


def _with(node: Node, **fields: Any) -> Node:
    operator: Any = node.operator
    return replace(node, operator=replace(operator, **fields)) if fields else node


def _terms(node: Node, inputs: Sequence[Near]) -> int:
    """How many products or values one output sums, at most."""
    x: tuple[int, ...] = inputs[0].value.shape
    w: tuple[int, ...] = inputs[1].value.shape if len(inputs) > 1 else ()
    operator: Any = node.operator
    match operator.onnx_type:
        case "Conv":
            return math.prod(w[1:])
        case "ConvTranspose":
            return w[0] * math.prod(w[2:])
        case "LocallyConnected":
            return x[1] * int(math.prod(operator.window(x).kernel))
        case "AveragePool":
            return int(math.prod(axis.kernel for axis in operator.window(x).axes))
        case "GlobalAveragePool":
            return math.prod(x[2:])
    return max(x[-2:])


def _normalised(node: Node, inputs: Sequence[Near], y: Array) -> Array:
    x, scale, bias, mean, var = inputs
    operator: Any = node.operator
    to = (1, -1, *(1 for _ in x.value.shape[2:]))
    deviation = np.sqrt(var.value + float(operator.epsilon))
    slope = np.asarray(np.abs(scale.value) / deviation).reshape(to)
    reach = slope * (np.abs(x.value) + x.error + np.abs(mean.value).reshape(to))
    reach = reach + np.abs(bias.value).reshape(to)
    return np.asarray(slope * x.error + _rounded(4 + FOLDED, reach))


def _sum(node: Node, inputs: Sequence[Near], y: Array) -> Array:
    carried = inputs[0].error + inputs[1].error
    return carried + _rounded(1, np.abs(y) + carried)


def _product(node: Node, inputs: Sequence[Near], y: Array) -> Array:
    (a, da), (b, db) = inputs
    carried: Array = da * np.abs(b) + (np.abs(a) + da) * db
    return carried + _rounded(1, np.abs(y) + carried)


def _quotient(node: Node, inputs: Sequence[Near], y: Array) -> Array:
    """By a divisor that has no error: the fixed numbers of a normalisation."""
    carried = np.asarray(inputs[0].error / np.abs(inputs[1].value))
    exact = np.where(inputs[1].error == 0, carried, np.inf)
    return exact + _rounded(2, np.abs(y) + exact)


def _bounded(slope: float) -> Rule:
    """Functions with values in [-1, 1] and no slope above the one given."""

    def rule(node: Node, inputs: Sequence[Near], y: Array) -> Array:
        return slope * inputs[0].error + _rounded(FUNCTION, np.ones(y.shape))

    return rule


def _leaky(node: Node, inputs: Sequence[Near], y: Array) -> Array:
    operator: Any = node.operator
    carried = inputs[0].error * max(1.0, abs(float(operator.alpha)))
    return carried + _rounded(2, np.abs(y) + carried)


def _exponent(node: Node, x: Near) -> tuple[Array, float]:
    """How far log(y) of a softmax may be off: by the errors of x, of x - max, and of the sum."""
    operator: Any = node.operator
    if not x.value.size:
        return x.error, 0.0
    spread = np.ptp(x.value, axis=operator.axis, keepdims=True)
    moved = 2 * x.error.max(axis=operator.axis, keepdims=True) + _rounded(2, spread)
    return moved, gamma(x.value.shape[operator.axis] + 2 * FUNCTION, FLOAT)


def _softmax(node: Node, inputs: Sequence[Near], y: Array) -> Array:
    moved, rounded = _exponent(node, inputs[0])
    grown = np.expm1(np.minimum(moved, 700)) * (1 + rounded) + rounded
    return np.asarray(np.minimum(y * grown, 1) + _rounded(1, y))


def _log_softmax(node: Node, inputs: Sequence[Near], y: Array) -> Array:
    moved, rounded = _exponent(node, inputs[0])
    return moved + rounded + _rounded(FUNCTION, np.abs(y))


def _moved(node: Node, inputs: Sequence[Near], y: Array) -> Array:
    """Values that are only picked, moved or repeated take their errors along."""
    return _run(node, *(x.error for x in inputs))


def _reduced(node: Node, inputs: Sequence[Near], y: Array) -> Array:
    """Sums and means of whole axes."""
    x, error = inputs[0]
    return _run(node, error) + _rounded(x.size // max(y.size, 1) + 2, _run(node, np.abs(x) + error))


def _resized(node: Node, inputs: Sequence[Near], y: Array) -> Array:
    """Means of neighbours; weights and places are rounded as well, more the further out they are.

    Cubic weights may be negative; their sizes sum up to less than 2 on each axis.
    """
    x, error = inputs[0]
    operator: Any = node.operator
    if operator.mode == "nearest":
        return _moved(node, inputs, y)
    largest = 2.0 ** (x.ndim if operator.mode == "cubic" else 0)
    outside = abs(operator.extrapolation_value)
    terms = 8 * (x.ndim + max(x.shape, default=0))
    reach = np.max(np.abs(x) + error, initial=outside) * largest
    return np.asarray(error.max(initial=0.0) * largest + _rounded(terms, np.full(y.shape, reach)))


def _several(node: Node, inputs: Sequence[Near], y: Array) -> Array:
    carried = _run(node, *(x.error for x in inputs))
    return carried + _rounded(len(inputs), _run(node, *(np.abs(x.value) + x.error for x in inputs)))


def _extreme(node: Node, inputs: Sequence[Near], y: Array) -> Array:
    """An extreme is off by no more than the one that is off most."""
    return np.asarray(functools.reduce(np.maximum, [x.error for x in inputs]) + np.zeros(y.shape))


def _largest_error(node: Node, inputs: Sequence[Near], y: Array) -> Array:
    operator: Any = node.operator
    return ReduceMax(operator.axes, operator.keepdims).forward([inputs[0].error])[0][0]


def _responses(node: Node, inputs: Sequence[Near], y: Array) -> Array:
    """Local response normalisation: its slopes, at most, where the base is least."""
    x, error = inputs[0]
    operator: Any = node.operator
    largest, least = np.abs(x) + error, np.maximum(np.abs(x) - error, 0)
    # Where there is nothing to divide by, the bias alone is a lower bound.
    shares = operator.forward([least])[0][0] / np.where(least > 0, least, 1)
    power = np.where(least > 0, shares, operator.bias**-operator.beta)
    base = np.maximum(power ** (-1 / operator.beta), operator.bias)
    power = base**-operator.beta
    near = operator.summed(largest * error, operator.before)
    factor = 2 * operator.beta * operator.alpha / operator.size
    carried = power * (error + factor * largest * near / base)
    return np.asarray(carried + _rounded(FUNCTION + operator.size + 4, np.abs(y) + carried))


def _padded(node: Node, inputs: Sequence[Near], y: Array) -> Array:
    operator: Any = node.operator
    return _run(_with(node, value=0.0), inputs[0].error) + _stored(operator.value)


def _clipped(node: Node, inputs: Sequence[Near], y: Array) -> Array:
    operator: Any = node.operator
    return inputs[0].error + _stored(operator.low) + _stored(operator.high)


def _rectified(node: Node, inputs: Sequence[Near], y: Array) -> Array:
    return inputs[0].error


def _stored(constant: float) -> float:
    """How far a constant of the operator is off in float32."""
    return float(_rounded(1, np.abs(constant))) if math.isfinite(constant) else 0.0


Rule = Callable[[Node, Sequence[Near], Array], Array]
RULES: Final[dict[str, Rule]] = {
    **dict.fromkeys(("Conv", "ConvTranspose", "LocallyConnected", "Gemm", "MatMul"), _linear),
    **dict.fromkeys(("AveragePool", "GlobalAveragePool"), _linear),
    **dict.fromkeys(("MaxPool", "GlobalMaxPool", "Concat", "Flatten"), _moved),
    **dict.fromkeys(("Reshape", "Transpose", "Identity", "Dropout"), _moved),
    **dict.fromkeys(("Slice", "Squeeze", "Unsqueeze", "Expand", "Tile"), _moved),
    **dict.fromkeys(("Gather", "DepthToSpace"), _moved),
    **dict.fromkeys(("ReduceSum", "ReduceMean"), _reduced),
    **dict.fromkeys(("ReduceMax", "ReduceMin"), _largest_error),
    **dict.fromkeys(("Max", "Min"), _extreme),
    **dict.fromkeys(("Neg", "Abs"), _rectified),
    **dict.fromkeys(("Add", "Sub"), _sum),
    "Sum": _several,
    "LRN": _responses,
    "Resize": _resized,
    "Pad": _padded,
    "Relu": _rectified,
    "Clip": _clipped,
    "BatchNormalization": _normalised,
    "Mul": _product,
    "Div": _quotient,
    "LeakyRelu": _leaky,
    "Sigmoid": _bounded(0.25),
    "Tanh": _bounded(1.0),
    "Softmax": _softmax,
    "LogSoftmax": _log_softmax,
}
"""What each operator's rounding does, by its ONNX name; a new operator may add its own."""
