"""Checks for operators: ours, and those that users add.

::

    from faltung.testing import check_operator

    check_operator(MyOperator)

runs every check on the operator's own `examples`. Each check takes one `Case`, so that a test can
be made of a check, a case, or a case that Hypothesis draws (`faltung.testing.strategies`).
``python -m faltung.testing.mutants`` plants bugs in every operator and counts those that the
checks find.
"""

from faltung.testing.adjoint import check_adjoint as check_adjoint
from faltung.testing.adjoint import linear_inputs as linear_inputs
from faltung.testing.cases import Case as Case
from faltung.testing.cases import cases_of as cases_of
from faltung.testing.checks import CHECKS as CHECKS
from faltung.testing.checks import check_operator as check_operator
from faltung.testing.checks import check_record as check_record
from faltung.testing.compare import assert_exact as assert_exact
from faltung.testing.compare import assert_same_bits as assert_same_bits
from faltung.testing.compare import assert_within as assert_within
from faltung.testing.compare import rounding_bound as rounding_bound
from faltung.testing.data import draw as draw
from faltung.testing.data import draw_like as draw_like
from faltung.testing.data import laid_out as laid_out
from faltung.testing.files import check_onnx as check_onnx
from faltung.testing.inputs import check_inputs as check_inputs
from faltung.testing.shapes import check_shapes as check_shapes
from faltung.testing.spans import check_spans as check_spans
from faltung.testing.taps import check_cost as check_cost
from faltung.testing.taps import check_dependencies as check_dependencies
from faltung.testing.training import check_training as check_training
from faltung.testing.values import check_gradients as check_gradients
from faltung.testing.values import check_values as check_values

__all__ = [
    "CHECKS",
    "Case",
    "assert_exact",
    "assert_same_bits",
    "assert_within",
    "cases_of",
    "check_adjoint",
    "check_cost",
    "check_dependencies",
    "check_gradients",
    "check_inputs",
    "check_onnx",
    "check_operator",
    "check_record",
    "check_shapes",
    "check_spans",
    "check_training",
    "check_values",
    "draw",
    "draw_like",
    "laid_out",
    "linear_inputs",
    "rounding_bound",
]
