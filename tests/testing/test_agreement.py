"""Two runtimes at every node: what is right passes, what is wrong is told where it is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from faltung.graph.evaluate import evaluate
from faltung.graph.layers import Chain, Conv, MaxPool, Relu, build
from faltung.testing.agreement import Agreement, agreement, apart
from faltung.testing.rounding import error_bounds, node_bound

NET = build(Chain(Conv(4, 3, padding=1), Relu(), MaxPool(2)), (3, 6, 6), seed=0)
X = np.random.default_rng(0).standard_normal((2, 3, 6, 6)).astype(np.float32)


def values() -> dict[str, Any]:
    """What another runtime would give: the same sums, in another order."""
    given = {"x": X.astype(np.float64)}
    wide = evaluate(NET.astype("float64"), given, keep_all=True).values
    return {n.outputs[0]: wide[n.outputs[0]].astype(np.float32) for n in NET.nodes}


def compare(theirs: dict[str, Any], **given: Any) -> Agreement:
    return agreement(NET, {"x": X}, theirs, **given)


def test_what_agrees() -> None:
    found = compare(values())
    assert found.passed
    assert [n.node for n in found.nodes] == [n.name for n in NET.nodes]
    assert 0 < max(n.ours for n in found.nodes) <= 1
    assert found.apart == apart(NET, {"x": X}, values()) < 1e-6
    assert "All 3 nodes agree." in str(found)
    assert found.to_dict()["passed"] is True


@pytest.mark.parametrize("wrong", ["value", "nan", "shape", "moved"])
def test_what_is_wrong_is_told_where_it_is(wrong: str) -> None:
    theirs = values()
    conv, _, pool = (node.outputs[0] for node in NET.nodes)
    name = pool if wrong == "moved" else conv
    y = theirs[name].copy()
    if wrong == "shape":
        y = y[..., :1]
        node = NET.nodes[0].name
        found = compare({**theirs, name: y}, nodes={node})
    else:
        largest = np.unravel_index(np.abs(y).argmax(), y.shape)
        change = {"value": 1.001, "nan": np.nan, "moved": 1 + 2.0**-23}[wrong]
        y[largest] *= np.float32(change)
        node = NET.nodes[2 if wrong == "moved" else 0].name
        found = compare({**theirs, name: y})
    assert found.failures[0].node == node
    assert found.failures[0].theirs > 1
    assert not found.passed
    assert node in str(found)


def test_a_value_that_was_not_compared_is_no_success() -> None:
    found = compare({**values(), "elsewhere": X})
    assert found.unmatched == ("elsewhere",)
    assert not found.passed


def test_the_bound_of_a_node_is_that_of_a_graph_of_one() -> None:
    node = NET.nodes[0]
    inputs = [X, *(NET.params[name] for name in node.inputs[1:])]
    near = node_bound(node, inputs)
    value, error = error_bounds(NET, {"x": X})[node.outputs[0]][:2]
    assert np.array_equal(near.value, value)
    assert np.array_equal(near.error, error)
