"""From a command to a page that somebody looks at: the server started, and ended cleanly."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any, Final

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from faltung.explorer.server import HOST, Server, listening
from faltung.explorer.uploads import Uploads

SECONDS_TO_ASK: Final = 10
"""How long a connection may take to say what it wants."""
LONGEST_HEAD: Final = 16 * 1024
"""Bytes of a request's headers."""
CONNECTIONS: Final = 256
"""More are hung up on."""
SECONDS_IDLE: Final = 30
"""How long a connection is kept for another request."""


class _Impatient(H11Protocol):
    """HTTP/1.1 that hangs up on whoever does not finish a request's headers."""

    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        if len(self.connections) > CONNECTIONS:
            transport.abort()
        else:
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


class _Ending(uvicorn.Server):
    """A server that ends the work before it waits for whoever asked for it."""

    def __init__(self, page: Server) -> None:
        config = uvicorn.Config(
            page.app,
            http=_Impatient,
            ws="none",
            lifespan="off",
            log_level="critical",
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=SECONDS_IDLE,
            timeout_graceful_shutdown=2,
            h11_max_incomplete_event_size=LONGEST_HEAD,
        )
        super().__init__(config)
        self._page = page

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._page.workers.close()
        await super().shutdown(sockets)


def serve(
    port: int,
    first: str = "slide",
    *,
    data: dict[str, Any] | None = None,
    states: dict[str, Any] | None = None,
    uploads: Uploads | None = None,
    ready: Callable[[str, str], None] = lambda url, once: None,
) -> None:
    """Serve the page until Ctrl-C, or until the process is asked to end.

    Parameters
    ----------
    port
        The first one that is tried; 0 for any.
    first, data, states, uploads
        As `faltung.explorer.server.Server` takes them.
    ready
        Called when the page can be opened: with its URL, and with one that leads there only once,
        to start a browser with.

    Raises
    ------
    ExplorerError
        No port is free, or there is no such view.
    """
    with contextlib.closing(listening(port)) as sock:
        number = sock.getsockname()[1]
        with contextlib.closing(
            Server(number, first, data=data, states=states, uploads=uploads)
        ) as page:
            start = f"http://{HOST}:{number}"

            def is_ready() -> None:
                ready(f"{start}/{page.token}/", f"{start}/{page.app.once()}")

            with contextlib.suppress(KeyboardInterrupt), _every_signal_as_ctrl_c():
                asyncio.run(_served(_Ending(page), sock, is_ready))


@contextlib.contextmanager
def serving(first: str = "slide", **settings: Any) -> Iterator[str]:
    """Serve the page in a thread for as long as a block runs, and give its URL."""
    with contextlib.closing(listening(0)) as sock:
        number = sock.getsockname()[1]
        with contextlib.closing(Server(number, first, **settings)) as page:
            server, is_ready = _Ending(page), threading.Event()
            thread = threading.Thread(
                target=lambda: asyncio.run(_served(server, sock, is_ready.set)), daemon=True
            )
            thread.start()
            is_ready.wait()
            try:
                yield f"http://{HOST}:{number}/{page.token}/"
            finally:
                server.should_exit = True
                thread.join()


@contextlib.contextmanager
def _every_signal_as_ctrl_c() -> Iterator[None]:
    """Leave by the same way when a terminal is closed or the system ends."""

    def end(number: int, frame: FrameType | None) -> None:
        signal.raise_signal(signal.SIGINT)

    names = [name for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {name: signal.signal(getattr(signal, name), end) for name in names}
    try:
        yield
    finally:
        for name, handler in before.items():
            signal.signal(getattr(signal, name), handler)


async def _served(server: uvicorn.Server, sock: socket.socket, ready: Callable[[], None]) -> None:
    running = asyncio.create_task(server.serve(sockets=[sock]))
    while not server.started and not running.done():
        await asyncio.sleep(0.01)
    if not running.done():
        ready()
    await running
