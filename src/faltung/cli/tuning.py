"""How `faltung tune` finds layers, measures them, and shows and keeps what it found."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from rich.table import Table as Drawn

from faltung import ops
from faltung.cli.inspection import file_of
from faltung.cli.screen import Screen
from faltung.errors import FaltungError, KernelError, message
from faltung.geometry import ConvWindow
from faltung.graph import Graph, load
from faltung.graph.shapes import known_shapes
from faltung.kernels import settings, tuned, tuned_files
from faltung.kernels.choose import choose
from faltung.kernels.tune import OPERATIONS, measure
from faltung.zoo.catalogue import NETWORKS, sketch

FIELDS = 8
"""What a line of a list ends with."""


def run(
    screen: Screen, sources: Sequence[str], dtype: str, out: str | None, *, is_all: bool
) -> None:
    """Measure, show and keep."""
    isa = settings.settings().isa
    if not tuned_files.cpu_key(isa):
        rule, cure = "nothing is compiled here", "There is nothing to choose from"
        raise KernelError(message("tune", rule, {"FALTUNG_ISA": repr(isa)}, cure))
    path = Path(out) if out else tuned_files.path(isa)
    found = tuned.EMPTY
    shown = Drawn("layer", "fastest", "ms", "by estimate", "ms", box=None, pad_edge=False)
    for window in unique(layer for source in sources for layer in layers_of(source)):
        for operation, is_prepared in _wanted(is_all):
            table = measure(operation, window, np.dtype(dtype), is_prepared=is_prepared)
            _show(screen, shown, operation, window, np.dtype(dtype), is_prepared, table)
            found = found.merged(table)
    kept = tuned_files.read(path) if path.is_file() else tuned.EMPTY
    tuned_files.save(kept.merged(found), path)
    screen.show(shown)
    values = {
        "table": str(path),
        "rows": dict(found.rows),
        "milliseconds": dict(found.milliseconds),
    }
    screen.result(f"{len(found.rows)} measured, kept in {path}", values)


def _wanted(is_all: bool) -> list[tuple[str, bool]]:
    """Return what is measured of a layer: operations, and whether weights are prepared."""
    gradients = [(name, False) for name in OPERATIONS[1:]]
    return [("conv", False), ("conv", True), *(gradients if is_all else [])]


def _show(
    screen: Screen,
    shown: Drawn,
    operation: str,
    window: ConvWindow,
    dtype: np.dtype[np.generic],
    is_prepared: bool,
    table: tuned.Table,
) -> None:
    """Add a line: the fastest row, and beside it the one that the estimates take."""
    ((key, fastest),) = table.rows.items()
    times = table.milliseconds[key]
    isa = settings.settings().isa
    else_ = choose(operation, window, dtype, isa=isa, prepared=is_prepared).name
    name, estimated = (row.removesuffix("_any_nchw") for row in (fastest, else_))
    other = ("", "") if else_ == fastest else (estimated, f"{times[else_]:.3f}")
    shown.add_row(short(key), name, f"{times[fastest]:.3f}", *other)
    screen.err.print(f"{key}: {fastest}", style="dim", soft_wrap=True)


def short(key: str) -> str:
    """Return a layer's key without what most layers have.

    >>> short("conv float32 3x8x8 4x3x3x3 stride=1,1 pads=1:1,1:1 dilation=1,1 groups=1 prepared")
    'conv 3x8x8 4x3x3x3 pads=1:1,1:1 prepared'
    """
    usual = {"float32", "groups=1"}
    return " ".join(
        word
        for word in key.split()
        if word not in usual and not re.fullmatch(r"(stride|dilation)=1(,1)*|pads=0:0(,0:0)*", word)
    )


def layers_of(source: str) -> Iterator[ConvWindow]:
    """Return the convolutions of a list, of a network of the zoo, or of a file."""
    if source in NETWORKS:
        return convolutions(sketch(source))
    if source.endswith(".txt"):
        return listed(source)
    return convolutions(load(file_of(source), unknown=True))


def unique(windows: Iterable[ConvWindow]) -> list[ConvWindow]:
    """Return each layer once, for one image."""
    return list(dict.fromkeys(replace(window, batch=1) for window in windows))


def convolutions(graph: Graph) -> Iterator[ConvWindow]:
    """Return the geometry of each convolution whose shapes are known."""
    shapes = known_shapes(graph)
    for node in graph.nodes:
        if isinstance(node.operator, ops.Conv):
            x, w = (shapes.get(name) for name in node.inputs[:2])
            if x is None or w is None or not all(isinstance(size, int) for size in x[1:]):
                continue
            window = node.operator.window(x, w)
            image = np.broadcast_to(np.float32(0), window.x_shape)
            yield node.operator.padded(window, image)[0]


def listed(path: str) -> Iterator[ConvWindow]:
    """Return the convolutions of a text file; lines that are empty or begin with # are left out.

    Raises
    ------
    KernelError
        A line is not written like a layer.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise KernelError(message(path, "cannot be read", {"reason": error.strerror})) from error
    for number, line in enumerate(lines, start=1):
        if line.strip() and not line.lstrip().startswith("#"):
            try:
                yield parsed(line)
            except (ValueError, FaltungError) as error:
                rule, cure = "is not written like a layer", "Write 64 64 56x56 3x3 1 1 1 1"
                values = {"line": repr(line)}
                raise KernelError(message(f"{path}:{number}", rule, values, cure)) from error


def parsed(line: str) -> ConvWindow:
    """Return the layer that the last fields of a line are.

    >>> parsed("my layer 64 32 56x56 3x3 1 1 1 1").out_shape
    (1, 32, 56, 56)
    """
    inputs, outputs, space, kernel, *slide = line.split()[-FIELDS:]
    stride, padding, dilation, groups = map(int, slide)
    c, o = int(inputs), int(outputs)
    sizes, taps = (tuple(map(int, text.split("x"))) for text in (space, kernel))
    shapes = (1, c, *sizes), (o, c // max(1, groups), *taps)
    return ConvWindow.of(*shapes, stride=stride, padding=padding, dilation=dilation, groups=groups)
