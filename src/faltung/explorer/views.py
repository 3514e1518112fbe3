"""The views: what each asks, where its component is, and what Python prepares for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final

from faltung.errors import ExplorerError, message


@dataclass(frozen=True)
class View:
    """One view of the explorer.

    Parameters
    ----------
    name
        As the command line, the link and the component call it.
    title
        In the navigation.
    data
        ``"module:function"`` that computes what the component is given beforehand, as plain data;
        empty for none. It must not need anything that is not installed with faltung.
    """

    name: str
    title: str
    data: str = ""

    @property
    def component(self) -> str:
        """The bare name of its component, which exports the view by its own name."""
        return f"faltung/{self.name}"

    def prepared(self) -> Any:
        """Return what the component is given beforehand; None for nothing."""
        if not self.data:
            return None
        module, _, function = self.data.partition(":")
        return getattr(import_module(module), function)()


VIEWS: Final[Mapping[str, View]] = {
    view.name: view
    for view in (
        View("slide", "Slide"),
        View("field", "Field", "faltung.explorer.ask_field:prepared"),
        View("connect", "Connect"),
        View("square", "Square"),
        View("check", "Check", "faltung.explorer.ask_check:prepared"),
        View("lab", "Lab", "faltung.explorer.data_lab:prepared"),
        View("shift", "Shift", "faltung.explorer.data_shift:prepared"),
        View("cost", "Cost", "faltung.explorer.data_cost:prepared"),
        View("network", "Network", "faltung.explorer.recorded:prepared"),
        View("model", "Model", "faltung.explorer.ask_model:prepared"),
        View("exercises", "Exercises", "faltung.explorer.ask_exercises:prepared"),
        View("tour", "Tour", "faltung.explorer.ask_tour:prepared"),
    )
}
"""In the order of the navigation."""


def view_of(name: str) -> View:
    """Return a view by its name.

    Raises
    ------
    ExplorerError
        There is none.

    Examples
    --------
    >>> view_of("slide").component
    'faltung/slide'
    """
    if name not in VIEWS:
        rule, cure = "there is no such view", f"Use one of {', '.join(VIEWS)}"
        raise ExplorerError(message("explore", rule, {"view": repr(name)}, cure))
    return VIEWS[name]
