"""OpenCV's filter2D, and its two passes where the kernel is an outer product."""

from __future__ import annotations

import cv2
import numpy as np

from benchmarks.peers.contract import Call, need
from benchmarks.tasks import Task


def version() -> str:
    return str(cv2.__version__)


def make(task: Task, variant: str, threads: int) -> Call:
    need(task.kind in ("filter", "signal"), "filters images")
    need(task.kind == "filter" or task.w_shape[0] <= 2048, "would take seconds")
    cv2.setNumThreads(threads)
    x, w = task.arrays()
    y = np.empty(x.shape, x.dtype)
    border = cv2.BORDER_CONSTANT
    if task.what == "gaussian" and task.kind == "filter":
        u, s, v = np.linalg.svd(w.astype(np.float64))
        rows, columns = (a.astype(np.float32) * np.float32(np.sqrt(s[0])) for a in (u[:, 0], v[0]))
        return Call(lambda: cv2.sepFilter2D(x, -1, columns, rows, dst=y, borderType=border))
    if task.kind == "signal":  # turned round, the middle entry in its place
        k = len(w)
        x, w, y = x[np.newaxis], np.ascontiguousarray(w[np.newaxis, ::-1]), y[np.newaxis]
        at = (k // 2, 0)
        return Call(
            lambda: cv2.filter2D(x, -1, w, dst=y, anchor=at, borderType=border), lambda y: y[0]
        )
    return Call(lambda: cv2.filter2D(x, -1, w, dst=y, borderType=border))
