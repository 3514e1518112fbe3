"""Losses: each gives its value and its gradient with respect to what the network put out.

Sums over the batch are taken in float64, in blocks of a fixed size that start at the first value;
each block is summed in order and the block sums are added pairwise by one fixed tree. So the same
numbers give the same bits, however many threads the machine has.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from faltung.errors import DatasetError, DTypeError, GeometryError, message
from faltung.training.state import Array

_BLOCK = 64  # values that are summed one after the other; part of the arithmetic, not a tuning knob


def cross_entropy(
    logits: Array, labels: NDArray[np.integer], weights: Array | None = None
) -> tuple[float, Array]:
    """Softmax cross-entropy, the mean over the batch, and its gradient.

    ``loss = mean_n(log(sum_k exp(logits[n, k])) - logits[n, labels[n]])`` and
    ``dlogits = (softmax(logits) - one_hot(labels)) / N``; with weights, each row's part of both
    is multiplied by its own, and still divided by N.

    Parameters
    ----------
    logits : array (N, K), floating
        Scores before the softmax, N >= 1 and K >= 1.
    labels : array (N,), integer
        The right class of each row, in [0, K).
    weights : array (N,), optional
        How much each row counts.

    Returns
    -------
    loss : float
        Non-negative up to rounding; infinite or NaN where the logits make it so, without a warning.
    dlogits : array (N, K), the dtype of ``logits``
        A new array.

    Raises
    ------
    GeometryError
        Logits that are not (N, K) with N, K >= 1 [loss L1], labels that are not (N,) [loss L2],
        weights that are not (N,) [loss L8].
    DTypeError
        Logits that are not floating [loss L3], labels that are not integers [loss L4].
    DatasetError
        A label outside [0, K) [loss L5].

    Notes
    -----
    Computed in float64 whatever the dtype; the row maximum is subtracted first, so that no
    exponential overflows. Source: Goodfellow, Bengio, Courville, *Deep Learning*, sections 4.1
    and 6.2.2.3.

    Examples
    --------
    >>> loss, dlogits = cross_entropy(np.zeros((2, 4)), np.array([0, 3]))
    >>> round(loss, 6)  # log 4
    1.386294
    >>> dlogits.tolist()
    [[-0.375, 0.125, 0.125, 0.125], [0.125, 0.125, 0.125, -0.375]]
    """
    _check_classification(logits, labels)
    n = len(logits)
    _check_weights("cross_entropy", weights, n)
    rows = np.arange(n)
    with np.errstate(invalid="ignore", over="ignore"):  # a loss that is not finite is the caller's
        shifted = np.array(logits, dtype=np.float64, order="C")
        shifted -= shifted.max(axis=1, keepdims=True)
        dlogits = np.exp(shifted)
        total = dlogits.sum(axis=1)
        losses = np.log(total) - shifted[rows, labels]
        dlogits /= total[:, None]
        dlogits[rows, labels] -= 1.0
        if weights is not None:
            losses *= weights
            dlogits *= weights[:, None]
        dlogits /= n
        return _block_sum(losses) / n, dlogits.astype(logits.dtype)


def mean_squared_error(
    y: Array, target: Array, weights: Array | None = None
) -> tuple[float, Array]:
    """Mean of ``(y - target)**2`` over all values, and its gradient ``2 (y - target) / size``.

    With weights, what belongs to a row is multiplied by its own, and still divided by the size.

    Parameters
    ----------
    y : array, floating
        What the network put out, at least one value.
    target : array of the same shape
        What it should have put out.
    weights : array (N,), optional
        How much each row ``y[n]`` counts.

    Returns
    -------
    loss : float
        Infinite or NaN where the values make it so, without a warning.
    dy : array, the shape and dtype of ``y``
        A new array.

    Raises
    ------
    GeometryError
        Shapes that differ (nothing is broadcast) [loss L6], no values [loss L7], weights that are
        not (N,) [loss L8].
    DTypeError
        ``y`` is not floating [loss L3].

    Examples
    --------
    >>> loss, dy = mean_squared_error(np.array([3.0, 1.0]), np.array([1.0, 1.0]))
    >>> loss, dy.tolist()
    (2.0, [2.0, 0.0])
    """
    _check_floating("mean_squared_error", "y", y)
    if y.shape != target.shape:
        raise GeometryError(
            message(
                "mean_squared_error",
                "target must have the shape of y",
                {"y": y.shape, "target": target.shape},
                constraint="loss L6",
            )
        )
    if y.size == 0:
        rule = "there must be at least one value"
        raise GeometryError(message("mean_squared_error", rule, {"y": y.shape}, "", "loss L7"))
    _check_weights("mean_squared_error", weights, len(y) if y.ndim else 0)
    with np.errstate(invalid="ignore", over="ignore"):
        difference = np.subtract(y, target, dtype=np.float64)
        squares, slope = np.square(difference), difference * (2.0 / y.size)
        if weights is not None:
            of_rows = weights.reshape(-1, *(1,) * (y.ndim - 1))
            squares, slope = squares * of_rows, slope * of_rows
        return _block_sum(squares.ravel()) / y.size, slope.astype(y.dtype)


def _block_sum(values: NDArray[np.float64]) -> float:
    """Sum of a vector: blocks in order, then one fixed tree over the blocks."""
    padded = np.zeros((max(1, -(-values.size // _BLOCK)), _BLOCK))
    padded.reshape(-1)[: values.size] = values
    sums = np.cumsum(padded, axis=1)[:, -1]  # np.sum may take another order, cumsum cannot
    while sums.size > 1:
        even = np.append(sums, 0.0) if sums.size % 2 else sums
        sums = even[0::2] + even[1::2]
    return float(sums[0])


def _check_floating(subject: str, name: str, values: Array) -> None:
    if not np.issubdtype(values.dtype, np.floating):
        cure = f"Use {name}.astype(numpy.float32)"
        rule = f"{name} must be floating"
        raise DTypeError(message(subject, rule, {"dtype": values.dtype}, cure, "loss L3"))


def _check_weights(subject: str, weights: Array | None, rows: int) -> None:
    if weights is not None and weights.shape != (rows,):
        rule = "weights must hold one number for each row"
        values = {"weights": weights.shape, "rows": rows}
        raise GeometryError(message(subject, rule, values, "", "loss L8"))


def _check_classification(logits: Array, labels: NDArray[np.integer]) -> None:
    """Refuse shapes, dtypes and values that are not those of N scores over K classes."""
    subject = "cross_entropy"
    _check_floating(subject, "logits", logits)
    if logits.ndim != 2 or 0 in logits.shape:
        rule = "logits must be (N, K) with N and K at least 1"
        raise GeometryError(message(subject, rule, {"shape": logits.shape}, "", "loss L1"))
    if labels.shape != logits.shape[:1]:
        rule = "labels must hold one class for each row of the logits"
        values = {"labels": labels.shape, "logits": logits.shape}
        raise GeometryError(message(subject, rule, values, "", "loss L2"))
    if not np.issubdtype(labels.dtype, np.integer):
        rule = "labels must be integers"
        raise DTypeError(message(subject, rule, {"dtype": labels.dtype}, "", "loss L4"))
    wrong = np.flatnonzero((labels < 0) | (labels >= logits.shape[1]))
    if wrong.size:
        rule = f"labels must be in [0, {logits.shape[1]})"
        at = {"label": labels[wrong[0]], "row": wrong[0]}
        raise DatasetError(message(subject, rule, at, "Compare the class counts", "loss L5"))
