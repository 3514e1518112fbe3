"""Questions that nobody would ask: they run in the page's workers, which find this by its name."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any


def echo(given: dict[str, Any], uploads: Any) -> Any:
    return given


def loop(given: dict[str, Any], uploads: Any) -> Any:
    while True:
        pass


def sleep(given: dict[str, Any], uploads: Any) -> Any:
    time.sleep(given["seconds"])
    return "slept"


def allocate(given: dict[str, Any], uploads: Any) -> Any:
    import numpy as np

    held = []
    while True:
        held.append(np.empty(2**28, np.uint8))


def crash(given: dict[str, Any], uploads: Any) -> Any:
    os._exit(3)


def fail(given: dict[str, Any], uploads: Any) -> Any:
    raise RuntimeError(f"{__file__} and {uploads.folder}")


def nan(given: dict[str, Any], uploads: Any) -> Any:
    return float("nan")


def large(given: dict[str, Any], uploads: Any) -> Any:
    return "x" * (65 * 2**20)


def pid(given: dict[str, Any], uploads: Any) -> Any:
    return os.getpid()


def child(given: dict[str, Any], uploads: Any) -> Any:
    """Start a process that would outlive us, say which, and hang."""
    started = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    Path(given["tell"]).write_text(str(started.pid))
    time.sleep(600)


def litter(given: dict[str, Any], uploads: Any) -> Any:
    """Write wherever no folder is named; and compile, which fills a cache."""
    import numpy as np

    import faltung

    Path("here.txt").write_text("here")
    with tempfile.NamedTemporaryFile(delete=False) as file:
        file.write(b"there")
    faltung.conv(np.ones((1, 3, 64, 64), np.float32), np.ones((8, 3, 3, 3), np.float32))
    return None


def read(given: dict[str, Any], uploads: Any) -> Any:
    """Read an upload as what its suffix says."""
    path = uploads.path(given.get("file"))
    if path.suffix == ".onnx":
        from faltung import inspect, load

        inspect(path)  # tells what it can of any file
        return sum(array.size for array in load(path).params.values())
    if path.suffix == ".npz":
        from faltung.files.archive import read_archive

        return sorted(read_archive(path))
    from faltung.explorer.pictures import read_picture

    return list(read_picture(path).shape)
