"""The oracle of padding, whose crops ONNX's reference evaluator does not take."""

from __future__ import annotations

from typing import Any

import numpy as np

from faltung.ops.operator import Array
from faltung.testing.oracles.expected import Expected, Gradients, Inputs, Oracle, chosen


def framed(x: Array, pads: Any, mode: str, value: float = 0.0) -> Array:
    """Return x padded by NumPy, then cropped."""
    wide = [(max(lo, 0), max(hi, 0)) for lo, hi in pads]
    match mode:
        case "reflect":
            x = np.pad(x, wide, mode="reflect")
        case "replicate":
            x = np.pad(x, wide, mode="edge")
        case "circular":
            x = np.pad(x, wide, mode="wrap")
        case _:
            x = np.pad(x, wide, constant_values=value)
    ends = [(max(-lo, 0), n - max(-hi, 0)) for n, (lo, hi) in zip(x.shape, pads, strict=True)]
    return x[tuple(slice(lo, hi) for lo, hi in ends)]


def unframed(dout: Array, shape: tuple[int, ...], pads: Any, mode: str) -> Array:
    """Return the transpose of `framed`: each value sums what its copies got."""
    places = framed(np.arange(1, 1 + int(np.prod(shape))).reshape(shape), pads, mode).ravel()
    # Place 0 is the constant, which is nobody's copy.
    sums = np.bincount(places, dout.ravel(), minlength=1 + int(np.prod(shape)))
    return sums[1:].reshape(shape)


def _pad(operator: Any, inputs: Inputs) -> Expected:
    return chosen(framed(inputs[0], operator.pads, operator.mode, operator.value))


def _pad_backward(operator: Any, inputs: Inputs, dout: Array) -> Gradients:
    shape = inputs[0].shape
    values = unframed(dout, shape, operator.pads, operator.mode)
    magnitude = unframed(abs(dout), shape, operator.pads, operator.mode)
    return (Expected(values, magnitude, dout.size, whole=True),)


ORACLES = {"Pad": Oracle(_pad, _pad_backward)}
