"""Malformed models: files that are mutated, and whether each ends in a result or one clear line.

``python -m faltung.testing.onnx_mutations`` examines as many as it is told to, each in a process
that is watched: one that crashes, hangs for 5 s, takes 2 GiB or raises anything but an error of
ours in one line is a failure, and is printed with the command that repeats it.
"""

from __future__ import annotations

from faltung.testing.onnx_mutations.cases import Case as Case
from faltung.testing.onnx_mutations.cases import case_of as case_of
from faltung.testing.onnx_mutations.driver import examined as examined
from faltung.testing.onnx_mutations.examine import Outcome as Outcome
from faltung.testing.onnx_mutations.examine import Stage as Stage
from faltung.testing.onnx_mutations.planted import PLANTED as PLANTED
from faltung.testing.onnx_mutations.tally import Tally as Tally
from faltung.testing.onnx_mutations.worker import Answer as Answer
