"""The page's server under attack: each rule of its, and somebody who tries to break it."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import pytest

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")

from starlette.applications import Starlette

from faltung.explorer.guard import Guard
from faltung.explorer.run import serving

JSON = {"Content-Type": "application/json"}
BINARY = {"Content-Type": "application/octet-stream"}

# Who may ask --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:{port}", "127.0.0.1", "127.0.0.1:1", "127.0.0.1.nip.io:{port}",
     "localhost.evil.example:{port}", "0.0.0.0:{port}", "[::1]:{port}", "127.1:{port}", "",
     "127.0.0.1:{port}@evil.example", "evil.example, 127.0.0.1:{port}"],
)  # fmt: skip
@pytest.mark.parametrize("path", ["/", "/{token}/", "/{token}/grid.js", "/nowhere/at/all"])
def test_another_host(page: Any, host: str, path: str) -> None:
    """A name that was made to lead here gets nothing, not even from a path that is nowhere."""
    path, host = path.format(token=page.token), host.format(port=page.port)
    answer = page.raw(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 421 ")
    assert b"the Host is not this page's" in answer


def test_no_host_and_two_hosts(page: Any) -> None:
    path, own = f"/{page.token}/", f"127.0.0.1:{page.port}"
    assert page.status(f"GET {path} HTTP/1.0\r\n\r\n".encode()) == 421
    assert page.status(f"GET {path} HTTP/1.1\r\n\r\n".encode()) == 400
    two = f"GET {path} HTTP/1.1\r\nHost: {own}\r\nHost: evil.example\r\n\r\n"
    assert page.status(two.encode()) == 400
    absolute = f"GET http://evil.example{path} HTTP/1.1\r\nHost: {own}\r\nConnection: close\r\n\r\n"
    assert page.status(absolute.encode()) == 404


@pytest.mark.parametrize(
    "origin",
    ["http://evil.example", "null", "https://127.0.0.1:{port}", "http://127.0.0.1:1", "",
     "http://127.0.0.1:{port}.evil.example", "http://localhost", "file://"],
)  # fmt: skip
def test_another_origin(page: Any, origin: str) -> None:
    headers = {"Origin": origin.format(port=page.port)}
    assert page.ask("test.echo", {}, **headers) == (403, {"error": "the Origin is not this page's"})
    assert page.upload(b"", **headers)[0] == 403
    assert page.request("GET", f"{page.base}/", None, headers)[0] == 403


def test_its_own_origin_and_names(page: Any) -> None:
    for name in ("127.0.0.1", "localhost"):
        own = f"{name}:{page.port}"
        assert page.ask("test.echo", {"b": 2}, Origin=f"http://{own}", Host=own) == (200, {"b": 2})
    request = f"GET {page.base}/ HTTP/1.1\r\nHost: 127.0.0.1:{page.port}\r\n"
    two = f"Origin: http://127.0.0.1:{page.port}\r\nOrigin: http://evil.example\r\n\r\n"
    assert page.status((request + two).encode(), 1) == 403


@pytest.mark.parametrize("token", ["", "/", "x", "{short}", "{long}", "%00", "é", "*", "{upper}"])
def test_no_or_a_wrong_token(page: Any, token: str) -> None:
    swapped = {"short": page.token[:-1], "long": page.token + "x", "upper": page.token.swapcase()}
    token = token.format(**swapped).replace("é", "%C3%A9")
    for path in (f"/{token}", f"/{token}/", f"/{token}/grid.js"):
        status, _, body = page.request("GET", path)
        assert (status, json.loads(body)) == (404, {"error": "there is nothing here"})
    for path in ("ask/test.echo", "upload"):
        status, _, body = page.request("POST", f"/{token}/{path}", "{}", JSON)
        assert (status, json.loads(body)) == (404, {"error": "there is nothing here"})


def test_tokens_are_long_and_new() -> None:
    with serving() as one, serving() as other:
        tokens = {urlsplit(url).path.strip("/") for url in (one, other)}
    assert len(tokens) == 2
    assert all(len(token) >= 32 for token in tokens)


def test_the_address_that_a_browser_is_started_with(monkeypatch: pytest.MonkeyPatch) -> None:
    """It leads to the page once, and not for ever: others on the machine can read it."""
    clock = [0.0]
    clocks = SimpleNamespace(monotonic=lambda: clock[0])
    monkeypatch.setattr("faltung.explorer.guard.time", clocks)
    guard = Guard(Starlette(), ("127.0.0.1:1",), "token")
    client = httpless(guard)
    once = guard.once()
    assert once != "token"
    assert client("POST", f"/{once}") == (404, "")
    assert client("GET", f"/{once}") == (303, "/token/")
    assert client("GET", f"/{once}") == (404, "")
    first, second = guard.once(), guard.once()
    assert client("GET", f"/{first}") == (404, "")
    clock[0] += 121
    assert client("GET", f"/{second}") == (404, "")
    assert client("GET", "/") == (404, "")
    assert client("GET", f"/{guard.once()}", b"evil.example") == (421, "")


def httpless(app: Any) -> Callable[..., tuple[int, str]]:
    """Ask an application without a server, and return the status and where it leads."""

    def ask(method: str, path: str, host: bytes = b"127.0.0.1:1") -> tuple[int, str]:
        told: list[dict[str, Any]] = []

        async def send(message: dict[str, Any]) -> None:
            told.append(message)

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": b"", "more_body": False}

        scope = {"type": "http", "method": method, "path": path, "headers": [(b"host", host)]}
        asked = app({**scope, "query_string": b"", "root_path": ""}, receive, send)
        # Not in this thread, where the browser's driver may have a loop of its own.
        with ThreadPoolExecutor(1) as elsewhere:
            elsewhere.submit(asyncio.run, asked).result()
        headers = dict(told[0]["headers"])
        return told[0]["status"], headers.get(b"location", b"").decode()

    return ask


def test_only_this_machine(page: Any) -> None:
    """It listens on the loopback address and on no other that this machine has."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        line.connect(("192.0.2.1", 9))  # sends nothing; asks which address would be used
        address = line.getsockname()[0]
    for other in {address, "::1", "127.0.0.2"} - {"127.0.0.1"}:
        with pytest.raises(OSError, match=r"."):
            socket.create_connection((other, page.port), timeout=2).close()


