"""How training went: loss and accuracy, step by step and epoch by epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from faltung.viz.style import figure, themed
from faltung.viz.theme import Theme

Row = Mapping[str, Any]

SMOOTHED: Final = 0.02
"""Share of the steps over which the loss of single batches is averaged."""


def draw(rows: Sequence[Row], *, title: str = "", theme: str = "light") -> Figure:
    """Draw the curves of a training run.

    Parameters
    ----------
    rows
        Those of ``metrics.jsonl``, as `faltung.training.metrics.read_rows` reads them: of kind
        ``"step"`` with ``step, loss, accuracy``, of kind ``"epoch"`` with means and validation.
    title
        A line above them.
    theme
        ``"light"`` or ``"dark"``.

    Returns
    -------
    matplotlib.figure.Figure
    """
    steps = [row for row in rows if row["kind"] == "step"]
    epochs = [row for row in rows if row["kind"] == "epoch"]
    with themed(theme) as colours:
        drawn = figure(colours, 13, 5.6)
        drawn.suptitle(title)
        losses, accuracies = drawn.subplots(1, 2)
        _panel(losses, steps, epochs, "loss", colours)
        _panel(accuracies, steps, epochs, "accuracy", colours)
        accuracies.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{100 * y:.4g} %"))
        handles, labels = losses.get_legend_handles_labels()
        drawn.legend(handles, labels, loc="outside lower center", ncols=3)
    return drawn


def _panel(axes: Axes, steps: list[Row], epochs: list[Row], name: str, theme: Theme) -> None:
    """One quantity against epochs, so that runs with other batches compare."""
    per_epoch = epochs[0]["step"] if epochs else 1
    at = np.array([row["step"] for row in steps]) / per_epoch
    smooth = _smoothed([row[name] for row in steps])
    axes.plot(at, smooth, color=theme.input, linewidth=1.2, alpha=0.6, label="batches, smoothed")
    ends = [row["step"] / per_epoch for row in epochs]
    marked: dict[str, Any] = {"marker": "o" if len(epochs) <= 40 else "", "markersize": 7}
    axes.plot(ends, [row[name] for row in epochs], color=theme.input, label="training", **marked)
    held = [(x, row[f"validation_{name}"]) for x, row in zip(ends, epochs, strict=True)]
    held = [(x, y) for x, y in held if y is not None]
    if held:
        marked |= {"color": theme.output, "linestyle": "--"}
        axes.plot(*zip(*held, strict=True), label="held out", **marked)
    axes.set_title(name)
    axes.set_xlabel("epochs")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8))
    axes.grid(True, axis="both")


def _smoothed(values: Sequence[float]) -> Any:
    """Means over the last few steps, fewer at the beginning."""
    width = max(1, round(SMOOTHED * len(values)))
    sums = np.concatenate([[0.0], np.cumsum(np.asarray(values, np.float64))])
    ends = np.arange(1, len(values) + 1)
    starts = np.maximum(ends - width, 0)
    return (sums[ends] - sums[starts]) / (ends - starts)
