"""What a network learned: the filters of its convolutions, and what they make of an image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from faltung.analysis.dpp import most_different
from faltung.analysis.feature_maps import LayerMaps, feature_maps
from faltung.errors import GraphError, message
from faltung.graph import Graph
from faltung.ops.operator import Array
from faltung.report import AbstractReport, Table


@dataclass(frozen=True, eq=False)
class LearnedReport(AbstractReport):
    """The filters of one convolution, those that differ most, and an image's way through.

    Parameters
    ----------
    layer
        The convolution's name.
    filters
        Its weights, (O, C, *kernel).
    chosen
        The filters that differ most, by a determinantal point process.
    image
        What was put in, (C, *space), or None.
    maps
        Every layer's values for that image; none without one.
    """

    layer: str
    filters: Array
    chosen: tuple[int, ...]
    image: Array | None
    maps: tuple[LayerMaps, ...]

    def blocks(self) -> list[Table | str]:
        """Return the filters by number, then the layers by what they answer."""
        rows = [
            (
                f"{i}",
                f"{np.linalg.norm(w):.3f}",
                f"{w.sum():+.3f}",
                "yes" if i in self.chosen else "",
            )
            for i, w in enumerate(self.filters)
        ]
        shape = "×".join(str(n) for n in self.filters.shape[1:])
        title = f"{self.layer}: {len(self.filters)} filters of {shape}"
        columns = ("filter", "length", "sum", "most different")
        blocks: list[Table | str] = [Table(columns, rows, title=title)]
        if self.maps:
            layers = [
                (
                    m.name,
                    "×".join(map(str, m.values.shape)),
                    f"{m.values.min():.3g}",
                    f"{m.values.max():.3g}",
                    f"{(m.values != 0).mean():.1%}",
                )
                for m in self.maps
            ]
            header = ("layer", "values", "least", "greatest", "not zero")
            blocks.append(Table(header, layers, title="the image on its way", left=(0, 1)))
        return blocks

    def to_dict(self) -> dict[str, Any]:
        """Return every figure, fit for JSON."""
        return {
            "layer": self.layer,
            "filters": self.filters.tolist(),
            "most_different": list(self.chosen),
            "layers": [
                {
                    "name": m.name,
                    "shape": list(m.values.shape),
                    "min": float(m.values.min()),
                    "max": float(m.values.max()),
                }
                for m in self.maps
            ],
        }


def convolutions(graph: Graph) -> dict[str, Array]:
    """Return the filters, (O, C, *kernel), of each convolution that has weights of its own."""
    return {
        node.name: graph.params[node.inputs[1]]
        for node in graph.nodes
        if node.operator.onnx_type == "Conv" and node.inputs[1] in graph.params
    }


def learned(
    graph: Graph,
    image: ArrayLike | None = None,
    *,
    layer: str | None = None,
    most: int = 6,
    seed: int = 0,
) -> LearnedReport:
    """Show what a network learned.

    Parameters
    ----------
    graph
        A network with a convolution.
    image : array_like (C, *space), optional
        To be followed through all layers.
    layer
        Which convolution; the first by default.
    most
        How many of the most different filters are chosen, at least 1.
    seed
        Decides the samples that they are chosen from.

    Returns
    -------
    LearnedReport
        Prints, shows in notebooks, and draws as `faltung.viz.filters` and
        `faltung.viz.feature_maps` do.

    Raises
    ------
    GraphError
        learned N1: no convolution, or none of that name.
    """
    found = convolutions(graph)
    name = next(iter(found), "") if layer is None else layer
    if name not in found:
        rule = "there must be a convolution of this name with weights of its own"
        values = {"layer": repr(name), "convolutions": list(found)}
        raise GraphError(message("learned", rule, values, "", "learned N1"))
    filters = found[name]
    chosen = most_different(filters, min(max(most, 1), len(filters)), seed)
    maps = () if image is None else tuple(feature_maps(graph, image))
    picture = None if image is None else np.asarray(image)
    return LearnedReport(name, filters, tuple(int(i) for i in chosen), picture, maps)
