"""What a training command asks for: data, network and recipe, as options, as JSON, as command."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from faltung.datasets import NAMES, Dataset, load_pair, zero_one
from faltung.errors import CheckpointError, TrainingError, message
from faltung.graph import Graph, load
from faltung.training.environment import JSON
from faltung.training.recipe import Recipe, recipe_for
from faltung.training.start import start_from, start_new

DATA, NET = "sample", "small"
SHIFT = 2
MIRRORED = ("cifar10",)
"""Data sets whose images mean the same in a mirror; digits, shoes and words do not."""
SGD_RATE = 0.05
"""Learning rate of plain gradients, which need a greater one than Adam's."""
SHOWN = ("epochs", "batch", "lr", "seed")
HIDDEN = (
    "optimiser",
    "schedule",
    "weight_decay",
    "validation",
    "patience",
    "checkpoint_every",
)
"""Settings that a full command always shows, and those it shows where they are unusual."""
RECIPE_OPTIONS = tuple(field.name for field in dataclasses.fields(Recipe))


@dataclass(frozen=True)
class Settings:
    """Everything that decides a run, but for the versions it runs under."""

    data: str
    data_dir: str | None
    net: str
    init: str | None
    recipe: Recipe

    def to_json(self) -> dict[str, JSON]:
        """The record as JSON writes it, its paths absolute: it outlives the working directory."""
        data = self.data if self.data in NAMES else str(Path(self.data).absolute())
        paths = (self.data_dir, self.init)
        data_dir, init = (None if p is None else str(Path(p).absolute()) for p in paths)
        recipe = self.recipe.to_json()
        return {"data": data, "data_dir": data_dir, "net": self.net, "init": init, "recipe": recipe}

    @classmethod
    def from_json(cls, record: Mapping[str, Any], where: Path) -> Settings:
        """The settings of a record that `to_json` made.

        Raises
        ------
        CheckpointError
            It is none.
        """
        try:
            words = {name: record[name] for name in ("data", "data_dir", "net", "init")}
            return cls(**words, recipe=Recipe(**record["recipe"]))
        except (KeyError, TypeError, TrainingError) as error:
            rule = f"is no record of a run ({error})"
            raise CheckpointError(message(str(where), rule)) from error

    def data_options(self) -> list[str]:
        """The options that name the data."""
        return ["--data", self.data, *(["--data-dir", self.data_dir] if self.data_dir else [])]

    def options(self) -> list[str]:
        """Options that stand for these settings, the usual ones always, others where unusual."""
        recipe, usual = self.recipe, recipe_for(self.net)
        source = ["--init", self.init] if self.init else ["--net", self.net]
        options = [*self.data_options(), *source]
        for name in (*SHOWN, *HIDDEN):
            value = getattr(recipe, name)
            if name in SHOWN or value != getattr(usual, name):
                word = f"{value:g}" if isinstance(value, float) else str(value)
                options += [f"--{name.replace('_', '-')}", word]
        if bool(recipe.shift) != bool(usual.shift):
            options.append("--augment" if recipe.shift else "--no-augment")
        return options


def new_settings(given: Mapping[str, Any]) -> Settings:
    """The settings that options ask for; what is not given is as usual for the network.

    Raises
    ------
    TrainingError
        A setting outside its range, or a network beside a model to start from.
    """
    init = given.get("init")
    if init and "net" in given:
        rule, cure = "--init brings its own network", "Leave out one of --net and --init"
        raise TrainingError(message("train", rule, {"--net": given["net"]}, cure))
    data = given.get("data", DATA)
    net = network_name(load(init), init) if init else given.get("net", NET)
    return Settings(data, given.get("data_dir"), net, init, changed_recipe(net, data, given))


def resumed_settings(then: Settings, given: Mapping[str, Any]) -> Settings:
    """The settings of a run to go on with, changed where options say otherwise.

    Whether a run may go on so is for the checkpoint to say; it names what differs.
    """
    words = {name: given[name] for name in ("data", "data_dir", "net", "init") if name in given}
    changes = {name: given[name] for name in RECIPE_OPTIONS if name in given}
    recipe = dataclasses.replace(then.recipe, **changes)
    if "augment" in given:
        recipe = augmented(recipe, words.get("data", then.data), given["augment"])
    return dataclasses.replace(then, **words, recipe=recipe)


def changed_recipe(net: str, data: str, given: Mapping[str, Any]) -> Recipe:
    """The network's usual recipe with what options say."""
    recipe = dataclasses.replace(
        usual_recipe(net, given), **{name: given[name] for name in RECIPE_OPTIONS if name in given}
    )
    return augmented(recipe, data, given.get("augment", recipe.shift > 0))


def usual_recipe(net: str, given: Mapping[str, Any]) -> Recipe:
    """The network's recipe; an optimiser that is asked for brings the numbers that suit it."""
    recipe, optimiser = recipe_for(net), given.get("optimiser")
    if optimiser in ("sgd", "nesterov"):
        return dataclasses.replace(recipe, lr=SGD_RATE)
    return dataclasses.replace(recipe, weight_decay=0.0) if optimiser == "adam" else recipe


def augmented(recipe: Recipe, data: str, augment: bool) -> Recipe:
    """The recipe with augmentation that suits the data, or without any."""
    shift = (recipe.shift or SHIFT) if augment else 0
    return dataclasses.replace(recipe, shift=shift, flip=augment and data in MIRRORED)


def network_name(graph: Graph, path: str) -> str:
    """What a model calls its network; else its file's name."""
    return graph.metadata.get("network") or Path(path).stem


def read_data(data: str, data_dir: str | None, net: str) -> tuple[Dataset, Dataset]:
    """Training and test part; of a named data set ``zero-one`` sees the small zeros and ones.

    What is held out for testing where there is no test part depends on no seed, so that every
    command means the same images by it.
    """
    train_set, test_set = load_pair(data, data_dir=data_dir)
    if net == "zero-one" and data in NAMES:
        return zero_one(train_set), zero_one(test_set)
    return train_set, test_set


def first_network(settings: Settings, train_set: Dataset) -> Graph:
    """The network that training starts from."""
    seed = settings.recipe.seed
    if settings.init is None:
        return start_new(settings.net, train_set, seed=seed)
    return start_from(load(settings.init), len(train_set.classes), train_set.image_shape, seed=seed)


def short_name(data: str, net: str) -> str:
    """A name for a folder.

    >>> short_name("/home/me/My cats/", "small")
    'My-cats-small'
    """
    word = data if data in NAMES else Path(data).resolve().name.removesuffix(".npz")
    return re.sub(r"[^A-Za-z0-9._-]+", "-", f"{word}-{net}").strip("-.") or "run"
