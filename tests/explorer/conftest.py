"""Chromium for the explorer's tests: pages from disk, and nothing else may be asked for."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import socket
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from faltung.explorer.page import write_page

SWITCHES = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
VIEW = "document.querySelector('.ft-view').faltung"


def missing(reason: str) -> None:
    """Skip, naming what is missing; or fail where all must be there."""
    if os.environ.get("FALTUNG_REQUIRE_PEERS") == "1":
        pytest.fail(f"{reason} (make test-all installs it)")
    pytest.skip(f"{reason} (make test-all installs it)")


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """A headless Chromium, or a skip that names what is missing."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        missing("the browser chromium is not installed")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        missing("the peer playwright is not installed")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, args=SWITCHES)
        yield browser
        browser.close()


class Opened:
    """A view in a tab: its state, its figures, its element."""

    def __init__(self, tab: Any) -> None:
        self.tab = tab

    def set(self, **state: Any) -> None:
        """Change some fields of the state."""
        self.tab.evaluate(f"(state) => {VIEW}.store.set(state)", state)

    def state(self) -> dict[str, Any]:
        """Return the state."""
        found: dict[str, Any] = self.tab.evaluate(f"() => {VIEW}.store.state")
        return found

    def figures(self) -> dict[str, Any]:
        """Return every number that the view shows."""
        found: dict[str, Any] = self.tab.evaluate(f"() => {VIEW}.figures()")
        return found

    def text(self, selector: str) -> str:
        """Return the text of an element."""
        return str(self.tab.locator(selector).inner_text())


@pytest.fixture
def open_view(chromium: Any, tmp_path: Path) -> Iterator[Callable[..., Opened]]:
    """Return a function that opens a view of a saved page; errors and requests fail the test."""
    wrong: list[str] = []
    contexts: list[Any] = []

    def opened(
        name: str,
        state: Mapping[str, Any] | None = None,
        *,
        data: Any = None,
        size: tuple[int, int] = (1440, 900),
        scheme: str = "light",
        **context: Any,
    ) -> Opened:
        given = {} if data is None else {name: data}
        path = write_page(tmp_path / "page.html", name, states={name: state or {}}, data=given)
        viewport = {"width": size[0], "height": size[1]}
        made = chromium.new_context(viewport=viewport, color_scheme=scheme, offline=True, **context)
        contexts.append(made)
        tab = made.new_page()
        tab.on("pageerror", lambda error: wrong.append(str(error)))
        tab.on(
            "console", lambda m: wrong.append(m.text) if m.type in ("error", "warning") else None
        )
        url = path.as_uri()
        tab.on(
            "request",
            lambda r: None if r.url.startswith((url, "data:", "blob:")) else wrong.append(r.url),
        )
        tab.goto(f"{url}#{name}")
        return Opened(tab)

    yield opened
    for made in contexts:
        made.close()
    assert not wrong


@pytest.fixture(scope="module")
def lasting_view(
    chromium: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], Opened]]:
    """Return a function that opens one view alone, for all tests of a module, from disk."""
    wrong: list[str] = []
    contexts: list[Any] = []

    def opened(name: str) -> Opened:
        path = write_page(tmp_path_factory.mktemp("page") / "page.html", name, views=[name])
        made = chromium.new_context(viewport={"width": 1440, "height": 900}, offline=True)
        contexts.append(made)
        tab = made.new_page()
        tab.on("pageerror", lambda error: wrong.append(str(error)))
        tab.on("console", lambda m: wrong.append(m.text) if m.type == "error" else None)
        tab.goto(f"{path.as_uri()}#{name}")
        return Opened(tab)

    yield opened
    for made in contexts:
        made.close()
    assert not wrong


@pytest.fixture
def served_view(chromium: Any) -> Iterator[Callable[..., Opened]]:
    """Return a function that opens a view of the served page, whose questions Python answers."""
    from faltung.explorer.run import serving

    wrong: list[str] = []
    with contextlib.ExitStack() as stack:

        def opened(name: str, *, size: tuple[int, int] = (1440, 900), **settings: Any) -> Opened:
            url = stack.enter_context(serving(name, **settings))
            made = chromium.new_context(viewport={"width": size[0], "height": size[1]})
            stack.callback(made.close)
            tab = made.new_page()
            tab.on("pageerror", lambda error: wrong.append(str(error)))
            tab.goto(f"{url}#{name}")
            return Opened(tab)

        yield opened
    assert not wrong


# A page that is attacked

NAMES = ("echo", "sleep", "allocate", "crash", "fail", "nan", "large", "pid", "litter", "read")
JSON = {"Content-Type": "application/json"}
BINARY = {"Content-Type": "application/octet-stream"}


class Page:
    """A running page, and ways to speak to it that no browser has."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.host, self.port, self.base = parts.hostname, parts.port, parts.path.rstrip("/")
        self.url, self.token = url, self.base[1:]

    def request(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, dict[str, str], bytes]:
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            line.request(method, path, body, dict(headers or {}))
            got = line.getresponse()
            return got.status, {k.lower(): v for k, v in got.getheaders()}, got.read()
        finally:
            line.close()

    def ask(self, name: str, given: Any = None, **headers: str) -> tuple[int, Any]:
        body = json.dumps({} if given is None else given)
        status, _, got = self.request("POST", f"{self.base}/ask/{name}", body, JSON | headers)
        return status, json.loads(got)

    def upload(self, data: Any, label: str = "x.png", **headers: str) -> tuple[int, Any]:
        given = BINARY | {"X-Name": label} | headers
        status, _, got = self.request("POST", f"{self.base}/upload", data, given)
        return status, json.loads(got)

    def raw(self, text: bytes, seconds: float = 5.0) -> bytes:
        """Send bytes as they are, and return all that comes until the end or the time is over."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=seconds) as line:
            line.sendall(text)
            return received(line)

    def status(self, text: bytes, seconds: float = 5.0) -> int:
        """Send bytes as they are, and return the status that they get."""
        return int(self.raw(text, seconds).split(b" ", 2)[1])

    def is_well(self) -> bool:
        return self.ask("test.echo", {"a": 1}) == (200, {"a": 1})


def received(line: socket.socket) -> bytes:
    found = b""
    try:
        while part := line.recv(65536):
            found += part
    except (TimeoutError, ConnectionResetError):
        pass
    return found


@contextlib.contextmanager
def attacked() -> Iterator[Page]:
    """Serve a page whose workers know the questions of `hostile`."""
    pytest.importorskip("uvicorn")
    from faltung.explorer.questions import QUESTIONS, Question
    from faltung.explorer.run import serving

    more = {f"test.{name}": Question(f"hostile:{name}", 20.0) for name in NAMES}
    more |= {f"test.{name}": Question(f"hostile:{name}", 0.5) for name in ("loop", "child")}
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(Path(__file__).parent)
        with serving(questions={**QUESTIONS, **more}) as url:
            yield Page(url)


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    """A page that may be attacked."""
    with attacked() as found:
        yield found


@pytest.fixture
def hostile_page() -> Callable[[], Any]:
    """Another one, served for a block."""
    return attacked


@pytest.fixture
def folder(page: Page) -> Path:
    """Where the page's uploads are: told by nobody, so looked for."""
    import gc

    from faltung.explorer.server import Server

    found = (o for o in gc.get_objects() if type(o) is Server and o.token == page.token)
    return Path(next(found).uploads.folder)
