"""The page of the documentation that says how real networks compare, made of what was computed."""

from __future__ import annotations

import functools
import platform
from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import onnx
import onnxruntime

from faltung.graph.onnx import from_model
from faltung.ops.operator import Array
from faltung.testing.agreement import agreement
from faltung.testing.real_networks import reading
from faltung.testing.real_networks.pictures import pictures
from faltung.testing.real_networks.reference import drawn_inputs, reference_network
from faltung.testing.real_networks.runtime import as_written, every_value

MOST: Final = 1e-4
"""Of the largest value, how far two runtimes may be apart."""


class ReferenceRow(NamedTuple):
    """One reference network: shares of the bound, bounds beside values, distance at the end."""

    name: str
    nodes: int
    constants: int
    ours: float
    theirs: float
    bound: float
    apart: float
    passed: bool


class ReadingRow(NamedTuple):
    """One call of a trained network: largest errors beside the largest value."""

    picture: str
    network: str
    shape: tuple[int, ...]
    apart: float
    ours: float
    theirs: float
    optimised: float
    stored: float

    @property
    def passed(self) -> bool:
        """Whether it keeps the rule that the page states."""
        return self.apart <= MOST or self.ours <= max(MOST, self.theirs)


class TextRow(NamedTuple):
    """What was read in one picture, and whether both runtimes found the same boxes and text."""

    picture: str
    words: tuple[str, ...]
    same: bool


def reference_row(name: str) -> ReferenceRow:
    """Compare one of the reference networks."""
    model = reference_network(name)
    feeds = drawn_inputs(model)
    values = every_value(model, feeds)
    graph = from_model(model)
    del model
    found = agreement(graph, feeds, values)
    ours, theirs, bound = (
        max(getattr(node, field) for node in found.nodes) for field in ("ours", "theirs", "bound")
    )
    apart = found.apart or 0.0
    return ReferenceRow(
        name, len(found.nodes), found.constants, ours, theirs, bound, apart, found.passed
    )


@functools.cache
def _readings() -> tuple[tuple[str, Any, Any], ...]:
    ours, theirs = reading.reader(reading.in_faltung), reading.reader(reading.in_onnx_runtime)
    return tuple((p.name, ours.read(p.image), theirs.read(p.image)) for p in pictures())


def text_rows() -> list[TextRow]:
    """Read every picture in both runtimes."""
    rows = []
    for name, ours, theirs in _readings():
        same = np.array_equal(ours.boxes, theirs.boxes) and ours.words == theirs.words
        rows.append(TextRow(name, ours.words, bool(same)))
    return rows


def reading_rows() -> list[ReadingRow]:
    """Compare what each of the trained networks gave, call by call."""
    rows = []
    for name, ours, theirs in _readings():
        for network, calls in ours.calls.items():
            for call, other in zip(calls, theirs.calls[network], strict=True):
                figures = _distances(network, call.x, call.y, other.y)
                rows.append(ReadingRow(name, network, call.x.shape, *figures))
    return rows


def _distances(network: str, x: Array, ours: Array, optimised: Array) -> tuple[float, ...]:
    path = reading.MODELS[network]
    (written,) = as_written(onnx.load(path)).run(None, {"x": x})
    (exact,) = reading.in_faltung(str(path), "float64").run(None, {"x": x.astype(np.float64)})
    stored = reading.stored_in_float32(network, x)
    pairs = (
        (ours, written),
        *((y, exact) for y in (ours, written, optimised, stored)),
    )
    return tuple(float(np.abs(a - b).max() / np.abs(b).max()) for a, b in pairs)


def reference_table(rows: Iterable[ReferenceRow]) -> str:
    """Return the table of the nine networks."""
    header = ("network", "nodes", "constants", "faltung", "ONNX Runtime", "bound", "end to end")
    cells = [
        (
            row.name if row.passed else f"{row.name} (differs)",
            f"{row.nodes:,}",
            f"{row.constants:,}",
            f"{row.ours:.1%}",
            f"{row.theirs:.1%}",
            f"{row.bound:.1e}",
            f"{row.apart:.1e}",
        )
        for row in rows
    ]
    return _markdown(header, cells)


