"""What the view Cost is given: known networks and data sets to compare with."""

from __future__ import annotations

from typing import Any

from faltung.analysis.scale import TASKS
from faltung.zoo import sketch


def prepared() -> dict[str, Any]:
    """Return the parameters of VGG-16 and how many examples well-known tasks have.

    >>> prepared()["vgg16"]
    138357544
    """
    tasks = [[task.name, task.examples] for task in TASKS]
    return {"vgg16": sketch("vgg16").trainable, "tasks": tasks}
