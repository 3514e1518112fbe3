"""The page's server: on this machine only, for whoever holds the token in its URL.

It listens on 127.0.0.1. Every path begins with a random token; Host and Origin must be the
page's own, so that no other site can reach it through the browser. Uploads are limited in size
and in time, questions in time and memory, and nothing is written outside a temporary folder.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import socket
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final
from urllib.parse import unquote

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from faltung.errors import ExplorerError, FaltungError, message
from faltung.explorer.guard import Guard, refused
from faltung.explorer.inline import PREFIX, bare
from faltung.explorer.page import served_page
from faltung.explorer.questions import QUESTIONS, Question
from faltung.explorer.uploads import LARGEST, Uploads, checked_size
from faltung.explorer.views import VIEWS
from faltung.explorer.work import BusyError, Workers

HOST: Final = "127.0.0.1"
SCRIPT: Final = "text/javascript"
LARGEST_QUESTION: Final = 4 * 2**20
"""Bytes of what a view asks with."""
SECONDS_TO_SEND: Final = 60.0
"""How long a body may take to arrive."""
SECONDS_OF_SILENCE: Final = 10.0
"""How long nothing of a body may come."""
QUESTIONS_AT_ONCE: Final = 16
"""More are told to wait."""
UPLOADS_AT_ONCE: Final = 4
"""So many files more than `Uploads` keeps may be in its folder for a moment."""


class Server:
    """The application, its token and what it keeps.

    Parameters
    ----------
    port
        Where it will listen; it decides which Host and Origin are its own.
    first, data, states
        As `faltung.explorer.page.saved_page` takes them.
    uploads
        Files that may be asked about from the start; they are closed with the server.
    questions
        What may be asked.
    """

    def __init__(
        self,
        port: int,
        first: str = "slide",
        *,
        data: Mapping[str, Any] | None = None,
        states: Mapping[str, Any] | None = None,
        uploads: Uploads | None = None,
        questions: Mapping[str, Question] = QUESTIONS,
    ) -> None:
        self.token = secrets.token_urlsafe(24)
        self.page = served_page(f"/{self.token}", first, data=data, states=states)
        self.questions = questions
        self.uploads = uploads or Uploads()
        self.workers = Workers(self.uploads.folder)
        self._given = {name: asyncio.Lock() for name in VIEWS}
        self._prepared: dict[str, bytes] = {}
        self._asking = asyncio.Semaphore(QUESTIONS_AT_ONCE)
        self._sending = asyncio.Semaphore(UPLOADS_AT_ONCE)
        app = Starlette(
            routes=[
                Route("/", self._page, methods=["GET"]),
                Route("/ask/{question}", self._ask, methods=["POST"]),
                Route("/data/{view}", self._data, methods=["GET"]),
                Route("/upload", self._upload, methods=["POST"]),
                Route("/{name}", self._file, methods=["GET"]),
            ],
            exception_handlers={HTTPException: _said, Exception: _failed},
        )
        app.router.redirect_slashes = False
        self.app = Guard(app, authorities(port), self.token)

    def close(self) -> None:
        """End the workers and remove the uploads."""
        self.workers.close()
        self.uploads.close()

    async def _page(self, request: Request) -> Response:
        headers = {"Content-Security-Policy": self.page.policy}
        return Response(self.page.html, media_type="text/html", headers=headers)

    async def _file(self, request: Request) -> Response:
        name = str(request.path_params["name"])
        if name not in self.page.modules:
            return refused(404, "there is nothing here")
        return Response(bare(PREFIX + name.removesuffix(".js")), media_type=SCRIPT)

    async def _data(self, request: Request) -> Response:
        """Give what a view is given, prepared when it is first opened."""
        name = str(request.path_params["view"])
        if name not in VIEWS:
            return refused(404, "there is nothing here")
        async with self._given[name]:
            if name not in self._prepared:
                found = await run_in_threadpool(VIEWS[name].prepared)
                self._prepared[name] = json.dumps(found, separators=(",", ":")).encode()
        return Response(self._prepared[name], media_type="application/json")

    async def _ask(self, request: Request) -> Response:
        if not _is(request, "application/json"):
            return refused(415, "a question must be JSON")
        return await self._within(self._asking, self._answered(request))

    async def _upload(self, request: Request) -> Response:
        if not _is(request, "application/octet-stream"):
            return refused(415, "a file must come as application/octet-stream")
        return await self._within(self._sending, self._kept(request))

    async def _within(self, room: asyncio.Semaphore, work: Any) -> Response:
        """Answer if there is room, and say what is wrong if something is."""
        if room.locked():
            work.close()
            return refused(503, "too much is asked at once; wait a moment")
        async with room:
            try:
                return Response(await work, media_type="application/json")
            except BusyError as error:
                return refused(503, str(error))
            except FaltungError as error:
                return refused(400, self.uploads.tidied(str(error)))
            except TimeoutError:
                return refused(408, "the request took too long to arrive")
            except ClientDisconnect:
                return refused(400, "the request broke off")

    async def _answered(self, request: Request) -> bytes:
        name = str(request.path_params["question"])
        if name not in self.questions:
            rule = "there is no such question"
            raise ExplorerError(message("explore", rule, {"name": repr(name)}))
        body, size = [], 0
        async for part in _parts(request):
            size += len(part)
            if size > LARGEST_QUESTION:
                rule = f"a question must not be larger than {LARGEST_QUESTION:,} bytes"
                raise ExplorerError(message(name, rule))
            body.append(part)
        question = self.questions[name]
        return await run_in_threadpool(self.workers.ask, name, question, b"".join(body))

    async def _kept(self, request: Request) -> bytes:
        label = unquote(request.headers.get("x-name", ""))
        declared = request.headers.get("content-length", "0")
        is_number = declared.isdecimal() and len(declared) < 20
        checked_size(int(declared) if is_number else LARGEST + 1, label)
        with self.uploads.arriving(label) as arrival:
            async for part in _parts(request):
                arrival.write(part)
        return json.dumps({"name": arrival.name, "size": arrival.size}).encode()


async def _parts(request: Request) -> AsyncIterator[bytes]:
    """Give a body as it comes, as long as it comes."""
    clock = asyncio.get_running_loop().time
    end, stream = clock() + SECONDS_TO_SEND, aiter(request.stream())
    while True:
        patience = min(SECONDS_OF_SILENCE, end - clock())
        part = await asyncio.wait_for(anext(stream, None), patience)
        if part is None:
            return
        yield part


def _is(request: Request, kind: str) -> bool:
    given: str = request.headers.get("content-type", "")
    return given.partition(";")[0].strip().lower() == kind


async def _said(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    return refused(status, "there is nothing here" if status == 404 else "this cannot be done here")


async def _failed(request: Request, error: Exception) -> Response:
    return refused(500, "it failed; please report it")


def authorities(port: int) -> tuple[str, ...]:
    """Return what stands in the Host of a request to this page.

    >>> authorities(8000), authorities(80)
    (('127.0.0.1:8000', 'localhost:8000'), ('127.0.0.1', 'localhost'))
    """
    end = "" if port == 80 else f":{port}"  # browsers leave out what http means anyway
    return (HOST + end, "localhost" + end)


def listening(port: int, tries: int = 20) -> socket.socket:
    """Return a socket that listens on the first free port from one on; port 0 takes any.

    Raises
    ------
    ExplorerError
        All of them are taken.
    """
    for candidate in range(port, port + (tries if port else 1)):
        made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        if os.name == "posix":  # else a page that has just ended holds its port for a minute
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            made.bind((HOST, candidate))
            made.listen()
        except (OSError, OverflowError):
            made.close()
            continue
        return made
    rule, cure = "no port is free", "Give another one with --port"
    raise ExplorerError(message("explore", rule, {"ports": f"{port} to {port + tries - 1}"}, cure))
