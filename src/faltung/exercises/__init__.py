"""Exercises: questions with hints and worked answers, and code that is marked.

``faltung exercise`` lists them; the explorer shows them. Every figure in an answer is computed
when it is shown.
"""

from __future__ import annotations

from faltung.exercises.catalogue import EXERCISES as EXERCISES
from faltung.exercises.catalogue import exercise as exercise
from faltung.exercises.exercise import Exercise as Exercise
from faltung.exercises.exercise import Worked as Worked
from faltung.exercises.running import Outcome as Outcome
from faltung.exercises.running import check as check

__all__ = ["EXERCISES", "Exercise", "Outcome", "Worked", "check", "exercise"]
