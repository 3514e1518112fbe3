"""The folder in which a mutant lies: beside it what it may read, around it what it may not."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from faltung.testing.onnx_mutations.bases import BESIDE, Base

SECRET: Final = b"Zq9!" * 25_000
"""What the files hold that lie outside the folder: no model that was loaded may hold it."""

PLACES: Final = (
    *("../outside.bin", "/etc/passwd", "link.bin", "linked/outside.bin", "loop.bin", "pipe"),
    *("sub/../../outside.bin", "./sub/inner.bin", "sub/inner.bin", "sub", ".", "", "missing.bin"),
    *("..\\outside.bin", "C:\\x.bin", "//host/x", "a\x00b", "\ufffd"),
    *(
        "x" * 5000,
        "name/" * 2000,
        "/dev/zero",
        "/proc/self/mem",
        "model.onnx",
        BESIDE,
        "weights.BIN",
    ),
)
"""Where external data is said to lie."""


def prepare(folder: Path) -> Path:
    """Make a folder for mutants, with links out of it, and return where the mutant is put.

    Parameters
    ----------
    folder : pathlib.Path
        Is there, and empty.
    """
    inside = folder / "inside"
    (inside / "sub").mkdir(parents=True)
    (inside / "sub" / "inner.bin").write_bytes(bytes(range(256)) * 4)
    (folder / "outside.bin").write_bytes(SECRET)
    (inside / "link.bin").symlink_to(folder / "outside.bin")
    (inside / "linked").symlink_to(folder)
    (inside / "loop.bin").symlink_to(inside / "loop.bin")
    os.mkfifo(inside / "pipe")
    return inside / "model.onnx"


def put(path: Path, data: bytes, base: Base) -> None:
    """Write a mutant, and beside it the weights of the file it was made of.

    Parameters
    ----------
    path : pathlib.Path
        What `prepare` returned.
    data : bytes
        Of the mutant.
    base : Base
        What it was made of.
    """
    path.write_bytes(data)
    (path.parent / BESIDE).write_bytes(base.beside or bytes(400))
