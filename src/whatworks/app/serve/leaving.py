"""Clients that leave before they are answered."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from starlette.requests import Request

from whatworks.app.serve.batcher import Work
from whatworks.app.serve.protocol import RequestRefusal
from whatworks.models.engine import Generation


async def wait_for_answers(request: Request, works: Sequence[Work]) -> list[Generation]:
    """The answers to a request whose works are queued.

    Raises:
        RequestRefusal: If its client leaves, which nobody reads; the works are given up.
    """
    answers = asyncio.gather(*(asyncio.wrap_future(work.answer) for work in works))
    # Given up, they end with an error that nobody asks for.
    answers.add_done_callback(lambda done: done.cancelled() or done.exception())
    gone = asyncio.ensure_future(_wait_for_leaving(request))
    try:
        await asyncio.wait((answers, gone), return_when=asyncio.FIRST_COMPLETED)
        if not answers.done():
            raise RequestRefusal("the client has left", status=499)
        return await answers
    finally:
        gone.cancel()
        cancel(works)


def cancel(works: Sequence[Work]) -> None:
    """Give up the answers that are not there yet."""
    for work in works:
        work.answer.cancel()


async def _wait_for_leaving(request: Request) -> None:
    """Until the client closes its connection."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
