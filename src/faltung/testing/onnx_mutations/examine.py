"""What is asked of each mutant: read it, infer its shapes, describe it, run it."""

from __future__ import annotations

import enum
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

from faltung.analysis.inspect import inspect
from faltung.errors import FaltungError, ModelFileError, StorageError
from faltung.graph import Graph, load
from faltung.graph.room import MOST_AXES
from faltung.graph.shapes import Shapes
from faltung.ops.operator import Array
from faltung.testing.onnx_mutations.folder import SECRET

MOST_MACS: Final = 20_000_000
MOST_NUMBERS: Final = 4_000_000
"""What a mutant may cost to be run here: multiply-accumulates or connections, and numbers."""

IMPORTERS: Final = ("onnx_import", "onnx_shapes", "shapes")
"""Modules in which shapes are inferred: an error that comes from there got that far."""

Loader = Callable[..., Graph]


class Stage(enum.IntFlag):
    """What a mutant reached."""

    NONE = 0
    PARSED = 1
    SHAPES = 2
    DESCRIBED = 4
    GRAPH = 8
    RUN = 16


@dataclass(frozen=True)
class Outcome:
    """What became of a mutant.

    Parameters
    ----------
    verdict
        "result", "error" (one clear line), "costly" (read, but too much work to be run here), or
        what is wrong: "exception", "unclear", "leak", "memory", and for the driver to find "crash"
        and "hang".
    reached
        What it reached.
    text
        What was said, or an exception's place.
    """

    verdict: str
    reached: Stage = Stage.NONE
    text: str = ""

    @property
    def is_failure(self) -> bool:
        """Whether this must not happen."""
        return self.verdict not in ("result", "error", "costly")


def examine(path: Path, loader: Loader = load) -> Outcome:
    """Ask everything of one file: describe it as far as it can be, then read it to run it.

    Parameters
    ----------
    path : pathlib.Path
        The file; `folder.prepare` made its folder.
    loader : callable
        What stands in for `faltung.load`.

    Returns
    -------
    Outcome
        Never raises, whatever a file does in Python; a crash or a hang is for others to find.
    """
    parsed = Stage.PARSED if _parses(path) else Stage.NONE
    described = _asked(lambda: _describe(path), path)
    if described.is_failure:
        return replace(described, reached=described.reached | parsed)
    run = _asked(lambda: _run(path, loader), path)
    return replace(run, reached=run.reached | described.reached | parsed)


def _asked(question: Callable[[], Outcome], path: Path) -> Outcome:
    """Ask something, and sort what comes of it."""
    try:
        return question()
    except FaltungError as error:
        verdict = "error" if _is_clear(error, path) else "unclear"
        return Outcome(verdict, _reached(error), f"{type(error).__name__}: {error}")
    except MemoryError as error:
        return Outcome("memory", _reached(error), _place(error))
    except Exception as error:  # whatever else comes is looked for
        return Outcome("exception", _reached(error), _place(error))


def _describe(path: Path) -> Outcome:
    """Inspect the file: operators and weights that are not there are no obstacle."""
    report = inspect(path)
    report.to_dict()
    str(report)
    return Outcome("result", Stage.SHAPES | Stage.DESCRIBED)


def _run(path: Path, loader: Loader) -> Outcome:
    graph = _loaded(path, loader)
    reached = Stage.SHAPES | Stage.GRAPH
    if _holds_secret(graph):
        return Outcome("leak", reached, "values of a file outside the folder were read")
    shapes = graph.shapes(_closed(graph))
    if _is_costly(graph, shapes):
        return Outcome("costly", reached)
    with np.errstate(all="ignore"):
        found = _asked(lambda: _computed(graph, shapes), path)
    return replace(found, reached=found.reached | reached | Stage.RUN)


def _computed(graph: Graph, shapes: Shapes) -> Outcome:
    graph(_feeds(graph, shapes))
    return Outcome("result")


def _parses(path: Path) -> bool:
    try:
        onnx.ModelProto.FromString(path.read_bytes())
    except (DecodeError, UnicodeDecodeError):
        return False
    return path.stat().st_size > 0


def _loaded(path: Path, loader: Loader) -> Graph:
    """Load the file; once more with a size for what is open where it says that it needs one."""
    try:
        return loader(path)
    except FaltungError as error:
        if not _is_clear(error, path) or "open sizes" not in str(error):
            raise
    return loader(path, open_size=1)


def _is_clear(error: FaltungError, path: Path) -> bool:
    """Whether an error is one line, which names the file if it comes from there."""
    line = str(error)
    named = line.startswith((f"{path}: ", f"{path.parent}/"))
    from_file = isinstance(error, (ModelFileError, StorageError))
    return line.isprintable() and len(line) < LONGEST_LINE and (named or not from_file)


LONGEST_LINE: Final = 2000
"""What is longer nobody reads."""


def _reached(error: BaseException) -> Stage:
    """Return what an error says that its file reached: by the modules that it came through."""
    seen, queue = set[int](), [error]
    while queue:
        each = queue.pop()
        if id(each) in seen:
            continue
        seen.add(id(each))
        if any(Path(file).stem in IMPORTERS for file, _, _ in _frames(each)):
            return Stage.SHAPES
        queue += [e for e in (each.__cause__, each.__context__) if e is not None]
    return Stage.NONE


def _frames(error: BaseException) -> Iterator[tuple[str, str, int]]:
    trace = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        yield code.co_filename, code.co_name, trace.tb_lineno
        trace = trace.tb_next


def _place(error: BaseException) -> str:
    """Return an exception, and the last places in faltung that it came through."""
    ours = [f"{Path(f).name}:{n} {name}" for f, name, n in _frames(error) if "faltung" in f]
    return f"{type(error).__name__}: {str(error)[:200]} at {' < '.join(reversed(ours[-3:]))}"


def _holds_secret(graph: Graph) -> bool:
    """Whether an array begins with what lies outside, as it is or widened from float16."""
    for array in (*graph.params.values(), *graph.state.values()):
        begin: Array = array.reshape(-1)[:32]
        with np.errstate(all="ignore"):
            stored = (begin, begin.astype(np.float16)) if begin.dtype.kind == "f" else (begin,)
        if any(SECRET[:8] in part.tobytes() for part in stored):
            return True
    return False


def _closed(graph: Graph) -> Mapping[str, tuple[int, ...]]:
    """Return sizes for all inputs: what is open becomes 2, the batch 1."""
    return {
        v.name: tuple(
            (1 if a == 0 else 2) if isinstance(n, str) else n for a, n in enumerate(v.shape)
        )
        for v in graph.inputs
    }


def _is_costly(graph: Graph, shapes: Shapes) -> bool:
    if any(len(value.shape) > MOST_AXES for value in graph.inputs):  # NumPy has no such array
        return True
    numbers = sum(math.prod(n for n in s if isinstance(n, int)) for s in shapes.values())
    if numbers > MOST_NUMBERS:
        return True
    costs = (node.operator.cost([shapes[n] for n in node.inputs]) for node in graph.nodes)
    return sum(max(cost.macs, cost.connections) for cost in costs) > MOST_MACS


def _feeds(graph: Graph, shapes: Shapes) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    return {
        v.name: rng.standard_normal([int(n) for n in shapes[v.name]]).astype(v.dtype)
        for v in graph.inputs
    }
