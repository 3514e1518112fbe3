"""What rounding does in each operator, going back.

A gradient reaches a node as g, off by dg at most, and leaves it multiplied with slopes that follow
from saved values, which are off as well. With sizes for values and ``|a b - (a + da) (b + db)| <=
da |b| + (|a| + da) db`` everything follows from the operator's own backward pass:

* linear in one input, ``dx = B g``: ``|B| dg``;
* products of two, ``dx = B(w) g``: ``|B|(|w|) dg + |B|(dw) (|g| + dg)``;
* functions, ``dx = f'(x) g``: ``|f'| dg + d(f') (|g| + dg)``.

Where a slope jumps and the error of x leaves open on which side of that it is, the error of the
slope is the jump: whichever side a runtime takes is within the bound. The same holds for the
largest of a window, where all that may be it may get the gradient.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any, Final, NamedTuple

import numpy as np

from faltung.graph import Node
from faltung.ops import dispatch
from faltung.ops.operator import Array
from faltung.testing.near import FUNCTION, Near, changed, rounded
from faltung.testing.random_kernels.oracle import added, under_taps
from faltung.testing.rounding import block_error
from faltung.testing.rounding_norm import (
    column,
    of_images,
    standardised,
    standardised_gradient,
    weight_gradients,
)
from faltung.testing.rounding_rules import factors


class Back(NamedTuple):
    """A node on the way back.

    Parameters
    ----------
    node
        The node.
    inputs, y
        What it read, and its output.
    g
        The gradient of that.
    saved
        What its operator keeps of the exact values.
    """

    node: Node
    inputs: Sequence[Near]
    y: Near
    g: Near
    saved: Any

    @property
    def operator(self) -> Any:
        """What the node computes."""
        return self.node.operator


Rule = Callable[[Back], Sequence[Array]]


BY_OUTPUT: Final = {"Relu", "Sigmoid", "Tanh", "Softmax", "LogSoftmax"}
"""Functions whose gradients follow from what they returned."""


def gradients_after(at: Back) -> list[Near]:
    """Return the gradients of a node's inputs, and how far rounding may move them."""
    if at.operator.onnx_type in BY_OUTPUT:
        # A runtime takes its own output, rounded: so do we where that is known.
        at = at._replace(saved=at.y.value.reshape(at.saved.shape))
    values = _given(at, at.node, at.saved, at.g.value)
    errors = RULES_BACK[at.operator.onnx_type](at)
    pairs = zip(values, errors, strict=False)  # statistics that run along have no gradient
    return [Near(value, np.asarray(error), at.g.dtype) for value, error in pairs]


def _given(at: Back, node: Node, saved: Any, g: Array) -> list[Array]:
    wanted = [True] * len(at.inputs)
    found = node.operator.backward_to(wanted, saved, [g])
    return [
        np.zeros(x.value.shape) if dx is None else dx
        for x, dx in zip(at.inputs, found, strict=True)
    ]


def _moved(at: Back) -> list[Array]:
    """Values that are moved, or of which some are dropped: gradients go the same way."""
    return [np.abs(dx) for dx in _given(at, at.node, at.saved, at.g.error)]


def _spread(at: Back) -> list[Array]:
    """Sums whose weights are no values: as many terms as there are outputs, at most."""
    terms = prod(at.y.value.shape[2:]) + 4
    if at.operator.onnx_type in ("Add", "Sub"):
        terms = at.y.value.size // min(x.value.size for x in at.inputs)
    if at.operator.onnx_type == "Dropout":
        terms = 3  # the factor is rounded as well
    sizes = _given(at, at.node, at.saved, at.g.most)
    pairs = zip(_moved(at), sizes, strict=True)
    return [error + rounded(at.g, terms, np.abs(size)) for error, size in pairs]


