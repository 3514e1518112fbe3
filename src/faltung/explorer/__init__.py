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

_WIDGETS: Final = {"KernelSlide": "kernel_slide"}
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
