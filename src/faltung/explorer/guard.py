"""Who may ask the page's server: the page itself, whoever else there is on the machine.

Every request passes here first, also those to nowhere, and every answer gets the same headers.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from typing import Final

from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADERS: Final = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",  # the token is in the URL
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "X-Frame-Options": "DENY",
}
"""What every answer has."""
SECONDS_TO_OPEN: Final = 120.0
"""How long the address that a browser is started with leads to the page."""
_SAID_WITH: Final = {503: {"Retry-After": "1"}, 408: {"Connection": "close"}}
_NOTHING: Final = "default-src 'none'; frame-ancestors 'none'"


class Guard:
    """The application behind its rules.

    Parameters
    ----------
    app
        What answers; it sees paths without the token.
    authorities
        The page's own names with their port. Another Host means that a name was made to lead
        here (DNS rebinding); another Origin, that another page asks.
    token
        The first part of every path.
    """

    def __init__(self, app: ASGIApp, authorities: Sequence[str], token: str) -> None:
        self._app = app
        self._hosts = {name.encode() for name in authorities}
        self._origins = {b"http://" + name for name in self._hosts}
        self._token = token.encode()
        self._once, self._until = b"", 0.0

    def once(self) -> str:
        """Return another first part of a path that leads to the page, once and for a while.

        What a browser is started with can be read by everybody on the machine; the token must not.
        """
        once = secrets.token_urlsafe(24)
        self._once, self._until = once.encode(), time.monotonic() + SECONDS_TO_OPEN
        return once

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, or hand on."""
        if scope["type"] != "http":
            return
        refusal = self._refusal(scope)
        if refusal is not None:
            await refusal(scope, receive, _with_headers(send))
            return
        rest = "/" + scope["path"].removeprefix("/").partition("/")[2]
        await self._app({**scope, "path": rest}, receive, _with_headers(send))

    def _refusal(self, scope: Scope) -> Response | None:
        if _values(scope, b"host") not in [[host] for host in self._hosts]:
            return refused(421, "the Host is not this page's")
        if not self._origins.issuperset(_values(scope, b"origin")):
            return refused(403, "the Origin is not this page's")
        given = scope["path"].removeprefix("/").partition("/")[0].encode(errors="replace")
        if secrets.compare_digest(given, self._token):
            return None
        if self._once and secrets.compare_digest(given, self._once) and scope["method"] == "GET":
            self._once = b""
            if time.monotonic() < self._until:
                return RedirectResponse(f"/{self._token.decode()}/", 303)
        return refused(404, "there is nothing here")


def refused(status: int, why: str) -> Response:
    """Return the answer to whoever gets none."""
    return JSONResponse({"error": why}, status, _SAID_WITH.get(status))


def _values(scope: Scope, name: bytes) -> list[bytes]:
    return [value for key, value in scope["headers"] if key == name]


def _with_headers(send: Send) -> Send:
    async def sending(told: Message) -> None:
        if told["type"] == "http.response.start":
            own = {key.lower(): value for key, value in told.get("headers", [])}
            more = {**HEADERS, "Content-Security-Policy": _NOTHING}
            rest = [(k.lower().encode(), v.encode()) for k, v in more.items()]
            told = {**told, "headers": [*own.items(), *((k, v) for k, v in rest if k not in own)]}
        await send(told)

    return sending
