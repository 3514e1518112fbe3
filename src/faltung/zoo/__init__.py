"""Named networks, as graphs. Each takes raw pixels: its first layer normalises them."""

from __future__ import annotations

from faltung.zoo.catalogue import NAMES as NAMES
from faltung.zoo.catalogue import PUBLISHED as PUBLISHED
from faltung.zoo.catalogue import build as build
from faltung.zoo.catalogue import sketch as sketch

__all__ = ["NAMES", "PUBLISHED", "build", "sketch"]
