"""The exercise that builds a network by hand, forward and backward."""

from __future__ import annotations

import time
from typing import Any, Final

import numpy as np

from faltung import datasets
from faltung.datasets.zero_one import zero_one
from faltung.exercises.exercise import Exercise, Task
from faltung.exercises.marking import Array, Marker, Mistake, WrongError, numbers
from faltung.exercises.passes import NAMES, drawn, passed
from faltung.report import Table

BATCH, TRAINED, TESTED = 32, 640, 100
PATIENT: Final = 0.15
"""Seconds for the gradients of one batch; what takes longer is right, but is not trained."""


def _right(x: Array, labels: Array, p: dict[str, Array]) -> Array:
    return passed(x, labels, p)


def _wrong(name: str) -> Any:
    return lambda x, labels, p: passed(x, labels, p, name)


def _read(answer: Any) -> Array:
    """Loss and gradients in one row; each is looked at before."""
    if not isinstance(answer, tuple) or len(answer) != 2 or not isinstance(answer[1], dict):
        raise TypeError
    loss, grads = answer
    missing = [name for name in NAMES if name not in grads]
    if missing:
        raise WrongError(
            f"The gradient of {missing[0]} is missing: one for each of {', '.join(NAMES)}."
        )
    row = np.concatenate([np.ravel(numbers(loss)), *(numbers(grads[n]).ravel() for n in NAMES)])
    if not np.isfinite(row).all():
        raise WrongError(
            "It is not finite where scores are large: exp overflows. Subtract the largest score of "
            "each image before exp; the probabilities stay the same."
        )
    return row