def _markdown(header: Sequence[str], rows: Iterable[Sequence[str]], words: int = 1) -> str:
    """Return a table; all but the first columns are numbers."""
    rule = ["---"] * words + ["---:"] * (len(header) - words)
    return "\n".join(f"| {' | '.join(row)} |" for row in (header, rule, *rows))


def page(
    references: Sequence[ReferenceRow], texts: Sequence[TextRow], readings: Sequence[ReadingRow]
) -> str:
    """Return the page.

    Parameters
    ----------
    references, texts, readings
        What `reference_row`, `text_rows` and `reading_rows` returned.
    """
    said = [
        (row.picture, "same" if row.same else "different", " · ".join(row.words)) for row in texts
    ]
    called = [
        (
            row.picture,
            row.network if row.passed else f"{row.network} (differs)",
            "×".join(map(str, row.shape)),
            *(f"{x:.1e}" for x in row[3:]),
        )
        for row in readings
    ]
    versions = f"onnx {onnx.__version__}, ONNX Runtime {onnxruntime.__version__}"
    return PAGE.format(
        versions=f"{versions}, {platform.machine()}",
        references=reference_table(references),
        most=MOST,
        further=_further(readings),
        broken="; ".join(f"{r.network}, {r.picture}" for r in readings if not r.passed) or "none",
        texts=_markdown(("picture", "boxes and text", "what was read"), said, words=3),
        readings=_markdown(
            (
                *("picture", "network", "input", "apart", "faltung", "ONNX Runtime"),
                *("optimised", "stored"),
            ),
            called,
            words=3,
        ),
    )


def _further(readings: Sequence[ReadingRow]) -> str:
    named = [
        f"{row.network}, {row.picture} (faltung {row.ours:.1e} from float64, "
        f"ONNX Runtime {row.theirs:.1e})"
        for row in readings
        if row.apart > MOST
    ]
    return "; ".join(named) or "none"


PAGE = """\
# Real networks

`make real-networks` compares faltung with ONNX Runtime on networks that others made, and writes
this page ({versions}).

## The nine reference networks of the package onnx

As they come, all of their weights are 0.02, and what they should give is one number repeated. Here
they have drawn weights: He-scaled kernels, positive variances, random running means. ONNX Runtime
runs them node by node, without its optimisations. Each node is then given ONNX Runtime's inputs, in
faltung and in float64, and both results must lie within `γ_k Σ|terms|` of the float64 value, value
by value, k being the roundings of that node.

- *nodes*: all that are computed; *constants*: values that faltung computes once, when it reads the
  file, and that are exactly ONNX Runtime's.
- *faltung*, *ONNX Runtime*: the largest share of the bound that an error takes, over all values of
  all nodes. A single product or sum of two numbers may take all of it.
- *bound*: the largest bound of any node beside the largest value of that node.
- *end to end*: the network run as a whole, so that errors add up: the largest difference at any
  node beside the largest value there.

{references}

Controls: with one kernel flipped, or two channels swapped, in the first, the middle or the last
convolution, each of the nine fails at that node and at no other (`tests/real_networks`).

## Three trained networks that read text

The detector, the classifier and the recogniser that come with rapidocr-onnxruntime, on pictures
with words drawn into them. rapidocr does all the rest; its networks run in faltung, or in ONNX
Runtime.

{texts}

Each call of a network, the largest error beside the largest value of the output: *apart*, faltung
from ONNX Runtime, which runs the file as it is written; then how far from the float64 value are
*faltung*, *ONNX Runtime*, ONNX Runtime *optimised*, as rapidocr sets it, and *stored*: every node
computed in float64, and its values kept in float32.

The rule: faltung and ONNX Runtime are at most {most:.0e} apart; where they are further apart,
faltung is no further from the float64 value than {most:.0e}, or than ONNX Runtime is. All pictures
that were drawn are kept. Calls that are further apart than {most:.0e}: {further}.
Calls that break the rule: {broken}.

The networks make much of little where they are undecided: *stored* says what is left of what
float32 rounds off when no operator adds to it. The recogniser on the page upside down is undecided
about one space: there *stored*, rounded up or down at random, left 4e-06 to 7e-05 in six draws.
faltung's convolutions are as exact as ONNX Runtime's, as both sum in runs of 128 terms; of its own
roundings, several forms of the same sums left 5e-05 to 1.5e-04 there.

{readings}
"""
