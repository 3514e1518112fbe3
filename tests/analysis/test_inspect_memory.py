"""Peak memory: against an allocator that is simulated, and against what a run really holds."""

from __future__ import annotations

import dataclasses
import sys
from typing import Any

import numpy as np
import pytest

from faltung import layers as L
from faltung import zoo
from faltung.analysis.inspect import inspect
from faltung.graph import Graph
from faltung.graph.evaluate import evaluate
from faltung.ops.elementwise import Identity


def random_graph(seed: int) -> Graph:
    """Values of several sizes with skips, unused outputs and a second input."""
    rng = np.random.default_rng(seed)
    values: list[Any] = [L.Input((2, 12), "x"), L.Input((2, 12), "z")]
    for _ in range(int(rng.integers(3, 12))):
        x = values[int(rng.integers(len(values)))]
        like = [v for v in values if v.shape == x.shape]
        other = like[int(rng.integers(len(like)))]
        kinds = [L.Relu(), L.Conv(int(rng.integers(1, 6)), 3, padding=1), L.Flatten(), L.Add()]
        layer: Any = kinds[int(rng.integers(4))]
        if len(x.shape) < 3:
            layer = L.Relu()
        values.append(layer(x, other) if layer == L.Add() else layer(x))
    ends = [values[-1], *(v for v in values[2:-1] if rng.random() < 0.2)]
    return L.build(list(dict.fromkeys(ends)))


def simulated(graph: Graph) -> int:
    """Every value is taken when it is made and freed after its last reader, by counting readers."""
    shapes: Any = graph.shapes()
    kept = {*graph.outputs, *graph.params, *graph.state}
    readers = {
        name: sum(name in node.inputs for node in graph.nodes)
        for node in graph.nodes
        for name in (*node.inputs, *node.outputs)
    }
    heap = {v.name: 4 * int(np.prod(shapes[v.name])) for v in graph.inputs}
    most = sum(heap.values())
    for node in graph.nodes:
        heap |= {name: 4 * int(np.prod(shapes[name])) for name in node.outputs}
        most = max(most, sum(heap.values()))
        for name in {*node.inputs, *node.outputs}:
            readers[name] -= name in node.inputs
            if name not in kept and readers[name] == 0:
                heap.pop(name)
    return most


@dataclasses.dataclass(frozen=True)
class Spy(Identity):
    """Another operator, that looks at what the interpreter holds once it has computed."""

    inner: Any = None
    seen: Any = None
    arity = (0, 100)

    def forward(self, inputs: Any, *, training: bool = False, key: Any = None) -> Any:
        done = self.inner.forward(inputs, training=training, key=key)
        frame: Any = sys._getframe()
        while frame.f_code.co_name != "evaluate":
            frame = frame.f_back
        held = sum(array.nbytes for array in frame.f_locals["values"].values())
        self.seen.append(held + sum(array.nbytes for array in done[0]))
        return done


def held(graph: Graph) -> int:
    """The most bytes that a run of the graph holds."""
    seen: list[int] = []
    nodes = tuple(dataclasses.replace(n, operator=Spy(n.operator, seen)) for n in graph.nodes)
    spied = dataclasses.replace(graph, nodes=nodes)
    evaluate(spied, {v.name: np.ones([int(n) for n in v.shape], v.dtype) for v in graph.inputs})
    return max(seen)


@pytest.mark.parametrize("seed", range(40))
def test_the_peak_is_what_a_run_holds(seed: int) -> None:
    report = inspect(random_graph(seed))
    peak = report.peak_memory
    assert peak.bytes == simulated(report.graph) == held(report.graph)
    assert sum(size for _, size in peak.alive) == peak.bytes
    assert [size for _, size in peak.alive] == sorted((s for _, s in peak.alive), reverse=True)
    assert peak.node in {node.name for node in report.graph.nodes}


def test_the_peak_of_lenet() -> None:
    graph = zoo.build("lenet5")
    report = inspect(graph)
    assert report.peak_memory.bytes == held(report.graph) == 2 * 4 * 6 * 28 * 28
    assert report.peak_memory.node == "tanh1"
    assert report.peak_memory.alive == (("C1", 18816), ("tanh1", 18816))


def test_inputs_count() -> None:
    report = inspect(L.build(L.Conv(1, 9), (1, 10)))
    assert report.peak_memory.bytes == 4 * (10 + 2)
    assert report.peak_memory.to_dict() == {
        "bytes": 48,
        "layer": "conv1",
        "alive": [{"value": "x", "bytes": 40}, {"value": "conv1", "bytes": 8}],
        "values_not_counted": 0,
    }
