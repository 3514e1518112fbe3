"""PyTorch: contiguous, channels last ("cl"), and either with oneDNN's prepacked weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from benchmarks.peers.contract import Call, need
from benchmarks.tasks import Task

LAST = {4: torch.channels_last, 5: torch.channels_last_3d}


def version() -> str:
    return str(torch.__version__)


def make(task: Task, variant: str, threads: int) -> Call:
    """``variant`` is "", "cl", "packed" or "cl-packed"."""
    torch.set_num_threads(threads)
    torch.set_grad_enabled(False)
    if task.kind in ("filter", "signal"):
        return _single(task)
    x, w = (torch.from_numpy(a) for a in task.arrays())
    dout = torch.from_numpy(task.dout()) if task.what in ("dx", "dw") else None
    if "cl" in variant:
        need(x.ndim in LAST, "channels last needs two or three axes")
        x, w = (a.to(memory_format=LAST[x.ndim]) for a in (x, w))
        dout = None if dout is None else dout.to(memory_format=LAST[x.ndim])
    run = _packed(task, x, w) if "packed" in variant else _plain(task, x, w, dout)
    return Call(_inference(run), lambda y: y.contiguous().numpy())


def _inference(run: Callable[[], Any]) -> Callable[[], Any]:
    """Inside inference mode once and for all: entering it costs a microsecond."""
    torch.inference_mode().__enter__()
    return run


def _plain(task: Task, x: Any, w: Any, dout: Any) -> Callable[[], Any]:
    steps, pads, dilation = task.stride, task.padding, task.dilation
    if task.what in ("dx", "dw"):
        mask = [task.what == "dx", task.what == "dw", False]
        backward = torch.ops.aten.convolution_backward
        zeros, at = [0] * len(steps), mask.index(True)
        more = (list(steps), list(pads), list(dilation), False, zeros, task.groups, mask)
        return lambda: backward(dout, x, w, None, *more)[at]
    functional = torch.nn.functional
    if task.kind == "transposed":
        transposed = getattr(functional, f"conv_transpose{x.ndim - 2}d")
        return lambda: transposed(x, w, None, steps, pads, 0, task.groups, dilation)
    conv = getattr(functional, f"conv{x.ndim - 2}d")
    return lambda: conv(x, w, None, steps, pads, dilation, task.groups)


def _packed(task: Task, x: Any, w: Any) -> Callable[[], Any]:
    """The call that torch.compile makes of a layer with constant weights."""
    need(task.kind == "conv" and x.ndim == 4, "prepacks weights of two axes alone")
    geometry = (list(task.padding), list(task.stride), list(task.dilation), task.groups)
    packed = torch.ops.mkldnn._reorder_convolution_weight(w, *geometry, list(x.shape))
    conv = torch.ops.mkldnn._convolution_pointwise
    return lambda: conv(x, packed, None, *geometry, "none", [], "")


def _single(task: Task) -> Call:
    """One channel; PyTorch correlates, so that a signal's taps are turned round."""
    need(task.dtype != "uint8", "convolves no integers")
    x, w = task.arrays()
    if task.kind == "signal":
        w = w[::-1].copy()
    image, kernel = (torch.from_numpy(a)[None, None] for a in (x, w))
    conv = getattr(torch.nn.functional, f"conv{x.ndim}d")
    if all(n % 2 for n in w.shape):
        pads = [n // 2 for n in w.shape]
        return Call(_inference(lambda: conv(image, kernel, None, 1, pads)), _bare)
    first = [len(w) // 2, (len(w) - 1) // 2]
    pad = torch.nn.functional.pad
    return Call(_inference(lambda: conv(pad(image, first), kernel)), _bare)


def _bare(y: Any) -> Any:
    return y[0, 0].numpy()
