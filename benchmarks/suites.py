"""The suites: what each times, against whom, and the bars that its figures are read by."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks import accuracy, measure, memory, models, networks, overhead, start, steps, tasks
from benchmarks.tasks import HERE

OURS = "ours"
TITLES = {
    OURS: "faltung",
    "pytorch": "PyTorch",
    "pytorch:cl": "PyTorch, channels last",
    "pytorch:packed": "PyTorch, prepacked",
    "pytorch:cl-packed": "PyTorch, channels last, prepacked",
    "pytorch_step": "PyTorch",
    "pytorch_step:cl": "PyTorch, channels last",
    "pytorch_step:compiled": "PyTorch, compiled",
    "pytorch_step:cl-compiled": "PyTorch, channels last, compiled",
    "onnx_runtime": "ONNX Runtime",
    "openvino": "OpenVINO",
    "ncnn": "ncnn",
    "opencv": "OpenCV",
    "scipy_signal:ndimage": "SciPy ndimage",
    "scipy_signal:oaconvolve": "SciPy oaconvolve",
    "scipy_signal:fftconvolve": "SciPy fftconvolve",
    "scipy_signal:convolve": "SciPy convolve",
    "numpy_convolve": "NumPy",
}
"""Candidates, ``module:variant`` in `benchmarks.peers`, and what people call them."""
PACKAGES = {
    "pytorch": "torch",
    "pytorch_step": "torch",
    "onnx_runtime": "onnxruntime",
    "openvino": "openvino",
    "ncnn": "ncnn",
    "opencv": "cv2",
    "scipy_signal": "scipy",
    "numpy_convolve": "numpy",
}
"""What a peer's module imports."""

_EAGER = ("pytorch", "pytorch:cl")
_MODELS = ("pytorch:packed", "pytorch:cl-packed", "onnx_runtime", "openvino", "ncnn")
_STEPS = tuple(name for name in TITLES if name.startswith("pytorch_step"))
_SIGNALS = tuple(name for name in TITLES if name.split(":")[0] in ("opencv", "scipy_signal"))


def software(module: str) -> str:
    """Return what people call the software that a module of `benchmarks.peers` times.

    >>> software("onnx_runtime"), software("scipy_signal")
    ('ONNX Runtime', 'scipy')
    """
    return TITLES.get(module) or PACKAGES[module]


@dataclass(frozen=True)
class Suite:
    """Some tasks and peers.

    ``least_mean`` and ``least`` are bars for the ratio: its geometric mean over the listed shapes,
    and each of them; ``most_us`` is one for our time alone. ``timer`` gives what measures a task: a
    worker for each candidate, or runtimes that read a model's file.
    """

    title: str
    says: str
    tasks: Callable[[], Sequence[Any]]
    peers: tuple[str, ...]
    least_mean: float | None = None
    least: float | None = None
    most_us: float | None = None
    timer: Callable[..., Any] = measure.workers


@dataclass(frozen=True)
class Figures:
    """Figures of ours alone: ``measured`` is told how many rounds, and gives rows.

    A row has a ``name``, its ``value``, the median of the rounds, the highest of them (``high``),
    and the ``bar`` that it should stay under.
    """

    title: str
    says: str
    measured: Callable[[int], list[dict]]
    unit: str


SUITES: dict[str, Suite | Figures] = {
    "prepared": Suite(
        "Prepared convolutions",
        "Weights are transformed once and the output's memory is used again, as far as each "
        "peer's interface allows.",
        lambda: tasks.layers(what="prepared"),
        (*_EAGER, *_MODELS),
        1.4,
        0.9,
    ),
    "plain": Suite(
        "Plain calls",
        "`faltung.conv(x, w)` against `torch.nn.functional`: each call transforms the weights and "
        "takes new memory for its output.",
        tasks.layers,
        _EAGER,
        1.6,
        0.9,
    ),
    "tiny": Suite(
        "Tiny inputs",
        "What a call costs where there is next to nothing to compute.",
        lambda: tasks.layers(HERE / "tiny.txt"),
        ("pytorch",),
        most_us=8.0,
    ),
    "filters": Suite(
        "Filters and signals",
        "One channel, zeros outside, the output as large as the input and of its dtype.",
        tasks.filters,
        ("pytorch", *_SIGNALS, "numpy_convolve"),
        3.0,
        0.9,
    ),
    "gradients": Suite(
        "Training's convolutions",
        "The three passes of every 3×3 and 5×5 convolution of the networks in "
        "`benchmarks/networks.txt`, batch 128, the weights' transforms in the time, against "
        "PyTorch eager.",
        networks.gradients,
        _EAGER,
        2.0,
        0.9,
    ),
    "steps": Suite(
        "Steps of training",
        "Forward, back, and SGD with momentum, on the networks in `benchmarks/networks.txt`, batch "
        "128; the losses of the first steps are checked. PyTorch is eager, in both layouts, or "
        "compiled.",
        steps.steps,
        _STEPS,
        2.0,
        1.5,
    ),
    "networks": Suite(
        "Whole networks",
        "One call of `faltung.compile(model)`'s plan: the reference networks of the package onnx "
        "with seeded weights, the three of rapidocr, and others, batch 1 and 8 (behind the dot).",
        models.models,
        tuple(models.PEERS),
        1.2,
        0.8,
        timer=models.runtimes,
    ),
    "accuracy": Suite(
        "Digits told apart",
        "All steps until 99 % of MNIST's test digits are told apart, the median of three seeds: "
        "the same network, first weights, order and learning rates, data in memory. PyTorch is "
        "taken as its steps are the quickest.",
        accuracy.trainings,
        _STEPS,
        least=2.0,
        timer=accuracy.learners,
    ),
    "overhead": Figures(
        "Overhead of steps",
        "What each step of a plan adds to a call where it has next to nothing to do: of a thread "
        "alone, and of all threads, where a parallel region takes some 2 µs by itself.",
        overhead.measured,
        "µs",
    ),
    "memory": Figures(
        "Memory of whole networks",
        "By how much a new process grows when it loads, plans and runs a network for one image, "
        "over what it has once a model of one layer has run: at most, beside ONNX Runtime with its "
        "usual settings and as many threads; and in the end, beside what `plan.footprint` reports, "
        "which leaves out the plan's own objects and machine code, 3 to 6 MB.",
        memory.measured,
        "%",
    ),
    "start": Figures(
        "Start",
        "How long a new process takes for the first time, with nothing compiled yet, and with all "
        "of it there.",
        start.measured,
        "s",
    ),
}
