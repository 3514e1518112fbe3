"""From a network to what runs it fast, or trains it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, overload

from faltung.errors import GraphError, message
from faltung.graph.graph import Graph
from faltung.graph.unknown import check_known
from faltung.ops.operator import Shape
from faltung.plan.plan import Plan
from faltung.plan.training import TrainingPlan
from faltung.plan.weights import simplified


@overload
def compile(  # noqa: A001 - the word that users know
    graph: Graph,
    input_shape: Shape | Mapping[str, Shape] | None = ...,
    *,
    exact: bool = ...,
    choices: Mapping[str, str] | None = ...,
    training: Literal[False] = ...,
) -> Plan: ...


@overload
def compile(  # noqa: A001
    graph: Graph,
    input_shape: Shape | Mapping[str, Shape] | None = ...,
    *,
    exact: bool = ...,
    training: Literal[True],
) -> TrainingPlan: ...


def compile(  # noqa: A001
    graph: Graph,
    input_shape: Shape | Mapping[str, Shape] | None = None,
    *,
    exact: bool = False,
    choices: Mapping[str, str] | None = None,
    training: bool = False,
) -> Plan | TrainingPlan:
    """Make a network ready to run fast on inputs of a shape.

    Parameters
    ----------
    graph
        Any network.
    input_shape
        ``(N, C, *space)``, by input where there are several; the declared one if left out.
    exact
        Keep to algorithms whose error is that of direct summation.
    choices
        Kernels by stage, as `Plan.choices` gives them; what is not named is chosen.
    training
        Make it ready to be trained, step by step.

    Returns
    -------
    Plan or TrainingPlan
        A plan is called as the graph is; a training plan has `TrainingPlan.forward` and
        `TrainingPlan.backward`.

    Raises
    ------
    GraphError
        A size of the inputs is left open, or ``choices`` names a step that there is not.
    KernelError
        A kernel in ``choices`` does not exist, or does not take its stage.

    Examples
    --------
    >>> import numpy as np
    >>> from faltung.graph.layers import Chain, Conv, Relu, build
    >>> net = build(Chain(Conv(2, 3, padding=1), Relu()), (1, 8, 8))
    >>> plan = compile(net, (1, 1, 8, 8))
    >>> x = np.ones((1, 1, 8, 8), np.float32)
    >>> bool(np.allclose(plan(x), net(x)))
    True
    >>> step = compile(net, (1, 1, 8, 8), training=True)
    >>> y = step.forward(x)["relu1"]
    >>> {name: gradient.shape for name, gradient in step.backward({"relu1": y}).items()}
    {'conv1.weight': (2, 1, 3, 3), 'conv1.bias': (2,)}
    """
    sized = graph if input_shape is None else graph.with_input_shape(input_shape)
    for value in sized.inputs:
        if not all(isinstance(n, int) for n in value.shape):
            rule = "every size of the inputs must be a number"
            values = {value.name: value.shape}
            cure = "Give the input's shape, as in compile(graph, (1, 3, 224, 224))"
            raise GraphError(message("compile", rule, values, cure))
    if training:
        return TrainingPlan(sized, exact=exact)
    check_known(sized, "compile")
    simpler, weights = simplified(sized)
    # Weights go as they are packed, unless somebody else holds the network.
    del graph, sized
    return Plan(simpler, weights, exact=exact, choices=choices)
