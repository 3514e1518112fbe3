"""What ONNX Runtime makes of a model as it is written: no node fused, folded or moved."""

from __future__ import annotations

from collections.abc import Mapping

import onnx
import onnxruntime

from faltung.ops.operator import Array


def as_written(model: onnx.ModelProto) -> onnxruntime.InferenceSession:
    """Return a session that runs the nodes one by one.

    Parameters
    ----------
    model
        Is not changed.
    """
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(model.SerializeToString(), options)


def every_value(model: onnx.ModelProto, feeds: Mapping[str, Array]) -> dict[str, Array]:
    """Return the first output of every node, by name.

    The other outputs of these networks are masks of a Dropout that drops nothing.

    Parameters
    ----------
    model
        Is not changed.
    feeds
        Its inputs by name.
    """
    names = [node.output[0] for node in model.graph.node]
    declared = [value.name for value in model.graph.output]
    more = (onnx.ValueInfoProto(name=name) for name in names if name not in declared)
    model.graph.output.extend(more)
    try:
        session = as_written(model)
    finally:
        del model.graph.output[len(declared) :]
    return dict(zip(names, session.run(names, dict(feeds)), strict=True))
