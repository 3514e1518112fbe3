"""The explorer's views as notebook widgets: Jupyter, JupyterLab, VS Code, marimo.

A widget is its component and what that needs, as one module. Its state goes both ways, as the trait
``state``; what it asks is answered by this process.
"""

from __future__ import annotations

import functools
import weakref
from collections.abc import Mapping
from typing import Any, ClassVar, Final

import anywidget
import numpy as np
import traitlets

from faltung.errors import ExplorerError, FaltungError, message
from faltung.explorer.inline import inlined, name_of, style
from faltung.explorer.page import notebook_colours
from faltung.explorer.questions import answer
from faltung.explorer.still import still
from faltung.explorer.uploads import Uploads
from faltung.explorer.views import view_of

LONGEST: Final = 60
"""Characters of a field's value that a widget's text tells."""


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
    data
        What the component is given in place of what the view prepares itself; plain data.
    **state
        Fields of the view's state that differ from its worked example. What does not fit a
        field's range is brought into it when the view is shown.

    Raises
    ------
    ExplorerError
        A field's value is no plain data.
    """

    view: ClassVar[str]

    state = traitlets.Dict().tag(sync=True)
    data = traitlets.Any(None, allow_none=True).tag(sync=True)

    def __init__(self, *, data: Any = None, **state: Any) -> None:
        self._esm = module(self.view)
        self._css = notebook_colours() + style()
        given = view_of(self.view).prepared() if data is None else data
        super().__init__(state=state, data=given)
        self.on_msg(self._answer)

    def set(self, **fields: Any) -> None:
        """Change some fields of the state, in all places that show the view; the rest stay.

        Parameters
        ----------
        **fields
            By name; arrays, tuples and NumPy's numbers are taken as lists and numbers.

        Raises
        ------
        ExplorerError
            A field's value is no plain data.
        """
        self.state = {**self.state, **fields}

    def close(self) -> None:
        """End the widget, and remove the files that were handed to it."""
        super().close()
        if "_uploads" in vars(self):
            self._uploads.close()

    @functools.cached_property
    def _uploads(self) -> Uploads:
        """Where files go; removed when the widget is closed, collected, or Python ends."""
        uploads = Uploads()
        weakref.finalize(self, uploads.close)
        return uploads

    @traitlets.validate("state")
    def _as_plain(self, proposal: Mapping[str, Any]) -> dict[str, Any]:
        fields = proposal["value"].items()
        return {name: plain(value, f"{type(self).__name__}: {name}") for name, value in fields}

    def _answer(self, _: Any, content: Mapping[str, Any], buffers: list[Any]) -> None:
        """Answer what the view asks, or keep what it uploads."""
        reply: dict[str, Any] = {"id": content.get("id")}
        name = "upload" if "upload" in content else str(content.get("question"))
        try:
            if "upload" in content:
                label = str(content["upload"])
                reply["answer"] = {"name": self._uploads.add(label, map(bytes, buffers))}
            else:
                reply["answer"] = answer(name, content.get("given"), self._uploads)
        except FaltungError as error:
            reply["error"] = " ".join(self._tidied(str(error)).split())
        except Exception as error:  # the view says it in one line, the notebook shows the rest
            values = {"error": type(error).__name__}
            reply["error"] = message(name, "it failed", values, "Please report it")
            raise
        finally:
            self.send(reply)

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={_short(value)}" for name, value in self.state.items())
        return self._tidied(f"{type(self).__name__}({fields})")

    def _tidied(self, text: str) -> str:
        """Call files as their owner calls them."""
        return self._uploads.tidied(text) if "_uploads" in vars(self) else text

    def _repr_mimebundle_(self, **how: Any) -> Any:
        shown = super()._repr_mimebundle_(**how)
        if shown is None:
            return None
        bundle, metadata = shown
        words = (type(self).__doc__ or "").strip().partition("\n")[0]
        picture = still(self.view, words, self.state, self.data)
        return {**bundle, "image/svg+xml": self._tidied(picture)}, metadata


def plain(value: Any, name: str) -> Any:
    """Return a value as plain data, fit for JSON.

    Parameters
    ----------
    value
        Numbers, text, arrays, and lists and mappings of them.
    name
        What it is called in messages.

    Raises
    ------
    ExplorerError
        It is something else, or a number that is not finite.

    Examples
    --------
    >>> plain((np.int64(2), [np.ones(2)]), "x")
    [2, [[1.0, 1.0]]]
    """
    if isinstance(value, (np.ndarray, np.generic)):
        value = value.tolist()
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float) and np.isfinite(value):
        return value
    if isinstance(value, (list, tuple)):
        return [plain(each, name) for each in value]
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return {key: plain(each, name) for key, each in value.items()}
    rule = "a state holds finite numbers, text, and lists and mappings of them"
    raise ExplorerError(message(name, rule, {"value": repr(value)[:LONGEST]}))


def _short(value: Any) -> str:
    text = repr(value)
    if len(text) <= LONGEST:
        return text
    sizes = []
    while isinstance(value, list) and value:
        sizes.append(str(len(value)))
        value = value[0]
    return f"[{'×'.join(sizes)}]" if sizes else text[:LONGEST] + "…"
