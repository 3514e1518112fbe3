"""Pages: one self-contained file from disk, and the page that the server gives.

A saved page may load nothing and ask nobody: its Content-Security-Policy allows its own script
and style by their hashes, pictures that are data, and no connection at all.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from faltung import atomic
from faltung.explorer.inline import PREFIX, in_order, inlined, name_of, style
from faltung.explorer.uploads import LARGEST
from faltung.explorer.views import VIEWS, View, view_of
from faltung.theme import DARK, LIGHT

TITLE: Final = "faltung"

_PAGE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
{meta}
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<link rel="icon" href="data:,">
<style>{css}</style>
</head>
<body>
<noscript>This page is alive: it needs JavaScript.</noscript>
<script type="application/json" id="faltung-config">{config}</script>
{scripts}
</body>
</html>
"""
_START: Final = (
    """start({views}, JSON.parse(document.getElementById("faltung-config").textContent));"""
)
_LATER: Final = (
    """{{ name: "{view.name}", title: "{view.title}", """
    """load: async () => (await import("{view.component}")).{view.name} }}"""
)

# What the roles have beside the theme's colours: links and words that must be readable (WCAG AA).
_MORE: Final = {
    "light": "--raised: #f3f5f7; --link: #005a8f; --strong-wrong: #a84300;",
    "dark": "--raised: #20262c; --link: #7cc4f0; --strong-wrong: #f59b5e;",
}


def colours() -> str:
    """Return the colours of both themes as CSS: the system's choice, and the switch over it."""
    light, dark = (f"{theme.css()} {_MORE[theme.name]}" for theme in (LIGHT, DARK))
    return (
        f":root, :root[data-theme=light] {{ {light} color-scheme: light; }}\n"
        f"@media (prefers-color-scheme: dark) {{ :root {{ {dark} color-scheme: dark; }} }}\n"
        f":root[data-theme=light] {{ {light} color-scheme: light; }}\n"
        f":root[data-theme=dark] {{ {dark} color-scheme: dark; }}\n"
    )


def notebook_colours() -> str:
    """Return the colours for notebooks, which have themes of their own.

    JupyterLab, VS Code and marimo mark their dark themes on an element around the cell.
    """
    light, dark = (f"{theme.css()} {_MORE[theme.name]}" for theme in (LIGHT, DARK))
    marks = ('[data-jp-theme-light="false"]', ".vscode-dark", ".dark")
    in_dark = ", ".join(f"{mark} .faltung" for mark in marks)
    return f".faltung {{ {light} }}\n{in_dark} {{ {dark} }}\n"


def saved_page(
    first: str = "slide",
    *,
    states: Mapping[str, Mapping[str, Any]] | None = None,
    data: Mapping[str, Any] | None = None,
    views: Sequence[str] | None = None,
) -> str:
    """Return a page that works from disk: no network, no server, no kernel.

    Parameters
    ----------
    first
        The view that opens.
    states
        For a view, the fields of its state that differ from its worked example.
    data
        For a view, what it is given beforehand, in place of what it prepares itself.
    views
        Which views the page has; all of them if left out.

    Raises
    ------
    ExplorerError
        There is no such view.

    Examples
    --------
    >>> saved_page("slide").count("<script")
    2
    """
    chosen = [view_of(name) for name in views or VIEWS]
    config = {**_config(chosen, first, states, data), "place": "saved"}
    script = "\n".join([inlined("faltung/page", *(v.component for v in chosen)), _start(chosen)])
    css = colours() + style()
    policy = (
        f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(css)}'; "
        "img-src data: blob:; base-uri 'none'; form-action 'none'"
    )
    scripts = f"<script>{script}</script>"
    meta = f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
    return _PAGE.format(meta=meta, title=TITLE, css=css, config=_json(config), scripts=scripts)


class ServedPage(NamedTuple):
    """What the server gives: the page, its policy, and the files that it may load."""

    html: str
    policy: str
    modules: frozenset[str]