def _resized(at: Back) -> list[Array]:
    """Weights and places are rounded as well: see the rule forward."""
    space = tuple(range(2, at.g.value.ndim))
    (error,) = _spread(at)
    if at.operator.mode == "nearest":
        return [error]
    terms = 8 * (at.g.value.ndim + max(*at.y.value.shape, *at.inputs[0].value.shape))
    return [error + rounded(at.g, terms, at.g.most.sum(axis=space, keepdims=True))]


def _products(at: Back) -> list[Array]:
    """Two factors, of which each one's gradient is a product with the other; and a bias."""
    node = changed(at.node, **{n: abs(getattr(at.operator, n)) for n in factors(at.node)})
    if at.operator.onnx_type in ("Conv", "ConvTranspose"):
        node = changed(node, exact=True)

    def given(values: Sequence[Array], g: Array) -> list[Array]:
        biases = (np.abs(b.value) for b in at.inputs[2:])
        return _given(at, node, node.operator.forward([*values, *biases])[2], g)

    factors_of, errors = at.inputs[:2], [x.error for x in at.inputs[:2]]
    carried = given([np.abs(x.value) for x in factors_of], at.g.error)
    if any(error.any() for error in errors):
        more = given(errors, at.g.most)
        carried = [*(a + b for a, b in zip(carried[:2], more, strict=False)), *carried[2:]]
    sizes = given([x.most for x in factors_of], at.g.most)
    shared = _shared(at)
    return [
        error + rounded(at.g, terms, size) + block
        for error, size, terms, block in zip(carried, sizes, _terms(at), shared, strict=False)
    ]


