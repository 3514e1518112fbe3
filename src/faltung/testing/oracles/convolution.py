"""Oracles of convolution and its transpose."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from faltung import reference
from faltung.ops.operator import Array
from faltung.testing.oracles.expected import Expected, Gradients, Inputs, Oracle, chosen, sizes_of
from faltung.testing.oracles.slide import each, slide_of


def _conv(operator: Any, inputs: Inputs) -> Expected:
    x, w = inputs[0], inputs[1]
    slide = slide_of(operator, x.shape, w.shape[2:])
    options = {**slide.arguments, "groups": operator.groups}
    arrays = [slide.framed(x), *inputs[1:]]
    magnitude = reference.conv(*sizes_of(arrays), **options)
    terms = math.prod(w.shape[1:]) + 1
    return Expected(reference.conv(*arrays, **options), magnitude, terms, whole=True)


def _conv_backward(operator: Any, inputs: Inputs, dout: Array) -> Gradients:
    w = inputs[1]
    slide = slide_of(operator, inputs[0].shape, w.shape[2:])
    x = slide.framed(inputs[0])
    options = {**slide.arguments, "groups": operator.groups}

    def dx(dout: Array, w: Array) -> Array:
        return slide.unframed(reference.conv_dx(dout, w, x.shape, **options), inputs[0].shape)

    def dw(x: Array, dout: Array) -> Array:
        return reference.conv_dw(x, dout, w.shape, **options)

    terms = w.shape[0] // operator.groups * math.prod(w.shape[2:]) * slide.copies
    by_x = Expected(dx(dout, w), dx(abs(dout), abs(w)), terms, whole=True)
    by_w = Expected(dw(x, dout), dw(abs(x), abs(dout)), _positions(dout) + 1, whole=True)
    return (by_x, by_w, _bias_gradient(dout))[: len(inputs)]


def _positions(dout: Array) -> int:
    """How many values a channel has, over batch and space."""
    return math.prod((dout.shape[0], *dout.shape[2:]))


def _bias_gradient(dout: Array) -> Expected:
    values, magnitude = reference.conv_db(dout), reference.conv_db(abs(dout))
    return Expected(values, magnitude, _positions(dout) + 1, whole=True)


def _transposed_options(operator: Any, inputs: Inputs) -> dict[str, Any]:
    x, w = inputs[0], inputs[1]
    slide = slide_of(operator, x.shape, w.shape[2:])
    return {**slide.arguments, "groups": operator.groups}


def _transposed(operator: Any, inputs: Inputs) -> Expected:
    w = inputs[1]
    options = _transposed_options(operator, inputs)
    options["output_padding"] = each(operator.output_padding, w.ndim - 2)
    values = reference.conv_transpose(*inputs, **options)
    magnitude = reference.conv_transpose(*sizes_of(inputs), **options)
    terms = w.shape[0] // operator.groups * math.prod(w.shape[2:]) + 1
    return Expected(values, magnitude, terms, whole=True)


def _transposed_backward(operator: Any, inputs: Inputs, dout: Array) -> Gradients:
    x, w = inputs[0], inputs[1]
    options = _transposed_options(operator, inputs)

    def dx(dout: Array, w: Array) -> Array:
        return reference.conv_transpose_dx(dout, w, x.shape, **options)

    def dw(x: Array, dout: Array) -> Array:
        return reference.conv_transpose_dw(x, dout, w.shape, **options)

    if not x.size:  # no input, no output, whatever the padding
        nothing = chosen(np.zeros(x.shape)), chosen(np.zeros(w.shape)), _bias_gradient(dout)
        return nothing[: len(inputs)]
    by_x = Expected(dx(dout, w), dx(abs(dout), abs(w)), math.prod(w.shape[1:]), whole=True)
    by_w = Expected(dw(x, dout), dw(abs(x), abs(dout)), _positions(x) + 1, whole=True)
    return (by_x, by_w, _bias_gradient(dout))[: len(inputs)]


ORACLES = {
    "Conv": Oracle(_conv, _conv_backward),
    "ConvTranspose": Oracle(_transposed, _transposed_backward),
}
