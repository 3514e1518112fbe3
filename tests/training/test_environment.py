"""What decides the bits is recorded as it is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from faltung.kernels import blas
from faltung.training import environment as module
from faltung.training.environment import differences, environment


def test_it_is_json_and_says_what_is_there() -> None:
    now = environment()
    assert json.loads(json.dumps(now)) == now
    assert now["numpy"] == np.__version__
    assert now["python"] == ".".join(map(str, sys.version_info[:3]))


def test_the_kernel_choice_of_this_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    then = environment()
    monkeypatch.setenv("FALTUNG_KERNEL", "conv_loops")
    assert differences(then) == [f"FALTUNG_KERNEL was {then['FALTUNG_KERNEL']!r}, is 'conv_loops'"]


def test_each_difference_is_named() -> None:
    then = {**environment(), "numpy": "1.0", "threads": 99, "moon": "full"}
    del then["blas"]
    now = environment()
    assert differences(then) == [
        f"numpy was '1.0', is {now['numpy']!r}",
        f"blas was None, is {now['blas']!r}",
        f"threads was 99, is {now['threads']}",
        "moon was 'full', is None",
    ]


@pytest.mark.parametrize("threads", [1, 2])
def test_the_threads_that_openblas_uses(threads: int) -> None:
    if environment()["blas_core"] == "unknown":
        pytest.skip("NumPy's BLAS is not an OpenBLAS that can be asked")
    code = "from faltung.training.environment import environment; print(environment()['threads'])"
    variables = {**os.environ, "OPENBLAS_NUM_THREADS": str(threads)}
    told = subprocess.run(
        [sys.executable, "-c", code], env=variables, capture_output=True, text=True, check=True
    )
    assert int(told.stdout) == min(threads, os.cpu_count() or 1)


@pytest.mark.parametrize("path", [None, __file__])
def test_without_openblas_it_says_so(monkeypatch: pytest.MonkeyPatch, path: str | None) -> None:
    fake = SimpleNamespace(__file__=path)
    monkeypatch.setitem(sys.modules, "numpy._core._multiarray_umath", fake)
    blas._functions.cache_clear()
    try:
        assert environment()["blas_core"] == "unknown"
    finally:
        blas._functions.cache_clear()
    assert environment()["threads"] == os.cpu_count()


def test_without_an_installed_package(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> str:
        raise module.PackageNotFoundError(name)

    monkeypatch.setattr(module, "version", missing)
    assert environment()["faltung"] == "unknown"
