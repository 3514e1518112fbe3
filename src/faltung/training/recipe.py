"""What decides a training run, beside the network and the data: one frozen record."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from faltung.errors import TrainingError, message
from faltung.training.augment import AbstractAugmentation, Flip, Shift
from faltung.training.environment import JSON
from faltung.training.optimisers import SGD, AbstractOptimiser, Adam, AdamW
from faltung.training.schedules import AbstractSchedule, Constant, Cosine, OneCycle

OPTIMISERS = ("sgd", "nesterov", "adam", "adamw")
SCHEDULES = ("constant", "cosine", "one-cycle")
# These say what is written down, not what is computed: a resumed run may change them.
_FREE = ("checkpoint_every",)


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a network is trained.

    Parameters
    ----------
    epochs : int
        Times that every image is seen.
    batch : int
        Images in a step.
    lr : float
        The greatest learning rate of the schedule.
    optimiser : {"sgd", "nesterov", "adam", "adamw"}
        Both of the first two have momentum 0.9.
    schedule : {"constant", "cosine", "one-cycle"}
        How the learning rate moves from step to step.
    weight_decay : float
        On kernels and matrices; not with ``"adam"``, whose form with decay is ``"adamw"``.
    shift : int
        Images are moved by up to so many pixels on each axis, by chance.
    flip : bool
        Half of the images are mirrored left to right, by chance.
    validation : float
        The share of each class of the training images that is held out to watch the run.
    patience : int
        Stop after so many epochs without a better validation accuracy, and go back to the best
        epoch; 0 runs to the end and keeps the last weights.
    seed : int
        Decides order, augmentation, dropout and which images are held out.
    checkpoint_every : int
        Steps from one checkpoint to the next, where checkpoints are written; one more comes at
        the end.

    Raises
    ------
    TrainingError
        A value outside its range [recipe R1], an unknown word [recipe R2], patience without
        validation [recipe R3], weight decay with ``"adam"`` [recipe R4].

    Examples
    --------
    >>> round(Recipe(optimiser="sgd", lr=0.1).schedule_of().lr(0, 100), 6)
    0.004
    """

    epochs: int = 10
    batch: int = 64
    lr: float = 4e-3
    optimiser: str = "adamw"
    schedule: str = "one-cycle"
    weight_decay: float = 0.01
    shift: int = 0
    flip: bool = False
    validation: float = 0.1
    patience: int = 0
    seed: int = 0
    checkpoint_every: int = 200

    def __post_init__(self) -> None:
        for name in ("epochs", "batch", "checkpoint_every"):
            _check(name, getattr(self, name), getattr(self, name) >= 1, "at least 1")
        for name in ("shift", "patience", "seed"):
            _check(name, getattr(self, name), getattr(self, name) >= 0, "0 or more")
        _check("seed", self.seed, self.seed < 2**64, "below 2**64")
        for name in ("lr", "weight_decay"):
            value = getattr(self, name)
            _check(name, value, value >= 0 and math.isfinite(value), "finite and not negative")
        _check("validation", self.validation, 0 <= self.validation < 1, "at least 0 and below 1")
        _check_word("optimiser", self.optimiser, OPTIMISERS)
        _check_word("schedule", self.schedule, SCHEDULES)
        if self.patience and not self.validation:
            rule, cure = "early stopping needs images to watch", "Use validation=0.1"
            values = {"patience": self.patience, "validation": self.validation}
            raise TrainingError(message("recipe", rule, values, cure, "recipe R3"))
        if self.optimiser == "adam" and self.weight_decay:
            rule, cure = "adam has no weight decay", "Use optimiser='adamw'"
            values = {"weight_decay": self.weight_decay}
            raise TrainingError(message("recipe", rule, values, cure, "recipe R4"))

    def optimiser_of(self) -> AbstractOptimiser:
        """Return the optimiser that the words and numbers name."""
        if self.optimiser == "adam":
            return Adam()
        if self.optimiser == "adamw":
            return AdamW(weight_decay=self.weight_decay)
        return SGD(0.9, self.optimiser == "nesterov", self.weight_decay)

    def schedule_of(self) -> AbstractSchedule:
        """Return the schedule that the words and numbers name."""
        kinds = {"constant": Constant, "cosine": Cosine, "one-cycle": OneCycle}
        kind: type[Constant | Cosine | OneCycle] = kinds[self.schedule]  # type: ignore[assignment]
        return kind(self.lr)

    def augmentations(self) -> tuple[AbstractAugmentation, ...]:
        """Return what is done to each batch, in this order."""
        shift = (Shift(self.shift),) if self.shift else ()
        return (*shift, Flip()) if self.flip else shift

    def to_json(self) -> dict[str, JSON]:
        """Return the record as JSON writes it."""
        return dataclasses.asdict(self)

    def differences(self, then: Mapping[str, JSON]) -> list[str]:
        """Return where ``then``, another run's record as JSON, would give other numbers.

        >>> Recipe().differences({**Recipe().to_json(), "batch": 32, "checkpoint_every": 1})
        ['batch was 32, is 64']
        """
        now = self.to_json()
        names = [name for name in {**now, **then} if name not in _FREE]
        return [
            f"{name} was {then.get(name)!r}, is {now.get(name)!r}"
            for name in names
            if then.get(name) != now.get(name)
        ]


def _check(name: str, value: float, is_right: bool, rule: str) -> None:
    if not is_right:
        values = {name: value}
        raise TrainingError(message("recipe", f"{name} must be {rule}", values, "", "recipe R1"))


def _check_word(name: str, word: str, words: tuple[str, ...]) -> None:
    if word not in words:
        cure, values = f"Use one of {', '.join(words)}", {name: repr(word)}
        raise TrainingError(message("recipe", f"unknown {name}", values, cure, "recipe R2"))


RECIPES: Mapping[str, Recipe] = MappingProxyType(
    {
        "small": Recipe(epochs=12, lr=1e-2, shift=2),
        "zero-one": Recipe(epochs=30, batch=32, lr=1e-2, shift=1),
        "lenet": Recipe(epochs=12, shift=2),
        "resnet": Recipe(epochs=5, batch=128, lr=1e-2, shift=2),
    }
)


def recipe_for(network: str) -> Recipe:
    """Return the recipe that a network of the zoo is trained with unless told otherwise.

    Parameters
    ----------
    network : str
        A name such as ``"lenet"``; one without a recipe of its own gets the plain one.

    Examples
    --------
    >>> recipe_for("zero-one").epochs
    30
    """
    return RECIPES.get(network, Recipe())
