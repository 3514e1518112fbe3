"""How far rounding may move every value of a graph: the bound that two runtimes are held to.

The graph is evaluated in float64, and beside each value goes the most that an evaluation in float32
may differ from it, whatever the order of its sums. So two runtimes are not compared with each
other, within a tolerance that somebody liked, but each with the one number both have to be near.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from faltung.errors import GraphError, message
from faltung.geometry import ConvWindow
from faltung.graph import Graph, Node
from faltung.kernels.registry import Row
from faltung.ops import dispatch
from faltung.ops.operator import Array
from faltung.testing.near import FLOAT as FLOAT
from faltung.testing.near import FOLDED, Near, exactly, rounded, run
from faltung.testing.random_kernels.oracle import block_sums
from faltung.testing.rounding_rules import RULES as RULES


def error_bounds(
    graph: Graph, feeds: Mapping[str, Array], *, choices: Mapping[str, str] | None = None
) -> dict[str, Near]:
    """Return every value of a graph, and how far rounding may move it.

    Parameters
    ----------
    graph
        In float32 or float64.
    feeds
        Its inputs by name, as they are given: exact.
    choices
        Rows by the name of the step, as `Plan.choices` has them; convolutions that are not among
        them take the row that is chosen now, as the interpreter does. Without any all sums are
        direct ones.

    Returns
    -------
    dict
        Of `Near` by the value's name.

    Raises
    ------
    GraphError
        An operator whose rounding nobody has described.

    Examples
    --------
    >>> from faltung.graph.layers import Chain, Relu, build
    >>> near = error_bounds(build(Chain(Relu(), Relu()), (1, 2)), {"x": np.float32([[[3, -1]]])})
    >>> near["relu2"].value.tolist(), near["relu2"].error.tolist()
    ([[[3.0, 0.0]]], [[[0.0, 0.0]]])
    """
    known = {**graph.params, **graph.state, **feeds}
    near = {name: exactly(array) for name, array in known.items()}
    # A step has the names of its nodes; what is lowered is the first.
    rows = {name.split(" + ")[0]: row for name, row in (choices or {}).items()}
    for node in graph.nodes:
        inputs = [near[name] for name in node.inputs]
        near[node.outputs[0]] = value_after(node, inputs)
        if choices is not None:
            shared = shared_error(node, inputs, rows.get(node.name, ""))
            near[node.outputs[0]].error[...] += shared
    return near


def node_bound(node: Node, inputs: Sequence[Array]) -> Near:
    """Return the first output of one node, and how far rounding in it alone may move that.

    Parameters
    ----------
    node
        Its operator must be one of `RULES`.
    inputs
        Taken as they are, without an error of their own: floats in float32, or whole numbers.

    Raises
    ------
    GraphError
        An operator whose rounding nobody has described.
    """
    wide = [x.astype(np.float64) if x.dtype.kind == "f" else x for x in inputs]
    return value_after(node, [Near(x, np.broadcast_to(0.0, x.shape)) for x in wide])


def value_after(node: Node, inputs: Sequence[Near]) -> Near:
    """Return the first output of a node whose inputs have errors; sums are direct ones."""
    rule = RULES.get(node.operator.onnx_type)
    if rule is None:
        values = {"operator": node.operator.onnx_type}
        raise GraphError(message("error_bounds", "it has no rule for this operator", values))
    y = run(node, *(x.value for x in inputs))
    with np.errstate(over="ignore"):
        return Near(y, np.array(rule(node, inputs, y)), inputs[0].dtype)


def shared_error(node: Node, inputs: Sequence[Near], imposed: str = "") -> Array | float:
    """How far the outputs of a block may be moved by rounding that they share.

    A row says by how much its algorithm may round more than a direct sum, and over which block: all
    that the block reads counts as much as the largest number there.
    """
    operator: Any = node.operator
    if operator.onnx_type not in ("Conv", "ConvTranspose"):
        return 0.0
    x, w, *b = (each.most for each in inputs)
    window = operator.window(x.shape, w.shape)
    if operator.onnx_type == "Conv":
        (window, x), operation, name = operator.padded(window, x), "conv", "x"
    else:
        window, operation, name = window.adjoint, "conv_dx", "dout"
    kind = inputs[0].dtype
    prepared = operation == "conv"
    row = dispatch.row_of(operation, window, kind, prepared=prepared, imposed=imposed)
    return block_error(row, window, {name: x, "w": w}, inputs[0], *b)


def block_error(
    row: Row | None, window: ConvWindow, sizes: Mapping[str, Array], like: Near, *bias: Array
) -> Array | float:
    """Return how far a row moves its results beyond what direct sums do.

    Parameters
    ----------
    row
        None for a definition.
    window
        Of the convolution.
    sizes
        What it reads, by the names of `block_sums`, as sizes.
    like
        In whose dtype it computes.
    bias
        What is added to each channel, if anything.
    """
    if row is None or row.is_exact or not all(array.size for array in sizes.values()):
        return 0.0
    total = block_sums(row.operation, row.block, window, sizes)
    for each in bias:
        total = total + each.reshape(-1, *(1 for _ in window.axes))
    return rounded(like, row.terms(window) + FOLDED, total) * row.growth(window)
