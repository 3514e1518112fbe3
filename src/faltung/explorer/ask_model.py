"""What the view Model asks: what is in a file, what it costs, where it stops being local."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from faltung.analysis.equivariance import equivariance
from faltung.analysis.inspect import Inspection, inspect
from faltung.analysis.verification import verify
from faltung.errors import ExplorerError, message
from faltung.explorer.blocks import plain_blocks
from faltung.explorer.uploads import Uploads
from faltung.graph import Graph, load
from faltung.zoo.catalogue import NETWORKS, sketch

EXAMPLE: Final = "resnet20"
FILE: Final = files("faltung.explorer") / "data" / "model.json"
MOST_LAYERS: Final = 3000
"""Layers that a page shows; a browser would not scroll through more."""

_LAYER: Final = (
    *("name", "operator", "inputs", "outputs", "out_shape", "params", "state", "macs"),
    *("connections", "connections_inside", "activation_bytes", "macs_per_byte", "dense_params"),
    *("fields", "dropped", "skipped", "unknown"),
)


@cache
def prepared() -> dict[str, Any]:
    """Return what the view shows before anybody asks, as it was recorded."""
    found: dict[str, Any] = json.loads(FILE.read_text("utf-8"))
    return found


def record() -> dict[str, Any]:
    """Inspect and audit a network of the zoo; ``scripts/make_explorer_model.py`` writes it."""
    report = inspect(EXAMPLE)
    return {
        "report": plain_report(report),
        "audit": _audit(sketch(EXAMPLE)),
        "zoo": sorted(NETWORKS),
    }


def inspected(given: dict[str, Any], uploads: Uploads) -> dict[str, Any]:
    """Inspect a model: ``{"zoo": NAME}`` or ``{"file": UPLOAD, "label": ITS NAME}``."""
    report = inspect(_source(given, uploads))
    if len(report.layers) > MOST_LAYERS:
        rule = f"the page shows at most {MOST_LAYERS:,} layers"
        values, cure = {"layers": len(report.layers)}, "Use: faltung inspect MODEL --html PAGE.html"
        raise ExplorerError(message("model", rule, values, cure))
    label = str(given.get("label", ""))[:80]
    return plain_report(replace(report, name=label) if label else report)


def audited(given: dict[str, Any], uploads: Uploads) -> dict[str, Any]:
    """Measure what is left of equivariance; takes what `inspected` takes."""
    return _audit(_graph(given, uploads))


def verified(given: dict[str, Any], uploads: Uploads) -> dict[str, Any]:
    """Recount every figure by brute force; takes what `inspected` takes."""
    found = verify(_graph(given, uploads))
    return {"blocks": plain_blocks(found), "passed": found.passed}


def _audit(graph: Graph) -> dict[str, Any]:
    found = equivariance(graph)
    # Borders are everywhere; what is marked are the layers that break it inside.
    inside = {c.node: c.kind for c in found.culprits if c.kind != "border"}
    return {"blocks": plain_blocks(found), "culprits": [list(pair) for pair in inside.items()]}


def plain_report(report: Inspection) -> dict[str, Any]:
    """Return an inspection as the component takes it: figures, and its sentences."""
    figures = report.to_dict()
    names = ("name", "inputs", "open_sizes", "totals", "peak_memory", "examples_wanted", "locality")
    return {
        **{name: figures[name] for name in names},
        "layers": [{name: layer[name] for name in _LAYER} for layer in figures["layers"]],
        "blocks": [b for b in plain_blocks(report) if b["kind"] == "text"],
    }


def _source(given: dict[str, Any], uploads: Uploads) -> str | Path:
    name = given.get("zoo")
    if name is None:
        return uploads.path(given.get("file"))
    if not isinstance(name, str) or name not in NETWORKS:
        raise ExplorerError(message("model", "the zoo has no such network", {"zoo": repr(name)}))
    return name


def _graph(given: dict[str, Any], uploads: Uploads) -> Graph:
    source = _source(given, uploads)
    if isinstance(source, str):
        return sketch(source)
    return load(source, open_size="default")
