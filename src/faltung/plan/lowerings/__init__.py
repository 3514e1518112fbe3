"""One small lowering for each operator family: from a stage and its arrays to what runs.

A lowering is a function of a stage and a `Room`; it returns a `Step`, or None where it does not
take the stage. What has none, or is not taken, runs through the operator's own `forward`.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Final

from faltung.ops.operator import AbstractOperator
from faltung.plan.room import Lowering

LOWERINGS: Final = {
    "Conv": "conv:lower_conv",
    "ConvTranspose": "conv:lower_conv_transpose",
    "Concat": "moves:lower_concat",
    "AbstractReshape": "moves:lower_view",
    "AbstractSqueeze": "moves:lower_view",
    "Identity": "moves:lower_part",
    "Pad": "moves:lower_pad",
    "Slice": "moves:lower_part",
    "Split": "moves:lower_part",
    "Expand": "moves:lower_part",
    "Transpose": "chain:lower_transpose",
    "Gemm": "dense:lower_gemm",
    "MatMul": "dense:lower_matmul",
    "MaxPool": "pool:lower_pool",
    "AveragePool": "pool:lower_pool",
    "GlobalAveragePool": "pool:lower_mean",
    "GlobalMaxPool": "pool:lower_largest",
    "ReduceMean": "pool:lower_mean",
    "LRN": "pool:lower_lrn",
    "Softmax": "pool:lower_softmax",
    "Resize": "larger:lower_resize",
    "DepthToSpace": "larger:lower_depth_to_space",
    **dict.fromkeys(
        (
            *("Add", "Sub", "Mul", "Div", "Sum", "Max", "Min", "PRelu", "Neg", "Abs", "Sqrt"),
            *(
                "Exp",
                "Pow",
                "Sigmoid",
                "Tanh",
                "Relu",
                "LeakyRelu",
                "Clip",
                "HardSigmoid",
                "HardSwish",
            ),
            *("HardSwish", "BatchNormalization"),
        ),
        "chain:lower_chain",
    ),
}
"""By the operator's class, or one that it inherits from: ``module:function``."""


def lowering_of(operator: AbstractOperator) -> Lowering | None:
    """Return how an operator is lowered; None where it has no lowering."""
    for kind in type(operator).__mro__:
        if kind.__name__ in LOWERINGS:
            return _function(LOWERINGS[kind.__name__])
    return None


@cache
def _function(name: str) -> Lowering:
    module, _, function = name.partition(":")
    lowering: Lowering = getattr(import_module(f"{__name__}.{module}"), function)
    return lowering
