"""Oracles of pooling."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from faltung import reference
from faltung.ops.operator import Array
from faltung.testing.oracles.expected import Expected, Gradients, Inputs, Oracle, chosen
from faltung.testing.oracles.slide import each, slide_of


def _options(operator: Any, x: Array) -> dict[str, Any]:
    kernel = each(operator.kernel_size, x.ndim - 2)
    slide = slide_of(operator, x.shape, kernel)
    outputs = slide.outputs(operator.ceil_mode)
    return {"kernel": kernel, **slide.arguments, "out_space": outputs}


def _max(operator: Any, inputs: Inputs) -> Expected:
    return chosen(reference.max_pool(inputs[0], **_options(operator, inputs[0])))


def _max_backward(operator: Any, inputs: Inputs, dout: Array) -> Gradients:
    options = _options(operator, inputs[0])
    values = reference.max_pool_dx(inputs[0], dout, **options)
    magnitude = reference.max_pool_dx(inputs[0], abs(dout), **options)
    return (Expected(values, magnitude, math.prod(options["kernel"]), whole=True),)


def _mean(operator: Any, inputs: Inputs) -> Expected:
    options = _options(operator, inputs[0])
    options["count_include_pad"] = operator.count_include_pad
    values = reference.avg_pool(inputs[0], **options)
    magnitude = reference.avg_pool(abs(inputs[0]), **options)
    return Expected(values, magnitude, math.prod(options["kernel"]) + 1)


def _mean_backward(operator: Any, inputs: Inputs, dout: Array) -> Gradients:
    options = _options(operator, inputs[0])
    options["count_include_pad"] = operator.count_include_pad
    shape = inputs[0].shape
    values = reference.avg_pool_dx(dout, shape, **options)
    magnitude = reference.avg_pool_dx(abs(dout), shape, **options)
    return (Expected(values, magnitude, math.prod(options["kernel"]) + 1),)


def _global_max(operator: Any, inputs: Inputs) -> Expected:
    return chosen(reference.global_max_pool(inputs[0]))


def _global_max_backward(operator: Any, inputs: Inputs, dout: Array) -> Gradients:
    return (chosen(reference.global_max_pool_dx(inputs[0], dout)),)


def _global_mean(operator: Any, inputs: Inputs) -> Expected:
    values = reference.global_avg_pool(inputs[0])
    magnitude = reference.global_avg_pool(abs(inputs[0]))
    return Expected(values, magnitude, math.prod(inputs[0].shape[2:]) + 1)


def _global_mean_backward(operator: Any, inputs: Inputs, dout: Array) -> Gradients:
    values = reference.global_avg_pool_dx(dout, inputs[0].shape)
    return (Expected(values, abs(values), 1),)


def _inside(operator: Any, x: Array) -> Array:
    """How many taps of each output's window are values."""
    options = _options(operator, x)
    axes = zip(
        *(options[name] for name in ("kernel", "stride", "pads", "dilation", "out_space")),
        x.shape[2:],
        strict=True,
    )
    count = np.ones(())
    for kernel, stride, (low, _), dilation, out, size in axes:
        places = [[o * stride - low + k * dilation for k in range(kernel)] for o in range(out)]
        own = np.array([sum(0 <= place < size for place in taps) for taps in places], np.float64)
        count = count[..., None] * own
    return count


def _powers(operator: Any, x: Array) -> Array:
    """The sum of powers under each window, as so many times their mean."""
    options = {**_options(operator, x), "count_include_pad": False}
    count = _inside(operator, x)
    return np.where(count > 0, reference.avg_pool(abs(x) ** operator.p, **options) * count, 0.0)


def _norm(operator: Any, inputs: Inputs) -> Expected:
    values = _powers(operator, inputs[0]) ** (1 / operator.p)
    return Expected(values, values, math.prod(_options(operator, inputs[0])["kernel"]) + 16)


def _norm_backward(operator: Any, inputs: Inputs, dout: Array) -> Gradients:
    x, p = inputs[0], operator.p
    total = _powers(operator, x)
    share = np.where(total > 0, np.where(total > 0, total, 1) ** (1 / p - 1), 0.0)
    options = {**_options(operator, x), "count_include_pad": False}
    grads = [
        reference.avg_pool_dx(d * share * _inside(operator, x), x.shape, **options)
        for d in (dout, abs(dout))
    ]
    values, size = (g * abs(x) ** (p - 1) * np.sign(x) for g in grads)
    return (Expected(values, abs(size), 2 * math.prod(options["kernel"]) + 32),)


ORACLES = {
    "LpPool": Oracle(_norm, _norm_backward),
    "MaxPool": Oracle(_max, _max_backward),
    "AveragePool": Oracle(_mean, _mean_backward),
    "GlobalMaxPool": Oracle(_global_max, _global_max_backward),
    "GlobalAveragePool": Oracle(_global_mean, _global_mean_backward),
}
