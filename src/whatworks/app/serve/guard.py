"""Around a handler: its request read and checked, its refusals answered in the protocol's shape."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from whatworks.app.serve.protocol import RequestRefusal
from whatworks.base.errors import ArmFailure, WhatworksError
from whatworks.base.validation import find_problem

R = TypeVar("R", bound=BaseModel)


def guard(
    handler: Callable[[Request], Awaitable[Response]],
) -> Callable[[Request], Awaitable[Response]]:
    """The handler, whose refusals are answers in the protocol's shape."""

    async def answer(request: Request) -> Response:
        try:
            return await handler(request)
        except Exception as error:
            refusal = make_refusal(error)
            return JSONResponse(refusal.body, refusal.status, refusal.headers)

    return answer


def make_refusal(error: BaseException) -> RequestRefusal:
    """What a client is told of an error."""
    if isinstance(error, RequestRefusal):
        return error
    if isinstance(error, WhatworksError):
        user = not isinstance(error, ArmFailure)
        kind = "invalid_request_error" if user else "server_error"
        return RequestRefusal(str(error), status=400 if user else 500, kind=kind)
    return RequestRefusal(f"{type(error).__name__}: {error}", status=500, kind="server_error")


async def answer_not_found(request: Request, _: Exception) -> Response:
    """The answer where nothing is served."""
    refusal = RequestRefusal(f"nothing at {request.method} {request.url.path}", status=404)
    return JSONResponse(refusal.body, status_code=404)


async def read_request(request: Request, kind: type[R]) -> R:
    """The request's body, checked.

    Raises:
        Refusal: Naming the field at fault.
    """
    try:
        return kind.model_validate_json(await request.body())
    except ValidationError as error:
        problem = find_problem(error)
        cause = "not supported here" if problem.kind == "unknown" else problem.reason
        where = problem.where
        raise RequestRefusal(f"{where or 'body'}: {cause}", param=where or None) from error


def format_event(content: dict[str, Any]) -> str:
    """One server-sent event."""
    return f"data: {json.dumps(content, ensure_ascii=False)}\n\n"
