"""The nine networks of the package onnx, with drawn weights: faltung beside ONNX Runtime."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from faltung.errors import GraphError
from faltung.graph.onnx import from_model
from faltung.testing.agreement import agreement, apart
from faltung.testing.real_networks.controls import WRONGS, broken, convolutions, liveliest
from faltung.testing.real_networks.reference import NAMES, drawn_inputs, reference_network

NODES = {
    "bvlc_alexnet": 24,
    "densenet121": 668,
    "inception_v1": 143,
    "inception_v2": 371,
    "resnet50": 176,
    "shufflenet": 203,
    "squeezenet": 66,
    "vgg19": 46,
    "zfnet512": 22,
}
SLOW = ("vgg19", "zfnet512")
SUITE = [pytest.param(n, marks=[pytest.mark.long] if n in SLOW else []) for n in NAMES]


@pytest.mark.parametrize("name", SUITE)
def test_every_node_agrees_with_onnx_runtime(onnxruntime: ModuleType, name: str) -> None:
    from faltung.testing.real_networks.runtime import every_value

    model = reference_network(name)
    feeds = drawn_inputs(model)
    values = every_value(model, feeds)
    graph = from_model(model)
    nodes, constants = len(graph.nodes), len(model.graph.node) - len(graph.nodes)
    del model

    found = agreement(graph, feeds, values)
    assert found.passed, str(found)
    assert (nodes, len(found.nodes), found.constants) == (NODES[name], nodes, constants)
    # A bound tells right from wrong only while it is far below the values.
    assert max(node.bound for node in found.nodes) < 0.05
    assert found.apart is not None
    assert found.apart < 1e-4
    assert all(np.ptp(array) > 0 for array in values.values() if array.size > 1)

    # Controls: each wrong network is told at the node that is wrong, and nowhere else.
    places = convolutions(graph)
    for node in (places[0], places[len(places) // 2], places[-1]):
        at = graph.nodes.index(node)
        near = {n.name for n in graph.nodes[max(at - 3, 0) : at + 4]}
        channel = liveliest(values[node.outputs[0]])
        for wrong in WRONGS:
            other = broken(graph, node, wrong, channel)
            bad = agreement(graph, feeds, values, ours=other, nodes=near)
            assert [n.node for n in bad.failures] == [node.name], wrong
            assert bad.failures[0].theirs <= 1 < bad.failures[0].ours
    assert apart(other, feeds, values) > 1e-2


def test_the_weights_are_drawn() -> None:
    model, again, other = (reference_network("shufflenet", seed) for seed in (0, 0, 1))
    assert model == again
    assert model.graph.initializer != other.graph.initializer
    arrays = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "BatchNormalization":
            mean, variance = arrays[node.input[3]], arrays[node.input[4]]
            assert np.all(variance > 0)
            assert np.ptp(mean) > 0
        if node.op_type == "Conv":
            w = arrays[node.input[1]]
            size = np.sqrt(2 / np.prod(w.shape[1:]))
            # So many values that the spread of their spread is a few percent.
            assert w.std() == pytest.approx(size, rel=5 / np.sqrt(2 * w.size))
            assert len(np.unique(w)) > w.size // 2
    onnx.checker.check_model(model)


def test_a_network_that_is_not_there() -> None:
    with pytest.raises(GraphError, match="reference_network: the name must be known, got name=x"):
        reference_network("x")


def test_a_weight_of_an_operator_that_is_new(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{reference_network.__module__}._roles", lambda graph: {})
    with pytest.raises(GraphError, match="reference_network: a weight must have a role, got "):
        reference_network("squeezenet")


def test_stored_weights_tell_nothing(onnxruntime: ModuleType) -> None:
    """Why weights are drawn: with those of the file, swapped channels stay unseen."""
    from faltung.testing.real_networks.runtime import every_value

    model = reference_network("squeezenet")
    for tensor in model.graph.initializer:
        array = numpy_helper.to_array(tensor)
        if array.dtype == np.float32:
            tensor.CopyFrom(numpy_helper.from_array(np.full_like(array, 0.02), tensor.name))
    feeds, graph = drawn_inputs(model), from_model(model)
    values = every_value(model, feeds)
    node = convolutions(graph)[1]
    for wrong in WRONGS:
        same = agreement(
            graph, feeds, values, ours=broken(graph, node, wrong, 1), nodes={node.name}
        )
        assert not same.failures


def test_a_constant_that_differs_is_named(onnxruntime: ModuleType) -> None:
    from faltung.testing.real_networks.runtime import every_value

    model = reference_network("inception_v1")
    feeds, graph = drawn_inputs(model), from_model(model)
    values = every_value(model, feeds)
    (name,) = (n for n in values if n in graph.params)
    other = graph.replace(params={**graph.params, name: graph.params[name] + 1})
    found = agreement(graph, feeds, values, ours=other)
    assert found.unmatched == (name,)
    assert not found.passed
    assert name in str(found)


def test_the_page(onnxruntime: ModuleType, rapidocr: ModuleType) -> None:
    from faltung.testing.real_networks.page import ReadingRow, ReferenceRow, TextRow, page

    references = [
        ReferenceRow("a", 3, 1, 0.5, 0.25, 1e-3, 1e-6, True),
        ReferenceRow("b", 3, 1, 1.5, 0.25, 1e-3, 1e-6, False),
    ]
    texts = [TextRow("bill", ("two", "rolls"), True), TextRow("night", (), False)]
    readings = [ReadingRow("bill", "detector", (1, 3, 32, 64), 1e-5, 2e-5, 3e-5, 4e-5, 5e-5)]
    text = page(references, texts, readings)
    assert "| a | 3 | 1 | 50.0% | 25.0% | 1.0e-03 | 1.0e-06 |" in text
    assert "| b (differs) | 3 |" in text
    assert "| bill | same | two · rolls |" in text
    assert "| night | different |  |" in text
    assert (
        "| bill | detector | 1×3×32×64 | 1.0e-05 | 2.0e-05 | 3.0e-05 | 4.0e-05 | 5.0e-05 |" in text
    )
