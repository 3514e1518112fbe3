"""The explorer: one set of components for the page, for saved files and for notebooks.

``faltung explore`` opens the page. In a notebook each view is a widget, which needs the extra
``explorer``::

    from faltung.explorer import KernelSlide
    KernelSlide(image, kernel)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from faltung.errors import MissingExtraError, message

if TYPE_CHECKING:
    from faltung.explorer.kernel_slide import KernelSlide as KernelSlide
    from faltung.explorer.model_widgets import ModelView as ModelView
    from faltung.explorer.model_widgets import NetworkView as NetworkView
    from faltung.explorer.model_widgets import ReceptiveField as ReceptiveField
    from faltung.explorer.picture_widgets import ImageLab as ImageLab
    from faltung.explorer.picture_widgets import ShiftLab as ShiftLab
    from faltung.explorer.plain_widgets import Connections as Connections
    from faltung.explorer.plain_widgets import CostCounter as CostCounter
    from faltung.explorer.plain_widgets import Exercises as Exercises
    from faltung.explorer.plain_widgets import QuickCheck as QuickCheck
    from faltung.explorer.plain_widgets import Tour as Tour
    from faltung.explorer.plain_widgets import WeightSquare as WeightSquare

_WIDGETS: Final = {
    "Connections": "plain_widgets",
    "CostCounter": "plain_widgets",
    "Exercises": "plain_widgets",
    "ImageLab": "picture_widgets",
    "KernelSlide": "kernel_slide",
    "ModelView": "model_widgets",
    "NetworkView": "model_widgets",
    "QuickCheck": "plain_widgets",
    "ReceptiveField": "model_widgets",
    "ShiftLab": "picture_widgets",
    "Tour": "plain_widgets",
    "WeightSquare": "plain_widgets",
}
__all__ = sorted(_WIDGETS)


def __getattr__(name: str) -> Any:
    """Import a widget when it is first asked for (PEP 562)."""
    if name not in _WIDGETS:
        raise AttributeError(f"module 'faltung.explorer' has no attribute {name!r}")
    try:
        module = import_module(f"faltung.explorer.{_WIDGETS[name]}")
    except ModuleNotFoundError as error:
        if error.name not in ("anywidget", "traitlets"):
            raise
        cure = "Install it with: pip install 'faltung[explorer]'"
        raise MissingExtraError(message("widgets", "anywidget is missing", None, cure)) from error
    return getattr(module, name)
