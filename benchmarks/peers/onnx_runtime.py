"""ONNX Runtime: a model of one node, its input and output bound to memory that is used again."""

from __future__ import annotations

import numpy as np
import onnxruntime

from benchmarks.peers.contract import Call
from benchmarks.peers.onnx_model import one_node
from benchmarks.tasks import Task


def version() -> str:
    return str(onnxruntime.__version__)


def make(task: Task, variant: str, threads: int) -> Call:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        one_node(task), options, providers=["CPUExecutionProvider"]
    )
    x, y = task.arrays()[0], np.empty(task.y_shape, np.float32)
    binding = session.io_binding()
    given, taken = (onnxruntime.OrtValue.ortvalue_from_numpy(a) for a in (x, y))
    binding.bind_ortvalue_input("x", given)
    binding.bind_ortvalue_output("y", taken)
    return Call(lambda: session.run_with_iobinding(binding), lambda _: taken.numpy())
