"""An estimator's parameters, checked when it is fitted, as scikit-learn wants it."""

from __future__ import annotations

import math
from numbers import Integral, Real
from typing import Any

from faltung.errors import EstimatorError, message
from faltung.training.recipe import OPTIMISERS, SCHEDULES, Recipe

DTYPES = ("float32", "float64")


def recipe_of(estimator: Any, seed: int) -> Recipe:
    """How an estimator is trained.

    Raises
    ------
    EstimatorError
        A parameter that is of another kind, or outside its range [estimator E5].
    """
    name = type(estimator).__name__
    for each in ("epochs", "batch_size", "n_iter_no_change"):
        value = getattr(estimator, each)
        _check(name, each, value, _is(value, Integral) and value >= 1, "an integer of at least 1")
    for each in ("learning_rate", "weight_decay", "tol"):
        value = getattr(estimator, each)
        is_right = _is(value, Real) and value >= 0 and math.isfinite(value)
        _check(name, each, value, is_right, "a number that is finite and not negative")
    share = estimator.validation_fraction
    _check(
        name, "validation_fraction", share, _is(share, Real) and 0 < share < 1, "between 0 and 1"
    )
    _check_word(name, "optimizer", estimator.optimizer, OPTIMISERS)
    _check_word(name, "schedule", estimator.schedule, SCHEDULES)
    if estimator.dtype is not None:
        _check_word(name, "dtype", estimator.dtype, DTYPES)
    decay = float(estimator.weight_decay)
    is_plain_adam = estimator.optimizer == "adam" and decay
    _check(name, "weight_decay", decay, not is_plain_adam, "0 with optimizer='adam'; adamw has it")
    return Recipe(
        epochs=int(estimator.epochs),
        batch=int(estimator.batch_size),
        lr=float(estimator.learning_rate),
        optimiser=estimator.optimizer,
        schedule=estimator.schedule,
        weight_decay=decay,
        validation=0.0,
        seed=seed,
    )


def _is(value: object, kind: type) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool)


def _check(name: str, parameter: str, value: object, is_right: object, rule: str) -> None:
    if not is_right:
        values = {parameter: repr(value)}
        raise EstimatorError(
            message(name, f"{parameter} must be {rule}", values, "", "estimator E5")
        )


def _check_word(name: str, parameter: str, word: object, words: tuple[str, ...]) -> None:
    is_right = isinstance(word, str) and word in words
    _check(name, parameter, word, is_right, f"one of {', '.join(words)}")
