"""The page that shows a run: starlette's routes over a study's folder, on this machine alone.

Whoever has the address has the token in it. Requests of other pages in the same browser lack it,
and carry a foreign ``Host`` or ``Origin`` (``app.serve.gate``). What changes is sent as server-sent
events, whose address carries the token too, since a browser sends no headers of ours with them.
"""

from __future__ import annotations

import asyncio
import hmac
import secrets
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from whatworks.app.serve.gate import Access, Gate
from whatworks.app.serve.guard import format_event
from whatworks.app.watch.state import RunView, collect_lines
from whatworks.base.errors import InputError, WhatworksError
from whatworks.models.metering import Budget
from whatworks.studies.study_folder import StudyFolder

HOST = "127.0.0.1"
EVERY = 0.5
"""Seconds between two looks at the folder."""
ALIVE = 10.0
"""Seconds after which the page is told the time though nothing changed."""
_HEADERS = {
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; script-src "
    "'unsafe-inline'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
}


class StopWish(BaseModel):
    """An arm to stop."""

    model_config = ConfigDict(extra="forbid")

    arm: str


class RaiseWish(BaseModel):
    """A limit to raise."""

    model_config = ConfigDict(extra="forbid")

    name: Literal["requests", "tokens", "seconds", "usd"]
    limit: float = Field(gt=0, allow_inf_nan=False)


@dataclass
class WatchServer:
    """Shows one run to whoever has its token, and writes down what they wish.

    Attributes:
        folder: The study's.
        token: What every request must carry.
    """

    folder: StudyFolder
    token: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    _leaving: bool = False

    def app(self) -> Gate:
        """The application, which answers on this machine's own address alone."""
        routes = [
            Route("/", self._page),
            Route("/events", self._events),
            Route("/row", self._row),
            Route("/stop", self._stop, methods=["POST"]),
            Route("/raise", self._raise, methods=["POST"]),
        ]
        return Gate(Starlette(routes=routes), Access(HOST))

    def address(self, port: int) -> str:
        """Where the page is, token included."""
        return f"http://{HOST}:{port}/?token={self.token}"

    def leave(self) -> None:
        """End what is being sent: the server stops."""
        self._leaving = True

    async def _page(self, request: Request) -> Response:
        if not self._may(request):
            return _refuse(
                403, "the address lacks its token: take the whole line from the terminal"
            )
        page = files("whatworks.app.watch").joinpath("page.html").read_text("utf-8")
        return HTMLResponse(page, headers=_HEADERS)

    async def _events(self, request: Request) -> Response:
        if not self._may(request):
            return _refuse(403, "no token, or a wrong one")
        return StreamingResponse(self._tell(), media_type="text/event-stream", headers=_HEADERS)

    async def _tell(self) -> AsyncGenerator[str]:
        """The state, and again whenever it changes."""
        view, mark, since = RunView(self.folder), None, 0.0
        yield "retry: 1000\n\n"
        while not self._leaving:
            if (now := view.mark) != mark or since >= ALIVE:
                mark, since = now, 0.0
                try:
                    state = await asyncio.to_thread(view.describe)
                except WhatworksError as error:
                    state = {"error": str(error)}
                yield format_event(state)
            await asyncio.sleep(EVERY)
            since += EVERY

    async def _row(self, request: Request) -> Response:
        if not self._may(request):
            return _refuse(403, "no token, or a wrong one")
        at, differing = request.query_params.get("at", "0"), "differing" in request.query_params
        if not at.isdecimal():
            return _refuse(422, "`at` is no number")
        view = RunView(self.folder)
        found = await asyncio.to_thread(view.describe_row, int(at[:9]), differing=differing)
        return JSONResponse(found, headers=_HEADERS)

    async def _stop(self, request: Request) -> Response:
        if not self._may(request):
            return _refuse(403, "no token, or a wrong one")
        try:
            wish = StopWish.model_validate_json(await request.body())
        except ValidationError as error:
            return _refuse(422, f"not a wish: {error.error_count()} fields are wrong")
        return await asyncio.to_thread(self._write_stop, wish.arm)

    async def _raise(self, request: Request) -> Response:
        if not self._may(request):
            return _refuse(403, "no token, or a wrong one")
        try:
            wish = RaiseWish.model_validate_json(await request.body())
        except ValidationError as error:
            return _refuse(422, f"not a wish: {error.error_count()} fields are wrong")
        return await asyncio.to_thread(self._write_raise, wish)

    def _write_stop(self, arm: str) -> Response:
        run = collect_lines(self.folder.live.read())
        if RunView(self.folder).state != "running":
            return _refuse(409, "no run is at work")
        if arm not in run.arms:
            return _refuse(404, "no such arm")
        if run.arms[arm].bar.get("ended"):
            return _refuse(409, "the arm has ended")
        return self._write(lambda: self.folder.wishes.stop(arm))

    def _write_raise(self, wish: RaiseWish) -> Response:
        if RunView(self.folder).state != "running":
            return _refuse(409, "no run is at work")
        limits = collect_lines(self.folder.live.read()).facts.get("budget", {})
        budget = Budget(**limits)
        return self._write(lambda: self.folder.wishes.raise_limit(budget, wish.name, wish.limit))

    @staticmethod
    def _write(wish: Callable[[], None]) -> Response:
        try:
            wish()
        except InputError as error:
            return _refuse(409, str(error))
        except WhatworksError as error:
            return _refuse(500, str(error))
        return JSONResponse({"asked": True}, headers=_HEADERS)

    def _may(self, request: Request) -> bool:
        kind, _, value = request.headers.get("authorization", "").partition(" ")
        bearer = value.strip() if kind.lower() == "bearer" else ""
        # A wish comes with the header alone; what only reads may come with an address.
        named = request.query_params.get("token", "") if request.method == "GET" else ""
        return hmac.compare_digest((bearer or named).encode(), self.token.encode())


def _refuse(status: int, why: str) -> Response:
    return JSONResponse({"error": why}, status, headers=_HEADERS)
