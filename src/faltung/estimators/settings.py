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
    _check_numbers(estimator)
    _check_words(estimator)
    return Recipe(
        epochs=int(estimator.epochs),
        batch=int(estimator.batch_size),
        lr=float(estimator.learning_rate),
        optimiser=estimator.optimizer,
        schedule=estimator.schedule,
        weight_decay=float(estimator.weight_decay),
        validation=0.0,
        seed=seed,
    )


def _check_numbers(estimator: Any) -> None:
    for each in ("epochs", "batch_size", "n_iter_no_change"):
        value = getattr(estimator, each)
        is_right = _is(value, Integral) and value >= 1
        _check(estimator, each, is_right, "an integer of at least 1")
    for each in ("learning_rate", "weight_decay", "tol"):
        value = getattr(estimator, each)
        is_right = _is(value, Real) and value >= 0 and math.isfinite(value)
        _check(estimator, each, is_right, "a number that is finite and not negative")
    share = estimator.validation_fraction
    is_right = _is(share, Real) and 0 < share < 1
    _check(estimator, "validation_fraction", is_right, "between 0 and 1")


def _check_words(estimator: Any) -> None:
    _check_word(estimator, "optimizer", OPTIMISERS)
    _check_word(estimator, "schedule", SCHEDULES)
    if estimator.dtype is not None:
        _check_word(estimator, "dtype", DTYPES)
    is_right = estimator.optimizer != "adam" or not estimator.weight_decay
    _check(estimator, "weight_decay", is_right, "0 with optimizer='adam'; adamw has it")


def _is(value: object, kind: type) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool)


def _check(estimator: Any, parameter: str, is_right: bool, rule: str) -> None:
    if not is_right:
        name, values = type(estimator).__name__, {parameter: repr(getattr(estimator, parameter))}
        rule = f"{parameter} must be {rule}"
        raise EstimatorError(message(name, rule, values, "", "estimator E5"))


def _check_word(estimator: Any, parameter: str, words: tuple[str, ...]) -> None:
    word = getattr(estimator, parameter)
    is_right = isinstance(word, str) and word in words
    _check(estimator, parameter, is_right, f"one of {', '.join(words)}")
