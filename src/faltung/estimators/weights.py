"""How much each sample counts: as the user says, by itself and by its class."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from faltung.errors import EstimatorError, message
from faltung.training.state import Array


def checked_weights(name: str, given: Any, samples: int) -> Array | None:
    """``sample_weight`` as float64, one a sample; None stays None.

    Raises
    ------
    EstimatorError
        Not one number for each sample, or not finite and positive or 0 [estimator E6]; nothing but
        zeros [estimator E7].
    """
    if given is None:
        return None
    try:
        weights = np.array(given, dtype=np.float64)
    except (TypeError, ValueError) as error:
        rule, kind = "sample_weight must be numbers", {"type": type(given).__name__}
        raise EstimatorError(message(name, rule, kind, "", "estimator E6")) from error
    if weights.ndim == 0:
        weights = np.full(samples, float(weights))
    if weights.shape != (samples,):
        rule = "sample_weight must hold one number for each sample"
        values = {"sample_weight.shape": weights.shape, "samples": samples}
        raise EstimatorError(message(name, rule, values, "", "estimator E6"))
    if not (np.isfinite(weights).all() and (weights >= 0).all()):
        at = int(np.flatnonzero(~(np.isfinite(weights) & (weights >= 0)))[0])
        rule, values = "sample_weight must be finite and not negative", {"weight": weights[at]}
        raise EstimatorError(message(name, rule, {**values, "sample": at}, "", "estimator E6"))
    check_some_count(name, weights)
    return weights


def check_some_count(name: str, weights: Array) -> None:
    """Refuse weights of which none counts."""
    if not weights.any():
        rule = "sample weights must not all be zero"
        raise EstimatorError(message(name, rule, None, "", "estimator E7"))


def by_class(
    name: str, class_weight: Any, classes: Array, labels: Array, weights: Array | None
) -> Array | None:
    """The weights of samples times those of their classes.

    ``"balanced"`` makes all classes count alike: a class weighs what all samples weigh, by the
    number of classes and by what its own samples weigh.

    Raises
    ------
    EstimatorError
        Neither None, "balanced" nor a mapping of classes to numbers [estimator E8].
    """
    if class_weight is None:
        return weights
    own = np.ones(len(labels)) if weights is None else weights
    if isinstance(class_weight, str) and class_weight == "balanced":
        counts = np.bincount(labels, own, len(classes))
        shares = own.sum() / (len(classes) * np.where(counts > 0, counts, 1.0))
    else:
        shares = _told(name, class_weight, classes)
    weighted: Array = own * shares[labels]
    check_some_count(name, weighted)
    return weighted


def _told(name: str, class_weight: Any, classes: Array) -> Array:
    """The weight of each class, 1 where the mapping does not say."""
    known = classes.tolist()
    is_right = isinstance(class_weight, Mapping) and all(
        isinstance(weight, (int, float, np.number)) and 0 <= weight < np.inf
        for weight in class_weight.values()
    )
    if not is_right:
        rule = "class_weight must be None, 'balanced', or a mapping of classes to numbers"
        values = {"class_weight": repr(class_weight)}
        raise EstimatorError(message(name, rule, values, "", "estimator E8"))
    strange = [label for label in class_weight if label not in known]
    if strange:
        rule, values = "class_weight names what is no class", {"class": repr(strange[0])}
        raise EstimatorError(message(name, rule, {**values, "classes": known}, "", "estimator E8"))
    return np.array([float(class_weight.get(label, 1.0)) for label in known])
