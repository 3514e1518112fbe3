"""Definitions spelt out on a user's own numbers: terms, signals, compositions."""

from __future__ import annotations

from faltung.definitions.agreement import Agreement as Agreement
from faltung.definitions.composition import Composition as Composition
from faltung.definitions.composition import compose as compose
from faltung.definitions.composition import merged_kernel as merged_kernel
from faltung.definitions.continuous import Gaussians as Gaussians
from faltung.definitions.continuous import gaussian_sums as gaussian_sums
from faltung.definitions.continuous import triangle as triangle
from faltung.definitions.expansion import Expansion as Expansion
from faltung.definitions.expansion import Term as Term
from faltung.definitions.expansion import expand as expand
from faltung.definitions.past import PastReport as PastReport
from faltung.definitions.past import past_report as past_report
from faltung.definitions.sliding import SignalReport as SignalReport
from faltung.definitions.sliding import signal_report as signal_report
