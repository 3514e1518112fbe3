"""Record the training run that the explorer's view Network shows where there is no Python.

    python scripts/make_explorer_data.py [OUTPUT]

The zoo's ``small`` learns the digits that ship with the package, by its own recipe. Kept are the
loss and accuracy on the way, the weights at a few steps, a character for each, and a test digit of
each class.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faltung import atomic
from faltung.analysis.dpp import most_different
from faltung.analysis.learned import convolutions
from faltung.datasets import Dataset, load_pair
from faltung.explorer.follow import begun, reports
from faltung.explorer.recorded import FILE, LEVELS, text_of, weights_of
from faltung.graph import Graph
from faltung.training import recipe_for, score
from faltung.training.listener import Epoch
from faltung.training.start import start_new

NETWORK = "small"
STEPS = (0, 10, 40, 170, 510, 1020)
POINTS = 5
"""Steps between two points of the curve."""


def coarse(weights: NDArray[Any]) -> dict[str, Any]:
    """Round an array to `LEVELS` on each side, with a scale for each output."""
    rows = weights.reshape(len(weights), -1) if weights.ndim > 1 else weights[None]
    scales = [np.float32(f"{abs(row).max() / LEVELS or 1.0:.3g}") for row in rows]
    levels = [np.clip(np.rint(r / s), -LEVELS, LEVELS) for r, s in zip(rows, scales, strict=True)]
    return {
        "shape": list(weights.shape),
        "scales": [float(str(scale)) for scale in scales],
        "levels": text_of(np.concatenate(levels).astype(int)),
    }


def snapshot(graph: Graph, step: int, test: Dataset) -> dict[str, Any]:
    """Keep a network as it is, and what it is worth so rounded."""
    weights = {name: coarse(array) for name, array in graph.params.items()}
    rounded = graph.replace(params={n: weights_of(kept) for n, kept in weights.items()})
    found = score(rounded, test)
    chosen = {
        name: [int(i) for i in most_different(filters, 6, 0)]
        for name, filters in convolutions(rounded).items()
    }
    figures = {"loss": round(found.loss, 4), "accuracy": round(found.accuracy, 4)}
    return {"step": step, **figures, "chosen": chosen, "weights": weights}


def record() -> dict[str, Any]:
    """Train, and keep what the page shows."""
    train_set, test = load_pair("sample")
    recipe = recipe_for(NETWORK)
    run = begun(start_new(NETWORK, train_set), train_set, recipe)
    kept, curve, epochs = [snapshot(run.trained(), 0, test)], [], []
    waiting: list[tuple[float, float]] = []
    for report in reports(run):
        if isinstance(report, Epoch):
            epochs.append([report.step, round(report.validation_accuracy or 0.0, 4)])
            continue
        waiting.append((report.loss, report.accuracy))
        if report.step % POINTS == 0:
            loss, accuracy = np.mean(waiting, axis=0)
            curve.append([report.step, round(float(loss), 4), round(float(accuracy), 4)])
            waiting = []
        if report.step in STEPS:
            kept.append(snapshot(run.trained(), report.step, test))
    state = {n: float(a.ravel()[0]) for n, a in run.graph.state.items()}
    firsts = [int(np.flatnonzero(test.labels == label)[0]) for label in range(10)]
    return {
        "network": NETWORK,
        "state": state,
        "recipe": recipe.to_json(),
        "digits": firsts,
        "curve": curve,
        "epochs": epochs,
        "snapshots": kept,
    }


def main(arguments: list[str]) -> None:
    """Write the recording."""
    output = Path(arguments[0]) if arguments else FILE
    recorded = record()
    text = json.dumps(recorded, separators=(",", ":"))
    atomic.write_bytes(output, text.encode())
    for kept in recorded["snapshots"]:
        print(kept["step"], kept["loss"], kept["accuracy"])
    print(f"{output}: {len(text):,} bytes")


if __name__ == "__main__":
    main(sys.argv[1:])
