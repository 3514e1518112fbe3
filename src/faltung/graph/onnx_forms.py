"""GroupNormalization as operator sets 18 to 20 had it, and ONNX has given up."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx

from faltung.ops.operator import Array, Shape

SINCE: dict[str, int] = {"GroupNormalization": 21}
"""The operator set from which on the form that we have is ONNX's."""


def checkable(model: onnx.ModelProto, opset: int) -> onnx.ModelProto:
    """Return a model for ONNX's checker, which refuses forms that it has given up.

    Parameters
    ----------
    model
        Is not changed; it comes back itself where nothing of it is of such a form.
    opset
        Its operator set.
    """
    given_up = {kind for kind, since in SINCE.items() if 18 <= opset < since}
    if given_up.isdisjoint(node.op_type for node in model.graph.node):
        return model
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    for node in copy.graph.node:
        if node.op_type in given_up:
            node.op_type = "InstanceNormalization"  # of the same inputs
            kept = [a for a in node.attribute if a.name == "epsilon"]
            del node.attribute[:]
            node.attribute.extend(kept)
    return copy


def by_channel(
    proto: onnx.NodeProto, opset: int, arrays: Mapping[str, Array], shapes: Mapping[str, Shape]
) -> tuple[onnx.NodeProto, dict[str, Array]]:
    """Return a GroupNormalization whose scale and bias are those of channels, and these arrays.

    Operator sets 18 to 20 have one scale and one bias for a group of channels. Where they are
    constants, they are repeated, under new names; the node stays what it is where they are not.

    Parameters
    ----------
    proto
        Any node.
    opset
        The model's operator set.
    arrays, shapes
        What is known of its inputs, by name.
    """
    x = shapes.get(proto.input[0]) if proto.input else None
    old = opset < SINCE.get(proto.op_type, 0) and proto.domain in ("", "ai.onnx")
    if not old or x is None or len(x) < 2 or not isinstance(x[1], int):
        return proto, {}
    groups = next((int(a.i) for a in proto.attribute if a.name == "num_groups"), 0)
    given = [arrays[name] for name in proto.input[1:3] if name in arrays]
    of_groups = len(given) == 2 and all(a.shape == (groups,) for a in given)
    if not of_groups or not groups or groups == x[1] or x[1] % groups:
        return proto, {}
    rewritten = onnx.NodeProto()
    rewritten.CopyFrom(proto)
    each = x[1] // groups
    made = {f"{n}.by_channel": np.repeat(arrays[n], each) for n in proto.input[1:3]}
    rewritten.input[1:] = [f"{n}.by_channel" for n in proto.input[1:3]]
    return rewritten, made
