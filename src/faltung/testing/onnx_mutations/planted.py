"""Importers with a bug in them: what the driver has to find."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx

from faltung.errors import ModelFileError
from faltung.graph import Graph, load


def _meets_dims(path: Path) -> bool:
    """Whether an initializer claims a size that no array has: now and then one does."""
    model = onnx.ModelProto.FromString(path.read_bytes())
    return any(n < 0 or n > 2**30 for t in model.graph.initializer for n in t.dims)


def _planted(bug: Callable[[], Any]) -> Callable[..., Graph]:
    def loader(path: Path, **options: Any) -> Graph:
        graph = load(path, **options) if not _is_odd(path) else bug()
        assert isinstance(graph, Graph)
        return graph

    return loader


def _is_odd(path: Path) -> bool:
    try:
        return _meets_dims(path)
    except Exception:
        return False


def crash() -> None:
    """End the process, as a fault in compiled code does."""
    os.kill(os.getpid(), signal.SIGSEGV)


def leave() -> None:
    """End the process without a signal."""
    os._exit(0)


def hang() -> None:
    """Never come back."""
    while True:
        time.sleep(1)


def key_error() -> None:
    """Raise what is no error of ours."""
    dict[str, int]()["kernel_shape"]


def hog() -> None:
    """Take more memory than there may be."""
    np.ones(2**40, np.uint8)


def two_lines() -> None:
    """Raise an error of ours that is no clear line."""
    raise ModelFileError("something\nis wrong")


PLANTED: Final[Mapping[str, tuple[Callable[..., Graph], str]]] = {
    bug.__name__: (_planted(bug), verdict)
    for bug, verdict in (
        *((crash, "crash"), (leave, "crash"), (hang, "hang")),
        *((key_error, "exception"), (hog, "memory"), (two_lines, "unclear")),
    )
}
"""Importers by the name of their bug, and what the driver has to call it."""
