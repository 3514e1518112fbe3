"""The explorer's views as notebook widgets: Jupyter, JupyterLab, VS Code, marimo.

A widget is its component and what that needs, as one module. Its state goes both ways, as the trait
``state``; what it asks is answered by this process.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any, ClassVar

import anywidget
import traitlets

from faltung.errors import FaltungError
from faltung.explorer.inline import inlined, name_of, style
from faltung.explorer.page import notebook_colours
from faltung.explorer.questions import answer
from faltung.explorer.uploads import Uploads
from faltung.explorer.views import view_of


@functools.cache
def module(name: str) -> str:
    """Return a view as one ES module, as anywidget takes it.

    >>> module("slide").rstrip().endswith("export default { render };")
    True
    """
    view = view_of(name)
    return "\n".join(
        [
            inlined("faltung/widget", view.component),
            f"const render = {name_of('faltung/widget')}.renderer("
            f"{name_of(view.component)}.{view.name});",
            "export default { render };",
        ]
    )


class AbstractView(anywidget.AnyWidget):
    """A view of the explorer as a widget.

    Parameters
    ----------
    **state
        Fields of the view's state that differ from its worked example. What does not fit a
        field's range is brought into it when the view is shown.
    """

    view: ClassVar[str]

    state = traitlets.Dict().tag(sync=True)
    data = traitlets.Any(None, allow_none=True).tag(sync=True)

    def __init_subclass__(cls, **settings: Any) -> None:
        if "view" in vars(cls):  # traitlets makes subclasses of its own, which have them as traits
            cls._esm = module(cls.view)
            cls._css = notebook_colours() + style()
        super().__init_subclass__(**settings)

    def __init__(self, *, data: Any = None, **state: Any) -> None:
        given = view_of(self.view).prepared() if data is None else data
        super().__init__(state=state, data=given)
        self._uploads = Uploads()
        self.on_msg(self._answer)

    def _answer(self, _: Any, content: Mapping[str, Any], buffers: list[Any]) -> None:
        """Answer what the view asks, or keep what it uploads."""
        reply: dict[str, Any] = {"id": content.get("id")}
        try:
            if "upload" in content:
                label = str(content["upload"])
                reply["answer"] = {"name": self._uploads.add(label, map(bytes, buffers))}
            else:
                name = str(content.get("question"))
                reply["answer"] = answer(name, content.get("given"), self._uploads)
        except FaltungError as error:
            reply["error"] = str(error)
        self.send(reply)
