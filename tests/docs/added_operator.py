"""Run by `test_contributing.py` on a copy of the package that has one operator more.

``added_operator.py check NAME`` runs the checks that every operator passes;
``added_operator.py use NAME FOLDER`` uses it as a user would, ONNX Runtime included.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

import faltung
from faltung import layers as L
from faltung import ops
from faltung.ops.operator import AbstractOperator
from faltung.testing.cases import cases_of
from faltung.testing.checks import check_operator
from faltung.testing.compare import assert_same_bits, assert_within, rounding_bound
from faltung.testing.data import draw
from faltung.testing.onnx_model import graph_of
from faltung.testing.running import run

ROUNDINGS = 16  # two elementary functions, a difference and a product, on both sides


def use_in_a_network(operator: AbstractOperator, folder: Path) -> None:
    """Shapes, gradients, cost and spans of a network with it; the file gives the same bits."""
    chain = L.Chain(L.Conv(2, 3), L.Operation(operator), L.Conv(1, 3, stride=2), L.Flatten())
    net = L.build(chain, (1, 8, 8))
    name = operator.subject.lower() + "1"
    assert net.shapes()[name] == ("N", 2, 6, 6)
    assert faltung.receptive_fields(net)[name][0].size == 3
    row = next(layer for layer in faltung.summarize(net).layers if layer.name == name)
    assert (row.operator, row.params, row.cost.macs) == (operator.subject, 0, 0)
    x = np.random.default_rng(0).standard_normal((3, 1, 8, 8)).astype(np.float32)
    y = net(x)
    assert isinstance(y, np.ndarray)
    assert set(net.gradients(x, np.ones_like(y))) == {"x", *net.params}
    again = faltung.load(net.save(folder / "net.onnx"))
    assert next(node for node in again.nodes if node.name == name).operator == operator
    assert_same_bits(again(x), y)


def compare_with_runtime(cls: type[AbstractOperator], folder: Path) -> None:
    """ONNX Runtime computes from the file what the operator computes, but for rounding."""
    import onnxruntime

    for number, case in enumerate(cases_of(cls)):
        (x,) = inputs = draw(case, "reals", np.float32)
        path = graph_of(case, np.float32).save(folder / f"{number}.onnx")
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        (theirs,) = session.run(None, {"x0": x})
        # Each value is a product with at most e**|x|, or a difference of 1 and such a one.
        bound = rounding_bound(ROUNDINGS, 1 + np.exp(np.abs(x)), x.dtype)
        (ours,) = run(case, inputs).outputs
        assert_within(ours, theirs, bound, str(case))


def main(what: str, name: str, folder: str = ".") -> None:
    """Do one of the two."""
    cls = getattr(ops, name)
    assert ops.OPERATORS[name] is cls
    if what == "check":
        check_operator(cls)
    else:
        for example in cls.examples():
            use_in_a_network(example.operator, Path(folder))
        compare_with_runtime(cls, Path(folder))
    print("done with", faltung.__file__)


if __name__ == "__main__":
    main(*sys.argv[1:])
