"""OpenVINO in float32, its input and output in memory that is shared and used again."""

from __future__ import annotations

import numpy as np
import openvino

from benchmarks.peers.contract import Call
from benchmarks.peers.onnx_model import one_node
from benchmarks.tasks import Task


def version() -> str:
    return str(openvino.__version__).split("-")[0]


def make(task: Task, variant: str, threads: int) -> Call:
    core = openvino.Core()
    wanted = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": threads,
        "INFERENCE_PRECISION_HINT": "f32",
    }
    compiled = core.compile_model(core.read_model(one_node(task), b""), "CPU", wanted)
    request = compiled.create_infer_request()
    x, y = task.arrays()[0], np.empty(task.y_shape, np.float32)
    given, taken = (openvino.Tensor(a, shared_memory=True) for a in (x, y))
    request.set_input_tensor(given)
    request.set_output_tensor(taken)
    alive = (compiled, given, taken)  # OpenVINO keeps none of them itself

    def run() -> object:
        # Quicker than infer(), which makes a dictionary of the outputs.
        request.start_async()
        request.wait()
        return alive

    return Call(run, lambda _: y)
