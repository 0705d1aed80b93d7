"""The addresses of files and jobs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from whatworks.app.serve.guard import guard, read_request
from whatworks.app.serve.protocol import RequestRefusal
from whatworks.app.serve.tuning.file_shelf import read_upload
from whatworks.app.serve.tuning.job_request import JobRequest
from whatworks.app.serve.tuning.shop import TuningShop

MOST = 100
"""Entries of a page."""

FILES, JOBS = "/v1/files", "/v1/fine_tuning/jobs"


class TuningDesk:
    """Answers requests about files and jobs.

    Args:
        shop: Has them.
    """

    def __init__(self, shop: TuningShop) -> None:
        self._shop = shop

    def routes(self) -> list[BaseRoute]:
        """Their addresses."""
        table: list[tuple[str, str, Callable[[Request], Any]]] = [
            ("POST", FILES, self._upload),
            ("GET", FILES, self._list_files),
            ("GET", FILES + "/{file}", self._find_file),
            ("DELETE", FILES + "/{file}", self._remove_file),
            ("GET", FILES + "/{file}/content", self._read_file),
            ("POST", JOBS, self._create),
            ("GET", JOBS, self._list_jobs),
            ("GET", JOBS + "/{job}", self._find_job),
            ("POST", JOBS + "/{job}/cancel", self._cancel),
            ("GET", JOBS + "/{job}/events", self._list_events),
            ("GET", JOBS + "/{job}/checkpoints", self._list_checkpoints),
        ]
        return [Route(path, guard(handler), methods=[verb]) for verb, path, handler in table]

    async def _upload(self, request: Request) -> Response:
        kind, body = request.headers.get("content-type", ""), await request.body()
        # Others are answered while a large file is taken apart.
        name, content = await asyncio.to_thread(read_upload, kind, body)
        return JSONResponse(await asyncio.to_thread(self._shop.files.add, name, content))

    async def _list_files(self, request: Request) -> Response:
        return JSONResponse(_make_page(request, self._shop.files.all()))

    async def _find_file(self, request: Request) -> Response:
        return JSONResponse(self._shop.files.find(request.path_params["file"]))

    async def _remove_file(self, request: Request) -> Response:
        return JSONResponse(self._shop.files.remove(request.path_params["file"]))

    async def _read_file(self, request: Request) -> Response:
        content = self._shop.files.read(request.path_params["file"])
        return Response(content, media_type="application/octet-stream")

    async def _create(self, request: Request) -> Response:
        asked = await read_request(request, JobRequest)
        return JSONResponse(await asyncio.to_thread(self._shop.create, asked))

    async def _list_jobs(self, request: Request) -> Response:
        return JSONResponse(_make_page(request, self._shop.list_jobs()))

    async def _find_job(self, request: Request) -> Response:
        job = self._shop.find(request.path_params["job"])
        return JSONResponse(self._shop.describe(job))

    async def _cancel(self, request: Request) -> Response:
        return JSONResponse(self._shop.cancel(request.path_params["job"]))

    async def _list_events(self, request: Request) -> Response:
        job = self._shop.find(request.path_params["job"])
        return JSONResponse(_make_page(request, job.list_events()))

    async def _list_checkpoints(self, request: Request) -> Response:
        checkpoints = self._shop.list_checkpoints(request.path_params["job"])
        return JSONResponse(_make_page(request, checkpoints))


def _make_page(request: Request, entries: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """A page of a list: ``limit`` entries after the one called ``after``.

    Raises:
        RequestRefusal: If the limit is no number, or there is no such entry.
    """
    after, limit = request.query_params.get("after"), request.query_params.get("limit", "20")
    if not limit.isdecimal() or not 1 <= int(limit[:9]) <= 10_000:
        raise RequestRefusal("limit is a number from 1", param="limit")
    names = [entry["id"] for entry in entries]
    if after is not None and after not in names:
        raise RequestRefusal(f"nothing is called {after!r}", param="after")
    start = names.index(after) + 1 if after is not None else 0
    page = list(entries[start : start + min(int(limit[:9]), MOST)])
    return {
        "object": "list",
        "data": page,
        "first_id": page[0]["id"] if page else None,
        "last_id": page[-1]["id"] if page else None,
        "has_more": start + len(page) < len(entries),
    }
