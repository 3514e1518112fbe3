"""Where faltung keeps what can be had again: downloads, compiled kernels."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Final

VARIABLE: Final = "FALTUNG_CACHE"


def cache_folder() -> Path:
    """Return the folder: what ``FALTUNG_CACHE`` names, or a place in the user's cache folder."""
    named = os.environ.get(VARIABLE)
    if named:
        return Path(named)
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA", "")
    elif sys.platform == "darwin":
        base = str(Path("~/Library/Caches").expanduser())
    else:
        base = os.environ.get("XDG_CACHE_HOME", "")
    return Path(base or Path("~/.cache").expanduser()) / "faltung"
