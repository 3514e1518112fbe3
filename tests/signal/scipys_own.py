"""A pytest plugin: SciPy's own tests of convolve and correlate, ours patched in.

Loaded by test_scipys_own.py in a process of its own. What SciPy's tests import by name is replaced
in the collected test module; outcomes go to a JSON file. Under ``FALTUNG_CAST=1`` results are cast
to the dtype that SciPy would give, so that the values of excepted cases are still compared.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.signal.tests.test_signaltools as theirs

import faltung

CALLS = {"convolve": 0, "correlate": 0}
OUTCOMES: dict[str, dict[str, Any]] = {}


def _counted(name: str) -> Any:
    ours = getattr(faltung, name)

    def call(f: Any, g: Any, *args: Any, **kwargs: Any) -> Any:
        CALLS[name] += 1
        out = ours(f, g, *args, **kwargs)
        if os.environ.get("FALTUNG_CAST") == "1":
            wanted = np.result_type(np.asarray(f), np.asarray(g))
            if wanted.kind in "iub" and out.dtype.kind in "iub":
                return out.astype(wanted)
        return out

    return call


theirs.convolve = _counted("convolve")
theirs.correlate = _counted("correlate")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Any:
    before = dict(CALLS)
    yield
    OUTCOMES.setdefault(item.nodeid.split("::", 1)[1], {})["calls"] = sum(
        CALLS[name] - before[name] for name in CALLS
    )


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    name = report.nodeid.split("::", 1)[1]
    entry = OUTCOMES.setdefault(name, {})
    if report.when == "call" or report.outcome != "passed":
        entry["outcome"] = report.outcome
        entry["text"] = str(report.longrepr)[-600:] if report.failed else ""


def pytest_sessionfinish() -> None:
    Path(os.environ["FALTUNG_OUTCOMES"]).write_text(json.dumps(OUTCOMES), encoding="utf-8")
