"""The oracle of NonMaxSuppression: pair after pair of boxes, in plain numbers.

ONNX's reference evaluator sorts NaN anywhere; here it is the worst score.
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np

from faltung.ops.operator import Array
from faltung.testing.oracles.expected import Expected, Gradients, Inputs, Oracle

Box = tuple[float, float, float, float]


def _box(operator: Any, row: Array) -> Box:
    a, b, c, d = (float(v) for v in row)
    if operator.center_point_box:
        return a - c / 2, b - d / 2, a + c / 2, b + d / 2
    if any(math.isnan(v) for v in (a, b, c, d)):
        return math.nan, math.nan, math.nan, math.nan
    return min(a, c), min(b, d), max(a, c), max(b, d)


def _overlap(p: Box, q: Box) -> float:
    sides = [
        (max(p[0], q[0]), min(p[2], q[2])),
        (max(p[1], q[1]), min(p[3], q[3])),
    ]
    if any(math.isnan(v) for v in (*p, *q)) or not all(lo < hi for lo, hi in sides):
        return 0.0
    shared = (sides[0][1] - sides[0][0]) * (sides[1][1] - sides[1][0])
    areas = [(r[2] - r[0]) * (r[3] - r[1]) for r in (p, q)]
    union = sum(areas) - shared
    if not (shared > 0 and min(areas) > 0 and union > 0):
        return 0.0
    return shared / union


def _kept(operator: Any, boxes: list[Box], scores: Array) -> list[int]:
    least = operator.score_threshold
    numbers = range(len(boxes))
    ranked = sorted(numbers, key=lambda i: (math.isnan(scores[i]), -scores[i], i))
    kept: list[int] = []
    for i in ranked:
        above = least is None or scores[i] > least
        free = all(_overlap(boxes[i], boxes[j]) <= operator.iou_threshold for j in kept)
        if above and free and len(kept) < operator.most:
            kept.append(i)
    return kept


def _forward(operator: Any, inputs: Inputs) -> Expected:
    boxes, scores = inputs
    rows = [
        (n, c, i)
        for n in range(scores.shape[0])
        for c in range(scores.shape[1])
        for i in _kept(operator, [_box(operator, row) for row in boxes[n]], scores[n, c])
    ]
    values = np.array(rows, np.int64).reshape(-1, 3)
    return Expected(values, np.zeros(values.shape), 0)


def _backward(operator: Any, inputs: Inputs, dout: Array) -> Gradients:
    return None, None


ORACLES: Final[dict[str, Oracle]] = {"NonMaxSuppression": Oracle(_forward, _backward)}
