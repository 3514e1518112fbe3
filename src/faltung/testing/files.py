"""ONNX: an operator written as standard nodes and read back is the same operator."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from faltung.errors import GraphError
from faltung.graph import Graph
from faltung.graph.onnx import from_model, to_model
from faltung.ops.operator import AbstractOperator, Shape
from faltung.testing.cases import Case
from faltung.testing.compare import assert_exact, assert_same_bits, require
from faltung.testing.data import draw, draw_like
from faltung.testing.onnx_model import evaluate_by_onnx, graph_of, is_evaluated
from faltung.testing.oracles import oracle_of
from faltung.testing.running import naming, run
from faltung.testing.values import compare_with, definition

SPELLINGS: Final = frozenset(
    ("kernel_size", "stride", "padding", "output_padding", "dilation", "ceil_mode", "perm")
)
"""Fields that say one geometry in several ways: a word, a number, a number for each axis."""


def check_onnx(case: Case) -> None:
    """Write the operator as an ONNX model, have it checked, run it elsewhere, read it back.

    The model that is read gives the same values and gradients, and writing it again gives the same
    nodes. Where one node says it all, the values are the same to the bit, and the operator that is
    read is the one that was written: equal in every field, but for geometry that may be spelt in
    several ways, which has to give the same shapes, taps and counts. ONNX's reference evaluator,
    where it is known to be right, gives the values of the definition.
    """
    with naming("check_onnx", case):
        if _is_refused(case):
            return
        for dtype in (np.float32, np.float64):
            graph = graph_of(case, dtype)
            model = to_model(graph)
            back = from_model(model)
            _require_same_results(case, back, dtype)
            again = to_model(back)
            require(again.graph.node == model.graph.node, "written again, the nodes differ")
        if len(back.nodes) == 1:
            _require_equal(case, back.nodes[0].operator)
        _check_by_evaluator(case)


def _is_refused(case: Case) -> bool:
    """Whether ONNX's shape inference refuses the case; it may where an axis is empty."""
    outs = case.operator.out_shapes(case.in_shapes)
    if all(0 not in shape for shape in (*case.in_shapes, *outs)):
        return False
    try:
        to_model(graph_of(case))
    except GraphError as error:
        return "ONNX does not accept" in str(error)
    return False


def _require_same_results(case: Case, back: Graph, dtype: Any) -> None:
    # Several nodes may round in another order, but not on whole numbers.
    inputs = draw(case, "reals" if len(back.nodes) == 1 else "integers", dtype)
    same = assert_same_bits if len(back.nodes) == 1 else assert_exact
    done = run(case, inputs)
    feeds = {f"x{i}": x for i, x in enumerate(inputs)}
    outputs = back(feeds)
    for i, y in enumerate(outputs if isinstance(outputs, tuple) else (outputs,)):
        same(y, done.outputs[i], f"output {i}, read back in {np.dtype(dtype)}")
    douts = draw_like(case, done.outputs)
    read = back.gradients(feeds, {f"y{i}": dout for i, dout in enumerate(douts)})
    for i, dx in enumerate(done.gradients(douts)):
        if dx is not None:
            same(read[f"x{i}"], dx, f"gradient {i}, read back in {np.dtype(dtype)}")


def _require_equal(case: Case, back: AbstractOperator) -> None:
    mine = case.operator
    require(type(back) is type(mine), f"read back, it is a {type(back).__name__}")
    for field in dataclasses.fields(mine):
        a, b = getattr(mine, field.name), getattr(back, field.name)
        if field.compare and field.name not in SPELLINGS:
            require(a == b, f"read back, {field.name} is {b!r}, not {a!r}")
    shapes = case.in_shapes
    outs, read = mine.out_shapes(shapes), back.out_shapes(shapes)
    require(_nameless(read) == _nameless(outs), f"read back, it gives {read}")
    require(back.cost(shapes) == mine.cost(shapes), f"read back, it costs {back.cost(shapes)}")
    for index in np.ndindex(*(min(n, 2) if isinstance(n, int) else 1 for n in outs[0])):
        a, b = mine.taps(shapes, index), back.taps(shapes, index)
        require(a == b, f"read back, output {index} has the taps {b}, not {a}")


def _nameless(shapes: Sequence[Shape]) -> list[list[int | None]]:
    """Leave out what sizes are called that nobody knows before: a file may rename them."""
    return [[n if isinstance(n, int) else None for n in shape] for shape in shapes]


def _check_by_evaluator(case: Case) -> None:
    """Compare with the definition; in float32, as ONNX's attributes are."""
    # Where there is no other definition, `check_values` has compared with the evaluator.
    if oracle_of(case.operator) is not None and is_evaluated(case):
        for kind in ("integers", "reals"):
            inputs = draw(case, kind, np.float32)
            got = evaluate_by_onnx(case, inputs)
            compare_with(got, definition(case, inputs), np.float32, "ONNX's reference evaluator")