def _terms(at: Back) -> tuple[int, int, int]:
    """How many products the gradients of both factors sum, and how many numbers that of a bias."""
    y: tuple[int, ...] = at.y.value.shape
    a, b = (x.value.shape for x in at.inputs[:2])
    match at.operator.onnx_type:
        case "Conv":
            # Places are added up again where padding repeats them.
            return b[0] * prod(b[2:]) * 3 ** len(b[2:]), y[0] * prod(y[2:]), y[0] * prod(y[2:])
        case "ConvTranspose":
            return prod(b[1:]), a[0] * prod(a[2:]), y[0] * prod(y[2:])
        case "Gemm":
            return y[1] + 1, y[0] + 1, y[0] + 1
        case "MatMul":
            return y[-1] * prod(y[:-2]), prod(y[:-1]), 0
    return tuple(prod(y) // prod(shape) + 1 for shape in (a, b, y))  # type: ignore[return-value]


def _shared(at: Back) -> tuple[Array | float, Array | float, float]:
    """What rows move that sum in blocks: see `faltung.testing.rounding.shared_error`."""
    operator, kind = at.operator, at.g.dtype
    if operator.onnx_type not in ("Conv", "ConvTranspose"):
        return 0.0, 0.0, 0.0
    x, w, g = at.inputs[0].most, at.inputs[1].most, at.g.most
    window = operator.window(x.shape, w.shape)
    if operator.onnx_type == "ConvTranspose":
        window = window.adjoint
        row = dispatch.row_of("conv", window, kind, prepared=True)
        row_dw = dispatch.row_of("conv_dw", window, kind)
        shared = block_error(row, window, {"x": g, "w": w}, at.g)
        return shared, block_error(row_dw, window, {"x": g, "dout": x}, at.g), 0.0
    inner, padded = operator.padded(window, x)
    row = dispatch.row_of("conv_dx", inner, kind, prepared=True)
    row_dw = dispatch.row_of("conv_dw", inner, kind)
    shared = block_error(row, inner, {"dout": g, "w": w}, at.g)
    if inner is not window:
        # Each place outside gives to one inside: no more than all of them.
        shared = np.asarray(shared).max(initial=0.0) * padded.size
    return shared, block_error(row_dw, inner, {"x": padded, "dout": g}, at.g), 0.0


def _by_slope(slope: Callable[[Back], tuple[Array, Array]]) -> Rule:
    """Functions of one number, given their slopes with errors."""

    def rule(at: Back) -> list[Array]:
        size, error = slope(at)
        carried = size * at.g.error + error * at.g.most
        return [np.asarray(carried + rounded(at.g, 2, (size + error) * at.g.most))]

    return rule


def _open(x: Near, *kinks: float) -> Array:
    """Whether an error leaves open on which side of a kink a value is."""
    sides = [np.abs(x.value - kink) <= x.error for kink in kinks]
    return np.asarray(np.any(sides, axis=0) & (x.error > 0))


def _relu(at: Back) -> tuple[Array, Array]:
    """By its own output, which says it all where that is known."""
    return at.y.value > 0, _open(at.inputs[0], 0.0) & (at.y.error > 0)


def _leaky(at: Back) -> tuple[Array, Array]:
    x, alpha = at.inputs[0], abs(at.operator.alpha)
    slope = np.where(x.value > 0, 1.0, alpha)
    return slope, _open(x, 0.0) * (1 + alpha) + rounded(x, 1, slope)


def _absolute(at: Back) -> tuple[Array, Array]:
    x = at.inputs[0]
    return np.abs(np.sign(x.value)), 2.0 * _open(x, 0.0)


def _clipped(at: Back) -> tuple[Array, Array]:
    x, low, high = at.inputs[0], at.operator.low, at.operator.high
    return (x.value > low) & (x.value < high), _open(x, low, high)


def _hard_sigmoid(at: Back) -> tuple[Array, Array]:
    x, alpha, beta = at.inputs[0], abs(at.operator.alpha), at.operator.beta
    line = Near(alpha * x.value + beta, alpha * x.error + rounded(x, 4, alpha * x.most + abs(beta)))
    inside = (line.value > 0) & (line.value < 1)
    return alpha * inside, alpha * _open(line, 0.0, 1.0) + rounded(x, 1, alpha * inside)


def _hard_swish(at: Back) -> tuple[Array, Array]:
    """``x / 3 + 1 / 2`` between -3 and 3, where it jumps by 1 / 2."""
    x = at.inputs[0]
    slope = np.where(np.abs(x.value) < 3, x.value / 3 + 0.5, x.value > 0)
    error = np.minimum(x.error / 3, 1.0) + 0.5 * _open(x, -3.0, 3.0)
    return np.abs(slope), error + rounded(x, 8, np.full(x.value.shape, 2.0))


def _elu(at: Back) -> tuple[Array, Array]:
    x, alpha = at.inputs[0], abs(at.operator.alpha)
    slope = np.where(x.value > 0, 1.0, alpha * np.exp(np.minimum(x.value, 0)))
    grown = np.expm1(np.minimum(x.error, 700)) * np.where(x.value > x.error, 0.0, slope)
    return slope, grown + abs(1 - alpha) * _open(x, 0.0) + rounded(x, FUNCTION, slope)


def _sigmoid(at: Back) -> tuple[Array, Array]:
    """``y (1 - y)``."""
    y = at.y
    error = np.abs(1 - 2 * y.value) * y.error + y.error**2
    return y.value * (1 - y.value), error + rounded(y, 4, y.most)


def _tanh(at: Back) -> tuple[Array, Array]:
    """``1 - y**2``."""
    y = at.y
    error = 2 * np.abs(y.value) * y.error + y.error**2
    return 1 - y.value**2, error + rounded(y, 4, 1 + y.most**2)


def _softmax(at: Back) -> list[Array]:
    """``y (g - sum(g y))``."""
    y, g, axis = at.y, at.g, at.operator.axis
    terms = y.value.shape[axis] + 4
    carried = g.error * y.most + np.abs(g.value) * y.error
    total = (g.value * y.value).sum(axis=axis, keepdims=True)
    size = (g.most * y.most).sum(axis=axis, keepdims=True)
    off = g.error + carried.sum(axis=axis, keepdims=True) + rounded(g, terms, size + g.most)
    inner = np.abs(g.value - total)
    return [y.error * (inner + off) + y.value * off + rounded(g, 2, y.most * (g.most + size))]


def _log_softmax(at: Back) -> list[Array]:
    """``g - exp(y) sum(g)``."""
    y, g, axis = at.y, at.g, at.operator.axis
    share = np.exp(y.value)
    error = share * np.expm1(np.minimum(y.error, 700))
    error = error + rounded(y, FUNCTION, share + error)
    size = g.most.sum(axis=axis, keepdims=True)
    off = g.error.sum(axis=axis, keepdims=True) + rounded(g, y.value.shape[axis] + 2, size)
    return [g.error + error * size + share * off + rounded(g, 3, g.most + (share + error) * size)]


def _largest(at: Back) -> list[Array]:
    """All that may be the largest of a window may get its gradient."""
    x, window = at.inputs[0], at.operator.window(at.inputs[0].value.shape)
    with np.errstate(invalid="ignore"):
        numbers, errors = (
            under_taps(window.axes, a, o) for a, o in ((x.value, -np.inf), (x.error, 0))
        )
    least = (numbers - errors).max(2, keepdims=True)
    may = (numbers + errors >= least) & np.isfinite(numbers)
    is_open = (may.sum(2) > 1) & np.where(may, errors, 0.0).any(2)
    shape = at.g.value.shape
    either = np.where(is_open.reshape(shape), at.g.most, 0.0).reshape(*shape[:2], 1, -1)
    given = added(window.axes, np.where(may, either, 0.0))
    calm = at.operator.backward(at.saved, [np.where(is_open.reshape(shape), 0.0, at.g.error)])[0]
    sizes = at.operator.backward(at.saved, [at.g.most])[0] + given
    return [given + calm + rounded(at.g, prod(window.kernel), sizes)]


def _batch(at: Back) -> list[Array]:
    x, scale = at.inputs[:2]
    axes = (0, *range(2, x.value.ndim))
    done = standardised(x, axes, at.operator.epsilon)
    slope = column(np.abs(scale.value), x.value)
    dx = slope * standardised_gradient(done, at.g)
    return [dx, *weight_gradients(done, at.g, axes)]


def _images(at: Back) -> list[Array]:
    x, scale = at.inputs[:2]
    axes = (0, *range(2, x.value.ndim))
    done = of_images(at.node, x)
    shape, slope = done.values.value.shape, column(scale.value, x.value)
    carried = np.abs(slope) * at.g.error
    error = carried + rounded(at.g, 1, np.abs(slope) * at.g.most)
    g = Near((slope * at.g.value).reshape(shape), error.reshape(shape), at.g.dtype)
    dx = standardised_gradient(done, g).reshape(x.value.shape)
    return [dx, *weight_gradients(done, at.g, axes)]


RULES_BACK: Final[dict[str, Rule]] = {
    **dict.fromkeys(("Conv", "ConvTranspose", "Gemm", "MatMul", "Mul"), _products),
    **dict.fromkeys(("Concat", "Flatten", "Reshape", "Transpose", "Slice", "Neg"), _moved),
    **dict.fromkeys(("AveragePool", "GlobalAveragePool", "Pad"), _spread),
    **dict.fromkeys(("Add", "Sub", "Dropout"), _spread),
    "Resize": _resized,
    "MaxPool": _largest,
    "BatchNormalization": _batch,
    **dict.fromkeys(("InstanceNormalization", "GroupNormalization"), _images),
    "Relu": _by_slope(_relu),
    "LeakyRelu": _by_slope(_leaky),
    "Abs": _by_slope(_absolute),
    "Clip": _by_slope(_clipped),
    "HardSigmoid": _by_slope(_hard_sigmoid),
    "HardSwish": _by_slope(_hard_swish),
    "Elu": _by_slope(_elu),
    "Sigmoid": _by_slope(_sigmoid),
    "Tanh": _by_slope(_tanh),
    "Softmax": _softmax,
    "LogSoftmax": _log_softmax,
}
"""What each operator's gradients do, by its ONNX name."""
