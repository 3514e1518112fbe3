"""A model of one node, for the peers that read ONNX."""

from __future__ import annotations

import onnx
from onnx import TensorProto, helper, numpy_helper

from benchmarks.peers.contract import need
from benchmarks.tasks import Task


def one_node(task: Task) -> bytes:
    """The convolution with constant weights, input "x", output "y"."""
    need(task.kind in ("conv", "transposed") and task.what == "prepared", "runs models alone")
    _, w = task.arrays()
    node = helper.make_node(
        "ConvTranspose" if task.kind == "transposed" else "Conv",
        ["x", "w"],
        ["y"],
        kernel_shape=task.kernel,
        strides=task.stride,
        pads=[*task.padding, *task.padding],
        dilations=task.dilation,
        group=task.groups,
    )
    ends = (("x", task.x_shape), ("y", task.y_shape))
    x, y = (helper.make_tensor_value_info(n, TensorProto.FLOAT, shape) for n, shape in ends)
    graph = helper.make_graph([node], "one", [x], [y], [numpy_helper.from_array(w, "w")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())
