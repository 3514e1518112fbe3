"""What an image of one size costs, as bars."""

from __future__ import annotations

from typing import TYPE_CHECKING

from matplotlib.figure import Figure

from faltung.viz import bars

if TYPE_CHECKING:
    from faltung.analysis.costs import CostReport
    from faltung.analysis.networks import Networks


def draw(report: CostReport, *, theme: str = "light") -> Figure:
    """Draw the parameters of dense, locally connected and convolutional layers.

    Parameters
    ----------
    report
        What `faltung.cost` returns.
    theme
        ``"light"`` or ``"dark"``.

    Returns
    -------
    matplotlib.figure.Figure
    """
    size = " × ".join(map(str, (*report.in_shape[1:], report.in_shape[0])))
    counts = {layer.name: layer.params for layer in report.layers}
    return bars.draw(
        counts,
        unit="parameters",
        highlighted=report.convolution.name,
        title=f"One layer on an image of {size}",
        theme=theme,
    )


def draw_networks(report: Networks, *, theme: str = "light") -> Figure:
    """Draw the parameters of whole networks.

    Parameters
    ----------
    report
        What `faltung.analysis.networks.network_costs` returns.
    theme
        ``"light"`` or ``"dark"``.

    Returns
    -------
    matplotlib.figure.Figure
    """
    counts = {each.name: each.params for each in report.networks}
    return bars.draw(counts, unit="parameters", title="Whole networks", theme=theme)
