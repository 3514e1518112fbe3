"""Recipes: what they name, what they refuse."""

from __future__ import annotations

import dataclasses
import json
import re
from typing import Any

import pytest

from faltung import zoo
from faltung.errors import TrainingError
from faltung.training.augment import Flip, Shift
from faltung.training.optimisers import SGD, Adam, AdamW
from faltung.training.recipe import OPTIMISERS, RECIPES, SCHEDULES, Recipe, recipe_for
from faltung.training.schedules import Constant, Cosine, OneCycle


def test_words_name_what_they_say() -> None:
    plain = Recipe(optimiser="sgd", schedule="constant", lr=0.5, weight_decay=0.25)
    assert plain.optimiser_of() == SGD(0.9, nesterov=False, weight_decay=0.25)
    assert plain.schedule_of() == Constant(0.5)
    nesterov = dataclasses.replace(plain, optimiser="nesterov", schedule="cosine")
    assert nesterov.optimiser_of() == SGD(0.9, nesterov=True, weight_decay=0.25)
    assert nesterov.schedule_of() == Cosine(0.5)
    assert Recipe(optimiser="adam", weight_decay=0.0).optimiser_of() == Adam()
    assert Recipe(optimiser="adamw", weight_decay=0.5).optimiser_of() == AdamW(weight_decay=0.5)
    assert Recipe(schedule="one-cycle", lr=0.5).schedule_of() == OneCycle(0.5)


@pytest.mark.parametrize("optimiser", OPTIMISERS)
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_every_word_is_known(optimiser: str, schedule: str) -> None:
    recipe = Recipe(optimiser=optimiser, schedule=schedule, weight_decay=0.0)
    assert recipe.optimiser_of().init({}) is not None
    assert recipe.schedule_of().lr(0, 9) >= 0


def test_augmentations() -> None:
    assert Recipe(shift=0, flip=False).augmentations() == ()
    assert Recipe(shift=2, flip=True).augmentations() == (Shift(2), Flip())
    assert Recipe(flip=True).augmentations() == (Flip(),)


def test_a_recipe_goes_through_json() -> None:
    recipe = Recipe(lr=0.1 + 0.2, seed=2**64 - 1)
    assert Recipe(**json.loads(json.dumps(recipe.to_json()))) == recipe
    assert recipe.differences(json.loads(json.dumps(recipe.to_json()))) == []


def test_differences_name_every_field_that_decides_bits() -> None:
    other = Recipe(7, 9, 0.5, "sgd", "cosine", 0.1, 3, True, 0.3, 4, 8, 99).to_json()
    found = [text.split()[0] for text in Recipe().differences(other)]
    fields = [field.name for field in dataclasses.fields(Recipe)]
    assert found == [name for name in fields if name != "checkpoint_every"]
    assert Recipe().differences({**Recipe().to_json(), "mixup": 1}) == ["mixup was 1, is None"]


@pytest.mark.parametrize("name", zoo.NAMES)
def test_every_network_has_its_recipe(name: str) -> None:
    assert recipe_for(name) is RECIPES[name]
    assert recipe_for("of my own") == Recipe()


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"epochs": 0}, "recipe: epochs must be at least 1, got epochs=0. [recipe R1]"),
        ({"batch": 0}, "batch must be at least 1"),
        ({"checkpoint_every": 0}, "checkpoint_every must be at least 1"),
        ({"shift": -1}, "shift must be 0 or more, got shift=-1"),
        ({"patience": -1}, "patience must be 0 or more"),
        ({"seed": -1}, "seed must be 0 or more"),
        ({"seed": 2**64}, "seed must be below 2**64"),
        ({"lr": float("nan")}, "lr must be finite and not negative, got lr=nan"),
        ({"lr": -0.1}, "lr must be finite and not negative"),
        ({"weight_decay": float("inf")}, "weight_decay must be finite and not negative"),
        ({"validation": 1.0}, "validation must be at least 0 and below 1"),
        ({"optimiser": "lion"}, "unknown optimiser, got optimiser='lion'. Use one of sgd,"),
        ({"schedule": "step"}, "unknown schedule, got schedule='step'. Use one of constant,"),
        ({"validation": 0, "patience": 2}, "early stopping needs images to watch, got patience=2"),
        ({"optimiser": "adam"}, "adam has no weight decay, got weight_decay=0.01. Use optimiser='"),
    ],
)
def test_what_is_refused(fields: dict[str, Any], text: str) -> None:
    with pytest.raises(TrainingError, match=re.escape(text)):
        Recipe(**fields)
