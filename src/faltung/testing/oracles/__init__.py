"""What each operator should have computed, from the definitions in `faltung.reference`.

An oracle reads the operator's fields as its user wrote them and makes padding explicit by itself:
it shares neither geometry nor kernels with what it checks. Beside the values it says how large
the terms are that were summed, and how many: the bound on what rounding may do follows from these.
"""

from __future__ import annotations

from faltung.ops import OPERATORS
from faltung.ops.operator import AbstractOperator
from faltung.testing.oracles import (
    convolution,
    curves,
    dense,
    local,
    moving,
    normalisation,
    pointwise,
    pooling,
    quantized,
    resized,
    standard,
    suppressed,
)
from faltung.testing.oracles.expected import Expected as Expected
from faltung.testing.oracles.expected import Inputs as Inputs
from faltung.testing.oracles.expected import Oracle as Oracle

_ORACLES: dict[str, Oracle] = {
    **convolution.ORACLES,
    **pooling.ORACLES,
    **dense.ORACLES,
    **pointwise.ORACLES,
    **curves.ORACLES,
    **normalisation.ORACLES,
    **moving.ORACLES,
    **local.ORACLES,
    **quantized.ORACLES,
    **resized.ORACLES,
    **standard.ORACLES,
    **suppressed.ORACLES,
}


def oracle_of(operator: AbstractOperator) -> Oracle | None:
    """Return the oracle of an operator of ours that `faltung.reference` defines, or None."""
    ours = OPERATORS.get(operator.onnx_type) is type(operator)
    return _ORACLES.get(operator.onnx_type) if ours else None