def served_page(
    base: str,
    first: str = "slide",
    *,
    states: Mapping[str, Mapping[str, Any]] | None = None,
    data: Mapping[str, Any] | None = None,
) -> ServedPage:
    """Return the page whose components stay files, found through an import map.

    What the first view needs is asked for at once; other views are loaded, and what they are given
    is prepared, when they are opened.

    Parameters
    ----------
    base
        The path under which the server gives everything, without a slash at its end.
    first, states, data
        As of `saved_page`.
    """
    chosen, opened = list(VIEWS.values()), view_of(first)
    needs = {view.name: _needs(view) for view in chosen}
    known = {name: None for name in VIEWS if name not in needs[first]} | dict(data or {})
    config = {**_config(chosen, first, states, known), "place": "page", "base": base}
    config |= {"largest": LARGEST, "needs": needs}
    names = in_order("faltung/page", *(view.component for view in chosen))
    imports = {name: _address(base, name) for name in names}
    import_map = json.dumps({"imports": imports})
    views = [view.name if view is opened else _LATER.format(view=view) for view in chosen]
    lines = [
        f'import {{ {opened.name} }} from "{opened.component}";',
        'import { start } from "faltung/page";',
        _START.format(views=f"[{', '.join(views)}]"),
    ]
    script, css = "\n".join(lines), colours() + style()
    early = in_order("faltung/page", opened.component)
    links = [f'<link rel="modulepreload" href="{imports[name]}">' for name in early]
    # The map comes first: what a module needs is looked up in it as soon as that module is there.
    meta = "\n".join([f'<script type="importmap">{import_map}</script>', *links])
    own = f"'self' '{_hash(import_map)}' '{_hash(script)}'"
    policy = (
        f"default-src 'none'; script-src {own}; style-src '{_hash(css)}'; connect-src 'self'; "
        "img-src data: blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    scripts = f'<script type="module">{script}</script>'
    html = _PAGE.format(meta=meta, title=TITLE, css=css, config=_json(config), scripts=scripts)
    return ServedPage(html, policy, frozenset(_address("", name)[1:] for name in names))


def write_page(path: str | os.PathLike[str], *given: Any, **settings: Any) -> Path:
    """Write what `saved_page` returns, whole or not at all."""
    target = Path(path)
    atomic.write_bytes(target, saved_page(*given, **settings).encode())
    return target


def _config(
    views: Sequence[View],
    first: str,
    states: Mapping[str, Mapping[str, Any]] | None,
    data: Mapping[str, Any] | None,
) -> dict[str, Any]:
    opened, given = view_of(first).name, data or {}
    prepared = {v.name: given[v.name] if v.name in given else v.prepared() for v in views}
    return {
        "title": TITLE,
        "first": opened,
        "data": {name: value for name, value in prepared.items() if value is not None},
        "states": states or {},
    }


def _needs(view: View) -> list[str]:
    """Return the views whose data a view shows: its own, and a tour everybody's."""
    shown = VIEWS.values() if view.name == "tour" else [view]
    return [each.name for each in shown if each.data]


def _start(views: Sequence[View]) -> str:
    names = ["page.start", *(f"{view.name}.{view.name}" for view in views)]
    constants = [
        f"const {{ {export} }} = {name_of(f'faltung/{component}')};"
        for component, export in (name.split(".") for name in names)
    ]
    return "\n".join([*constants, _START.format(views=_listed(views))])


def _listed(views: Sequence[View]) -> str:
    return f"[{', '.join(view.name for view in views)}]"


def _address(base: str, name: str) -> str:
    return f"{base}/{name.removeprefix(PREFIX)}.js"


def _json(value: Any) -> str:
    """Return JSON that may stand inside an element: nothing in it can end the element."""
    return json.dumps(value, separators=(",", ":")).replace("<", "\\u003c")


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
