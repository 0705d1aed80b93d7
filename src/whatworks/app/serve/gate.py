"""Who may ask the server, and how much: what is checked before a request is read.

A page in a browser can have its own name point to 127.0.0.1 (DNS rebinding), and would then be of
one origin with this server. Its requests still carry the page's name in ``Host`` and ``Origin``.
"""

from __future__ import annotations

import hmac
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import JSONResponse

from whatworks.app.serve.protocol import RequestRefusal

LARGEST = 4 * 2**20
"""Bytes of a request's body that are read."""
LARGEST_FILE = 256 * 2**20
"""Likewise of an uploaded file."""
_UPLOADS = "/v1/files"

_LOCAL = ("localhost", "127.0.0.1", "::1")
_ANY = ("0.0.0.0", "::", "")

Scope = Mapping[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
App = Callable[[Any, Any, Any], Awaitable[None]]


@dataclass(frozen=True)
class Access:
    """Who may ask.

    Attributes:
        host: Address that the server listens at.
        names: Further names that clients call it by, as behind a proxy.
        key: What a client must send as a bearer token; None asks for none.
        origins: Pages of elsewhere whose scripts may ask, e.g. ``https://app.example.com``.
    """

    host: str
    names: tuple[str, ...] = ()
    key: str | None = field(default=None, repr=False)
    origins: tuple[str, ...] = ()

    def check(self, headers: Headers) -> None:
        """Let a request pass.

        Raises:
            RequestRefusal: 403 where ``Host`` or ``Origin`` is of somewhere else, 401 without key.
        """
        hosts = headers.getlist("host")
        if len(hosts) != 1 or not self._is_ours(hosts[0]):
            raise RequestRefusal(
                "Host is not the address that this server listens at; start it with "
                "--allowed-host to give it a further name",
                status=403,
            )
        for origin in headers.getlist("origin"):
            ours = origin.partition("://")[2].lower() == hosts[0].lower()
            if not ours and origin not in self.origins:
                raise RequestRefusal("Origin is a page of somewhere else", status=403)
        if self.key is not None and not self._holds_key(headers):
            raise RequestRefusal(
                "no key, or a wrong one: send it as `Authorization: Bearer KEY`",
                status=401,
                code="invalid_api_key",
                headers={"www-authenticate": "Bearer"},
            )

    def _holds_key(self, headers: Headers) -> bool:
        kind, _, value = headers.get("authorization", "").partition(" ")
        same = hmac.compare_digest(value.strip().encode("latin-1"), (self.key or "").encode())
        return same and kind.lower() == "bearer"

    def _is_ours(self, header: str) -> bool:
        try:
            name = urlsplit(f"//{header}").hostname or ""
        except ValueError:
            return False
        if name in (*_LOCAL, self.host.lower(), *(one.lower() for one in self.names)):
            return True
        # Listening everywhere: an address cannot be rebound as a name can.
        return self.host in _ANY and (name == socket.gethostname().lower() or _is_address(name))


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def open_to_pages(app: App, access: Access) -> App:
    """An application that browsers let the scripts of the named pages ask (CORS)."""
    if not access.origins:
        return app
    from starlette.middleware.cors import CORSMiddleware

    return CORSMiddleware(
        app,  # pyright: ignore[reportArgumentType]
        allow_origins=access.origins,
        allow_methods=("GET", "POST", "DELETE"),
        allow_headers=("*",),
    )


class Gate:
    """An application behind ``Access`` and a limit on what is read.

    Args:
        app: The application.
        access: Who may ask.
        uploads: Whether files may be uploaded.
    """

    def __init__(self, app: App, access: Access, *, uploads: bool = False) -> None:
        self._app = app
        self._access = access
        self._uploads = uploads

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or pass it on with its body."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)  # pyright: ignore[reportArgumentType]
        try:
            self._access.check(headers)
            most = LARGEST_FILE if self._uploads and scope["path"] == _UPLOADS else LARGEST
            body = await _read_body(headers, receive, most)
        except RequestRefusal as refusal:
            # The rest of the body stays unread, so that the connection is of no more use.
            reply = JSONResponse(
                refusal.body, refusal.status, {**refusal.headers, "connection": "close"}
            )
            await reply(scope, receive, send)  # pyright: ignore[reportArgumentType]
            return
        if body is None:
            return
        messages = [{"type": "http.request", "body": body, "more_body": False}]

        async def replay() -> Any:
            return messages.pop() if messages else await receive()

        await self._app(scope, replay, send)


async def _read_body(headers: Headers, receive: Receive, most: int) -> bytes | None:
    """A request's body; None when the client left.

    Raises:
        RequestRefusal: 413 as soon as it is larger than ``most``.
    """
    refusal = RequestRefusal(f"a request of more than {most // 2**20} MiB", status=413)
    length = headers.get("content-length", "0")
    if length.isdecimal() and int(length[:20]) > most:
        raise refusal
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        if len(body) > most:
            raise refusal
        if not message.get("more_body"):
            return bytes(body)
