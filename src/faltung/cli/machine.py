"""Facts about this installation and the machine below it, as plain values."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, distribution, version
from pathlib import Path
from typing import Any

from faltung.cache import cache_folder
from faltung.kernels import memory as scratch
from faltung.kernels import tuned
from faltung.kernels.threads import num_threads
from faltung.training.environment import environment
from faltung.version import __version__

VARIABLES = {
    "FALTUNG_CACHE": "folder for downloaded data sets and compiled kernels",
    "FALTUNG_DEBUG": "1 prints the traceback of an error",
    "FALTUNG_EXACT": "1 keeps to kernels with the error of direct summation",
    "FALTUNG_ISA": "'avx512', 'avx2', 'sse' or 'neon' to compile for; 'none' for NumPy alone",
    "FALTUNG_KERNEL": "'reference', or the name of the kernel to use",
    "FALTUNG_NUM_THREADS": "how many threads kernels take",
    "FALTUNG_TUNED": "a file of 'faltung tune' to go by; 'none' for none",
}


def facts() -> dict[str, Any]:
    """Everything that `faltung doctor` says."""
    now = environment()
    return {
        "versions": {"faltung": __version__, "Python": platform.python_version(), **_packages()},
        "python": sys.executable,
        "system": platform.platform(),
        "cpu": cpu_model(),
        "architecture": platform.machine(),
        "instruction_set": now["simd"],
        "cores": os.cpu_count() or 1,
        "usable_cores": usable_cores(),
        "blas": now["blas"],
        "blas_core": now["blas_core"],
        "threads": now["threads"],
        "kernels": kernels(str(now["compiled_for"])),
        "memory_bytes": memory(),
        "extras": extras(),
        "cache": {"path": str(cache_path()), "data_sets": cached(cache_path())},
        "variables": {name: os.environ[name] for name in sorted(os.environ) if _is_ours(name)},
    }


def kernels(compiled_for: str) -> dict[str, Any]:
    """What kernels are compiled for, who runs them, their working memory, the tuned table."""
    table = tuned.current()
    return {
        "compiled_for": compiled_for,
        "threads": num_threads(),
        "threading_layer": "faltung's own pool" if compiled_for else "Python's threads",
        "working_memory_bytes": scratch.kept_bytes(),
        "tuned_layers": len(table.rows),
    }


def _is_ours(name: str) -> bool:
    return name.startswith("FALTUNG_")


def _packages() -> dict[str, str | None]:
    return {name: installed(name) for name in requirements().get("", [])}


def requirements() -> dict[str, list[str]]:
    """The packages that faltung needs, by extra; those without one are under ``""``."""
    try:
        lines = distribution("faltung").requires or []
    except PackageNotFoundError:  # run from a source tree that was never installed
        return {}
    found: dict[str, list[str]] = {}
    for line in lines:
        name, extra = parsed(line)
        if name != "faltung":  # an extra that takes in another one
            found.setdefault(extra, []).append(name)
    return found


def parsed(requirement: str) -> tuple[str, str]:
    """A requirement's package and its extra.

    >>> parsed("scipy>=1.14; extra == 'peers'"), parsed("numpy>=2.0")
    (('scipy', 'peers'), ('numpy', ''))
    """
    name = re.match(r"[A-Za-z0-9._-]+", requirement)
    extra = re.search(r"extra\s*==\s*['\"]([^'\"]+)", requirement)
    return (name[0] if name else requirement), (extra[1] if extra else "")


def installed(name: str) -> str | None:
    """The version of a package, or None; nothing is imported."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def extras() -> dict[str, dict[str, Any]]:
    """For each extra its packages' versions, and the command that installs what is missing."""
    return {
        extra: {
            "packages": (packages := {name: installed(name) for name in names}),
            "is_complete": None not in packages.values(),
            "install": f"python -m pip install 'faltung[{extra}]'",
        }
        for extra, names in requirements().items()
        if extra
    }


def cpu_model() -> str:
    """What the processor calls itself."""
    try:
        text = Path("/proc/cpuinfo").read_text(errors="replace")
        if match := re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE):
            return match[1].strip()
    except OSError:
        pass
    if sys.platform == "darwin":
        name = ["sysctl", "-n", "machdep.cpu.brand_string"]
        done = subprocess.run(name, capture_output=True, text=True, check=False)
        return done.stdout.strip() or platform.processor()
    return platform.processor() or platform.machine()


def usable_cores() -> int:
    """Cores that this process may use: its affinity, and a container's quota rounded up."""
    has_affinity = hasattr(os, "sched_getaffinity")
    allowed = len(os.sched_getaffinity(0)) if has_affinity else os.cpu_count() or 1
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        return min(allowed, max(-(-int(quota) // int(period)), 1))
    except (OSError, ValueError):  # no such file, or "max"
        return allowed


def memory() -> int | None:
    """The machine's memory in bytes, where the system says it."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return None


def cache_path() -> Path:
    """Where downloaded data sets and compiled kernels are kept."""
    return cache_folder()


def cached(folder: Path) -> list[str]:
    """The data sets that lie in the cache."""
    try:
        names = (entry.name for entry in folder.iterdir() if entry.is_dir())
        return sorted(name for name in names if name not in ("kernels", "tuned"))
    except OSError:
        return []
