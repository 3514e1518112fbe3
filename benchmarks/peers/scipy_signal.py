"""SciPy: ndimage.correlate for images ("": directly), overlap-add, FFT or whatever it chooses."""

from __future__ import annotations

import numpy as np
import scipy
import scipy.fft
import scipy.ndimage
import scipy.signal

from benchmarks.peers.contract import Call, need
from benchmarks.tasks import Task


def version() -> str:
    return str(scipy.__version__)


def make(task: Task, variant: str, threads: int) -> Call:
    """``variant`` is "ndimage", "oaconvolve", "fftconvolve" or "convolve"."""
    need(task.kind in ("filter", "signal"), "filters images and signals")
    scipy.fft.set_workers(threads).__enter__()
    x, w = task.arrays()
    if variant == "ndimage":
        need(x.size * w.size <= 2e9, "would take seconds")
        y = np.empty_like(x)
        if task.kind == "signal":
            turned, correlate = w[::-1].copy(), scipy.ndimage.correlate1d
            return Call(lambda: correlate(x, turned, output=y, mode="constant"), lambda _: y)
        return Call(lambda: scipy.ndimage.correlate(x, w, output=y, mode="constant"), lambda _: y)
    need(task.dtype != "uint8", "would not keep the dtype")
    turned = w[::-1, ::-1].copy() if w.ndim == 2 else w
    convolve = getattr(scipy.signal, variant)
    need(variant != "convolve" or task.kind == "signal", "is measured by name")
    return Call(lambda: convolve(x, turned, mode="same"))
