"""One runtime in a process of its own, for `faltung bench`: runs a model and times its calls.

``python -m faltung.cli.bench_worker RUNTIME MODEL X.npy Y.npy THREADS``. The result is written
first; then each line that comes in asks for a block.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any, Final

import numpy as np

BLOCK: Final = 0.3
"""Seconds of a block, at least."""
Run = Callable[[Any], Any]


def of_faltung(model: str, x: Any, threads: int) -> Run:
    """Return a plan."""
    from faltung.graph import load
    from faltung.kernels.threads import set_num_threads
    from faltung.plan.compiling import compile as planned

    set_num_threads(threads)
    name = load(model, open_size="default").inputs[0].name
    return planned(load(model, shapes={name: x.shape}), x.shape)


def of_onnxruntime(model: str, x: Any, threads: int) -> Run:
    """Return a session's run."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda x: session.run(None, {name: x})[0]


def of_openvino(model: str, x: Any, threads: int) -> Run:
    """Return a request's run, in float32: by itself it takes narrower numbers where it can."""
    import openvino

    core = openvino.Core()
    read = core.read_model(model)
    read.reshape({read.inputs[0]: list(x.shape)})
    settings = {
        "INFERENCE_PRECISION_HINT": "f32",
        "INFERENCE_NUM_THREADS": threads,
        "PERFORMANCE_HINT": "LATENCY",
    }
    request = core.compile_model(read, "CPU", settings).create_infer_request()
    return lambda x: request.infer({0: x}, share_inputs=True)[0]


RUNTIMES: Final = {
    "faltung": of_faltung,
    "onnxruntime": of_onnxruntime,
    "openvino": of_openvino,
}


def main(name: str, model: str, x_path: str, y_path: str, threads: str) -> None:
    """Run once, then time a block for each line that comes in."""
    x = np.load(x_path)
    run = RUNTIMES[name](model, x, int(threads))
    y = run(x)
    np.save(y_path, np.asarray(y[0] if isinstance(y, tuple) else y))
    print(json.dumps({"ready": True}), flush=True)
    for _ in sys.stdin:
        print(json.dumps({"seconds": block(run, x)}), flush=True)


def block(run: Run, x: Any) -> float:
    """Return the median seconds of a call."""
    taken: list[float] = []
    end = time.perf_counter() + BLOCK
    while time.perf_counter() < end or len(taken) < 3:
        begin = time.perf_counter()
        run(x)
        taken.append(time.perf_counter() - begin)
    return statistics.median(taken)


if __name__ == "__main__":
    main(*sys.argv[1:])
