"""Windows that nobody thought of: the same checks on uses that Hypothesis draws."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from faltung.ops import AveragePool, Conv, ConvTranspose, MaxPool
from faltung.ops.operator import AbstractOperator
from faltung.testing import (
    Case,
    check_cost,
    check_dependencies,
    check_gradients,
    check_inputs,
    check_onnx,
    check_shapes,
    check_spans,
    check_values,
)
from faltung.testing.strategies import window_uses

QUICK = (check_shapes, check_values, check_gradients, check_spans, check_cost, check_onnx)
SLOW = (check_dependencies, check_inputs)


@pytest.mark.parametrize("operator", [Conv, ConvTranspose, MaxPool, AveragePool])
@pytest.mark.parametrize("checks", [QUICK, SLOW], ids=["quick", "slow"])
def test_a_drawn_window_passes(
    operator: type[AbstractOperator], checks: tuple[Callable[[Case], None], ...]
) -> None:
    @settings(max_examples=40 if checks is QUICK else 8, suppress_health_check=list(HealthCheck))
    @given(st.data())
    def every(data: st.DataObject) -> None:
        case = data.draw(window_uses(operator))
        for check in checks:
            check(case)

    every()
