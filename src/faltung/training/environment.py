"""What, beside the code and the numbers, decides the bits of a training run."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import TypeAlias

import numpy as np

from faltung.kernels.blas import describe
from faltung.kernels.choose import compiled_for

JSON: TypeAlias = "bool | int | float | str | Sequence[JSON] | Mapping[str, JSON] | None"


def environment() -> dict[str, JSON]:
    """Versions, instruction set, BLAS, threads and kernel choice of this process.

    >>> sorted(environment())  # doctest: +NORMALIZE_WHITESPACE
    ['FALTUNG_KERNEL', 'blas', 'blas_core', 'compiled_for', 'faltung', 'machine', 'numpy',
     'python', 'simd', 'threads']
    """
    core, threads = describe()
    return {
        "faltung": _faltung_version(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "blas": _blas_name(),
        "blas_core": core,
        "machine": f"{sys.platform}-{platform.machine()}",
        "simd": _simd(),
        "compiled_for": compiled_for(),
        "threads": threads,
        "FALTUNG_KERNEL": os.environ.get("FALTUNG_KERNEL", ""),
    }


def differences(then: Mapping[str, JSON]) -> list[str]:
    """Where this process differs from a recorded `environment`: there, bits may differ too.

    >>> differences(environment())
    []
    >>> differences({**environment(), "FALTUNG_KERNEL": "reference"})
    ["FALTUNG_KERNEL was 'reference', is ''"]
    """
    now = environment()
    names = [*now, *(name for name in then if name not in now)]
    return [
        f"{name} was {then.get(name)!r}, is {now.get(name)!r}"
        for name in names
        if then.get(name) != now.get(name)
    ]


def _faltung_version() -> str:
    try:
        return version("faltung")
    except PackageNotFoundError:  # run from a source tree that was never installed
        return "unknown"


def _blas_name() -> str:
    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    return f"{blas.get('name', 'unknown')} {blas.get('version', '')}".strip()


def _simd() -> str:
    found: list[str] = np.show_config(mode="dicts").get("SIMD Extensions", {}).get("found", [])
    return " ".join(found)
