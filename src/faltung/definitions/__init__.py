"""Definitions spelt out on a user's own numbers: terms, signals, compositions."""

from __future__ import annotations

from faltung.definitions.expansion import Expansion as Expansion
from faltung.definitions.expansion import Term as Term
from faltung.definitions.expansion import expand as expand
