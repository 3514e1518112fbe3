"""What an image of one size costs, and what whole networks do, as bars."""

from __future__ import annotations

from matplotlib.figure import Figure

from faltung.analysis.costs import CostReport
from faltung.analysis.networks import Networks
from faltung.viz import bars


def draw(report: CostReport | Networks, *, theme: str = "light") -> Figure:
    """Draw the parameters of dense, local and convolutional layers; or those of networks.

    Parameters
    ----------
    report
        What `faltung.cost` returns, or `faltung.network_costs`.
    theme
        ``"light"`` or ``"dark"``.

    Returns
    -------
    matplotlib.figure.Figure
    """
    if isinstance(report, Networks):
        counts = {each.name: each.params for each in report.networks}
        return bars.draw(counts, unit="parameters", title="Whole networks", theme=theme)
    size = " × ".join(map(str, (*report.in_shape[1:], report.in_shape[0])))
    return bars.draw(
        {layer.name: layer.params for layer in report.layers},
        unit="parameters",
        highlighted=report.convolution.name,
        title=f"One layer on an image of {size}",
        theme=theme,
    )
