"""One candidate in a process of its own: two libraries' threads in one would spin at each other.

Reads one JSON request a line, answers one JSON line: the error against float64, or seconds a call.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable

import numpy as np

from benchmarks.layers import Layer


def faltung_conv(layer: Layer) -> Callable[[], np.ndarray]:
    import faltung

    x, w = layer.arrays()
    return lambda: faltung.conv(x, w, stride=layer.stride, padding=layer.padding)


def torch_conv(layer: Layer) -> Callable[[], np.ndarray]:
    import torch

    x, w = (torch.from_numpy(a) for a in layer.arrays())
    conv = getattr(torch.nn.functional, f"conv{len(layer.x_shape) - 2}d")
    torch.set_grad_enabled(False)
    return lambda: conv(x, w, stride=layer.stride, padding=layer.padding).numpy()


CANDIDATES = {"faltung": faltung_conv, "torch": torch_conv}


def reference_error(layer: Layer, y: np.ndarray) -> float:
    """Largest error over largest value, against float64 sums of shifted products."""
    import faltung

    x, w = (a.astype(np.float64) for a in layer.arrays())
    wide = faltung.conv(x, w, stride=layer.stride, padding=layer.padding)
    return float(np.abs(y - wide).max() / np.abs(wide).max())


def seconds_per_call(call: Callable[[], np.ndarray], block: float) -> float:
    """Call for at least a block of time and return the mean."""
    count, start = 0, time.perf_counter()
    while (taken := time.perf_counter() - start) < block or count < 2:
        call()
        count += 1
    return taken / count


def main() -> None:
    calls: dict[str, Callable[[], np.ndarray]] = {}
    for line in sys.stdin:
        request = json.loads(line)
        layer = Layer(
            **{k: tuple(v) if isinstance(v, list) else v for k, v in request["layer"].items()}
        )
        if layer.name not in calls:
            calls.clear()
            calls[layer.name] = CANDIDATES[sys.argv[1]](layer)
        call = calls[layer.name]
        if request["ask"] == "error":
            answer = reference_error(layer, call())
        else:
            answer = seconds_per_call(call, request["block"])
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
