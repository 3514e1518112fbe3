"""Experiments: claims about layers that training decides, each over several seeds.

`experiment` runs one by its name; `faltung.experiments.EXPERIMENTS` says which there are.
"""

from __future__ import annotations

from faltung.experiments.catalogue import EXPERIMENTS as EXPERIMENTS
from faltung.experiments.catalogue import Experiment as Experiment
from faltung.experiments.catalogue import experiment as experiment
from faltung.experiments.results import Curve as Curve
from faltung.experiments.results import Findings as Findings
from faltung.experiments.results import Panel as Panel
