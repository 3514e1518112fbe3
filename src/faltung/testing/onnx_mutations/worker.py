"""The process that examines mutants: what it may use is limited, and who started it watches it."""

from __future__ import annotations

import os
import resource
import tempfile
import time
import warnings
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

from faltung.graph import load
from faltung.testing.onnx_mutations.cases import case_of
from faltung.testing.onnx_mutations.examine import Outcome, examine
from faltung.testing.onnx_mutations.folder import prepare, put
from faltung.testing.onnx_mutations.planted import PLANTED

MEMORY: Final = 2**31
"""Bytes of address space that a worker may take beyond what it has when it starts."""


@dataclass(frozen=True)
class Answer:
    """What became of one case.

    Parameters
    ----------
    index
        Which one.
    base, what
        The file it was made of, and the names of the mutations.
    structural
        Whether these were structural.
    outcome
        What was found.
    seconds
        How long it took.
    resident
        The most bytes that the process has had in memory by now.
    """

    index: int
    base: str
    what: str
    structural: bool
    outcome: Outcome
    seconds: float
    resident: int


def work(channel: Connection, seed: int, planted: str) -> None:
    """Examine the cases whose indices come, and send an answer for each; None before all.

    Parameters
    ----------
    channel : multiprocessing.connection.Connection
        Lists of indices come from there, None at the end; answers go there.
    seed : int
        Of all cases.
    planted : str
        The bug of the importer; "" for `faltung.load` as it is.
    """
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        path = prepare(Path(folder))
        answer(seed, 0, path, "")
        _limit_memory()
        channel.send(None)
        while (indices := channel.recv()) is not None:
            for index in indices:
                channel.send(answer(seed, index, path, planted))


def answer(seed: int, index: int, path: Path, planted: str) -> Answer:
    """Examine one case.

    Parameters
    ----------
    seed, index : int
        Which one.
    path : pathlib.Path
        Where the mutant is put.
    planted : str
        The bug of the importer; "" for `faltung.load` as it is.
    """
    case = case_of(seed, index)
    started = time.perf_counter()
    try:
        put(path, case.data, case.base)
        outcome = examine(path, PLANTED[planted][0] if planted else load)
    except MemoryError:
        outcome = Outcome("memory", text="no memory is left")
    seconds = time.perf_counter() - started
    resident = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    text = outcome.text.replace(str(path), path.name)
    shown = replace(outcome, text=text)
    return Answer(index, case.base.name, case.what, case.structural, shown, seconds, resident)


def _limit_memory() -> None:
    """Let an allocation past the limit fail, so that it is found and harms nobody."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    most = pages * os.sysconf("SC_PAGE_SIZE") + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
