"""From a command to a page that somebody looks at: the server started, and ended cleanly."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any, Final

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from faltung.explorer.server import HOST, Server, listening

SECONDS_TO_ASK: Final = 10
"""How long a connection may take to say what it wants."""
LONGEST_HEAD: Final = 16 * 1024
"""Bytes of a request's headers."""


class _Impatient(H11Protocol):
    """HTTP/1.1 that hangs up on whoever does not finish a request's headers."""

    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.cycle is not None and not self.cycle.response_complete:
            self._stop()
        elif self._timer is None:
            self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop()
        super().connection_lost(exc)

    def _wait(self) -> None:
        self._timer = self.loop.call_later(SECONDS_TO_ASK, self.transport.close)

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None


def serve(
    port: int,
    first: str = "slide",
    *,
    data: dict[str, Any] | None = None,
    states: dict[str, Any] | None = None,
    ready: Callable[[str], None] = lambda url: None,
) -> None:
    """Serve the page until Ctrl-C.

    Parameters
    ----------
    port
        The first one that is tried; 0 for any.
    first, data, states
        As `faltung.explorer.page.saved_page` takes them.
    ready
        Called with the URL once the page can be opened.

    Raises
    ------
    ExplorerError
        No port is free.
    """
    sock = listening(port)
    page = Server(sock.getsockname()[1], first, data=data, states=states)
    url = f"http://{HOST}:{sock.getsockname()[1]}/{page.token}/"
    try:
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(_served(_server(page), sock, lambda: ready(url)))
    finally:
        page.close()


@contextlib.contextmanager
def serving(first: str = "slide", **settings: Any) -> Iterator[str]:
    """Serve the page in a thread for as long as a block runs, and give its URL."""
    sock = listening(0)
    page = Server(sock.getsockname()[1], first, **settings)
    server, is_ready = _server(page), threading.Event()
    thread = threading.Thread(
        target=lambda: asyncio.run(_served(server, sock, is_ready.set)), daemon=True
    )
    thread.start()
    is_ready.wait()
    try:
        yield f"http://{HOST}:{sock.getsockname()[1]}/{page.token}/"
    finally:
        server.should_exit = True
        thread.join()
        page.close()


def _server(page: Server) -> uvicorn.Server:
    config = uvicorn.Config(
        page.app,
        http=_Impatient,
        ws="none",
        lifespan="off",
        log_level="critical",
        server_header=False,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=2,
        h11_max_incomplete_event_size=LONGEST_HEAD,
    )
    return uvicorn.Server(config)


async def _served(server: uvicorn.Server, sock: socket.socket, ready: Callable[[], None]) -> None:
    running = asyncio.create_task(server.serve(sockets=[sock]))
    while not server.started and not running.done():
        await asyncio.sleep(0.01)
    if not running.done():
        ready()
    await running
