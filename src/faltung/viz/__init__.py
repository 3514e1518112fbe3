"""Data to figures: one module for each kind, and nothing here computes what it shows.

Each has a function ``draw`` that returns a figure; `style.save` writes it as PNG, SVG or PDF.
Importing this needs Matplotlib, which the extra ``viz`` brings.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from faltung.errors import MissingExtraError, message

try:
    import matplotlib as _matplotlib  # noqa: F401
except ImportError as error:
    _cure = "Install it with: pip install 'faltung[viz]'"
    raise MissingExtraError(message("pictures", "Matplotlib is missing", None, _cure)) from error

if TYPE_CHECKING:
    from faltung.viz import animation as animation
    from faltung.viz import bars as bars
    from faltung.viz import confusion as confusion
    from faltung.viz import costs as costs
    from faltung.viz import curves as curves
    from faltung.viz import distance as distance
    from faltung.viz import effective_field as effective_field
    from faltung.viz import equivariance as equivariance
    from faltung.viz import experiments as experiments
    from faltung.viz import feature_maps as feature_maps
    from faltung.viz import field as field
    from faltung.viz import filters as filters
    from faltung.viz import findings as findings
    from faltung.viz import heat as heat
    from faltung.viz import kernels as kernels
    from faltung.viz import legible as legible
    from faltung.viz import matrices as matrices
    from faltung.viz import mistakes as mistakes
    from faltung.viz import report as report
    from faltung.viz import signals as signals
    from faltung.viz import slide as slide
    from faltung.viz import square as square
    from faltung.viz import style as style

__all__ = [
    "animation",
    "bars",
    "confusion",
    "costs",
    "curves",
    "distance",
    "effective_field",
    "equivariance",
    "experiments",
    "feature_maps",
    "field",
    "filters",
    "findings",
    "heat",
    "kernels",
    "legible",
    "matrices",
    "mistakes",
    "report",
    "signals",
    "slide",
    "square",
    "style",
]


def __getattr__(name: str) -> Any:
    """Import a module when it is first asked for (PEP 562)."""
    if name not in __all__:
        raise AttributeError(f"module 'faltung.viz' has no attribute {name!r}")
    return import_module(f"faltung.viz.{name}")
