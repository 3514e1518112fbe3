"""All exercises by name, each loaded when it is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Final

from faltung.errors import ExerciseError, message
from faltung.exercises.exercise import Exercise

EXERCISES: Final[Mapping[str, str]] = {
    "time-index": "past:TIME_INDEX",
    "age": "past:AGE",
    "infinite-sum": "past:INFINITE_SUM",
    "t-minus-a": "past:T_MINUS_A",
    "read-the-sum": "past:READ_THE_SUM",
    "average": "signals:AVERAGE",
    "commute": "signals:COMMUTE",
    "conv2d": "images:CONV2D",
    "edges": "images:EDGES",
    "parameters": "counts:PARAMETERS",
    "output-size": "counts:OUTPUT_SIZE",
    "receptive-field": "fields:RECEPTIVE_FIELD",
    "delta-zero": "principles:DELTA_ZERO",
    "bad-idea": "principles:BAD_IDEA",
    "cat": "principles:CAT",
    "equivariance": "principles:EQUIVARIANCE",
    "shift": "shifts:SHIFT",
    "boundary": "uses:BOUNDARY",
    "audio": "uses:AUDIO",
    "text": "uses:TEXT",
    "when-not": "uses:WHEN_NOT",
    "matrix": "matrices:MATRIX",
    "conv-layer": "layer:CONV_LAYER",
    "cnn": "cnn:CNN",
}
"""From the first formula to a network; where each stands."""


def exercise(name: str) -> Exercise:
    """Return an exercise by its name.

    Raises
    ------
    ExerciseError
        There is none.

    Examples
    --------
    >>> exercise("conv2d").task.function
    'conv2d'
    """
    if name not in EXERCISES:
        rule, cure = "there is no such exercise", f"Use one of {', '.join(EXERCISES)}"
        raise ExerciseError(message("exercise", rule, {"name": repr(name)}, cure))
    module, _, constant = EXERCISES[name].partition(":")
    found: Exercise = getattr(import_module(f"faltung.exercises.{module}"), constant)
    return found
