"""What `faltung explore` does: a page served, or one saved, and a browser that opens it."""

from __future__ import annotations

import sys
import tempfile
import threading
import webbrowser
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import click

from faltung.cli.screen import Screen
from faltung.datasets.photo import PHOTOS
from faltung.explorer.given import Prepared, prepared
from faltung.explorer.page import write_page
from faltung.explorer.uploads import Uploads
from faltung.explorer.views import view_of
from faltung.zoo.catalogue import NETWORKS

NEEDED: Final = ("starlette", "uvicorn")
ON_A_TERMINAL: Final = ("lynx", "links", "elinks", "w3m", "www-browser")
"""Browsers that would take the terminal, and run no JavaScript."""


@dataclass(frozen=True)
class Wanted:
    """The view that opens, and what it is to show."""

    view: str
    model: str | None
    image: str | None

    def prepared(self, uploads: Uploads | None = None) -> Prepared:
        """Read the model and the picture."""
        from faltung.cli.inspection import file_of

        model = self.model if self.model in NETWORKS or not self.model else file_of(self.model)
        is_ours = self.image in PHOTOS and not Path(self.image).exists()
        image = self.image if is_ours or not self.image else Path(self.image)
        return prepared(model, image, uploads)


def check(view: str | None, save: str | None) -> None:
    """Refuse what cannot be, before anything is done."""
    if view is not None:
        view_of(view)
    if save is not None and Path(save).suffix.lower() not in (".html", ".htm"):
        raise click.UsageError(f"--save writes a page: {save!r} must end in .html.")


def has_server() -> bool:
    """Whether the packages of the extra are there."""
    return all(find_spec(name) is not None for name in NEEDED)


def serve(screen: Screen, wanted: Wanted, port: int, *, is_opened: bool) -> None:
    """Serve the page until Ctrl-C."""
    from faltung.explorer.run import serve as serve_page

    def ready(url: str, once: str) -> None:
        screen.say(f"The explorer is at {url}", "bold")
        screen.say("It answers on this machine alone. Ctrl-C ends it.")
        sys.stdout.flush()
        if is_opened:
            show(screen, once)

    with Uploads() as uploads:
        data, states = wanted.prepared(uploads)
        serve_page(port, wanted.view, data=data, states=states, uploads=uploads, ready=ready)


def save(screen: Screen, wanted: Wanted, path: str) -> Path:
    """Write the page that needs no server."""
    data, states = wanted.prepared()
    target = write_page(path, wanted.view, data=data, states=states)
    screen.say(f"page: {target}", "bold")
    return target


def stand_in(screen: Screen, wanted: Wanted, *, is_opened: bool) -> None:
    """Write the saved page into a temporary folder, where there is no server to be had."""
    screen.note(
        "the server's packages are missing, so this is the page as --save writes it; "
        "for all of it: python -m pip install 'faltung[explorer]'"
    )
    folder = tempfile.mkdtemp(prefix="faltung-")
    page = save(screen, wanted, str(Path(folder) / "explorer.html"))
    if is_opened:
        show(screen, page.as_uri())


def show(screen: Screen, url: str) -> None:
    """Open a URL in the browser, which may take its time, or not be there."""

    def opened() -> None:
        try:
            browser = webbrowser.get()
            name = Path(str(getattr(browser, "name", ""))).name
            if name not in ON_A_TERMINAL and browser.open(url):
                return
        except webbrowser.Error:
            pass
        screen.note("no browser was found: open the address above in one")

    thread = threading.Thread(target=opened, daemon=True)
    thread.start()
    if url.startswith("file:"):
        thread.join(10)