def _trained(function: Any) -> str:
    """Train with somebody's gradients, for one round, and count what is right then."""
    (x, labels), (x_test, labels_test) = _pixels("train", TRAINED), _pixels("test", TESTED)
    p = drawn(np.random.default_rng(0), 14, 8)
    for n, batch in enumerate(np.array_split(np.arange(len(x)), len(x) // BATCH)):
        started = time.process_time()
        _, grads = function(x[batch], labels[batch], p)
        if not n and time.process_time() - started > PATIENT:
            return "It is too slow to train with: look for np.tensordot and sliding_window_view."
        p = {name: p[name] - 0.05 * grads[name] for name in NAMES}
    right = passed(x_test, labels_test, p, "scores").argmax(axis=1) == labels_test
    return (
        f"Trained with it for one round on {len(x):,} zeros and ones, the network has "
        f"{right.mean():.2%} of {len(right):,} others right."
    )


def _pixels(split: str, most: int) -> tuple[Array, Array]:
    pair = zero_one(datasets.load("sample", split=split))
    return pair.images[:most].astype(float) / 255, pair.labels[:most]


def _batches() -> list[dict[str, Any]]:
    rng, cases = np.random.default_rng(8), []
    for images, more in ((2, 0), (3, 0), (2, 1000)):
        p = drawn(rng, 6, 2)
        p = {name: values + rng.normal(0, 0.1, values.shape) for name, values in p.items()}
        p["b3"] = p["b3"] + more  # exp of this is no number
        x = rng.normal(0, 1, (images, 1, 6, 6))
        cases.append({"x": x, "labels": np.arange(images) % 2, "p": p})
    return cases


def by_differences(size: int, channels: int) -> dict[str, Any]:
    """Compare gradients with what the loss does when one weight is moved."""
    rng, step = np.random.default_rng(9), 1e-6
    p = drawn(rng, size, channels)
    x, labels = rng.normal(0, 1, (3, 1, size, size)), np.array([0, 1, 1])
    row, at, worst = passed(x, labels, p), 1, 0.0
    for name in NAMES:
        one = (0,) * p[name].ndim
        moved = [{**p, name: p[name].copy()} for _ in range(2)]
        moved[0][name][one] += step
        moved[1][name][one] -= step
        up, down = (float(passed(x, labels, each)[0]) for each in moved)
        worst = max(worst, abs((up - down) / (2 * step) - float(row[at])))
        at += p[name].size
    rows = [[name, "×".join(map(str, drawn(rng, 14, 8)[name].shape))] for name in NAMES]
    return {
        "table": Table(["parameter", "shape"], rows),
        "params": sum(values.size for values in drawn(rng, 14, 8).values()),
        "worst": worst,
        "pixels": "14×14",
        "maps": 8,
    }


_HEAD: Final = '''
import numpy as np


def gradients(x, labels, p):
    """Return the loss of a network, and its gradients.

    conv 3x3 (p["w1"], p["b1"]), relu, conv 3x3 (w2, b2), relu, flatten, dense (w3, b3)

    x (N, 1, H, W); labels (N,) of 0 and 1; w1 (C, 1, 3, 3), w2 (C, C, 3, 3),
    w3 (features, 2). Nothing is padded. The loss is the softmax cross-entropy, averaged
    over the images. Returns (loss, grads); grads has an array for each name in p.
    """
'''

_BODY: Final = """    h1 = np.maximum(conv(x, p["w1"], p["b1"]), 0)
    h2 = np.maximum(conv(h1, p["w2"], p["b2"]), 0)
    flat = h2.reshape(len(x), -1)
    scores = flat @ p["w3"] + p["b3"]
    e = np.exp(scores - scores.max(axis=1, keepdims=True))
    dscores = e / e.sum(axis=1, keepdims=True)  # probabilities
    chosen = np.arange(len(x)), labels
    loss = -np.log(dscores[chosen]).mean()
    dscores[chosen] -= 1
    dscores /= len(x)
    d2 = (dscores @ p["w3"].T).reshape(h2.shape) * (h2 > 0)
    dh1, dw2, db2 = conv_backward(d2, h1, p["w2"])
    _, dw1, db1 = conv_backward(dh1 * (h1 > 0), x, p["w1"])
    grads = {"w1": dw1, "b1": db1, "w2": dw2, "b2": db2}
    return loss, {**grads, "w3": flat.T @ dscores, "b3": dscores.sum(axis=0)}


def patches(x, k):
    return np.lib.stride_tricks.sliding_window_view(x, (k, k), axis=(2, 3))


def conv(x, w, b):
    y = np.tensordot(patches(x, w.shape[2]), w, axes=((1, 4, 5), (1, 2, 3)))
    return y.transpose(0, 3, 1, 2) + b[:, None, None]


def conv_backward(dout, x, w):
    k = w.shape[2]
    dw = np.tensordot(dout, patches(x, k), axes=((0, 2, 3), (0, 2, 3)))
    padded = np.pad(dout, ((0, 0), (0, 0), (k - 1, k - 1), (k - 1, k - 1)))
    dx = conv(padded, w[:, :, ::-1, ::-1].transpose(1, 0, 2, 3), np.zeros(w.shape[1]))
    return dx, dw, dout.sum(axis=(0, 2, 3))
"""

CNN: Final = Exercise(
    name="cnn",
    title="A network from scratch",
    group="Networks",
    question=(
        "A network for handwritten zeros and ones in NumPy alone: convolution, ReLU, convolution, "
        "ReLU, dense. Write gradients(x, labels, p): its loss, and the gradient of every "
        "parameter, by hand."
    ),
    hints=(
        "Forward first, keeping what each layer returned. The loss alone tells whether it is "
        "right.",
        "Where softmax and logarithm meet, what is left is probability minus truth, divided by the "
        "number of images.",
        "A convolution's gradient at its input is a convolution too: pad the gradient, flip the "
        "kernel on both axes, swap its channels.",
        "A ReLU lets the gradient pass where its output is above zero.",
    ),
    answer=(
        "On {pixels} pixels and with {maps} maps the network has {params:,} parameters:",
        "{table}",
        "Go back through the layers, last to first. Each gradient can be tested alone: move one "
        "weight a little up and down, and see what the loss does. On a network of {channels} maps "
        "and one weight of each parameter the largest difference is {worst:.0e}.",
        "examples/cnn_from_scratch.py has it with the training loop and every shape.",
    ),
    given={"size": 6, "channels": 2},
    compute=by_differences,
    task=Task(
        function="gradients",
        head=_HEAD,
        body=_BODY,
        seconds=20,
        marker=Marker(
            _right,
            _batches,
            (
                Mistake(
                    "The loss and its gradients are summed over the images; they are to be "
                    "averaged.",
                    _wrong("sum"),
                ),
                Mistake(
                    "The loss is right, the gradients are not averaged: divide probability minus "
                    "truth by the number of images.",
                    _wrong("not averaged"),
                ),
                Mistake(
                    "All gradients have the wrong sign: the gradient points uphill. It is "
                    "probability minus truth, not truth minus probability.",
                    _wrong("sign"),
                ),
                Mistake(
                    "The truth is not subtracted: the gradient at the scores is probability "
                    "minus 1 at the label, and probability elsewhere.",
                    _wrong("truth"),
                ),
                Mistake(
                    "The ReLUs are forgotten on the way back: the gradient passes only where their "
                    "output is above zero.",
                    _wrong("relu"),
                ),
                Mistake(
                    "The kernel is not flipped on the way back to the first layer: w2[a, c] took "
                    "input (i+a, j+c) to output (i, j), so the gradient goes the opposite way.",
                    _wrong("flip"),
                ),
                Mistake(
                    "The kernel's channels are not swapped on the way back: its outputs are inputs "
                    "now.",
                    _wrong("channels"),
                ),
                Mistake(
                    "The biases' gradients are means over positions: one bias acts at all of them, "
                    "so they add up.",
                    _wrong("bias"),
                ),
                Mistake(
                    "The ReLUs are missing on the way forward: two convolutions without them are "
                    "one.",
                    _wrong("linear"),
                ),
            ),
            wants="the loss, and a dictionary of gradients",
            read=_read,
            also=_trained,
        ),
    ),
)
