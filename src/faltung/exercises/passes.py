"""A small network forward and backward, from the definitions; and the same with a mistake."""

from __future__ import annotations

from typing import Final

import numpy as np

from faltung.exercises.marking import Array
from faltung.reference.conv import conv_strided
from faltung.reference.conv_backward import conv_db, conv_dw, conv_dx

Params = dict[str, Array]
NAMES: Final = ("w1", "b1", "w2", "b2", "w3", "b3")


def drawn(rng: np.random.Generator, size: int, channels: int) -> Params:
    """Draw parameters: variance 2 / (inputs of one output), so that signals keep their size."""
    features = channels * (size - 4) ** 2
    shapes = {"w1": (channels, 1, 3, 3), "w2": (channels, channels, 3, 3), "w3": (features, 2)}
    inputs = {"w1": 9, "w2": 9 * channels, "w3": features}
    weights = {n: rng.normal(0, np.sqrt(2 / inputs[n]), shape) for n, shape in shapes.items()}
    biases = {"b1": np.zeros(channels), "b2": np.zeros(channels), "b3": np.zeros(2)}
    return {name: {**weights, **biases}[name] for name in NAMES}


def passed(x: Array, labels: Array, p: Params, wrong: str = "") -> Array:
    """Return the loss and then every gradient, in one row.

    Parameters
    ----------
    x, labels, p
        Images (N, 1, H, W), their classes, the parameters.
    wrong
        The name of a mistake to make; ``"scores"`` returns the scores instead.
    """
    floor = -np.inf if wrong == "linear" else 0
    a1 = conv_strided(x, p["w1"], p["b1"])
    h1 = np.maximum(a1, floor)
    a2 = conv_strided(h1, p["w2"], p["b2"])
    h2 = np.maximum(a2, floor)
    flat = h2.reshape(len(x), -1)
    scores = flat @ p["w3"] + p["b3"]
    if wrong == "scores":
        return np.asarray(scores)
    loss, dscores = _losses(scores, labels, wrong)
    d2 = (dscores @ p["w3"].T).reshape(h2.shape) * _mask(h2, wrong)
    d1 = _back(d2, p["w2"], h1.shape, wrong) * _mask(h1, wrong)
    grads = [
        conv_dw(x, d1, p["w1"].shape),
        _bias(d1, wrong),
        conv_dw(h1, d2, p["w2"].shape),
        _bias(d2, wrong),
        flat.T @ dscores,
        dscores.sum(axis=0),
    ]
    return np.concatenate([[loss], *(np.ravel(grad) for grad in grads)])


def _losses(scores: Array, labels: Array, wrong: str) -> tuple[float, Array]:
    """Return the loss, and its gradient at the scores."""
    shifted = scores - scores.max(axis=1, keepdims=True)
    shares = np.exp(shifted) / np.exp(shifted).sum(axis=1, keepdims=True)
    count, truth = len(labels), np.eye(scores.shape[1])[labels]
    each = np.log(np.exp(shifted).sum(axis=1)) - (shifted * truth).sum(axis=1)
    dscores = shares - (0 if wrong == "truth" else truth)
    if wrong == "sign":
        dscores = -dscores
    loss = each.sum() if wrong == "sum" else each.mean()
    return float(loss), dscores / (1 if wrong in ("sum", "not averaged") else count)


def _mask(h: Array, wrong: str) -> Array:
    return np.ones_like(h) if wrong in ("relu", "linear") else np.asarray(h > 0, float)


def _bias(d: Array, wrong: str) -> Array:
    summed = np.asarray(conv_db(d))
    return summed / (d.shape[2] * d.shape[3]) if wrong == "bias" else summed


def _back(d: Array, w: Array, shape: tuple[int, ...], wrong: str) -> Array:
    if wrong == "flip":
        w = w[:, :, ::-1, ::-1]
    if wrong == "channels":
        w = w.transpose(1, 0, 2, 3)
    return np.asarray(conv_dx(d, w, shape))
