"""The exercise on how far a chain of layers sees."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any, Final

from faltung.analysis import receptive_fields
from faltung.exercises.exercise import Exercise, Task
from faltung.exercises.marking import Marker, Mistake
from faltung.graph import layers as L
from faltung.report import Table

Layers = Sequence[tuple[int, int, int]]


def receptive_field(layers: Layers) -> int:
    """Return how many inputs one output of a chain sees, from its graph."""
    if not layers:
        return 1
    chain = L.Chain(*(L.Conv(1, k, stride=s, dilation=d, bias=False) for k, s, d in layers))
    size = 2 * sum(k * d for k, _, d in layers) * prod(s for _, s, _ in layers)
    graph = L.sketch(chain, (1, size))
    size_of = receptive_fields(graph)[graph.outputs[0]][0].size
    assert isinstance(size_of, int)
    return size_of


def _grown(layers: Layers, jump_of: Any, first: int = 1, own: Any = None) -> int:
    size, jumps = first, 1
    for k, s, d in layers:
        size += (own or (lambda k, d: (k - 1) * d))(k, d) * jump_of(s, jumps)
        jumps *= s
    return size


def _chains() -> list[dict[str, Any]]:
    chains: list[list[tuple[int, int, int]]] = [
        [(3, 1, 1), (3, 1, 1)],
        [(7, 2, 1), (3, 2, 1), (3, 1, 1)],
        [(3, 1, 2), (2, 2, 1), (5, 3, 2), (3, 1, 4)],
        [(4, 3, 1)],
        [],
    ]
    return [{"layers": chain} for chain in chains]


def seen(chain: tuple[tuple[int, int, int], ...], loose_chain: Any) -> dict[str, Any]:
    """Follow the field through a chain, and through one where strides matter."""
    rows = []
    for n, (k, s, d) in enumerate(chain, 1):
        jump = prod(stride for _, stride, _ in chain[: n - 1])
        rows.append([str(v) for v in (n, k, s, d, jump, receptive_field(chain[:n]))])
    header = ["layer", "kernel", "stride", "dilation", "jump before it", "field"]
    return {
        "table": Table(header, rows, left=()),
        "size": receptive_field(chain),
        "exact": receptive_field(loose_chain),
        "loose": _grown(loose_chain, lambda s, _: s),
        "loose_text": ", then ".join(f"{k}×{k} with stride {s}" for k, s, _ in loose_chain),
    }


RECEPTIVE_FIELD: Final = Exercise(
    name="receptive-field",
    title="The receptive field",
    group="Counting",
    question=(
        "Write receptive_field(layers): how many inputs along one axis an output of a chain of "
        "layers sees. Each layer is (kernel, stride, dilation)."
    ),
    hints=(
        "Without a layer an output sees itself: 1.",
        "How many inputs apart are two neighbours in the middle of the chain? That is the jump.",
    ),
    answer=(
        "Each layer adds (kernel − 1)·dilation·jump, the jump being the product of the strides of "
        "the layers before it.",
        "{table}",
        "A layer's own stride spreads its own outputs; only later layers feel it. With it instead, "
        "{loose_text} would see {loose}; exactly they see {exact}.",
    ),
    given={
        "chain": ((7, 2, 1), (3, 2, 1), (3, 1, 2)),
        "loose_chain": ((7, 2, 1), (3, 2, 1)),
    },
    compute=seen,
    task=Task(
        function="receptive_field",
        head='''
def receptive_field(layers):
    """Return how many inputs along one axis an output sees.

    `layers` is a list of (kernel, stride, dilation), the first layer first. An output
    of an empty list sees 1.
    """
''',
        body="""    size, jump = 1, 1
    for kernel, stride, dilation in layers:
        size += (kernel - 1) * dilation * jump
        jump *= stride
    return size
""",
        marker=Marker(
            receptive_field,
            _chains,
            (
                Mistake(
                    "It multiplies by the layer's own stride alone. What counts is the product of "
                    "the strides of the layers before it.",
                    lambda layers: _grown(layers, lambda s, _: s),
                ),
                Mistake(
                    "The layer's own stride is in the product already: multiply the jump by it "
                    "after the layer's size was added.",
                    lambda layers: _grown(layers, lambda s, jump: jump * s),
                ),
                Mistake(
                    "It begins with 0: without a layer an output sees 1 input, itself.",
                    lambda layers: _grown(layers, lambda s, jump: jump, 0),
                ),
                Mistake(
                    "The strides are forgotten: behind a stride of 2 neighbours are 2 inputs "
                    "apart.",
                    lambda layers: _grown(layers, lambda s, jump: 1),
                ),
                Mistake(
                    "The dilation is forgotten: it spreads the kernel's taps, (kernel − "
                    "1)·dilation.",
                    lambda layers: _grown(layers, lambda s, jump: jump, own=lambda k, d: k - 1),
                ),
                Mistake(
                    "Each layer adds too much: a kernel adds its size less 1, since one of its "
                    "taps is seen already.",
                    lambda layers: _grown(layers, lambda s, jump: jump, own=lambda k, d: k * d),
                ),
                Mistake(
                    "The layers are taken in reverse: the strides of the layers before count, not "
                    "of those behind.",
                    lambda layers: _grown(layers[::-1], lambda s, jump: jump),
                ),
            ),
            wants="one number",
        ),
    ),
)
