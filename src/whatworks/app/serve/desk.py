"""What all handlers share: the models, the thread that runs them, and the way to answers."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import StreamingResponse

from whatworks.app.serve.batcher import Batcher, Work
from whatworks.app.serve.guard import format_event, make_refusal
from whatworks.app.serve.leaving import cancel, wait_for_answers
from whatworks.app.serve.metrics import ServerMetrics
from whatworks.app.serve.models import Models
from whatworks.app.serve.protocol import RequestRefusal
from whatworks.app.serve.replies import ReplyWriter, count_usage, format_chat_logprobs
from whatworks.app.serve.served import Served
from whatworks.app.serve.tool_replies import list_rest, put_calls
from whatworks.app.serve.tools import count_plain
from whatworks.models.decoding import Decoding
from whatworks.models.engine import Generation, Token
from whatworks.models.local.engine import LocalEngine


class Desk:
    """Takes works to the batcher, and brings answers back.

    Args:
        models: What is served.
        metrics: Counts.
    """

    def __init__(self, models: Models, metrics: ServerMetrics) -> None:
        self.models, self.metrics = models, metrics
        self._batcher = Batcher()

    def close(self) -> None:
        """Finish what is queued, then free the models."""
        self._batcher.close()
        self.models.close()

    async def call(self, function: Callable[[], Any]) -> Any:
        """What a function says that needs an engine; it runs between two steps."""
        return await asyncio.wrap_future(self._batcher.call(function))

    def check_rules(self, decoding: Decoding, served: Served) -> None:
        """Refuse rules that this model cannot follow."""
        if decoding.rules is None:
            return
        engine = self.need_tokens(served, "penalties, bias, cuts and alternatives of tokens")
        vocabulary = engine.vocabulary(served.files)
        if not all(0 <= token < vocabulary for token, _ in decoding.rules.logit_bias):
            raise RequestRefusal(f"token ids are 0 to {vocabulary - 1}", param="logit_bias")

    def stream(
        self,
        works: list[Work],
        reply: ReplyWriter,
        *,
        usage: bool,
        logprobs: bool = False,
        tools: Sequence[str] = (),
    ) -> StreamingResponse:
        """Server-sent events, a piece as soon as there is one.

        Args:
            works: The answers that are wanted.
            reply: Writes the pieces.
            usage: Whether the counts stand at the end.
            logprobs: Whether tokens come with theirs.
            tools: Names that may be called: what may become a call is held back until it is one.
        """
        loop = asyncio.get_running_loop()
        events: asyncio.Queue[tuple[int, Token | Generation | BaseException]] = asyncio.Queue()

        def tell(at: int, event: Token | Generation | BaseException) -> None:
            with contextlib.suppress(RuntimeError):  # the loop is gone with its client
                loop.call_soon_threadsafe(events.put_nowait, (at, event))

        for at, work in enumerate(works):
            work.on_token = lambda token, at=at: tell(at, token)
            work.answer.add_done_callback(
                lambda done, at=at: (
                    None if done.cancelled() else tell(at, done.exception() or done.result())
                )
            )
        self.metrics.watch(self._batcher.submit(works))

        async def write() -> AsyncGenerator[str]:
            try:
                async for event in write_pieces():
                    yield event
            finally:  # also where the client has left
                cancel(works)

        async def write_pieces() -> AsyncGenerator[str]:
            sent, leads = [""] * len(works), [""] * len(works)
            answers: list[Generation] = []
            for at in range(len(works)):
                yield format_event(reply.piece(at, "", first=True))
            while len(answers) < len(works):
                at, event = await events.get()
                if isinstance(event, BaseException):
                    yield format_event(make_refusal(event).body)
                    return
                ended = isinstance(event, Generation)
                if reply.continues and not sent[at] and isinstance(event, Token):
                    leads[at] = event.lead
                text = leads[at] + (event.text if ended else event.so_far)
                if tools and ended:
                    choice = put_calls(reply.choice(at, event, None), tools)
                    for piece in list_rest(reply, choice, sent[at]):
                        yield format_event(piece)
                    answers.append(event)
                    continue
                if tools:
                    text = text[: count_plain(text)]
                new = text[len(sent[at]) :] if text.startswith(sent[at]) else ""
                sent[at] += new
                values = None
                if logprobs and isinstance(event, Token):
                    values = format_chat_logprobs([event])
                if new or ended or (values and values["content"]):
                    finish = event.finish if ended else None
                    yield format_event(reply.piece(at, new, finish, values))
                if ended:
                    answers.append(event)
            if usage:
                yield format_event(reply.counts(count_usage(answers)))
            yield "data: [DONE]\n\n"

        return StreamingResponse(write(), media_type="text/event-stream")

    async def answer(self, request: Request, works: list[Work]) -> list[Generation]:
        """The answers to a request; given up when its client leaves."""
        self.metrics.watch(self._batcher.submit(works))
        return await wait_for_answers(request, works)

    def need_tokens(self, served: Served, what: str) -> LocalEngine:
        """The engine of a model whose tokens can be seen.

        Raises:
            RequestRefusal: If they cannot.
        """
        if served.local is None:
            raise RequestRefusal(f"{what} are not to be had from this model", status=501)
        return served.local


def make_keys(seed: int | None, n: int) -> list[str]:
    """Names of random streams: those of a seed, or new ones."""
    named = secrets.token_hex(8) if seed is None else str(seed)
    return [f"{named}:{at}" for at in range(n)]
