"""The oracle of local connection: one weight for each pair of an output and a tap inside."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from faltung.ops.operator import Array
from faltung.testing.oracles.expected import Expected, Gradients, Inputs, Oracle, sizes_of
from faltung.testing.oracles.slide import Slide, each, slide_of

Position = tuple[int, ...]


def _slide(operator: Any, inputs: Inputs) -> Slide:
    kernel = each(operator.kernel_size, inputs[0].ndim - 2)
    return slide_of(operator, inputs[0].shape, kernel)


def _pairs(slide: Slide) -> Iterator[tuple[Position, Position]]:
    """Every output with every position of the image that it sees, row by row."""
    for out in np.ndindex(*slide.outputs(ceil=False)):
        for tap in np.ndindex(*slide.kernel):
            at = tuple(
                o * s - lo + k * d
                for o, s, (lo, _), k, d in zip(
                    out, slide.stride, slide.pads, tap, slide.dilation, strict=True
                )
            )
            ends = (n + min(hi, 0) for n, (_, hi) in zip(slide.space, slide.pads, strict=True))
            if all(0 <= i < end for i, end in zip(at, ends, strict=True)):
                yield out, at


def _at(position: Position) -> Any:
    """Index of one position of all images and channels."""
    return (..., *position)


def _forward(operator: Any, inputs: Inputs) -> Expected:
    slide = _slide(operator, inputs)

    def y(x: Array, w: Array) -> Array:
        out = np.zeros((x.shape[0], w.shape[0], *slide.outputs(ceil=False)))
        for pair, (o, i) in enumerate(_pairs(slide)):
            out[_at(o)] += x[_at(i)] @ w[..., pair].T
        return out

    terms = inputs[0].shape[1] * math.prod(slide.kernel)
    return Expected(y(*inputs), y(*sizes_of(inputs)), terms, whole=True)


def _backward(operator: Any, inputs: Inputs, dout: Array) -> Gradients:
    slide = _slide(operator, inputs)
    pairs = list(_pairs(slide))

    def both(x: Array, w: Array, dout: Array) -> tuple[Array, Array]:
        dx, dw = np.zeros(x.shape), np.zeros(w.shape)
        for pair, (o, i) in enumerate(pairs):
            dx[_at(i)] += dout[_at(o)] @ w[..., pair]
            dw[..., pair] = dout[_at(o)].T @ x[_at(i)]
        return dx, dw

    x, w = inputs
    values, sizes = both(x, w, dout), both(abs(x), abs(w), abs(dout))
    terms = (len(pairs) * dout.shape[1], dout.shape[0])
    return tuple(Expected(*three, whole=True) for three in zip(values, sizes, terms, strict=True))


ORACLES = {"LocallyConnected": Oracle(_forward, _backward)}
