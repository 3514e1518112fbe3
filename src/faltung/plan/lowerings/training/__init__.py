"""Training, one small module for each operator family: its forward and backward side by side.

A lowering is a function of a stage and a `Tape`. It writes down what computes the stage, and
returns what writes down the way back, given the name of the output's gradient; or None, before it
has written anything, where it does not take the stage. What has none runs through the operator's
own `forward` and `backward`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import Final

from faltung.ops.operator import AbstractOperator
from faltung.plan.stages import Stage
from faltung.plan.tape import Tape

Backward = Callable[[str], None]
Lowering = Callable[[Stage, Tape], Backward | None]

LOWERINGS: Final = {
    "Conv": "conv:train_conv",
    "Gemm": "dense:train_gemm",
    "BatchNormalization": "norm:train_norm",
    "MaxPool": "pool:train_max_pool",
    "AveragePool": "pool:train_average_pool",
    "GlobalAveragePool": "pool:train_mean",
    "AbstractReshape": "moves:train_view",
    "AbstractSqueeze": "moves:train_view",
    "Concat": "moves:train_concat",
    "Pad": "moves:train_pad",
    "Relu": "chain:train_relu",
    "LeakyRelu": "chain:train_function",
    "Sigmoid": "chain:train_function",
    "Tanh": "chain:train_function",
    "Dropout": "chain:train_dropout",
    "Add": "chain:train_add",
    "Sub": "chain:train_fixed",
    "Mul": "chain:train_fixed",
    "Div": "chain:train_fixed",
}
"""By the operator's class, or one that it inherits from: ``module:function``."""


def lowering_of(operator: AbstractOperator) -> Lowering | None:
    """Return how an operator is trained; None where it has no lowering."""
    for kind in type(operator).__mro__:
        if kind.__name__ in LOWERINGS:
            return _function(LOWERINGS[kind.__name__])
    return None


@cache
def _function(name: str) -> Lowering:
    module, _, function = name.partition(":")
    lowering: Lowering = getattr(import_module(f"{__name__}.{module}"), function)
    return lowering
