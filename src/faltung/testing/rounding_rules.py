"""What rounding does in each operator, going forward."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np

from faltung.graph import Node
from faltung.kernels.registry import gamma
from faltung.ops import ReduceMax
from faltung.ops.operator import Array
from faltung.testing.near import FOLDED, FUNCTION, Near, changed, rounded, run
from faltung.testing.rounding_norm import standardised_error

Rule = Callable[[Node, Sequence[Near], Array], Array]


def _linear(node: Node, inputs: Sequence[Near], y: Array) -> Array:
    """Sums of products: absolute values carry errors on, and bound what rounding adds.

    ``(x + dx) (w + dw) + b + db - (x w + b) = dx w + (x + dx) dw + db``
    """
    x, *others = inputs
    positive = changed(node, **{n: abs(getattr(node.operator, n)) for n in factors(node)})
    sizes = [np.abs(each.value) for each in others]
    total = np.abs(x.value) + x.error
    moved = [size + each.error for size, each in zip(sizes, others, strict=True)]
    error = rounded(x, _terms(node, inputs) + FOLDED, run(positive, total, *moved))
    if x.error.any():
        no_bias = (np.zeros_like(size) for size in sizes[1:])
        error = error + run(positive, x.error, *sizes[:1], *no_bias)
    if any(each.error.any() for each in others):
        error = error + run(positive, total, *(each.error for each in others))
    return error


def factors(node: Node) -> tuple[str, ...]:
    """Return the attributes that products are multiplied with."""
    return ("alpha", "beta") if node.operator.onnx_type == "Gemm" else ()


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
    return np.asarray(slope * x.error + rounded(inputs[0], 4 + FOLDED, reach))


def _sum(node: Node, inputs: Sequence[Near], y: Array) -> Array:
    carried = inputs[0].error + inputs[1].error
    return carried + rounded(inputs[0], 1, np.abs(y) + carried)


def _product(node: Node, inputs: Sequence[Near], y: Array) -> Array:
    (a, da, _), (b, db, _) = inputs
    carried: Array = da * np.abs(b) + (np.abs(a) + da) * db
    return carried + rounded(inputs[0], 1, np.abs(y) + carried)


def _quotient(node: Node, inputs: Sequence[Near], y: Array) -> Array:
    """By a divisor that has no error: the fixed numbers of a normalisation."""
    carried = np.asarray(inputs[0].error / np.abs(inputs[1].value))
    exact = np.where(inputs[1].error == 0, carried, np.inf)
    return exact + rounded(inputs[0], 2, np.abs(y) + exact)


def _bounded(slope: float) -> Rule:
    """Functions with values in [-1, 1] and no slope above the one given."""

    def rule(node: Node, inputs: Sequence[Near], y: Array) -> Array:
        return slope * inputs[0].error + rounded(inputs[0], FUNCTION, np.ones(y.shape))

    return rule


def _leaky(node: Node, inputs: Sequence[Near], y: Array) -> Array:
    operator: Any = node.operator
    carried = inputs[0].error * max(1.0, abs(float(operator.alpha)))
    return carried + rounded(inputs[0], 2, np.abs(y) + carried)


def _exponent(node: Node, x: Near) -> tuple[Array, float]:
    """How far log(y) of a softmax may be off: by the errors of x, of x - max, and of the sum."""
    operator: Any = node.operator
    if not x.value.size:
        return x.error, 0.0
    spread = np.ptp(x.value, axis=operator.axis, keepdims=True)
    moved = 2 * x.error.max(axis=operator.axis, keepdims=True) + rounded(x, 2, spread)
    return moved, gamma(x.value.shape[operator.axis] + 2 * FUNCTION, x.dtype)


def _softmax(node: Node, inputs: Sequence[Near], y: Array) -> Array:
    moved, summed = _exponent(node, inputs[0])
    grown = np.expm1(np.minimum(moved, 700)) * (1 + summed) + summed
    return np.asarray(np.minimum(y * grown, 1) + rounded(inputs[0], 1, y))


def _log_softmax(node: Node, inputs: Sequence[Near], y: Array) -> Array:
    moved, summed = _exponent(node, inputs[0])
    return moved + summed + rounded(inputs[0], FUNCTION, np.abs(y))


def _moved(node: Node, inputs: Sequence[Near], y: Array) -> Array:
    """Values that are only picked, moved or repeated take their errors along."""
    return run(node, *(x.error for x in inputs))


def _reduced(node: Node, inputs: Sequence[Near], y: Array) -> Array:
    """Sums and means of whole axes."""
    x, error, _ = inputs[0]
    return run(node, error) + rounded(
        inputs[0], x.size // max(y.size, 1) + 2, run(node, np.abs(x) + error)
    )


def _resized(node: Node, inputs: Sequence[Near], y: Array) -> Array:
    """Means of neighbours; weights and places are rounded as well, more the further out they are.

    Cubic weights may be negative; their sizes sum up to less than 2 on each axis.
    """
    x, error, _ = inputs[0]
    operator: Any = node.operator
    if operator.mode == "nearest":
        return _moved(node, inputs, y)
    largest = 2.0 ** (x.ndim if operator.mode == "cubic" else 0)
    outside = abs(operator.extrapolation_value)
    terms = 8 * (x.ndim + max(x.shape, default=0))
    reach = np.max(np.abs(x) + error, initial=outside) * largest
    return np.asarray(
        error.max(initial=0.0) * largest + rounded(inputs[0], terms, np.full(y.shape, reach))
    )


def _several(node: Node, inputs: Sequence[Near], y: Array) -> Array:
    carried = run(node, *(x.error for x in inputs))
    return carried + rounded(
        inputs[0], len(inputs), run(node, *(np.abs(x.value) + x.error for x in inputs))
    )


def _extreme(node: Node, inputs: Sequence[Near], y: Array) -> Array:
    """An extreme is off by no more than the one that is off most."""
    return np.asarray(functools.reduce(np.maximum, [x.error for x in inputs]) + np.zeros(y.shape))


def _largest_error(node: Node, inputs: Sequence[Near], y: Array) -> Array:
    operator: Any = node.operator
    return ReduceMax(operator.axes, operator.keepdims).forward([inputs[0].error])[0][0]


def _responses(node: Node, inputs: Sequence[Near], y: Array) -> Array:
    """Local response normalisation: its slopes, at most, where the base is least."""
    x, error, _ = inputs[0]
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
    return np.asarray(
        carried + rounded(inputs[0], FUNCTION + operator.size + 4, np.abs(y) + carried)
    )


def _padded(node: Node, inputs: Sequence[Near], y: Array) -> Array:
    operator: Any = node.operator
    return run(changed(node, value=0.0), inputs[0].error) + _stored(inputs[0], operator.value)


def _hard_sigmoid(node: Node, inputs: Sequence[Near], y: Array) -> Array:
    operator: Any = node.operator
    slope = abs(float(operator.alpha))
    line = slope * inputs[0].most + abs(float(operator.beta))
    return slope * inputs[0].error + rounded(inputs[0], 4, line)


def _hard_swish(node: Node, inputs: Sequence[Near], y: Array) -> Array:
    """By a gate between 0 and 1: the slope is 3 / 2 at most."""
    return 1.5 * inputs[0].error + rounded(inputs[0], 8, inputs[0].most)


def _elu(node: Node, inputs: Sequence[Near], y: Array) -> Array:
    operator: Any = node.operator
    carried = inputs[0].error * max(1.0, abs(float(operator.alpha)))
    return carried + rounded(inputs[0], FUNCTION, np.abs(y) + carried)


def _clipped(node: Node, inputs: Sequence[Near], y: Array) -> Array:
    operator: Any = node.operator
    return inputs[0].error + _stored(inputs[0], operator.low) + _stored(inputs[0], operator.high)


def _rectified(node: Node, inputs: Sequence[Near], y: Array) -> Array:
    """What is below 0 by more than its error is cut off to 0 itself."""
    x, error, _ = inputs[0]
    return np.where(x < 0, np.maximum(x + error, 0), error)


def _signed(node: Node, inputs: Sequence[Near], y: Array) -> Array:
    return inputs[0].error


def _stored(x: Near, constant: float) -> float:
    """How far a constant of the operator is off in float32."""
    return float(rounded(x, 1, np.abs(constant))) if math.isfinite(constant) else 0.0


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
    **dict.fromkeys(("Neg", "Abs"), _signed),
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
    "HardSigmoid": _hard_sigmoid,
    "HardSwish": _hard_swish,
    "Elu": _elu,
    **dict.fromkeys(("InstanceNormalization", "GroupNormalization"), standardised_error),
    "Sigmoid": _bounded(0.25),
    "Tanh": _bounded(1.0),
    "Softmax": _softmax,
    "LogSoftmax": _log_softmax,
}
"""What each operator's rounding does, by its ONNX name; a new operator may add its own."""