# What may be asked for ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    ["../server.py", "../../../../../etc/passwd", "..%2fserver.py", "%2e%2e/server.py",
     "%2e%2e%2f%2e%2e%2fetc%2fpasswd", "..%5cserver.py", "/etc/passwd", "%2fetc%2fpasswd",
     "....//server.py", ".", "..", "%2e", "grid.js/../../server.py", "grid.js%00", "grid",
     "style.css", "GRID.JS", "server.py", "nothing.js", "%252e%252e%252fserver.py", "a" * 5000,
     "upload", "ask", "ask/", "C:%5cboot.ini", "grid.js%0d%0aX-Evil:%20yes", "widget.js"],
)  # fmt: skip
def test_paths_that_lead_out(page: Any, path: str) -> None:
    request = f"GET {page.base}/{path} HTTP/1.1\r\nHost: 127.0.0.1:{page.port}\r\n"
    answer = page.raw((request + "Connection: close\r\n\r\n").encode())
    assert answer[:13] in (b"HTTP/1.1 404 ", b"HTTP/1.1 405 ")
    assert b"root:" not in answer
    assert b"import" not in answer
    assert b"X-Evil" not in answer.partition(b"\r\n\r\n")[0]


def test_what_there_is(page: Any) -> None:
    status, headers, body = page.request("GET", f"{page.base}/grid.js")
    assert (status, headers["content-type"]) == (200, "text/javascript; charset=utf-8")
    assert b"export" in body
    assert page.request("GET", page.base)[0] == 200  # without the slash: the page, no redirect


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "POST", "BREW"])
def test_methods(page: Any, method: str) -> None:
    status, _, body = page.request(method, f"{page.base}/grid.js")
    assert (status, json.loads(body)) == (405, {"error": "this cannot be done here"})
    assert page.request("GET", f"{page.base}/ask/test.echo")[0] == 405
    assert page.request("CONNECT", f"{page.base}/")[0] in (400, 405)


def test_an_upgrade_is_not_taken(page: Any) -> None:
    upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    key = "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    request = f"GET {page.base}/ HTTP/1.1\r\nHost: 127.0.0.1:{page.port}\r\n"
    assert page.status((request + upgrade + key).encode(), 1) == 200


def test_headers_of_every_answer(page: Any) -> None:
    asked = [
        page.request("GET", f"{page.base}/"),
        page.request("GET", f"{page.base}/grid.js"),
        page.request("GET", "/"),
        page.request("GET", "/", None, {"Host": "evil.example"}),
        page.request("PUT", f"{page.base}/"),
        page.request("POST", f"{page.base}/ask/test.echo", "{}", JSON),
        page.request("POST", f"{page.base}/ask/test.fail", "{}", JSON),
        page.request("POST", f"{page.base}/upload", b"", BINARY),
    ]
    for _, headers, _ in asked:
        assert headers["cache-control"] == "no-store"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["x-frame-options"] == "DENY"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert not any(name.startswith("access-control") for name in headers)
        assert "server" not in headers


def test_what_views_are_given(page: Any) -> None:
    """Prepared when it is asked for, and for views alone."""
    status, headers, body = page.request("GET", f"{page.base}/data/cost")
    assert (status, headers["content-type"]) == (200, "application/json")
    assert json.loads(body)
    assert json.loads(page.request("GET", f"{page.base}/data/slide")[2]) is None
    for name in ("nothing", "__class__", "..", "%2e%2e%2fcost", "cost/", "Cost"):
        assert page.request("GET", f"{page.base}/data/{name}")[0] == 404
    assert page.request("GET", "/data/cost")[0] == 404
    assert page.request("GET", f"{page.base}/data/cost", None, {"Host": "evil.example"})[0] == 421
