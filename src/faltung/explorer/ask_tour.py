"""What the view Tour is given: the twelve cards, as ``scripts/make_explorer_tour.py`` wrote them.

Computing them takes seconds: one trains a network.
"""

from __future__ import annotations

import json
import shlex
from functools import cache
from importlib.resources import files
from typing import Any, Final

from faltung.tour import Page

FILE: Final = files("faltung.explorer") / "data" / "tour.json"
SETUP: Final = """\
from importlib import import_module

import numpy as np

import faltung
from faltung import layers as L


def show(kind, *data, **how):
    module, _, function = kind.partition(".")
    return getattr(import_module(f"faltung.viz.{module}"), function or "draw")(*data, **how)
"""
"""What the cards' code needs."""


@cache
def prepared() -> dict[str, Any]:
    """Return the cards.

    >>> len(prepared()["cards"])
    12
    """
    cards: list[Any] = json.loads(FILE.read_text("utf-8"))
    return {"setup": SETUP, "cards": cards}


def record(page: Page) -> dict[str, Any]:
    """Return a card as the component takes it."""
    told = page.to_dict()
    names = ("name", "title", "question", "text", "view", "often_said")
    check = {**told["check"], "solution": page.check.solution, "is_set": page.check.is_set}
    return {
        **{name: told[name] for name in names},
        "check": check,
        "cells": list(page.cells),
        "command": f"faltung {shlex.join(page.command)}" if page.command else "",
    }
