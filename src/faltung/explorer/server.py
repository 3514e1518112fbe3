"""The page's server: on this machine only, for whoever holds the token in its URL.

It listens on 127.0.0.1. Every path begins with a random token; Host and Origin must be the
page's own, so that no other site can reach it through the browser. Uploads are limited in size
and in time, questions in time and memory, and nothing is written outside a temporary folder.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import socket
from collections.abc import Awaitable, Callable
from importlib.resources import files
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from faltung.errors import ExplorerError, FaltungError, message
from faltung.explorer.page import CONTENT, served_page
from faltung.explorer.questions import question_of
from faltung.explorer.uploads import Uploads, checked_size, suffix_of
from faltung.explorer.work import Workers

HOST: Final = "127.0.0.1"
LARGEST_QUESTION: Final = 4 * 2**20
"""Bytes of what a view asks with."""
SECONDS_TO_SEND: Final = 60.0
"""How long a body may take to arrive."""
AT_ONCE: Final = 16
"""Questions and uploads that are taken in at once; more are told to wait."""

Handler = Callable[[Request], Awaitable[Response]]


class Server:
    """The application, its token and what it keeps.

    Parameters
    ----------
    port
        Where it will listen; it decides which Host and Origin are its own.
    first, data, states
        As `faltung.explorer.page.saved_page` takes them.
    """

    def __init__(
        self,
        port: int,
        first: str = "slide",
        *,
        data: dict[str, Any] | None = None,
        states: dict[str, Any] | None = None,
        uploads: Uploads | None = None,
    ) -> None:
        self.token = secrets.token_urlsafe(24)
        self.authorities = {f"{HOST}:{port}", f"localhost:{port}"}
        self.uploads = uploads or Uploads()
        self.workers = Workers(self.uploads.folder)
        self.page = served_page(f"/{self.token}", first, data=data, states=states)
        self._room = asyncio.Semaphore(AT_ONCE)
        self.app = Starlette(
            routes=[
                Route("/{token}/", self._guarded(self._page), methods=["GET"]),
                Route("/{token}/ask/{question}", self._guarded(self._ask), methods=["POST"]),
                Route("/{token}/upload", self._guarded(self._upload), methods=["POST"]),
                Route("/{token}/{name}", self._guarded(self._file), methods=["GET"]),
            ]
        )

    def close(self) -> None:
        """End the workers and remove the uploads."""
        self.workers.close()
        self.uploads.close()

    # Who may ask ------------------------------------------------------------------------------

    def _guarded(self, handler: Handler) -> Handler:
        async def guarded(request: Request) -> Response:
            refusal = self._refusal(request)
            response = refusal if refusal is not None else await handler(request)
            response.headers.update(HEADERS)
            return response

        return guarded

    def _refusal(self, request: Request) -> Response | None:
        """Return the answer to whoever is not the page itself."""
        if request.headers.get("host") not in self.authorities:
            return _refused(421, "the Host is not this page's")
        origin = request.headers.get("origin")
        if origin is not None and origin not in {f"http://{name}" for name in self.authorities}:
            return _refused(403, "the Origin is not this page's")
        given = str(request.path_params["token"]).encode()
        if not secrets.compare_digest(given, self.token.encode()):
            return _refused(404, "there is nothing here")
        return None

    # What is given ----------------------------------------------------------------------------

    async def _page(self, request: Request) -> Response:
        headers = {"Content-Security-Policy": self.page.policy}
        return Response(self.page.html, media_type="text/html", headers=headers)

    async def _file(self, request: Request) -> Response:
        name = str(request.path_params["name"])
        if name not in self.page.modules:
            return _refused(404, "there is nothing here")
        text = (files("faltung.explorer") / "components" / name).read_text("utf-8")
        return Response(text, media_type=CONTENT[Path(name).suffix])

    async def _ask(self, request: Request) -> Response:
        if request.headers.get("content-type", "").partition(";")[0] != "application/json":
            return _refused(415, "a question must be JSON")
        return await self._within_limits(self._answered(request))

    async def _upload(self, request: Request) -> Response:
        return await self._within_limits(self._kept(request))

    async def _within_limits(self, work: Any) -> Response:
        if self._room.locked():
            work.close()
            return _refused(503, "too much is asked at once; wait a moment")
        async with self._room:
            try:
                return JSONResponse(await work)
            except FaltungError as error:
                return _refused(400, str(error))
            except TimeoutError:
                return _refused(408, "the request took too long to arrive")
            except ClientDisconnect:
                return _refused(400, "the request broke off")

    async def _answered(self, request: Request) -> Any:
        name = str(request.path_params["question"])
        question = question_of(name)
        given = _parsed(name, await _body(request, LARGEST_QUESTION))
        return await run_in_threadpool(self.workers.ask, name, given, question.seconds)

    async def _kept(self, request: Request) -> Any:
        label = unquote(request.headers.get("x-name", ""))[:200]
        checked_size(int(request.headers.get("content-length", "0") or 0), label)
        name = secrets.token_hex(8) + suffix_of(label)
        path, size = self.uploads.folder / name, 0
        try:
            with path.open("xb") as file:
                async with asyncio.timeout(SECONDS_TO_SEND):
                    async for part in request.stream():
                        size = checked_size(size + len(part), label)
                        file.write(part)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        self.uploads.admit(name, size)
        return {"name": name, "size": size}


HEADERS: Final = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",  # the token is in the URL
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Frame-Options": "DENY",
}


async def _body(request: Request, largest: int) -> bytes:
    parts, size = [], 0
    async with asyncio.timeout(SECONDS_TO_SEND):
        async for part in request.stream():
            size += len(part)
            if size > largest:
                rule = f"a question must not be larger than {largest:,} bytes"
                raise ExplorerError(message("explore", rule))
            parts.append(part)
    return b"".join(parts)


def _parsed(name: str, body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ExplorerError(message(name, "a question must be JSON")) from error


def _refused(status: int, why: str) -> Response:
    return JSONResponse({"error": why}, status)


def listening(port: int, tries: int = 20) -> socket.socket:
    """Return a socket on the first free port from one on; port 0 takes any.

    Raises
    ------
    ExplorerError
        All of them are taken.
    """
    for candidate in range(port, port + (tries if port else 1)):
        made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            made.bind((HOST, candidate))
        except (OSError, OverflowError):
            made.close()
            continue
        return made
    rule, cure = "no port is free", "Give another one with --port"
    raise ExplorerError(message("explore", rule, {"ports": f"{port} to {port + tries - 1}"}, cure))
