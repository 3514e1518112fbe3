"""ncnn in float32: Winograd and packing as it likes, no 16-bit storage or arithmetic."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from math import prod
from pathlib import Path

import ncnn
import numpy as np

from benchmarks.peers.contract import Call, need
from benchmarks.tasks import Task

SUFFIX = {1: "1D", 2: "", 3: "3D"}


def version() -> str:
    return str(ncnn.__version__)


def make(task: Task, variant: str, threads: int) -> Call:
    axes = len(task.space)
    need(task.kind in ("conv", "transposed") and task.what == "prepared", "runs models alone")
    need(task.x_shape[0] == 1, "knows no batches")
    net = ncnn.Net()
    net.opt.num_threads = threads
    for name in ("fp16_packed", "fp16_storage", "fp16_arithmetic", "bf16_storage"):
        setattr(net.opt, f"use_{name}", False)
    x, w = task.arrays()
    if task.kind == "transposed":
        need(task.groups == 1, "groups of a transposed convolution are not tried here")
        w = np.ascontiguousarray(np.swapaxes(w, 0, 1))
    with tempfile.TemporaryDirectory() as folder:
        param, data = Path(folder, "a.param"), Path(folder, "a.bin")
        param.write_text(_param(task, axes), encoding="utf-8")
        data.write_bytes(bytes(4) + w.tobytes())  # the four zeros say: float32 follows
        need(net.load_param(str(param)) == 0, "has no such layer")
        need(net.load_model(str(data)) == 0, "cannot read such weights")
    image = ncnn.Mat(np.ascontiguousarray(x[0])).clone()

    def run() -> ncnn.Mat:
        extractor = net.create_extractor()
        extractor.input("in0", image)
        _, y = extractor.extract("out0")
        return y

    return Call(run, lambda y: np.array(y)[np.newaxis])


def _param(task: Task, axes: int) -> str:
    """The text of a net of one layer."""
    layer = "Deconvolution" if task.kind == "transposed" else "Convolution"
    layer += ("DepthWise" if task.groups > 1 else "") + SUFFIX[axes]
    fields = {0: task.out_channels, 6: prod(task.w_shape)}
    fields |= _along(task, -1, kernel=1, dilation=2, stride=3, padding=4)
    if axes > 1:
        fields |= _along(task, -2, kernel=11, dilation=12, stride=13, padding=14)
    if axes > 2:
        fields |= _along(task, -3, kernel=21, dilation=22, stride=23, padding=24)
    if task.groups > 1:
        fields[7] = task.groups
    given = " ".join(f"{key}={value}" for key, value in sorted(fields.items()))
    return f"7767517\n2 2\nInput in0 0 1 in0\n{layer} c 1 1 in0 out0 {given}\n"


def _along(task: Task, axis: int, **keys: int) -> Mapping[int, int]:
    return {key: getattr(task, name)[axis] for name, key in keys.items()}
