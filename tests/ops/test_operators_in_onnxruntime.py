"""ONNX Runtime computes from the saved form of each operator what its definition says."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import pytest

from faltung.graph.onnx import to_model
from faltung.ops import OPERATORS
from faltung.testing import Case, cases_of, draw
from faltung.testing.onnx_model import graph_of
from faltung.testing.values import compare_with, definition

LIMITS = ("Pad should be smaller than kernel", "size_ % 2 == 1 was false")
"""What ONNX Runtime refuses, though ONNX allows it."""


def is_empty(case: Case) -> bool:
    shapes = (*case.in_shapes, *case.operator.out_shapes(case.in_shapes))
    return any(0 in shape for shape in shapes)


NEWEST = 25
"""The newest operator set that ONNX Runtime's stable versions read."""


def is_newer(case: Case) -> bool:
    return to_model(graph_of(case, np.float32)).opset_import[0].version > NEWEST


def run(onnxruntime: ModuleType, case: Case, inputs: tuple[Any, ...]) -> list[Any] | None:
    """What ONNX Runtime computes; None where it refuses to."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    model = to_model(graph_of(case, np.float32)).SerializeToString()
    try:
        session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except onnxruntime.capi.onnxruntime_pybind11_state.Fail as error:
        if any(limit in str(error) for limit in LIMITS):
            return None
        raise
    outputs: list[Any] = session.run(None, {f"x{i}": x for i, x in enumerate(inputs)})
    return outputs


@pytest.mark.parametrize("name", OPERATORS)
def test_saved_operator(name: str, onnxruntime: ModuleType) -> None:
    cases = [case for case in cases_of(OPERATORS[name]) if not (is_empty(case) or is_newer(case))]
    done = 0
    for case in cases:
        inputs = draw(case, "integers", np.float32)
        wanted = definition(case, inputs)
        if name == "Sigmoid":  # theirs is exact to a unit of 1, not of the value
            wanted = [want._replace(magnitude=np.ones_like(want.values)) for want in wanted]
        got = run(onnxruntime, case, inputs)
        if got is not None:
            compare_with(got, wanted, np.float32, str(case))
            done += 1
    assert done > 0.6 * len(cases)
