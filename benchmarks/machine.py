"""Where and of what a run is: CPU, instruction set, threads, commit, versions."""

from __future__ import annotations

import platform
import subprocess
from datetime import UTC, datetime
from typing import Any

from benchmarks.tasks import HERE
from faltung.cli.machine import cpu_model
from faltung.kernels.choose import compiled_for


def described(threads: int) -> dict[str, Any]:
    """Return what stands above every table."""
    return {
        "cpu": cpu_model(),
        "isa": compiled_for() or "none (NumPy)",
        "threads": threads,
        "system": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
    }


def when_and_what() -> dict[str, str]:
    """Return the commit and the day."""
    return {"commit": commit(), "day": datetime.now(UTC).strftime("%Y-%m-%d")}


def commit() -> str:
    """The commit that is measured; with a + where files differ from it."""
    command = ["git", "describe", "--always", "--dirty=+", "--abbrev=9", "--exclude=*"]
    told = subprocess.run(command, cwd=HERE, capture_output=True, text=True, check=False)
    return told.stdout.strip() or "no commit"
