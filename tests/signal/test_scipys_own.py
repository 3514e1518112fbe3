"""faltung.convolve and faltung.correlate under SciPy's own tests.

SciPy keeps the inputs' integer dtype, and so overflows without a word; ours return int64, and raise
where a sum could pass it (traps.md 24). The cases that demand the narrow dtype are listed one by
one; their values are compared all the same, after a cast to that dtype.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

HERE = Path(__file__).parent
CLASSES = ("TestConvolve", "TestCorrelateReal", "TestCorrelate", "TestCorrelateComplex")

# 2**62 squared does not fit 64 bits: SciPy's test only asks that it does not raise and compares no
# value there; ours refuses, by name, to return a wrapped number.
REFUSES_OVERFLOW = "TestConvolve::test_convolve_method_large_input[numpy]"


def run_scipys(tmp_path: Path, names: list[str], **variables: str) -> dict[str, Any]:
    from scipy import signal

    file = Path(signal.__file__).parent / "tests" / "test_signaltools.py"
    outcomes = tmp_path / "outcomes.json"
    plugin = {"PYTHONPATH": str(HERE), "FALTUNG_OUTCOMES": str(outcomes)}
    subprocess.run(
        [
            sys.executable,
            *("-m", "pytest", "-q", "-p", "scipys_own", "-p", "no:cacheprovider"),
            *("-c", os.devnull, "--rootdir", str(tmp_path), "--import-mode=importlib"),
            *(f"{file}::{name}" for name in names),
        ],
        env={**os.environ, **plugin, **variables},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    found: dict[str, Any] = json.loads(outcomes.read_text(encoding="utf-8"))
    return found


def test_scipys_own_tests_pass(
    tmp_path: Path, scipy: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    outcomes = run_scipys(tmp_path, list(CLASSES))
    ran = {n: o for n, o in outcomes.items() if o.get("outcome") != "skipped" and o.get("calls")}
    failed = sorted(n for n, o in ran.items() if o["outcome"] == "failed")
    listed = (HERE / "scipy_exceptions.txt").read_text(encoding="utf-8").splitlines()
    excepted = [name for name in failed if name in listed]
    with capsys.disabled():
        print(
            f"\nSciPy {scipy.__version__}: {len(ran)} of its tests ran, "
            f"{len(ran) - len(failed)} passed, {len(excepted)} excepted"
        )
    assert len(ran) >= 100
    assert failed == excepted, {n: ran[n]["text"] for n in set(failed) - set(excepted)}
    narrow = [n for n in excepted if n != REFUSES_OVERFLOW]
    again = run_scipys(tmp_path, narrow, FALTUNG_CAST="1")
    assert sorted(again) == narrow
    assert {n: o["text"] for n, o in again.items() if o["outcome"] != "passed"} == {}


def test_overflow_is_refused_by_name() -> None:
    import numpy as np

    import faltung
    from faltung.errors import IntegerRangeError

    large = np.array([2**62])
    with pytest.raises(IntegerRangeError):
        faltung.convolve(large, large)
